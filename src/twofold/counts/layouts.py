"""From a table to a panel: wide (JHU's, the original study's; a row per region) or long (a row per region and date)."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import numpy as np
import polars as pl

from twofold.counts.config import SourceConfig
from twofold.counts.csv import Table, parse_count, parse_date, parse_month_first, repair_mangled, shorten
from twofold.counts.panel import MIN_DATES, Kind, Negatives, Panel, counted, usual_step
from twofold.engine.errors import DataError

COUNTRY, PROVINCE = "Country/Region", "Province/State"
_DESCRIPTIVE = {COUNTRY, PROVINCE, "Lat", "Long"}


@dataclass(frozen=True)
class _Wide:
    """Positions in a wide table (0-based indices of rows and columns)."""

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
    """Reads the original study's table: three header rows (dates; `sum`; `Country/Region`), then one row per region.

    Raises:
        DataError: with row and column, when header, dates, names or counts violate a rule.
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
    first, first_date = layout.first_row, layout.first_date
    if len(table.rows) == first:
        raise DataError(f"{table.name}: there is a header but no row of counts below it")
    table.check_rectangular(first)
    dates, repaired = _wide_dates(table, layout)
    names = _wide_names(table, layout)
    counts = _wide_counts(table, layout)
    if kind == "cumulative" or negatives == "keep":
        for i, j in np.argwhere(counts < 0)[:1].tolist():
            place, region = table.place(first + i, first_date + j), table.rows[first + i][layout.region]
            raise _negative(place, region, int(counts[i, j]), kind)
    regions = tuple(dict.fromkeys(names))
    index = {region: i for i, region in enumerate(regions)}
    values = np.zeros((len(regions), len(dates)), dtype=np.int64)
    np.add.at(values, [index[name] for name in names], counts)
    thousands = _thousands(cell for row in table.rows[first:] for cell in row[first_date:])
    summed = f"{len(names)} rows of provinces and countries were summed to {len(regions)} regions."
    panel = Panel(regions, dates, values, kind, table.notes)
    return panel.noted(repaired, thousands, summed if len(names) > len(regions) else None)


def _wide_dates(table: Table, layout: _Wide) -> tuple[np.ndarray, str | None]:
    """Dates of the columns, read literally or, if only that makes them evenly spaced, repaired; and a note of repairs.

    A spreadsheet that takes 2/1/20 for year/month/day leaves 2002/1/20. Such a header alone is ambiguous, its position
    is not: the repair is used only when the literal dates are uneven, and its result is checked like any other.
    """
    header, literal = table.rows[0][layout.first_date :], list[date]()
    for column, text in enumerate(header, start=layout.first_date + 1):
        try:
            literal.append(parse_month_first(text))
        except ValueError as error:
            place = f"{table.name}, row {table.numbers[0]}, column {column}"
            raise DataError(f"{place}: {error}; every header from here on must be a date") from None
    mended = [repair_mangled(text) or day for text, day in zip(header, literal, strict=True)]
    steps = {(after - before).days for before, after in pairwise(literal)}
    days = literal if len(steps) == 1 and steps <= {1, 7} else mended
    if len(days) < MIN_DATES:
        raise DataError(f"{table.name}: at least {MIN_DATES} date columns are needed, found {len(days)}")
    dates = np.array(days, dtype="datetime64[D]")
    usual = usual_step(dates)
    for i, (before, after) in enumerate(pairwise(days), start=1):
        step = (after - before).days
        if step != usual:
            jump = f"the dates jump from {before} to {after}, {step} days where {usual} is the step"
            problem = f"{jump}; add the missing columns"
            if step == 0:
                problem = f"the date {after} stands twice; remove one of the columns"
            elif step < 0:
                problem = f"the date {after} comes after {before}; sort the columns by date"
            raise DataError(f"{table.place(0, layout.first_date + i)}: {problem}")
    changed = [i for i in range(len(header)) if days[i] != literal[i]]
    if not changed:
        return dates, None
    first = header[changed[0]]
    mangled = f"{counted(len(changed), 'date')} mangled by a spreadsheet, such as {first}"
    return dates, f"{mangled}, read by position: {first} as {days[changed[0]]}."


