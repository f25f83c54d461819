"""Accuracy of the original study's networks above that of "always not up": 10 seeds of each cell, original settings.

`TWOFOLD_DATA=FOLDER python bench/original.py` prints, for RNN, LSTM and GRU at L = 7, the mean over 10 random splits of
test accuracy minus that split's majority share, in points; fails below 6.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import get_args

import numpy as np

from twofold.counts.load import load_panel
from twofold.engine.recurrent import Cell
from twofold.scoring.binary import accuracy
from twofold.trend.fit import Stage, fit_members
from twofold.trend.recipes import original
from twofold.trend.windows import prepare

SEEDS, LIMIT = 10, 6.0


def points(path: Path, cell: Cell, seed: int) -> tuple[float, float, float]:
    config = original(cell, 7).model_copy(update={"seed": seed})
    panel = load_panel(path, config.source)
    prepared = prepare(panel, config)
    split, up = prepared.split, prepared.windows.up
    stage = Stage("evaluate", prepared.increments, prepared.windows, split.known, config)
    with tempfile.TemporaryDirectory() as folder:
        [members] = fit_members([stage], Path(folder), lambda _: None)
    probability = members.predict(stage.inputs, prepared.increments.regions, np.arange(len(up)))[cell]
    majority = max(up[split.test].mean(), 1 - up[split.test].mean())
    test = accuracy(probability[split.test], up[split.test])
    return 100 * (test - majority), 100 * test, 100 * accuracy(probability[split.known], up[split.known])


def main() -> int:
    path = Path(os.environ["TWOFOLD_DATA"]) / "covid_19.csv"
    worst = np.inf
    for cell in get_args(Cell):
        gains = np.array([points(path, cell, seed) for seed in range(SEEDS)])
        mean = gains.mean(axis=0)
        worst = min(worst, mean[0])
        print(
            f"{cell:4s} L = 7, {SEEDS} seeds: {mean[0]:.2f} points over the majority "
            f"(single seeds {gains[:, 0].min():.2f} to {gains[:, 0].max():.2f}), "
            f"test {mean[1]:.2f} %, train {mean[2]:.2f} %",
            flush=True,
        )
    return int(worst < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
