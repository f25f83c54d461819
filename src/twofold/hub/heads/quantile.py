"""Heads that give the whole distribution of the change: what they have in common."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from twofold.hub.distribution import LEVELS, CountForecast, Distribution
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES as GROWTH
from twofold.hub.roots import root


class QuantileHead(ABC):
    """A fitted model of the distribution of the change; also a head of categories, see `pmf.Head`."""

    @abstractmethod
    def change(self, queries: Queries) -> Distribution:
        """The distribution of the change of the fourth root at each horizon."""

    def exceed(
        self, queries: Queries, tau: Float[np.ndarray, "n horizons cuts"]
    ) -> Float[np.ndarray, "n horizons cuts"]:
        """P(change > tau), from the distribution."""
        return CountForecast(queries.base, queries.population, self.change(queries)).exceed(tau)


def inputs_of(queries: Queries) -> Float[np.ndarray, "n weeks inputs"]:
    """The inputs of `roots.NAMES`."""
    return queries.inputs[:, :, len(GROWTH) :]


def changes(examples: Examples) -> Float[np.ndarray, "n horizons"]:
    """How the fourth root of the rate changed; NaN where not known."""
    shape = examples.change.shape
    base = np.broadcast_to(examples.queries.base[:, None], shape)
    population = np.broadcast_to(examples.queries.population[:, None], shape)
    return root(base + examples.change, population) - root(base, population)


def between(
    levels: Float[np.ndarray, "levels"], values: Float[np.ndarray, "n horizons levels"]
) -> Float[np.ndarray, "n horizons all"]:
    """Quantiles of all `LEVELS` from those of some: linear in the normal scores of the levels.

    Linear in the levels themselves would widen the shoulders between two distant levels.
    """
    score, asked = norm.ppf(levels), norm.ppf(LEVELS)
    left = np.clip(np.searchsorted(score, asked, side="right") - 1, 0, len(levels) - 2)
    share = (asked - score[left]) / (score[left + 1] - score[left])
    return values[:, :, left] * (1.0 - share) + values[:, :, left + 1] * share
