"""Pictures of counts over time: all regions together, and each region with its probability."""

import matplotlib.dates as mdates
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from twofold.page.drawing import HUES, INK, LINE, MUTED, canvas

PARTS = ("train", "validation", "calibration", "test")
_SHADES = {"train": HUES[0], "validation": HUES[4], "calibration": HUES[2], "test": HUES[1]}
_HATCHES = {"train": "", "validation": "....", "calibration": "////", "test": "\\\\\\\\"}


def totals(
    dates: Float[np.ndarray, " T"], counts: Float[np.ndarray, " T"], spans: dict[str, tuple[float, float]], unit: str
) -> Figure:
    """New cases of all regions together, and which part of the data each split holds.

    Args:
        dates: matplotlib day numbers.
        counts: summed increments.
        spans: split -> first and last target date, as day numbers; empty where splits are not stretches of time.
        unit: "day" or "week".
    """
    figure, axes = canvas(9.2, 2.9, (0.75, 0.15, 0.4, 0.45))
    axes.plot(dates, counts, color=INK, linewidth=1.3)
    for split, (first, last) in spans.items():
        axes.axvspan(
            first - 0.5,
            last + 0.5,
            facecolor=_SHADES[split],
            alpha=0.16,
            hatch=_HATCHES[split],
            label=split,
            linewidth=0,
        )
    axes.set_ylabel(f"new cases a {unit}, all regions")
    axes.set_xlim(dates[0], dates[-1] + 0.5)
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    _date_axis(axes)
    if spans:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4)
    return figure


def region(
    dates: Float[np.ndarray, " T"],
    counts: Float[np.ndarray, " T"],
    *,
    targets: Float[np.ndarray, " n"],
    probability: Float[np.ndarray, " n"],
    went_up: Bool[np.ndarray, " n"],
    name: str,
) -> Figure:
    """One region: new cases as bars, below them the probability of up at each test window's target date.

    Args:
        dates: matplotlib day numbers of the increments.
        counts: increments.
        targets: day numbers of the test windows' target dates.
        probability: the headline model's probability of up.
        went_up: what happened: a filled triangle for up, an open circle for not up.
        name: the region's.
    """
    figure, top = canvas(3.7, 2.75, (0.6, 0.12, 1.22, 0.28))
    box = top.get_position()
    bottom = figure.add_axes((box.x0, 0.36 / 2.75, box.width, 0.78 / 2.75))
    step = float(np.min(np.diff(dates))) if len(dates) > 1 else 1.0
    top.fill_between(
        np.repeat(dates, 2) + np.tile([-step / 2, step / 2], len(dates)), np.repeat(counts, 2), color=HUES[5]
    )
    top.set_title(name if len(name) <= 38 else name[:37] + "…")
    top.set_ylabel("new cases")
    top.yaxis.set_major_locator(MaxNLocator(3))
    top.yaxis.set_major_formatter(FuncFormatter(_short))
    _probabilities(bottom, targets, probability, went_up)
    for axes in (top, bottom):
        axes.set_xlim(dates[0] - step / 2, dates[-1] + 1.5 * step)
        _date_axis(axes, 3)
    top.set_xticklabels([])
    return figure


def _probabilities(axes: Axes, targets: np.ndarray, probability: np.ndarray, went_up: np.ndarray) -> None:
    axes.axhline(0.5, color=MUTED, linewidth=0.8)
    axes.plot(targets[went_up], probability[went_up], "^", color=HUES[1], markersize=4.5)
    axes.plot(targets[~went_up], probability[~went_up], "o", color=HUES[0], markersize=3.8, markerfacecolor="none")
    axes.set(ylim=(-0.05, 1.05), ylabel="P(up)")
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])


def _date_axis(axes: Axes, ticks: int = 7) -> None:
    low, high = axes.get_xlim()
    # whole dates at an even distance: faster than matplotlib's own date locator, and never too many
    places = np.unique(np.round(np.linspace(low + 0.05 * (high - low), high - 0.09 * (high - low), ticks)))
    pattern = "%d %b %Y" if ticks > 4 else "%d %b %y"
    labels = [mdates.num2date(place).strftime(pattern).lstrip("0") for place in places]
    axes.set_xticks(places, labels, fontsize=8)
    axes.grid(axis="x", color=LINE, linewidth=0.4)


def _short(value: float, _: int) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}".replace("-", "−")
    return f"{value:g}".replace("-", "−")
