"""Tuning of the trend study: what varies, and what a trial is.

A trial fits the members on the training windows and is measured on the validation windows: the log score of their
pool, uncalibrated. The data ends with the last date that a run may know before its test. Regions, validation windows
and those of them that are active are those of the settings given, whatever the length of a trial's windows, so that
figures compare.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from twofold.counts.panel import Increments, Panel
from twofold.engine.config import Config
from twofold.engine.errors import InputError
from twofold.scoring.binary import log_score
from twofold.trend.config import TrendConfig
from twofold.trend.fit import fit_members, pool
from twofold.trend.train import Stage
from twofold.trend.windows import (
    activity,
    check_screen,
    count_known_dates,
    fit_screen,
    hold_out_last,
    possible_origins,
    slide,
)
from twofold.tune.space import Choice, Knob, Range


@dataclass(frozen=True)
class Material:
    """What trials are made of.

    Attributes:
        increments: up to the last date before the test's first label.
        selected: the regions in C.
        validation: origins of the validation windows.
        length: of the windows that decide on whether one is active.
    """

    increments: Increments
    selected: Bool[np.ndarray, " regions"]
    validation: Int64[np.ndarray, " origins"]
    length: int


def material(panel: Panel, config: TrendConfig) -> Material:
    """The data of all trials, in which there is no test window.

    Raises:
        InputError: when the split holds out no last dates, has no validation part, or the data is too short.
    """
    if config.split.kind != "temporal":
        raise InputError(
            f"--split.kind {config.split.kind}: trials are made on the dates before the test, so tune with temporal"
        )
    if not config.split.validation_fraction:
        raise InputError(
            "--split.validation-fraction 0: trials are chosen on validation windows; give 0.1, for example"
        )
    check_screen(panel, config.screen.threshold)
    dates = len(panel.increments(config.source.negatives).dates)
    origins = possible_origins(panel.increments(config.source.negatives), config.window)
    later = dates - count_known_dates(origins, config.split, dates)
    increments = panel.part(dates=slice(len(panel.dates) - later)).increments(config.source.negatives)
    selected = fit_screen(increments, len(increments.dates), config.screen.threshold).selected
    windows = slide(increments, selected, config.window)
    train, validation, _ = hold_out_last(windows, np.ones(len(windows), dtype=bool), config.split)
    if not len(train) or not len(validation):
        raise InputError("the data holds too few dates for a validation part; take a shorter --window.length")
    return Material(increments, selected, np.unique(windows.origin[validation]), config.window.length)


def space(config: TrendConfig, given: Material) -> list[Knob]:
    """What varies; windows may be so long that half of the training origins are left."""
    length, first = config.window.length, int(given.validation.min()) - config.window.start
    longest = max(length, min(2 * length, (first + length) // 2))
    return [
        Choice("model.cell", ("rnn", "lstm", "gru")),
        Range("model.hidden", 8, 128, log=True),
        Range("model.layers", 1, 2),
        Range("model.dropout", 0.0, 0.5),
        Range("train.learning_rate", 3e-4, 2e-2, log=True),
        Range("train.weight_decay", 1e-4, 1.0, log=True),
        Choice("train.batch_size", (64, 128, 256, 512)),
        Range("window.length", max(min(3, length), length // 2), longest),
    ]


def objective(given: Material, config: TrendConfig, report: Callable[[float, float], None]) -> tuple[float, Config]:
    """One trial: log score of the pool on the validation windows, of active ones where there are such; no `report`."""
    increments, windows = given.increments, slide(given.increments, given.selected, config.window)
    rows = np.flatnonzero(np.isin(windows.origin, given.validation))
    train = np.flatnonzero(windows.origin + windows.lookahead <= given.validation.min())
    if not len(train):
        raise InputError(f"window.length {config.window.length} leaves no training window")
    own = config.model_copy(update={"train": config.train.model_copy(update={"jobs": 1})})
    stage = Stage("select", increments, windows, train, own, {"validation": rows})
    with tempfile.TemporaryDirectory() as scratch:
        [members] = fit_members([stage], Path(scratch), lambda _: None)
    probability = pool(members.predict(stage.inputs, increments.regions, rows))
    active = activity(increments.counts, given.length)[windows.region[rows], windows.origin[rows]]
    scored = active if active.any() else ~active
    return log_score(probability[scored], windows.up[rows][scored]), config
