"""What a report reads of a run folder, and nothing else of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from twofold.engine.files import required, table, text
from twofold.trend.report import wording


@dataclass(frozen=True)
class Evidence:
    """The files of a finished computation.

    Attributes:
        scores: scores.json.
        config: config.json.
        metrics: the lines of metrics.jsonl.
        predictions: a row a window of a region in C.
        panel: a row a region and date.
        tomorrow: a row a region.
        regions: every region, in the order of the panel and of `correlation`.
        correlation: Pearson's r between the regions' increments, NaN where undefined.
    """

    scores: dict[str, Any]
    config: dict[str, Any]
    metrics: list[dict[str, Any]]
    predictions: pl.DataFrame
    panel: pl.DataFrame
    tomorrow: pl.DataFrame
    regions: tuple[str, ...]
    correlation: Float[np.ndarray, "R R"]

    @property
    def in_c(self) -> Bool[np.ndarray, " R"]:
        """Which regions are in the set C."""
        chosen = set(self.scores["screen"]["names"])
        return np.array([name in chosen for name in self.regions], dtype=bool)

    @property
    def unit(self) -> str:
        """What one step of the data is called: day or week."""
        return wording.unit(self.scores["data"]["step_days"])

    @property
    def level(self) -> str:
        """Level of all intervals, e.g. "90 %"."""
        return f"{100 * self.config['score']['level']:g}\u00a0%"

    def windows(self, evaluated: str) -> pl.DataFrame:
        """The windows of `test`, or the active ones of them (`test_active`)."""
        test = self.predictions.filter(pl.col("split") == "test")
        return test.filter(pl.col("active")) if evaluated == "test_active" else test

    def counts(self, split: str, part: str) -> dict[str, Any]:
        """The line of the table of windows for a split and all, active or all-zero ones."""
        empty = {"windows": 0, "up": 0, "not_up": 0, "ties": 0, "up_share": None}
        lines = self.scores["windows"]["table"]
        return next((line for line in lines if (line["split"], line["set"]) == (split, part)), empty)


def read(folder: Path) -> Evidence:
    """Reads the files that a report shows.

    Args:
        folder: run folder whose computation is complete.

    Raises:
        RunFolderError: when one of the files is missing.
    """
    panel = table(folder, "panel.parquet")
    return Evidence(
        scores=json.loads(text(folder, "scores.json")),
        config=json.loads(text(folder, "config.json")),
        metrics=[json.loads(line) for line in text(folder, "metrics.jsonl").splitlines()],
        predictions=table(folder, "predictions.parquet"),
        panel=panel,
        tomorrow=table(folder, "tomorrow.parquet"),
        regions=tuple(panel["region"].unique(maintain_order=True)),
        correlation=correlation(folder),
    )


def correlation(folder: Path) -> Float[np.ndarray, "R R"]:
    """The correlation of all regions, from arrays.npz."""
    with np.load(required(folder, "arrays.npz")) as arrays:
        return arrays["correlation"].astype(np.float64)
