"""The long history of another measure: read strictly, less its background, scaled by hand, blind to later weeks."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.small import LOCATIONS
from twofold.engine.errors import DataError, InputError
from twofold.hub.config import HistoryConfig
from twofold.hub.history import History, above_background, fit_scale, read_history
from twofold.hub.vintages import Grid

TEXT = """\
region,week_start,unweighted_ili,year
Alabama,2023-09-03,1.5,2023
Wyoming,2023-09-03,NA,2023
New York City,2023-09-03,3,2023
Puerto Rico,2023-09-03,3,2023
Alabama,2023-08-27,2,2023
"""
CONFIG = HistoryConfig(background=0.0, power=1.0, min_weeks=2, excluded=(date(2020, 3, 1), date(2020, 3, 2)))
SATURDAY = np.datetime64("2022-08-06")


def read(tmp_path: Path, text: str) -> History:
    path = tmp_path / "history.csv"
    path.write_text(text)
    return read_history(path, LOCATIONS)


def test_weeks_get_their_last_day_and_unknown_regions_are_listed(tmp_path: Path) -> None:
    found = read(tmp_path, TEXT)
    assert found.values.rows() == [(date(2023, 9, 2), "01", 2.0), (date(2023, 9, 9), "01", 1.5)]
    assert found.notes == ("2 regions of the history that the hub doesn't have left out: New York City, Puerto Rico.",)
    assert read(tmp_path, "\n".join(TEXT.splitlines()[:3])).notes == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("09-03,1.5", "09-03,-1.5", r"row 2, column 'unweighted_ili': must be at least 0, got -1.5"),
        ("09-03,1.5", "09-03,many", r"row 2, column 'unweighted_ili': 'many' is not a finite number"),
        ("Alabama,2023-08-27", "Alabama,27.8.2023", r"row 6, column 'week_start': '27.8.2023' is not a date"),
        ("2023-08-27", "2023-09-03", r"row 2: this region and week appear more than once"),
        ("region,", "state,", r"no column 'region'"),
        ("Wyoming,", ",", r"row 3, column 'region': the cell is empty"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"history\.csv.*{message}"):
        read(tmp_path, TEXT.replace(old, new, 1))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read_history(tmp_path / "none.csv", LOCATIONS)


def history(rows: dict[str, list[float]], first: np.datetime64 = SATURDAY) -> History:
    table = [
        (first + np.timedelta64(7 * week), name, value)
        for name, values in rows.items()
        for week, value in enumerate(values)
        if value == value  # noqa: PLR0124  (NaN: no row)
    ]
    days = [day.item() for day, _, _ in table]
    frame = {"target_end_date": days, "location": [row[1] for row in table], "value": [float(row[2]) for row in table]}
    return History(pl.DataFrame(frame))


def counts(rows: list[list[float]], first_week: int, names: tuple[str, ...] = ("01", "56", "US")) -> Grid:
    values = np.array(rows, dtype=float)
    return Grid(names, SATURDAY + 7 * (first_week + np.arange(values.shape[1])), values)


def test_background_and_scale_by_hand() -> None:
    # 01: less its season's least, 1, it has 0 2 4 | 1 3; the counts of the last two weeks are 40 in sum: 10 a unit.
    # 56: 0 1 0 | 2 2 and 12 cases: 3 a unit.
    past = history({"01": [1, 3, 5, 2, 4], "56": [7, 8, 7, 9, 9], "99": [1, 1, 1, 1, 1]})
    found = fit_scale(past, counts([[15, 25], [4, 8], [19, 33]], 3), None, CONFIG)
    assert found.locations == ("01", "56", "US")
    assert found.dates.tolist() == (SATURDAY + 7 * np.arange(3)).tolist()
    np.testing.assert_allclose(found.values, [[0, 20, 40], [0, 3, 0], [np.nan] * 3])


def test_a_power_makes_waves_steeper_before_they_are_scaled() -> None:
    # 01: 0 2 4 | 1 3, squared 0 4 16 | 1 9, and 40 cases: 4 a unit.
    config = CONFIG.model_copy(update={"power": 2.0})
    found = fit_scale(history({"01": [1, 3, 5, 2, 4]}), counts([[15, 25]], 3, ("01",)), None, config)
    np.testing.assert_allclose(found.values, [[0, 16, 64]])


def test_the_aggregates_history_is_the_sum() -> None:
    past = history({"01": [1, 3, 5, 2, 4], "56": [np.nan, 8, 7, 9, 9], "US": [0, 9, 9, 9, 9]})
    found = fit_scale(past, counts([[15, 25], [4, 8], [19, 33]], 3), "US", CONFIG)
    np.testing.assert_allclose(found.values, [[0, 20, 40], [np.nan, 3, 0], [0, 23, 40]])


def test_excluded_weeks_neither_teach_nor_scale() -> None:
    past = history({"01": [1, 3, 5, 2, 4]})
    config = CONFIG.model_copy(update={"excluded": (date(2022, 8, 13), date(2022, 8, 27))})  # the second to the fourth
    found = fit_scale(past, counts([[15, 24]], 3, ("01",)), None, config)
    np.testing.assert_allclose(found.values, [[0, np.nan, np.nan]])  # 24 cases for the 3 units of the last week alone
    config = CONFIG.model_copy(update={"excluded": (date(2022, 8, 20), date(2022, 8, 27))})
    np.testing.assert_allclose(fit_scale(past, counts([[15, 24]], 3, ("01",)), None, config).values[0, 1], 16)


def test_a_place_without_a_scale_teaches_nothing() -> None:
    past = history({"01": [1, 3, 5, 2, 4], "56": [7, 7, 7, 7, 7]})  # no unit above the background
    found = fit_scale(past, counts([[0, 0], [4, 8]], 3, ("01", "56")), None, CONFIG)  # no case
    assert np.isnan(found.values).all()
    known = counts([[np.nan, 25], [np.nan, np.nan]], 3, ("01", "56"))
    np.testing.assert_allclose(fit_scale(past, known, None, CONFIG).values[:, 1], [2 * 25 / 3, np.nan])


def test_without_a_week_there_is_an_empty_grid() -> None:
    found = fit_scale(history({"99": [1.0, 2.0]}), counts([[15, 25]], 3, ("01",)), None, CONFIG)
    assert (found.locations, found.values.shape) == (("01",), (1, 0))


def test_the_background_is_a_seasons_own_and_needs_enough_weeks() -> None:
    dates = np.array(["2022-07-16", "2022-07-23", "2022-07-30", "2022-08-06", "2022-08-13"], "datetime64[D]")
    values = np.array([[4.0, 2, 8, 10, 11], [1, np.nan, np.nan, 5, 5]])
    found = above_background(values, dates, CONFIG)
    np.testing.assert_array_equal(found, [[2, 0, 6, 0, 1], [np.nan, np.nan, np.nan, 0, 0]])
    middle = above_background(values, dates, CONFIG.model_copy(update={"background": 0.5}))
    np.testing.assert_array_equal(middle[0, :3], [0, 0, 4])  # never below 0
    assert np.isnan(above_background(values, dates, CONFIG.model_copy(update={"min_weeks": 4}))).all()


@given(st.lists(st.tuples(st.integers(5, 12), st.floats(0, 50)), max_size=8))
def test_weeks_after_the_newest_count_do_not_matter(later: list[tuple[int, float]]) -> None:
    past, known = history({"01": [1, 3, 5, 2, 4]}), counts([[15, 25]], 3, ("01",))
    weeks = dict(later)
    rows = {
        "target_end_date": [(SATURDAY + np.timedelta64(7 * week)).item() for week in weeks],
        "location": ["01"] * len(weeks),
        "value": list(weeks.values()),
    }
    longer = History(pl.concat([past.values, pl.DataFrame(rows, past.values.schema)]))
    before, after = (fit_scale(source, known, None, CONFIG) for source in (past, longer))
    assert before.values.tobytes() == after.values.tobytes()
    assert before.dates.tolist() == after.dates.tolist()


@pytest.mark.realdata
def test_the_cdcs_history_is_read_with_three_regions_left_out(data_folder: Path) -> None:
    from twofold.hub.tables import read_locations

    locations = read_locations(data_folder / "flusight" / "locations_2023-24.csv")
    found = read_history(data_folder / "flusight" / "ilinet_state.csv", locations)
    assert len(found.notes) == 1
    assert found.notes[0].startswith("3 regions of the history that the hub doesn't have left out: ")
    assert found.values["location"].n_unique() == 52
    assert set(found.values["target_end_date"].dt.weekday()) == {6}


def test_weeks_of_the_season_are_left_out_and_counted() -> None:
    """A file of today tells what a week of the season became, not what was known of it."""
    days = [date(2024, 11, 9), date(2024, 11, 16), date(2024, 11, 23)]
    frame = pl.DataFrame({"target_end_date": days, "location": ["01"] * 3, "value": [1.0, 2.0, 3.0]})
    found = History(frame, ("first.",)).before(date(2024, 11, 16))
    assert found.values["value"].to_list() == [1.0]
    assert found.notes[0] == "first." and "2 values of the history from 2024-11-16 on left out" in found.notes[1]
    assert History(frame).before(date(2025, 1, 1)).notes == ()


def test_a_history_of_another_weekday_is_refused() -> None:
    frame = pl.DataFrame({"target_end_date": [date(2020, 1, 5)], "location": ["01"], "value": [1.0]})
    counts = Grid(("01",), np.array(["2024-01-06", "2024-01-13"], "datetime64[D]"), np.ones((1, 2)))
    with pytest.raises(InputError, match="weekday of 2020-01-05"):
        fit_scale(History(frame), counts, None, HistoryConfig())
