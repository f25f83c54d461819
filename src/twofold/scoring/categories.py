"""Scores of forecasts that give each of several ordered categories a probability.

A score is one value per forecast, not their mean, since tables by model, horizon, place and date are means of the same
values. The ranked probability score decides comparisons: it alone takes the order of the categories into account.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Pmf = Float[np.ndarray, "forecasts categories"]
Observed = Int[np.ndarray, "forecasts"]
Loss = Float[np.ndarray, "forecasts"]

LOG_FLOOR = float(np.exp(-10.0))
"""The log score raises smaller probabilities to this, so that one certain error costs 10 nats and not infinity."""
SUM_TOLERANCE = 1e-3
"""Largest deviation of a forecast's sum from 1 that counts as rounding; it is scored unchanged."""


class Fault(NamedTuple):
    """The first invalid row, counted from 0, and the rule that it violates."""

    row: int
    rule: str


def fault_of(pmf: Pmf, observed: Observed) -> Fault | None:
    """The first fault of a set of forecasts.

    Returns:
        None if every probability lies in [0, 1], every row adds up to 1 and every index is that of a category.
    """
    total = pmf.sum(axis=1)
    for broken, rule in (
        (~((pmf >= 0.0) & (pmf <= 1.0)).all(axis=1), "probabilities must lie in [0, 1]"),
        (~(np.abs(total - 1.0) <= SUM_TOLERANCE), f"probabilities must add up to 1 within {SUM_TOLERANCE:g}"),
        ((observed < 0) | (observed >= pmf.shape[1]), f"the observed category must lie in [0, {pmf.shape[1] - 1}]"),
    ):
        if broken.any():
            row = int(np.argmax(broken))
            return Fault(row, f"{rule}, got {pmf[row].tolist()} and category {observed[row]}")
    return None


def rps(pmf: Pmf, observed: Observed) -> Loss:
    """Ranked probability score: squared differences of the two cumulative distributions, summed over the cut points.

    Strictly proper; sensitive to distance: probability one category off costs less than probability far off. Lower is
    better; best 0, worst the number of categories less 1 (4 for five), which is not divided out.

    Source:
        Epstein (1969), A scoring system for probability forecasts of ranked categories, J. Appl. Meteorol. 8(6); in
        the quadratic form of Murphy (1971), A note on the ranked probability score, ibid. 10(1).

    Example:
        >>> rps(np.array([[0.1, 0.2, 0.4, 0.2, 0.1]]), np.array([2])).round(2)
        array([0.2])
    """
    cuts = np.arange(pmf.shape[1] - 1)
    reached = (observed[:, None] <= cuts).astype(np.float64)
    return ((pmf.cumsum(axis=1)[:, :-1] - reached) ** 2).sum(axis=1)


def brier_score(pmf: Pmf, observed: Observed) -> Loss:
    """Squared differences of probability and outcome (0 or 1), summed over the categories.

    Strictly proper; ignores the order of the categories. Lower is better; best 0, worst 2.

    Source:
        Brier (1950), Verification of forecasts expressed in terms of probability, Mon. Weather Rev. 78(1), equation 2.
    """
    happened = np.take_along_axis(pmf, observed[:, None], axis=1)[:, 0]
    return (pmf**2).sum(axis=1) - 2.0 * happened + 1.0


def log_score(pmf: Pmf, observed: Observed) -> Loss:
    """Negative log probability of the outcome, in nats, the probability being at least e^-10.

    Strictly proper but for that floor. Lower is better; best 0, worst 10.

    Source:
        Good (1952), Rational decisions, J. R. Stat. Soc. B 14(1).
    """
    happened = np.take_along_axis(pmf, observed[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(happened, LOG_FLOOR))


def accuracy(pmf: Pmf, observed: Observed) -> Loss:
    """1 if the most probable category happened, else 0; k categories that share the highest probability count 1/k.

    Not proper. Higher is better; best 1, worst 0; compare it with the share of the commonest category only.
    """
    highest = pmf == pmf.max(axis=1, keepdims=True)
    called = np.take_along_axis(highest, observed[:, None], axis=1)[:, 0]
    return called / highest.sum(axis=1)


def rise(pmf: Pmf) -> Loss:
    """P(rise): the probability of all categories above the middle one."""
    return np.minimum(pmf[:, pmf.shape[1] // 2 + 1 :].sum(axis=1), 1.0)


def rose(observed: Observed, categories: int) -> Bool[np.ndarray, "forecasts"]:
    """Whether the outcome lies above the middle category: the label of `rise`."""
    return observed > categories // 2


PAGES: dict[str, Callable[[Pmf, Observed], Loss]] = {
    page.__name__: page for page in (rps, brier_score, log_score, accuracy)
}
"""Score's name -> its function, in the order of every table."""
