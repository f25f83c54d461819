"""Weights and calibration of a pool, fitted at each origin on the outcomes known there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from twofold.trend.calibrate import Calibration, apply_calibration, fit_calibration, identity
from twofold.trend.config import CalibrationConfig

ROUNDS = 200  # EM iterations; the last changes weights by less than 1e-6


@dataclass(frozen=True)
class Pooled:
    """The pool of a backtest.

    Attributes:
        probability: of each window, weighted and calibrated.
        weights: of the members at each origin, in ascending order.
        calibrations: one per origin.
    """

    probability: Float[np.ndarray, " windows"]
    weights: Float[np.ndarray, "origins members"]
    calibrations: tuple[Calibration, ...]


def fit_mixture_weights(
    members: Float[np.ndarray, "windows members"],
    up: Bool[np.ndarray, " windows"],
    day: Int64[np.ndarray, " windows"],
    prior_days: float,
) -> Float[np.ndarray, " members"]:
    """Weights of the linear pool with the best log score, shrunk towards equal weights.

    Expectation-maximisation for mixture weights under a symmetric Dirichlet prior. The windows of a day are correlated,
    so together they count as one observation; the prior counts as `prior_days` days.

    Args:
        members: probability of "up" by each member.
        up: labels.
        day: of each window; only equality matters.
        prior_days: weight of the prior; 0: maximum likelihood.

    Source:
        Dempster, Laird & Rubin (1977), section 4.3 (mixtures); Raftery et al. (2005), Using Bayesian model averaging
        to calibrate forecast ensembles, Mon. Weather Rev. 133, eq. 5 to 7.
    """
    count = members.shape[1]
    weights = np.full(count, 1 / count)
    if not len(up):
        return weights
    _, place, sizes = np.unique(day, return_inverse=True, return_counts=True)
    share, days = 1 / sizes[place], len(sizes)
    likelihood = np.clip(np.where(up[:, None], members, 1 - members), 1e-6, None)
    for _ in range(ROUNDS):
        responsibility = weights * likelihood
        responsibility /= responsibility.sum(axis=1, keepdims=True)
        weights = (prior_days / count + share @ responsibility) / (prior_days + days)
    return weights


def walk_pool(
    members: Float[np.ndarray, "windows members"],
    up: Bool[np.ndarray, " windows"],
    origin: Int64[np.ndarray, " windows"],
    lookahead: int,
    *,
    usable: Bool[np.ndarray, " windows"],
    config: CalibrationConfig,
    prior_days: float,
) -> Pooled:
    """Pools forecasts in the order of their origins, each with the outcomes known at its origin alone.

    Args:
        members: probability of "up" by each member.
        up: labels.
        origin: index of each window's last date seen.
        lookahead: dates after an origin on which its label is known.
        usable: windows on which weights and calibration may be fitted (the active ones).
        config: method and prior of the calibration, which is fitted on the pool's earlier forecasts.
        prior_days: as in `fit_mixture_weights`.
    """
    raw, probability = np.empty(len(up)), np.empty(len(up))
    weights, calibrations = [], []
    for now in np.unique(origin):
        past, here = usable & (origin + lookahead <= now), origin == now
        weights.append(fit_mixture_weights(members[past], up[past], origin[past], prior_days))
        raw[here] = members[here] @ weights[-1]
        days = len(np.unique(origin[past]))
        calibrations.append(
            fit_calibration(config.method, raw[past], up[past], days=days, prior_days=config.prior_days)
            if days
            else identity()
        )
        probability[here] = apply_calibration(calibrations[-1], raw[here])
    return Pooled(probability, np.array(weights).reshape(-1, members.shape[1]), tuple(calibrations))
