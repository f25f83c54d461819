"""The runs of a sweep by weight, and in the rate-distortion plane: points, secants, the best bound."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from twofold.vae.diagnosis import Scores

LEAST_STEP = 0.1
"""Difference in rate, nats, below which two weights have no slope between them."""


@dataclass(frozen=True)
class Weight:
    """All runs with one weight of the KL term.

    Attributes:
        beta: the weight.
        runs: scores.json of each run, in the order of the sweep's seeds.
    """

    beta: float
    runs: tuple[Scores, ...]

    @property
    def name(self) -> str:
        """Its name on the page."""
        return f"beta {self.beta:g}"

    def values(self, key: str, block: str = "test") -> list[float]:
        """One score of a block of scores.json, one value per seed, undefined ones left out."""
        return [float(run[block][key]) for run in self.runs if run[block][key] is not None]

    def mean(self, key: str, block: str = "test") -> float:
        """Mean over seeds; NaN where no run has the score."""
        return spread(self.values(key, block))[0]

    @property
    def capped(self) -> bool:
        """Whether the estimate of I(x;z) is at its cap in any run."""
        return any(run["test"]["mi_at_cap"] for run in self.runs)

    @property
    def bounds(self) -> list[float]:
        """Importance-weighted bound of each run on all test images, nats.

        It is measured on a subset; its gain on the negative ELBO there is subtracted from the negative ELBO of all, so
        that the choice of the subset does not shift it.
        """
        names = ("negative_elbo_nats", "iw_negative_elbo_nats", "iw_bound_nats")
        return [elbo - (loose - tight) for elbo, loose, tight in zip(*map(self.values, names), strict=True)]

    @property
    def bound(self) -> float:
        """Mean of `bounds` over seeds."""
        return float(np.mean(self.bounds))


@dataclass(frozen=True)
class Secant:
    """The line through the points of two neighbouring weights.

    If both runs are optimal for their weight, its slope lies between minus the one and minus the other: each point is
    then no worse under its own weight than the other point.

    Attributes:
        low: the smaller weight.
        high: the larger one.
        slopes: dD/dR of each seed, None where the rates differ by less than `LEAST_STEP`.
        slope: that of the means over seeds.
    """

    low: float
    high: float
    slopes: tuple[float | None, ...]
    slope: float | None

    @property
    def inside(self) -> bool | None:
        """Whether the slope of the means is one that two optimal runs can have; None without a slope."""
        return None if self.slope is None else -self.high <= self.slope <= -self.low

    @property
    def seeds_inside(self) -> int:
        """How many seeds have such a slope."""
        return sum(slope is not None and -self.high <= slope <= -self.low for slope in self.slopes)


def weights(runs: Sequence[Mapping[str, Any]]) -> list[Weight]:
    """The runs of sweep.json by their weight, smallest first."""
    betas = sorted({run["beta"] for run in runs})
    return [Weight(beta, tuple(run["scores"] for run in runs if run["beta"] == beta)) for beta in betas]


def means(grid: Sequence[Weight], key: str, block: str = "test") -> list[float]:
    """Mean over seeds of one score, by weight."""
    return [weight.mean(key, block) for weight in grid]


def deviations(grid: Sequence[Weight], key: str) -> list[float]:
    """Standard deviation over seeds of one score on test images, by weight."""
    return [spread(weight.values(key))[1] for weight in grid]


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds, NaN where there are none and fewer than two."""
    mean = float(np.mean(values)) if values else math.nan
    return mean, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def secants(grid: Sequence[Weight]) -> list[Secant]:
    """One per pair of neighbouring weights."""
    found = []
    for low, high in pairwise(grid):
        after = {run["seed"]: run for run in high.runs}
        pairs = [(run, after[run["seed"]]) for run in low.runs if run["seed"] in after]  # a seed may have diverged
        slopes = tuple(_slope(*(np.array([run["test"][key] for run in pair]) for key in _AXES)) for pair in pairs)
        middle = _slope(*(np.array([low.mean(key), high.mean(key)]) for key in _AXES))
        found.append(Secant(low.beta, high.beta, slopes, middle))
    return found


_AXES = "rate_nats", "distortion_nats"


def _slope(rate: Float[np.ndarray, "2"], distortion: Float[np.ndarray, "2"]) -> float | None:
    run = float(rate[1] - rate[0])
    return None if abs(run) < LEAST_STEP else float(distortion[1] - distortion[0]) / run


def best(grid: Sequence[Weight]) -> Weight:
    """The weight with the lowest importance-weighted bound."""
    return min(grid, key=lambda weight: weight.bound)


def off_scale(grid: Sequence[Weight]) -> list[Weight]:
    """The weight 0, where its unpenalised rate is too large for linear axes that show the other weights, too."""
    others = [weight.mean("rate_nats") for weight in grid if weight.beta > 0]
    if not others:
        return []
    return [weight for weight in grid if weight.beta == 0 and weight.mean("rate_nats") > 5 * max(others)]
