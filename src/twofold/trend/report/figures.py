"""Figures of the trend study: counts, learning curves, scores, calibration, backtests, correlations."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.dates as mdates
import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from twofold.page.album import Album
from twofold.page.drawing import DASHES, HUES, INK, LINE, MARKS, MUTED, ON_DARK, ON_LIGHT, PAPER, canvas
from twofold.page.numbers import score
from twofold.trend.report import wording

PARTS = {
    "train": (HUES[0], ""),
    "validation": (HUES[4], "...."),
    "calibration": (HUES[2], "////"),
    "test": (HUES[1], "\\\\\\\\"),
}
"""Colour and hatching of each part of a split in time, in its order."""
_SMALL = (4.4, 4.3, (0.62, 0.15, 1.35, 0.3))
_POINTS = 250
"""Points that a curve is thinned to: more would not be visible."""
_FAST_ENOUGH = 400
"""Up to this number of regions the optimal order of leaves is searched for, which takes cubic time."""

Record = Mapping[str, Any]


def totals(
    dates: Float[np.ndarray, " T"], counts: Float[np.ndarray, " T"], spans: dict[str, tuple[float, float]], unit: str
) -> Figure:
    """New cases of all regions together, with the target dates of each part of the split.

    Args:
        dates: matplotlib day numbers.
        counts: summed increments.
        spans: part -> first and last target date, as day numbers; empty where the split is not temporal.
        unit: "day" or "week".
    """
    figure, axes = canvas(9.2, 2.9, (0.75, 0.15, 0.4, 0.45))
    axes.plot(dates, counts, color=INK, linewidth=1.3)
    for split, (first, last) in spans.items():
        hue, hatch = PARTS[split]
        axes.axvspan(first - 0.5, last + 0.5, facecolor=hue, alpha=0.16, hatch=hatch, label=split, linewidth=0)
    axes.set_ylabel(f"new cases per {unit}, all regions")
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
        went_up: drawn as a filled triangle for up, an open circle for not up.
    """
    figure, top = canvas(3.7, 2.75, (0.6, 0.12, 1.22, 0.28))
    bottom = _below(top, 0.36 / 2.75, 0.78 / 2.75)
    step = float(np.min(np.diff(dates))) if len(dates) > 1 else 1.0
    top.fill_between(
        np.repeat(dates, 2) + np.tile([-step / 2, step / 2], len(dates)), np.repeat(counts, 2), color=HUES[5]
    )
    top.set_title(name if len(name) <= 38 else name[:37] + "…")
    top.set_ylabel("new cases")
    top.yaxis.set_major_locator(MaxNLocator(3))
    top.yaxis.set_major_formatter(FuncFormatter(_short))
    bottom.axhline(0.5, color=MUTED, linewidth=0.8)
    bottom.plot(targets[went_up], probability[went_up], "^", color=HUES[1], markersize=4.5)
    bottom.plot(targets[~went_up], probability[~went_up], "o", color=HUES[0], markersize=3.8, markerfacecolor="none")
    bottom.set(ylim=(-0.05, 1.05), ylabel="P(rise)")
    bottom.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    for axes in (top, bottom):
        axes.set_xlim(dates[0] - step / 2, dates[-1] + 1.5 * step)
        _date_axis(axes, 3)
    top.set_xticklabels([])
    return figure


def _below(above: Axes, bottom: float, height: float | None = None) -> Axes:
    """Axes of the same width under others, by default of the same height; in shares of the figure's height."""
    box = above.get_position()
    return above.figure.add_axes((box.x0, bottom, box.width, box.height if height is None else height))


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


