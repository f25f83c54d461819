"""A hub's table files, CSV or Parquet, as columns of known types; whatever breaks a rule is told with its row."""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from twofold.counts.csv import parse_table, read_bytes
from twofold.engine.errors import DataError, InputError

Kind = Literal["text", "date", "time", "number", "integer"]
PARQUET = b"PAR1"
_NOTHING = ("", "NA")  # R writes an empty cell as NA
_WANTED: dict[Kind, str] = {
    "text": "text",
    "date": "a date such as 2025-01-31",
    "time": "a time such as 2025-01-29T16:03:44Z",
    "number": "a finite number",
    "integer": "a whole number",
}
UNIT = ["reference_date", "horizon", "location"]
"""What one forecast is for."""
FORECAST: dict[str, Kind] = {
    "model": "text",
    "reference_date": "date",
    "horizon": "integer",
    "location": "text",
    "category": "text",
    "probability": "number",
}
"""Columns of a table of forecasts: one row a category, of `predictions.parquet` and of the peers' file."""
_LOCATIONS: dict[str, Kind] = {
    "location": "text",
    "abbreviation": "text",
    "location_name": "text",
    "population": "integer",
}


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

    def place(self, row: int, column: str | None = None) -> str:
        """File, row and column of a cell for a message; `row` is a 0-based index into `frame`."""
        where = f"{self.name}, row {self.numbers[row]}"
        return where if column is None else f"{where}, column {column!r}"

    def typed(self, columns: Mapping[str, Kind], may_lack: Collection[str] = ()) -> pl.DataFrame:
        """The named columns with their types; others are left alone.

        Args:
            columns: name -> kind of every column that is needed.
            may_lack: those in which a cell may be empty.

        Raises:
            DataError: when a column or a cell is missing or not of its kind; names file, row and column.
        """
        return pl.DataFrame([self._column(name, kind, name in may_lack) for name, kind in columns.items()])

    def _column(self, name: str, kind: Kind, may_lack: bool) -> pl.Series:
        if name not in self.frame.columns:
            shown = ", ".join(repr(column) for column in self.frame.columns[:12])
            raise DataError(f"{self.name}: no column {name!r}; found {shown or 'none'}. Add it, or rename one")
        cells = self.frame[name]
        try:
            values = parse(cells, kind)
        except ValueError as error:
            raise DataError(f"{self.name}, column {name!r}: {error}") from None
        wrong = values.is_null() & ~lacking(cells) if may_lack else values.is_null()
        if wrong.any():
            row = int(wrong.arg_true()[0])
            shown = "the cell is empty" if lacking(cells)[row] else f"{cells[row]!r} is not {wanted(kind)}"
            raise DataError(f"{self.place(row, name)}: {shown}; mend the cell, or leave the row out")
        return values


def read_sheet(path: Path) -> Sheet:
    """Reads a CSV (also gzipped) or a Parquet file.

    Raises:
        DataError: when the file is not there, is damaged, or has two columns of one name.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    data, name = read_bytes(path), str(path)
    if data.startswith(PARQUET):
        return sheet_of(name, _parquet(name, data))
    if path.suffix == ".parquet":
        raise DataError(f"{name}: is named .parquet but is no Parquet file; write it again, or rename it")
    table = parse_table(name, data)
    header = table.rows[0]
    twice = next((column for i, column in enumerate(header) if column in header[:i]), None)
    if twice is not None:
        raise DataError(f"{table.place(0)}: the column {twice!r} stands {header.count(twice)} times; keep one of them")
    table.check_rectangular(1)
    rows = [[cell or None for cell in row] for row in table.rows[1:]]
    return Sheet(name, pl.DataFrame(rows, dict.fromkeys(header, pl.String), orient="row"), table.numbers[1:])


def sheet_of(name: str, frame: pl.DataFrame) -> Sheet:
    """A table in memory as a sheet; row 1 is its first row."""
    return Sheet(name, frame, range(1, frame.height + 1))


def lacking(cells: pl.Series) -> pl.Series:
    """Which cells hold nothing: null, not-a-number, or in text nothing at all or R's NA."""
    if cells.dtype == pl.String:
        return cells.is_null() | cells.is_in(_NOTHING)
    return cells.is_null() | cells.is_nan() if cells.dtype.is_float() else cells.is_null()


