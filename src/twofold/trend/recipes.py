"""Named full configs. A recipe's docstring holds its command, its runtime and what it should give."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twofold.engine.errors import InputError
from twofold.trend.config import (
    Cell,
    EnsembleConfig,
    FeatureConfig,
    ModelConfig,
    ScreenConfig,
    SplitConfig,
    Target,
    TrainConfig,
    TrendConfig,
    WindowConfig,
)
from twofold.trend.walk.config import BacktestConfig


def default() -> TrendConfig:
    """Three GRUs and a histogram gradient boosting, pooled half and half; the last 20 % of days are held out.

    Next day up, L = 14, scale-free inputs, C from training days, early stopping on the days before the calibration
    slice, that slice before the test, then a refit on all days before the test. The same for every data set.

    `twofold trend run --data FILE`; on 2 cores 1 minute for covid_19.csv, 6 for the whole JHU series. Active windows of
    the test: log score .609 and .373 nats, Brier skill .15 and .44.
    """
    return TrendConfig()


def original(cell: Cell, length: int, layers: int = 1, start: int = 0) -> TrendConfig:
    """The original study's settings, as far as it states them.

    The set C from all days, input 1, hidden 128, one linear output, batch 128, a random 80/20 split, no validation
    slice, no calibration. 20 epochs instead of its 1000. It names no optimiser and no scaling of the counts; here they
    enter as log(1 + x), and AdamW with a cosine schedule trains: on splits of training windows that beat raw counts by
    about 0.7 points of accuracy (`docs/log.md`). `--features.inputs raw` gives the counts as they are.

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


CELLS: tuple[tuple[Cell, int], ...] = (("rnn", 1), ("rnn", 2), ("lstm", 1), ("gru", 1))
RECIPES: dict[str, Callable[[], TrendConfig]] = {"default": default} | {
    original(cell, length, layers, start).recipe: partial(original, cell, length, layers, start)
    for cell, layers in CELLS
    for length in (3, 7, 14)
    for start in (0, 40)
}


def recipe(name: str) -> TrendConfig:
    """The config of a run's recipe; an InputError names those there are."""
    return _named(RECIPES, name)


def _named(recipes: dict[str, Callable[[], Any]], name: str) -> Any:
    if name not in recipes:
        raise InputError(f"--recipe {name}: no such recipe; there are {', '.join(recipes)}")
    return recipes[name]()


def walk(target: Target, length: int) -> BacktestConfig:
    """The walk-forward recipe: RNN, LSTM, GRU, logistic regression and gradient boosting, pooled.

    Refitted daily on active windows of the last 28 dates. Chosen on the COVID table's target days 51 to 65 alone
    (`docs/log.md`); the same for every data set.

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


WALKS: dict[str, Callable[[], BacktestConfig]] = {
    "walk-next-day": partial(walk, "next_day", 7),
    "walk-mean7": partial(walk, "mean7", 14),
}


def walk_recipe(name: str) -> BacktestConfig:
    """The config of a walk's recipe; an InputError names those there are."""
    return _named(WALKS, name)
