"""Single cells as counts and dates."""

from datetime import date

import hypothesis.strategies as st
import pytest
from hypothesis import given

from twofold.counts.csv import LARGEST, parse_count, parse_date, parse_month_first, repair_mangled


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("12", 12),
        (" 12 ", 12),
        ("-3", -3),
        ("12.0", 12),
        ("12.", 12),
        ("007", 7),
        ("1,234", 1234),
        ("1,234,567.00", 1234567),
        (str(LARGEST), LARGEST),
        ("0" * 30 + "5", 5),
    ],
)
def test_counts_are_whole_numbers(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the cell is empty; every region needs a count"),
        ("NA", "'NA' is no count"),
        ("nan", "'nan' is no count"),
        ("1.5", "'1.5' is a fraction"),
        ("-.5", "is a fraction"),
        ("inf", "'inf' is not finite"),
        ("-Infinity", "is not finite"),
        ("1.2e5", "has an exponent"),
        ("many", "'many' is not a number"),
        ("12,34", "is not a number"),
        ("1,2345", "is not a number"),
        ("+5", "is not a number"),
        ("١٢", "is not a number"),
        ("1_000", "is not a number"),
        (str(LARGEST + 1), "larger than any count of cases can be"),
        ("9" * 5000, "larger than any count"),
        (str(2**63), "larger than any count"),
    ],
)
def test_other_cells_are_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_count(text)
    assert len(str(caught.value)) < 250


@given(st.integers(-LARGEST, LARGEST))
def test_every_whole_number_comes_back(count):
    assert parse_count(str(count)) == parse_count(f"{count:,}") == parse_count(f"{count}.0") == count


@given(st.text(max_size=12))
def test_any_text_gives_a_count_or_a_reason(text):
    try:
        assert isinstance(parse_count(text), int)
    except ValueError as error:
        assert ";" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-31",
        "2020/1/31",
        "2020.01.31",
        "20200131",
        "31.01.2020",
        "31 Jan 2020",
        "31 January 2020",
        "31-Jan-2020",
        "Jan 31, 2020",
        "January 31, 2020",
        "2020-01-31T00:00:00",
        "2020-01-31 00:00:00.000",
        "2020-01-31T00:00Z",
    ],
)
def test_dates_that_can_be_read_one_way_only(text):
    assert parse_date(text) == parse_month_first(text) == date(2020, 1, 31)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1/2/20", "can be read month first or day first; write it as 2020-01-31"),
        ("31/1/2020", "can be read month first or day first"),
        ("2020-02-30", "is no day of the calendar"),
        ("2020-13-01", "is no day of the calendar"),
        ("2020-01/31", "is not a date"),
        ("2020-01-31T17:30:00", "is not a date"),
        ("yesterday", "is not a date; write it as 2020-01-31"),
        ("", "the date is empty"),
    ],
)
def test_other_dates_are_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_date(text)


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
