import datetime as dt
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import num2date
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.metrics import roc_auc_score

from twofold.page.drawing import HUES, day_numbers, style, to_svg
from twofold.trend.report import figures

RANDOM = np.random.default_rng(5)
LABEL = RANDOM.random(3000) < 0.3
GUESS = {
    name: np.clip(0.3 * LABEL + RANDOM.random(3000) * 0.7, 0, 1)
    for name in ("ensemble", "logistic", "boosting", "mean_reversion", "all_zero")
}
GUESS["renewal"] = GUESS["boosting"][::-1]
BINS = [
    {"low": k / 10, "high": (k + 1) / 10, "mean_probability": k / 10 + 0.05, "share_up": k / 10, "windows": 10 * k}
    for k in range(10)
]
RECORDS = [
    {"stage": "evaluate", "epoch": epoch, "train_loss": 1 / epoch, "train_accuracy": 0.7, "test_loss": 1 / epoch + 0.1,
     "test_accuracy": 0.65} for epoch in range(1, 21)
]  # fmt: skip
PAIRS = [
    {"model": "network", "against": name, "score": "log_score", "difference": -0.01 * k, "low": None, "high": None}
    for k, name in enumerate(("base_rate", "all_zero", "mean_reversion", "renewal", "logistic", "boosting"))
]
GROUPS = [
    {"group": name, "log_score_increase": value, "low": value - 0.01, "high": value + 0.01}
    for name, value in (("cross_region", 0.01), ("against_mean", 0.05), ("log1p", -0.002))
]
DATES = ["2020-03-29", "2020-03-30", "2020-03-31"]
DAYS = day_numbers([dt.date(2022, 12, 30) + dt.timedelta(day) for day in range(60)])
COUNTS = RANDOM.poisson(123456, 60).astype(float)
CORRELATION = np.corrcoef(RANDOM.normal(size=(10, 40)) + RANDOM.normal(size=40))
LENGTHS = {
    name: [(length, [0.85, 0.8621]) for length in (3, 7, 14)] for name in ("RNN", "RNN, 2 layers", "LSTM", "GRU")
}
STARTS = {name: [(start, [5.6, 6.5]) for start in (0, 40)] for name in LENGTHS}


def _region() -> Figure:
    return figures.region(
        DAYS,
        COUNTS,
        targets=DAYS[-15:],
        probability=GUESS["ensemble"][:15],
        went_up=LABEL[:15],
        name="Saint " + "very " * 9,
    )


def _totals() -> Figure:
    return figures.totals(DAYS, COUNTS, {"train": (DAYS[0], DAYS[30]), "test": (DAYS[40], DAYS[-1])}, "day")


DRAWN = {
    "learning": lambda: figures.learning(RECORDS, "gru-0"),
    "roc": lambda: figures.roc(LABEL, GUESS, "active test windows"),
    "precision_recall": lambda: figures.precision_recall(LABEL, GUESS, "active test windows"),
    "reliability": lambda: figures.reliability({"ensemble": BINS, "boosting": BINS}, "active test windows"),
    "confusion": lambda: figures.confusion(LABEL, GUESS["ensemble"] > 0.5, "active test windows"),
    "importance": lambda: figures.importance(GROUPS),
    "comparisons": lambda: figures.comparisons(PAIRS, "active test windows"),
    "glance": lambda: figures.scores_at_a_glance(
        {
            "ensemble": (0.5, [0.4, 0.6]),
            "network": (0.6, None),
            "baseline_boosting": (0.55, [0.5, 0.6]),
            "gru": (None, None),
        },
        "log_score",
    ),
    "heatmap": lambda: figures.heatmap(CORRELATION, np.arange(10) < 5, "in the order of the file"),
    "heatmap_named": lambda: figures.heatmap_named(CORRELATION, ["Saint Vincent and the Grenadines"] * 10),
    "region": _region,
    "totals": _totals,
    "by_length": lambda: figures.effect(LENGTHS, "length", "ROC AUC on test windows"),
    "by_start": lambda: figures.effect(STARTS, "start", "accuracy above “always not up”, points", zero=True),
}


def _boxes(figure: Figure) -> list[tuple[str, np.ndarray]]:
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    hidden = [text for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for text in _out_of_range(axis)]
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer).get_points()) for text in shown if text not in hidden]


def _out_of_range(axis: Axis) -> list[Text]:
    """A tick outside its axis' range, or of axes that are switched off, keeps its label but isn't drawn."""
    drawn = axis._update_ticks() if axis.axes.axison else []
    return [tick.label1 for tick in axis.get_major_ticks() if tick not in drawn]


@pytest.mark.parametrize("name", DRAWN)
def test_every_text_lies_in_the_figure_and_on_no_other(name: str) -> None:
    with style():
        figure = DRAWN[name]()
        boxes = _boxes(figure)
    width, height = figure.bbox.size
    for text, ((left, bottom), (right, top)) in boxes:
        assert left >= -1 and bottom >= -1 and right <= width + 1 and top <= height + 1, text
    if name == "heatmap_named":  # its slanted names have upright boxes, which say nothing
        return
    for (one, ((l1, b1), (r1, t1))), (other, ((l2, b2), (r2, t2))) in combinations(boxes, 2):
        assert min(r1, r2) - max(l1, l2) < 1 or min(t1, t2) - max(b1, b2) < 1.5, (one, other)


@pytest.mark.parametrize("name", ["roc", "precision_recall", "by_length"])
def test_lines_differ_by_more_than_colour(name: str) -> None:
    with style():
        axes = DRAWN[name]().axes[0]
    named = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    assert len({str(line._dash_pattern) + str(line.get_linewidth()) for line in named}) == len(named)


