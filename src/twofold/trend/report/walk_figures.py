"""Pictures of a walk forward: scores by target date, and what was known when."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from twofold.page.drawing import DASHES, HUES, MARKS, canvas
from twofold.trend.report import wording

MARKED = 40
"""Dates up to which each has its own mark."""


def by_target(dates: Sequence[str], values: Mapping[str, Sequence[float | None]], score: str) -> Figure:
    """One score against the target date, a line a model; a date on which it is undefined is a gap.

    Args:
        dates: target dates, ascending.
        values: model's name -> one value a date.
        score: the score's key.
    """
    figure, axes = canvas(8.6, 3.8, (0.72, 0.2, 0.95, 0.2))
    for index, (name, line) in enumerate(values.items()):
        style: dict[str, Any] = {"color": HUES[index % len(HUES)], "linestyle": DASHES[index % len(DASHES)]}
        marker = MARKS[index % len(MARKS)] if len(dates) <= MARKED else None
        heights = np.array([np.nan if value is None else value for value in line], dtype=float)
        axes.plot(_days(dates), heights, marker=marker, markersize=4, label=wording.model(name), **style)
    words = wording.SCORES[score]
    axes.set_ylabel(f"{words.label} ({'higher' if words.higher else 'lower'} is better)")
    _date_axis(axes, "target date")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=6, columnspacing=1.2, handlelength=2.8)
    return figure


def known(dates: Sequence[str], regions: Sequence[int], learned: Sequence[int]) -> Figure:
    """Regions in C above windows learned from, by origin.

    Args:
        dates: origins, ascending.
        regions: in C.
        learned: windows that the models of the origin learned from.
    """
    figure, top = canvas(8.6, 3.9, (0.72, 0.2, 2.2, 0.2))
    box = top.get_position()
    bottom = figure.add_axes((box.x0, 0.5 / 3.9, box.width, box.height))
    for axes, values, label in ((top, regions, "regions in C"), (bottom, learned, "windows learned from")):
        axes.step(_days(dates), np.asarray(values, dtype=float), where="post", color=HUES[0])
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        _date_axis(axes, "origin" if axes is bottom else "")
    top.tick_params(labelbottom=False)
    return figure


def _days(dates: Sequence[str]) -> Any:
    return np.array(dates, dtype="datetime64[D]")


def _date_axis(axes: Axes, label: str) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(DateFormatter("%Y-%m-%d"))
    axes.set_xlabel(label)
