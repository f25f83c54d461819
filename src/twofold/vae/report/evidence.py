"""What a report reads of a run folder, and nothing else of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twofold.engine.files import required, table, text


@dataclass(frozen=True)
class Evidence:
    """The files of a finished computation.

    Attributes:
        scores: scores.json.
        config: config.json.
        metrics: the lines of metrics.jsonl, one an epoch.
        arrays: arrays.npz: pictures (uint8, [.., h, w, c]) and the figures behind them.
        skipped: skipped.json: name and reason of each file that gave no image.
        images: a row an image: name, hash, split, duplicate.
        labels: a row an avatar: what it wears; None where the images are somebody's own.
        manifest: manifest.json; empty where the folder was copied without it.
    """

    scores: dict[str, Any]
    config: dict[str, Any]
    metrics: list[dict[str, Any]]
    arrays: dict[str, np.ndarray]
    skipped: list[dict[str, str]]
    images: pl.DataFrame
    labels: pl.DataFrame | None
    manifest: dict[str, Any]


def read(folder: Path) -> Evidence:
    """Reads the files that a report shows.

    Args:
        folder: run folder whose computation is complete.

    Raises:
        RunFolderError: when one of the files is missing.
    """
    scores = json.loads(text(folder, "scores.json"))
    return Evidence(
        scores=scores,
        config=json.loads(text(folder, "config.json")),
        metrics=[json.loads(line) for line in text(folder, "metrics.jsonl").splitlines()],
        arrays=arrays(folder),
        skipped=json.loads(text(folder, "skipped.json")),
        images=table(folder, "images.parquet"),
        labels=table(folder, "labels.parquet") if scores["embedded"] else None,
        manifest=json.loads(text(folder, "manifest.json")) if (folder / "manifest.json").is_file() else {},
    )


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """All arrays of arrays.npz by name."""
    with np.load(required(folder, "arrays.npz")) as held:
        return dict(held)
