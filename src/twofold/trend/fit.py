"""The ensemble: members fitted in three stages, pooled and calibrated into one probability.

The stages have the same members and seeds. `select` fits on the training set, with early stopping on the validation
set, and calibrates on the calibration set; `evaluate` refits for as many epochs on all windows known before the test,
and is scored on it; `final` refits on all windows and forecasts the date after the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from twofold.engine.recurrent import CELLS
from twofold.trend.baselines import BASELINES, Baseline, fit_baseline
from twofold.trend.calibrate import Calibration, fit_calibration, identity
from twofold.trend.config import TrendConfig
from twofold.trend.features import FeatureFit, Inputs
from twofold.trend.model import predict_network, region_codes
from twofold.trend.train import OnEpoch, Stage, Trained, train_networks
from twofold.trend.windows import Prepared

Probabilities = dict[str, Float[np.ndarray, " rows"]]


@dataclass(frozen=True)
class Ensemble:
    """The members of one stage.

    Attributes:
        features: fitted features of the inputs.
        networks: by name, such as `gru-0`.
        estimators: members other than networks, by name.
    """

    features: FeatureFit
    networks: dict[str, Trained]
    estimators: dict[str, Baseline]

    def predict(self, inputs: Inputs, names: tuple[str, ...], rows: Int64[np.ndarray, " rows"]) -> Probabilities:
        """Probability of "up" for the windows `rows`, by kind of member; seeds of one cell are averaged.

        `inputs` are made with `features`; `names` are the data's regions, in row order.
        """
        codes = region_codes(inputs, names, self.features.context)
        kinds: dict[str, list[np.ndarray]] = {}
        for member, trained in self.networks.items():
            kinds.setdefault(member.partition("-")[0], []).append(predict_network(trained.module, inputs, codes, rows))
        by_kind = {kind: np.mean(parts, axis=0) for kind, parts in kinds.items()}
        return by_kind | {name: model.predict(inputs, rows) for name, model in self.estimators.items()}


def pool(members: Probabilities) -> Float[np.ndarray, " rows"]:
    """Linear pool with equal weights (Genest & Zidek 1986)."""
    return np.mean(list(members.values()), axis=0)


def pool_networks(members: Probabilities) -> Float[np.ndarray, " rows"]:
    """The pool of the recurrent networks alone."""
    return pool({name: probability for name, probability in members.items() if name in CELLS})


def fit_members(stages: Sequence[Stage], checkpoints: Path, on_epoch: OnEpoch) -> list[Ensemble]:
    """Fits the members of each stage; networks of all stages share one pool of threads.

    Args:
        stages: of one run.
        checkpoints: folder of training states; training continues from those that are there.
        on_epoch: called with every epoch's record.
    """
    return [
        Ensemble(
            stage.features,
            networks,
            {
                name: fit_baseline(name, stage.inputs, stage.windows.up, stage.rows, stage.config.seed)
                for name in BASELINES
                if name in stage.config.ensemble.partners
            },
        )
        for stage, networks in zip(stages, train_networks(stages, checkpoints, on_epoch), strict=True)
    ]


@dataclass(frozen=True)
class Fitted:
    """A fitted run.

    Attributes:
        inputs: of all windows, for `evaluate`.
        evaluate: the members scored on the test set.
        final: the members that forecast.
        calibration: of the pool.
        network_calibration: of the pool of the recurrent networks alone.
        calibrated_on: number of windows in the calibration set; 0: no calibration.
    """

    inputs: Inputs
    evaluate: Ensemble
    final: Ensemble
    calibration: Calibration
    network_calibration: Calibration
    calibrated_on: int


def fit_stages(prepared: Prepared, config: TrendConfig, checkpoints: Path, on_epoch: OnEpoch) -> Fitted:
    """Fits every stage of a run; without validation and calibration set `select` is left out."""
    split, data = prepared.split, (prepared.increments, prepared.windows)
    chosen: dict[str, int] = {}
    calibration, network_calibration = identity(), identity()
    if len(split.validation) + len(split.calibration):
        monitored = {"validation": split.validation} if len(split.validation) else {}
        stage = Stage("select", *data, split.train, config, monitored | {"test": split.test})
        [select] = fit_members([stage], checkpoints, on_epoch)
        chosen = {name: trained.epochs for name, trained in select.networks.items()}
        if len(split.calibration):
            members = select.predict(stage.inputs, prepared.increments.regions, split.calibration)
            settings = config.calibration
            days = len(np.unique(prepared.windows.origin[split.calibration]))
            up = prepared.windows.up[split.calibration]
            calibration, network_calibration = (
                fit_calibration(settings.method, pooled, up, days=days, prior_days=settings.prior_days)
                for pooled in (pool(members), pool_networks(members))
            )
    evaluate = Stage("evaluate", *data, split.known, config, {} if chosen else {"test": split.test}, chosen)
    final = Stage("final", *data, np.arange(len(prepared.windows)), config, epochs=chosen)
    tested, forecasting = fit_members([evaluate, final], checkpoints, on_epoch)
    calibrated_on = len(split.calibration)
    return Fitted(evaluate.inputs, tested, forecasting, calibration, network_calibration, calibrated_on)
