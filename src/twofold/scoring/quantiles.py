"""Scores of forecasts that give quantiles of a number: one value per forecast, not their mean."""

import numpy as np
from jaxtyping import Bool, Float

Quantiles = Float[np.ndarray, "forecasts levels"]
Levels = Float[np.ndarray, "levels"]
Observed = Float[np.ndarray, "forecasts"]
Loss = Float[np.ndarray, "forecasts"]


def sound(quantiles: Quantiles) -> Bool[np.ndarray, "forecasts"]:
    """Whether all values of a forecast are finite, and none falls below that of a lower level."""
    return np.asarray(np.isfinite(quantiles).all(axis=1) & (np.diff(quantiles, axis=1) >= 0).all(axis=1))


def pinball(quantiles: Quantiles, levels: Levels, observed: Observed) -> Quantiles:
    """Quantile loss of each level: the error times the level where the observation lies above, 1 less it below.

    Proper for that quantile. Lower is better; best 0; in the unit of the observations.

    Source:
        Koenker & Bassett (1978), Regression quantiles, Econometrica 46(1).
    """
    error = observed[:, None] - quantiles
    return np.maximum(levels * error, (levels - 1.0) * error)


def wis(quantiles: Quantiles, levels: Levels, observed: Observed) -> Loss:
    """Weighted interval score: twice the mean quantile loss over the levels; with one level of 0.5, the absolute error.

    With levels symmetric about 0.5 it is the weighted mean of interval scores and absolute error, and approaches the
    CRPS as levels are added. Proper. Lower is better; best 0; in the unit of the observations.

    Source:
        Bracher et al. (2021), Evaluating epidemic forecasts in an interval format, PLOS Comput. Biol. 17(2), eq. 2.

    Example:
        >>> wis(np.array([[8.0, 10.0, 14.0]]), np.array([0.25, 0.5, 0.75]), np.array([15.0])).round(3)
        array([3.333])
    """
    return 2.0 * pinball(quantiles, levels, observed).mean(axis=1)


def log_wis(quantiles: Quantiles, levels: Levels, observed: Observed) -> Loss:
    """The weighted interval score of log(1 + x): errors count relative to the level, as growth rates do.

    Source:
        Bosse et al. (2023), Scoring epidemiological forecasts on transformed scales, PLOS Comput. Biol. 19(8).
    """
    return wis(np.log1p(np.maximum(quantiles, 0.0)), levels, np.log1p(observed))


def covered(quantiles: Quantiles, levels: Levels, observed: Observed, share: float) -> Bool[np.ndarray, "forecasts"]:
    """Whether the observation lies in the central interval of this share, its ends included.

    Raises:
        ValueError: when the levels lack an end of the interval.
    """
    low, high = ((1.0 - share) / 2, (1.0 + share) / 2)
    ends = [np.flatnonzero(np.isclose(levels, end)) for end in (low, high)]
    if not all(len(end) for end in ends):
        raise ValueError(f"levels must hold {low:g} and {high:g} for the interval of {share:g}, got {levels.tolist()}")
    bottom, top = (quantiles[:, end[0]] for end in ends)
    return (bottom <= observed) & (observed <= top)