def learning(records: Sequence[Record], member: str) -> Figure:
    """Loss above accuracy, by epoch, for train, validation and test.

    Args:
        records: one member's lines of metrics.jsonl, of one stage.
        member: its name.
    """
    figure, top = canvas(4.4, 4.6, (0.65, 0.15, 2.6, 0.3))
    bottom = _below(top, 0.5 / 4.6)
    for axes, quantity, label, scale in (
        (top, "loss", "loss, nats per window", 1),
        (bottom, "accuracy", "accuracy, %", 100),
    ):
        for index, part in enumerate(("train", "validation", "test")):
            key = f"{part}_{quantity}"
            known = [(record["epoch"], record[key]) for record in records if record.get(key) is not None]
            if known:
                epochs, values = zip(*known, strict=True)
                marker = MARKS[index] if len(known) <= 30 else None
                values = scale * np.asarray(values, float)
                axes.plot(epochs, values, label=part, marker=marker, markersize=3, **_line(index))
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    top.set_title(member)
    top.tick_params(labelbottom=False)
    top.legend(loc="best")
    bottom.set_xlabel("epoch")
    return figure


def roc(label: Bool[np.ndarray, " n"], probabilities: Mapping[str, Float[np.ndarray, " n"]], title: str) -> Figure:
    """ROC curves, one per model.

    Args:
        label: True where the count went up; both classes present.
        probabilities: model's name -> its probability of up.
        title: says which windows.
    """
    figure, axes = canvas(*_SMALL)
    for index, (name, probability) in enumerate(probabilities.items()):
        false_alarms, hits, _ = roc_curve(label, probability)
        grid = _thin(len(hits))
        axes.plot(false_alarms[grid], hits[grid], label=wording.model(name), **_line(index))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, label="chance")
    _unit_square(axes, "false alarms, share of not up", "alarms, share of up", title)
    _legend_below(axes)
    return figure


def precision_recall(
    label: Bool[np.ndarray, " n"], probabilities: Mapping[str, Float[np.ndarray, " n"]], title: str
) -> Figure:
    """Precision-recall curves, one per model; arguments as for `roc`."""
    figure, axes = canvas(*_SMALL)
    for index, (name, probability) in enumerate(probabilities.items()):
        precision, recall, _ = precision_recall_curve(label, probability)
        grid = _thin(len(recall))
        # Steps, since linear interpolation between thresholds is too optimistic (Davis & Goadrich 2006).
        axes.plot(recall[grid], precision[grid], drawstyle="steps-post", label=wording.model(name), **_line(index))
    axes.axhline(float(label.mean()), color=MUTED, linewidth=1, label="chance")
    _unit_square(axes, "recall, share of up that is found", "precision, share of alarms", title)
    _legend_below(axes)
    return figure


def _legend_below(axes: Axes, at: float = -0.17) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.44, at), ncols=2, columnspacing=1.2, handlelength=2.8)


def _thin(length: int) -> np.ndarray:
    return np.unique(np.linspace(0, length - 1, min(length, _POINTS)).astype(int))


def _line(index: int) -> dict[str, Any]:
    return {"color": HUES[index % len(HUES)], "linestyle": DASHES[index % len(DASHES)]}


def _unit_square(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=x, ylabel=y)
    axes.set_title(title)


def reliability(models: Mapping[str, Sequence[Record]], title: str) -> Figure:
    """Reliability diagram above a histogram of the probabilities.

    Args:
        models: model's name -> its bins (`mean_probability`, `share_up`, `windows`, `low`, `high`); the histogram is of
            the first.
        title: says which windows.
    """
    figure, axes = canvas(4.4, 4.4, (0.62, 0.15, 1.45, 0.3))
    for index, (name, bins) in enumerate(models.items()):
        known = [each for each in bins if each["windows"] and each["mean_probability"] is not None]
        given, happened = ([each[key] for each in known] for key in ("mean_probability", "share_up"))
        axes.plot(given, happened, marker=MARKS[index], markersize=4, label=wording.model(name), **_line(index))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, label="perfect")
    _unit_square(axes, "", "share that went up", title)
    axes.legend(loc="upper left")
    first = next(iter(models.values()))
    below = _below(axes, 0.5 / 4.4, 0.65 / 4.4)
    lows, windows = ([each[key] for each in first] for key in ("low", "windows"))
    widths = [each["high"] - each["low"] for each in first]
    below.bar(lows, windows, widths, align="edge", color=HUES[0], edgecolor=PAPER, linewidth=0.5)
    below.set(xlim=(0, 1), xlabel="probability of a rise", ylabel="windows")
    below.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    return figure


