"""From a table to a panel: wide (JHU's and the original study's, a region a row) or long (a region and date a row)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import numpy as np
import polars as pl

from twofold.counts.config import SourceConfig
from twofold.counts.csv import Table, has_thousands, parse_count, parse_date, parse_month_first, repair_mangled, shorten
from twofold.counts.panel import MIN_DATES, Kind, Negatives, Panel, counted, usual_step
from twofold.engine.errors import DataError

COUNTRY, PROVINCE = "Country/Region", "Province/State"
_DESCRIPTIVE = {COUNTRY, PROVINCE, "Lat", "Long"}


@dataclass(frozen=True)
class _Wide:
    """Where a wide table keeps what (0-based indices into rows and columns)."""

    first_row: int
    region: int
    province: int | None
    first_date: int


def is_original(table: Table) -> bool:
    """Whether the table has the original study's three header rows: dates, `sum`, `Country/Region`."""
    return table.rows[0][0] == "" and any(row[0] == COUNTRY or "sum" in row[1:] for row in table.rows[1:3])


def is_jhu(table: Table) -> bool:
    """Whether the table has JHU's header."""
    return COUNTRY in table.rows[0]


def read_original(table: Table, kind: Kind, negatives: Negatives) -> Panel:
    """Reads the original study's table: three header rows (dates; `sum`; `Country/Region`), then a region a row.

    Raises:
        DataError: with row and column, when header, dates, names or counts break a rule.
    """
    header = table.rows[0]
    for i, wanted in ((1, "sum"), (2, "")):
        if i >= len(table.rows) or any(cell != wanted for cell in table.rows[i][1:]):
            raise DataError(
                f"{table.name}: the layout `original` has three header rows (dates; 'sum'; 'Country/Region'), but row "
                f"{i + 1} isn't one; restore it, or name another layout with --source.layout"
            )
    if header[0] or header[1:3] != ["Lat", "Long"] or table.rows[1][0] or table.rows[2][0] != COUNTRY:
        raise DataError(
            f"{table.name}: the layout `original` begins with an empty cell, 'Lat' and 'Long' in row 1 and "
            f"{COUNTRY!r} in row 3; got {header[:3]} and {table.rows[2][:1]}"
        )
    return _read_wide(table, _Wide(first_row=3, region=0, province=None, first_date=3), kind, negatives)


def read_jhu(table: Table, kind: Kind, negatives: Negatives) -> Panel:
    """Reads JHU's wide table and sums the provinces of a country; countries come in the order of their first row.

    Raises:
        DataError: with row and column, when header, dates, names or counts break a rule.
    """
    header = table.rows[0]
    if not is_jhu(table):
        raise DataError(
            f"{table.name}, row 1: the layout `jhu` needs a column {COUNTRY!r}, found {header[:6]}; mend the header, "
            "or name another layout with --source.layout"
        )
    for column, count in Counter(cell for cell in header if cell in _DESCRIPTIVE).items():
        if count > 1:
            raise DataError(f"{table.name}, row 1: the column {column!r} stands {count} times; remove one")
    first = 1 + max(i for i, cell in enumerate(header) if cell in _DESCRIPTIVE)
    if strays := [cell for cell in header[:first] if cell not in _DESCRIPTIVE]:
        raise DataError(
            f"{table.name}, row 1: {strays[0]!r} stands among the descriptive columns {sorted(_DESCRIPTIVE)}; dates "
            "must come after them, and other columns must go"
        )
    province = header.index(PROVINCE) if PROVINCE in header else None
    return _read_wide(table, _Wide(1, header.index(COUNTRY), province, first), kind, negatives)


def _read_wide(table: Table, layout: _Wide, kind: Kind, negatives: Negatives) -> Panel:
    if len(table.rows) == layout.first_row:
        raise DataError(f"{table.name}: there is a header but no row of counts below it")
    table.check_rectangular(layout.first_row)
    dates, repaired = _wide_dates(table, layout)
    names = _wide_names(table, layout)
    counts = _wide_counts(table, layout)
    if kind == "cumulative" or negatives == "keep":
        _refuse_negative_cells(table, layout, counts, kind)
    regions = tuple(dict.fromkeys(names))
    index = {region: i for i, region in enumerate(regions)}
    values = np.zeros((len(regions), len(dates)), dtype=np.int64)
    np.add.at(values, [index[name] for name in names], counts)
    panel = Panel(regions, dates, values, kind, table.notes)
    return panel.noted(repaired, _thousands(table, layout), _summed(len(names), len(regions)))