def _wide_names(table: Table, layout: _Wide) -> list[str]:
    """Region of every row; raises on an empty name and a second row of the same region (and province)."""
    seen: dict[tuple[str, str], int] = {}
    for i, row in enumerate(table.rows[layout.first_row :], start=layout.first_row):
        place = table.place(i, layout.region)
        key = (row[layout.region], "" if layout.province is None else row[layout.province])
        if not key[0]:
            raise DataError(f"{place}: the region's name is empty; every row of counts needs one")
        if key in seen:
            shown, earlier = " / ".join(filter(None, key)), table.numbers[seen[key]]
            raise DataError(f"{place}: {shown!r} already stands in row {earlier}; remove one of the two rows")
        seen[key] = i
    return [region for region, _ in seen]


def _wide_counts(table: Table, layout: _Wide) -> np.ndarray:
    counts = np.empty((len(table.rows) - layout.first_row, len(table.rows[0]) - layout.first_date), dtype=np.int64)
    for i, row in enumerate(table.rows[layout.first_row :]):
        for j, cell in enumerate(row[layout.first_date :]):
            try:
                plain = len(cell) < 10 and cell.isdecimal() and cell.isascii()
                counts[i, j] = int(cell) if plain else parse_count(cell)
            except ValueError as error:
                place = table.place(layout.first_row + i, layout.first_date + j)
                raise DataError(f"{place}, {row[layout.region]}: {error}") from None
    return counts


def _negative(place: str, region: str, count: int, kind: Kind) -> DataError:
    """The error for a negative count."""
    if kind == "cumulative":
        rule = f"a running total can't be negative, got {count}; mend it, or --source.kind incident"
        return DataError(f"{place}, {region}: {rule}")
    return DataError(
        f"{place}, {region}: {count} new cases is negative, a downward correction; choose --negatives clip (make it 0) "
        "or --negatives redistribute (take it off the dates before)"
    )


def _thousands(counts: Iterable[str]) -> str | None:
    """A note on counts with thousands separators; None when there are none."""
    cells = [cell for cell in counts if "," in cell]
    if not cells:
        return None
    return (
        f"{counted(len(cells), 'count')} with thousands separators; {cells[0]!r} was read as {parse_count(cells[0])}."
    )


@dataclass(frozen=True)
class _Long:
    """The three columns as text; `row` names a row (0-based) in a message."""

    name: str
    row: Callable[[int], str]
    regions: list[str]
    dates: list[str]
    counts: list[str]


def read_long_table(table: Table, config: SourceConfig, kind: Kind) -> Panel:
    """Reads a long CSV: rows in any order, other columns ignored; the regions are sorted by name.

    Raises:
        DataError: with row and column, when a column is missing or a name, date or count breaks a rule.
    """
    picked = [_pick(table.name, table.rows[0], config, role) for role in ("region", "date", "value")]
    if len(table.rows) == 1:
        raise DataError(f"{table.name}: there is a header but no row of counts below it")
    table.check_rectangular(1)
    columns = ([row[column] for row in table.rows[1:]] for column in picked)
    return _read_long(_Long(table.name, lambda i: table.place(i + 1), *columns), config, kind).noted(*table.notes)


def read_long_frame(frame: pl.DataFrame, config: SourceConfig, kind: Kind, name: str) -> Panel:
    """Reads a DataFrame in long form, as `read_long_table` reads a CSV; row 1 is the first row of data.

    Args:
        frame: columns as named by `config`; dates as Date, midnight Datetime or text, counts as numbers or text.
        config: names of the columns, and the treatment of negative counts.
        kind: running totals or new cases.
        name: of the frame, for messages.

    Raises:
        DataError: with row and column, when a column is missing or a name, date or count breaks a rule.
    """
    for role in ("region", "date", "value"):
        _pick(name, frame.columns, config, role)
    if frame.is_empty():
        raise DataError(f"{name}: there are columns but no row")
    columns = (_as_text(name, frame[column]) for column in (config.region, config.date, config.value))
    return _read_long(_Long(name, lambda i: f"{name}, row {i + 1}", *columns), config, kind)


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
    """A column's cells as in a CSV; None becomes the empty cell."""
    if isinstance(column.dtype, pl.List | pl.Struct | pl.Array | pl.Object | pl.Binary):
        raise DataError(f"{name}, column {column.name!r}: holds {column.dtype}; text, dates or numbers are needed")

    def written(cell: object) -> str:
        if isinstance(cell, datetime):
            return cell.isoformat(sep=" ").removesuffix("+00:00")
        if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))  # a float column of whole numbers, as pandas makes of counts with gaps
        return "" if cell is None else str(cell).strip()

    return [written(cell) for cell in column.to_list()]


