"""A hub's tables: what is read from CSV and Parquet, and the row that is named where a cell breaks a rule."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from twofold.engine.errors import DataError, InputError
from twofold.hub.tables import Kind, parse, read_locations, read_sheet, sheet_of, with_population

KINDS: dict[str, Kind] = {"as_of": "time", "day": "date", "place": "text", "cases": "integer", "share": "number"}
TEXT = """\
as_of,day,place,cases,share,ignored
2025-01-29T16:03:44Z,2025-01-25,01,7,0.25,a

2025-01-29 17:03:44+01:00,2025-02-01,US,8.0,1e-3,
"""
TYPED = pl.DataFrame(
    {
        "as_of": [datetime(2025, 1, 29, 16, 3, 44, tzinfo=UTC)] * 2,
        "day": [date(2025, 1, 25), date(2025, 2, 1)],
        "place": ["01", "US"],
        "cases": [7, 8],
        "share": [0.25, 1e-3],
    }
)


def test_csv_gzip_and_parquet_give_the_same(write, tmp_path) -> None:
    TYPED.write_parquet(tmp_path / "table.parquet")
    paths = [write(TEXT), write(gzip.compress(TEXT.encode()), "table.csv.gz"), tmp_path / "table.parquet"]
    for path in paths:
        assert read_sheet(path).typed(KINDS).equals(TYPED)


@pytest.mark.parametrize(
    "change",
    [
        {"as_of": pl.col("as_of").dt.replace_time_zone(None)},  # no zone: UTC
        {"as_of": pl.col("as_of").dt.convert_time_zone("America/New_York")},
        {"as_of": pl.col("as_of").dt.cast_time_unit("ns")},
        {"day": pl.col("day").cast(pl.Datetime("ns"))},
        {"place": pl.col("place").cast(pl.Categorical)},
        {"cases": pl.col("cases").cast(pl.Float64)},
        {"cases": pl.col("cases").cast(pl.Int8)},
    ],
)
def test_types_that_other_tools_write_are_read(change) -> None:
    assert sheet_of("frame", TYPED.with_columns(**change)).typed(KINDS).equals(TYPED)


WRONG = {
    "date": ("2025-02-01", "2025-2-1", r"row 4, column 'day': '2025-2-1' is not a date such as 2025-01-31; correct"),
    "no such day": ("2025-02-01", "2025-02-30", r"row 4, column 'day': '2025-02-30' is not a date"),
    "time without hour": ("2025-01-29T16:03:44Z", "2025-01-29", r"row 2, column 'as_of': '2025-01-29' is not a time"),
    "no time": ("2025-01-29T16:03:44Z", "yesterday noon", r"row 2, column 'as_of': 'yesterday noon' is not a time"),
    "fraction": ("8.0", "8.5", r"row 4, column 'cases': '8.5' is not a whole number"),
    "no number": ("1e-3", "much", r"row 4, column 'share': 'much' is not a finite number"),
    "infinite": ("1e-3", "inf", r"row 4, column 'share': 'inf' is not a finite number"),
    "NA": ("1e-3", "NA", r"row 4, column 'share': the cell is empty; correct the cell, or leave the row out"),
    "empty": ("1e-3", "", r"row 4, column 'share': the cell is empty"),
    "no column": ("cases", "count", r"no column 'cases'; found 'as_of', 'day', 'place', 'count', 'share', 'ignored'"),
    "column twice": ("ignored", "day", r"row 1: the column 'day' appears 2 times"),
    "ragged": ("1e-3,", "1e-3", r"row 4: the row has 5 cells but the header has 6"),
}


@pytest.mark.parametrize(("old", "new", "message"), WRONG.values(), ids=WRONG)
def test_a_broken_cell_is_named_by_the_files_row(write, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(DataError, match=message):
        read_sheet(write(TEXT.replace(old, new))).typed(KINDS)


def test_a_column_may_lack_values(write) -> None:
    table = read_sheet(write(TEXT.replace("1e-3", "NA"))).typed(KINDS, may_lack=("share",))
    assert table["share"].to_list() == [0.25, None]
    with pytest.raises(DataError, match="'much' is not a finite number"):
        read_sheet(write(TEXT.replace("1e-3", "much"))).typed(KINDS, may_lack=("share",))
    gap = TYPED.with_columns(share=pl.Series([0.25, float("nan")]))
    assert sheet_of("frame", gap).typed(KINDS, may_lack=("share",))["share"].to_list() == [0.25, None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"place": pl.lit(1)},
            r"column 'place': holds Int32; it must be text, since a code such as '01' loses its zero",
        ),
        ({"place": pl.col("day")}, r"column 'place': holds Date; text is needed"),
        ({"as_of": pl.col("day")}, r"column 'as_of': holds Date; times with their hour are needed"),
        ({"day": pl.lit(3)}, r"column 'day': holds Int32; dates are needed"),
        ({"day": pl.col("as_of")}, r"frame, row 1, column 'day': .* is not a date"),
        ({"share": pl.col("day")}, r"column 'share': holds Date; numbers are needed"),
    ],
)
def test_a_parquet_column_of_another_type_is_refused(change, message) -> None:
    with pytest.raises(DataError, match=message):
        sheet_of("frame", TYPED.with_columns(**change)).typed(KINDS)


def test_a_damaged_file_and_a_missing_one_are_refused(write, tmp_path) -> None:
    TYPED.write_parquet(tmp_path / "whole.parquet")
    cut = (tmp_path / "whole.parquet").read_bytes()[:-9]
    for path, message in (
        (tmp_path / "none.csv", "no such file"),
        (write(cut, "cut.parquet"), "the Parquet file is cut or damaged"),
        (write(TEXT, "text.parquet"), "is named .parquet but is no Parquet file"),
    ):
        with pytest.raises(DataError, match=message):
            read_sheet(path)


def test_a_column_of_nothing_is_text_without_a_value() -> None:
    assert parse(pl.Series("day", [None, None]), "date").to_list() == [None, None]


PLACES = """\
abbreviation,location,location_name,population,count_rate1
US,US,US,332200066,3322
AL,01,Alabama,5063778,51
"""


def test_codes_keep_their_zeros_and_come_sorted(write) -> None:
    assert read_locations(write(PLACES)).to_dicts() == [
        {"location": "01", "abbreviation": "AL", "name": "Alabama", "population": 5063778},
        {"location": "US", "abbreviation": "US", "name": "US", "population": 332200066},
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("5063778", "0", r"row 3, column 'population': must be at least 1 person, got 0"),
        ("AL,01", "AL,US", r"row 3: location 'US' appears in an earlier row"),
        ("5063778", "", r"row 3, column 'population': the cell is empty"),
        (PLACES[PLACES.index("US,US") :], "", r"there is a header but no location"),
    ],
)
def test_a_broken_table_is_refused(write, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_locations(write(PLACES.replace(old, new)))


def test_a_place_without_population_is_refused(write) -> None:
    locations = read_locations(write(PLACES))
    assert with_population(pl.DataFrame({"location": ["US", "01", "US"]}), locations)["population"].to_list() == [
        332200066,
        5063778,
        332200066,
    ]
    with pytest.raises(InputError, match=r"it lacks \['72'\]"):
        with_population(pl.DataFrame({"location": ["72", "01"]}), locations)


@pytest.mark.realdata
@pytest.mark.parametrize("season", ["2023-24", "2024-25"])
def test_the_hubs_files(data_folder: Path, season: str) -> None:
    locations = read_locations(data_folder / "flusight" / f"locations_{season}.csv")
    assert (locations.height, locations["location"][0], locations["location"][-1]) == (53, "01", "US")
