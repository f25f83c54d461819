"""Versions (vintages) of the counts as they were published and revised, and what was known at any time.

Recent counts are revised, and so are old ones. A forecast made in the past may use only what was known then, so every
access to a version names its time.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import counted
from twofold.engine.errors import DataError, InputError
from twofold.hub.rules import WEEK
from twofold.hub.tables import Kind, Sheet, read_sheet

COLUMNS: dict[str, Kind] = {"as_of": "time", "target_end_date": "date", "location": "text", "value": "number"}
OFFICIAL = {"observation": "value", "date": "target_end_date"}
"""Columns of a hub's `target-data/time-series`, and what they are called here."""
_CELL = ["target_end_date", "location"]
_SHARE_DECIMALS = 6  # of a count among visits: one that is whole in decimals is then whole in binary, too


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

    def times_as_many(self, among: int) -> "Versions":
        """Shares as counts among so many visits."""
        return Versions(self.changes.with_columns((pl.col("value") * among).round(_SHARE_DECIMALS)), self.notes)

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


def read_versions(path: Path, target: str | None = None, closing: time = time(23, 59, 59)) -> Versions:
    """Reads a file of versions: ours, or a hub's own `target-data/time-series`.

    Args:
        path: Parquet or CSV with the columns `as_of`, `target_end_date`, `location` (text) and `value` (cases, at least
            0; empty: withdrawn), or a hub's with `observation` and several targets. `as_of` is a time (UTC unless it
            carries a zone), or a date, whose version is taken as published at `closing`. Rows may stand in any order.
            Where one version gives a location several values for a week, none of them is taken, and the notes say so.
        target: whose rows are read, where the file has a column `target`.
        closing: time of a day (UTC) that ends just before the hub's deadline; one before noon is of the next day.

    Raises:
        DataError: when the file breaks a rule, or holds several targets and none was named; names file, row and column.
    """
    sheet, said = _official(read_sheet(path), target, closing)
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
        return Versions(once, said)
    times = ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in wrong["as_of"].unique().sort())
    cells = wrong.select("as_of", *_CELL).n_unique()
    note = (
        f"{counted(cells, 'cell')} with several values in one version (published {times} UTC) left out; what was known "
        "before stands until the next version."
    )
    return Versions(once.filter(~several), (*said, note))


def _official(sheet: Sheet, target: str | None, closing: time) -> tuple[Sheet, tuple[str, ...]]:
    """A hub's table with our columns, one target and the hour of each version; ours as it is."""
    names = {theirs: ours for theirs, ours in OFFICIAL.items() if theirs in sheet.frame.columns}
    frame = sheet.frame.rename({theirs: ours for theirs, ours in names.items() if ours not in sheet.frame.columns})
    numbers, notes = list(sheet.numbers), []
    if "target" in frame.columns:
        found = frame["target"].cast(pl.String).unique().drop_nulls().sort().to_list()
        wanted = target if target in found or len(found) != 1 else found[0]
        if wanted not in found:
            asked = "" if target is None else f", and none is {target!r}"
            raise DataError(
                f"{sheet.name}: holds the targets {', '.join(map(repr, found))}{asked}; give one target's file"
            )
        kept = frame["target"].cast(pl.String) == wanted
        numbers = [number for number, keep in zip(numbers, kept.to_list(), strict=True) if keep]
        frame = frame.filter(kept)
    if "as_of" in frame.columns:
        cells = frame["as_of"]
        dates = cells.dtype == pl.Date or (
            cells.dtype == pl.String and cells.str.contains(r"^\d{4}-\d{2}-\d{2}$").all()
        )
        if dates and frame.height:
            day = (cells if cells.dtype == pl.Date else cells.str.to_date(strict=False)).cast(pl.Datetime("us"))
            later = timedelta(days=1 if closing.hour < 12 else 0)
            hour = timedelta(hours=closing.hour, minutes=closing.minute, seconds=closing.second)
            frame = frame.with_columns(as_of=(day + later + hour).dt.replace_time_zone("UTC"))
            notes.append(
                f"Versions carry a date and no hour: each counts as published at {closing:%H:%M:%S} UTC"
                f"{' of the next day' if later else ''}, just before the hub's deadline."
            )
    return Sheet(sheet.name, frame, numbers), tuple(notes)


def targets_in(path: Path) -> tuple[str, ...]:
    """The targets of a hub's own file of versions; none where it has no such column."""
    frame = read_sheet(path).frame
    if "target" not in frame.columns:
        return ()
    return tuple(frame["target"].cast(pl.String).unique().drop_nulls().sort())


def check_codes(versions: Versions, locations: pl.DataFrame) -> None:
    """Refuses versions with locations that the table of locations lacks: a code that lost its zero, most often.

    Raises:
        DataError: names the codes, and what they may have been.
    """
    known = set(locations["location"])
    strange = sorted(set(versions.changes["location"].unique()) - known)
    if strange:
        padded = [code for code in strange if code.zfill(2) in known]
        hint = f"; codes are text and keep their zeros: {padded[0].zfill(2)!r}, not {padded[0]!r}" if padded else ""
        raise DataError(
            f"the versions hold {counted(len(strange), 'location')} that the table of locations lacks: "
            f"{', '.join(map(repr, strange[:8]))}{', …' if len(strange) > 8 else ''}{hint}; correct the codes, or add "
            "the locations to the table"
        )


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
