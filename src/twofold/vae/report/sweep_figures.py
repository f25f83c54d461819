"""Pictures of a sweep: what each weight of the rate gives, the exact inequality, and the courses of training."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from twofold.page.drawing import DASHES, HUES, INK, MARKS, MUTED, PAPER, canvas
from twofold.page.numbers import MINUS
from twofold.vae.report.figures import by_part, framed_from

Record = Mapping[str, Any]
Lines = Mapping[str, Sequence[Sequence[float]]]
"""A line's name -> for each weight its values, one a seed."""


def by_beta(
    betas: Sequence[float], lines: Lines, label: str, *, cap: float | None = None, top: float | None = None
) -> Figure:
    """Measures against the weight, evenly spaced whatever the weights are: a line joins the means over seeds.

    Args:
        betas: the weights.
        lines: what to draw; with several seeds each is a small filled mark beside the open one of their mean.
        label: of the axis, with its unit.
        cap: a level that I(x;z) can't exceed; the axis is then logarithmic above 1, for the rate lies far above it.
        top: the most that there can be; the axis then goes from 0 to it.
    """
    legend = len(lines) > 1 or cap is not None
    figure, axes = canvas(4.4, 3.4 if legend else 3.1, (0.85, 0.15, 0.85 if legend else 0.55, 0.15))
    for index, (name, values) in enumerate(lines.items()):
        _line(axes, values, name if legend else None, index)
    _frame(axes, betas, label)
    if top is not None:
        axes.set_ylim(0, 1.06 * top)
    if cap is not None:
        axes.axhline(cap, color=MUTED, linewidth=1, label="cap of I(x;z)")
        axes.set_yscale("symlog", linthresh=1.0)
        axes.set_ylim(-0.1, 2 * max(value for values in lines.values() for each in values for value in (*each, cap)))
        axes.yaxis.set_major_formatter(FuncFormatter(_grouped))
    if legend:
        axes.legend(loc="upper center", bbox_to_anchor=(0.44, -0.17), ncols=3, columnspacing=1.2, handlelength=2.8)
    return figure


def _line(axes: Axes, values: Sequence[Sequence[float]], name: str | None, index: int) -> None:
    known = [(place, each) for place, each in enumerate(values) if each]
    several = any(len(each) > 1 for _, each in known)
    style = {"color": HUES[index], "linestyle": DASHES[index], "marker": MARKS[index]}
    means = [float(np.mean(each)) for _, each in known]
    face = PAPER if several else HUES[index]
    axes.plot([place for place, _ in known], means, markersize=6, markerfacecolor=face, label=name, **style)
    for place, each in known if several else ():
        axes.plot([place] * len(each), each, MARKS[index], color=HUES[index], markersize=3, markeredgewidth=0)


def _frame(axes: Axes, betas: Sequence[float], label: str) -> None:
    axes.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
    axes.set_xlim(-0.4, len(betas) - 0.6)
    axes.set(xlabel="beta, the weight of the rate", ylabel=label)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(_grouped))


def sandwich(rows: Sequence[Record]) -> Figure:
    """H - D, I and R of the exact case against the weight; where two are one, the open mark lies around the filled one.

    Args:
        rows: those of `sandwich` in sweep.json that have figures.
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
    _frame(axes, [row["beta"] for row in rows], "nats a data point")
    axes.legend(loc="upper center", bbox_to_anchor=(0.44, -0.16), ncols=3, columnspacing=1.2, handlelength=2.8)
    return figure


def courses(records: Sequence[Record], title: str) -> Figure:
    """A run's own loss above the two parts of it, by epoch, for training and validation.

    Args:
        records: the lines of metrics.jsonl.
        title: says which run.
    """
    figure, top = canvas(4.4, 5.6, (0.85, 0.15, 3.9, 0.3))
    box = top.get_position()
    stacked = [figure.add_axes((box.x0, bottom / 5.6, box.width, box.height)) for bottom in (2.2, 0.5)]
    labels = {"loss": "loss, nats", "rate": "rate, nats", "distortion": "distortion, nats"}
    for axes, (quantity, label) in zip((top, *stacked), labels.items(), strict=True):
        for index, (part, values) in enumerate(by_part(records, quantity).items()):
            epochs = [record["epoch"] for record in records]
            axes.plot(epochs, values, color=HUES[index], linestyle=DASHES[index], label=part)
        shown = [
            value for values in by_part(records, quantity).values() for value in values[framed_from(records) - 1 :]
        ]
        _zoom(axes, shown)
        axes.set_ylabel(label)
    for axes in (top, stacked[0]):
        axes.tick_params(labelbottom=False)
    top.set_title(title)
    top.legend(loc="best")
    stacked[-1].set_xlabel("epoch")
    return figure


def elbo_courses(runs: Mapping[str, Sequence[Record]], part: str) -> Figure:
    """The negative ELBO with beta = 1 of every weight's run by epoch, above the lowest of all.

    Args:
        runs: a run's name -> the lines of its metrics.jsonl.
        part: `training` or `validation`.
    """
    rows = ceil(len(runs) / 3)  # of the legend
    figure, axes = canvas(4.8, 3.8 + 0.18 * rows, (0.95, 0.15, 0.6 + 0.18 * rows, 0.3))
    courses = {name: by_part(records, "negative_elbo")[part] for name, records in runs.items()}
    lowest = min(value for values in courses.values() for value in values)
    for index, (name, values) in enumerate(courses.items()):
        style = {"color": HUES[index % len(HUES)], "linestyle": DASHES[index % len(DASHES)]}
        axes.plot([record["epoch"] for record in runs[name]], [v - lowest for v in values], label=name, **style)
    # Weights of 1 and 100 lie thousands of nats apart; a straight axis would press all good runs into one line.
    axes.set_yscale("symlog", linthresh=10.0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(_grouped))
    axes.set(xlabel="epoch", ylabel="above the lowest of all, nats (log above 10)")
    axes.set_title(f"{part} images")
    axes.legend(loc="upper center", bbox_to_anchor=(0.44, -0.14), ncols=3, columnspacing=1.2, handlelength=2.8)
    return figure


def _zoom(axes: Axes, shown: Sequence[float]) -> None:
    """Frames the values after the steep start, which would hide what comes later."""
    low, high = min(shown), max(shown)
    room = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(_grouped))


def _grouped(value: float | int, _: int) -> str:
    return f"{value:,g}".replace("-", MINUS)
