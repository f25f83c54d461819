"""Recipes: named complete configs. Each docstring gives the command, its runtime and the expected scores."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twofold.counts.config import SourceConfig
from twofold.engine.errors import InputError
from twofold.trend.config import (
    Cell,
    EnsembleConfig,
    FeatureConfig,
    Input,
    ModelConfig,
    ScoreConfig,
    ScreenConfig,
    SplitConfig,
    Target,
    TrainConfig,
    TrendConfig,
    WindowConfig,
)
from twofold.trend.walk.config import BacktestConfig, WalkConfig

WEEKLY: tuple[Input, ...] = ("log1p", "change", "log_diff", "against_mean", "history", "cross_region")
"""Inputs of the weekly recipes."""
SEASONAL: tuple[Input, ...] = (*WEEKLY, "reference", "season")
"""Those of the seasonal ones, for years of a disease that has a season; on less than two years `season` misleads."""


def default() -> TrendConfig:
    """Three GRUs and gradient boosting, pooled with equal weights; the last 20 % of days are the test set.

    Target next day, L = 14, scale-free inputs, C from training days; in time follow the training, validation (early
    stopping), calibration and test set, and the models are refitted on all days before the test.

    `twofold trend run --data FILE`; on 2 cores 1 minute for covid_19.csv, 6 for the whole JHU series. Active test
    windows: log score .609 and .373 nats, Brier skill .15 and .44.
    """
    return TrendConfig()


def weekly(name: str, inputs: tuple[Input, ...]) -> TrendConfig:
    """As the default, for weeks: target next week, L = 8, and every epoch run, since a few weeks choose none well.

    A daily table is summed to weeks. `weekly-seasonal` also knows the time of the year: for three years or more of a
    disease with a season. Settings were chosen on ILINet's seasons before 2017-18 and on JHU's weeks until 2021
    (`docs/log.md`).

    `twofold trend run --recipe weekly --data FILE`, or `weekly-seasonal`; on one core of a busy machine 6 minutes for
    JHU's 163 weeks, 12 for ILINet's 677. Active test windows (`bench/weekly.py --test`): log score .592 nats and Brier
    skill .15 on JHU by `weekly`, .632 and .12 on ILINet by `weekly-seasonal`.
    """
    return TrendConfig(
        recipe=name,
        source=SourceConfig(weekly=True),
        window=WindowConfig(length=8),
        split=SplitConfig(validation_fraction=0.0, calibration_fraction=0.0),
        features=FeatureConfig(inputs=inputs),
        model=ModelConfig(dropout=0.2),
        train=TrainConfig(epochs=12, batch_size=256, learning_rate=3e-3),
        score=ScoreConfig(block_days=4),
    )


def original(cell: Cell, length: int, layers: int = 1, start: int = 0) -> TrendConfig:
    """The original study's settings, as far as it states them.

    The set C from all days, input 1, hidden 128, one linear output, batch 128, a random 80/20 split, no validation
    and no calibration set. 20 epochs instead of its 1000. It states no optimiser and no scaling of the counts; here
    the input is log(1 + x), trained by AdamW with a cosine schedule: about 0.7 points more accurate on splits of the
    training windows than raw counts (`docs/log.md`), which `--features.inputs raw` selects.

    `twofold trend run --recipe original-gru-l7 --data covid_19.csv`; 18 s on 2 cores. Over 10 seeds the test
    accuracy is 7 points above the split's majority share, for RNN, LSTM and GRU alike.
    """
    name = f"original-{cell}{layers if layers > 1 else ''}-l{length}{f'-day{start}' if start else ''}"
    return TrendConfig(
        recipe=name,
        screen=ScreenConfig(days="all"),
        window=WindowConfig(length=length, start=start),
        split=SplitConfig(kind="random", validation_fraction=0.0, calibration_fraction=0.0),
        features=FeatureConfig(inputs=("log1p",), scale=False),
        model=ModelConfig(cell=cell, hidden=128, layers=layers, dropout=0.0),
        train=TrainConfig(epochs=20, learning_rate=2e-3, weight_decay=0.3),
        ensemble=EnsembleConfig(seeds=1, partners=()),
    )


def departures(config: TrendConfig) -> list[dict[str, Any]] | None:
    """Where a run of an `original` recipe departs from the original study; None for other recipes.

    Returns:
        `setting`, its value in the `original` (None where the study does not state it) and `here`.
    """
    if not config.recipe.startswith("original"):
        return None
    return [
        {"setting": setting, "original": theirs, "here": here}
        for setting, theirs, here in (
            ("train.epochs", 1000, config.train.epochs),
            ("train.optimiser", None, "AdamW"),
            ("train.schedule", None, config.train.schedule),
            ("features.inputs", None, list(config.features.inputs)),
        )
    ]


ORIGINAL_NETWORKS: tuple[tuple[Cell, int], ...] = (("rnn", 1), ("rnn", 2), ("lstm", 1), ("gru", 1))
RECIPES: dict[str, Callable[[], TrendConfig]] = {
    "default": default,
    "weekly": partial(weekly, "weekly", WEEKLY),
    "weekly-seasonal": partial(weekly, "weekly-seasonal", SEASONAL),
} | {
    original(cell, length, layers, start).recipe: partial(original, cell, length, layers, start)
    for cell, layers in ORIGINAL_NETWORKS
    for length in (3, 7, 14)
    for start in (0, 40)
}


def recipe(name: str) -> TrendConfig:
    """The config of a recipe of `twofold trend run`; an InputError lists the known ones."""
    return _named(RECIPES, name)


def _named(recipes: dict[str, Callable[[], Any]], name: str) -> Any:
    if name not in recipes:
        raise InputError(f"--recipe {name}: no such recipe; there are {', '.join(recipes)}")
    return recipes[name]()


def walk(target: Target, length: int) -> BacktestConfig:
    """The backtest: RNN, LSTM, GRU, logistic regression and gradient boosting, pooled.

    Refitted daily on active windows of the last 28 dates. Settings were chosen on target days 51 to 65 of the COVID
    table alone (`docs/log.md`).

    `twofold trend backtest --recipe walk-next-day --data FILE`, or `walk-mean7`; 15 daily refits of the COVID table
    take 2 to 5 minutes on one core. Active windows of the development days: the pool's Brier skill .160 and .296, its
    ROC AUC .728 and .836 (`bench/covid_backtest.py`).
    """
    return BacktestConfig(
        recipe=f"walk-{target.replace('_', '-')}",
        window=WindowConfig(length=length, target=target),
        features=FeatureConfig(
            inputs=("log1p", "change", "log_diff", "against_mean", "history", "reference", "median_growth")
        ),
        model=ModelConfig(cell="gru", hidden=32, dropout=0.3),
        train=TrainConfig(epochs=20, learning_rate=2e-3, weight_decay=1e-2),
        ensemble=EnsembleConfig(seeds=3, partners=("rnn", "lstm", "logistic", "boosting")),
    )


def walk_weekly(name: str, inputs: tuple[Input, ...]) -> BacktestConfig:
    """The backtest for weeks: the members of `walk`, refitted every 4 weeks on all active windows so far.

    A daily table is summed to weeks; `walk-next-week-seasonal` as `weekly-seasonal`. The networks are those of
    `weekly`; the other members were chosen on the same development data, in one split each. No walk was scored yet.

    `twofold trend backtest --recipe walk-next-week --data FILE` (`bench/weekly.py`).
    """
    return BacktestConfig(
        recipe=name,
        source=SourceConfig(weekly=True),
        walk=WalkConfig(last=26, every=4, warmup=8, memory=None, logistic_c=0.1, boosting_rounds=120),
        window=WindowConfig(length=8),
        features=FeatureConfig(inputs=inputs),
        model=ModelConfig(dropout=0.2),
        train=TrainConfig(epochs=12, batch_size=256, learning_rate=3e-3),
        ensemble=EnsembleConfig(seeds=1, partners=("rnn", "lstm", "logistic", "boosting")),
        score=ScoreConfig(block_days=4),
    )


WALKS: dict[str, Callable[[], BacktestConfig]] = {
    "walk-next-day": partial(walk, "next_day", 7),
    "walk-mean7": partial(walk, "mean7", 14),
    "walk-next-week": partial(walk_weekly, "walk-next-week", WEEKLY),
    "walk-next-week-seasonal": partial(walk_weekly, "walk-next-week-seasonal", SEASONAL),
}


def walk_recipe(name: str) -> BacktestConfig:
    """The config of a recipe of `twofold trend backtest`; an InputError lists the known ones."""
    return _named(WALKS, name)
