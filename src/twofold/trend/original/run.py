"""Trains every setting of the reproduced study and saves what its report reads."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from twofold.counts.panel import Panel
from twofold.engine.errors import DivergedError
from twofold.engine.files import text, usable, write_arrays, write_json, write_parquet
from twofold.engine.run import RunFolder
from twofold.engine.work import Work
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
    panel: Panel,
    source: str,
    config: StudyConfig,
    folder: RunFolder,
    *,
    work: Work,
    progress: Callable[[int, int], None],
) -> None:
    """Runs every setting that has no result in the folder yet, then writes `study.json` and what the report reads.

    Args:
        panel: counts by region and date.
        source: the data file's name, or "simulated".
        config: of the study.
        folder: takes the results.
        work: makes the settings.
        progress: called with (settings done, settings in all).
    """
    torch.set_num_threads(1)
    settings = all_settings(config)
    results = make_settings(panel, settings, folder.path / "settings", work, progress)
    base = adapt(original("gru", 7), config, config.seed)
    prepared = prepare(panel, base)
    write_parquet(folder.path / "panel.parquet", panel.frame())
    write_arrays(folder.path / "arrays.npz", **prepared.screen.arrays)
    final = Stage("final", prepared.increments, prepared.windows, np.arange(len(prepared.windows)), base)
    [members] = fit_members([final], folder.path / "checkpoint", lambda _: None)
    forecaster = Forecaster.of(panel, prepared, members, identity(), base)
    write_parquet(folder.path / "tomorrow.parquet", forecaster.forecast(panel).table)
    summary = summarise(panel, source, prepared, settings=config.source, results=results)
    write_json(folder.path / "study.json", {"departures": departures(base)} | summary)


def make_settings(
    panel: Panel, settings: list[Setting], folder: Path, work: Work, progress: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """Each setting's result, read from its file where an interrupted study has left one."""
    missing = {setting.name: setting for setting in settings if not usable(folder / f"{setting.name}.json")}
    done = len(settings) - len(missing)
    progress(done, len(settings))

    def take(name: str, result: dict[str, Any]) -> None:
        nonlocal done
        write_json(folder / f"{name}.json", result)
        done += 1
        progress(done, len(settings))

    work.carry_out(_run_setting, missing, _Study(panel, folder if work.workers.local else None), take)
    for setting in settings:
        shutil.rmtree(folder / setting.name, ignore_errors=True)  # its training states
    return [json.loads(text(folder, f"{setting.name}.json")) for setting in settings]


class _Study(NamedTuple):
    """What all settings need; `checkpoints` is the folder of their training states, where the workers see it."""

    panel: Panel
    checkpoints: Path | None


def _run_setting(study: _Study, setting: Setting) -> dict[str, Any]:
    prepared = _prepare(study.panel, setting)
    split, up = prepared.split, prepared.windows.up
    data = prepared.increments, prepared.windows
    stage = Stage("evaluate", *data, split.known, setting.config, {"test": split.test})
    records: list[dict[str, Any]] = []
    with contextlib.ExitStack() as held:
        home = study.checkpoints or Path(held.enter_context(tempfile.TemporaryDirectory()))
        try:
            [members] = fit_members([stage], home / setting.name, records.append)
        except DivergedError as error:  # its learning rate is fixed, and its table has no empty cells
            advice = "give another --seed, which draws other weights, or look for counts that can't be right"
            raise DivergedError(error.how, f"{setting.name}, {error.who}", advice) from error
    probability = members.predict(stage.inputs, prepared.increments.regions, np.arange(len(up)))[
        setting.config.model.cell
    ]
    return setting.tags | {
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


def _prepare(panel: Panel, setting: Setting) -> Prepared:
    """As `prepare`; in the trial with China, C also holds China, whatever its correlation."""
    if not setting.with_china:
        return prepare(panel, setting.config)
    chosen = fit_screen(panel.increments(setting.config.source.negatives), len(panel.dates), 0.7).selected
    wanted = chosen | (np.array(panel.regions) == CHINA)
    part = panel.part(np.flatnonzero(wanted))
    return prepare(part, setting.config.model_copy(update={"screen": ScreenConfig(threshold=None, days="all")}))
