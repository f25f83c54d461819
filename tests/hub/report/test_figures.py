import datetime as dt

import numpy as np
import pytest

from twofold.hub.distribution import LEVELS
from twofold.hub.report import figures
from twofold.hub.report.wording import shades
from twofold.hub.rules import WEEK
from twofold.page.drawing import HUES, MUTED, style, to_svg

DATES = [dt.date(2024, 11, 30) + dt.timedelta(7 * k) for k in range(6)]
CATEGORIES = ("large_decrease", "decrease", "stable", "increase", "large_increase")


def _bin(mean: float, share: float, windows: int) -> dict[str, float]:
    return {"low": mean - 0.05, "high": mean + 0.05, "mean_probability": mean, "share_up": share, "windows": windows}


def test_by_date_draws_each_model_s_line_with_its_gaps() -> None:
    values = np.array([0.1, np.nan, 0.3, 0.2, 0.2, 0.1])
    with style():
        figure = figures.by_date(DATES, {"ours": values, "<theirs>": values + 1}, np.full(6, 12), np.full(6, 1e4))
        drawn = to_svg(figure)
    top, counts, cases = figure.axes
    np.testing.assert_array_equal(np.asarray(top.lines[0].get_ydata()), values)
    assert [patch.get_height() for patch in cases.patches] == [12.0] * 6  # pyright: ignore[reportAttributeAccessIssue]
    assert (
        "RPS" in top.get_ylabel() and counts.get_ylabel() == "count a week" and cases.get_xlabel() == "reference date"
    )
    assert "<theirs>" not in drawn and "theirs" in drawn
    assert all("," in label.get_text() for label in counts.get_yticklabels()[1:])


def test_the_forest_has_the_worst_on_top_and_marks_what_is_clear() -> None:
    rows = [
        ("better", {"mean": -0.2, "low": -0.3, "high": -0.1}),
        ("worse", {"mean": 0.2, "low": 0.1, "high": 0.3}),
        ("unclear", {"mean": 0.05, "low": -0.1, "high": 0.2}),
        ("short", {"mean": -0.1, "low": None, "high": None}),
    ]
    with style():
        axes = figures.forest(rows, "RPS").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["better", "short", "unclear", "worse"]
    marks = {line.get_marker(): line.get_color() for line in axes.lines if line.get_marker() != "None"}
    assert marks == {"s": HUES[0], "o": MUTED, "D": HUES[1]}
    intervals = [
        list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2 and line.get_ydata()[0] != 0
    ]
    assert [0.1, 0.3] in intervals and axes.get_xlabel().startswith("difference of RPS; left of 0")


def test_reliability_draws_no_point_of_few_forecasts_but_counts_them() -> None:
    bins = [_bin(0.05, 0.1, 500), _bin(0.95, 0.0, figures.FEW - 1)]
    with style():
        curve, bars = figures.rise_reliability({"ours": bins}).axes
    assert list(curve.lines[1].get_xdata()) == [0.05] and list(curve.lines[1].get_ydata()) == [0.1]
    assert [patch.get_height() for patch in bars.patches] == [500, 9]  # pyright: ignore[reportAttributeAccessIssue]
    assert curve.get_ylabel() == "share that rose" and bars.get_xlabel().startswith("P(rise)")


@pytest.mark.parametrize("categories", [CATEGORIES, ("down", "flat", "up")])
def test_every_category_has_its_panel_in_its_colour(categories: tuple[str, ...]) -> None:
    bins = [[_bin(0.1 * k + 0.05, 0.5, 100)] for k in range(len(categories))]
    with style():
        axes = figures.category_reliability(categories, {"ours": bins, "theirs": bins}).axes
    panels, bars = axes[: len(categories)], axes[len(categories) :]
    assert [panel.get_title(loc="left") for panel in panels] == [name.replace("_", " ") for name in categories]
    assert [len(panel.lines) for panel in panels] == [3] * len(categories)
    from matplotlib.colors import to_hex

    assert [to_hex(each.patches[0].get_facecolor()) for each in bars] == shades(categories)


