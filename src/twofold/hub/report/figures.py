"""Figures of a hub's page: scores by date and horizon, differences, calibration, weights, time series and fans."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

from twofold.hub.report.judgements import reading
from twofold.hub.report.wording import category, shades, shortened
from twofold.page.drawing import DASHES, HUES, INK, LINE, MARKS, MUTED, PAPER, canvas, day_numbers

Record = Mapping[str, Any]
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
_HALF = 3.5
"""Days from the middle of a week's bar to its end."""
FEW = 10
"""Bins of a reliability diagram with fewer forecasts are counted, but no point is drawn: it would be chance."""


FANS = 6
"""Places whose season is drawn in fans."""
_BANDS = (("95 %", 0.025, 0.16), ("80 %", 0.1, 0.2), ("50 %", 0.25, 0.28))
"""Central intervals of a fan: words, lower level, opacity, which adds up from the outside in."""


class Fan(NamedTuple):
    """Quantiles given at one reference date: last days of the target weeks, and a row of quantiles for each."""

    reference_date: dt.date
    ends: list[dt.date]
    values: Float[np.ndarray, "horizons levels"]


def by_date(
    dates: Sequence[dt.date],
    models: Mapping[str, Float[np.ndarray, "dates"]],
    cases: Int[np.ndarray, "dates"],
    counts: Float[np.ndarray, "dates"],
) -> Figure:
    """Mean RPS by reference date, one line per model (NaN: none); below it the counts and the number of forecasts.

    Args:
        cases: number of forecasts that the mean is over.
        counts: of all places in the week before the reference date, in the newest version.
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
        _ticks_on_dates(axes, dates, labelled=place == 1)
    _ticks_on_dates(top, dates, labelled=False)
    figure.axes[-1].set_xlabel("reference date")
    return figure


def by_horizon(horizons: Sequence[int], models: Mapping[str, Float[np.ndarray, "horizons"]], label: str) -> Figure:
    """One score by horizon (weeks), one line per model; NaN where it has none. The label says which way is better."""
    figure, axes = canvas(4.4, 3.6, (0.62, 0.15, 0.5, 0.5))
    for index, (name, values) in enumerate(models.items()):
        axes.plot(horizons, values, marker=MARKS[index], markersize=5, label=shortened(name), **_line(index))
    axes.set(xlabel="horizon, weeks after the reference date", ylabel=label, ylim=(0, None))
    axes.set_xticks(list(horizons))
    axes.margins(x=0.06)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.15, 1.0), ncols=2, columnspacing=1.0, handlelength=2.6)
    return figure


def forest(rows: Sequence[tuple[str, Record]], score: str) -> Figure:
    """Differences of a mean score to each peer with their intervals, the largest on top.

    Args:
        rows: peer and difference (`mean`, below 0: we are better; `low` and `high`, the ends of its interval).
        score: its name.
    """
    ordered = sorted(rows, key=lambda row: row[1]["mean"])
    figure, axes = canvas(5.4, 0.75 + 0.24 * max(len(ordered), 2), (1.95, 0.15, 0.55, 0.1))
    axes.axvline(0, color=INK, linewidth=1)
    for row, (_, found) in enumerate(ordered):
        read = reading(found)
        colour, mark = {"better": (HUES[0], "s"), "worse": (HUES[1], "D"), "unclear": (MUTED, "o")}[read]
        if found["low"] is not None and found["high"] is not None:
            axes.plot([found["low"], found["high"]], [row, row], color=colour, linewidth=2)
        filled = PAPER if read == "unclear" else colour
        axes.plot([found["mean"]], [row], marker=mark, markersize=5, color=colour, markerfacecolor=filled)
    axes.set_yticks(range(len(ordered)), [shortened(name) for name, _ in ordered], fontsize=8)
    axes.set(ylim=(-0.6, len(ordered) - 0.4), xlabel=f"difference of {score}; left of 0 the default is better")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def lines_by_date(dates: Sequence[dt.date], models: Mapping[str, Float[np.ndarray, "dates"]], label: str) -> Figure:
    """One score by reference date, one line per model; NaN where it has none."""
    figure, axes = canvas(9.2, 3.2, (0.75, 0.15, 0.5, 0.35))
    for index, (name, values) in enumerate(models.items()):
        axes.plot(
            day_numbers(list(dates)), values, marker=MARKS[index], markersize=4, label=shortened(name), **_line(index)
        )
    axes.set(ylabel=label, ylim=(0, None), xlabel="reference date")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, handlelength=2.6)
    _ticks_on_dates(axes, dates, labelled=True)
    return figure


def quantile_reliability(levels: Sequence[float], models: Mapping[str, Float[np.ndarray, "levels"]]) -> Figure:
    """The share of outcomes at or below each quantile against its level, one line per model, with the diagonal."""
    figure, axes = canvas(4.6, 4.5, (0.75, 0.15, 0.5, 0.5))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1)
    for index, (name, shares) in enumerate(models.items()):
        axes.plot(levels, shares, marker=MARKS[index], markersize=4, label=shortened(name), **_line(index))
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="level of the quantile", ylabel="share of outcomes at or below it")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.12, 1.0), ncols=2, columnspacing=1.0, handlelength=2.6)
    return figure


def season_in_fans(
    counted: tuple[Sequence[dt.date], Float[np.ndarray, "weeks"]],
    fans: Sequence[Fan],
    levels: Sequence[float],
    name: str,
    unit: str = "count a week",
) -> Figure:
    """A place's counts in the newest version, and the fans of dates so far apart that none covers another."""
    figure, axes = canvas(4.4, 2.6, (0.72, 0.12, 0.4, 0.28))
    at = {round(level, 4): index for index, level in enumerate(levels)}
    values = [counted[1].max(initial=0.0)]
    for fan in fans:
        days = day_numbers(fan.ends)
        for _, level, opacity in _BANDS:
            low, high = fan.values[:, at[level]], fan.values[:, at[round(1 - level, 4)]]
            axes.fill_between(days, low, high, facecolor=HUES[0], alpha=opacity, linewidth=0)
        axes.plot(days, fan.values[:, at[0.5]], color=HUES[0], linewidth=1.4)
        axes.axvline(day_numbers([fan.reference_date])[0] - _HALF, color=LINE, linewidth=0.8)
        values.append(fan.values[:, at[0.75]].max())
    axes.plot(day_numbers(list(counted[0])), counted[1], "o-", color=INK, linewidth=1, markersize=2)
    axes.set(title=shortened(name, 38), ylim=(0, 1.35 * max(values) or 1))
    axes.set_ylabel(unit, fontsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _even_ticks(axes, counted[0], labelled=True, ticks=3)
    return figure


def rise_reliability(models: Mapping[str, Sequence[Record]]) -> Figure:
    """Share that rose against P(rise), one line per model, above the number of forecasts of the first.

    Args:
        models: name -> its bins (`mean_probability`, `share_up`, `windows`, `low`, `high`).
    """
    figure, axes = canvas(4.6, 4.5, (0.75, 0.15, 1.4, 0.5))
    _curves(axes, models)
    axes.set_ylabel("share that rose")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.12, 1.0), ncols=2, columnspacing=1.0, handlelength=2.6)
    below = figure.add_axes((axes.get_position().x0, 0.5 / 4.5, axes.get_position().width, 0.65 / 4.5))
    bins = next(iter(models.values()))
    _bars(below, bins, HUES[0], max(each["windows"] for each in bins))
    below.set(xlabel="P(rise) that was given", ylabel="forecasts\n(log)")
    return figure


