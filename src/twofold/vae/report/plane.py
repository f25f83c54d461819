"""The runs of a sweep by their weight, and in the plane of rate and distortion: points, secants, the best bound."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

APART = 0.1
"""Nats of rate that two weights must differ by before a slope between them means anything."""
_FAR = 5.0
"""Times the largest other rate from which on a beta of 0 is left out of the plane."""

Scores = Mapping[str, Any]


@dataclass(frozen=True)
class Weight:
    """All runs of one weight of the rate.

    Attributes:
        beta: the weight.
        runs: scores.json of each run, in the order of the sweep's seeds.
    """

    beta: float
    runs: tuple[Scores, ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return f"beta {self.beta:g}"

    def each(self, key: str, block: str = "test") -> list[float]:
        """One score of a block of scores.json, a value a seed, undefined ones left out."""
        values = (run[block][key] for run in self.runs)
        return [float(value) for value in values if value is not None]

    def mean(self, key: str, block: str = "test") -> float:
        """Mean of `each` over seeds; NaN where no run has the score."""
        return spread(self.each(key, block))[0]

    @property
    def capped(self) -> bool:
        """Whether I(x;z) of a run is at the most that so few images can show."""
        return any(run["test"]["mi_at_cap"] for run in self.runs)

    @property
    def bounds(self) -> list[float]:
        """Importance-weighted bound of each run on all test images, nats.

        It is measured on some of them; what it gains on the negative ELBO there is taken off that of all, so that the
        draw of the images does not move it.
        """
        names = ("negative_elbo_nats", "iw_negative_elbo_nats", "iw_bound_nats")
        return [elbo - (loose - tight) for elbo, loose, tight in zip(*(self.each(name) for name in names), strict=True)]

    @property
    def bound(self) -> float:
        """Mean of `bounds` over seeds."""
        return float(np.mean(self.bounds))


@dataclass(frozen=True)
class Secant:
    """The line through the points of two neighbouring weights.

    Were both runs the best possible for their weight, its slope would lie between minus the one and minus the other:
    each point is then no worse under its own weight than the other point is.

    Attributes:
        low: the smaller weight.
        high: the larger one.
        slopes: dD/dR of each seed, None where the rates differ by less than `APART`.
        slope: that of the means over seeds.
    """

    low: float
    high: float
    slopes: tuple[float | None, ...]
    slope: float | None

    @property
    def inside(self) -> bool | None:
        """Whether the slope of the means lies where that of two optimal runs would; None without a slope."""
        return None if self.slope is None else -self.high <= self.slope <= -self.low

    @property
    def seeds_inside(self) -> int:
        """How many seeds' own slopes lie there."""
        return sum(slope is not None and -self.high <= slope <= -self.low for slope in self.slopes)


def weights(runs: Sequence[Mapping[str, Any]]) -> list[Weight]:
    """The runs of sweep.json by their weight, smallest first."""
    betas = sorted({run["beta"] for run in runs})
    return [Weight(beta, tuple(run["scores"] for run in runs if run["beta"] == beta)) for beta in betas]


def means(grid: Sequence[Weight], key: str, block: str = "test") -> list[float]:
    """One score by weight, its mean over seeds."""
    return [weight.mean(key, block) for weight in grid]


def deviations(grid: Sequence[Weight], key: str) -> list[float]:
    """Standard deviation over seeds of one score on test images, by weight."""
    return [spread(weight.each(key))[1] for weight in grid]


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds, NaN where there are none and fewer than two."""
    mean = float(np.mean(values)) if values else math.nan
    return mean, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def secants(grid: Sequence[Weight]) -> list[Secant]:
    """One for each pair of neighbouring weights."""
    found = []
    for low, high in pairwise(grid):
        rates, distortions = (np.array([low.each(key), high.each(key)]) for key in ("rate_nats", "distortion_nats"))
        slopes = tuple(_slope(*points) for points in zip(rates.T, distortions.T, strict=True))
        found.append(Secant(low.beta, high.beta, slopes, _slope(rates.mean(axis=1), distortions.mean(axis=1))))
    return found


def _slope(rate: Float[np.ndarray, "2"], distortion: Float[np.ndarray, "2"]) -> float | None:
    run = float(rate[1] - rate[0])
    return None if abs(run) < APART else float(distortion[1] - distortion[0]) / run


def best(grid: Sequence[Weight]) -> Weight:
    """The weight with the lowest importance-weighted bound."""
    return min(grid, key=lambda weight: weight.bound)


def runaways(grid: Sequence[Weight]) -> list[Weight]:
    """The weight 0, where its rate, which has no price, is so large that even axes can't hold it beside the others'."""
    others = [weight.mean("rate_nats") for weight in grid if weight.beta > 0]
    if not others:
        return []
    return [weight for weight in grid if weight.beta == 0 and weight.mean("rate_nats") > _FAR * max(others)]
