"""The runs of a sweep in the plane of rate and distortion: points, secants, the best bound, and pictures of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from twofold.page.drawing import HUES, INK, LINE, MUTED, PAPER, canvas
from twofold.page.numbers import MINUS, score

APART = 0.1
"""Nats of rate that two weights must differ by before a slope between them means anything."""

_MARGINS = (0.85, 0.4, 0.5, 0.2)
_LONG = 40.0
"""Points of paper that a secant must span to have its slope written beside it."""
_FAR = 5.0
"""Times the largest other rate from which on a beta of 0 is left out of the plane."""
_DASHED, _DOTTED = (0, (5, 2)), (0, (1, 2))

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
        values = self.each(key, block)
        return float(np.mean(values)) if values else float("nan")

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
        return None if self.slope is None else self.expected(self.slope)

    def expected(self, slope: float) -> bool:
        """Whether a slope lies between minus both weights."""
        return -self.high <= slope <= -self.low


def weights(runs: Sequence[Mapping[str, Any]]) -> list[Weight]:
    """The runs of sweep.json by their weight, smallest first."""
    betas = sorted({run["beta"] for run in runs})
    return [Weight(beta, tuple(run["scores"] for run in runs if run["beta"] == beta)) for beta in betas]


def secants(grid: Sequence[Weight]) -> list[Secant]:
    """One for each pair of neighbouring weights."""
    return [_secant(low, high) for low, high in pairwise(grid)]


def _secant(low: Weight, high: Weight) -> Secant:
    rates = np.array([low.each("rate_nats"), high.each("rate_nats")])
    distortions = np.array([low.each("distortion_nats"), high.each("distortion_nats")])
    slopes = [_slope(rates[:, seed], distortions[:, seed]) for seed in range(rates.shape[1])]
    return Secant(low.beta, high.beta, tuple(slopes), _slope(rates.mean(axis=1), distortions.mean(axis=1)))


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


def rate_distortion(grid: Sequence[Weight], shaded: bool) -> Figure:
    """Rate against distortion on even axes, where the best bound is a straight line of slope -1.

    A small mark is a seed, an open one the mean over seeds; secants join the means of neighbouring weights. Runaways
    are left out.

    Args:
        grid: the weights, smallest first.
        shaded: shade what lies below the best bound.
    """
    figure, axes = canvas(4.8, 4.4, _MARGINS)
    bound, far = best(grid).bound, runaways(grid)
    grid = [weight for weight in grid if weight not in far]
    rates, distortions = _all(grid, "rate_nats"), _all(grid, "distortion_nats")
    right = 1.15 * max(rates) + 1
    low, high = min(*distortions, bound - max(rates)), max(*distortions, bound)
    axes.set(xlim=(-0.04 * right, right), ylim=(low - 0.08 * (high - low), high + 0.08 * (high - low)))
    line = np.array([0.0, right])
    axes.plot(line, bound - line, color=INK, linestyle=_DASHED, linewidth=1.2)
    if shaded:
        axes.fill_between(line, bound - line, axes.get_ylim()[0], color=LINE, alpha=0.6, linewidth=0)
    means = [(weight.mean("rate_nats"), weight.mean("distortion_nats")) for weight in grid]
    axes.plot(*zip(*means, strict=True), color=HUES[0], linewidth=1.2)
    writer = _Writer(axes, means)
    for weight, middle in zip(grid, means, strict=True):
        _mark(axes, weight.each("rate_nats"), weight.each("distortion_nats"))
        writer.beside(middle, weight.name, INK)
    for secant, left, after in zip(secants(grid), means[:-1], means[1:], strict=True):
        if secant.slope is not None and writer.distance(left, after) > _LONG:
            middle = ((left[0] + after[0]) / 2, (left[1] + after[1]) / 2)
            writer.beside(middle, score(secant.slope, 2), MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(_grouped))
    axes.yaxis.set_major_formatter(FuncFormatter(_grouped))
    axes.set(xlabel="rate R, nats an image", ylabel="distortion D, nats an image")
    return figure


def height(grid: Sequence[Weight], shaded: bool) -> Figure:
    """The same points as their height D + R above the best bound, on logarithmic axes that part the small rates.

    Args:
        grid: the weights, smallest first.
        shaded: shade what lies below the best bound.
    """
    figure, axes = canvas(4.8, 4.4, _MARGINS)
    bound = best(grid).bound
    above = [[value - bound for value in weight.each("negative_elbo_nats")] for weight in grid]
    rates = _all(grid, "rate_nats")
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_yscale("symlog", linthresh=10.0)
    left = -0.1 if min(rates) < 1 else 0.5 * min(rates)
    axes.set(xlim=(left, 2.5 * max(rates) + 1), ylim=(-4, 2 * max(map(max, above)) + 10))
    axes.axhline(0, color=INK, linestyle=_DASHED, linewidth=1.2)
    if shaded:
        axes.axhspan(axes.get_ylim()[0], 0, color=LINE, alpha=0.6, linewidth=0)
    means = [(weight.mean("rate_nats"), float(np.mean(values))) for weight, values in zip(grid, above, strict=True)]
    axes.plot(*zip(*means, strict=True), color=HUES[0], linewidth=1, linestyle=_DOTTED)
    writer = _Writer(axes, means)
    for weight, values, middle in zip(grid, above, means, strict=True):
        _mark(axes, weight.each("rate_nats"), values)
        writer.beside(middle, weight.name, INK)
    axes.set(
        xlabel="rate R, nats an image (logarithmic above 1)", ylabel="D + R above the best bound, nats (log above 10)"
    )
    axes.xaxis.set_major_formatter(FuncFormatter(_grouped))
    axes.yaxis.set_major_formatter(FuncFormatter(_grouped))
    return figure


def _mark(axes: Axes, across: Sequence[float], up: Sequence[float]) -> None:
    several = len(up) > 1
    middle = (float(np.mean(across)), float(np.mean(up)))
    axes.plot(*middle, "o", color=HUES[0], markersize=7.5, markerfacecolor=PAPER if several else HUES[0])
    if several:
        axes.plot(across, up, "o", color=HUES[0], markersize=3.5, alpha=0.8, markeredgewidth=0)


class _Writer:
    """Writes beside points, each text where it covers no point and no earlier text; none where there is no room."""

    def __init__(self, axes: Axes, points: Sequence[tuple[float, float]]) -> None:
        self.axes = axes
        places = [self._place(point) for point in points]
        self.taken = [(x - 4.0, y - 4.0, x + 4.0, y + 4.0) for x, y in places]

    def distance(self, one: tuple[float, float], other: tuple[float, float]) -> float:
        """How far two points lie apart on paper, in points."""
        return float(np.hypot(*(self._place(one) - self._place(other))))

    def beside(self, point: tuple[float, float], text: str, colour: str) -> None:
        """Writes a text on the first free side of a point.

        Args:
            point: in data coordinates.
            text: one line.
            colour: of the letters.
        """
        x, y = self._place(point)
        wide, tall = 5.0 * len(text), 9.0
        for right, up in ((6, 4), (6, -12), (-6 - wide, -12), (-6 - wide, 4), (6, 14), (-6 - wide, -22)):
            box = (x + right, y + up, x + right + wide, y + up + tall)
            if self._free(box):
                self.taken.append(box)
                self.axes.annotate(text, point, (right, up), textcoords="offset points", fontsize=8, color=colour)
                return

    def _place(self, point: tuple[float, float]) -> Float[np.ndarray, "2"]:
        return self.axes.transData.transform(point) * 72 / self.axes.figure.dpi  # in points, as offsets are

    def _free(self, box: tuple[float, float, float, float]) -> bool:
        frame = self.axes.get_window_extent()
        scale = 72 / self.axes.figure.dpi
        if box[0] < frame.x0 * scale or box[2] > frame.x1 * scale + 12 or box[1] < frame.y0 * scale:
            return False
        return not any(
            box[0] < right and left < box[2] and box[1] < top and bottom < box[3]
            for left, bottom, right, top in self.taken
        )


def _all(grid: Sequence[Weight], key: str) -> list[float]:
    return [value for weight in grid for value in weight.each(key)]


def _grouped(value: float | int, _: int) -> str:
    return f"{value:,g}".replace("-", MINUS)
