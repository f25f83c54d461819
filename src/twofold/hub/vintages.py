"""Versions (vintages) of the counts as they were published and revised, and what was known at any time.

Recent counts are revised, and so are old ones. A forecast made in the past may use only what was known then, so every
access to a version names its time.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import counted
from twofold.engine.errors import DataError, InputError
from twofold.hub.rules import WEEK
from twofold.hub.tables import Kind, read_sheet

COLUMNS: dict[str, Kind] = {"as_of": "time", "target_end_date": "date", "location": "text", "value": "number"}
_CELL = ["target_end_date", "location"]


@dataclass(frozen=True)
class Versions:
    """All versions of a table of weekly counts, stored as changes.

    Attributes:
        changes: as_of (when the version was published, UTC), target_end_date (last day of the week), location, value
            (cases; null: withdrawn), sorted by as_of; one row where a value first appears or changes.
        notes: sentences on what the reader left out.
    """

    changes: pl.DataFrame
    notes: tuple[str, ...] = ()

    def times(self) -> list[datetime]:
        """When the versions were published, in order."""
        return self.changes["as_of"].unique().sort().to_list()

    def as_of(self, time: datetime) -> pl.DataFrame:
        """The version that was out at a time, one published at that very time included.

        Returns:
            Columns target_end_date, location, value; sorted by location, then date.
        """
        return _last(self.changes.filter(pl.col("as_of") <= _zoned(time)))

    def before(self, deadline: datetime) -> pl.DataFrame:
        """The last version published before a deadline, all that a forecast for it may use; columns as of `as_of`."""
        return _last(self.changes.filter(pl.col("as_of") < _zoned(deadline)))

    def until(self, deadline: datetime) -> "Versions":
        """The versions published before a deadline.

        Raises:
            InputError: when there is none.
        """
        known = self.changes.filter(pl.col("as_of") < _zoned(deadline))
        if known.is_empty():
            raise InputError(f"no version was published before {deadline:%Y-%m-%d %H:%M %Z}")
        return Versions(known, self.notes)

    def latest(self) -> pl.DataFrame:
        """The newest version; columns as of `as_of`."""
        return _last(self.changes)


class Grid(NamedTuple):
    """A version as a matrix: locations sorted, weeks in order (their last days), cases; NaN where there is no value."""

    locations: tuple[str, ...]
    dates: np.ndarray
    values: Float[np.ndarray, "locations weeks"]

    def part(self, weeks: slice | np.ndarray) -> "Grid":
        """Some of its weeks."""
        return Grid(self.locations, self.dates[weeks], self.values[:, weeks])


def read_versions(path: Path) -> Versions:
    """Reads a file of versions.

    Args:
        path: Parquet or CSV with the columns `as_of` (a time; UTC unless it carries a zone), `target_end_date`,
            `location` (text) and `value` (cases, at least 0; empty: withdrawn). Rows may stand in any order. Where one
            version gives a location several values for a week, none of them is taken, and the notes say so.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    sheet = read_sheet(path)
    table = sheet.typed(COLUMNS, may_lack=("value",))
    if table.is_empty():
        raise DataError(f"{sheet.name}: there are columns but no row; a version of the counts is needed")
    value = table["value"]
    sheet.refuse(
        value.fill_null(0.0) < 0, lambda row: f"cases can't be negative, got {value[row]:g}; correct it", "value"
    )
    once = table.unique().sort("as_of", "location", "target_end_date", "value")
    # A hub once published a table with all locations' values under one name, and corrected it within minutes: values
    # from before are nearer to the truth than any of them.
    several = once.select("as_of", *_CELL).is_duplicated()
    wrong = once.filter(several)
    if wrong.is_empty():
        return Versions(once)
    times = ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in wrong["as_of"].unique().sort())
    cells = wrong.select("as_of", *_CELL).n_unique()
    note = (
        f"{counted(cells, 'cell')} with several values in one version (published {times} UTC) left out; what was known "
        "before stands until the next version."
    )
    return Versions(once.filter(~several), (note,))


def grid_of(version: pl.DataFrame) -> Grid:
    """One version, not empty, as a matrix with gaps.

    Raises:
        InputError: when two weeks are not whole weeks apart.
    """
    names, row = np.unique(version["location"].to_numpy(), return_inverse=True)
    days = version["target_end_date"].to_numpy().astype("datetime64[D]")
    column, rest = np.divmod((days - days.min()).astype(int), WEEK.days)
    if rest.any():
        raise InputError(f"weeks must end on one day of the week, got {days.min()} and {days[rest > 0][0]}")
    values = np.full((len(names), int(column.max()) + 1), np.nan)
    values[row, column] = version["value"].to_numpy()
    return Grid(tuple(names.tolist()), days.min() + WEEK.days * np.arange(values.shape[1]), values)


def table_of(grid: Grid) -> pl.DataFrame:
    """The inverse of `grid_of`: columns target_end_date, location, value, without gaps."""
    table = {
        "target_end_date": np.tile(grid.dates, len(grid.locations)),
        "location": np.repeat(grid.locations, len(grid.dates)),
        "value": grid.values.ravel(),
    }
    return pl.DataFrame(table).drop_nans("value").with_columns(pl.col("target_end_date").cast(pl.Date))


def _last(changes: pl.DataFrame) -> pl.DataFrame:
    kept = changes.unique(_CELL, keep="last", maintain_order=True).drop_nulls("value")
    return kept.select(*_CELL, "value").sort("location", "target_end_date")


def _zoned(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise InputError(f"a time needs its time zone, got {time}; give it in UTC")
    return time
