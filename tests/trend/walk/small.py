"""Walks forward of a few seconds, for tests."""

from pathlib import Path
from typing import Any

from twofold.counts.panel import Panel
from twofold.engine.run import claim
from twofold.trend.walk.account import settle
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.models import walk_forward
from twofold.trend.walk.schedule import Schedule, schedule


def quick_walk(**groups: Any) -> BacktestConfig:
    """A walk over four target dates; a group's dict changes single knobs of it."""
    knobs: dict[str, Any] = {
        "walk": {"last": 4, "warmup": 2, "memory": 20, "boosting_rounds": 3, "jobs": 1},
        "screen": {"threshold": 0.3},
        "window": {"length": 5},
        "features": {"inputs": ("log1p", "change", "history", "reference", "median_growth")},
        "model": {"hidden": 3, "dropout": 0.2},
        "train": {"epochs": 1, "batch_size": 64},
        "ensemble": {"seeds": 1, "partners": ("rnn", "lstm", "logistic", "boosting")},
        "calibration": {"prior_days": 5},
        "score": {"bootstrap": 20, "block_days": 2},
    }
    for name, value in groups.items():
        knobs[name] = knobs.get(name, {}) | value if isinstance(value, dict) else value
    return BacktestConfig.model_validate(knobs)


def unwatched(done: int, total: int) -> None:
    """A bar that nobody reads."""


def walked(panel: Panel, config: BacktestConfig, out: Path) -> Schedule:
    """Walks and settles into a folder."""
    plan = schedule(panel, config)
    with claim(out, config, panel.digest(), ["test"]) as folder:
        walk_forward(panel, plan, config, out, unwatched)
        settle(panel, "cases.csv", plan, config, folder)
    return plan
