"""Members fitted stage by stage, pooled and calibrated into one probability.

Three stages, each with the same members and seeds: `select` learns from the training slice, stops on the validation
slice and calibrates on the calibration slice; `evaluate` refits on all that is known before the test, for as many
epochs, and is what the test scores; `final` refits on all windows and is what forecasts tomorrow.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from twofold.engine.recurrent import CELLS, Cell
from twofold.trend.baselines import BASELINES, Baseline, fit_baseline
from twofold.trend.calibrate import Calibration, fit_calibration, identity
from twofold.trend.config import TrendConfig
from twofold.trend.features import FeatureFit, Inputs, apply_features, fit_features
from twofold.trend.model import predict_network, region_codes
from twofold.trend.train import Journal, Task, Trained, train_networks
from twofold.trend.windows import Prepared

Probabilities = dict[str, Float[np.ndarray, " rows"]]


@dataclass(frozen=True)
class Ensemble:
    """The members of one stage.

    Attributes:
        features: what the inputs learned.
        networks: by member name, such as `gru-0`.
        estimators: partners that are no network, by name.
    """

    features: FeatureFit
    networks: dict[str, Trained]
    estimators: dict[str, Baseline]

    def predict(self, inputs: Inputs, names: tuple[str, ...], rows: Int64[np.ndarray, " rows"]) -> Probabilities:
        """Probability of "up" by kind of member; seeds of one cell are averaged.

        Args:
            inputs: windows, made with this stage's `features`.
            names: regions of the data, in the order of its rows.
            rows: which windows.
        """
        kinds: dict[str, list[np.ndarray]] = {}
        for member, trained in self.networks.items():
            codes = region_codes(inputs, names, trained.known)
            kinds.setdefault(member.partition("-")[0], []).append(predict_network(trained.module, inputs, codes, rows))
        by_kind = {kind: np.mean(parts, axis=0) for kind, parts in kinds.items()}
        return by_kind | {name: model.predict(inputs, rows) for name, model in self.estimators.items()}


@dataclass(frozen=True)
class Fitted:
    """All stages of a run.

    Attributes:
        inputs: all windows as the evaluated members see them.
        evaluate: the members that the test scores.
        final: the members that forecast.
        calibration: of the pooled ensemble.
        network_calibration: of the pooled recurrent members alone.
        calibrated_on: windows that calibrated; 0 when nothing was calibrated.
    """

    inputs: Inputs
    evaluate: Ensemble
    final: Ensemble
    calibration: Calibration
    network_calibration: Calibration
    calibrated_on: int


def pool(members: Probabilities) -> Float[np.ndarray, " rows"]:
    """Linear pool with equal weights (Genest & Zidek 1986)."""
    return np.mean(list(members.values()), axis=0)


def pool_networks(members: Probabilities) -> Float[np.ndarray, " rows"]:
    """The pool of the recurrent members alone."""
    return pool({name: probability for name, probability in members.items() if name in CELLS})


def fit_stages(prepared: Prepared, config: TrendConfig, checkpoints: Path, journal: Journal) -> Fitted:
    """Fits every stage.

    Args:
        prepared: windows and split.
        config: the run.
        checkpoints: folder of training states, gone on with.
        journal: called with every epoch's record.

    Returns:
        The stages; without validation and calibration slices, `select` is left out.
    """
    split = prepared.split
    chosen: dict[str, int] = {}
    calibrations = identity(), identity()
    if len(split.validation) + len(split.calibration):
        watched = {"validation": split.validation, "test": split.test}
        stage = Stage(prepared, config, "select", split.train, {k: v for k, v in watched.items() if len(v)})
        members = train_networks(stage.tasks({}), config, checkpoints, journal)
        select = stage.ensemble(members)
        chosen = {name: trained.epochs for name, trained in select.networks.items()}
        if len(split.calibration):
            calibrations = _calibrate(prepared, config, stage.inputs, select)
    evaluate = Stage(prepared, config, "evaluate", split.known, {} if chosen else {"test": split.test})
    final = Stage(prepared, config, "final", np.arange(len(prepared.windows)), {})
    tasks = [evaluate.tasks(chosen), final.tasks(chosen)]
    # Both stages share one pool of threads: neither waits for the other.
    trained = train_networks([*tasks[0], *tasks[1]], config, checkpoints, journal)
    half = len(tasks[0])
    return Fitted(
        evaluate.inputs,
        evaluate.ensemble(trained[:half]),
        final.ensemble(trained[half:]),
        *calibrations,
        calibrated_on=len(split.calibration),
    )


def _calibrate(
    prepared: Prepared, config: TrendConfig, inputs: Inputs, select: Ensemble
) -> tuple[Calibration, Calibration]:
    rows = prepared.split.calibration
    members = select.predict(inputs, prepared.increments.regions, rows)
    up, settings = prepared.windows.up[rows], config.calibration
    days = len(np.unique(prepared.windows.origin[rows]))
    pooled, networks = (
        fit_calibration(settings.method, probability, up, days=days, prior_days=settings.prior_days)
        for probability in (pool(members), pool_networks(members))
    )
    return pooled, networks


class Stage:
    """One stage's inputs, and its members before and after training.

    Args:
        prepared: windows and split.
        config: the run.
        name: of the stage, for checkpoints and records.
        rows: windows to learn from.
        watched: further windows to measure after every epoch, by name; those of `validation` stop the training.
    """

    def __init__(
        self, prepared: Prepared, config: TrendConfig, name: str, rows: np.ndarray, watched: dict[str, np.ndarray]
    ) -> None:
        self.prepared, self.config, self.name, self.rows, self.watched = prepared, config, name, rows, watched
        windows, increments = prepared.windows, prepared.increments
        self.features = fit_features(increments, windows, rows, config.features, config.window)
        self.inputs = apply_features(self.features, increments, windows.region, windows.origin, config.window)

    def tasks(self, epochs: dict[str, int]) -> list[Task]:
        """The networks to train, each for its number of epochs where `epochs` has one."""
        partners = self.config.ensemble.partners
        cells: list[Cell] = [self.config.model.cell, *(cell for cell in CELLS if cell in partners)]
        return [
            Task(
                self.name,
                cell,
                index,
                epochs.get(f"{cell}-{index}", self.config.train.epochs),
                self.inputs,
                self.prepared.windows.up,
                self.prepared.increments.regions,
                self.rows,
                self.watched,
            )
            for cell in dict.fromkeys(cells)
            for index in range(self.config.ensemble.seeds)
        ]

    def ensemble(self, trained: list[Trained]) -> Ensemble:
        """The members: the networks that `tasks` asked for, and partners fitted here."""
        members = [task.member for task in self.tasks({})]
        estimators: dict[str, Baseline] = {
            name: fit_baseline(name, self.inputs, self.prepared.windows.up, self.rows, self.config.seed)
            for name in BASELINES
            if name in self.config.ensemble.partners
        }
        return Ensemble(self.features, dict(zip(members, trained, strict=True)), estimators)
