"""A finished run scored on dates that it has never seen, beside baselines fitted on what it has."""

from typing import Any

import numpy as np

from twofold.counts.panel import Panel
from twofold.engine.errors import InputError
from twofold.engine.seed import seed_for
from twofold.scoring.binary import scores
from twofold.scoring.bootstrap import intervals
from twofold.trend.baseline import BASELINES, fit_baseline
from twofold.trend.calibrate import apply_calibration
from twofold.trend.ensemble import pool
from twofold.trend.features import apply_features
from twofold.trend.forecast import Forecaster
from twofold.trend.prepare import prepare
from twofold.trend.window import Windows, slide


def rescore(forecaster: Forecaster, trained_on: Panel, panel: Panel) -> dict[str, Any]:
    """Scores the final model on the windows of newer data whose origin is not before its last training date.

    Args:
        forecaster: of the run.
        trained_on: the run's own data, which the baselines are fitted on.
        panel: newer data of the same regions.

    Returns:
        `first`, `last` (origins scored), `windows`, `seen` (windows left out, since the model was trained on them), and
        for `ensemble` and every baseline a block of `scores.json`'s form under `models`.

    Raises:
        InputError: when no window is new to the model.
    """
    forecaster.check_step(panel)
    config, ensemble = forecaster.config, forecaster.ensemble
    increments = panel.increments(config.source.negatives)
    selected = np.isin(np.array(panel.regions), np.array(forecaster.selected))
    windows = slide(increments, selected, config.window.model_copy(update={"per_region": "all", "start": 0}))
    new = np.flatnonzero(increments.dates[windows.origin] >= forecaster.last)
    if len(new) == 0:
        raise InputError(
            f"the data ends on {panel.dates[-1]} and the model was trained on dates up to {forecaster.last}: no "
            "window is new to it; give data with later dates"
        )
    inputs = apply_features(ensemble.features, increments, windows.region, windows.origin, config.window)
    pooled = pool(ensemble.predict(inputs, panel.regions, new))
    predictions = {"ensemble": apply_calibration(forecaster.calibration, pooled)}
    old = prepare(trained_on, config)
    learned = apply_features(ensemble.features, old.increments, old.windows.region, old.windows.origin, config.window)
    everything = np.arange(len(old.windows))
    for name in BASELINES:
        predictions[name] = fit_baseline(name, learned, old.windows.up, everything, config.seed).predict(inputs, new)
    return {
        "first": str(increments.dates[windows.origin[new].min()]),
        "last": str(increments.dates[windows.origin[new].max()]),
        "windows": len(new),
        "seen": len(windows) - len(new),
        "models": {name: _block(forecaster, windows, new, p) for name, p in predictions.items()},
    }


def _block(forecaster: Forecaster, windows: Windows, rows: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    settings = forecaster.config.score
    block: dict[str, Any] = {"intervals": {}}
    for part, mask in (("test", np.ones(len(rows), dtype=bool)), ("test_active", windows.active[rows])):
        up, day = windows.up[rows[mask]], windows.origin[rows[mask]]
        block[part] = scores(probability[mask], up)
        block["intervals"][part] = intervals(
            probability[mask],
            up,
            day,
            resamples=settings.bootstrap,
            block_days=settings.block_days,
            level=settings.level,
            seed=seed_for(forecaster.config.seed, "bootstrap"),
        )
    return block
