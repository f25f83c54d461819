"""Entries on a calendar: steps of the dates, and each way with cells that have no count."""

import numpy as np
import pytest

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Panel
from twofold.engine.errors import DataError

COUNTS = {"A": [5, 7, 9, 6, 8, 4], "B": [1, 2, None, None, 8, 3], "C": [None, 3, 5, 4, 6, 2]}
TOTALS = {"A": [5, 12, 21, 27, 35, 39], "B": [1, 3, None, None, 11, 14], "C": [None, 3, 8, 12, 18, 20]}


@pytest.fixture
def panel(tmp_path):
    """The panel of counts by region and date; None: an empty cell, or (`gone`) no row at all."""

    def read(counts: dict[str, list[int | None]], *, gone: bool = False, step: int = 1, **config) -> Panel:
        path = tmp_path / "counts.csv"
        rows = [
            f"{region},{np.datetime64('2020-01-05') + step * t},{'' if n is None else n}"
            for region, own in counts.items()
            for t, n in enumerate(own)
            if n is not None or not gone
        ]
        path.write_text("\n".join(["region,date,value", *rows]))
        return load_panel(path, SourceConfig(**config))

    return read


@pytest.mark.parametrize("gone", [False, True])
def test_cells_without_a_count_are_refused_with_the_cost_of_each_way(panel, gone):
    with pytest.raises(DataError) as caught:
        panel(COUNTS, gone=gone)
    said = str(caught.value)
    assert "3 cells have no count, of 18 (2 regions and 3 dates), the first for 'B' on 2020-01-07" in said
    for choice in ("drop-regions leaves 1 of 3 regions", "zero takes 3 cells as no new cases"):
        assert f"--source.missing {choice}" in said
    assert "common-dates" not in said, "no three dates in a row are whole"
    assert "interpolate" not in said, "C begins late"


def test_drop_regions_leaves_out_regions_with_a_gap(panel):
    found = panel(COUNTS, missing="drop-regions")
    assert (found.regions, found.values.tolist(), found.filled) == (("A",), [COUNTS["A"]], None)
    assert "3 cells of 18 had no count: 2 regions left out: B, C (--source.missing drop-regions)." in found.notes


def test_common_dates_keeps_the_longest_run_of_whole_dates(panel):
    counts = {"A": [5, 7, None, 6, 8, 4, 2, None], "B": [1, 2, 4, 4, 8, 3, 1, 9]}
    found = panel(counts, missing="common-dates")
    assert found.values.tolist() == [[6, 8, 4, 2], [4, 8, 3, 1]]
    assert (str(found.dates[0]), str(found.dates[-1]), found.filled) == ("2020-01-08", "2020-01-11", None)
    with pytest.raises(DataError, match=r"--source.missing common-dates: no 3 dates in a row have a count"):
        panel(COUNTS, missing="common-dates")


def test_zero_takes_new_cases_as_none_and_says_which_cells_it_filled(panel):
    found = panel(COUNTS, missing="zero")
    assert found.values[1:].tolist() == [[1, 2, 0, 0, 8, 3], [0, 3, 5, 4, 6, 2]]
    assert found.filled is not None
    assert found.filled.tolist() == [[False] * 6, [n is None for n in COUNTS["B"]], [n is None for n in COUNTS["C"]]]


def test_zero_keeps_running_totals_where_they_stood(panel):
    found = panel(TOTALS, missing="zero", kind="cumulative")
    assert found.values[1:].tolist() == [[1, 3, 3, 3, 11, 14], [0, 3, 8, 12, 18, 20]]
    new = found.increments("keep")
    assert new.counts[1].tolist() == [2, 0, 0, 8, 3]
    assert new.filled is not None
    assert new.filled[1].tolist() == [False, True, True, True, False], "a filled total touches both its steps"