def parse(cells: pl.Series, kind: Kind) -> pl.Series:
    """A column as its kind: null where a cell is empty or can't be read as that.

    Times are UTC; one that carries no zone is taken for UTC.

    Raises:
        ValueError: when the type of a Parquet column can't hold the kind at all; to be put behind the column's name.
    """
    if cells.dtype == pl.Null:
        cells = cells.cast(pl.String)
    read = {"text": _text, "date": _dates, "time": _times, "number": _numbers, "integer": _integers}[kind]
    return read(cells)


def wanted(kind: Kind) -> str:
    """What a cell of this kind looks like, for a message."""
    return _WANTED[kind]


def _parquet(name: str, data: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{name}: the Parquet file is cut or damaged ({error}); write or download it again") from error


def _text(cells: pl.Series) -> pl.Series:
    if cells.dtype.is_numeric():
        raise ValueError(f"holds {cells.dtype}; it must be text, since a code such as '01' loses its zero as a number")
    if cells.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise ValueError(f"holds {cells.dtype}; text is needed")
    return cells.cast(pl.String)


def _dates(cells: pl.Series) -> pl.Series:
    if isinstance(cells.dtype, pl.Datetime):
        days = cells.dt.date()
        return days.set(cells.dt.time() != datetime.min.time(), None)
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
            f"holds {cells.dtype}; times with their hour are needed (a date alone doesn't tell what was known at a "
            "deadline of that day)"
        )
    known = {text: _time(text) for text in cells.unique().to_list()}
    return pl.Series(cells.name, [known[text] for text in cells.to_list()], pl.Datetime("us", "UTC"))


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if text and len(text) > len("2025-01-31") else None
    except ValueError:
        return None
    return time if time is None else time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)


def _numbers(cells: pl.Series) -> pl.Series:
    if not (cells.dtype.is_numeric() or cells.dtype == pl.String):
        raise ValueError(f"holds {cells.dtype}; numbers are needed")
    numbers = cells.cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite(), None)


def _integers(cells: pl.Series) -> pl.Series:
    numbers = _numbers(cells)
    return numbers.set(numbers != numbers.round(), None).cast(pl.Int64, strict=False)


def read_forecasts(path: Path) -> pl.DataFrame:
    """Reads a table of forecasts with the columns of `FORECAST`.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    return read_sheet(path).typed(FORECAST)


def read_locations(path: Path) -> pl.DataFrame:
    """Reads a hub's table of locations.

    Args:
        path: CSV or Parquet with the columns `abbreviation`, `location` (a FIPS code as text, or US), `location_name`
            and `population`; others are left alone.

    Returns:
        Columns location, abbreviation, name, population (persons), sorted by location.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    sheet = read_sheet(path)
    table = sheet.typed(_LOCATIONS)
    if table.is_empty():
        raise DataError(f"{sheet.name}: there is a header but no location below it")
    small = table["population"] < 1
    if small.any():
        row = int(small.arg_true()[0])
        raise DataError(f"{sheet.place(row, 'population')}: must be at least 1 person, got {table['population'][row]}")
    twice = ~table["location"].is_first_distinct()
    if twice.any():
        row = int(twice.arg_true()[0])
        raise DataError(f"{sheet.place(row)}: location {table['location'][row]!r} stands above already; keep one row")
    return table.rename({"location_name": "name"}).sort("location")


def with_population(table: pl.DataFrame, locations: pl.DataFrame) -> pl.DataFrame:
    """A table with a column `location`, and beside it each one's population.

    Raises:
        InputError: when the locations lack one of the table's.
    """
    joined = table.join(locations.select("location", "population"), on="location", how="left", maintain_order="left")
    unknown = joined.filter(pl.col("population").is_null())["location"].unique().sort().to_list()
    if unknown:
        raise InputError(f"the table of locations must hold every location of the counts; it lacks {unknown}")
    return joined
