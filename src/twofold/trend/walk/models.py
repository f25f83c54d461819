"""The refits of a walk: at each everything is fitted anew, on a panel from which the dates after it were cut off.

Nothing of a refit depends on another, so refits run side by side and in any order; what is learned from one forecast
for the next (the pool's weights and calibration) is left to `account`.
"""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from twofold.counts.panel import Increments, Panel
from twofold.engine.errors import InputError
from twofold.engine.files import write_json, write_parquet
from twofold.engine.recurrent import CELLS
from twofold.trend.baselines import boosting, fit_baseline, fit_classifier, logistic
from twofold.trend.features import apply_features
from twofold.trend.fit import Ensemble, Stage, fit_members
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.schedule import Refit, Schedule, known_at
from twofold.trend.windows import Windows, fit_screen, slide

FOLDER = "origins"
MODELS = (*CELLS, "base_rate", "mean_reversion", "logistic", "boosting")


def walk_forward(
    panel: Panel, plan: Schedule, config: BacktestConfig, folder: Path, advance: Callable[[int, int], None]
) -> None:
    """Makes every refit that has no result in the folder yet; what was finished is never done again.

    `folder` is the run folder; `advance` is called with (refits done, refits in all).
    """
    missing = [refit for refit in plan.refits if not _marker(folder, plan, refit).exists()]
    done = len(plan.refits) - len(missing)
    advance(done, len(plan.refits))
    jobs = config.walk.jobs or os.cpu_count() or 1
    work = Parallel(n_jobs=min(jobs, max(len(missing), 1)), return_as="generator_unordered")
    # A worker is handed no later date than its last origin.
    calls = (
        delayed(_make)(known_at(panel, plan.dates[refit.origins[-1]]), refit, config, _marker(folder, plan, refit))
        for refit in missing
    )
    for count, _ in enumerate(work(calls), start=done + 1):
        advance(count, len(plan.refits))


def read_refits(folder: Path, plan: Schedule) -> list[tuple[dict[str, Any], pl.DataFrame | None]]:
    """What `walk_forward` left, in the order of time: facts of each refit, and forecasts where it was not skipped."""
    markers = [_marker(folder, plan, refit) for refit in plan.refits]
    facts = [json.loads(marker.read_text()) for marker in markers]
    return [
        (fact, None if fact["skipped"] else pl.read_parquet(marker.with_suffix(".parquet")))
        for fact, marker in zip(facts, markers, strict=True)
    ]


def _marker(folder: Path, plan: Schedule, refit: Refit) -> Path:
    """Facts of a refit, written last of all its files: where it exists, the refit is finished."""
    return folder / FOLDER / f"{plan.dates[refit.origins[0]]}.json"


def _make(panel: Panel, refit: Refit, config: BacktestConfig, marker: Path) -> None:
    facts = asdict(refit) | {"regions": 0, "learned": 0, "skipped": None}
    try:
        lesson = prepare_refit(panel, refit, config)
    except InputError as error:
        write_json(marker, facts | {"skipped": str(error)})
        return
    with threadpool_limits(1):
        ensemble = fit_models(lesson, config)
        tables = [forecast(ensemble, _seen(panel, origin, config), lesson, config) for origin in refit.origins]
        write_parquet(marker.with_suffix(".parquet"), pl.concat(tables))
    write_json(marker, facts | {"regions": int(lesson.selected.sum()), "learned": len(lesson.rows)})


@dataclass(frozen=True)
class Lesson:
    """What the models of a refit may learn from.

    Attributes:
        increments: up to the first origin.
        selected: the regions of C.
        windows: those whose outcome is known.
        rows: windows to learn from.
        quiet: outcomes of the windows without a case that no model learns from.
    """

    increments: Increments
    selected: Bool[np.ndarray, " regions"]
    windows: Windows
    rows: Int64[np.ndarray, " rows"]
    quiet: Bool[np.ndarray, " quiet"]


def prepare_refit(panel: Panel, refit: Refit, config: BacktestConfig) -> Lesson:
    """Cuts the panel at a refit, chooses C, and takes the windows to learn from.

    Raises:
        InputError: when no region passes the screen, or no window is known to learn from.
    """
    now = _seen(panel, refit.origins[0], config)
    selected = fit_screen(now, refit.screened, config.screen.threshold).selected
    windows = slide(now, selected, config.window)
    recent = np.ones(len(windows), dtype=bool)
    if config.walk.memory is not None:
        recent = windows.origin > refit.origins[0] - config.walk.memory
    taken = recent & (windows.active | (not config.walk.active_only))
    if not taken.any():
        raise InputError("no window with a case is known yet to learn from")
    return Lesson(now, selected, windows, np.flatnonzero(taken), windows.up[recent & ~windows.active])


def _seen(panel: Panel, origin: int, config: BacktestConfig) -> Increments:
    """Increments up to an origin; taken after the cut, so that no later correction is taken off an earlier date."""
    negatives = config.source.negatives
    return known_at(panel, panel.increments(negatives).dates[origin]).increments(negatives)


def fit_models(lesson: Lesson, config: BacktestConfig) -> Ensemble:
    """Fits every model of `MODELS` on the same windows."""
    walk, seed = config.walk, config.seed
    stage = Stage("walk", lesson.increments, lesson.windows, lesson.rows, config.trend)
    # A refit takes seconds: one that is cut starts anew, and leaves nothing in the run folder.
    with tempfile.TemporaryDirectory() as checkpoints:
        [fitted] = fit_members([stage], Path(checkpoints), lambda _: None)
    data = stage.inputs, lesson.windows.up, lesson.rows
    estimators = {
        "base_rate": fit_baseline("base_rate", *data, seed),
        "mean_reversion": fit_baseline("mean_reversion", *data, seed),
        # Both held back more than those of `trend run`: a walk's memory is short.
        "logistic": fit_classifier(logistic(walk.logistic_c, 1000), *data),
        "boosting": fit_classifier(boosting(walk.boosting_rounds, 8, 40, 5.0, seed), *data),
    }
    return Ensemble(stage.features, fitted.networks, estimators)


def forecast(ensemble: Ensemble, seen: Increments, lesson: Lesson, config: BacktestConfig) -> pl.DataFrame:
    """Forecasts from the last date of `seen`.

    Args:
        ensemble: from `fit_models`.
        seen: increments up to the origin.
        lesson: what the models learned from.
        config: the walk.

    Returns:
        A row a region of C: `region`, `origin`, `active`, and `p_MODEL` of each model.
    """
    region = np.flatnonzero(lesson.selected)
    origin = np.full(len(region), seen.counts.shape[1] - 1)
    inputs = apply_features(ensemble.features, seen, region, origin, config.window)
    found = ensemble.predict(inputs, seen.regions, np.arange(len(region)))
    if config.walk.active_only:
        # No model has seen a window without a case: Laplace's rule on those that were known stands for all of them.
        rate = (lesson.quiet.sum() + 1) / (len(lesson.quiet) + 2)
        found = {name: np.where(inputs.active, probability, rate) for name, probability in found.items()}
    return pl.DataFrame(
        {
            "region": np.array(seen.regions)[region],
            "origin": np.full(len(region), seen.dates[-1]),
            "active": inputs.active,
        }
        | {f"p_{name}": found[name] for name in MODELS}
    )
