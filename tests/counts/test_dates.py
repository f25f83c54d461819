"""Columns of cells as dates: one decision on the order of day and month, and on the weeks."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from twofold.counts.dates import is_date, mmwr_saturday, parse_dates, parse_day, parse_month_first, repair_mangled
from twofold.engine.errors import DataError


def read(*texts: str, column: str = "date", **options) -> list[date]:
    found, _ = parse_dates(texts, lambda text: f"cell {text}", column=column, **options)
    return [found[text] for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-31",
        "2020/1/31",
        "2020.01.31",
        "20200131",
        "2020-031",
        "31.01.2020",
        "31.1.20",
        "31 Jan 2020",
        "31 January 2020",
        "31-Jan-2020",
        "31-Jan-20",
        "31JAN2020",
        "Jan 31, 2020",
        "January 31, 2020",
        "2020-01-31T00:00:00",
        "2020-01-31 00:00:00.000",
        "2020-01-31T00:00Z",
        "2020-01-31T00:00:00+00:00",
    ],
)
def test_days_that_can_be_read_one_way_only(text):
    assert parse_day(text) == parse_month_first(text) == date(2020, 1, 31)
    assert read(text) == [date(2020, 1, 31)]
    assert is_date(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1/2/20", "can be read month first or day first"),
        ("2020-02-30", "is no day of the calendar"),
        ("2020-13-01", "is no day of the calendar"),
        ("2020-366", None),
        ("2021-366", "is no day of the calendar"),
        ("2020-01/31", "is not a date"),
        ("2020-01-31T17:30:00", "is not a date"),
        ("yesterday", "is not a date; write it as 2020-01-31"),
        ("", "the date is empty"),
    ],
)
def test_other_days_are_refused_with_the_reason(text, reason):
    if reason is None:
        assert parse_day(text) == date(2020, 12, 31)
        return
    with pytest.raises(ValueError, match=reason):
        parse_day(text)
    with pytest.raises(DataError, match="cell"):
        read(text)


def test_a_number_above_12_settles_the_order_for_the_whole_column():
    assert read("1/2/20", "1/31/20") == [date(2020, 1, 2), date(2020, 1, 31)]
    assert read("1/2/2020", "31/1/2020") == [date(2020, 2, 1), date(2020, 1, 31)]
    assert read("1-2-2020", "31-1-2020") == [date(2020, 2, 1), date(2020, 1, 31)]


def test_an_even_step_settles_the_order_where_no_number_does():
    days_first = [f"{day}/2/2020" for day in range(1, 8)]
    assert read(*days_first) == [date(2020, 2, day) for day in range(1, 8)]
    months_first = [f"2/{day}/2020" for day in range(1, 8)]
    assert read(*months_first) == [date(2020, 2, day) for day in range(1, 8)]


def test_a_column_whose_order_nothing_settles_is_refused_with_both_formats():
    with pytest.raises(
        DataError, match=r"as 2020-01-02 \(--source.date-format '%m/%d/%Y'\), or 2020-02-01 \(.*%d/%m/%Y"
    ):
        read("1/2/2020", "3/4/2020")
    assert read("1/2/2020", "3/4/2020", form="%d/%m/%Y") == [date(2020, 2, 1), date(2020, 4, 3)]


def test_dates_that_fit_no_common_order_are_refused():
    with pytest.raises(DataError, match="can't be read month first, and '1/31/20' can't be read day first"):
        read("31/1/20", "1/31/20")


def test_a_format_holds_for_every_cell():
    assert read("31|01|20", form="%d|%m|%y") == [date(2020, 1, 31)]
    with pytest.raises(DataError, match=r"cell 2020-01-31: '2020-01-31' does not fit --source.date-format"):
        read("31|01|20", "2020-01-31", form="%d|%m|%y")


@pytest.mark.parametrize("text", ["2023-W01", "2023W01", "2023-W1", "2023 W01", "2023-KW01", "2023 KW 1", "2023-W01-7"])
def test_iso_weeks_are_dated_by_their_sunday(text):
    assert read(text) == [date(2023, 1, 8)]
    assert is_date(text)


@pytest.mark.parametrize("column", ["MMWR week", "epiweek", "epi_week"])
def test_cdcs_weeks_are_dated_by_their_saturday(column):
    assert read("202301", "202302", column=column) == [date(2023, 1, 7), date(2023, 1, 14)]


def test_weeks_that_nothing_says_the_kind_of_are_refused_until_it_is_given():
    with pytest.raises(DataError, match=r"--source.weeks iso .*--source.weeks mmwr"):
        read("202301", column="week")
    for text, column in (("2023 week 1", "year week"), ("202311", "semana")):
        with pytest.raises(DataError, match="nothing says whose weeks they are"):
            read(text, column=column)
    for text in ("2023 week 1", "2023-EW01"):
        with pytest.raises(DataError, match=r"--source.weeks iso .*--source.weeks mmwr"):
            read(text)
    with pytest.raises(DataError, match="may be a year and week, or a year and month"):
        read("202301")
    assert read("202301", weeks="iso") == [date(2023, 1, 8)]
    assert read("2020-53", column="yearweek", weeks="mmwr") == [date(2021, 1, 2)]


@pytest.mark.parametrize("weeks", ["iso", "mmwr"])
def test_a_week_that_its_year_lacks_is_refused(weeks):
    with pytest.raises(DataError, match="is no week of the calendar"):
        read("2023-W53", weeks=weeks)


def test_mmwr_weeks_follow_each_other_over_every_year():
    known = {(2014, 53): date(2015, 1, 3), (2021, 1): date(2021, 1, 9), (2024, 1): date(2024, 1, 6)}  # CDC's calendar
    assert {key: mmwr_saturday(*key) for key in known} == known
    days = []
    for year in range(1990, 2040):
        for week in range(1, 54):
            try:
                days.append(mmwr_saturday(year, week))
            except ValueError:
                assert week == 53
    assert {after - before for before, after in pairwise(days)} == {timedelta(7)}


@pytest.mark.parametrize(
    ("text", "day"), [("1/31/20", (2020, 1, 31)), ("12/1/2021", (2021, 12, 1)), ("2/29/20", (2020, 2, 29))]
)
def test_month_first_is_jhus_way(text, day):
    assert parse_month_first(text) == date(*day)


@pytest.mark.parametrize("text", ["31/1/20", "2/29/21", "0/1/20"])
def test_month_first_knows_the_calendar(text):
    with pytest.raises(ValueError, match="is no day of the calendar"):
        parse_month_first(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2002/1/20", (2020, 2, 1)),
        ("2003/12/20", (2020, 3, 12)),
        ("2012/5/21", (2021, 12, 5)),
        ("2020/1/22", None),
        ("2000/1/20", None),
        ("2/1/20", None),
        ("2002-1-20", None),
        ("2002/30/20", None),
    ],
)
def test_mangled_dates_are_month_day_year_taken_for_year_month_day(text, day):
    assert repair_mangled(text) == (date(*day) if day else None)


@pytest.mark.parametrize("text", ["Lat", "2020", "12", "region", "1.5", "60", "53", "W1"])
def test_other_headers_are_no_dates(text):
    assert not is_date(text)
