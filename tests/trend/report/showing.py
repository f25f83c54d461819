"""What pages are made from: a quick run on regions with odd names, and a study with every awkward case."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from trend.small import epidemic, quick, silent
from twofold.engine.files import write_text
from twofold.engine.run import claim
from twofold.trend.recipes import departures, original
from twofold.trend.run import execute

ODD_NAMES = (
    "Cote d'Ivoire",
    "<script>alert(1)</script>",
    "Saint " + "very " * 20 + "long & far",
    "Diamond Princess",
    "A$b$",
)
COUNTRIES = ("Saint Lucia", "Peru", "Italy", "Chad", "India", "Kenya", "Nepal", "Ghana", "Spain", "Iran", "Cuba")


def run_folder(folder: Path, step: int = 1) -> Path:
    """A finished computation: four networks and a partner, validated and calibrated, on 16 regions and 82 dates."""
    panel = replace(epidemic(16, 82, step=step), regions=ODD_NAMES + COUNTRIES)
    config = quick(ensemble={"seeds": 2, "partners": ("lstm", "logistic")})
    with threadpool_limits(1), claim(folder, config, panel.digest(), ["test"]) as held:
        execute(panel, "cases.csv", config, held, silent)
    return folder


def study_folder(run: Path, folder: Path) -> Path:
    """Writes the folder of a study: study.json, and the tables and arrays of a run."""
    shutil.copytree(run, folder, dirs_exist_ok=True)
    data = json.loads((folder / "scores.json").read_text())["data"]
    random = np.random.default_rng(3)
    shapes = [("rnn", 1, 7, 0), ("rnn", 2, 7, 0), ("lstm", 1, 7, 0)]
    shapes += [("gru", 1, length, start) for length in (3, 7, 14) for start in (0, 40)]
    study = {
        "departures": departures(original("gru", 7)),
        "simulated": False,
        "data": data,
        "original": [
            {"cell": "rnn", "layers": 1, "length": 7, "start": 0, "train_percent": 77.259, "test_percent": 74.681,
             "train_count": "6540/8465", "test_count": "1581/2117"},
            {"cell": "gru", "layers": 1, "length": 3, "start": 0, "train_percent": 80.41, "test_percent": 76.289,
             "train_count": None, "test_count": None},
            {"cell": "gru", "layers": 1, "length": 7, "start": 40, "train_percent": "near 80",
             "test_percent": "near 80", "train_count": None, "test_count": None},
            {"cell": "lstm", "layers": 2, "length": 14, "start": 0, "train_percent": None, "test_percent": None,
             "train_count": None, "test_count": None},
        ],
        "screen": {"selected": 143, "regions": 185, "china": "outside C",
                   "train_days": {"selected": 160, "common": 133, "days": 66}},
        "grid": [_grid_row(random, *shape) for shape in shapes],
        "one_window": {"train": 114, "test": 29, "test_accuracy": [0.55, 0.62], "majority": [0.55, 0.59]},
        "trials": [
            {"setting": f"epochs={epochs}", "epochs": epochs, "batch_size": 128, "hidden": 128, "layers": 1,
             "test_accuracy": [0.8], "majority": 0.744, "test_auc": [0.85],
             "seconds": 1.5 * epochs} for epochs in (10, 50)
        ],
        "china": {
            "without": {"windows": 10582, "test_accuracy": [0.8, 0.81], "majority": [0.744, 0.744]},
            "with": {"windows": 10656, "test_accuracy": [0.8, 0.79], "majority": [0.742, 0.744]},
            "correlation_max": 0.31, "correlation_mean": -0.12,
        },
        "errors": {
            "labels_swapped": {"up": 2708, "not_up": 7874},
            "train_size": {"windows": 10582, "train": 8465, "test": 2117},
            "test_size_as_label": {"test": 2117, "up": 2708},
            "length_3_labels": {"length_3": {"windows": 11154, "up": 2727}, "length_14": {"windows": 9581, "up": 2675}},
            "length_3_split": {"train": 8923, "test": 2231},
            "label_day": {"windows": 10582},
            "ties": {"ties": 5000, "windows": 10582},
            "accuracy": {"always_not_up": 0.744},
            "all_zero_windows": {"share_all_zero": 0.477, "share_up_all_zero": None, "majority_active": 0.54},
            "random_split": {"train": 8465, "overlap": 8400, "ahead": 8000},
            "screen_days": {"selected": 160, "common": 133, "days": 66, "all_days": 143},
            "day_40": {"windows": 4862, "up": 2221, "train_accuracy": None, "test_accuracy": None},
            "layers": {"rnn": [1, 2]},
        },
        "zero": {"share_all_zero": 0.477, "share_up_all_zero": 0.034, "majority_active": 0.54},
        "always_not_up": 0.744,
    }  # fmt: skip
    write_text(folder / "study.json", json.dumps(study))
    return folder


def _grid_row(random: np.random.Generator, cell: str, layers: int, length: int, start: int) -> dict[str, Any]:
    majority = [float(m) for m in random.normal(0.744 if not start else 0.54, 0.004, 3)]
    accuracy = [m + float(g) for m, g in zip(majority, random.normal(0.06, 0.008, 3), strict=True)]
    area = [0.85, 0.86, None if start else 0.84]
    curves = [
        {"epoch": e, "train_loss": 0.5 + 0.2 / e, "test_loss": 0.52 + 0.2 / e, "train_accuracy": 0.82 - 0.1 / e,
         "test_accuracy": 0.8 - 0.1 / e} for e in range(1, 21)
    ]  # fmt: skip
    tested = {"test_accuracy": accuracy, "majority": majority, "test_auc": area, "brier_skill": [0.08, 0.07, None]}
    return {
        "cell": cell, "layers": layers, "length": length, "start": start, "windows": 10582, "positive": 2708,
        "train": 8465, "test": 2117, "train_accuracy": [a + 0.01 for a in accuracy],
        "test_accuracy": accuracy, "majority": majority,
        "test_auc": area, "temporal": tested if cell != "lstm" else None, "curves": curves if length < 14 else [],
    }  # fmt: skip
