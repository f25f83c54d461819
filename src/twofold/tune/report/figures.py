"""Figures of a study of trials: their history, what mattered, and each setting against the figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from twofold.page.drawing import HUES, INK, LINE, MUTED, PAPER, canvas

Row = Mapping[str, Any]
FINISHED, GIVEN, BEST = HUES[0], HUES[1], HUES[2]
COLUMNS = 3
_SPREAD = 4.0
"""The axis ends this many times as far above the best trial as the median is: a trial beyond is shown at its end."""


def top_of(values: Sequence[float], given: float | None) -> float:
    """Upper end of the axis of figures."""
    best, middle = min(values), float(np.median(values))
    wanted = max(best + _SPREAD * (middle - best), given if given is not None else best)
    return min(max(values), wanted)


def history(trials: Sequence[Row], label: str) -> Figure:
    """The figure of each trial in the order of their beginnings, the best so far, and those without a figure."""
    figure, axes = canvas(9.2, 3.2, (0.8, 0.15, 0.45, 0.35))
    done = [trial for trial in trials if trial["value"] is not None]
    given = next((trial["value"] for trial in done if trial["default"]), None)
    top = _scale(axes, [trial["value"] for trial in done], given)
    numbers, values = [trial["number"] for trial in done], np.array([trial["value"] for trial in done])
    axes.step(numbers, np.minimum.accumulate(values), where="post", color=BEST, label="best so far")
    if given is not None:
        axes.axhline(given, color=GIVEN, linestyle=(0, (5, 2)), linewidth=1.2, label="the settings given")
    _points(axes, numbers, values, top)
    without = [trial["number"] for trial in trials if trial["value"] is None and trial["state"] != "running"]
    if without:
        axes.plot(without, [axes.get_ylim()[1]] * len(without), "x", color=MUTED, clip_on=False, label="no figure")
    axes.set_xlabel("trial, in the order of their beginnings")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, borderaxespad=0.1)
    return figure


def importances(shares: Mapping[str, float]) -> Figure:
    """Importance of each setting as a bar, the largest first."""
    figure, axes = canvas(6.4, 0.6 + 0.3 * len(shares), (1.9, 0.5, 0.42, 0.1))
    names, values = list(shares), list(shares.values())
    bars = axes.barh(range(len(names)), values, color=FINISHED, height=0.65)
    axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, color=INK)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("importance (PED-ANOVA), in sum 1")
    return figure


def knobs(trials: Sequence[Row], space: Sequence[Row], label: str, best: int) -> Figure:
    """The figure of the finished trials against each setting, those of the trials that have it."""
    done = [trial for trial in trials if trial["value"] is not None]
    given = next((trial["value"] for trial in done if trial["default"]), None)
    rows = -(-len(space) // COLUMNS)
    figure = Figure(figsize=(9.2, 2.35 * rows))
    height = 2.35 * rows
    for place, knob in enumerate(space):
        row, column = divmod(place, COLUMNS)
        box = ((0.75 + 2.85 * column) / 9.2, 1 - (2.35 * row + 1.9) / height, 2.2 / 9.2, 1.7 / height)
        axes = figure.add_axes(box)
        having = [trial for trial in done if knob["name"] in trial["values"]]
        top = _scale(axes, [trial["value"] for trial in done], given)
        drawn = [trial["values"][knob["name"]] for trial in having]
        if knob["scale"] == "one of":
            words = knob["range"].split(", ")
            places = {word: at for at, word in enumerate(words)}
            at = [places[f"{each:g}" if isinstance(each, float) else str(each)] for each in drawn]
            # Equal values lie side by side, in the order of the trials.
            beside = [(sum(other == each for other in at[:index]) % 5 - 2) * 0.09 for index, each in enumerate(at)]
            at = [each + shift for each, shift in zip(at, beside, strict=True)]
            axes.set_xticks(range(len(words)), words, fontsize=7.5 if len(words) < 5 else 6.5)
            axes.set_xlim(-0.5, len(words) - 0.5)
        else:
            at = drawn
            if knob["scale"] == "log":
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.xaxis.set_minor_formatter(NullFormatter())
            elif all(isinstance(each, int) for each in drawn):
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _points(axes, at, np.array([trial["value"] for trial in having]), top)
        for name, hue in (("default", GIVEN), ("best", BEST)):
            for x, trial in zip(at, having, strict=True):
                if trial["default"] if name == "default" else trial["number"] == best:
                    axes.plot([x], [min(trial["value"], top)], "o", mfc="none", mec=hue, markersize=9, mew=1.6)
        axes.set_xlabel(knob["name"])
        if column == 0:
            axes.set_ylabel(label)
    return figure


def _scale(axes: Axes, values: Sequence[float], given: float | None) -> float:
    """Sets the axis of figures; returns its upper end for points."""
    top = top_of(values, given)
    low = min(values)
    margin = 0.08 * (top - low) or abs(low) * 0.01 or 1.0
    axes.set_ylim(low - margin, top + margin)
    return top


def _points(axes: Axes, at: Sequence[int | float], values: np.ndarray, top: float) -> None:
    """Trials as dots, those beyond the axis as triangles at its end."""
    places, beyond = np.asarray(at, dtype=float), values > top
    axes.plot(places[~beyond], values[~beyond], "o", color=FINISHED, markersize=4.5, mec=PAPER, mew=0.5)
    axes.plot(places[beyond], np.full(beyond.sum(), top), "^", color=FINISHED, markersize=5, mec=LINE, mew=0.5)