def confusion(label: Bool[np.ndarray, " n"], called: Bool[np.ndarray, " n"], title: str) -> Figure:
    """Confusion matrix of windows, with each count's share of its row."""
    figure, axes = canvas(4.4, 2.9, (1.1, 0.3, 0.6, 0.35))
    counts = confusion_matrix(label, called, labels=[True, False])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="none")
    for row, column in np.ndindex(2, 2):
        text = f"{counts[row, column]:,}\n{100 * shares[row, column]:.1f} % of row"
        dark = shares[row, column] > 0.55
        axes.text(column, row, text, ha="center", va="center", fontsize=10, color=ON_DARK if dark else ON_LIGHT)
    axes.set_xticks([0, 1], ["called up", "called not up"])
    axes.set_yticks([0, 1], ["went up", "did not"])
    axes.set_xlabel("call at probability 0.5")
    axes.set_title(title)
    axes.grid(False)
    return figure


def importance(groups: Sequence[Record]) -> Figure:
    """Increase of the log score when a group of inputs is shuffled, with intervals; largest on top."""
    ranked = sorted(groups, key=lambda group: group["log_score_increase"])
    return _forest(
        [group["group"] for group in ranked],
        [(group["log_score_increase"], group.get("low"), group.get("high")) for group in ranked],
        "increase of log score when shuffled, nats",
        1.35,
    )


def comparisons(pairs: Sequence[Record], title: str) -> Figure:
    """Differences of log score, model minus baseline, with intervals; left of the line the model is better."""
    rows = []
    for pair in reversed(pairs):
        against = wording.model(pair["against"])
        if not against[1:2].isupper():  # an acronym stays as it is
            against = against[:1].lower() + against[1:]
        rows.append(f"{wording.model(pair['model'])}\nagainst {against}")
    values = [(pair["difference"], pair["low"], pair["high"]) for pair in reversed(pairs)]
    return _forest(rows, values, "difference of log score, nats", 1.75, title=title, step=0.36)


def scores_at_a_glance(rows: Mapping[str, tuple[float | None, Sequence[float | None] | None]], score: str) -> Figure:
    """One score of every model as dots with intervals, best on top.

    Args:
        rows: model's name -> (score, interval); undefined scores are left out, a `baseline_` gets an open dot.
        score: the score's key.
    """
    words = wording.SCORES[score]
    known = [(name, value, ends or (None, None)) for name, (value, ends) in rows.items() if value is not None]
    known.sort(key=lambda row: row[1], reverse=not words.higher)
    return _forest(
        [wording.model(name) for name, _, _ in known],
        [(value, ends[0], ends[1]) for _, value, ends in known],
        f"{words.label}, {'higher' if words.higher else 'lower'} is better",
        1.75,
        title="active test windows",
        hollow=[name.startswith("baseline_") for name, _, _ in known],
    )


def _forest(
    names: list[str],
    values: Sequence[tuple[float | None, float | None, float | None]],
    x: str,
    left: float,
    *,
    title: str = "",
    step: float = 0.26,
    hollow: Sequence[bool] | None = None,
) -> Figure:
    height = 0.95 + step * max(len(names), 2)
    figure, axes = canvas(4.4, height, (left, 0.2, 0.55, 0.3))
    for row, (value, low, high) in enumerate(values):
        if value is None:
            continue
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=HUES[0], linewidth=2)
        filled = hollow is None or not hollow[row]
        axes.plot([value], [row], marker="o", markersize=5, color=HUES[0], markerfacecolor=HUES[0] if filled else PAPER)
    if hollow is None:
        axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(ylim=(-0.6, len(names) - 0.4), xlabel=x)
    axes.set_title(title, y=1 + 0.06 / (height - 0.85))  # as far above a tall figure as above a small one
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color=LINE, linewidth=0.3)
    return figure


