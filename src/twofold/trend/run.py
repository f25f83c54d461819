"""One run composed: a panel in, scores, predictions and the model in a run folder out."""

from typing import Any

import numpy as np

from twofold.counts.panel import Panel
from twofold.engine.files import write_arrays, write_json, write_parquet
from twofold.engine.recurrent import CELLS
from twofold.engine.run import RunFolder
from twofold.trend.baselines import BASELINES, fit_baseline
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


def execute(panel: Panel, source: str, config: TrendConfig, folder: RunFolder, journal: OnEpoch) -> None:
    """Fits, scores and saves; everything the report reads is in the folder afterwards.

    Training states found in the folder are gone on with. `source` names the data file, or is "simulated"; `journal` is
    called with every epoch's record, for a progress bar.

    Raises:
        InputError: when data and config don't fit each other.
        NonFiniteLossError: when a loss is no longer finite.
    """

    def log(record: dict[str, Any]) -> None:
        folder.log(record)
        journal(record)

    prepared = prepare(panel, config)
    fitted = fit_stages(prepared, config, folder.path / "checkpoint", log)
    folder.settle_log("stage", "member", "epoch")
    predictions = predict_all(prepared, fitted, config)
    forecaster = Forecaster.of(panel, prepared, fitted.final, fitted.calibration, config)
    forecaster.save(folder.path)
    write_parquet(folder.path / "panel.parquet", panel.frame())
    write_parquet(folder.path / "predictions.parquet", prediction_table(panel, prepared, predictions, config))
    write_parquet(folder.path / "tomorrow.parquet", forecaster.forecast(panel).table)
    write_arrays(folder.path / "arrays.npz", correlation=prepared.screen.correlation)
    write_json(
        folder.path / "scores.json",
        account(panel, source, prepared, fitted=fitted, predictions=predictions, config=config),
    )


def predict_all(prepared: Prepared, fitted: Fitted, config: TrendConfig) -> Predictions:
    """Probability of every window by the headline, the members and the baselines.

    Returns:
        `ensemble` and `network` (calibrated pools), each recurrent cell, and `baseline_NAME`; a partner that is no
        network was fitted on the same windows from the same inputs as the baseline of its name, and stands there.
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


def account(
    panel: Panel, source: str, prepared: Prepared, *, fitted: Fitted, predictions: Predictions, config: TrendConfig
) -> dict[str, Any]:
    """The whole of `scores.json`."""
    test = prepared.split.test
    active = test[prepared.windows.active[test]]
    return {
        "recipe": config.recipe,
        "seed": config.seed,
        "departures": departures(config),
        "simulated": source == "simulated",
        "data": describe_data(panel, config.source, source),
        "screen": describe_screen(panel, prepared, config),
        "windows": describe_windows(prepared, config),
        "split": describe_split(prepared, config),
        "model": describe_model(fitted, config),
        **score_models(prepared, config, predictions),
        "importance": measure_importance(
            fitted.evaluate,
            fitted.inputs,
            panel.regions,
            prepared.windows.up,
            active if len(active) else test,
            seed=config.seed,
        ),
    }
