"""Pictures of how well a hub's models forecast: by date, by horizon, beside each peer, calibration, weights."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

from twofold.hub.report.wording import category, shades, shortened
from twofold.page.drawing import DASHES, HUES, INK, LINE, MARKS, MUTED, PAPER, canvas, day_numbers

Record = Mapping[str, Any]
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")


FEW = 10
"""Bins of a reliability diagram with fewer forecasts are counted, but no point is drawn: it would be chance."""


def by_date(
    dates: Sequence[dt.date],
    models: Mapping[str, Float[np.ndarray, "dates"]],
    cases: Int[np.ndarray, "dates"],
    counts: Float[np.ndarray, "dates"],
) -> Figure:
    """Mean RPS by reference date, a line a model; below it the epidemic's counts and how many forecasts there were.

    Args:
        dates: reference dates.
        models: name -> its RPS; NaN where there is none.
        cases: forecasts that the mean is over.
        counts: newest count of all places in the week before the reference date.
    """
    figure, top = canvas(9.2, 4.6, (0.75, 0.15, 2.0, 0.35))
    box, days = top.get_position(), day_numbers(list(dates))
    for index, (name, values) in enumerate(models.items()):
        top.plot(days, values, marker=MARKS[index], markersize=4, label=shortened(name), **_line(index))
    top.set(ylabel="RPS, lower is better", ylim=(0, None))
    top.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, handlelength=2.6)
    for place, (values, label) in enumerate(((counts, "count a week"), (cases.astype(float), "forecasts\nof a model"))):
        axes = figure.add_axes((box.x0, (1.22 - 0.8 * place) / 4.6, box.width, 0.6 / 4.6))
        axes.bar(days, values, 5.5, color=(HUES[5], LINE)[place], edgecolor=MUTED, linewidth=0.4)
        axes.set_ylabel(label, fontsize=8)
        axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        _dates(axes, dates, labelled=place == 1)
    _dates(top, dates, labelled=False)
    figure.axes[-1].set_xlabel("reference date")
    return figure


def by_horizon(horizons: Sequence[int], models: Mapping[str, Float[np.ndarray, "horizons"]], label: str) -> Figure:
    """One score by horizon, a line a model.

    Args:
        horizons: weeks.
        models: name -> its score at each horizon; NaN where there is none.
        label: the score, and which direction is better.
    """
    figure, axes = canvas(4.4, 3.6, (0.62, 0.15, 0.5, 0.5))
    for index, (name, values) in enumerate(models.items()):
        axes.plot(horizons, values, marker=MARKS[index], markersize=5, label=shortened(name), **_line(index))
    axes.set(xlabel="horizon, weeks after the reference date", ylabel=label, ylim=(0, None))
    axes.set_xticks(list(horizons))
    axes.margins(x=0.06)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.15, 1.0), ncols=2, columnspacing=1.0, handlelength=2.6)
    return figure


def forest(rows: Sequence[tuple[str, float, float | None, float | None]]) -> Figure:
    """Differences of mean RPS to each peer with their intervals, the peer that we lose to most on top.

    Args:
        rows: peer, difference (below 0: we are better), ends of its interval.
    """
    ordered = sorted(rows, key=lambda row: row[1])
    height = 0.75 + 0.24 * max(len(ordered), 2)
    figure, axes = canvas(5.4, height, (1.95, 0.15, 0.55, 0.1))
    axes.axvline(0, color=INK, linewidth=1)
    for row, (_, value, low, high) in enumerate(ordered):
        clear = low is not None and high is not None and (low > 0 or high < 0)
        colour = MUTED if not clear else HUES[0] if value < 0 else HUES[1]
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=colour, linewidth=2)
        mark = "o" if not clear else "s" if value < 0 else "D"
        axes.plot([value], [row], marker=mark, markersize=5, color=colour, markerfacecolor=colour if clear else PAPER)
    axes.set_yticks(range(len(ordered)), [shortened(name) for name, *_ in ordered], fontsize=8)
    axes.set(ylim=(-0.6, len(ordered) - 0.4), xlabel="difference of RPS; left of 0 the default is better")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def rise_reliability(models: Mapping[str, Sequence[Record]]) -> Figure:
    """Share that rose against P(rise), a line a model, above the number of forecasts of the first.

    Args:
        models: name -> its bins (`mean_probability`, `share_up`, `windows`, `low`, `high`).
    """
    figure, axes = canvas(4.6, 4.5, (0.75, 0.15, 1.4, 0.5))
    _diagonal(axes)
    for index, (name, bins) in enumerate(models.items()):
        _curve(axes, bins, index, shortened(name))
    axes.set(xlim=(0, 1), ylim=(0, 1.01), ylabel="share that rose")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.12, 1.0), ncols=2, columnspacing=1.0, handlelength=2.6)
    below = figure.add_axes((axes.get_position().x0, 0.5 / 4.5, axes.get_position().width, 0.65 / 4.5))
    _bars(below, next(iter(models.values())))
    below.set(xlabel="P(rise) that was given", ylabel="forecasts\n(log)")
    return figure


def category_reliability(categories: Sequence[str], models: Mapping[str, Sequence[Sequence[Record]]]) -> Figure:
    """For each category: how often it happened against the probability it was given, one panel a category.

    Args:
        categories: names, from falling to rising.
        models: name -> the bins of each category.
    """
    width, own = 9.2, next(iter(models.values()))
    figure, axes = canvas(width, 3.2, (0.7, width - 2.3, 1.15, 0.55))
    box = axes.get_position()
    panels = [axes, *(figure.add_axes((box.x0 + k * 1.72 / width, *box.bounds[1:])) for k in range(1, len(categories)))]
    for k, (panel, name) in enumerate(zip(panels, categories, strict=True)):
        _diagonal(panel)
        for index, (model, bins) in enumerate(models.items()):
            _curve(panel, bins[k], index, shortened(model))
        panel.set(xlim=(0, 1), ylim=(0, 1.01), title=category(name))
        below = figure.add_axes((panel.get_position().x0, 0.5 / 3.2, box.width, 0.42 / 3.2))
        _bars(below, own[k], shades(categories)[k], max(each["windows"] for bins in own for each in bins))
        below.set_xlabel("probability")
        _sparse_ticks(panel, below, first=k == 0)
    axes.set_ylabel("share that happened", fontsize=8)
    figure.axes[len(panels)].set_ylabel("forecasts\n(log)", fontsize=8)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.2, 1.15), ncols=4, handlelength=2.6)
    return figure


def _sparse_ticks(*panels: Axes, first: bool) -> None:
    """Few labels, since panels stand close together; the left one's heights hold for all."""
    for axes in panels:
        axes.set_xticks([0.2, 0.4, 0.6, 0.8], [".2", ".4", ".6", ".8"], fontsize=8)
        if not first:
            axes.set_yticklabels([])


