"""Random quantiles for the small hub: added to its run folder, and its categories taken away."""

import itertools
import json
from pathlib import Path

import numpy as np
import polars as pl

from hub.small import DATES, PLACES, RULES, change
from twofold.hub.config import HubConfig
from twofold.hub.distribution import LEVELS
from twofold.hub.quantiles import QUANTILE
from twofold.hub.run import _quantile_account

POOL, LAST = "twofold-pool", "twofold-last_value"
ENSEMBLE, BASELINE, CURVE = "FluSight-ensemble", "FluSight-baseline", "Cteam-curve"


def quantiles_of(model: str, seed: int) -> pl.DataFrame:
    """Random quantiles of all dates, horizons and places."""
    generator, rows = np.random.default_rng(seed), []
    for day, place, horizon in itertools.product(DATES, PLACES, RULES.horizons):
        values = np.sort(generator.gamma(4.0, 6.0, len(LEVELS)))
        rows += [
            (model, day, horizon, place, level, value) for level, value in zip(LEVELS, values.tolist(), strict=True)
        ]
    return pl.DataFrame(rows, list(QUANTILE), orient="row")


def add_quantiles(folder: Path, *, peers: bool = True) -> Path:
    """Writes the quantiles of two models of ours and of three others, and their scores."""
    own = pl.concat([quantiles_of(POOL, 1), quantiles_of(LAST, 2)])
    theirs = pl.concat([quantiles_of(name, 3 + k) for k, name in enumerate((ENSEMBLE, BASELINE, CURVE))])
    own.write_parquet(folder / "predictions_quantile.parquet")
    if peers:
        theirs.write_parquet(folder / "peers_quantile.parquet")
    score(folder)
    return folder


def score(folder: Path) -> None:
    """Scores the quantiles that the folder holds."""
    paths = [folder / f"{name}_quantile.parquet" for name in ("predictions", "peers")]
    table = pl.concat([pl.read_parquet(path) for path in paths if path.is_file()])
    counts = pl.read_parquet(folder / "counts.parquet")
    account = _quantile_account(table, counts, DATES, RULES, HubConfig())
    change(folder, quantile=account | {"left_out": []})


def without_categories(folder: Path) -> Path:
    """Takes the categories and their scores away."""
    for name in ("predictions", "peers", "truth"):
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    scores = json.loads((folder / "scores.json").read_text())
    of_categories = ("models", "common", "differences", "default", "ours", "no_skill", "baseline")
    kept = {key: value for key, value in scores.items() if key not in of_categories}
    (folder / "scores.json").write_text(json.dumps(kept))
    return folder
