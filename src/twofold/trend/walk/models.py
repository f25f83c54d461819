"""The refits of a backtest: each fits all models on a panel without the dates after its origin.

Refits don't depend on each other and run in parallel. What is fitted on earlier forecasts (the pool's weights and
calibration) is in `pool`.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from twofold.counts.panel import Increments, Panel
from twofold.engine.errors import DivergedError, InputError
from twofold.engine.files import table, text, usable, write_json, write_parquet
from twofold.engine.recurrent import CELLS
from twofold.engine.work import Work
from twofold.trend.baselines import fit_baseline, fit_classifier, make_boosting, make_logistic
from twofold.trend.features import apply_features
from twofold.trend.fit import Ensemble, Stage, fit_members
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.schedule import Refit, Schedule, known_at
from twofold.trend.windows import Windows, fit_screen, laplace_rate, slide

FOLDER = "origins"
MODELS = (*CELLS, "base_rate", "mean_reversion", "renewal", "logistic", "boosting")


def walk_forward(
    panel: Panel,
    plan: Schedule,
    config: BacktestConfig,
    folder: Path,
    *,
    work: Work,
    advance: Callable[[int, int], None],
) -> None:
    """Makes the refits that have no result in the run folder yet; `advance` is called with (done, total)."""
    missing = {_name(plan, refit): refit for refit in plan.refits if not _is_made(_marker(folder, plan, refit))}
    done = len(plan.refits) - len(missing)
    advance(done, len(plan.refits))

    def take(name: str, made: Made) -> None:
        nonlocal done
        marker = folder / FOLDER / f"{name}.json"
        if made.table is not None:
            write_parquet(marker.with_suffix(".parquet"), made.table)
        write_json(marker, made.facts)
        done += 1
        advance(done, len(plan.refits))

    work.carry_out(_make, missing, _Walk(panel, plan.dates, config), take)


def read_refits(folder: Path, plan: Schedule) -> list[tuple[dict[str, Any], pl.DataFrame | None]]:
    """The results of `walk_forward` in time order: each refit's entry, and its forecasts unless it was skipped."""
    markers = [_marker(folder, plan, refit) for refit in plan.refits]
    facts = [json.loads(text(marker.parent, marker.name)) for marker in markers]
    return [
        (fact, None if fact["skipped"] else table(marker.parent, f"{marker.stem}.parquet"))
        for fact, marker in zip(facts, markers, strict=True)
    ]


def _name(plan: Schedule, refit: Refit) -> str:
    return str(plan.dates[refit.origins[0]])


def _marker(folder: Path, plan: Schedule, refit: Refit) -> Path:
    """The file of a refit's facts, written last: where it exists, the refit is finished."""
    return folder / FOLDER / f"{_name(plan, refit)}.json"


def _is_made(marker: Path) -> bool:
    """Whether a refit has a result, which is what was written."""
    if not usable(marker):
        return False
    return bool(json.loads(text(marker.parent, marker.name))["skipped"]) or usable(marker.with_suffix(".parquet"))


class _Walk(NamedTuple):
    """What all refits need."""

    panel: Panel
    dates: np.ndarray
    config: BacktestConfig


class Made(NamedTuple):
    """A refit's entry, and its forecasts unless it was skipped."""

    facts: dict[str, Any]
    table: pl.DataFrame | None


def _make(walk: _Walk, refit: Refit) -> Made:
    """A refit, which gets no later date than its last origin."""
    return make_refit(known_at(walk.panel, walk.dates[refit.origins[-1]]), refit, walk.config)


def make_refit(panel: Panel, refit: Refit, config: BacktestConfig) -> Made:
    """Fits all models on a panel that ends with the last origin, and forecasts from each origin."""
    facts = asdict(refit) | {"regions": 0, "learned": 0, "skipped": None}
    try:
        data = prepare_refit(panel, refit, config)
    except InputError as error:
        return Made(facts | {"skipped": str(error)}, None)
    try:
        ensemble = fit_models(data, config)
    except DivergedError as error:  # it ends none of the others
        return Made(facts | {"skipped": str(error)}, None)
    tables = [forecast(ensemble, _seen(panel, origin, config), data, config) for origin in refit.origins]
    return Made(facts | {"regions": int(data.selected.sum()), "learned": len(data.rows)}, pl.concat(tables))


