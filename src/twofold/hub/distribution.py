"""One distribution of the change for each place and horizon, from which everything that a hub asks is read.

A change is one of the fourth root of the rate (`roots.root`), which is increasing in the count. So one increasing
quantile function of it gives the quantiles of the count, P(change > tau), the categories and P(rise), and none of them
contradicts another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from twofold.hub.roots import counts_of, root

LEVELS = (0.01, 0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99)
"""Levels of the quantiles that the hubs ask for."""
_LEAST_STEP = 1e-8  # between two knots, so that the distribution has no jump and its quantile function an inverse
_TENTH = np.log(10.0)
Levels = Float[np.ndarray, "levels"]
Table = Float[np.ndarray, "n horizons m"]
Knots = Float[np.ndarray, "n horizons knots"]


@dataclass(frozen=True)
class Distribution:
    """Continuous distribution functions, each linear between knots.

    Attributes:
        levels: P(change <= knot), from 0 to 1, non-decreasing.
        knots: changes, non-decreasing.
    """

    levels: Knots
    knots: Knots

    @classmethod
    def through(cls, levels: Levels, values: Table) -> "Distribution":
        """The distribution with the given quantiles, which are sorted where they cross.

        Beyond the outermost levels it has a tail in the shape of an exponential one: with the slope s of the quantiles
        against the logarithm of the tail's probability, between the outermost level a and the one nearest to 5 a, it is
        linear to a knot at the level a / 10, s ln 10 further out, and to one at the level 0, another s ln 10 further.
        There it ends.

        Args:
            levels: increasing, in (0, 1).
            values: the quantiles of these levels.
        """
        ordered = np.sort(values, axis=2)
        low, lower_levels = _tail(levels, ordered)
        high, upper_levels = _tail(1.0 - levels[::-1], -ordered[:, :, ::-1])
        knots = np.concatenate([low, ordered, -high[:, :, ::-1]], axis=2)
        knots = np.maximum.accumulate(knots, axis=2) + _LEAST_STEP * np.arange(knots.shape[2])
        own = np.concatenate([lower_levels, levels, 1.0 - upper_levels[::-1]])
        return cls(np.broadcast_to(own, knots.shape), knots)

    @classmethod
    def pool(cls, parts: Sequence["Distribution"], weights: Sequence[float]) -> "Distribution":
        """The linear pool: its distribution function is the weighted mean of the parts', exact at all their knots."""
        knots = np.sort(np.concatenate([part.knots for part in parts], axis=2), axis=2)
        levels = sum(weight * part.cdf(knots) for weight, part in zip(weights, parts, strict=True)) / sum(weights)
        return cls(np.maximum.accumulate(np.minimum(levels, 1.0), axis=2), knots)

    def __getitem__(self, rows: np.ndarray) -> "Distribution":
        """Some of the places."""
        return Distribution(self.levels[rows], self.knots[rows])

    def cdf(self, change: Table) -> Table:
        """P(change <= given)."""
        return _interpolate(change, self.knots, self.levels, np.less_equal)

    def quantile(self, level: Table) -> Table:
        """The least change whose distribution function reaches a level in [0, 1]."""
        return _interpolate(level, self.levels, self.knots, np.less)


@dataclass(frozen=True)
class CountForecast:
    """Distributions of the counts of some places at some horizons.

    Attributes:
        base: cases in the newest week, as they are expected to become.
        population: persons.
        change: of the fourth root of the rate since then.
    """

    base: Float[np.ndarray, "n"]
    population: Float[np.ndarray, "n"]
    change: Distribution

    def __getitem__(self, rows: np.ndarray) -> "CountForecast":
        """Some of the places."""
        return CountForecast(self.base[rows], self.population[rows], self.change[rows])

    def quantiles(self, levels: Sequence[float] = LEVELS) -> Table:
        """Quantiles of the counts: at least 0, non-decreasing in the level."""
        asked = np.broadcast_to(np.asarray(levels), (*self.change.knots.shape[:2], len(levels)))
        start, persons = self._start(asked)
        return counts_of(start + self.change.quantile(asked), persons)

    def exceed(self, tau: Table) -> Table:
        """P(change in cases > tau): 1 where the count would have to fall below 0."""
        start, persons = self._start(tau)
        reached = self.base[:, None, None] + tau
        return np.where(reached < 0, 1.0, 1.0 - self.change.cdf(root(reached, persons) - start))

    def _start(self, like: Table) -> tuple[Table, Table]:
        persons = np.broadcast_to(self.population[:, None, None], like.shape)
        return root(np.broadcast_to(self.base[:, None, None], like.shape), persons), persons


def pmf_from(exceed: Float[np.ndarray, "n horizons cuts"]) -> Float[np.ndarray, "n horizons categories"]:
    """Probabilities of the categories between ascending cuts, from P(change > cut); they sum to 1."""
    above = np.minimum.accumulate(np.clip(exceed, 0.0, 1.0), axis=2)
    edge = np.ones((*above.shape[:2], 1))
    return -np.diff(np.concatenate([edge, above, 0.0 * edge], axis=2), axis=2)


def _tail(levels: Levels, ordered: Table) -> tuple[Float[np.ndarray, "n horizons 2"], Float[np.ndarray, "2"]]:
    """Knots below the lowest level, and their levels."""
    near = int(np.argmin(np.abs(np.log(levels / levels[0]) - np.log(5.0)))) or 1
    slope = (ordered[:, :, [near]] - ordered[:, :, [0]]) / np.log(levels[near] / levels[0])
    return ordered[:, :, [0]] - slope * _TENTH * np.array([2.0, 1.0]), np.array([0.0, levels[0] / 10])


def _interpolate(at: Table, x: Knots, y: Knots, before: np.ufunc) -> Table:
    """Linear interpolation in each row, non-decreasing without exception; y's ends beyond those of x.

    `before` tells whether a knot lies before a point: with `less_equal` the piece to its right is taken at a knot.
    """
    place = before(x[..., :, None], at[..., None, :]).sum(axis=-2)
    left, right = np.maximum(place - 1, 0), np.minimum(place, x.shape[-1] - 1)
    x0, x1, y0, y1 = (np.take_along_axis(of, side, axis=-1) for of in (x, y) for side in (left, right))
    share = np.where(x1 > x0, (at - x0) / np.where(x1 > x0, x1 - x0, 1.0), 0.0)
    return np.where(place == 0, y[..., :1], np.minimum(y0 + (y1 - y0) * share, y1))