@pytest.mark.parametrize("name", DRAWN)
def test_every_axis_is_labelled(name: str) -> None:
    with style():
        figure = DRAWN[name]()
    labels = [axes.get_xlabel() + axes.get_ylabel() + axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert all(labels) or name == "heatmap_named"


@given(st.integers(3, 12), st.integers(0, 3), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_clustering_keeps_every_region_and_puts_the_undefined_last(size: int, undefined: int, seed: int) -> None:
    correlation = np.corrcoef(np.random.default_rng(seed).normal(size=(size, 30)))
    correlation[:undefined] = np.nan
    correlation[:, :undefined] = np.nan
    order = figures.clustered(correlation)
    assert sorted(order) == list(range(size))
    assert sorted(order[size - undefined :]) == list(range(undefined))


def test_clustering_sets_alike_regions_side_by_side() -> None:
    group = np.array([0, 1, 2] * 4)
    noise = RANDOM.normal(0, 0.1, (12, 60))
    order = figures.clustered(np.corrcoef(RANDOM.normal(size=(3, 60))[group] + noise))
    assert np.count_nonzero(np.diff(group[order])) == 2


def test_a_thinned_roc_curve_keeps_its_area() -> None:
    with style():
        line = figures.roc(LABEL, {"ensemble": GUESS["ensemble"]}, "").axes[0].get_lines()[0]
    assert len(line.get_xdata()) <= 250
    area = np.trapezoid(line.get_ydata(), line.get_xdata())
    assert area == pytest.approx(roc_auc_score(LABEL, GUESS["ensemble"]), abs=0.003)


def test_learning_draws_only_what_was_measured() -> None:
    with style():
        top, bottom = figures.learning(RECORDS, "gru-0").axes
    assert [line.get_label() for line in top.get_lines()] == ["train", "test"]
    assert list(bottom.get_lines()[0].get_ydata()) == [70.0] * 20


def test_one_epoch_is_a_mark_above_a_whole_number() -> None:
    with style():
        top, bottom = figures.learning(RECORDS[:1], "gru-0").axes
    assert {line.get_marker() for axes in (top, bottom) for line in axes.get_lines()} <= {"o", "s", "^"}
    low, high = bottom.get_xlim()
    assert [tick for tick in bottom.get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize("regions", [1, 2, 22, 201])
def test_ticks_of_a_heatmap_are_regions_counted_from_one(regions: int) -> None:
    with style():
        axes = figures.heatmap(np.eye(regions), np.ones(regions, bool), "clustered").axes[0]
    for ticks, ends in ((axes.get_xticks(), axes.get_xlim()), (axes.get_yticks(), axes.get_ylim())):
        shown = [tick for tick in ticks if min(ends) <= tick <= max(ends)]
        assert shown and all(tick == int(tick) and 1 <= tick <= regions for tick in shown)


def test_a_tiny_negative_correlation_is_zero_without_a_sign() -> None:
    with style():
        axes = figures.heatmap_named(np.array([[1.0, -0.004], [-0.006, np.nan]]), ["a", "b"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["1.00", "0.00", "−0.01", "–"]


def test_confusion_counts_rows_by_outcome() -> None:
    label, called = np.array([True] * 3 + [False] * 5), np.array([True, True, False] + [True] * 1 + [False] * 4)
    with style():
        texts = [text.get_text() for text in figures.confusion(label, called, "").axes[0].texts]
    assert [text.split("\n")[0] for text in texts] == ["2", "1", "1", "4"]
    assert texts[0].endswith("66.7 % of row")


@pytest.mark.parametrize(("score", "top"), [("log_score", "Ensemble (headline)"), ("roc_auc", "RNN")])
def test_the_best_stands_on_top(score: str, top: str) -> None:
    with style():
        axes = figures.scores_at_a_glance({"rnn": (0.9, [0.8, 1.0]), "ensemble": (0.2, None)}, score).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == top


def test_a_region_shows_each_test_window_by_its_outcome() -> None:
    with style():
        bottom = _region().axes[1]
    up, down = (line for line in bottom.get_lines() if line.get_marker() in ("^", "o"))
    assert list(up.get_xdata()) == list(DAYS[-15:][LABEL[:15]])
    assert list(down.get_ydata()) == list(GUESS["ensemble"][:15][~LABEL[:15]])
    assert (up.get_color(), down.get_color()) == (HUES[1], HUES[0])


def test_a_line_a_model_with_gaps_where_undefined() -> None:
    with style():
        figure = figures.by_target(DATES, {"pool": [0.2, None, 0.3], "logistic": [0.1, 0.2, 0.3]}, "brier_score")
        drawn = to_svg(figure)
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["Pool", "Logistic regression"]
    heights = [float(value) for value in lines[0].get_ydata()]
    assert heights[0] == 0.2 and heights[1] != heights[1] and heights[2] == 0.3
    assert "lower is better" in figure.axes[0].get_ylabel() and "target date" in drawn


def test_steps_of_what_was_known() -> None:
    with style():
        figure = figures.known_by_origin(DATES, [100, 104, 110], [900, 950, 1000])
        to_svg(figure)
    top, bottom = figure.axes
    assert [float(value) for value in top.get_lines()[0].get_ydata()] == [100, 104, 110]
    assert [float(value) for value in bottom.get_lines()[0].get_ydata()] == [900, 950, 1000]
    assert str(num2date(bottom.get_xlim()[1]).year) == "2020"
