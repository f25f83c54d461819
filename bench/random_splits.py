"""The default recipe compared with LightGBM on the same 10 random splits and the same inputs.

`TWOFOLD_DATA=FOLDER python bench/random_splits.py` (extra `bench`) prints the ROC AUC of both on every split, and the
mean difference; fails when ours is more than .005 lower.
"""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import lightgbm  # pyright: ignore[reportMissingImports]  (the extra `bench`)
import numpy as np

from twofold.counts.load import load_panel
from twofold.scoring.binary import roc_auc
from twofold.trend.calibrate import apply_calibration
from twofold.trend.config import SplitConfig
from twofold.trend.fit import fit_stages, pool
from twofold.trend.recipes import default
from twofold.trend.windows import prepare

SEEDS, LIMIT = 10, 0.005


def one_split(path: Path, seed: int) -> tuple[float, float]:
    config = default().model_copy(update={"seed": seed, "split": SplitConfig(kind="random")})
    panel = load_panel(path, config.source)
    prepared = prepare(panel, config)
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit_stages(prepared, config, Path(folder), lambda _: None)
    test, known, up = prepared.split.test, prepared.split.known, prepared.windows.up
    members = fitted.evaluate.predict(fitted.inputs, panel.regions, test)
    ours = apply_calibration(fitted.calibration, pool(members))
    booster = lightgbm.LGBMClassifier(
        n_estimators=150, learning_rate=0.05, num_leaves=15, random_state=seed, verbose=-1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about missing column names at prediction
        booster.fit(fitted.inputs.table(known), up[known])
        theirs = np.asarray(booster.predict_proba(fitted.inputs.table(test)))[:, 1]
    return roc_auc(ours, up[test]) or 0.0, roc_auc(theirs, up[test]) or 0.0


def main() -> int:
    path = Path(os.environ["TWOFOLD_DATA"]) / "covid_19.csv"
    pairs = []
    for seed in range(SEEDS):
        pairs.append(one_split(path, seed))
        print(f"split {seed}: twofold {pairs[-1][0]:.4f}, LightGBM {pairs[-1][1]:.4f}", flush=True)
    ours, theirs = np.mean(pairs, axis=0)
    print(f"mean AUC: twofold {ours:.4f}, LightGBM {theirs:.4f}, difference {ours - theirs:+.4f}")
    return int(ours - theirs < -LIMIT)


if __name__ == "__main__":
    sys.exit(main())