def category_reliability(categories: Sequence[str], models: Mapping[str, Sequence[Sequence[Record]]]) -> Figure:
    """For each category: how often it happened against the probability it was given, one panel per category.

    Args:
        categories: names, from falling to rising.
        models: name -> the bins of each category.
    """
    width, own = 9.2, next(iter(models.values()))
    most = max(each["windows"] for bins in own for each in bins)
    figure, axes = canvas(width, 3.2, (0.7, width - 2.3, 1.15, 0.55))
    box = axes.get_position()
    panels = [axes, *(figure.add_axes((box.x0 + k * 1.72 / width, *box.bounds[1:])) for k in range(1, len(categories)))]
    for k, (panel, name) in enumerate(zip(panels, categories, strict=True)):
        _curves(panel, {model: bins[k] for model, bins in models.items()})
        panel.set_title(category(name))
        below = figure.add_axes((panel.get_position().x0, 0.5 / 3.2, box.width, 0.42 / 3.2))
        _bars(below, own[k], shades(categories)[k], most)
        below.set_xlabel("probability")
        for each in (panel, below):  # few labels, since panels stand close; the heights of the left one hold for all
            each.set_xticks([0.2, 0.4, 0.6, 0.8], [".2", ".4", ".6", ".8"], fontsize=8)
            if k:
                each.set_yticklabels([])
    axes.set_ylabel("share that happened", fontsize=8)
    figure.axes[len(panels)].set_ylabel("forecasts\n(log)", fontsize=8)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.2, 1.15), ncols=4, handlelength=2.6)
    return figure


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
    _ticks_on_dates(axes, dates, labelled=True)
    return figure


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
    days = day_numbers(list(dates))
    # Steps rather than bars: five outlines instead of some hundred, for a page of many panels.
    x = np.repeat(days, 2) + np.tile([-_HALF, _HALF], len(days))
    tops = np.concatenate([np.zeros((len(days), 1)), pmf.cumsum(axis=1)], axis=1)
    there = np.repeat(~np.isnan(pmf).any(axis=1), 2)
    for k, colour in enumerate(shades(categories)):
        low, high = (np.repeat(np.nan_to_num(tops[:, j]), 2) for j in (k, k + 1))
        bottom.fill_between(x, low, high, where=there.tolist(), facecolor=colour, edgecolor="none", linewidth=0)
        spans = [(day - _HALF, 2 * _HALF) for day in days[observed == k]]
        strip.broken_barh(spans, (0, 1), facecolor=colour, edgecolor=PAPER, linewidth=0.3)
    bottom.set(ylim=(0, 1), ylabel="given")
    bottom.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    bottom.grid(False)
    strip.set(ylim=(0, 1), yticks=[])
    strip.set_ylabel("was", rotation=0, ha="right", va="center", fontsize=8)
    strip.grid(False)
    for axes in (top, bottom, strip):
        _even_ticks(axes, dates, labelled=axes is strip, ticks=3)
    return figure


