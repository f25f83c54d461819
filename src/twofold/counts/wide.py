"""Wide tables: a region a row, a date a column; JHU's layout and the original study's."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from twofold.counts.cells import has_thousands, parse_count, parse_month_first, repair_mangled
from twofold.counts.panel import MIN_DATES, Kind, Negatives, Panel, counted, usual_step
from twofold.counts.table import Table
from twofold.engine.errors import DataError

COUNTRY, PROVINCE = "Country/Region", "Province/State"
_DESCRIPTIVE = {COUNTRY, PROVINCE, "Lat", "Long"}


@dataclass(frozen=True)
class _Layout:
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
    return _read(table, _Layout(first_row=3, region=0, province=None, first_date=3), kind, negatives)


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
    return _read(table, _Layout(1, header.index(COUNTRY), province, first), kind, negatives)


def _read(table: Table, layout: _Layout, kind: Kind, negatives: Negatives) -> Panel:
    if len(table.rows) == layout.first_row:
        raise DataError(f"{table.name}: there is a header but no row of counts below it")
    table.check_rectangular(layout.first_row)
    dates, repaired = _dates(table, layout)
    names = _names(table, layout)
    counts = _counts(table, layout)
    if kind == "cumulative" or negatives == "keep":
        _refuse_negatives(table, layout, counts, kind)
    regions = tuple(dict.fromkeys(names))
    index = {region: i for i, region in enumerate(regions)}
    values = np.zeros((len(regions), len(dates)), dtype=np.int64)
    np.add.at(values, [index[name] for name in names], counts)
    panel = Panel(regions, dates, values, kind, table.notes)
    return panel.noted(repaired, _thousands(table, layout), _summed(len(names), len(regions)))


def _dates(table: Table, layout: _Layout) -> tuple[np.ndarray, str | None]:
    """Dates of the columns, read as they stand or, when only that makes them evenly spaced, repaired.

    A spreadsheet that takes 2/1/20 for year/month/day leaves 2002/1/20. Such a header alone can't tell which date was
    meant; its position can: the repair is taken only when the literal reading is uneven, and the result is checked as
    any other.
    """
    header = table.rows[0][layout.first_date :]
    literal = [_date(table, layout.first_date + i, text) for i, text in enumerate(header)]
    mended = [repair_mangled(text) or day for text, day in zip(header, literal, strict=True)]
    if _even(literal) or mended == literal:
        _check_even(table, layout, literal)
        return np.array(literal, dtype="datetime64[D]"), None
    _check_even(table, layout, mended)
    changed = [i for i in range(len(header)) if mended[i] != literal[i]]
    note = (
        f"{counted(len(changed), 'date')} mangled by a spreadsheet, such as {header[changed[0]]}, read by position: "
        f"{header[changed[0]]} as {mended[changed[0]]}."
    )
    return np.array(mended, dtype="datetime64[D]"), note


def _date(table: Table, column: int, text: str) -> date:
    try:
        return parse_month_first(text)
    except ValueError as error:
        place = f"{table.name}, row {table.numbers[0]}, column {column + 1}"
        raise DataError(f"{place}: {error}; every header from here on must be a date") from None


def _even(days: list[date]) -> bool:
    steps = {(after - before).days for before, after in pairwise(days)}
    return len(steps) == 1 and steps <= {1, 7}


def _check_even(table: Table, layout: _Layout, days: list[date]) -> None:
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


def _names(table: Table, layout: _Layout) -> list[str]:
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


def _counts(table: Table, layout: _Layout) -> np.ndarray:
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


def _count_error(table: Table, layout: _Layout, row: int) -> DataError:
    """The error of the first bad count of a row."""
    for column, text in enumerate(table.rows[row][layout.first_date :], start=layout.first_date):
        try:
            parse_count(text)
        except ValueError as error:
            return DataError(f"{table.place(row, column)}, {table.rows[row][layout.region]}: {error}")
    raise AssertionError("the row has no bad count")


def _refuse_negatives(table: Table, layout: _Layout, counts: np.ndarray, kind: Kind) -> None:
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


def _thousands(table: Table, layout: _Layout) -> str | None:
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
