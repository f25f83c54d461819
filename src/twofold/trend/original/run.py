"""Trains every setting of the reproduced study and saves what its report reads."""

import json
import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import torch

from twofold.counts.panel import Panel
from twofold.engine.files import text, usable, write_arrays, write_json, write_parquet
from twofold.engine.run import RunFolder
from twofold.scoring.binary import scores
from twofold.trend.calibrate import identity
from twofold.trend.config import ScreenConfig, StudyConfig
from twofold.trend.fit import Stage, fit_members
from twofold.trend.forecast import Forecaster
from twofold.trend.original.findings import CHINA, summarise
from twofold.trend.original.study import Setting, adapt, all_settings
from twofold.trend.recipes import departures, original
from twofold.trend.windows import Prepared, fit_screen, prepare


def execute_study(
    panel: Panel, source: str, config: StudyConfig, folder: RunFolder, progress: Callable[[int, int], None]
) -> None:
    """Runs every setting that has no result in the folder yet, then writes `study.json` and what the report reads.

    Args:
        panel: counts by region and date.
        source: the data file's name, or "simulated".
        config: of the study.
        folder: takes the results.
        progress: called with (settings done, settings in all).
    """
    torch.set_num_threads(1)
    settings = all_settings(config)
    results = _run_all(panel, settings, config, folder.path / "settings", progress)
    base = adapt(original("gru", 7), config, config.seed)
    prepared = prepare(panel, base)
    write_parquet(folder.path / "panel.parquet", panel.frame())
    write_arrays(folder.path / "arrays.npz", correlation=prepared.screen.correlation)
    final = Stage("final", prepared.increments, prepared.windows, np.arange(len(prepared.windows)), base)
    [members] = fit_members([final], folder.path / "checkpoint", lambda _: None)
    forecaster = Forecaster.of(panel, prepared, members, identity(), base)
    write_parquet(folder.path / "tomorrow.parquet", forecaster.forecast(panel).table)
    summary = summarise(panel, source, prepared, settings=config.source, results=results)
    write_json(folder.path / "study.json", {"departures": departures(base)} | summary)


def _run_all(
    panel: Panel, settings: list[Setting], config: StudyConfig, folder: Path, progress: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """Each setting's result, read from its file where an interrupted study has left one."""
    with ThreadPoolExecutor(config.jobs or os.cpu_count() or 1) as pool:
        futures = [pool.submit(_run_setting, panel, setting, folder) for setting in settings]
        done: set[Future[dict[str, Any]]] = set()
        try:
            while len(done) < len(futures):
                # With a timeout, since polars' handler of Ctrl-C does not end an unlimited wait.
                done = wait(futures, timeout=0.2, return_when=FIRST_EXCEPTION).done
                for future in done:
                    future.result()
                progress(len(done), len(settings))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _run_setting(panel: Panel, setting: Setting, folder: Path) -> dict[str, Any]:
    path = folder / f"{setting.name}.json"
    if usable(path):
        return json.loads(text(folder, path.name))
    prepared = _prepare(panel, setting)
    split, up = prepared.split, prepared.windows.up
    data = prepared.increments, prepared.windows
    stage = Stage("evaluate", *data, split.known, setting.config, {"test": split.test})
    records: list[dict[str, Any]] = []
    [members] = fit_members([stage], folder / setting.name, records.append)
    probability = members.predict(stage.inputs, prepared.increments.regions, np.arange(len(up)))[
        setting.config.model.cell
    ]
    result = setting.tags | {
        "name": setting.name,
        "seed": setting.config.seed,
        "epochs": setting.config.train.epochs,
        "batch_size": setting.config.train.batch_size,
        "hidden": setting.config.model.hidden,
        "layers": setting.config.model.layers,
        "windows": len(up),
        "positive": int(up.sum()),
        "train": len(split.known),
        "test": len(split.test),
        "majority": float(max(up[split.test].mean(), 1 - up[split.test].mean())),
        "train_scores": scores(probability[split.known], up[split.known]),
        "test_scores": scores(probability[split.test], up[split.test]),
        "curves": [
            {key: value for key, value in record.items() if key not in ("stage", "member")} for record in records
        ],
    }
    write_json(path, result)
    return result


def _prepare(panel: Panel, setting: Setting) -> Prepared:
    """As `prepare`; in the trial with China, C also holds China, whatever its correlation."""
    if not setting.with_china:
        return prepare(panel, setting.config)
    chosen = fit_screen(panel.increments(setting.config.source.negatives), len(panel.dates), 0.7).selected
    wanted = chosen | (np.array(panel.regions) == CHINA)
    part = panel.part(np.flatnonzero(wanted))
    return prepare(part, setting.config.model_copy(update={"screen": ScreenConfig(threshold=None, days="all")}))