def weights(dates: Sequence[dt.date], models: Mapping[str, Float[np.ndarray, "dates"]]) -> Figure:
    """The weights of a pool through the season, stacked.

    Args:
        dates: reference dates.
        models: name -> its weight at each date, in [0, 1].
    """
    lines = -(-len(models) // 3)
    figure, axes = canvas(9.2, 3.0 + 0.2 * lines, (0.75, 0.15, 0.5, 0.25 + 0.2 * lines))
    days, floor = day_numbers(list(dates)), np.zeros(len(dates))
    for index, (name, values) in enumerate(models.items()):
        look: dict[str, Any] = {
            "color": HUES[index % len(HUES)],
            "hatch": _HATCHES[(index + index // 6) % 6],
            "edgecolor": PAPER,
        }
        axes.bar(days, values, 6.2, floor, label=shortened(name), linewidth=0.5, **look)
        floor = floor + values
    axes.set(ylabel="weight in the pool", xlabel="reference date", ylim=(0, 1))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3)
    _dates(axes, dates, labelled=True)
    return figure


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1)


def _curve(axes: Axes, every_bin: Sequence[Record], index: int, label: str) -> None:
    bins = [each for each in every_bin if each["windows"] >= FEW]
    x, y = ([each[key] for each in bins] for key in ("mean_probability", "share_up"))
    axes.plot(x, y, marker=MARKS[index], markersize=4, label=label, **_line(index))


def _bars(axes: Axes, bins: Sequence[Record], colour: str = HUES[0], most: int | None = None) -> None:
    lows, widths = [each["low"] for each in bins], [each["high"] - each["low"] for each in bins]
    heights = [each["windows"] for each in bins]
    axes.bar(lows, heights, widths, align="edge", color=colour, edgecolor=MUTED, linewidth=0.5)
    top = 3 * (max(heights) if most is None else most)
    axes.set(xlim=(0, 1), yscale="log", ylim=(0.7, top))
    powers = [10**power for power in range(0, 9, 3) if 10**power <= top]
    axes.set_yticks(powers, [_short(power) for power in powers])
    axes.yaxis.set_minor_locator(NullLocator())


def _line(index: int) -> dict[str, Any]:
    return {"color": HUES[index % len(HUES)], "linestyle": DASHES[index % len(DASHES)]}


def _short(count: int) -> str:
    return f"{count // 1000}k" if 1000 <= count < 1_000_000 else f"{count}"


def _dates(axes: Axes, dates: Sequence[dt.date], *, labelled: bool, ticks: int = 7) -> None:
    """Ticks on reference dates themselves, at most so many."""
    step = -(-len(dates) // ticks)
    shown = list(dates)[::step]
    labels = [f"{day.day} {day:%b %Y}" for day in shown] if labelled else [""] * len(shown)
    days = day_numbers([dates[0], dates[-1]])
    axes.set_xticks(day_numbers(shown), labels, fontsize=8)
    axes.set_xlim(days[0] - 5, days[1] + 5)