def _wide_dates(table: Table, layout: _Wide) -> tuple[np.ndarray, str | None]:
    """Dates of the columns, read as they stand or, when only that makes them evenly spaced, repaired.

    A spreadsheet that takes 2/1/20 for year/month/day leaves 2002/1/20. Such a header alone can't tell which date was
    meant; its position can: the repair is taken only when the literal reading is uneven, and the result is checked as
    any other.
    """
    header = table.rows[0][layout.first_date :]
    literal = [_wide_date(table, layout.first_date + i, text) for i, text in enumerate(header)]
    mended = [repair_mangled(text) or day for text, day in zip(header, literal, strict=True)]
    if _even(literal) or mended == literal:
        _check_even_columns(table, layout, literal)
        return np.array(literal, dtype="datetime64[D]"), None
    _check_even_columns(table, layout, mended)
    changed = [i for i in range(len(header)) if mended[i] != literal[i]]
    note = (
        f"{counted(len(changed), 'date')} mangled by a spreadsheet, such as {header[changed[0]]}, read by position: "
        f"{header[changed[0]]} as {mended[changed[0]]}."
    )
    return np.array(mended, dtype="datetime64[D]"), note


def _wide_date(table: Table, column: int, text: str) -> date:
    try:
        return parse_month_first(text)
    except ValueError as error:
        place = f"{table.name}, row {table.numbers[0]}, column {column + 1}"
        raise DataError(f"{place}: {error}; every header from here on must be a date") from None


def _even(days: list[date]) -> bool:
    steps = {(after - before).days for before, after in pairwise(days)}
    return len(steps) == 1 and steps <= {1, 7}


def _check_even_columns(table: Table, layout: _Wide, days: list[date]) -> None:
    if len(days) < MIN_DATES:
        raise DataError(f"{table.name}: at least {MIN_DATES} date columns are needed, found {len(days)}")
    usual = usual_step(np.array(days, dtype="datetime64[D]"))
    for i, (before, after) in enumerate(pairwise(days), start=1):
        if (after - before).days != usual:
            raise DataError(f"{table.place(0, layout.first_date + i)}: {_uneven(before, after, usual)}")


def _uneven(before: date, after: date, usual: int) -> str:
    step = (after - before).days
    if step == 0:
        return f"the date {after} stands twice; remove one of the columns"
    if step < 0:
        return f"the date {after} comes after {before}; sort the columns by date"
    return f"the dates jump from {before} to {after}, {step} days where {usual} is the step; add the missing columns"


def _wide_names(table: Table, layout: _Wide) -> list[str]:
    """Region of every row; refuses an empty name and a second row of the same region (and province)."""
    seen: dict[tuple[str, str], int] = {}
    for i in range(layout.first_row, len(table.rows)):
        row = table.rows[i]
        if not row[layout.region]:
            raise DataError(
                f"{table.place(i, layout.region)}: the region's name is empty; every row of counts needs one"
            )
        key = (row[layout.region], "" if layout.province is None else row[layout.province])
        if key in seen:
            shown = " / ".join(part for part in key if part)
            raise DataError(
                f"{table.place(i, layout.region)}: {shown!r} already stands in row {table.numbers[seen[key]]}; remove "
                "one of the two rows"
            )
        seen[key] = i
    return [region for region, _ in seen]


def _wide_counts(table: Table, layout: _Wide) -> np.ndarray:
    counts = np.empty((len(table.rows) - layout.first_row, len(table.rows[0]) - layout.first_date), dtype=np.int64)
    for i in range(len(counts)):
        row = table.rows[layout.first_row + i]
        try:
            counts[i] = [
                int(c) if len(c) < 10 and c.isdecimal() and c.isascii() else parse_count(c)
                for c in row[layout.first_date :]
            ]
        except ValueError:
            raise _count_error(table, layout, layout.first_row + i) from None
    return counts


