"""The renewal model as a baseline: P(rise) from the posterior of R, see `counts.renewal`.

A label compares a sum of counts to come with a sum of known ones, so its probability is that with which the renewal
model's count exceeds a threshold. The table does not tell which disease it counts, so of the diseases whose interval is
known the one that predicted the training counts best is taken, and the length of R's window with it. A day's count
has no weekday: what a rhythm of reporting adds is part of the noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from twofold.counts.panel import Increments
from twofold.counts.renewal import (
    INTERVALS,
    ONE_STEP,
    WINDOWS,
    Outlook,
    Posterior,
    best_window,
    infectiousness,
    look_ahead,
    serial_interval,
)
from twofold.trend.config import Target, WindowConfig
from twofold.trend.features import Inputs
from twofold.trend.windows import WEEK

Rows = Int64[np.ndarray, " rows"]


@dataclass(frozen=True)
class Renewal:
    """A fitted renewal model.

    Attributes:
        disease: whose serial interval is used; None for weekly data.
        weeks: in which R is constant.
        dispersion: size of the negative binomial noise.
        zero: share of "up" among windows without a case, from which no count can follow in the model.
        least: probabilities lie between this and one minus this.
    """

    disease: str | None
    weeks: int
    dispersion: float
    zero: float
    least: float

    def predict(self, inputs: Inputs, rows: Rows) -> Float[np.ndarray, " rows"]:
        """P(count to come > count compared with)."""
        threshold = compared(inputs.increments, inputs.window, inputs.region[rows], inputs.origin[rows])
        chance = outlook(inputs, rows, self.disease, self.weeks).exceed(threshold, self.dispersion)
        return np.where(inputs.active[rows], np.clip(chance, self.least, 1.0 - self.least), self.zero)


def fit_renewal(inputs: Inputs, rows: Rows, zero: float) -> Renewal:
    """Fits window, interval and dispersion on the counts to come of the training windows that have a case.

    As in Laplace's rule no probability is below 1 / (n + 2) or above (n + 1) / (n + 2) for n such windows: a case
    from elsewhere, which the model does not know, is never impossible.

    Args:
        inputs: all windows.
        rows: training windows; their labels, so also the counts that these depend on, are known.
        zero: share of "up" among those without a case.
    """
    learned = rows[inputs.active[rows]]
    first, last = ahead(inputs.window.target, inputs.window.horizon)
    counts = np.maximum(inputs.increments.counts, 0)
    observed = sums(counts, inputs.region[learned], inputs.origin[learned] + first, last - first + 1)
    choices = [(disease, weeks) for disease in intervals(inputs.increments) for weeks in WINDOWS]
    outlooks = [outlook(inputs, learned, *choice) for choice in choices]
    chosen, dispersion = best_window(outlooks, observed, np.ones(len(learned)))
    return Renewal(*choices[chosen], dispersion, zero, 1.0 / (len(learned) + 2))


def ahead(target: Target, horizon: int) -> tuple[int, int]:
    """First and last date after the origin of the counts to come that a label compares.

    Dates that both 7-date means of `mean7` hold cancel out.
    """
    if target == "next_day":
        return horizon, horizon
    return (max(1, horizon - WEEK + 1), horizon) if target == "mean7" else (horizon, horizon + WEEK - 1)


def compared(increments: Increments, window: WindowConfig, region: Rows, origin: Rows) -> Float[np.ndarray, " rows"]:
    """The sum of known counts that those of the dates `ahead` must exceed for "up"."""
    first, last = ahead(window.target, window.horizon)
    start = origin if window.target == "next_day" else origin - WEEK + 1
    return sums(increments.counts, region, start, last - first + 1)


def sums(counts: Int64[np.ndarray, "regions dates"], region: Rows, start: Rows, dates: int) -> np.ndarray:
    """Sums of as many dates from `start` on."""
    return counts[region[:, None], start[:, None] + np.arange(dates)].sum(axis=1).astype(np.float64)


def outlook(inputs: Inputs, rows: Rows, disease: str | None, weeks: int) -> Outlook:
    """What the counts up to each window's origin say of those to come."""
    interval = ONE_STEP if disease is None else serial_interval(*INTERVALS[disease])
    counts = np.maximum(inputs.increments.counts, 0).astype(np.float64)
    total = infectiousness(counts, interval)
    region, origin = inputs.region[rows], inputs.origin[rows]
    start = np.maximum(origin - weeks * WEEK // inputs.increments.step_days, -1)
    # A case without any before it, which R can't explain, comes from elsewhere.
    sought = [np.where(total > 0.0, counts, 0.0), total]
    running = [np.pad(part.cumsum(axis=1), ((0, 0), (1, 0))) for part in sought]
    posterior = Posterior.of(*(part[region, origin + 1] - part[region, start + 1] for part in running))
    lags = origin[:, None] + np.arange(1 - len(interval), 1)
    recent = np.where(lags >= 0, counts[region[:, None], np.maximum(lags, 0)], 0.0)
    first, last = ahead(inputs.window.target, inputs.window.horizon)
    return look_ahead(recent, interval, posterior, first, last)


def intervals(increments: Increments) -> Iterator[str | None]:
    """Diseases whose interval may be used; None alone for weekly data, which needs none."""
    yield from INTERVALS if increments.step_days == 1 else [None]
