"""The grid of runs that reproduces the original study, and what it shows."""

import json
import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from twofold.counts.config import SourceConfig
from twofold.counts.panel import Panel
from twofold.engine.config import Config
from twofold.engine.files import write_arrays, write_json, write_parquet
from twofold.engine.run import RunFolder
from twofold.scoring.binary import scores
from twofold.trend.calibrate import identity
from twofold.trend.config import ScreenConfig, TrendConfig, WindowConfig
from twofold.trend.fit import Fitted, Stage
from twofold.trend.forecast import Forecaster
from twofold.trend.original.findings import CHINA, summarise
from twofold.trend.recipes import CELLS, departures, original
from twofold.trend.train import train_networks
from twofold.trend.windows import Prepared, fit_screen, prepare

TRIALS: tuple[tuple[str, dict[str, int]], ...] = (
    ("as the original", {}),
    ("5 epochs", {"epochs": 5}),
    ("40 epochs", {"epochs": 40}),
    ("batch of 32", {"batch_size": 32}),
    ("batch of 512", {"batch_size": 512}),
    ("32 hidden units", {"hidden": 32}),
    ("256 hidden units", {"hidden": 256}),
    ("2 layers", {"layers": 2}),
    ("3 layers", {"layers": 3}),
)


class StudyConfig(Config):
    """The grid that reproduces the original study."""

    recipe: Literal["original-study"] = "original-study"
    """Always the original study."""
    seed: int = Field(default=0, ge=0)
    """First seed; the others follow it."""
    seeds: int = Field(default=3, ge=1, le=20)
    """Seeds of every setting: each draws a split and first weights of its own."""
    epochs: int = Field(default=20, ge=1)
    """Epochs of every network (the original: 1000)."""
    lengths: tuple[int, ...] = (3, 7, 14)
    """Window lengths."""
    starts: tuple[int, ...] = (0, 40)
    """First increment that a window may hold."""
    jobs: int = Field(default=0, ge=0, exclude=True)
    """Settings run at the same time; 0: one for each core. Changes no result, so no config.json holds it."""
    source: SourceConfig = SourceConfig()

    @model_validator(mode="after")
    def _holds_the_original(self) -> "StudyConfig":
        if 7 not in self.lengths or 0 not in self.starts:
            raise ValueError("lengths must hold 7 and starts 0: the original's own setting")
        return self


@dataclass(frozen=True)
class Setting:
    """One network to train and score.

    Attributes:
        name: says which, and names its file.
        config: the run.
        with_china: China joins the set C.
        tags: what the summary sorts results by.
    """

    name: str
    config: TrendConfig
    with_china: bool = False
    tags: dict[str, Any] = field(default_factory=dict)


def check_study(panel: Panel, config: StudyConfig) -> None:
    """Tells a misfit of data and grid before anything is run.

    Raises:
        InputError: when the data is too short for one of the windows, or no region passes the screen.
    """
    # The findings count the windows of L = 14 and of day 40, whatever the grid holds.
    for length, start in [(14, 0), (7, 40), *product(config.lengths, config.starts)]:
        prepare(panel, _with_epochs(original("gru", length, start=start), config, config.seed))


def execute_study(
    panel: Panel, source: str, config: StudyConfig, folder: RunFolder, progress: Callable[[int, int], None]
) -> None:
    """Runs every setting that has no result in the folder yet, then writes `study.json` and what the report draws.

    Args:
        panel: the counts.
        source: name of the data file, or "simulated".
        config: the grid.
        folder: held by this process.
        progress: called with (settings done, settings in all).
    """
    torch.set_num_threads(1)
    settings = all_settings(config)
    results = _run_all(panel, settings, config, folder.path / "settings", progress)
    base = _with_epochs(original("gru", 7), config, config.seed)
    prepared = prepare(panel, base)
    write_parquet(folder.path / "panel.parquet", panel.frame())
    write_arrays(folder.path / "arrays.npz", correlation=prepared.screen.correlation)
    final = Stage(prepared, base, "final", np.arange(len(prepared.windows)), {})
    members = final.ensemble(train_networks(final.tasks({}), base, folder.path / "checkpoint", lambda _: None))
    fitted = Fitted(final.inputs, members, members, identity(), identity(), 0)
    write_parquet(folder.path / "tomorrow.parquet", Forecaster.of(panel, prepared, fitted, base).forecast(panel).table)
    summary = summarise(panel, source, prepared, settings=config.source, results=results)
    write_json(folder.path / "study.json", {"departures": departures(base)} | summary)