def revisions(
    counted: tuple[Sequence[dt.date], Float[np.ndarray, "weeks"]],
    known: Sequence[tuple[Sequence[dt.date], Float[np.ndarray, "known"]]],
    name: str,
    unit: str = "count a week",
) -> Figure:
    """The counts as known at each deadline, one thin line each, and in the newest version (`counted`).

    A series is the last days of weeks and their counts.
    """
    figure, axes = canvas(9.2, 3.0, (0.75, 0.15, 0.5, 0.5))
    axes.plot(day_numbers(list(counted[0])), counted[1], color=INK, linewidth=1.8, label="the newest version")
    for index, (days, values) in enumerate(known):
        axes.plot(day_numbers(list(days)), values, color=HUES[1], linewidth=0.7, alpha=0.8)
        label = "as known at a deadline: its last 8 weeks, the newest of them a dot" if index == 0 else None
        axes.plot(day_numbers([days[-1]]), values[-1:], "o", color=HUES[1], markersize=3.5, label=label)
    axes.set(ylabel=unit, xlabel="last day of the week", ylim=(0, None))
    axes.set_title(shortened(name, 60), pad=16)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=2)
    _even_ticks(axes, counted[0], labelled=True, ticks=7)
    return figure


def key(categories: Sequence[str]) -> Figure:
    """The colours of the categories, once for all small panels."""
    figure, axes = canvas(5.2, 0.32, (0.02, 0.02, 0.02, 0.02))
    patches = [Patch(facecolor=c, edgecolor=MUTED, linewidth=0.5) for c in shades(categories)]
    look: dict[str, Any] = {"fontsize": 8, "columnspacing": 1.0, "handlelength": 1.4, "handletextpad": 0.5}
    axes.legend(patches, [category(name) for name in categories], loc="center left", ncols=5, **look)
    axes.set_axis_off()
    return figure


def _curves(axes: Axes, models: Mapping[str, Sequence[Record]]) -> None:
    """Observed share against probability, one line per model, with the diagonal."""
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1)
    for index, (name, every_bin) in enumerate(models.items()):
        bins = [each for each in every_bin if each["windows"] >= FEW]
        x, y = ([each[key] for each in bins] for key in ("mean_probability", "share_up"))
        axes.plot(x, y, marker=MARKS[index], markersize=4, label=shortened(name), **_line(index))
    axes.set(xlim=(0, 1), ylim=(0, 1.01))


def _bars(axes: Axes, bins: Sequence[Record], colour: str, most: int) -> None:
    """Forecasts in each bin, up to the most that one holds."""
    lows, widths = [each["low"] for each in bins], [each["high"] - each["low"] for each in bins]
    heights = [each["windows"] for each in bins]
    axes.bar(lows, heights, widths, align="edge", color=colour, edgecolor=MUTED, linewidth=0.5)
    axes.set(xlim=(0, 1), yscale="log", ylim=(0.7, 3 * most))
    powers = {power: label for power, label in ((1, "1"), (1000, "1k"), (10**6, "1000000")) if power <= 3 * most}
    axes.set_yticks(list(powers), list(powers.values()))
    axes.yaxis.set_minor_locator(NullLocator())


def _line(index: int) -> dict[str, Any]:
    return {"color": HUES[index % len(HUES)], "linestyle": DASHES[index % len(DASHES)]}


def _ticks_on_dates(axes: Axes, dates: Sequence[dt.date], *, labelled: bool) -> None:
    """Ticks on reference dates themselves, at most seven."""
    shown = list(dates)[:: -(-len(dates) // 7)]
    labels = [f"{day.day} {day:%b %Y}" for day in shown] if labelled else [""] * len(shown)
    axes.set_xticks(day_numbers(shown), labels, fontsize=8)
    days = day_numbers([dates[0], dates[-1]])
    axes.set_xlim(days[0] - 5, days[1] + 5)


def _even_ticks(axes: Axes, dates: Sequence[dt.date], *, labelled: bool, ticks: int) -> None:
    """Evenly spaced ticks, none at an end."""
    span = (dates[-1] - dates[0]).days
    shown = [dates[0] + dt.timedelta(round(span * (step + 0.5) / ticks)) for step in range(ticks)]
    labels = [f"{day.day} {day:%b %y}" for day in shown] if labelled else [""] * ticks
    axes.set_xticks(day_numbers(shown), labels, fontsize=8)
    ends = day_numbers([dates[0], dates[-1]])
    axes.set_xlim(ends[0] - _HALF, ends[1] + _HALF)
    axes.grid(axis="x", color=LINE, linewidth=0.4)