@dataclass(frozen=True)
class TrainingData:
    """Training data of a refit.

    Attributes:
        increments: up to the first origin.
        selected: the regions of C.
        windows: those with a known label.
        rows: training windows.
        inactive: labels of the recent windows without a case.
    """

    increments: Increments
    selected: Bool[np.ndarray, " regions"]
    windows: Windows
    rows: Int64[np.ndarray, " rows"]
    inactive: Bool[np.ndarray, " inactive"]


def prepare_refit(panel: Panel, refit: Refit, config: BacktestConfig) -> TrainingData:
    """Cuts the panel at the first origin, chooses C and the training windows.

    Raises:
        InputError: when no region passes the screen, or there is no training window.
    """
    now = _seen(panel, refit.origins[0], config)
    selected = fit_screen(now, refit.screened, config.screen.threshold).selected
    windows = slide(now, selected, config.window)
    recent = np.ones(len(windows), dtype=bool)
    if config.walk.memory is not None:
        recent = windows.origin > refit.origins[0] - config.walk.memory
    taken = recent & (windows.active | (not config.walk.active_only))
    if not taken.any():
        raise InputError("there is no training window with a case yet")
    return TrainingData(now, selected, windows, np.flatnonzero(taken), windows.up[recent & ~windows.active])


def _seen(panel: Panel, origin: int, config: BacktestConfig) -> Increments:
    """Increments up to an origin, computed after the cut, so that no later correction is redistributed to them."""
    negatives = config.source.negatives
    return known_at(panel, panel.increments(negatives).dates[origin]).increments(negatives)


def fit_models(data: TrainingData, config: BacktestConfig) -> Ensemble:
    """Fits every model of `MODELS` on the same windows."""
    walk, seed = config.walk, config.seed
    stage = Stage("walk", data.increments, data.windows, data.rows, config.trend)
    # A refit takes seconds: an interrupted one starts again, so no checkpoint is kept.
    with tempfile.TemporaryDirectory() as checkpoints:
        [fitted] = fit_members([stage], Path(checkpoints), lambda _: None)
    training = stage.inputs, data.windows.up, data.rows
    estimators = {
        "base_rate": fit_baseline("base_rate", *training, seed),
        "mean_reversion": fit_baseline("mean_reversion", *training, seed),
        "renewal": fit_baseline("renewal", *training, seed),
        # Both more regularised than in `trend run`, since there are fewer training windows.
        "logistic": fit_classifier(make_logistic(walk.logistic_c, 1000), *training),
        "boosting": fit_classifier(make_boosting(walk.boosting_rounds, 8, 40, 5.0, seed), *training),
    }
    return Ensemble(stage.features, fitted.networks, estimators)


def forecast(ensemble: Ensemble, seen: Increments, data: TrainingData, config: BacktestConfig) -> pl.DataFrame:
    """Forecasts from the last date of `seen`.

    Returns:
        One row per region of C: `region`, `origin`, `active`, and `p_MODEL` of each model.
    """
    region = np.flatnonzero(data.selected)
    origin = np.full(len(region), seen.counts.shape[1] - 1)
    inputs = apply_features(ensemble.features, seen, region, origin, config.window)
    found = ensemble.predict(inputs, seen.regions, np.arange(len(region)))
    if config.walk.active_only:
        # The models were not trained on windows without a case; those get the share of "up" by Laplace's rule.
        rate = laplace_rate(data.inactive)
        found = {name: np.where(inputs.active, probability, rate) for name, probability in found.items()}
    return pl.DataFrame(
        {
            "region": np.array(seen.regions)[region],
            "origin": np.full(len(region), seen.dates[-1]),
            "active": inputs.active,
        }
        | {f"p_{name}": found[name] for name in MODELS}
    )
