"""Text to rows: the separator, and what stands above and below a table."""

import pytest

from twofold.counts.csv import Table, bare_table, find_table
from twofold.engine.errors import DataError

ROWS = "region,date,value\nChad,2020-01-01,1\nPeru,2020-01-01,2\nNew South Wales,2020-01-01,3\n"


def found(text: str) -> Table:
    return find_table("t.csv", text.encode())


def body(table: Table) -> list[list[str]]:
    assert table.rows[0] == ["region", "date", "value"]
    return table.rows[1:]


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        (ROWS, ","),
        (ROWS.replace(",", ";"), ";"),
        (ROWS.replace(",", "\t"), "\t"),
        (ROWS.replace(",", "|"), "|"),
        ("a;b;c\nX;2020;1,5\nY;2020;2,5\n", ";"),  # decimal commas
        ("a;b;c\nX;May 1, 2020;1\nY;May 2, 2020;2\n", ";"),  # commas in dates
        ('a,b,c\nX,"1;2;3",1\nY,"4;5;6",2\n', ","),
        ("Cases, by district\na|b|c\nX, North|1|2\n", "|"),
        ("day;Chad\n2020-01-01;1\n", ";"),  # one region, transposed
    ],
)
def test_the_separator_is_the_one_under_which_rows_agree(text, separator):
    assert found(text).separator == separator


@pytest.mark.parametrize(
    ("below", "noted"),
    [
        ("\nSource: the ministry\n", "1 line below"),
        ("\nSource: the ministry, retrieved 2020\n\nsee www\n", "2 lines below"),
        ("* revised\n", "1 line below"),
        ("Figures of the last week are provisional\n", "1 line below"),
        ("Notes,,\n", "1 line below"),
    ],
)
def test_lines_below_a_table_are_left_out_and_counted(below, noted):
    table = found(ROWS + below)
    assert len(body(table)) == 3
    assert [note for note in table.notes if noted in note]


@pytest.mark.parametrize(
    "cut",
    [
        "Chad",
        "Peru,2020-01-02",
        "New South",
        "New South Wales",
        "Pe",
        "Peru,2020-01-02,",
        "2020",
        "\nPeru",
        "\nNew South",
    ],
)
def test_a_row_cut_short_is_no_line_below(cut):
    table = found(ROWS + cut)
    assert len(body(table)) == 4
    assert table.notes == ()


@pytest.mark.parametrize("last", ["Jan 3 2020", "\nJan 3 2020", "Jan 3 2020,", "Jan 3 2020,5"])
def test_a_date_at_the_end_of_a_table_by_dates_is_a_row_cut_short(last):
    text = "day,Chad,Peru\nJan 1 2020,1,2\nJan 2 2020,3,4\n"
    assert len(found(text + last).rows) == 4


def test_lines_above_are_left_out_also_where_they_are_padded():
    for above in ("Cases by district\n", "Cases by district,,\n\n", "Title\nSource:,the ministry,\n"):
        table = found(above + ROWS)
        assert len(body(table)) == 3
        assert "above the header left out" in table.notes[-1]
        assert table.place(0) == f"t.csv, row {above.count(chr(10)) + 1}"


def test_equal_cells_are_held_once_and_beyond_a_limit_as_they_are(monkeypatch):
    text = b"region,date,cases\nNorth, 2020-01-01,3\nNorth,2020-01-01 ,4\nSouth,2020-01-01,3\n"
    whole = find_table("t.csv", text)
    assert whole.rows[1][0] is whole.rows[2][0] and whole.rows[1][1] is whole.rows[3][1]
    monkeypatch.setattr("twofold.counts.csv.Shared.MOST_SHARED", 2)
    assert find_table("t.csv", text).rows == whole.rows


def test_a_header_narrower_than_its_rows_stays():
    assert found("region,date\nChad,2020-01-01,1\nPeru,2020-01-01,2\n").rows[0] == ["region", "date"]


def test_last_columns_that_are_empty_throughout_are_left_out():
    assert found(ROWS.replace("\n", ",,\n")).rows == found(ROWS).rows


def test_a_table_of_a_header_alone_is_no_line_above():
    assert bare_table(Table("t", [["region", "date", "value"]], [1])).rows == [["region", "date", "value"]]


def test_thousands_parted_by_windows_no_break_spaces_are_read():
    data = "region;date;value\nCôte;2020-01-01;1\u00a0234\nPeru;2020-01-01;2’345\n".encode("cp1252")
    table = find_table("t.csv", data)
    assert [row[2] for row in table.rows[1:]] == ["1\u00a0234", "2’345"]
    with pytest.raises(DataError, match="row 2: byte 0xa0 is neither UTF-8"):
        find_table("t.csv", b"region;date;value\nM\xa0laga;2020-01-01;1\n")