def test_weights_are_stacked_to_one() -> None:
    with style():
        axes = figures.weights(DATES, {"a": np.full(6, 0.25), "b": np.full(6, 0.75)}).axes[0]
    tops = [patch.get_y() + patch.get_height() for patch in axes.patches]  # pyright: ignore[reportAttributeAccessIssue]
    assert tops == pytest.approx([0.25] * 6 + [1.0] * 6)


def test_by_horizon_starts_at_zero_and_names_its_units() -> None:
    with style():
        axes = figures.by_horizon([0, 1, 2], {"ours": np.array([0.2, 0.3, 0.4])}, "RPS").axes[0]
    assert axes.get_ylim()[0] == 0 and "weeks" in axes.get_xlabel() and axes.get_ylabel() == "RPS"


def test_a_place_shows_counts_probabilities_and_outcomes_with_gaps() -> None:
    pmf = np.tile([0.1, 0.2, 0.4, 0.2, 0.1], (6, 1))
    pmf[2] = np.nan
    observed = np.array([0, 4, -1, 2, 2, 3])
    with style():
        figure = figures.place(
            (DATES, np.arange(6.0)), (DATES[:5], np.arange(5.0)),
            dates=DATES, pmf=pmf, observed=observed, categories=CATEGORIES, name="A place",
        )  # fmt: skip
        assert to_svg(figure)
    top, given, strip = figure.axes
    assert top.get_title(loc="left") == "A place" and top.get_ylabel() == "count a week"
    assert list(top.lines[1].get_ydata()) == [0, 1, 2, 3, 4]
    stable = given.collections[2].get_paths()
    assert len(stable) == 2  # parted by the date without a forecast
    assert np.nanmin(stable[0].vertices[:, 1]) == pytest.approx(0.3) and np.nanmax(
        stable[0].vertices[:, 1]
    ) == pytest.approx(0.7)
    assert [len(each.get_paths()) for each in strip.collections] == [1, 0, 2, 1, 1]


def test_revisions_draw_what_each_deadline_knew() -> None:
    known = [(DATES[:3], np.array([1.0, 2.0, 3.0])), (DATES[1:4], np.array([2.5, 3.5, 4.5]))]
    with style():
        axes = figures.revisions((DATES, np.arange(6.0)), known, "A place").axes[0]
    assert [list(line.get_ydata()) for line in axes.lines[1:]] == [[1, 2, 3], [3], [2.5, 3.5, 4.5], [4.5]]


def test_the_key_names_every_category() -> None:
    with style():
        legend = figures.key(CATEGORIES).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [name.replace("_", " ") for name in CATEGORIES]


def test_a_fan_has_three_bands_and_a_median_through_its_quantiles() -> None:
    ends = [DATES[2] + WEEK * week for week in range(4)]
    values = np.add.outer(10.0 * np.arange(4), 100.0 * np.array(LEVELS))
    fan = figures.Fan(DATES[2], ends, values)
    with style():
        axes = figures.season_in_fans((DATES, np.full(len(DATES), 5.0)), [fan], LEVELS, "A place").axes[0]
    spans = []
    for band in axes.collections:
        heights = band.get_paths()[0].vertices[:, 1]
        spans.append((heights.min(), heights.max()))
    expected = [(2.5, 127.5), (10.0, 120.0), (25.0, 105.0)]  # of 95, 80 and 50 %: from the first week to the last
    np.testing.assert_allclose(spans, expected)
    assert list(axes.lines[0].get_ydata()) == [50.0, 60.0, 70.0, 80.0]
    assert axes.get_title(loc="left") == "A place" and axes.get_ylim()[1] > 105


def test_quantiles_that_hold_what_they_claim_lie_on_the_diagonal() -> None:
    shares = {"honest": np.array(LEVELS), "narrow": 0.5 + 0.5 * (np.array(LEVELS) - 0.5)}
    with style():
        axes = figures.quantile_reliability(LEVELS, shares).axes[0]
    diagonal, honest, narrow = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert list(honest.get_ydata()) == list(honest.get_xdata()) == list(LEVELS)
    assert narrow.get_ydata()[0] > LEVELS[0] and narrow.get_ydata()[-1] < LEVELS[-1]
