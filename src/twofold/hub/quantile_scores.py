"""Scores of many models' quantiles: the tables that a hub's evaluation shows.

Relative scores are ratios on the same forecasts: the sum of a model's scores over those that the baseline made as well,
divided by the sum of the baseline's over them. A ratio of means over different dates would compare the dates.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
import polars as pl

from twofold.counts.panel import counted
from twofold.hub.distribution import LEVELS
from twofold.hub.quantiles import complete, stacked
from twofold.hub.rules import WEEK
from twofold.hub.tables import UNIT
from twofold.scoring.quantiles import covered, log_wis, sound, wis

SCORES = ("wis", "log_wis", "coverage_50", "coverage_95")
"""Scores of each forecast; the mean of a coverage is the share of observations in that central interval."""
_LEVELS = np.array(LEVELS)


def observations(values: pl.DataFrame, dates: Iterable[date], horizons: Sequence[int]) -> pl.DataFrame:
    """What was observed for each reference date, horizon and location, by a version of the counts.

    Returns:
        Columns reference_date, horizon, location, observed (cases); sorted.
    """
    grid = pl.DataFrame({"reference_date": sorted(set(dates))}, {"reference_date": pl.Date}).join(
        pl.DataFrame({"horizon": horizons}, {"horizon": pl.Int64}), how="cross"
    )
    weeks = grid.with_columns(target_end_date=pl.col("reference_date") + WEEK * pl.col("horizon"))
    found = weeks.join(values.select("target_end_date", "location", observed="value"), on="target_end_date")
    return found.select(*UNIT, "observed").sort(UNIT)


def sort_out(forecasts: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The forecasts that can be scored, and a sentence for each model with others.

    A forecast that lacks a level, has one twice, or whose quantiles fall is left out.

    Returns:
        As `quantiles.complete`, and the sentences.
    """
    whole = complete(forecasts)
    sizes = forecasts.select("model", *UNIT).unique().group_by("model").len("made")
    good = whole.filter(pl.Series(sound(stacked(whole["values"])))) if whole.height else whole
    kept = sizes.join(good.group_by("model").len("kept"), on="model", how="left").with_columns(
        pl.col("kept").fill_null(0)
    )
    lost = kept.filter(pl.col("kept") < pl.col("made")).sort("model")
    notes = [
        f"{name}: {counted(made - left, 'forecast')} of quantiles left out, which lack a level or fall as it rises."
        for name, made, left in lost.iter_rows()
    ]
    return good, notes


def score_quantiles(forecasts: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """The scores of every forecast (as `sort_out` gives them) whose outcome was observed.

    Returns:
        Columns model, reference_date, horizon, location, then those of `SCORES`.
    """
    matched = forecasts.join(observed, on=UNIT).sort("model", *UNIT)
    if matched.is_empty():
        return matched.select("model", *UNIT, *(pl.lit(0.0).alias(name) for name in SCORES))
    values, outcome = stacked(matched["values"]), matched["observed"].to_numpy().astype(np.float64)
    found = {
        "wis": wis(values, _LEVELS, outcome),
        "log_wis": log_wis(values, _LEVELS, outcome),
        "coverage_50": covered(values, _LEVELS, outcome, 0.5).astype(np.float64),
        "coverage_95": covered(values, _LEVELS, outcome, 0.95).astype(np.float64),
    }
    return matched.select("model", *UNIT).with_columns(pl.Series(name, column) for name, column in found.items())


def quantile_board(scored: pl.DataFrame, baseline: str, by: Sequence[str] = ()) -> pl.DataFrame:
    """Mean scores of each model, in each group of `by`, best relative WIS first.

    Returns:
        Columns model, those of `by`, n (forecasts), wis, relative_wis, log_wis, relative_log_wis, coverage_50,
        coverage_95; relative scores are null where the baseline made none of the forecasts.
    """
    own = scored.filter(pl.col("model") == baseline).select(*UNIT, base_wis="wis", base_log_wis="log_wis")
    both = scored.join(own, on=UNIT, how="left")
    shared = pl.col("base_wis").is_not_null()
    ratios = [
        (pl.col(name).filter(shared).sum() / pl.col(f"base_{name}").filter(shared).sum())
        .fill_nan(None)
        .alias(f"relative_{name}")
        for name in ("wis", "log_wis")
    ]
    table = both.group_by("model", *by).agg(pl.len().alias("n"), *(pl.col(name).mean() for name in SCORES), *ratios)
    order = "wis", "relative_wis", "log_wis", "relative_log_wis", "coverage_50", "coverage_95"
    return table.select("model", *by, "n", *order).sort("relative_wis", "wis", "model", nulls_last=True)
