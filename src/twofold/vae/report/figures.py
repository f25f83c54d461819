"""Charts of a run and of a sweep; sheets of images are drawn by `sheets`."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from twofold.page.drawing import DASHES, HUES, INK, LINE, MARKS, MUTED, PAPER, canvas
from twofold.page.numbers import MINUS, score
from twofold.vae.report.plane import Weight, best, off_scale, secants

KL_SHOWN = 1e-4
"""Nats: a unit's KL below this is drawn at it; a logarithmic axis has no 0."""
FEW_EPOCHS = 30
"""Up to so many epochs each is marked."""
SHORT = 3
"""Up to so many epochs a run is drawn by images seen."""
_LABELS = {
    "negative_elbo": "negative ELBO, nats per image",
    "rate": "rate, nats per image",
    "distortion": "distortion, nats per image",
    "loss": "loss, nats per image",
    "sigma": "sigma of a value in [0, 1]",
}

_ABOVE: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 0.99)}
"""Where a legend stands above its axes."""

Record = Mapping[str, Any]
Row = tuple[str, float, float | None]
"""Name, figure, and its standard error where that is known."""


def learning_curve(records: Sequence[Record], quantity: str, best_epoch: int) -> Figure:
    """One quantity by epoch, for training and validation, with a line at the epoch whose weights were kept.

    Args:
        records: the lines of metrics.jsonl.
        quantity: `negative_elbo`, `rate`, `distortion`, `loss` or `sigma`.
        best_epoch: the epoch to mark.
    """
    figure, axes = canvas(4.4, 3.2, (0.95, 0.15, 0.45, 0.35))
    _curves(axes, records, quantity)
    axes.axvline([0, *_course(records, len(records))][best_epoch], color=MUTED, linewidth=1, label="epoch kept")
    axes.set_ylabel(_LABELS[quantity])
    axes.legend(**_ABOVE, ncols=3, columnspacing=1.2)
    return figure


def _curves(axes: Axes, records: Sequence[Record], quantity: str) -> None:
    """Training and validation by epoch; a steep start may leave the axis above or below."""
    lines = by_part(records, quantity)
    for index, (part, values) in enumerate(lines.items()):
        axes.plot(_course(records, len(records)), values, label=part, **_marked(records, index))
    framed = [value for values in lines.values() for value in values[framed_from(records) - 1 :]]
    low, high = min(framed), max(framed)
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    axes.set_ylim(low - margin, high + margin)
    _course_axis(axes, records)
    axes.yaxis.set_major_formatter(FuncFormatter(grouped))


def _course(records: Sequence[Record], longest: int) -> list[int]:
    """Where an epoch stands on an axis of `longest` epochs: at its number or, if these are few, at the images seen."""
    return [record["images" if longest <= SHORT else "epoch"] for record in records]


def _course_axis(axes: Axes, records: Sequence[Record]) -> None:
    """The axis of `_course`: whole epochs, or images from 0 on."""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    if len(records) <= SHORT:
        axes.set_xlim(0, 1.05 * records[-1]["images"])
        axes.xaxis.set_major_formatter(FuncFormatter(grouped))
        axes.set_xlabel("images seen")


def _marked(records: Sequence[Record], index: int) -> dict[str, Any]:
    """A curve's look; points are marked where they are few, since one alone makes no line."""
    marker = MARKS[index % len(MARKS)] if len(records) <= FEW_EPOCHS else ""
    style = {"color": HUES[index % len(HUES)], "linestyle": DASHES[index % len(DASHES)]}
    return style | {"marker": marker, "markersize": 3}


def by_part(records: Sequence[Record], quantity: str) -> dict[str, list[float]]:
    """A quantity by epoch, of training and validation; the negative ELBO is rate + distortion, whatever beta was."""
    if quantity == "sigma":
        return {"sigma": [record["sigma"] for record in records]}
    parts = ("rate", "distortion") if quantity == "negative_elbo" else (quantity,)
    labels = {"train": "training", "validation": "validation"}
    return {
        label: [math.fsum(record[f"{part}_{each}"] for each in parts) for record in records]
        for part, label in labels.items()
    }


