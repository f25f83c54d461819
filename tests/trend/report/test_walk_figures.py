from matplotlib.dates import num2date

from twofold.page.drawing import style, to_svg
from twofold.trend.report.walk_figures import by_target, known

DATES = ["2020-03-29", "2020-03-30", "2020-03-31"]


def test_a_line_a_model_with_gaps_where_undefined() -> None:
    with style():
        figure = by_target(DATES, {"pool": [0.2, None, 0.3], "logistic": [0.1, 0.2, 0.3]}, "brier_score")
        drawn = to_svg(figure)
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["Pool", "Logistic regression"]
    heights = [float(value) for value in lines[0].get_ydata()]
    assert heights[0] == 0.2 and heights[1] != heights[1] and heights[2] == 0.3
    assert "lower is better" in figure.axes[0].get_ylabel() and "target date" in drawn


def test_steps_of_what_was_known() -> None:
    with style():
        figure = known(DATES, [100, 104, 110], [900, 950, 1000])
        to_svg(figure)
    top, bottom = figure.axes
    assert [float(value) for value in top.get_lines()[0].get_ydata()] == [100, 104, 110]
    assert [float(value) for value in bottom.get_lines()[0].get_ydata()] == [900, 950, 1000]
    assert str(num2date(bottom.get_xlim()[1]).year) == "2020"
