"""Long tables: a region and date a row; from CSV, Parquet or a polars DataFrame."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl

from twofold.counts.cells import has_thousands, parse_count, parse_date, shorten
from twofold.counts.config import SourceConfig
from twofold.counts.panel import MIN_DATES, Kind, Panel, usual_step
from twofold.counts.table import Table
from twofold.counts.wide import negative_count, thousands_note
from twofold.engine.errors import DataError


@dataclass(frozen=True)
class _Columns:
    """The three columns as text, with a way to name a row (0-based) in a message."""

    name: str
    row: Callable[[int], str]
    regions: list[str]
    dates: list[str]
    counts: list[str]


def read_long_table(table: Table, config: SourceConfig, kind: Kind) -> Panel:
    """Reads a long CSV; rows may come in any order, regions come out sorted by name, other columns are left alone.

    Raises:
        DataError: with row and column, when a column is missing or a name, date or count breaks a rule.
    """
    header = table.rows[0]
    picked = [_pick(table.name, header, config, role) for role in ("region", "date", "value")]
    if len(table.rows) == 1:
        raise DataError(f"{table.name}: there is a header but no row of counts below it")
    table.check_rectangular(1)
    regions, dates, counts = ([row[column] for row in table.rows[1:]] for column in picked)
    columns = _Columns(table.name, lambda i: table.place(i + 1), regions, dates, counts)
    return _panel(columns, config, kind).noted(*table.notes)


def read_long_frame(frame: pl.DataFrame, config: SourceConfig, kind: Kind, name: str) -> Panel:
    """Reads a DataFrame in long form, as `read_long_table` reads a CSV; row 1 is the first row of data.

    Args:
        frame: columns as named by `config`; dates as Date, midnight Datetime or text, counts as numbers or text.
        config: names of the columns, and what to do with negative counts.
        kind: running totals or new cases.
        name: names the frame in messages.

    Raises:
        DataError: with row and column, when a column is missing or a name, date or count breaks a rule.
    """
    for role in ("region", "date", "value"):
        _pick(name, frame.columns, config, role)
    if frame.is_empty():
        raise DataError(f"{name}: there are columns but no row")
    regions, dates, counts = (_as_text(name, frame[column]) for column in (config.region, config.date, config.value))
    return _panel(_Columns(name, lambda i: f"{name}, row {i + 1}", regions, dates, counts), config, kind)


def _pick(name: str, header: list[str], config: SourceConfig, role: str) -> int:
    wanted = getattr(config, role)
    found = header.count(wanted)
    if found == 1:
        return header.index(wanted)
    if found:
        raise DataError(f"{name}: the column {wanted!r} stands {found} times; rename all but one")
    shown = ", ".join(repr(column) for column in header[:12]) + (", …" if len(header) > 12 else "")
    raise DataError(f"{name}: no column {wanted!r}; found {shown}. Name the {role} column with --source.{role} NAME")


def _as_text(name: str, column: pl.Series) -> list[str]:
    """A column's cells as the text that a CSV would hold; None becomes the empty cell."""
    if isinstance(column.dtype, pl.List | pl.Struct | pl.Array | pl.Object | pl.Binary):
        raise DataError(f"{name}, column {column.name!r}: holds {column.dtype}; text, dates or numbers are needed")
    cells = column.to_list()
    return ["" if cell is None else _cell(cell) for cell in cells]


