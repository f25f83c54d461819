"""The renewal model as a baseline: P(rise) from the posterior of R, see `counts.renewal`.

A label compares a sum of counts to come with a sum of known ones, so its probability is that with which the renewal
model's count exceeds a threshold. The table does not tell which disease it counts. So of the diseases whose interval is
known that one is taken with which the training labels had the best log score, and with it the length of R's window, and
whether a region's reports have a weekly rhythm.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int64

from twofold.counts.renewal import (
    INTERVALS,
    ONE_STEP,
    WINDOWS,
    Outlook,
    Posterior,
    fit_dispersion,
    infectiousness,
    look_ahead,
    serial_interval,
    spread_out,
    weekly_rhythm,
)
from twofold.scoring.binary import log_score
from twofold.trend.config import Target
from twofold.trend.features import Inputs
from twofold.trend.windows import WEEK, laplace_rate

_AT_ONCE = 500_000  # windows whose past is written out
Rows = Int64[np.ndarray, " rows"]
Values = Float[np.ndarray, " rows"]


@dataclass(frozen=True)
class Renewal:
    """A fitted renewal model.

    Attributes:
        disease: whose serial interval is used; None for weekly data.
        weeks: in which R is constant.
        rhythm: whether the day of the week matters.
        dispersion: size of the negative binomial noise.
        zero: share of "up" among windows without a case.
        none: that among those with a case from which, in the model, none can follow.
        least: probabilities lie between this and one minus this.
    """

    disease: str | None
    weeks: int
    rhythm: bool
    dispersion: float
    zero: float
    none: float
    least: float

    def predict(self, inputs: Inputs, rows: Rows) -> Values:
        """P(counts to come > counts compared with)."""
        found = [np.zeros(0)]
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            expected = Past(inputs, some, self.disease).outlook(self.weeks, self.rhythm)
            found.append(np.where(inputs.active[some], self.rise(expected, compared(inputs, some)), self.zero))
        return np.concatenate(found)

    def rise(self, expected: Outlook, threshold: Values) -> Values:
        """As `predict`, for windows with a case."""
        chance = np.clip(expected.exceed(threshold, self.dispersion), self.least, 1.0 - self.least)
        return np.where(expected.mean > 0.0, chance, self.none)


def fit_renewal(inputs: Inputs, up: Bool[np.ndarray, " windows"], rows: Rows) -> Renewal:
    """Fits the model on the training windows that have a case: the noise on their counts, all else on their labels.

    As in Laplace's rule no probability is below 1 / (n + 2) or above (n + 1) / (n + 2) for n such windows: a case
    from elsewhere, which the model does not know, is never impossible.

    Args:
        inputs: all windows.
        up: their labels.
        rows: training windows; their labels, so also the counts that these depend on, are known.
    """
    active = rows[inputs.active[rows]]
    learned = spread_out(active)
    first, last = ahead(inputs.window.target, inputs.window.horizon)
    counts = np.maximum(inputs.increments.counts, 0)
    observed = sums(counts, inputs.region[learned], inputs.origin[learned] + first, last - first + 1)
    threshold, zero = compared(inputs, learned), laplace_rate(up[rows][~inputs.active[rows]])
    weekly = inputs.increments.step_days == WEEK
    found: list[tuple[float, Renewal]] = []
    for disease in (None,) if weekly else INTERVALS:
        past = Past(inputs, learned, disease)
        for weeks, rhythm in product(WINDOWS, (False,) if weekly else (False, True)):
            expected = past.outlook(weeks, rhythm)
            dispersion, _ = fit_dispersion(expected, observed, np.ones(len(learned)))
            none = laplace_rate(up[learned][expected.mean == 0.0])
            model = Renewal(disease, weeks, rhythm, dispersion, zero, none, 1.0 / (len(active) + 2))
            given = model.rise(expected, threshold)
            found.append((log_score(given, up[learned]) if len(learned) else 0.0, model))
    return min(found, key=lambda one: one[0])[1]


def ahead(target: Target, horizon: int) -> tuple[int, int]:
    """First and last date after the origin of the counts to come that a label compares.

    Dates that both 7-date means of `mean7` hold cancel out.
    """
    if target == "next_day":
        return horizon, horizon
    return (max(1, horizon - WEEK + 1), horizon) if target == "mean7" else (horizon, horizon + WEEK - 1)


def compared(inputs: Inputs, rows: Rows) -> Values:
    """The sum of known counts that those of the dates `ahead` must exceed for "up"."""
    first, last = ahead(inputs.window.target, inputs.window.horizon)
    back = 0 if inputs.window.target == "next_day" else WEEK - 1
    return sums(inputs.increments.counts, inputs.region[rows], inputs.origin[rows] - back, last - first + 1)


def sums(counts: Int64[np.ndarray, "regions dates"], region: Rows, start: Rows, dates: int) -> Values:
    """Sums of as many dates from `start` on."""
    return counts[region[:, None], start[:, None] + np.arange(dates)].sum(axis=1).astype(np.float64)


class Past:
    """Counts and total infectiousness up to the origins of some windows; negative increments count as 0.

    Args:
        inputs: all windows.
        rows: those meant.
        disease: whose interval is used; None: that of weekly data.
    """

    def __init__(self, inputs: Inputs, rows: Rows, disease: str | None) -> None:
        self.interval = ONE_STEP if disease is None else serial_interval(*INTERVALS[disease])
        self.region, self.origin = inputs.region[rows], inputs.origin[rows]
        self.dates = ahead(inputs.window.target, inputs.window.horizon)
        self.step = inputs.increments.step_days
        counts = np.maximum(inputs.increments.counts, 0).astype(np.float64)
        total = infectiousness(counts, self.interval)
        self.recent = self._last(counts, len(self.interval))
        # A case without any before it, which R can't explain, comes from elsewhere.
        self.sought = np.where(total > 0.0, counts, 0.0), total

    def outlook(self, weeks: int, rhythm: bool) -> Outlook:
        """What it says of the counts to come, for a window of R of so many weeks, with or without a weekly rhythm."""
        window = (self._last(part, weeks * WEEK // self.step).sum(axis=1) for part in self.sought)
        reported = weekly_rhythm(*(self._last(part, 4 * WEEK) for part in self.sought)) if rhythm else None
        return look_ahead(self.recent, self.interval, Posterior.of(*window), self.dates, reported)

    def _last(self, values: Float[np.ndarray, "regions dates"], dates: int) -> Float[np.ndarray, "rows last"]:
        """Values of as many dates up to each origin; 0 before the first."""
        at = self.origin[:, None] + np.arange(1 - dates, 1)
        return np.where(at >= 0, values[self.region[:, None], np.maximum(at, 0)], 0.0)