def framed_from(records: Sequence[Record]) -> int:
    """The first epoch that the axis must show: after a tenth of them, so that a steep start hides nothing later.

    Of 4 epochs or more at least the first may lie outside.
    """
    return 1 + max(len(records) // 10, int(len(records) >= 4))


def grouped(value: float | int, _: int) -> str:
    """A tick's label, with thousands separators below a million."""
    return (f"{value:,g}" if abs(value) < 1e6 else f"{value:.3g}").replace("-", MINUS)


def kl_by_unit(kl: Float[np.ndarray, " latent"], floor: float) -> Figure:
    """Mean KL of each unit on the test images, nats, largest first, with the threshold of collapse."""
    figure, axes = canvas(4.4, 3.4, (0.75, 0.15, 0.45, 0.35))
    heights = np.maximum(np.sort(kl)[::-1], KL_SHOWN)
    edges = np.arange(len(heights) + 1) + 0.5
    axes.stairs(heights, edges, baseline=KL_SHOWN / 2, fill=True, color=HUES[0])
    axes.axhline(floor, color=INK, linestyle=DASHES[1], linewidth=1.3, label=f"collapsed below {floor:g}")
    axes.set_yscale("log")
    axes.set(
        xlim=(0.5, len(kl) + 0.5),
        ylim=(KL_SHOWN / 2, 2 * max(float(heights[0]), floor)),
        xlabel="units, largest KL first",
        ylabel="mean KL, nats",
    )
    axes.yaxis.set_major_locator(LogLocator(10, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xticks(np.unique(np.linspace(1, len(kl), 6).astype(int)))
    axes.legend(**_ABOVE)
    return figure


def bars(rows: Sequence[Row], x: str) -> Figure:
    """One bar per row, the first on top, with a span of two standard errors where known; `x` labels the axis."""
    figure, axes = canvas(4.4, 0.95 + 0.34 * len(rows), (1.65, 0.55, 0.5, 0.15))
    for row, (_, value, error) in enumerate(rows):
        axes.barh(row, value, 0.55, color=HUES[row % len(HUES)])
        if error is not None:
            axes.plot([value - 2 * error, value + 2 * error], [row, row], color=INK, linewidth=1.6)
        axes.annotate(
            f"{value:,.4g}".replace("-", MINUS), (max(value + 2 * (error or 0), 0), row), (4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    _named(axes, rows, x)
    axes.axvline(0, color=INK, linewidth=1)
    axes.grid(axis="y", linewidth=0)
    return figure


def dots(rows: Sequence[Row], x: str) -> Figure:
    """As `bars`, with a dot per row on an axis that need not start at 0."""
    figure, axes = canvas(4.4, 0.95 + 0.3 * max(len(rows), 2), (1.15, 0.2, 0.5, 0.15))
    for row, (_, value, error) in enumerate(rows):
        if error is not None:
            axes.plot([value - 2 * error, value + 2 * error], [row, row], color=HUES[0], linewidth=2)
        axes.plot([value], [row], marker="o", markersize=5, color=HUES[0])
    _named(axes, rows, x)
    axes.grid(axis="y", color=LINE, linewidth=0.3)
    return figure


def _named(axes: Axes, rows: Sequence[Row], x: str) -> None:
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=8)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel=x)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(grouped))


def distances(test: Float[np.ndarray, " test"], samples: Float[np.ndarray, " samples"], quantile: float) -> Figure:
    """Histogram of the test images' distances to their nearest training image, with those of the samples marked.

    Args:
        test: distances of the test images.
        samples: distances of the samples.
        quantile: the 5 % quantile of `test`.
    """
    figure, axes = canvas(4.4, 2.9, (0.62, 0.15, 0.45, 0.35))
    axes.hist(test, 24, color=HUES[0], alpha=0.55, label="test images")
    top = axes.get_ylim()[1]
    axes.plot(samples, np.full(len(samples), 0.06 * top), "^", color=HUES[1], markersize=6, label="samples")
    axes.axvline(quantile, color=INK, linestyle=DASHES[1], linewidth=1.2, label="closest 5 % of these")
    axes.set(xlabel="distance to the nearest training image", ylabel="test images")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.legend(**_ABOVE, ncols=3, columnspacing=1.0, handlelength=1.6)
    return figure


MOST_COLOURS = len(HUES) * 3
"""Values that a map tells apart, by colour and mark."""


def coloured(
    xy: Float[np.ndarray, "n 2"], labels: Int64[np.ndarray, " n"], names: Sequence[str], axes_labels: tuple[str, str]
) -> Figure:
    """Images' codes as dots on a plane, coloured and marked by a label.

    Args:
        xy: the places.
        labels: of each the index of its name; any other number belongs to the last name, in grey, if there is one more.
        names: at most `MOST_COLOURS` of labels, and one more for the others.
        axes_labels: of both axes.
    """
    rows = math.ceil(len(names) / 3)  # of the legend
    below = 0.6 + 0.18 * rows
    figure, axes = canvas(4.8, 3.9 + below, (0.6, 0.15, below, 0.15))
    for index, name in enumerate(names):
        other = index == len(names) - 1 and not (labels == index).any()
        shown = xy[(labels < 0) | (labels >= index)] if other else xy[labels == index]
        look: dict[str, Any] = {"color": HUES[index % len(HUES)], "marker": MARKS[index // len(HUES)]}
        look = {"color": MUTED, "marker": "."} if other else look
        axes.plot(*shown.T, linestyle="", markersize=5, alpha=0.85, markeredgewidth=0, label=name, **look)
    axes.set(xlabel=axes_labels[0], ylabel=axes_labels[1])
    axes.legend(loc="upper center", bbox_to_anchor=(0.46, -0.13), ncols=3, columnspacing=1.2, handletextpad=0.3)
    return figure


def by_beta(
    betas: Sequence[float],
    lines: Mapping[str, Sequence[Sequence[float]]],
    label: str,
    *,
    cap: float | None = None,
    top: float | None = None,
    weighs: str = "rate",
) -> Figure:
    """Scores by weight, evenly spaced: a line through the means over seeds.

    Args:
        betas: the weights.
        lines: a line's name -> for each weight one value per seed; several are small filled marks, their mean an open
            one.
        label: of the axis, with its unit.
        cap: upper limit of the estimate of I(x;z); the axis is then logarithmic above 1, for the rate lies far above.
        top: largest possible value; the axis then goes from 0 to it.
        weighs: what beta weighs.
    """
    legend = len(lines) > 1 or cap is not None
    figure, axes = canvas(4.4, 3.4 if legend else 3.1, (0.85, 0.15, 0.85 if legend else 0.55, 0.15))
    for index, (name, values) in enumerate(lines.items()):
        known = [(place, each) for place, each in enumerate(values) if each]
        several = any(len(each) > 1 for _, each in known)
        means = [float(np.mean(each)) for _, each in known]
        style = {"color": HUES[index], "linestyle": DASHES[index], "marker": MARKS[index], "markersize": 6}
        style |= {"markerfacecolor": PAPER if several else HUES[index], "label": name if legend else None}
        axes.plot([place for place, _ in known], means, **style)
        for place, each in known if several else ():
            axes.plot([place] * len(each), each, MARKS[index], color=HUES[index], markersize=3, markeredgewidth=0)
    _weights_across(axes, betas, label, weighs)
    if top is not None:
        axes.set_ylim(0, 1.06 * top)
    if cap is not None:
        axes.axhline(cap, color=MUTED, linewidth=1, label="cap of I(x;z)")
        axes.set_yscale("symlog", linthresh=1.0)
        axes.set_ylim(-0.1, 2 * max(value for values in lines.values() for each in values for value in (*each, cap)))
        axes.yaxis.set_major_formatter(FuncFormatter(grouped))
    if legend:
        _legend_below(axes, -0.17)
    return figure


def _legend_below(axes: Axes, y: float) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.44, y), ncols=3, columnspacing=1.2, handlelength=2.8)


def _weights_across(axes: Axes, betas: Sequence[float], label: str, weighs: str = "rate") -> None:
    axes.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
    axes.set_xlim(-0.4, len(betas) - 0.6)
    axes.set(xlabel=f"beta, the weight of the {weighs}", ylabel=label)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(grouped))


def sandwich(rows: Sequence[Record]) -> Figure:
    """H - D, I and R of the exact case by weight; where two are equal, the open mark encloses the filled one.

    Args:
        rows: those of `sandwich` in sweep.json that have values.
    """
    figure, axes = canvas(4.8, 3.8, (0.75, 0.15, 0.85, 0.15))
    looks = (
        ("rate_nats", "R, the rate", {"marker": "o", "markersize": 9, "markerfacecolor": "none"}),
        ("mutual_information_nats", "I(x;z)", {"marker": "o", "markersize": 4}),
        ("entropy_minus_distortion_nats", "H − D", {"marker": "s", "markersize": 4}),
    )
    for index, (key, name, look) in enumerate(looks):
        values = [row[key] for row in rows]
        axes.plot(range(len(rows)), values, color=HUES[index], linestyle=DASHES[index], label=name, **look)
    axes.axhline(0, color=INK, linewidth=1)
    _weights_across(axes, [row["beta"] for row in rows], "nats per data point")
    _legend_below(axes, -0.16)
    return figure


def loss_curves(records: Sequence[Record], title: str) -> Figure:
    """A run's loss above its two terms, by epoch, for training and validation."""
    figure, top = canvas(4.4, 5.6, (0.85, 0.15, 3.9, 0.3))
    box = top.get_position()
    stacked = [figure.add_axes((box.x0, bottom / 5.6, box.width, box.height)) for bottom in (2.2, 0.5)]
    labels = {"loss": "loss, nats", "rate": "rate, nats", "distortion": "distortion, nats"}
    for axes, (quantity, label) in zip((top, *stacked), labels.items(), strict=True):
        _curves(axes, records, quantity)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_ylabel(label)
    for axes in (top, stacked[0]):
        axes.tick_params(labelbottom=False)
        axes.set_xlabel("")
    top.set_title(title)
    top.legend(loc="best")
    return figure


def elbo_curves(runs: Mapping[str, Sequence[Record]], part: str) -> Figure:
    """The negative ELBO (beta = 1) by epoch of one run per weight, above the lowest of all.

    Args:
        runs: a run's name -> the lines of its metrics.jsonl.
        part: `training` or `validation`.
    """
    rows = math.ceil(len(runs) / 3)  # of the legend
    figure, axes = canvas(4.8, 3.8 + 0.18 * rows, (0.95, 0.15, 0.6 + 0.18 * rows, 0.3))
    curves = {name: by_part(records, "negative_elbo")[part] for name, records in runs.items()}
    lowest, longest = min(min(values) for values in curves.values()), max(runs.values(), key=len)
    for index, (name, values) in enumerate(curves.items()):
        records = runs[name]
        axes.plot(_course(records, len(longest)), [v - lowest for v in values], label=name, **_marked(records, index))
    # Beta 1 and beta 100 lie thousands of nats apart; on a linear axis all good runs would be one line.
    axes.set_yscale("symlog", linthresh=10.0)
    axes.set_ylim(bottom=0)
    _course_axis(axes, longest)
    axes.yaxis.set_major_formatter(FuncFormatter(grouped))
    axes.set_ylabel("above the lowest of all, nats (log above 10)")
    axes.set_title(f"{part} images")
    _legend_below(axes, -0.14)
    return figure


def rate_distortion(grid: Sequence[Weight], shaded: bool) -> Figure:
    """Rate against distortion on linear axes, where the best bound is a line of slope -1.

    A small mark is a seed, an open one the mean over seeds; secants join the means of neighbouring weights. Weights
    that are `off_scale` are left out.

    Args:
        grid: the weights, smallest first.
        shaded: shade the region below the best bound.
    """
    figure, axes = canvas(4.8, 4.4, (0.85, 0.4, 0.5, 0.2))
    bound, far = best(grid).bound, off_scale(grid)
    grid = [weight for weight in grid if weight not in far]
    rates, distortions = ([v for each in grid for v in each.values(key)] for key in ("rate_nats", "distortion_nats"))
    right = 1.15 * max(rates) + 1
    low, high = min(*distortions, bound - max(rates)), max(*distortions, bound)
    axes.set(xlim=(-0.04 * right, right), ylim=(low - 0.08 * (high - low), high + 0.08 * (high - low)))
    line = np.array([0.0, right])
    axes.plot(line, bound - line, color=INK, linestyle=DASHES[1], linewidth=1.2)
    if shaded:
        axes.fill_between(line, bound - line, axes.get_ylim()[0], color=LINE, alpha=0.6, linewidth=0)
    writer = _runs(axes, grid, [weight.values("distortion_nats") for weight in grid], linewidth=1.2)
    for secant, (left, after) in zip(secants(grid), pairwise(writer.points), strict=True):
        if secant.slope is not None and writer.distance(left, after) > 40:  # else the text hides the line
            middle = ((left[0] + after[0]) / 2, (left[1] + after[1]) / 2)
            writer.beside(middle, score(secant.slope, 2), MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set(xlabel="rate R, nats per image", ylabel="distortion D, nats per image")
    return figure


def height(grid: Sequence[Weight], shaded: bool) -> Figure:
    """The same points as D + R above the best bound, on logarithmic axes that separate the small rates."""
    figure, axes = canvas(4.8, 4.4, (0.85, 0.4, 0.5, 0.2))
    bound = best(grid).bound
    above = [[value - bound for value in weight.values("negative_elbo_nats")] for weight in grid]
    rates = [rate for weight in grid for rate in weight.values("rate_nats")]
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_yscale("symlog", linthresh=10.0)
    left = -0.1 if min(rates) < 1 else 0.5 * min(rates)
    axes.set(xlim=(left, 2.5 * max(rates) + 1), ylim=(-4, 2 * max(map(max, above)) + 10))
    axes.axhline(0, color=INK, linestyle=DASHES[1], linewidth=1.2)
    if shaded:
        axes.axhspan(axes.get_ylim()[0], 0, color=LINE, alpha=0.6, linewidth=0)
    _runs(axes, grid, above, linewidth=1, linestyle=(0, (1, 2)))
    axes.set(
        xlabel="rate R, nats per image (logarithmic above 1)", ylabel="D + R above the best bound, nats (log above 10)"
    )
    return figure


def _runs(axes: Axes, grid: Sequence[Weight], heights: Sequence[Sequence[float]], **line: Any) -> "_Writer":
    """Marks runs by rate and height, with a line through the means of the weights, each with its name beside it."""
    means = [(weight.mean("rate_nats"), float(np.mean(up))) for weight, up in zip(grid, heights, strict=True)]
    axes.plot(*zip(*means, strict=True), color=HUES[0], **line)
    writer = _Writer(axes, means)
    for weight, up, middle in zip(grid, heights, means, strict=True):
        several = len(up) > 1
        axes.plot(*middle, "o", color=HUES[0], markersize=7.5, markerfacecolor=PAPER if several else HUES[0])
        if several:
            axes.plot(weight.values("rate_nats"), up, "o", color=HUES[0], markersize=3.5, alpha=0.8, markeredgewidth=0)
        writer.beside(middle, weight.name, INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(grouped))
    return writer


class _Writer:
    """Writes beside points, each text where it covers no point and no earlier text; none where there is no room."""

    def __init__(self, axes: Axes, points: Sequence[tuple[float, float]]) -> None:
        self.axes, self.points = axes, points
        self.taken = [(x - 4.0, y - 4.0, x + 4.0, y + 4.0) for x, y in map(self._place, points)]

    def distance(self, one: tuple[float, float], other: tuple[float, float]) -> float:
        """How far two points lie apart on paper, in points."""
        return float(np.hypot(*(self._place(one) - self._place(other))))

    def beside(self, point: tuple[float, float], text: str, colour: str) -> None:
        """Writes a line of text on the first free side of a point, which is in data coordinates."""
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
