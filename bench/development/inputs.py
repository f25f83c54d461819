"""How the default recipe was chosen: variants on three development cuts of the COVID data that end before its test.

`TWOFOLD_DATA=FOLDER python bench/development/inputs.py` drops the last 13, 18 and 23 days (the default test is the last
13 origins), holds out the last 20 % of what remains, and prints each variant's mean over the three: accuracy over the
majority, ROC AUC and log score of all test windows, Brier skill, log score and ECE of the active ones. No test day of
the default recipe is ever read.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Panel
from twofold.scoring.binary import scores
from twofold.trend.calibrate import apply_calibration
from twofold.trend.config import TrendConfig
from twofold.trend.fit import fit_stages, pool
from twofold.trend.windows import Prepared, prepare

CUTS = 13, 18, 23
EVERY = ["log1p", "change", "log_diff", "against_mean", "cross_region", "weekday", "history"]


def variant(**changes: Any) -> TrendConfig:
    """The default config with `group__knob=value` changed."""
    fields = TrendConfig().model_dump()
    for name, value in changes.items():
        group, _, knob = name.partition("__")
        fields[group][knob] = value
    return TrendConfig.model_validate(fields)


VARIANTS = {
    "default": variant(),
    "every input": variant(features__inputs=EVERY),
    "+ weekday": variant(features__inputs=[name for name in EVERY if name != "cross_region"]),
    "+ cross-region": variant(features__inputs=[name for name in EVERY if name != "weekday"]),
    "- history": variant(features__inputs=["log1p", "change", "log_diff", "against_mean"]),
    "16 hidden units": variant(model__hidden=16),
    "64 hidden units": variant(model__hidden=64),
    "RNN": variant(model__cell="rnn"),
    "LSTM": variant(model__cell="lstm"),
    "L = 7": variant(window__length=7),
    "L = 21": variant(window__length=21),
}


def judge(prepared: Prepared, probability: np.ndarray) -> list[float]:
    test = prepared.split.test
    up, active = prepared.windows.up[test], prepared.windows.active[test]
    every, some = scores(probability, up), scores(probability[active], up[active])
    gain = (every["accuracy"] or 0.0) - max(up.mean(), 1 - up.mean())
    picked = every["roc_auc"], every["log_score"], some["brier_skill"], some["log_score"], some["ece"]
    return [gain, *(np.nan if score is None else score for score in picked)]


def measure(panel: Panel, config: TrendConfig) -> dict[str, list[float]]:
    prepared = prepare(panel, config)
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit_stages(prepared, config, Path(folder), lambda _: None)
    members = fitted.evaluate.predict(fitted.inputs, panel.regions, prepared.split.test)
    found = members | {"pool": pool(members), "calibrated": apply_calibration(fitted.calibration, pool(members))}
    return {name: judge(prepared, probability) for name, probability in found.items()}


def main() -> int:
    panel = load_panel(Path(os.environ["TWOFOLD_DATA"]) / "covid_19.csv", SourceConfig())
    print(f"{'variant':18s} {'model':10s}   gain    AUC    log  | active: skill    log    ECE")
    for name, config in VARIANTS.items():
        cuts = [measure(panel.drop_last(days), config) for days in CUTS]
        for model in cuts[0]:
            mean = np.mean([cut[model] for cut in cuts], axis=0)
            print(f"{name:18s} {model:10s} " + " ".join(f"{value:7.4f}" for value in mean), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