def by_target(dates: Sequence[str], values: Mapping[str, Sequence[float | None]], score: str) -> Figure:
    """One score by target date, one line per model with gaps where it is undefined.

    Args:
        dates: target dates, ascending.
        values: model's name -> one value per date.
        score: the score's key.
    """
    figure, axes = canvas(8.6, 3.8, (0.72, 0.2, 0.95, 0.2))
    days = np.array(dates, dtype="datetime64[D]")
    for index, (name, line) in enumerate(values.items()):
        marker = MARKS[index % len(MARKS)] if len(dates) <= 40 else None
        heights = np.array(line, dtype=float)  # None becomes NaN
        axes.plot(days, heights, marker=marker, markersize=4, label=wording.model(name), **_line(index))
    words = wording.SCORES[score]
    axes.set_ylabel(f"{words.label} ({'higher' if words.higher else 'lower'} is better)")
    _iso_dates(axes, "target date")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=6, columnspacing=1.2, handlelength=2.8)
    return figure


def known_by_origin(dates: Sequence[str], regions: Sequence[int], learned: Sequence[int]) -> Figure:
    """Regions in C above training windows, by origin.

    Args:
        dates: origins, ascending.
        regions: in C.
        learned: windows that the models of the origin were trained on.
    """
    figure, top = canvas(8.6, 3.9, (0.72, 0.2, 2.2, 0.2))
    bottom = _below(top, 0.5 / 3.9)
    for axes, values, label in ((top, regions, "regions in C"), (bottom, learned, "training windows")):
        axes.step(np.array(dates, dtype="datetime64[D]"), np.asarray(values, dtype=float), where="post", color=HUES[0])
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        _iso_dates(axes, "origin" if axes is bottom else "")
    top.tick_params(labelbottom=False)
    return figure


def _iso_dates(axes: Axes, label: str) -> None:
    axes.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=3, maxticks=7))
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%Y-%m-%d"))
    axes.set_xlabel(label)


def draw_correlation(
    album: Album, correlation: Float[np.ndarray, "R R"] | None, tomorrow: pl.DataFrame
) -> list[str] | None:
    """Draws the correlation of all regions in file order and clustered, and of the first ten with numbers.

    Args:
        album: takes `heatmap-all`, `heatmap-clustered` and `heatmap-first`.
        correlation: Pearson's r in the order of the file, NaN where undefined; None: of too many regions to be kept.
        tomorrow: columns region and in_c, in the same order.

    Returns:
        The regions in the clustered order; None without correlations, of which nothing is drawn.
    """
    if correlation is None:
        return None
    names, in_c, order = tomorrow["region"].to_list(), tomorrow["in_c"].to_numpy(), clustered(correlation)
    album.draw("heatmap-all", heatmap(correlation, in_c, "in the order of the file"))
    album.draw("heatmap-clustered", heatmap(correlation[np.ix_(order, order)], in_c[order], "clustered"))
    album.draw("heatmap-first", heatmap_named(correlation[:10, :10], names[:10]))
    return [names[index] for index in order]


def clustered(correlation: Float[np.ndarray, "R R"]) -> Int[np.ndarray, " R"]:
    """An order of the regions by hierarchical clustering: average linkage on 1 - r.

    Regions without a correlation (constant series) come last, in their own order.

    Args:
        correlation: Pearson's r, NaN rows and columns where undefined.
    """
    defined = np.flatnonzero(~np.isnan(np.diag(correlation)))
    undefined = np.flatnonzero(np.isnan(np.diag(correlation)))
    if len(defined) < 3:
        return np.concatenate([defined, undefined])
    distance = np.clip(1.0 - np.nan_to_num(correlation[np.ix_(defined, defined)]), 0.0, 2.0)
    np.fill_diagonal(distance, 0.0)
    pairs = squareform((distance + distance.T) / 2, checks=False)
    tree = linkage(pairs, method="average", optimal_ordering=len(defined) <= _FAST_ENOUGH)
    return np.concatenate([defined[leaves_list(tree)], undefined])