def test_interpolation_fills_between_neighbours_and_not_beyond(panel):
    two = {name: TOTALS[name] for name in ("A", "B")}
    found = panel(two, missing="interpolate", kind="cumulative")
    assert found.values[1].tolist() == [1, 3, 6, 8, 11, 14]  # 5.67 and 8.33
    assert found.filled is not None
    assert found.filled[1].tolist() == [False, False, True, True, False, False]
    with pytest.raises(DataError, match=r"'C' begins late, and beyond its first and last count .*Choose: "):
        panel(COUNTS, missing="interpolate")
    with pytest.raises(DataError, match="'A' ends early"):
        panel({"A": [1, 2, 3, None], "B": [1, 2, 3, 4]}, missing="interpolate")


def test_a_date_that_no_region_has_is_a_gap_too(panel):
    counts = {"A": [1, 5, None, 4, 2], "B": [3, 1, None, 2, 6]}
    with pytest.raises(DataError, match=r"2 cells have no count.*jump from 2020-01-06 to 2020-01-08, 2 days"):
        panel(counts, gone=True)
    assert panel(counts, gone=True, missing="interpolate").values.tolist() == [[1, 5, 5, 4, 2], [3, 1, 2, 2, 6]]


def test_last_dates_left_out_are_no_gaps(panel):
    counts = {"A": [1, 5, 2, 4, None], "B": [3, 1, 2, 2, None]}
    with pytest.raises(DataError, match="--drop-last 1 leaves out the last 1 date"):
        panel(counts)
    found = panel(counts, drop_last=1)
    assert (found.values.tolist(), found.filled) == ([[1, 5, 2, 4], [3, 1, 2, 2]], None)


def test_a_whole_table_is_never_changed(panel):
    for missing in ("refuse", "drop-regions", "common-dates", "zero", "interpolate"):
        found = panel({"A": [1, 5, 2, 4], "B": [3, 1, 2, 2]}, missing=missing)
        assert (found.values.tolist(), found.notes, found.filled) == ([[1, 5, 2, 4], [3, 1, 2, 2]], (), None)


def test_a_table_without_any_count_is_refused_whatever_is_asked(panel):
    with pytest.raises(DataError, match="no cell of the counts holds a number"):
        panel({"A": [None] * 4}, missing="zero")


@pytest.mark.parametrize(
    ("step", "message"),
    [(30, "the data is monthly"), (14, r"14 days apart \(every second week\)"), (2, "2 days apart"), (365, "yearly")],
)
def test_other_steps_than_days_and_weeks_are_refused(panel, step, message):
    with pytest.raises(DataError, match=f"{message}.*; give daily or weekly counts"):
        panel({"A": [1, 5, 2, 4], "B": [3, 1, 2, 2]}, step=step)


def test_weekly_reports_of_several_weekdays_meet_on_the_last_of_them(tmp_path):
    path = tmp_path / "weekly.csv"
    rows = [("A", d, n) for n, d in enumerate(("2020-03-03", "2020-03-10", "2020-03-17"))]  # Tuesdays
    rows += [("B", d, n) for n, d in enumerate(("2020-03-05", "2020-03-12", "2020-03-19"), 5)]  # Thursdays
    path.write_text("region,date,value\n" + "".join(f"{r},{d},{n}\n" for r, d, n in rows))
    found = load_panel(path, SourceConfig())
    assert found.dates.astype(str).tolist() == ["2020-03-05", "2020-03-12", "2020-03-19"]
    assert found.values.tolist() == [[0, 1, 2], [5, 6, 7]]
    assert "(Tuesday 3, Thursday 3); reports of one week were taken together, dated by its Thursday" in found.notes[0]


def test_weekly_reports_around_the_weekend_stay_in_their_week(tmp_path):
    path = tmp_path / "weekly.csv"
    rows = [("A", d, 1) for d in ("2020-03-07", "2020-03-14", "2020-03-21")]  # Saturdays
    rows += [("B", d, 2) for d in ("2020-03-09", "2020-03-16", "2020-03-23")]  # the Mondays after them
    path.write_text("region,date,value\n" + "".join(f"{r},{d},{n}\n" for r, d, n in rows))
    assert load_panel(path, SourceConfig()).dates.astype(str).tolist() == ["2020-03-09", "2020-03-16", "2020-03-23"]
