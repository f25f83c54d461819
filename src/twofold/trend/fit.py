"""Members fitted stage by stage, pooled and calibrated into one probability.

A run has three stages, each with the same members and seeds: `select` learns from the training slice, stops on the
validation slice and calibrates on the calibration slice; `evaluate` refits on all that is known before the test, for as
many epochs, and is what the test scores; `final` refits on all windows and is what forecasts tomorrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from twofold.counts.panel import Increments
from twofold.engine.recurrent import CELLS, Cell
from twofold.trend.baselines import BASELINES, Baseline, fit_baseline
from twofold.trend.calibrate import Calibration, fit_calibration, identity
from twofold.trend.config import TrendConfig
from twofold.trend.features import FeatureFit, Inputs, apply_features, fit_features
from twofold.trend.model import predict_network, region_codes
from twofold.trend.train import Journal, Task, Trained, train_networks
from twofold.trend.windows import Prepared, Windows

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


def pool(members: Probabilities) -> Float[np.ndarray, " rows"]:
    """Linear pool with equal weights (Genest & Zidek 1986)."""
    return np.mean(list(members.values()), axis=0)


def pool_networks(members: Probabilities) -> Float[np.ndarray, " rows"]:
    """The pool of the recurrent members alone."""
    return pool({name: probability for name, probability in members.items() if name in CELLS})


@dataclass(frozen=True)
class Stage:
    """Windows that members learn from, and the inputs scaled on them.

    Attributes:
        name: for checkpoints and records.
        increments: of all regions.
        windows: all windows.
        rows: windows to learn from.
        config: the run.
        watched: further windows to measure after every epoch, by name; those of `validation` stop the training.
        epochs: of each network that an earlier stage chose them for; the others' are the config's.
    """

    name: str
    increments: Increments
    windows: Windows
    rows: Int64[np.ndarray, " rows"]
    config: TrendConfig
    watched: dict[str, np.ndarray] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)

    @cached_property
    def features(self) -> FeatureFit:
        """Learned from `rows`."""
        return fit_features(self.increments, self.windows, self.rows, self.config.features, self.config.window)

    @cached_property
    def inputs(self) -> Inputs:
        """All windows as the members see them."""
        windows = self.windows
        return apply_features(self.features, self.increments, windows.region, windows.origin, self.config.window)

    def tasks(self) -> list[Task]:
        """The networks to train."""
        ensemble = self.config.ensemble
        cells: list[Cell] = [self.config.model.cell, *(cell for cell in CELLS if cell in ensemble.partners)]
        return [
            Task(
                self.name,
                cell,
                index,
                self.epochs.get(f"{cell}-{index}", self.config.train.epochs),
                self.inputs,
                self.windows.up,
                self.increments.regions,
                self.rows,
                self.watched,
            )
            for cell in dict.fromkeys(cells)
            for index in range(ensemble.seeds)
        ]

    def predict(self, members: Ensemble, rows: Int64[np.ndarray, " rows"]) -> Probabilities:
        """As `Ensemble.predict`, for windows of this stage."""
        return members.predict(self.inputs, self.increments.regions, rows)


def fit_members(stages: Sequence[Stage], checkpoints: Path, journal: Journal) -> list[Ensemble]:
    """Fits the cell and the partners of each stage; networks of all stages share one pool of threads.

    Args:
        stages: of one run.
        checkpoints: folder of training states, gone on with.
        journal: called with every epoch's record.
    """
    tasks = [stage.tasks() for stage in stages]
    trained = iter(train_networks([task for each in tasks for task in each], stages[0].config, checkpoints, journal))
    return [
        Ensemble(
            stage.features,
            {task.member: next(trained) for task in each},
            {
                name: fit_baseline(name, stage.inputs, stage.windows.up, stage.rows, stage.config.seed)
                for name in BASELINES
                if name in stage.config.ensemble.partners
            },
        )
        for stage, each in zip(stages, tasks, strict=True)
    ]


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


def fit_stages(prepared: Prepared, config: TrendConfig, checkpoints: Path, journal: Journal) -> Fitted:
    """Fits every stage of a run; without validation and calibration slices, `select` is left out."""
    split, data = prepared.split, (prepared.increments, prepared.windows)
    chosen: dict[str, int] = {}
    calibration, network_calibration = identity(), identity()
    if len(split.validation) + len(split.calibration):
        watched = {"validation": split.validation, "test": split.test}
        stage = Stage("select", *data, split.train, config, {name: rows for name, rows in watched.items() if len(rows)})
        [select] = fit_members([stage], checkpoints, journal)
        chosen = {name: trained.epochs for name, trained in select.networks.items()}
        if len(split.calibration):
            members, settings = stage.predict(select, split.calibration), config.calibration
            days = len(np.unique(prepared.windows.origin[split.calibration]))
            up = prepared.windows.up[split.calibration]
            calibration, network_calibration = (
                fit_calibration(settings.method, pooled, up, days=days, prior_days=settings.prior_days)
                for pooled in (pool(members), pool_networks(members))
            )
    evaluate = Stage("evaluate", *data, split.known, config, {} if chosen else {"test": split.test}, chosen)
    final = Stage("final", *data, np.arange(len(prepared.windows)), config, epochs=chosen)
    tested, forecasting = fit_members([evaluate, final], checkpoints, journal)
    calibrated_on = len(split.calibration)
    return Fitted(evaluate.inputs, tested, forecasting, calibration, network_calibration, calibrated_on)
