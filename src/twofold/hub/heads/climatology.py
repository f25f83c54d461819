"""Climatology: the changes of counts at the same time of past seasons, regardless of the present ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.pmf import certain_below_zero, growth_needed

WEEKS_AROUND = 2.0
"""Weeks of a season before and after that of a query whose changes are used."""
_BEFORE_ANY = 1.0  # weight of a change in each direction beyond all observed ones
_SEASON_WEEK = NAMES.index("season_week")


@dataclass(frozen=True)
class Climatology:
    """The changes of past seasons; a head, see `pmf.Head`.

    Attributes:
        week: of the season, from 1 August, of each example.
        growth: log growth at each horizon; NaN where not known.
        weight: of each example.
    """

    week: Float[np.ndarray, "n"]
    growth: Float[np.ndarray, "n horizons"]
    weight: Float[np.ndarray, "n"]

    def exceed(
        self, queries: Queries, tau: Float[np.ndarray, "n horizons cuts"]
    ) -> Float[np.ndarray, "n horizons cuts"]:
        """P(change > tau): the share of past changes of the same weeks whose log growth was larger."""
        needed, weeks = growth_needed(queries.base, tau), queries.inputs[:, -1, _SEASON_WEEK]
        result = np.empty_like(needed)
        for week in np.unique(weeks):
            near = np.abs(self.week - week) <= WEEKS_AROUND
            for horizon in range(tau.shape[1]):
                known = near & np.isfinite(self.growth[:, horizon])
                ordered = np.argsort(self.growth[known, horizon])
                growth, weight = self.growth[known, horizon][ordered], self.weight[known][ordered]
                left = np.concatenate([weight[::-1].cumsum()[::-1], [0.0]]) + _BEFORE_ANY
                rows = weeks == week
                place = np.searchsorted(growth, needed[rows, horizon], side="right")
                result[rows, horizon] = left[place] / (left[0] + _BEFORE_ANY)
        return certain_below_zero(queries.base, tau, result)


def fit_climatology(examples: Examples) -> Climatology:
    """Climatology of the examples."""
    growth = growth_needed(examples.queries.base, examples.change[:, :, None])[:, :, 0]
    return Climatology(examples.week, growth, examples.weight)