def all_settings(config: StudyConfig) -> list[Setting]:
    """The grid, the temporal counterpart, one window a country, the trials, and the run with China."""
    seeds = range(config.seed, config.seed + config.seeds)
    settings: list[Setting] = []
    for cell, layers in CELLS:
        for length in config.lengths:
            for start in config.starts:
                base = original(cell, length, layers, start)
                tags = {"cell": cell, "layers": layers, "length": length, "start": start}
                settings += [_setting("grid", base, config, seed, tags) for seed in seeds]
            leaky = original(cell, length, layers)
            in_time = leaky.split.model_copy(update={"kind": "temporal"})
            honest = leaky.model_copy(update={"split": in_time, "screen": ScreenConfig(days="train")})
            tags = {"cell": cell, "layers": layers, "length": length, "start": 0}
            settings.append(_setting("temporal", honest, config, config.seed, tags))
    last = original("gru", 7).model_copy(update={"window": WindowConfig(length=7, per_region="last")})
    settings += [_setting("one-window", last, config, seed, {}) for seed in seeds]
    settings += [_setting("china", original("gru", 7), config, seed, {}) for seed in seeds]
    for label, changes in TRIALS:
        trial = _changed(original("gru", 7), config, changes)
        settings.append(Setting(f"trial-{label.replace(' ', '-')}", trial, tags={"kind": "trial", "setting": label}))
    return settings


def _with_epochs(base: TrendConfig, config: StudyConfig, seed: int) -> TrendConfig:
    train = base.train.model_copy(update={"epochs": config.epochs, "jobs": 1})
    return base.model_copy(update={"train": train, "seed": seed, "source": config.source})


def _changed(base: TrendConfig, config: StudyConfig, changes: dict[str, int]) -> TrendConfig:
    base = _with_epochs(base, config, config.seed)
    train = {key: value for key, value in changes.items() if key in ("epochs", "batch_size")}
    model = {key: value for key, value in changes.items() if key in ("hidden", "layers")}
    return base.model_copy(
        update={"train": base.train.model_copy(update=train), "model": base.model.model_copy(update=model)}
    )


def _setting(kind: str, base: TrendConfig, config: StudyConfig, seed: int, tags: dict[str, Any]) -> Setting:
    name = "-".join(str(part) for part in (kind, *tags.values(), f"seed{seed}"))
    return Setting(name, _with_epochs(base, config, seed), kind == "china", tags | {"kind": kind})


def _run_all(
    panel: Panel, settings: list[Setting], config: StudyConfig, folder: Path, progress: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """Each setting's result, from its file where there is one: what an interrupted study did is not done again."""
    with ThreadPoolExecutor(config.jobs or os.cpu_count() or 1) as pool:
        futures = [pool.submit(_run_setting, panel, setting, folder) for setting in settings]
        done: set[Future[dict[str, Any]]] = set()
        try:
            while len(done) < len(futures):
                # By turns: polars' handler of Ctrl-C lets no endless wait end.
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
    if path.exists():
        return json.loads(path.read_text())
    prepared = _prepare(panel, setting)
    split, up = prepared.split, prepared.windows.up
    stage = Stage(prepared, setting.config, "evaluate", split.known, {"test": split.test})
    records: list[dict[str, Any]] = []
    checkpoints = folder / setting.name
    members = stage.ensemble(train_networks(stage.tasks({}), setting.config, checkpoints, records.append))
    everything = np.arange(len(up))
    probability = members.predict(stage.inputs, prepared.increments.regions, everything)[setting.config.model.cell]
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
    """As `prepare`; with China the screen's set gets one more country, whatever its correlation."""
    if not setting.with_china:
        return prepare(panel, setting.config)
    chosen = fit_screen(panel.increments(setting.config.source.negatives), len(panel.dates), 0.7).selected
    wanted = chosen | (np.array(panel.regions) == CHINA)
    rows = np.flatnonzero(wanted)
    part = Panel(tuple(panel.regions[row] for row in rows), panel.dates, panel.values[rows], panel.kind, panel.notes)
    return prepare(part, setting.config.model_copy(update={"screen": ScreenConfig(threshold=None, days="all")}))