def _read_long(columns: _Long, config: SourceConfig, kind: Kind) -> Panel:
    if "" in columns.regions:
        place = columns.row(columns.regions.index(""))
        raise DataError(f"{place}, column {config.region!r}: the region's name is empty; every row needs one")
    regions = tuple(sorted(set(columns.regions)))
    index = {region: i for i, region in enumerate(regions)}
    dates, date_of = _long_dates(columns, config)
    values = np.empty(len(columns.counts), dtype=np.int64)
    for i, text in enumerate(columns.counts):
        try:
            values[i] = parse_count(text)
        except ValueError as error:
            place = f"{columns.row(i)}, column {config.value!r}"
            raise DataError(f"{place}, {shorten(columns.regions[i])} on {columns.dates[i]}: {error}") from None
    if kind == "cumulative" or config.negatives == "keep":
        for i in np.flatnonzero(values < 0)[:1].tolist():
            raise _negative(f"{columns.row(i)}, column {config.value!r}", columns.regions[i], int(values[i]), kind)
    cell_of = np.array([index[region] for region in columns.regions]) * len(dates) + date_of
    order = np.argsort(cell_of, kind="stable")
    for i in np.flatnonzero(np.diff(cell_of[order]) == 0)[:1]:
        first, second = int(order[i]), int(order[i + 1])
        raise DataError(
            f"{columns.row(second)}: {columns.regions[second]!r} on {dates[date_of[second]]} already stands in "
            f"{columns.row(first).rsplit(', ', 1)[-1]}; remove one of the two rows"
        )
    missing = len(regions) * len(dates) - len(cell_of)
    if missing:
        gap = np.argmax(np.append(cell_of[order], -1) != np.arange(len(cell_of) + 1))
        region, day = divmod(int(gap), len(dates))
        more = f" ({missing} such rows are missing in all)" if missing > 1 else ""
        raise DataError(
            f"{columns.name}: no row for {regions[region]!r} on {dates[day]}{more}; every region needs a count on "
            "every date: add the rows (0 where there were no cases), or leave the region out"
        )
    panel = Panel(regions, dates, values[order].reshape(len(regions), len(dates)), kind)
    return panel.noted(_thousands(columns.counts))


def _long_dates(columns: _Long, config: SourceConfig) -> tuple[np.ndarray, np.ndarray]:
    """The sorted, evenly spaced dates, and each row's index among them."""
    days: dict[str, date] = {}
    for i, text in enumerate(columns.dates):
        if text not in days:
            try:
                days[text] = parse_date(text)
            except ValueError as error:
                raise DataError(f"{columns.row(i)}, column {config.date!r}: {error}") from None
    each = np.array([days[text] for text in columns.dates], dtype="datetime64[D]")
    dates, date_of = np.unique(each, return_inverse=True)
    if len(dates) < MIN_DATES:
        found = f"{len(dates)} ({', '.join(dates.astype(str))})"
        raise DataError(f"{columns.name}: at least {MIN_DATES} dates are needed, found {found}")
    steps, usual = np.diff(dates).astype(int), usual_step(dates)
    for i in np.flatnonzero(steps != usual)[:1]:
        raise DataError(
            f"{columns.name}: the dates jump from {dates[i]} to {dates[i + 1]}, {steps[i]} days where {usual} is the "
            "step (1: daily, 7: weekly); add rows for the missing dates, or mend a mistyped date"
        )
    return dates, date_of
