"""Walking forward: at each refit everything is fitted anew, on a panel from which the dates after it were cut off.

Nothing of a refit depends on another, so refits run side by side and in any order; what is learned from one forecast
for the next (the pool's weights and calibration) is left to `account`.
"""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from twofold.counts.panel import MIN_DATES, Increments, Panel
from twofold.engine.errors import InputError
from twofold.engine.files import write_json, write_parquet
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.models import fit_members, forecast_members
from twofold.trend.windows import Windows, fit_screen, possible_origins, slide

FOLDER = "origins"


@dataclass(frozen=True)
class Refit:
    """One fit and the origins that it forecasts from, as indices of increments; the first is the last date it sees.

    Attributes:
        origins: ascending; each forecast sees the increments up to its origin, the fit those up to the first.
        screened: increments, from the first on, that choose C.
    """

    origins: tuple[int, ...]
    screened: int


@dataclass(frozen=True)
class Schedule:
    """All refits of a walk.

    Attributes:
        refits: in the order of time, those of the warm-up first.
        first: the first origin that is scored.
        dates: of the increments.
        lookahead: dates after an origin that its outcome needs.
    """

    refits: tuple[Refit, ...]
    first: int
    dates: np.ndarray
    lookahead: int


def schedule(panel: Panel, config: BacktestConfig) -> Schedule:
    """Which origins are forecast from, and when the models are refitted.

    Raises:
        InputError: when the data holds no such target dates, or the target does not fit the data.
    """
    if panel.step_days != 1 and config.window.target != "next_day":
        raise InputError(
            f"window.target {config.window.target} sums 7 days, but the data is weekly; next_day compares whole "
            "weeks there"
        )
    increments, asked, walk = panel.increments(config.source.negatives), config.window, config.walk
    possible = possible_origins(increments, asked)
    possible = possible[possible >= MIN_DATES - 1]  # what is cut there must still be a panel
    targets = increments.dates[possible + asked.horizon]
    chosen = possible[targets <= np.datetime64(walk.until or targets[-1].astype(object))]
    if walk.first is not None:
        chosen = chosen[increments.dates[chosen + asked.horizon] >= np.datetime64(walk.first)]
    elif len(chosen) < walk.last:
        raise InputError(f"--last {walk.last}: the data has {len(chosen)} target dates whose outcome is known")
    else:
        chosen = chosen[-walk.last :]
    if not len(chosen):
        raise InputError(f"no target date lies there; the data has {targets[0]} to {targets[-1]}")
    first = int(chosen[0])
    origins = np.concatenate([possible[possible < first][-walk.warmup or len(possible) :], chosen])
    block = (origins - first) // walk.every
    blocks = [origins[block == index] for index in np.unique(block)]
    fixed = first if config.screen.fixed else len(increments.dates)
    refits = tuple(Refit(tuple(each.tolist()), min(int(each[0]), fixed) + 1) for each in blocks)
    return Schedule(refits, first, increments.dates, int(len(increments.dates) - 1 - possible[-1]))


def known_at(panel: Panel, origin: np.datetime64) -> Panel:
    """The panel without the dates after an origin."""
    dates = int((panel.dates <= origin).sum())
    return replace(panel, dates=panel.dates[:dates], values=panel.values[:, :dates])


def walk_forward(
    panel: Panel, plan: Schedule, config: BacktestConfig, folder: Path, advance: Callable[[int, int], None]
) -> None:
    """Makes every refit that has no result in the folder yet; what was finished is never done again.

    Args:
        panel: the counts.
        plan: from `schedule`.
        config: the walk.
        folder: run folder, held by this process.
        advance: called with (refits done, refits in all).
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
        write_parquet(marker.with_suffix(".parquet"), forecast(panel, refit, lesson, config))
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


def forecast(panel: Panel, refit: Refit, lesson: Lesson, config: BacktestConfig) -> pl.DataFrame:
    """Fits every model and forecasts from each origin of a refit.

    Args:
        panel: the counts; what lies after an origin is not looked at by its forecast.
        refit: the origins.
        lesson: what to learn from.
        config: the walk.

    Returns:
        A row a region of C and origin, with `p_MODEL` of each model.
    """
    # A refit takes seconds: one that is cut starts anew, and leaves nothing in the run folder.
    with tempfile.TemporaryDirectory() as training:
        ensemble = fit_members(lesson.increments, lesson.windows, lesson.rows, config, Path(training))
    region = np.flatnonzero(lesson.selected)
    return pl.concat(
        forecast_members(ensemble, _seen(panel, origin, config), region, lesson.quiet, config)
        for origin in refit.origins
    )
