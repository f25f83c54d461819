"""Backtests of a few seconds, for tests."""

from pathlib import Path
from typing import Any

from twofold.counts.panel import Panel
from twofold.engine.run import claim
from twofold.engine.work import ALONE, Work
from twofold.trend.walk.account import save_scores
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.models import walk_forward
from twofold.trend.walk.schedule import Schedule, make_schedule


def quick_walk(**groups: Any) -> BacktestConfig:
    """A walk over four target dates; a group's dict changes single settings of it."""
    settings: dict[str, Any] = {
        "walk": {"last": 4, "warmup": 2, "memory": 20, "boosting_rounds": 3},
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
        settings[name] = settings.get(name, {}) | value if isinstance(value, dict) else value
    return BacktestConfig.model_validate(settings)


def silent(done: int, total: int) -> None:
    """Ignores the progress."""


def walked(panel: Panel, config: BacktestConfig, out: Path, work: Work = ALONE) -> Schedule:
    """A whole backtest into a folder."""
    plan = make_schedule(panel, config)
    with claim(out, config, panel.digest(), ["test"]) as folder:
        walk_forward(panel, plan, config, out, work=work, advance=silent)
        save_scores(panel, "cases.csv", plan, config, folder)
    return plan
