"""Judgements on the results of a backtest: which model is better, and which dates show the phases of the season."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

Reading = Literal["better", "worse", "unclear"]
Phase = Literal["rise", "peak", "fall"]
Honesty = Literal["right", "narrow", "wide"]


def reading(difference: Mapping[str, Any]) -> Reading:
    """What a difference of RPS (below 0 favours us) and its interval say.

    Example:
        >>> reading({"low": -0.03, "high": -0.01}), reading({"low": -0.03, "high": 0.01})
        ('better', 'unclear')
    """
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high:
        return "unclear"
    return "better" if high < 0 else "worse"


def honesty(coverage_50: float, coverage_95: float) -> Honesty:
    """Whether central intervals hold about as many outcomes as they claim: 42 to 58 and 90 to 98 %, else which way not.

    The wider interval decides where the two disagree: it is the one that plans are made on.

    Example:
        >>> honesty(0.47, 0.93), honesty(0.38, 0.93), honesty(0.6, 0.87)
        ('right', 'narrow', 'narrow')
    """
    if coverage_95 < 0.9 or (coverage_50 < 0.42 and coverage_95 <= 0.98):
        return "narrow"
    return "wide" if coverage_95 > 0.98 or coverage_50 > 0.58 else "right"


def phases(happened: pl.DataFrame, middle: int) -> dict[Phase, dt.date]:
    """The reference dates at which most places rose (before the peak), most was counted, and most fell (after it).

    Args:
        happened: reference_date, observed (index of the category), base (count in the week before).
        middle: index of the stable category.
    """
    days = happened.group_by("reference_date").agg(
        rose=(pl.col("observed") > middle).mean(), fell=(pl.col("observed") < middle).mean(), base=pl.col("base").sum()
    )
    if days.is_empty():
        return {}

    def most(rows: pl.DataFrame, column: str) -> dt.date:
        return rows.sort(column, "reference_date", descending=[True, False])["reference_date"][0]

    peak = most(days, "base")
    before, after = days.filter(pl.col("reference_date") < peak), days.filter(pl.col("reference_date") > peak)
    found: dict[Phase, dt.date] = {"rise": most(before, "rose")} if before.height else {}
    found["peak"] = peak
    if after.height:
        found["fall"] = most(after, "fell")
    return found
