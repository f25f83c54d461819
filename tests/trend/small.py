"""Small panels and quick configs for tests: a few regions that rise and fall together."""

import string
from pathlib import Path
from typing import Any

import numpy as np

from twofold.counts.panel import Increments, Kind, Panel
from twofold.trend.config import Input, TrendConfig

SEQUENCE_INPUTS: tuple[Input, ...] = ("raw", "log1p", "change", "log_diff", "against_mean", "cross_region")
EVERY_INPUT: tuple[Input, ...] = (*SEQUENCE_INPUTS, "weekday", "season", "history")
NAMES = tuple(f"region {letter}" for letter in string.ascii_lowercase)


def increments_of(counts: Any, start: str = "2020-01-01", step: int = 1) -> Increments:
    """Increments with these counts, one row per region."""
    counts = np.array(counts, dtype=np.int64)
    return Increments(NAMES[: len(counts)], dates_from(start, counts.shape[1], step), counts)


def dates_from(start: str, length: int, step: int = 1) -> np.ndarray:
    return np.datetime64(start) + step * np.arange(length)


def epidemic(regions: int = 7, dates: int = 50, seed: int = 0, kind: Kind = "cumulative", step: int = 1) -> Panel:
    """Counts that share a wave, but for one late region, one without a case and one of pure noise.

    Running totals hold two downward corrections.
    """
    generator = np.random.default_rng(seed)
    day = np.arange(dates)
    wave = 25 + 15 * np.sin(day / 6) - 8 * (day % 7 > 4)
    counts = generator.poisson(generator.uniform(0.5, 3, (regions, 1)) * wave)
    counts[0, : dates // 3] = 0
    counts[-1] = 0
    counts[-2] = generator.poisson(3, dates)
    if kind == "cumulative":
        counts[1, dates // 4] = counts[2, dates // 2] = -9
    values = counts.cumsum(axis=1) if kind == "cumulative" else counts
    return Panel(NAMES[:regions], dates_from("2020-02-03", dates, step), values.astype(np.int64), kind)


def quick(**groups: Any) -> TrendConfig:
    """A run of well under a second; a group's dict changes single settings of it."""
    settings: dict[str, Any] = {
        "window": {"length": 5},
        "split": {"kind": "temporal"},
        "features": {"inputs": ("log1p", "change", "weekday")},
        "model": {"cell": "gru", "hidden": 3, "layers": 1, "dropout": 0.2},
        "train": {"epochs": 2, "batch_size": 64, "jobs": 1},
        "ensemble": {"seeds": 1, "partners": ()},
        "score": {"bootstrap": 20},
    }
    for name, value in groups.items():
        settings[name] = settings.get(name, {}) | value if isinstance(value, dict) else value
    return TrendConfig.model_validate(settings)


def silent(record: dict[str, Any]) -> None:
    """Ignores the records of the epochs."""


def fresh(folder: Path) -> Path:
    """A new folder for checkpoints, so that no fit goes on with another's."""
    path = folder / f"checkpoint-{len(list(folder.iterdir()))}"
    path.mkdir()
    return path
