"""How far recent counts lie above what the target compares with, and how fast the context's regions grow.

Every value at date d is a function of counts up to d.
"""

import numpy as np
from jaxtyping import Bool, Float, Int64

from twofold.trend.config import Target
from twofold.trend.window import activity

WEEK = 7
SHORT = 3
HALF_LIFE = 2.0  # dates; of the fading mean
STEEPEST = 3.0  # log growth in a week is clipped to this, a factor of 20
FEWEST = 0.5  # added to a mean before its logarithm is taken

Counts = Int64[np.ndarray, "regions dates"]
Channel = Float[np.ndarray, "regions dates"]


def trailing_mean(counts: np.ndarray, width: int) -> Channel:
    """Mean over the `width` dates that end at each date; over fewer at the series' beginning."""
    total = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1, dtype=np.float64)], axis=1)
    stop = np.arange(1, counts.shape[1] + 1)
    start = np.maximum(stop - width, 0)
    return (total[:, stop] - total[:, start]) / (stop - start)


def reference(counts: Counts, target: Target, horizon: int) -> Channel:
    """What new counts have to exceed, per date: x[t] (`next_day`), else the mean of the dates that leave the sum.

    Args:
        counts: increments; negative ones count as 0.
        target: as in `label`.
        horizon: h, in dates.

    Returns:
        For `mean7` and h = 1 that is x[t-6]; dates before the first are taken as 0.
    """
    known = np.maximum(counts, 0)
    if target == "next_day":
        return known.astype(np.float64)
    leaving = WEEK if target == "sum7" else min(horizon, WEEK)
    return _before(trailing_mean(known, leaving), WEEK - leaving)


def reference_gaps(counts: Counts, target: Target, horizon: int) -> list[Channel]:
    """(m - r) / sqrt(m + r + 1) for three levels m against the reference r: about standard deviations for Poisson.

    Args:
        counts: increments; negative ones count as 0.
        target: as in `label`.
        horizon: in dates.

    Returns:
        The gaps of the mean over 3 dates, over 7, and of the mean in which a date's weight halves every 2 dates.
    """
    known, compared = np.maximum(counts, 0), reference(counts, target, horizon)
    levels = trailing_mean(known, SHORT), trailing_mean(known, WEEK), _fading_mean(known)
    return [(level - compared) / np.sqrt(level + compared + 1) for level in levels]


def median_growth(counts: Counts, known: Bool[np.ndarray, " regions"]) -> Float[np.ndarray, " dates"]:
    """Median over the context's active regions of the log growth of the 7-date mean against 7 dates before.

    Args:
        counts: increments; negative ones count as 0.
        known: the context's regions.

    Returns:
        One value a date, in [-3, 3]; 0 on dates on which no region of the context is active.
    """
    week = trailing_mean(np.maximum(counts, 0), WEEK)
    before = np.concatenate([np.repeat(week[:, :1], WEEK, axis=1), week], axis=1)[:, : week.shape[1]]
    growth = np.clip(np.log((week + FEWEST) / (before + FEWEST)), -STEEPEST, STEEPEST)
    active = activity(counts, WEEK) & known[:, None]
    return np.array(
        [np.median(growth[active[:, date], date]) if active[:, date].any() else 0.0 for date in range(counts.shape[1])]
    )


def _before(values: Channel, dates: int) -> Channel:
    return np.concatenate([np.zeros((len(values), dates)), values], axis=1)[:, : values.shape[1]]


def _fading_mean(counts: Counts) -> Channel:
    keep = 0.5 ** (1 / HALF_LIFE)
    total, weight = np.zeros(len(counts)), 0.0
    mean = np.empty(counts.shape)
    for date in range(counts.shape[1]):
        total, weight = keep * total + counts[:, date], keep * weight + 1
        mean[:, date] = total / weight
    return mean
