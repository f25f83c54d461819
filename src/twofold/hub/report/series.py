"""Pictures of single places: what was counted and known, what was forecast, what happened."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from twofold.hub.report.wording import category, shades, shortened
from twofold.page.drawing import HUES, INK, LINE, MUTED, PAPER, canvas, day_numbers

_KEY: dict[str, Any] = {"fontsize": 8, "columnspacing": 1.0, "handlelength": 1.4, "handletextpad": 0.5}
_HALF = 3.5
"""Days from the middle of a week's bar to its end."""


def place(
    counted: tuple[Sequence[dt.date], Float[np.ndarray, "weeks"]],
    known: tuple[Sequence[dt.date], Float[np.ndarray, "deadlines"]],
    *,
    dates: Sequence[dt.date],
    pmf: Float[np.ndarray, "dates categories"],
    observed: Int[np.ndarray, "dates"],
    categories: Sequence[str],
    name: str,
) -> Figure:
    """One place: counts above, below them the probabilities of each category and, as a strip, what happened.

    Args:
        counted: last days of weeks, and their counts in the newest version.
        known: last days of weeks, and their counts as they were known at the deadline.
        dates: reference dates, a week apart or more.
        pmf: probabilities; NaN where no forecast was made.
        observed: index of the category that happened, -1 where none is known.
        categories: names, from falling to rising.
        name: the place's.
    """
    figure, top = canvas(3.7, 2.75, (0.72, 0.12, 1.32, 0.28))
    box = top.get_position()
    bottom = figure.add_axes((box.x0, 0.52 / 2.75, box.width, 0.68 / 2.75))
    strip = figure.add_axes((box.x0, 0.32 / 2.75, box.width, 0.13 / 2.75))
    top.plot(day_numbers(list(counted[0])), counted[1], color=INK, linewidth=1.2)
    top.plot(day_numbers(list(known[0])), known[1], "o", color=HUES[1], markersize=3, markerfacecolor="none")
    top.set(title=shortened(name, 38), ylim=(0, None))
    top.set_ylabel("count a week", fontsize=8)
    top.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    top.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    days, colours = day_numbers(list(dates)), shades(categories)
    _stack(bottom, days, pmf, colours)
    _strip(strip, days, observed, colours)
    for axes in (top, bottom, strip):
        _dates(axes, dates, labelled=axes is strip)
    return figure


def revisions(
    counted: tuple[Sequence[dt.date], Float[np.ndarray, "weeks"]],
    known: Sequence[tuple[Sequence[dt.date], Float[np.ndarray, "known"]]],
    name: str,
) -> Figure:
    """What was known at each deadline, as a thin line each, beside what the counts became.

    Args:
        counted: last days of weeks, and their counts in the newest version.
        known: for each reference date, last days of weeks and their counts as known at its deadline.
        name: the place's.
    """
    figure, axes = canvas(9.2, 3.0, (0.75, 0.15, 0.5, 0.5))
    axes.plot(day_numbers(list(counted[0])), counted[1], color=INK, linewidth=1.8, label="the newest version")
    for index, (days, values) in enumerate(known):
        axes.plot(day_numbers(list(days)), values, color=HUES[1], linewidth=0.7, alpha=0.8)
        label = "as known at a deadline: its last 8 weeks, the newest of them a dot" if index == 0 else None
        axes.plot(day_numbers([days[-1]]), values[-1:], "o", color=HUES[1], markersize=3.5, label=label)
    axes.set(title=shortened(name, 60), ylabel="count a week", xlabel="last day of the week", ylim=(0, None))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_title(shortened(name, 60), pad=16)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=2)
    _dates(axes, counted[0], labelled=True, ticks=7)
    return figure


def key(categories: Sequence[str]) -> Figure:
    """The colours of the categories, once for all small panels."""
    figure, axes = canvas(5.2, 0.32, (0.02, 0.02, 0.02, 0.02))
    patches = [Patch(facecolor=c, edgecolor=MUTED, linewidth=0.5) for c in shades(categories)]
    axes.legend(patches, [category(name) for name in categories], loc="center left", ncols=5, **_KEY)
    axes.set_axis_off()
    return figure


def _stack(axes: Axes, days: np.ndarray, pmf: np.ndarray, colours: Sequence[str]) -> None:
    """Steps rather than bars: five outlines instead of some hundred, for a page of many panels."""
    x = np.repeat(days, 2) + np.tile([-_HALF, _HALF], len(days))
    tops = np.concatenate([np.zeros((len(days), 1)), pmf.cumsum(axis=1)], axis=1)
    there = np.repeat(~np.isnan(pmf).any(axis=1), 2)
    for k, colour in enumerate(colours):
        low, high = (np.repeat(np.nan_to_num(tops[:, j]), 2) for j in (k, k + 1))
        axes.fill_between(x, low, high, where=there.tolist(), facecolor=colour, edgecolor="none", linewidth=0)
    axes.set(ylim=(0, 1), ylabel="given")
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.grid(False)


def _strip(axes: Axes, days: np.ndarray, observed: np.ndarray, colours: Sequence[str]) -> None:
    for k, colour in enumerate(colours):
        spans = [(day - _HALF, 2 * _HALF) for day in days[observed == k]]
        axes.broken_barh(spans, (0, 1), facecolor=colour, edgecolor=PAPER, linewidth=0.3)
    axes.set(ylim=(0, 1), yticks=[])
    axes.set_ylabel("was", rotation=0, ha="right", va="center", fontsize=8)
    axes.grid(False)


def _dates(axes: Axes, dates: Sequence[dt.date], *, labelled: bool, ticks: int = 3) -> None:
    first, last = (dates[0], dates[-1])
    span = (last - first).days
    shown = [first + dt.timedelta(round(span * (step + 0.5) / ticks)) for step in range(ticks)]
    labels = [f"{day.day} {day:%b %y}" for day in shown] if labelled else [""] * ticks
    axes.set_xticks(day_numbers(shown), labels, fontsize=8)
    ends = day_numbers([first, last])
    axes.set_xlim(ends[0] - _HALF, ends[1] + _HALF)
    axes.grid(axis="x", color=LINE, linewidth=0.4)
