"""Weights and calibration of a pool, learned forecast by forecast from what was known at each origin."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from twofold.trend.calibrate import Calibration, apply_calibration, fit_calibration, identity
from twofold.trend.config import CalibrationConfig

FLOOR = 1e-6
ROUNDS = 200  # of expectation and maximisation; weights move by less than 1e-6 by then


@dataclass(frozen=True)
class Pooled:
    """A pool along a walk.

    Attributes:
        probability: of each window, weighted and calibrated by what was known at its origin.
        weights: of the members, a row for each origin in ascending order.
        calibrations: one for each origin.
    """

    probability: Float[np.ndarray, " windows"]
    weights: Float[np.ndarray, "origins members"]
    calibrations: tuple[Calibration, ...]


def fit_weights(
    members: Float[np.ndarray, "windows members"],
    up: Bool[np.ndarray, " windows"],
    day: Int64[np.ndarray, " windows"],
    prior_days: float,
) -> Float[np.ndarray, " members"]:
    """Weights of a linear pool with the highest log score, drawn towards equal weights.

    Expectation and maximisation of a mixture under a Dirichlet prior: each day counts as one observation, shared by
    its windows, since windows of a day rise and fall together; the prior counts as `prior_days` days that all members
    explain alike.

    Args:
        members: probability of "up" by each member.
        up: what happened.
        day: of each window; only equality matters.
        prior_days: weight of the prior; 0 lets the days decide alone.

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
    likelihood = np.clip(np.where(up[:, None], members, 1 - members), FLOOR, None)
    for _ in range(ROUNDS):
        blame = weights * likelihood
        blame /= blame.sum(axis=1, keepdims=True)
        weights = (prior_days / count + share @ blame) / (prior_days + days)
    return weights


def walk_pool(
    members: Float[np.ndarray, "windows members"],
    up: Bool[np.ndarray, " windows"],
    origin: Int64[np.ndarray, " windows"],
    lookahead: int,
    *,
    learns: Bool[np.ndarray, " windows"],
    config: CalibrationConfig,
    prior_days: float,
) -> Pooled:
    """Pools forecasts in the order of their origins; none sees an outcome that was not known at its origin.

    Args:
        members: probability of "up" by each member.
        up: what happened.
        origin: index of each window's last date seen.
        lookahead: dates after an origin on which its outcome is known.
        learns: windows whose outcomes teach (the active ones).
        config: method and prior of the calibration; it is fitted on earlier forecasts of the pool itself.
        prior_days: as in `fit_weights`.

    """
    raw, probability = np.empty(len(up)), np.empty(len(up))
    weights, calibrations = [], []
    for now in np.unique(origin):
        past, here = learns & (origin + lookahead <= now), origin == now
        weights.append(fit_weights(members[past], up[past], origin[past], prior_days))
        raw[here] = members[here] @ weights[-1]
        days = len(np.unique(origin[past]))
        calibrations.append(
            fit_calibration(config.method, raw[past], up[past], days=days, prior_days=config.prior_days)
            if days
            else identity()
        )
        probability[here] = apply_calibration(calibrations[-1], raw[here])
    return Pooled(probability, np.array(weights).reshape(-1, members.shape[1]), tuple(calibrations))
