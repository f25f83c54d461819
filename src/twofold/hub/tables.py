"""A hub's table files, CSV or Parquet, as typed columns; errors name the row and the column."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from twofold.counts.csv import parse_table, shorten, shown
from twofold.counts.files import read_bytes
from twofold.engine.errors import DataError, InputError
from twofold.engine.parquet import read_parquet

Kind = Literal["text", "date", "time", "number", "integer"]
WANTED: dict[Kind, str] = {
    "text": "text",
    "date": "a date such as 2025-01-31",
    "time": "a time such as 2025-01-29T16:03:44Z",
    "number": "a finite number",
    "integer": "a whole number",
}
"""What a cell of each kind looks like, for a message."""
UNIT = ["reference_date", "horizon", "location"]
"""Key of one forecast."""
FORECAST: dict[str, Kind] = {
    "model": "text",
    "reference_date": "date",
    "horizon": "integer",
    "location": "text",
    "category": "text",
    "probability": "number",
}
"""Columns of a table of forecasts, one row per category: of `predictions.parquet` and of the peers' file."""
_LOCATIONS: dict[str, Kind] = {
    "location": "text",
    "abbreviation": "text",
    "location_name": "text",
    "population": "integer",
}
_PARQUET = b"PAR1"
_NOTHING = ("", "NA")  # R writes an empty cell as NA


@dataclass(frozen=True)
class Sheet:
    """Columns as a file holds them: text when it is a CSV, of any type when it is Parquet.

    Attributes:
        name: the file, for messages.
        frame: its cells; an empty cell is null.
        numbers: every row's number in the file, 1-based: a CSV's header is row 1, Parquet has none.
    """

    name: str
    frame: pl.DataFrame
    numbers: Sequence[int]

    def refuse(self, broken: pl.Series, say: Callable[[int], str], column: str | None = None) -> None:
        """Refuses the first broken row; `say` makes the message from its index in `frame`.

        Raises:
            DataError: when there is such a row; names file, row and column.
        """
        if broken.any():
            row = int(broken.arg_true()[0])
            place = f"{self.name}, row {self.numbers[row]}"
            raise DataError(f"{place if column is None else f'{place}, column {column!r}'}: {say(row)}")

    def typed(self, columns: Mapping[str, Kind], may_lack: Collection[str] = ()) -> pl.DataFrame:
        """The named columns with their kinds; other columns are ignored. In those of `may_lack` a cell may be empty.

        Raises:
            DataError: when a column or a cell is missing or not of its kind; names file, row and column.
        """
        return pl.DataFrame([self._column(name, kind, name in may_lack) for name, kind in columns.items()])

    def _column(self, name: str, kind: Kind, may_lack: bool) -> pl.Series:
        if name not in self.frame.columns:
            there = shown(self.frame.columns, 12) or "none"
            raise DataError(f"{self.name}: no column {name!r}; found {there}. Add it, or rename one")
        cells = self.frame[name]
        try:
            values = parse(cells, kind)
        except ValueError as error:
            raise DataError(f"{self.name}, column {name!r}: {error}") from None
        empty = cells.is_null()
        if cells.dtype == pl.String:
            empty |= cells.is_in(_NOTHING)
        elif cells.dtype.is_float():
            empty |= cells.is_nan()

        def say(row: int) -> str:
            cell = shorten(cells[row]) if isinstance(cells[row], str) else repr(cells[row])
            told = "the cell is empty" if empty[row] else f"{cell} is not {WANTED[kind]}"
            return f"{told}; correct the cell, or leave the row out"

        self.refuse(values.is_null() & ~empty if may_lack else values.is_null(), say, name)
        return values


