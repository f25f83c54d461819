"""Expected revisions of the last weeks' counts by late reports: fitted on past versions, applied to the newest.

A count that will be raised by a tenth a week later looks like a fall when it is new. So forecasts start from the
expected final counts of the last weeks.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from jaxtyping import Float

from twofold.hub.rules import WEEK
from twofold.hub.vintages import Grid, Versions, grid_of

LAGS = 3
"""Newest weeks that are corrected."""
LOOK_BACK = 10
"""Weekly versions that are used."""
DECAY_WEEKS = 6.0
"""Weeks of age over which the weight of a version falls by a factor of e."""
PRIOR = 1.0
"""Weight of "no revision"; the newest version has weight 1."""


def fit_revisions(versions: Versions, deadline: datetime, left_out: Sequence[str] = ()) -> Float[np.ndarray, "lags"]:
    """Logarithms of the factors by which the newest weeks' counts are expected to grow, the newest week first.

    The chain ladder of insurance and of nowcasting: between two versions a week apart the count of the week that was
    then the k-th newest grew by a factor; the median of its logarithms over past versions, added up over k, leads from
    a first report to the final count. All locations are added up: a single one's revisions are mostly noise. It is a
    median since a hub may publish a wrong table for a week: a mean would carry that mistake on for ten. Only versions
    before the deadline are used; locations that are sums of others are left out.

    Returns:
        One logarithm per lag; 0 where nothing is known of revisions.

    Source:
        Mack (1993), Distribution-free calculation of the standard error of chain ladder reserve estimates, ASTIN
        Bulletin 23(2), equation 3, with a weighted median in place of the ratio of sums: weights fade, and "no
        development" has one of its own.
    """
    tables = [versions.before(deadline - age * WEEK) for age in range(LOOK_BACK + 1)]
    grids = [None if table.is_empty() else grid_of(table) for table in tables]
    steps, weights = [np.zeros(LAGS)], [PRIOR]
    for age, (new, old) in enumerate(itertools.pairwise(grids)):
        if new is None or old is None or new.dates[-1] - old.dates[-1] != np.timedelta64(WEEK.days):
            continue
        steps.append(np.array([_growth(old, new, lag, left_out) for lag in range(LAGS)]))
        weights.append(np.exp(-age / DECAY_WEEKS))
    medians = [_median(column, np.array(weights)) for column in np.array(steps).T]
    return np.array(medians)[::-1].cumsum()[::-1]


def apply_revisions(grid: Grid, factors: Float[np.ndarray, "lags"]) -> Grid:
    """A version's counts as they are expected to become, by the factors that `fit_revisions` gives."""
    values = grid.values.copy()
    lags = min(len(factors), values.shape[1])
    values[:, values.shape[1] - lags :] *= np.exp(factors[:lags][::-1])
    return grid._replace(values=values)


def _growth(old: Grid, new: Grid, lag: int, left_out: Sequence[str]) -> float:
    """Logarithm of the ratio of all locations' counts, in two versions, of the old one's week of this lag."""
    if lag >= len(old.dates):
        return 0.0
    week = old.dates[-1 - lag]
    before, after = _week(old, week), _week(new, week)
    both = [
        (before[name], after[name])
        for name in sorted(before.keys() & after.keys())  # a set's order is another one in every process
        if name not in left_out and np.isfinite(before[name] + after[name])
    ]
    if not both:
        return 0.0
    earlier, later = np.sum(both, axis=0)
    return float(np.log1p(later) - np.log1p(earlier))


def _median(values: Float[np.ndarray, "n"], weights: Float[np.ndarray, "n"]) -> float:
    """Weighted median; midway where half of the weight lies on either side."""
    order = np.argsort(values)
    ordered, below = values[order], weights[order].cumsum()
    half = below[-1] / 2
    lower, upper = np.searchsorted(below, half), np.searchsorted(below, half, side="right")
    return float(ordered[lower] + ordered[upper]) / 2


def _week(grid: Grid, week: np.datetime64) -> dict[str, float]:
    column = np.flatnonzero(grid.dates == week)
    return dict(zip(grid.locations, grid.values[:, column[0]].tolist(), strict=True)) if len(column) else {}
