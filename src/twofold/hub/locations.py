"""The places that a hub forecasts for: code, name and population of a season."""

from pathlib import Path

import polars as pl

from twofold.engine.errors import DataError, InputError
from twofold.hub.tables import Kind, read_sheet

COLUMNS: dict[str, Kind] = {
    "location": "text",
    "abbreviation": "text",
    "location_name": "text",
    "population": "integer",
}


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
    table = sheet.typed(COLUMNS)
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
