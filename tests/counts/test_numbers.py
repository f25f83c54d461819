"""Columns of cells as counts: one decision on separators by all cells."""

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given

from twofold.counts.numbers import LARGEST, Counts, parse_counts
from twofold.engine.errors import DataError


def read(*cells: str, **options) -> Counts:
    return parse_counts(pl.Series(list(cells), dtype=pl.String), lambda i: f"cell {i}", **options)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("12", 12),
        ("-3", -3),
        ("12.0", 12),
        ("12.", 12),
        ("007", 7),
        ("1,234,567.00", 1234567),
        ("1.234.567", 1234567),
        ("1 234 567", 1234567),
        ("1\u202f234", 1234),
        ("1\u00a0234", 1234),
        ("1'234", 1234),
        ("1’234’567", 1234567),
        ("12,0", 12),
        (str(LARGEST), LARGEST),
        ("0" * 30 + "5", 5),
    ],
)
def test_a_number_that_can_be_read_one_way_only(text, count):
    assert read(text).values.tolist() == [count]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1.5", "'1.5' is a fraction; counts are whole numbers"),
        ("-.5", "is a fraction"),
        ("12,34", "'12,34' is a fraction with a decimal comma"),
        ("0,060", "a group that begins with 0 parts no thousands"),
        ("inf", "'inf' is not finite"),
        ("-Infinity", "is not finite"),
        ("1.2e5", "has an exponent"),
        ("12.5%", "'12.5%' is a percentage; .*--source.value"),
        ("many", "'many' is not a number"),
        ("1 2", "'1 2' is not a number"),
        ("1,23,456", "is not a number"),
        ("+5", "is not a number"),
        ("١٢", "is not a number"),
        ("1_000", "is not a number"),
        (str(LARGEST + 1), "larger than any count of cases can be"),
        ("9" * 5000, "larger than any count"),
        (str(2**63), "larger than any count"),
    ],
)
def test_other_cells_are_refused_with_place_and_reason(text, reason):
    with pytest.raises(DataError, match=rf"cell 1: .*{reason}") as caught:
        read("7", text)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(("mark", "other", "name"), [(".", "comma", "point"), (",", "point", "comma")])
def test_a_column_that_can_be_read_in_two_ways_is_refused_until_the_decimal_mark_is_given(mark, other, name):
    cells = [f"6{mark}000", f"12{mark}000"]
    with pytest.raises(DataError, match=rf"can be read as 6000 .*or as 6 .*--source.decimal {other} takes the first"):
        read(*cells)
    assert read(*cells, decimal=other).values.tolist() == [6000, 12000]
    assert read(*cells, decimal=name).values.tolist() == [6, 12]


def test_a_column_of_fractions_with_three_digits_is_not_taken_for_thousands():
    with pytest.raises(DataError, match=r"'1\.250' can be read as 1250 .*or as 1\.25 "):
        read("1.250", "12.731")
    with pytest.raises(DataError, match="is a fraction"):
        read("1.250", "0.731")


@pytest.mark.parametrize(
    "cells",
    [
        ("345", "1.250"),  # who parts thousands by points writes small counts plain
        ("345", "1,250"),
        ("4000", "1,250"),  # commas are also put in by hand
        ("12.0", "1,250"),  # the point is the decimal mark
        ("12,0", "1.250"),
        ("1.250.000", "1.250"),
    ],
)
def test_another_cell_settles_how_a_mark_is_read(cells):
    assert read(*cells).values[1] == 1250


def test_a_point_in_a_column_that_writes_thousands_plain_stays_open():
    with pytest.raises(DataError, match="can be read as 1250"):
        read("4000", "1.250")


def test_a_workbooks_numbers_have_no_zeros_at_their_end_so_plain_cells_settle_no_point():
    with pytest.raises(DataError, match=r"'1.250' can be read as 1250 .*or as 1.25"):
        read("345", "1.250", fixed=False)
    assert read("345", "1,250", fixed=False).values.tolist() == [345, 1250]


def test_cells_that_agree_on_no_separators_are_refused():
    with pytest.raises(DataError, match="is not a number"):
        read("12.5", "1.234.567,5", "3.5")


def test_missing_cells_are_marked():
    found = read("4", "", "NA", "n/a", "X", "..", "5")
    assert found.missing.tolist() == [False, True, True, True, True, True, False]
    assert found.values[[0, 6]].tolist() == [4, 5]


def test_suppressed_cells_are_refused_counted_and_read_as_told():
    cells = ("12", "<5", "*", "<5", "1-4", "30")
    with pytest.raises(DataError, match=r"cell 1: 4 cells of 6 hold a mark .*'<5' 2 times.*--source.suppressed NUMBER"):
        read(*cells)
    taken = read(*cells, suppressed=2)
    assert taken.values.tolist() == [12, 2, 2, 2, 2, 30]
    assert taken.stood_in.tolist() == [False, True, True, True, True, False]
    assert "read as 2, as requested" in taken.notes[0]
    gone = read(*cells, suppressed="missing")
    assert gone.missing.tolist() == taken.stood_in.tolist()
    assert not gone.stood_in.any()


def test_the_notes_say_how_separators_were_read():
    assert read("7", "1,234").notes == ("1 count with thousands separators; '1,234' was read as 1234.",)
    assert read("7", "1.234").notes == ("1 count with thousands separators (points); '1.234' was read as 1234.",)
    assert read("12,0").notes == ("The decimal mark is a comma; '12,0' was read as 12.",)
    assert read("12").notes == ()


@given(st.lists(st.integers(-LARGEST, LARGEST), min_size=1, max_size=6))
def test_every_whole_number_comes_back(counts):
    texts = [str(count) for count in counts]
    assert read(*texts).values.tolist() == counts
    assert read(*(f"{count}.0" for count in counts)).values.tolist() == counts
    assert read("1,234,567.0", *(f"{count:,}" for count in counts)).values[1:].tolist() == counts


@given(st.lists(st.text(max_size=12), min_size=1, max_size=3))
def test_any_text_gives_counts_or_a_reason(texts):
    try:
        found = read(*(text.strip() for text in texts))
    except DataError as error:
        assert str(error).startswith("cell ")
    else:
        assert np.abs(found.values).max() <= LARGEST