def read_sheet(path: Path) -> Sheet:
    """Reads a CSV (also gzipped) or a Parquet file.

    Raises:
        DataError: when the file is not there, is damaged, or has two columns of one name.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    data, name = read_bytes(path), str(path)
    if data.startswith(_PARQUET):
        return sheet_of(name, read_parquet(name, data))
    if path.suffix == ".parquet":
        raise DataError(f"{name}: is named .parquet but is no Parquet file; write it again, or rename it")
    table = parse_table(name, data)
    header = table.rows[0]
    twice = next((column for i, column in enumerate(header) if column in header[:i]), None)
    if twice is not None:
        raise DataError(f"{table.place(0)}: the column {twice!r} appears {header.count(twice)} times; keep one of them")
    table.check_rectangular(1)
    rows = [[cell or None for cell in row] for row in table.rows[1:]]
    return Sheet(name, pl.DataFrame(rows, dict.fromkeys(header, pl.String), orient="row"), table.numbers[1:])


def sheet_of(name: str, frame: pl.DataFrame) -> Sheet:
    """A table in memory as a sheet, whose first row is row 1."""
    return Sheet(name, frame, range(1, frame.height + 1))


def parse(cells: pl.Series, kind: Kind) -> pl.Series:
    """A column as its kind: null where a cell is empty or can't be read as that.

    Times are UTC; one that carries no zone is taken for UTC.

    Raises:
        ValueError: when the type of a Parquet column can't hold the kind at all; the caller names the column.
    """
    if cells.dtype == pl.Null:
        cells = cells.cast(pl.String)
    if kind == "text":
        return _texts(cells)
    if kind == "date":
        return _dates(cells)
    if kind == "time":
        return _times(cells)
    if not (cells.dtype.is_numeric() or cells.dtype == pl.String):
        raise ValueError(f"holds {cells.dtype}; numbers are needed")
    numbers = cells.cast(pl.Float64, strict=False)
    numbers = numbers.set(~numbers.is_finite(), None)
    if kind == "number":
        return numbers
    return numbers.set(numbers != numbers.round(), None).cast(pl.Int64, strict=False)


def _texts(cells: pl.Series) -> pl.Series:
    if cells.dtype.is_numeric():
        raise ValueError(f"holds {cells.dtype}; it must be text, since a code such as '01' loses its zero as a number")
    if cells.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise ValueError(f"holds {cells.dtype}; text is needed")
    return cells.cast(pl.String)


def _dates(cells: pl.Series) -> pl.Series:
    if isinstance(cells.dtype, pl.Datetime):
        return cells.dt.date().set(cells.dt.time() != datetime.min.time(), None)
    if cells.dtype == pl.String:
        whole = cells.str.contains(r"^\d{4}-\d{2}-\d{2}$")
        return cells.set(~whole, None).str.to_date("%Y-%m-%d", strict=False)
    if cells.dtype != pl.Date:
        raise ValueError(f"holds {cells.dtype}; dates are needed")
    return cells


def _times(cells: pl.Series) -> pl.Series:
    if isinstance(cells.dtype, pl.Datetime):
        zoned = cells if cells.dtype.time_zone else cells.dt.replace_time_zone("UTC")
        return zoned.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    if cells.dtype != pl.String:
        raise ValueError(
            f"holds {cells.dtype}; times with their hour are needed (a date alone doesn't say what was known at a "
            "deadline of that day)"
        )
    known: dict[str | None, datetime | None] = {}
    for text in cells.unique().to_list():
        try:
            time = datetime.fromisoformat(text) if text and len(text) > len("2025-01-31") else None
        except ValueError:
            time = None
        known[text] = time and time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    return pl.Series(cells.name, [known[text] for text in cells.to_list()], pl.Datetime("us", "UTC"))


def read_forecasts(path: Path) -> pl.DataFrame:
    """Reads a table of forecasts with the columns of `FORECAST`.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    return read_sheet(path).typed(FORECAST)


def forecasts_of(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """As `read_forecasts`, of a table in memory; `name` is that of its file, for errors."""
    return sheet_of(name, frame).typed(FORECAST)


def read_locations(path: Path) -> pl.DataFrame:
    """Reads the locations of a hub in a season.

    Args:
        path: CSV or Parquet with the columns `abbreviation`, `location` (a FIPS code as text, or US), `location_name`
            and `population`; others are ignored.

    Returns:
        Columns location, abbreviation, name, population (persons), sorted by location.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    sheet = read_sheet(path)
    table = sheet.typed(_LOCATIONS)
    if table.is_empty():
        raise DataError(f"{sheet.name}: there is a header but no location below it")
    persons, code = table["population"], table["location"]
    sheet.refuse(persons < 1, lambda row: f"must be at least 1 person, got {persons[row]}", "population")
    sheet.refuse(~code.is_first_distinct(), lambda row: f"location {code[row]!r} appears in an earlier row; keep one")
    return table.rename({"location_name": "name"}).sort("location")


def with_population(table: pl.DataFrame, locations: pl.DataFrame) -> pl.DataFrame:
    """Adds the population to a table with a column `location`.

    Raises:
        InputError: when the locations lack one of the table's.
    """
    joined = table.join(locations.select("location", "population"), on="location", how="left", maintain_order="left")
    unknown = joined.filter(pl.col("population").is_null())["location"].unique().sort().to_list()
    if unknown:
        raise InputError(f"the table of locations must hold every location of the counts; it lacks {unknown}")
    return joined