def heatmap(correlation: Float[np.ndarray, "R R"], in_c: Bool[np.ndarray, " R"], order: str) -> Figure:
    """All regions against all, with a strip along the left side that marks the set C.

    Args:
        correlation: Pearson's r in the order to draw, NaN where undefined (grey).
        in_c: which regions are in C, in the same order.
        order: names the order, for the axes.
    """
    figure, axes = canvas(4.7, 4.15, (0.72, 0.88, 0.5, 0.15))
    image = _image(axes, correlation)
    last = len(correlation) + 0.5
    image.set_extent((0.5, last, last, 0.5))  # regions are counted from 1
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.set_xlabel(f"region, {order}")
    axes.set_ylabel(f"region, {order}", labelpad=11)
    box = axes.get_position()
    strip = figure.add_axes((box.x0 - 0.026, box.y0, 0.018, box.height))
    marks = np.where(in_c, 1.0, np.nan)[:, None]
    strip.imshow(marks, aspect="auto", cmap=ListedColormap([HUES[3]]), interpolation="none")
    strip.set_axis_off()
    axes.tick_params(axis="y", pad=11)
    _bar(figure, axes, image)
    return figure


def heatmap_named(correlation: Float[np.ndarray, "R R"], names: list[str]) -> Figure:
    """A few regions against each other, with names and numbers."""
    figure, axes = canvas(6.4, 5.4, (1.75, 1.05, 1.35, 0.15))
    image = _image(axes, correlation)
    short = [name if len(name) <= 20 else name[:19] + "…" for name in names]
    axes.set_xticks(range(len(names)), short, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), short)
    for row, column in np.ndindex(correlation.shape):
        value = correlation[row, column]
        dark = not np.isnan(value) and abs(value) > 0.65
        color = ON_DARK if dark else ON_LIGHT
        axes.text(column, row, score(float(value), 2), ha="center", va="center", fontsize=7.5, color=color)
    _bar(figure, axes, image)
    return figure


def _image(axes: Axes, correlation: np.ndarray):
    colours = colormaps["RdBu_r"].with_extremes(bad="#8c959f")
    axes.grid(False)
    return axes.imshow(correlation, vmin=-1, vmax=1, cmap=colours, interpolation="none")


def _bar(figure: Figure, axes: Axes, image) -> None:
    box = axes.get_position()
    side = figure.add_axes((box.x1 + 0.03, box.y0, 0.03, box.height))
    bar = figure.colorbar(image, cax=side, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("Pearson correlation of increments", color=INK)
    bar.outline.set_edgecolor(LINE)  # pyright: ignore[reportCallIssue]
    side.tick_params(color=MUTED)


def effect(
    networks: Mapping[str, Sequence[tuple[int, Sequence[float]]]],
    varied: str,
    label: str,
    unit: str = "day",
    *,
    zero: bool = False,
) -> Figure:
    """A measure by window length or start: a line through the means (open marks), one filled mark per seed.

    Args:
        networks: network's name -> (length or start, one value per seed), ascending.
        varied: `length`, drawn to scale, or `start`, whose few values stand side by side.
        label: of the vertical axis.
        unit: what a step of the data is called.
        zero: draws a line at 0.
    """
    figure, axes = canvas(4.4, 3.9, (0.78, 0.15, 0.95, 0.3))
    found = sorted({at for points in networks.values() for at, _ in points})
    for index, (name, points) in enumerate(networks.items()):
        shift = (0.22 if varied == "length" else 0.05) * (index - (len(networks) - 1) / 2)
        known = [((at if varied == "length" else found.index(at)) + shift, values) for at, values in points if values]
        hue, mark = HUES[index % len(HUES)], MARKS[index % len(MARKS)]
        axes.plot(
            [place for place, _ in known],
            [float(np.mean(values)) for _, values in known],
            marker=mark,
            markersize=7,
            markerfacecolor=PAPER,
            label=name,
            **_line(index),
        )
        for place, values in known:
            axes.plot([place] * len(values), values, mark, color=hue, markersize=3.5, alpha=0.8, markeredgewidth=0)
    if varied == "length":
        axes.set_xticks(found)
        axes.set_xlabel(f"length of the window L, {unit}s")
    else:
        axes.set_xticks(range(len(found)), [f"from {unit} {start}" for start in found])
        axes.set_xlim(-0.4, len(found) - 0.6)
        axes.set_xlabel(f"first {unit} that a window may hold")
    if zero:
        axes.axhline(0, color=INK, linewidth=1)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylabel(label)
    _legend_below(axes, -0.19)
    return figure
