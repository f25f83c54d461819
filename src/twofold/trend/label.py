"""What "up" means: from increments to one boolean for each region and origin.

All targets compare a sum that ends `horizon` dates after the origin t with one that ends at t; a tie is not up.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from twofold.trend.config import Target

WEEK = 7


@dataclass(frozen=True)
class Labels:
    """Labels of every origin for which the counts are known.

    Attributes:
        up: label of each region and origin.
        tie: both sides of the comparison are equal; such a window is labelled "not up".
        first: index of the increment that is the first origin; column j belongs to origin `first + j`.
        lookahead: dates after the origin that the label needs.
    """

    up: Bool[np.ndarray, "regions origins"]
    tie: Bool[np.ndarray, "regions origins"]
    first: int
    lookahead: int


def reach(target: Target, horizon: int) -> tuple[int, int]:
    """Dates that a label needs before and after its origin.

    Args:
        target: `next_day`, `mean7` or `sum7`.
        horizon: dates from the origin to the (first) target date, >= 1.

    Returns:
        (lookback, lookahead) in dates; the origin itself is not counted.
    """
    lookback = 0 if target == "next_day" else WEEK - 1
    lookahead = horizon + WEEK - 1 if target == "sum7" else horizon
    return lookback, lookahead


def label(counts: Int64[np.ndarray, "regions dates"], target: Target, horizon: int) -> Labels:
    """Labels all origins of all regions.

    Args:
        counts: increments.
        target: `next_day`: x[t+h] > x[t]. `mean7`: the 7-date mean that ends at t+h exceeds the one that ends at t;
            for h = 1 that is x[t+1] > x[t-6]. `sum7`: the sum of the 7 dates from t+h on exceeds that of the 7 up to t.
        horizon: h, in dates.

    Returns:
        The labels; no origin when the series is too short.
    """
    lookback, lookahead = reach(target, horizon)
    width = 1 if target == "next_day" else WEEK
    origins = max(0, counts.shape[1] - lookback - lookahead)
    total = np.concatenate([np.zeros((len(counts), 1), dtype=counts.dtype), counts.cumsum(axis=1)], axis=1)
    sums = total[:, width:] - total[:, :-width]  # sums[:, j] ends at increment j + width - 1
    now, then = sums[:, :origins], sums[:, lookahead : lookahead + origins]
    return Labels(then > now, then == now, lookback, lookahead)
