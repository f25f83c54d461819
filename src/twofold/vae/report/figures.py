"""Drawings of a run's figures: learning curves, units of the code, information, distances. Images are `sheets`'s."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from twofold.page.drawing import DASHES, HUES, INK, LINE, MARKS, MUTED, canvas
from twofold.page.numbers import MINUS

KL_SHOWN = 1e-4
"""Nats: a unit's KL below this is drawn at it; a logarithmic axis has no 0."""
_PARTS = {"train": "training", "validation": "validation"}
_LABELS = {
    "negative_elbo": "negative ELBO, nats an image",
    "rate": "rate, nats an image",
    "distortion": "distortion, nats an image",
    "loss": "loss, nats an image",
    "sigma": "sigma of a value in [0, 1]",
}
_MANY = 30
"""Epochs up to which each has its mark."""

Record = Mapping[str, Any]
Row = tuple[str, float, float | None]
"""Name, figure, and its standard error where that is known."""


def course(records: Sequence[Record], quantity: str, best_epoch: int) -> Figure:
    """One quantity by epoch, for training and validation, with the epoch marked whose weights were kept.

    Args:
        records: the lines of metrics.jsonl.
        quantity: `negative_elbo`, `rate`, `distortion`, `loss` or `sigma`.
        best_epoch: the epoch to mark.
    """
    figure, axes = canvas(4.4, 3.2, (0.95, 0.15, 0.45, 0.35))
    lines = by_part(records, quantity)
    for index, (part, values) in enumerate(lines.items()):
        style = {"color": HUES[index], "linestyle": DASHES[index]}
        marker = MARKS[index] if len(records) <= _MANY else None
        axes.plot([record["epoch"] for record in records], values, marker=marker, markersize=3, label=part, **style)
    axes.axvline(best_epoch, color=MUTED, linewidth=1, label="epoch kept")
    framed(axes, [value for values in lines.values() for value in values[framed_from(records) - 1 :]])
    axes.set(xlabel="epoch", ylabel=_LABELS[quantity])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(grouped))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3, columnspacing=1.2)
    return figure


def by_part(records: Sequence[Record], quantity: str) -> dict[str, list[float]]:
    """A quantity by epoch, of training and validation; the negative ELBO is rate + distortion, whatever beta was."""
    if quantity == "sigma":
        return {"sigma": [record["sigma"] for record in records]}
    parts = ("rate", "distortion") if quantity == "negative_elbo" else (quantity,)
    return {
        label: [math.fsum(record[f"{part}_{each}"] for each in parts) for record in records]
        for part, label in _PARTS.items()
    }


def framed_from(records: Sequence[Record]) -> int:
    """The first epoch that the axis must show: after a tenth of them, so that a steep start hides nothing later.

    Of 4 epochs or more at least the first may lie outside.
    """
    return 1 + max(len(records) // 10, int(len(records) >= 4))


def framed(axes: Axes, values: Sequence[float]) -> None:
    """Frames a vertical axis about some values, with a little room."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)


def grouped(value: float, _: int) -> str:
    """A tick's label, with thousands separators below a million."""
    return (f"{value:,g}" if abs(value) < 1e6 else f"{value:.3g}").replace("-", MINUS)


def kl_by_unit(kl: Float[np.ndarray, " latent"], floor: float) -> Figure:
    """Mean KL of each unit of the code on the test images, largest first, with the line below which it counts as none.

    Args:
        kl: mean KL of each unit, nats.
        floor: the line, nats.
    """
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
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99))
    return figure


def bars(rows: Sequence[Row], x: str) -> Figure:
    """Figures with a bar from 0 each and, where known, the span of two standard errors.

    Args:
        rows: name, figure, standard error; the first on top.
        x: what the figures are.
    """
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
    """Dots with spans of two standard errors, one a row, the first on top; arguments as for `bars`."""
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
    """How far test images are from their nearest training image, as a histogram, and where the samples lie in it.

    Args:
        test: distances of the test images.
        samples: distances of the samples.
        quantile: distance that all but a few of the test images exceed.
    """
    figure, axes = canvas(4.4, 2.9, (0.62, 0.15, 0.45, 0.35))
    axes.hist(test, 24, color=HUES[0], alpha=0.55, label="test images")
    top = axes.get_ylim()[1]
    axes.plot(samples, np.full(len(samples), 0.06 * top), "^", color=HUES[1], markersize=6, label="samples")
    axes.axvline(quantile, color=INK, linestyle=DASHES[1], linewidth=1.2, label="closest 5 % of these")
    axes.set(xlabel="distance to the nearest training image", ylabel="test images")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3, columnspacing=1.0, handlelength=1.6)
    return figure
