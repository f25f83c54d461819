"""Versions: counts as they were published, and as they were published again; what was known at any moment.

Counts of the last weeks are revised, and so are old ones. A forecast made in the past may use what was known then and
nothing else, so every reader of a version names its moment.
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import Panel, counted
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
            (cases; null: withdrawn), sorted by as_of. A row stands where a value first appears or changes.
        notes: what the reader left out, in plain sentences.
    """

    changes: pl.DataFrame
    notes: tuple[str, ...] = ()

    def times(self) -> list[datetime]:
        """When the versions were published, in order."""
        return self.changes["as_of"].unique().sort().to_list()

    def as_of(self, time: datetime) -> pl.DataFrame:
        """The version that was out at a moment, one published at that very moment included.

        Returns:
            Columns target_end_date, location, value; sorted by location, then date.
        """
        return _last(self.changes.filter(pl.col("as_of") <= _zoned(time)))

    def before(self, deadline: datetime) -> pl.DataFrame:
        """The last version published before a deadline: all that a forecast for it may use.

        Returns:
            As `as_of`.
        """
        return _last(self.changes.filter(pl.col("as_of") < _zoned(deadline)))

    def until(self, deadline: datetime) -> "Versions":
        """The versions published before a deadline, for what is learned from revisions.

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

    def first_reported(self) -> pl.DataFrame:
        """Every value as it first appeared, and when.

        The first version of all brings the whole past with it: what it holds is not what was reported at the time.

        Returns:
            Columns as_of, target_end_date, location, value; sorted by location, then date.
        """
        first = self.changes.drop_nulls("value").unique(_CELL, keep="first", maintain_order=True)
        return first.sort("location", "target_end_date")


class Grid(NamedTuple):
    """A version as a matrix: locations sorted, weeks in order (their last days), cases; NaN where there is no value."""

    locations: tuple[str, ...]
    dates: np.ndarray
    values: Float[np.ndarray, "locations weeks"]


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
    negative = table["value"].fill_null(0.0) < 0
    if negative.any():
        row = int(negative.arg_true()[0])
        raise DataError(f"{sheet.place(row, 'value')}: cases can't be negative, got {table['value'][row]:g}; mend it")
    whole, note = _without_contradictions(table)
    return Versions(whole.sort("as_of", "location", "target_end_date"), () if note is None else (note,))


def grid_of(version: pl.DataFrame) -> Grid:
    """One version as a matrix: what a forecaster reads that can do with gaps.

    Args:
        version: target_end_date, location, value; as `Versions.before` gives it; not empty.

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
    """A matrix as a table, the way back from `grid_of`: target_end_date, location, value, without gaps."""
    table = {
        "target_end_date": np.tile(grid.dates, len(grid.locations)),
        "location": np.repeat(grid.locations, len(grid.dates)),
        "value": grid.values.ravel(),
    }
    return pl.DataFrame(table).drop_nans("value").with_columns(pl.col("target_end_date").cast(pl.Date))


def panel_of(version: pl.DataFrame, since: date | None = None) -> Panel:
    """One version as a panel of new cases by location and week, for everything that works on panels.

    A panel has no gaps, so a location that lacks a week is left out, and the panel's notes name it.

    Args:
        version: target_end_date, location, value; as `Versions.as_of` gives it; not empty.
        since: last day of the first week taken; by default the first one of the version.

    Raises:
        InputError: when no location has every week, or a value is a fraction.
    """
    grid = grid_of(version if since is None else version.filter(pl.col("target_end_date") >= since))
    lacks = np.isnan(grid.values).any(axis=1)
    if lacks.all():
        raise InputError("no location has a value for every week; give `since` a later week")
    values = grid.values[~lacks]
    if (values != np.round(values)).any():
        raise InputError("cases must be whole numbers, got a fraction; give counts, not rates")
    names = np.array(grid.locations)
    panel = Panel(tuple(names[~lacks].tolist()), grid.dates, values.astype(np.int64), "incident")
    lost = (
        f"{counted(int(lacks.sum()), 'location')} without a value for every week left out: {', '.join(names[lacks])}."
    )
    return panel.noted(lost if lacks.any() else None)


def _last(changes: pl.DataFrame) -> pl.DataFrame:
    kept = changes.unique(_CELL, keep="last", maintain_order=True).drop_nulls("value")
    return kept.select(*_CELL, "value").sort("location", "target_end_date")


def _without_contradictions(table: pl.DataFrame) -> tuple[pl.DataFrame, str | None]:
    """The table without repeated rows, and without cells to which one version gives several values.

    A hub once published a table with all locations' values under one name, and mended it within minutes: what stood
    before is nearer to the truth than any of them.
    """
    once = table.unique(maintain_order=True)
    several = once.select("as_of", *_CELL).is_duplicated()
    if not several.any():
        return once, None
    wrong = once.filter(several)
    times = ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in wrong["as_of"].unique().sort())
    cells = wrong.select("as_of", *_CELL).n_unique()
    note = (
        f"{counted(cells, 'cell')} with several values in one version (published {times} UTC) left out; what was known "
        "before stands until the next version."
    )
    return once.filter(~several), note


def _zoned(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise InputError(f"a moment needs its time zone, got {time}; give it in UTC")
    return time
