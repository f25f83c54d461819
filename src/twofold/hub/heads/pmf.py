"""From P(change > tau) to the probabilities of the categories, for all heads.

Every head gives P(change > tau) as a decreasing function of tau, so other thresholds need no other model: P(rise) is
tau = 0, the categories are the cuts of a season.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from twofold.hub.distribution import pmf_from
from twofold.hub.examples import Queries
from twofold.hub.growth import ADDED
from twofold.hub.rules import RateChange


@runtime_checkable
class Head(Protocol):
    """A fitted model of how counts change."""

    def exceed(
        self, queries: Queries, tau: Float[np.ndarray, "n horizons cuts"]
    ) -> Float[np.ndarray, "n horizons cuts"]:
        """P(change > tau), tau in cases: decreasing in tau, and 1 where a count would have to fall below 0."""
        ...


def growth_needed(
    base: Float[np.ndarray, "n"], tau: Float[np.ndarray, "n horizons cuts"]
) -> Float[np.ndarray, "n horizons cuts"]:
    """The log growth that a count has to exceed so that it changes by more than tau; least where it would fall to 0."""
    start = base[:, None, None]
    return np.log(np.maximum(start + tau, 0.0) + ADDED) - np.log(start + ADDED)


def certain_below_zero(
    base: Float[np.ndarray, "n"],
    tau: Float[np.ndarray, "n horizons cuts"],
    probability: Float[np.ndarray, "n horizons cuts"],
) -> Float[np.ndarray, "n horizons cuts"]:
    """P(change > tau) as given, 1 where a count would have to fall below 0."""
    return np.where(base[:, None, None] + tau < 0, 1.0, probability)


def pmf_of(head: Head, queries: Queries, rules: RateChange, floor: float) -> Float[np.ndarray, "n horizons categories"]:
    """Probabilities of the categories, for locations whose bases are known.

    Returns:
        Probabilities that sum to 1, each at least the floor.
    """
    pmf = pmf_from(head.exceed(queries, queries.cuts(rules)))
    return floor + (1.0 - floor * pmf.shape[2]) * pmf