def _count_error(table: Table, layout: _Wide, row: int) -> DataError:
    """The error of the first bad count of a row."""
    for column, text in enumerate(table.rows[row][layout.first_date :], start=layout.first_date):
        try:
            parse_count(text)
        except ValueError as error:
            return DataError(f"{table.place(row, column)}, {table.rows[row][layout.region]}: {error}")
    raise AssertionError("the row has no bad count")


def _refuse_negative_cells(table: Table, layout: _Wide, counts: np.ndarray, kind: Kind) -> None:
    cells = np.argwhere(counts < 0)
    if len(cells):
        i, j = (int(index) for index in cells[0])
        place = table.place(layout.first_row + i, layout.first_date + j)
        raise DataError(negative_count(place, table.rows[layout.first_row + i][layout.region], int(counts[i, j]), kind))


def negative_count(place: str, region: str, count: int, kind: Kind) -> str:
    """What to say of a negative count that can't be taken as it is."""
    if kind == "cumulative":
        return f"{place}, {region}: a running total can't be negative, got {count}; mend it, or --source.kind incident"
    return (
        f"{place}, {region}: {count} new cases is negative, a downward correction; choose --negatives clip (make it 0) "
        "or --negatives redistribute (take it off the dates before)"
    )


def _thousands(table: Table, layout: _Wide) -> str | None:
    cells = [cell for row in table.rows[layout.first_row :] for cell in row[layout.first_date :] if has_thousands(cell)]
    return thousands_note(cells)


def thousands_note(cells: list[str]) -> str | None:
    """Says how counts with thousands separators were read; None when there are none."""
    if not cells:
        return None
    return (
        f"{counted(len(cells), 'count')} with thousands separators; {cells[0]!r} was read as {parse_count(cells[0])}."
    )


def _summed(rows: int, regions: int) -> str | None:
    return f"{rows} rows of provinces and countries were summed to {regions} regions." if rows > regions else None


@dataclass(frozen=True)
class _Long:
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
    columns = _Long(table.name, lambda i: table.place(i + 1), regions, dates, counts)
    return _long_panel(columns, config, kind).noted(*table.notes)


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
    return _long_panel(_Long(name, lambda i: f"{name}, row {i + 1}", regions, dates, counts), config, kind)


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


def _long_panel(columns: _Long, config: SourceConfig, kind: Kind) -> Panel:
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


def _regions(columns: _Long, config: SourceConfig) -> tuple[tuple[str, ...], np.ndarray]:
    if "" in columns.regions:
        i = columns.regions.index("")
        raise DataError(f"{columns.row(i)}, column {config.region!r}: the region's name is empty; every row needs one")
    regions = tuple(sorted(set(columns.regions)))
    index = {region: i for i, region in enumerate(regions)}
    return regions, np.array([index[region] for region in columns.regions])


def _dates(columns: _Long, config: SourceConfig) -> tuple[np.ndarray, np.ndarray]:
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


def _values(columns: _Long, config: SourceConfig) -> np.ndarray:
    values = np.empty(len(columns.counts), dtype=np.int64)
    for i, text in enumerate(columns.counts):
        try:
            values[i] = parse_count(text)
        except ValueError as error:
            place = f"{columns.row(i)}, column {config.value!r}"
            raise DataError(f"{place}, {shorten(columns.regions[i])} on {columns.dates[i]}: {error}") from None
    return values


def _refuse_negatives(columns: _Long, config: SourceConfig, values: np.ndarray, kind: Kind) -> None:
    found = np.flatnonzero(values < 0).tolist()
    if found:
        place = f"{columns.row(found[0])}, column {config.value!r}"
        raise DataError(negative_count(place, columns.regions[found[0]], int(values[found[0]]), kind))


def _check_unique(columns: _Long, dates: np.ndarray, date_of: np.ndarray, cell_of: np.ndarray) -> None:
    order = np.argsort(cell_of, kind="stable")
    repeated = np.flatnonzero(np.diff(cell_of[order]) == 0)
    if len(repeated):
        first, second = int(order[repeated[0]]), int(order[repeated[0] + 1])
        raise DataError(
            f"{columns.row(second)}: {columns.regions[second]!r} on {dates[date_of[second]]} already stands in "
            f"{columns.row(first).rsplit(', ', 1)[-1]}; remove one of the two rows"
        )


def _check_complete(columns: _Long, regions: tuple[str, ...], dates: np.ndarray, cell_of: np.ndarray) -> None:
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
