"""A pooled autoregression on fourth roots: the simplest model that a good one must beat."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from twofold.hub.distribution import LEVELS, Distribution
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES as GROWTH
from twofold.hub.heads.quantile import QuantileHead, changes
from twofold.hub.roots import NAMES

_ROOT = len(GROWTH) + NAMES.index("root")


@dataclass(frozen=True)
class Autoregression(QuantileHead):
    """The same line for all places, one for each horizon; residuals give the spread.

    Attributes:
        coefficients: of the roots of the last weeks, the newest last, then of 1.
        quantiles: of the residuals, at `LEVELS`.
    """

    coefficients: Float[np.ndarray, "terms horizons"]
    quantiles: Float[np.ndarray, "horizons levels"]

    def change(self, queries: Queries) -> Distribution:
        """The line's value and the residuals' quantiles around it."""
        centre = _terms(queries) @ self.coefficients
        return Distribution.through(np.array(LEVELS), centre[:, :, None] + self.quantiles)


def fit_autoregression(examples: Examples) -> Autoregression:
    """Fits each horizon's line by weighted least squares."""
    terms, change = _terms(examples.queries), changes(examples)
    lines, spread = [], []
    for horizon in range(change.shape[1]):
        known = np.isfinite(change[:, horizon]) & (examples.weight > 0)
        weight = np.sqrt(examples.weight[known])
        target = change[known, horizon]
        line = np.linalg.lstsq(terms[known] * weight[:, None], target * weight, rcond=None)[0]
        left = target - terms[known] @ line
        lines.append(line)
        spread.append(np.quantile(left, LEVELS, weights=examples.weight[known], method="inverted_cdf"))
    return Autoregression(np.stack(lines, axis=1), np.stack(spread))


def _terms(queries: Queries) -> Float[np.ndarray, "n terms"]:
    """The roots of the last weeks and 1; a week that is not known has the value of the one after it."""
    roots = queries.inputs[:, :, _ROOT].copy()
    for week in range(roots.shape[1] - 2, -1, -1):
        roots[:, week] = np.where(np.isnan(roots[:, week]), roots[:, week + 1], roots[:, week])
    return np.column_stack([roots, np.ones(len(roots))])