def _cell(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ").removesuffix("+00:00")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))  # a float column of whole numbers, as pandas makes of counts with gaps
    return str(cell).strip()


def _panel(columns: _Columns, config: SourceConfig, kind: Kind) -> Panel:
    regions, region_of = _regions(columns, config)
    dates, date_of = _dates(columns, config)
    values = _values(columns, config)
    if kind == "cumulative" or config.negatives == "keep":
        _refuse_negatives(columns, config, values, kind)
    cell_of = region_of * len(dates) + date_of
    _check_unique(columns, dates, date_of, cell_of)
    _check_complete(columns, regions, dates, cell_of)
    grid = np.empty(len(regions) * len(dates), dtype=np.int64)
    grid[cell_of] = values
    panel = Panel(regions, dates, grid.reshape(len(regions), len(dates)), kind)
    return panel.noted(thousands_note([cell for cell in columns.counts if has_thousands(cell)]))


def _regions(columns: _Columns, config: SourceConfig) -> tuple[tuple[str, ...], np.ndarray]:
    if "" in columns.regions:
        i = columns.regions.index("")
        raise DataError(f"{columns.row(i)}, column {config.region!r}: the region's name is empty; every row needs one")
    regions = tuple(sorted(set(columns.regions)))
    index = {region: i for i, region in enumerate(regions)}
    return regions, np.array([index[region] for region in columns.regions])


def _dates(columns: _Columns, config: SourceConfig) -> tuple[np.ndarray, np.ndarray]:
    days: dict[str, date] = {}
    for i, text in enumerate(columns.dates):
        if text not in days:
            try:
                days[text] = parse_date(text)
            except ValueError as error:
                raise DataError(f"{columns.row(i)}, column {config.date!r}: {error}") from None
    dates, date_of = np.unique(
        np.array([days[text] for text in columns.dates], dtype="datetime64[D]"), return_inverse=True
    )
    _check_even(columns.name, dates)
    return dates, date_of


def _check_even(name: str, dates: np.ndarray) -> None:
    if len(dates) < MIN_DATES:
        raise DataError(
            f"{name}: at least {MIN_DATES} dates are needed, found {len(dates)} ({', '.join(dates.astype(str))})"
        )
    steps, usual = np.diff(dates).astype(int), usual_step(dates)
    for i in np.flatnonzero(steps != usual)[:1]:
        raise DataError(
            f"{name}: the dates jump from {dates[i]} to {dates[i + 1]}, {steps[i]} days where {usual} is the step (1: "
            "daily, 7: weekly); add rows for the missing dates, or mend a mistyped date"
        )


def _values(columns: _Columns, config: SourceConfig) -> np.ndarray:
    values = np.empty(len(columns.counts), dtype=np.int64)
    for i, text in enumerate(columns.counts):
        try:
            values[i] = parse_count(text)
        except ValueError as error:
            place = f"{columns.row(i)}, column {config.value!r}"
            raise DataError(f"{place}, {shorten(columns.regions[i])} on {columns.dates[i]}: {error}") from None
    return values


def _refuse_negatives(columns: _Columns, config: SourceConfig, values: np.ndarray, kind: Kind) -> None:
    found = np.flatnonzero(values < 0).tolist()
    if found:
        place = f"{columns.row(found[0])}, column {config.value!r}"
        raise DataError(negative_count(place, columns.regions[found[0]], int(values[found[0]]), kind))


def _check_unique(columns: _Columns, dates: np.ndarray, date_of: np.ndarray, cell_of: np.ndarray) -> None:
    order = np.argsort(cell_of, kind="stable")
    repeated = np.flatnonzero(np.diff(cell_of[order]) == 0)
    if len(repeated):
        first, second = int(order[repeated[0]]), int(order[repeated[0] + 1])
        raise DataError(
            f"{columns.row(second)}: {columns.regions[second]!r} on {dates[date_of[second]]} already stands in "
            f"{columns.row(first).rsplit(', ', 1)[-1]}; remove one of the two rows"
        )


def _check_complete(columns: _Columns, regions: tuple[str, ...], dates: np.ndarray, cell_of: np.ndarray) -> None:
    missing = len(regions) * len(dates) - len(cell_of)
    if missing:
        present = np.zeros(len(regions) * len(dates), dtype=bool)
        present[cell_of] = True
        region, day = divmod(int(np.flatnonzero(~present)[0]), len(dates))
        more = f" ({missing} such rows are missing in all)" if missing > 1 else ""
        raise DataError(
            f"{columns.name}: no row for {regions[region]!r} on {dates[day]}{more}; every region needs a count on "
            "every date: add the rows (0 where there were no cases), or leave the region out"
        )
