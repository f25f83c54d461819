"""One run: trains on a panel of counts and saves scores, predictions and the model in a run folder."""

from typing import Any

import numpy as np

from twofold.counts.panel import Panel
from twofold.engine.files import write_arrays, write_json, write_parquet
from twofold.engine.recurrent import CELLS
from twofold.engine.run import RunFolder
from twofold.trend.baselines import BASELINES, fit_baseline, spread_note
from twofold.trend.calibrate import apply_calibration
from twofold.trend.config import TrendConfig
from twofold.trend.fit import Fitted, fit_stages, pool, pool_networks
from twofold.trend.forecast import Forecaster
from twofold.trend.importance import measure_importance
from twofold.trend.judge import (
    Predictions,
    describe_data,
    describe_model,
    describe_screen,
    describe_split,
    describe_windows,
    prediction_table,
    score_models,
)
from twofold.trend.recipes import departures
from twofold.trend.train import OnEpoch
from twofold.trend.windows import Prepared, prepare


def execute(panel: Panel, source: str, config: TrendConfig, folder: RunFolder, progress: OnEpoch) -> None:
    """Fits, scores and saves everything that the report reads; resumes from checkpoints in the folder.

    Args:
        panel: counts by region and date.
        source: the data file's name, or "simulated".
        config: of the run.
        folder: takes the results.
        progress: called with every epoch's record.

    Raises:
        InputError: when data and config don't fit each other.
        DivergedError: when a network diverged.
    """

    def log(record: dict[str, Any]) -> None:
        folder.log(record)
        progress(record)

    prepared = prepare(panel, config)
    fitted = fit_stages(prepared, config, folder.path / "checkpoint", log)
    folder.settle_log("stage", "member", "epoch")
    predictions = predict_all(prepared, fitted, config)
    forecaster = Forecaster.of(panel, prepared, fitted.final, fitted.calibration, config)
    forecaster.save(folder.path)
    write_parquet(folder.path / "panel.parquet", panel.frame())
    write_parquet(folder.path / "predictions.parquet", prediction_table(panel, prepared, predictions, config))
    write_parquet(folder.path / "tomorrow.parquet", forecaster.forecast(panel).table)
    write_arrays(folder.path / "arrays.npz", **prepared.screen.arrays)
    test, up = prepared.split.test, prepared.windows.up
    active = test[prepared.windows.active[test]]
    shuffled = active if len(active) else test
    data = describe_data(panel, config.source, source)
    found = {
        "recipe": config.recipe,
        "seed": config.seed,
        "departures": departures(config),
        "simulated": source == "simulated",
        "data": data | {"notes": [*data["notes"], *spread_note(len(prepared.windows))]},
        "screen": describe_screen(panel, prepared, config),
        "windows": describe_windows(prepared, config),
        "split": describe_split(prepared, config),
        "model": describe_model(fitted, config),
        **score_models(prepared, config, predictions),
        "importance": measure_importance(fitted.evaluate, fitted.inputs, panel.regions, up, shuffled, seed=config.seed),
    }
    write_json(folder.path / "scores.json", found)


def predict_all(prepared: Prepared, fitted: Fitted, config: TrendConfig) -> Predictions:
    """Probability of every window by the ensemble, its members and the baselines.

    Returns:
        `ensemble` and `network` (calibrated pools), each recurrent cell, and `baseline_NAME`. Ensemble members that are
        not networks appear as the baseline of their name, which is the same model fitted on the same windows.
    """
    windows, rows = prepared.windows, np.arange(len(prepared.windows))
    members = fitted.evaluate.predict(fitted.inputs, prepared.increments.regions, rows)
    predictions = {
        "ensemble": apply_calibration(fitted.calibration, pool(members)),
        "network": apply_calibration(fitted.network_calibration, pool_networks(members)),
    } | {name: probability for name, probability in members.items() if name in CELLS}
    for name in BASELINES:
        found = fitted.evaluate.estimators.get(name)
        model = found or fit_baseline(name, fitted.inputs, windows.up, prepared.split.known, config.seed)
        predictions[f"baseline_{name}"] = members[name] if found else model.predict(fitted.inputs, rows)
    return predictions
