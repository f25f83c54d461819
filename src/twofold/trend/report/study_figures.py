"""Pictures of the study: what the length of the window and its start change, seed by seed."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from twofold.page.drawing import DASHES, HUES, INK, MARKS, PAPER, canvas
from twofold.trend.report.original_rows import Row, seeds

MEASURES = {
    "above": "accuracy above “always not up”, points",
    "test_auc": "ROC AUC on test windows",
}
"""What a picture can show, and the label of its axis."""


def by_length(networks: Mapping[str, Sequence[Row]], measure: str) -> Figure:
    """One measure against the window's length: a line through the means (open), a filled mark a seed.

    Args:
        networks: network's name -> its rows of the grid, by length.
        measure: a key of `MEASURES`.
    """
    figure, axes = canvas(4.4, 3.9, (0.78, 0.15, 0.95, 0.3))
    for index, (name, rows) in enumerate(networks.items()):
        shift = 0.22 * (index - (len(networks) - 1) / 2)
        lengths = [row["length"] + shift for row in rows]
        _line(axes, lengths, [seeds(row, measure) for row in rows], name, index)
    axes.set_xticks(sorted({row["length"] for rows in networks.values() for row in rows}))
    axes.set_xlabel("length of the window L, days")
    _finish(axes, measure)
    return figure


def by_start(networks: Mapping[str, Sequence[Row]], measure: str) -> Figure:
    """One measure for windows from the first day on and from a later one, a line a network.

    Args:
        networks: network's name -> its rows of the grid, by start.
        measure: a key of `MEASURES`.
    """
    figure, axes = canvas(4.4, 3.9, (0.78, 0.15, 0.95, 0.3))
    starts = sorted({row["start"] for rows in networks.values() for row in rows})
    for index, (name, rows) in enumerate(networks.items()):
        shift = 0.05 * (index - (len(networks) - 1) / 2)
        places = [starts.index(row["start"]) + shift for row in rows]
        _line(axes, places, [seeds(row, measure) for row in rows], name, index)
    axes.set_xticks(range(len(starts)), [f"from day {start}" for start in starts])
    axes.set_xlim(-0.4, len(starts) - 0.6)
    axes.set_xlabel("first day that a window may hold")
    _finish(axes, measure)
    return figure


def _line(axes: Axes, places: Sequence[float], values: Sequence[Sequence[float]], name: str, index: int) -> None:
    known = [(place, each) for place, each in zip(places, values, strict=True) if each]
    hue, mark = HUES[index % len(HUES)], MARKS[index % len(MARKS)]
    means = [float(np.mean(each)) for _, each in known]
    line = {"color": hue, "linestyle": DASHES[index % len(DASHES)], "marker": mark}
    axes.plot([place for place, _ in known], means, markersize=7, markerfacecolor=PAPER, label=name, **line)
    for place, each in known:
        axes.plot([place] * len(each), each, mark, color=hue, markersize=3.5, alpha=0.8, markeredgewidth=0)


def _finish(axes: Axes, measure: str) -> None:
    if measure == "above":
        axes.axhline(0, color=INK, linewidth=1)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylabel(MEASURES[measure])
    axes.legend(loc="upper center", bbox_to_anchor=(0.44, -0.19), ncols=2, columnspacing=1.2, handlelength=2.8)
