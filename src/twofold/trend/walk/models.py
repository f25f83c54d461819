"""The models of one refit: all fitted on the same windows, all forecasting from the same inputs."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from twofold.counts.panel import Increments
from twofold.engine.recurrent import CELLS
from twofold.engine.seed import seed_for
from twofold.trend.baselines import Baseline, Estimator, fit_baseline
from twofold.trend.features import apply_features, fit_features
from twofold.trend.fit import Ensemble
from twofold.trend.train import Task, train_networks
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.windows import Windows, activity

MODELS = (*CELLS, "base_rate", "mean_reversion", "logistic", "boosting")


def fit_members(
    increments: Increments,
    windows: Windows,
    rows: Int64[np.ndarray, " rows"],
    config: BacktestConfig,
    checkpoints: Path,
) -> Ensemble:
    """Inputs scaled on the windows to learn from, then the networks and every other model of `MODELS` on the same.

    Args:
        increments: up to the last date that may be seen.
        windows: those whose outcome is known by then.
        rows: windows to learn from.
        config: the walk.
        checkpoints: empty folder for training states.

    Returns:
        The fitted models.
    """
    trend = config.trend
    features = fit_features(increments, windows, rows, config.features, config.window)
    inputs = apply_features(features, increments, windows.region, windows.origin, config.window)
    tasks = [
        Task("walk", cell, index, config.train.epochs, inputs, windows.up, increments.regions, rows, {})
        for cell in CELLS
        for index in range(config.ensemble.seeds)
    ]
    trained = train_networks(tasks, trend, checkpoints, lambda _: None)
    estimators: dict[str, Baseline] = {
        name: fit_baseline(name, inputs, windows.up, rows, config.seed) for name in ("base_rate", "mean_reversion")
    }
    for name, classifier in _classifiers(config).items():
        estimators[name] = estimators["base_rate"]  # where there are no two classes to tell apart
        if len(np.unique(windows.up[rows])) == 2:
            estimators[name] = Estimator(classifier.fit(inputs.table(rows), windows.up[rows]))
    return Ensemble(features, {task.member: net for task, net in zip(tasks, trained, strict=True)}, estimators)


def forecast_members(
    ensemble: Ensemble,
    seen: Increments,
    region: Int64[np.ndarray, " regions"],
    quiet: Bool[np.ndarray, " quiet"],
    config: BacktestConfig,
) -> pl.DataFrame:
    """Forecasts from the last date of `seen`.

    Args:
        ensemble: from `fit_members`.
        seen: increments up to the origin.
        region: rows of the regions to forecast.
        quiet: outcomes of known windows without a case, from which no model learned.
        config: the walk.

    Returns:
        A row a region: `region`, `origin`, `active`, and `p_MODEL` of each model.
    """
    origin = np.full(len(region), seen.counts.shape[1] - 1)
    inputs = apply_features(ensemble.features, seen, region, origin, config.window)
    active = activity(seen.counts, config.window.length)[region, origin]
    found = ensemble.predict(inputs, seen.regions, np.arange(len(region)))
    if config.walk.active_only:
        # No model has seen a window without a case: Laplace's rule on those that were known stands for all of them.
        rate = (quiet.sum() + 1) / (len(quiet) + 2)
        found = {name: np.where(active, probability, rate) for name, probability in found.items()}
    return pl.DataFrame(
        {
            "region": np.array(seen.regions)[region],
            "origin": np.full(len(region), seen.dates[-1]),
            "active": active,
        }
        | {f"p_{name}": found[name] for name in MODELS}
    )


def _classifiers(config: BacktestConfig) -> dict[str, Any]:
    """Both held back more than those of `trend run`: a walk's memory is short."""
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=config.walk.logistic_c, max_iter=1000)),
        "boosting": HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=config.walk.boosting_rounds,
            max_leaf_nodes=8,
            min_samples_leaf=40,
            l2_regularization=5.0,
            early_stopping=False,  # pyright: ignore[reportArgumentType]  (its stub knows "auto" only)
            random_state=seed_for(config.seed, "boosting") % 2**32,
        ),
    }
