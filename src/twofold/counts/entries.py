"""Rows to entries: filtered, joined and summed, so that each region has one count on a date at most."""

import fnmatch
import operator
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from twofold.counts.aggregates import named_totals, total_level
from twofold.counts.config import SourceConfig
from twofold.counts.csv import Table, shorten, shown
from twofold.counts.dates import parse_dates, parse_day, parse_month_first, repair_mangled
from twofold.counts.layouts import DESCRIPTIVE, Roles, column_of, plain_name
from twofold.counts.numbers import parse_counts
from twofold.counts.panel import Kind, counted, usual_step
from twofold.engine.errors import DataError

JOINT = ", "
"""Between the parts of a region's name that come from several columns."""
_MEASURES = re.compile(r"target|indicator|measure|metric|variable|outcome|unit|series|statistic|type|source")
"""Names of columns whose rows are counts of different things, which no sum makes sense of."""
_TIME = re.compile(r"[T ][0-9]{1,2}:[0-9]{2}.*")
_WHOLE = re.compile(r"[0-9]+(\.0*)?")
_MOST_LEVELS = 200
"""Different cells of a column that may tell double rows apart."""


@dataclass(frozen=True)
class Entries:
    """Counts by region and date, each pair once at most, in no order.

    Attributes:
        name: the file, for messages.
        regions: names in the order of the panel.
        region: row of each entry's region.
        day: `datetime64[D]` of each entry.
        value: its count; 0 where `missing`.
        missing: entries whose cell holds no count.
        stood_in: entries with a suppressed cell, for which a number was given.
        kind: running totals or new cases, where the layout says so.
        events: a date without an entry had no case.
        notes: decisions, in sentences.
    """

    name: str
    regions: tuple[str, ...]
    region: Int64[np.ndarray, " entries"]
    day: np.ndarray
    value: Int64[np.ndarray, " entries"]
    missing: Bool[np.ndarray, " entries"]
    stood_in: Bool[np.ndarray, " entries"]
    kind: Kind | None
    events: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Cells:
    """One cell of counts each: its text, its row and column in the table, its date, and its region's name."""

    text: list[str]
    row: Int64[np.ndarray, " cells"]
    column: Int64[np.ndarray, " cells"]
    day: np.ndarray
    regions: list[str]


def read_entries(table: Table, roles: Roles, config: SourceConfig) -> Entries:
    """Reads the counts of a table in the roles of its columns.

    Raises:
        DataError: with row and column, when a name, date or count breaks a rule, or two rows give one count.
    """
    table.check_rectangular(roles.first_row)
    rows, notes = _filter(table, roles, config)
    if roles.layout == "transposed":
        cells, said = _transposed_cells(table, roles, config, rows)
    elif roles.dates:
        cells, said = _wide_cells(table, roles, config, rows)
    else:
        cells, said = _long_cells(table, roles, config, rows)
    notes = [*table.notes, *roles.notes, *notes, *said]
    kept, said = _select_regions(table, cells, config)
    cells = _take(cells, kept)
    notes += said
    if roles.version is not None:
        cells, said = _newest(table, cells, roles.version)
        notes.append(said)
    summed = {*roles.sum_over, *(column_of(table, name, "--source.sum-over") for name in config.sum_over)}
    cells, said = _distinct(table, cells, roles, sorted(summed), config)
    notes += said

    def place(i: int) -> str:
        spot = table.place(int(cells.row[i]), int(cells.column[i]))
        return f"{spot}, {shorten(cells.regions[i])} on {cells.day[i]}"

    texts = pl.Series(cells.text, dtype=pl.String)
    # What was a number when it was read has a point as its decimal mark.
    typed = config.decimal == "auto" and bool(table.typed) and table.typed.issuperset(np.unique(cells.column).tolist())
    decimal, fixed = "point" if typed else config.decimal, table.separator != "sheet"
    counts = parse_counts(texts, place, decimal=decimal, suppressed=config.suppressed, fixed=fixed)
    kind: Kind | None = config.kind if config.kind != "auto" else roles.kind or (None if roles.dates else "incident")
    if kind == "cumulative" or config.negatives == "keep":
        for i in np.flatnonzero(counts.values < 0)[:1].tolist():
            raise _negative(place(i), int(counts.values[i]), kind)
    order = tuple(dict.fromkeys(cells.regions)) if roles.dates else tuple(sorted(set(cells.regions)))
    index = {name: i for i, name in enumerate(order)}
    region = np.array([index[name] for name in cells.regions], dtype=np.int64)
    entries = Entries(
        table.name, order, region, cells.day, counts.values, counts.missing, counts.stood_in, kind, roles.events,
        (*notes, *counts.notes),
    )  # fmt: skip
    return _summed(entries)


def _negative(place: str, count: int, kind: Kind | None) -> DataError:
    """The error for a negative count."""
    if kind == "cumulative":
        return DataError(f"{place}: a running total can't be negative, got {count}; mend it, or --source.kind incident")
    return DataError(
        f"{place}: {count} new cases is negative, a downward correction; choose --negatives clip (make it 0) or "
        "--negatives redistribute (take it off the dates before)"
    )


def _filter(table: Table, roles: Roles, config: SourceConfig) -> tuple[Int64[np.ndarray, " rows"], list[str]]:
    """Indices of the rows that the conditions keep, and notes."""
    rows = np.arange(roles.first_row, len(table.rows))
    kept: dict[int, list[str]] = {}
    for column, wanted in config.conditions.items():
        kept.setdefault(column_of(table, column, "--source.where"), []).extend(wanted)
    asked = set(kept)
    for column, wanted in roles.where:
        if column not in asked:
            kept.setdefault(column, []).append(wanted)
    notes = []
    for column, wanted in kept.items():
        name = table.rows[0][column]
        cells = [table.rows[i][column] for i in rows.tolist()]
        keep = np.isin(np.array(cells, dtype=object), wanted)
        present = dict.fromkeys(cells)
        absent = [value for value in wanted if value not in present]
        if not keep.any() or (absent and column in asked):
            raise DataError(
                f"{table.name}: --source.where {name}={absent[0] if absent else wanted[0]} keeps no row; {name!r} "
                f"holds {shown(present, 12)}"
            )
        if not keep.all():
            by = "" if column in asked else ", as this layout is usually read; --source.where chooses others"
            notes.append(f"{int(keep.sum())} of {len(rows)} rows kept: {name} = {' or '.join(wanted)}{by}.")
        rows = rows[keep]
    return rows, notes


def _take(cells: _Cells, kept: np.ndarray) -> _Cells:
    chosen = np.flatnonzero(kept) if kept.dtype == bool else kept
    if len(chosen) == len(cells.row) and (kept.dtype == bool or (chosen[1:] > chosen[:-1]).all()):
        return cells
    regions, text = ([each[i] for i in chosen.tolist()] for each in (cells.regions, cells.text))
    return _Cells(text, cells.row[chosen], cells.column[chosen], cells.day[chosen], regions)


def _region_names(table: Table, roles: Roles, rows: np.ndarray) -> list[str]:
    names = []
    for i in rows.tolist():
        parts = [table.rows[i][j] for j in roles.region]
        if not all(parts):
            column = roles.region[parts.index("")]
            raise DataError(f"{table.place(i, column)}: the region's name is empty; every row of counts needs one")
        names.append(JOINT.join(parts))
    return names


def _long_cells(table: Table, roles: Roles, config: SourceConfig, rows: np.ndarray) -> tuple[_Cells, tuple[str, ...]]:
    regions = _region_names(table, roles, rows)
    texts = [_date_text([table.rows[i][j] for j in roles.date]) for i in rows.tolist()]
    first: dict[str, int] = {}
    for i, text in zip(rows.tolist(), texts, strict=True):
        first.setdefault(text, i)
    header = " ".join(table.rows[0][j] for j in roles.date)
    days, notes = parse_dates(
        first,
        lambda text: table.place(first[text], roles.date[-1]),
        column=header,
        form=config.date_format,
        weeks=config.weeks if config.weeks != "auto" else roles.weeks,
    )
    day = _array([days[text] for text in texts])
    value = roles.value or 0
    text = [table.rows[i][value] for i in rows.tolist()]
    return _Cells(text, rows, np.full(len(rows), value), day, regions), notes


def _date_text(parts: list[str]) -> str:
    """A date's cell, or year and week together."""
    if len(parts) == 1:
        return parts[0]
    year, week = (part.removesuffix(".0") for part in parts)
    week = week.upper().removeprefix("KW").removeprefix("W").strip()
    return f"{year} week {week}"


def _wide_cells(table: Table, roles: Roles, config: SourceConfig, rows: np.ndarray) -> tuple[_Cells, tuple[str, ...]]:
    days, notes = _wide_dates(table, roles, config)
    names = _region_names(table, roles, rows)
    columns = np.array(roles.dates)
    regions = [name for name in names for _ in columns]
    text = _texts(table, rows, roles.dates)
    cells = _Cells(text, np.repeat(rows, len(columns)), np.tile(columns, len(rows)), np.tile(days, len(rows)), regions)
    return cells, notes


def _texts(table: Table, rows: np.ndarray, columns: Sequence[int]) -> list[str]:
    """The cells of rows and columns, row by row."""
    pick = operator.itemgetter(*columns)
    return [cell for i in rows.tolist() for cell in pick(table.rows[i])]


def _transposed_cells(
    table: Table, roles: Roles, config: SourceConfig, rows: np.ndarray
) -> tuple[_Cells, tuple[str, ...]]:
    column, first = roles.date[-1], dict[str, int]()
    texts = [_date_text([table.rows[i][j] for j in roles.date]) for i in rows.tolist()]
    for i, text in zip(rows.tolist(), texts, strict=True):
        if text in first:
            raise DataError(
                f"{table.place(i, column)}: the date {text} already stands in row {table.numbers[first[text]]}; "
                "remove one of the two rows"
            )
        first[text] = i
    days, notes = parse_dates(
        first,
        lambda text: table.place(first[text], column),
        column=" ".join(table.rows[0][j] for j in roles.date),
        form=config.date_format,
        weeks=config.weeks,
    )
    day = _array([days[text] for text in texts])
    columns = np.array(roles.dates)
    empty = [j for j in columns.tolist() if not table.rows[0][j]]
    if empty:
        raise DataError(f"{table.place(0, empty[0])}: the column of a region has no name; every region needs one")
    regions = [table.rows[0][j] for _ in rows for j in columns]
    text, day = _texts(table, rows, roles.dates), np.repeat(day, len(columns))
    return _Cells(text, np.repeat(rows, len(columns)), np.tile(columns, len(rows)), day, regions), notes


def _array(days: Sequence[date]) -> np.ndarray:
    return np.array(days, dtype="datetime64[D]")


def _wide_dates(table: Table, roles: Roles, config: SourceConfig) -> tuple[np.ndarray, tuple[str, ...]]:
    """Dates of the columns of a wide table; JHU's are month first, and repaired where a spreadsheet mangled them.

    A spreadsheet that takes 2/1/20 for year/month/day leaves 2002/1/20. Such a header alone is ambiguous, its position
    is not: the repair is used only when the literal dates are uneven, and its result is checked like any other.
    """
    header = [table.rows[0][j] for j in roles.dates]
    place = {
        text: f"{table.name}, row {table.numbers[0]}, column {j + 1}"
        for text, j in zip(header, roles.dates, strict=True)
    }
    twice = next((text for i, text in enumerate(header) if text in header[:i]), None)
    if twice is not None:
        raise DataError(f"{place[twice]} ({twice!r}): the date {twice} stands twice; remove one of the columns")
    if roles.layout == "wide" or config.date_format:
        found, notes = parse_dates(
            header, lambda text: place[text], column="", form=config.date_format, weeks=config.weeks
        )
        _check_ordered([found[text] for text in header], header, place)
        return _array(list(found.values())), notes
    literal = []
    for text in header:
        try:
            literal.append(parse_month_first(text) if roles.layout in ("jhu", "original") else parse_day(text))
        except ValueError as error:
            raise DataError(f"{place[text]}: {error}; every header from here on must be a date") from None
    mended = [repair_mangled(text) or day for text, day in zip(header, literal, strict=True)]
    steps = {(after - before).days for before, after in pairwise(literal)}
    days = literal if len(steps) == 1 and steps <= {1, 7} else mended
    _check_ordered(days, header, place)
    changed = [i for i in range(len(header)) if days[i] != literal[i]]
    if not changed:
        return _array(days), ()
    first = header[changed[0]]
    mangled = f"{counted(len(changed), 'date')} mangled by a spreadsheet, such as {first}"
    return _array(days), (f"{mangled}, read by position: {first} as {days[changed[0]]}.",)


def _check_ordered(days: list[date], header: list[str], place: dict[str, str]) -> None:
    """Columns of dates stand in order, each once: what is not is a mistyped header."""
    usual = usual_step(np.sort(_array(days)))
    for before, after, text in zip(days, days[1:], header[1:], strict=False):
        step = (after - before).days
        if step <= 0:
            problem = f"the date {after} stands twice; remove one of the columns"
            if step < 0:
                problem = f"the date {after} comes after {before}; sort the columns by date"
            raise DataError(f"{place[text]} ({text!r}): {problem}")
        if step != usual and usual == 1 and step > 45:
            raise DataError(
                f"{place[text]} ({text!r}): the dates jump from {before} to {after}, {step} days; mend the header"
            )


def _select_regions(table: Table, cells: _Cells, config: SourceConfig) -> tuple[np.ndarray, list[str]]:
    """Which cells are of regions that are wanted and no aggregates by name; and notes."""
    names = list(dict.fromkeys(cells.regions))
    wanted = _matching(table, names, config.include, "--source.include") if config.include else set(names)
    wanted -= _matching(table, names, config.exclude, "--source.exclude")
    if not wanted:
        raise DataError(
            f"{table.name}: --source.include and --source.exclude leave no region; there are {shown(names, 12)}"
        )
    notes = []
    if len(wanted) < len(names):
        notes.append(f"{len(wanted)} of {len(names)} regions kept by --source.include and --source.exclude.")
    if config.aggregates == "drop":
        codes = _owid_codes(table, cells)
        totals = [
            name
            for name in named_totals([name for name in names if name in wanted], codes)
            if name not in config.include
        ]
        if totals:
            wanted -= set(totals)
            some = (
                "1 region that is a sum of others by its name was"
                if len(totals) == 1
                else (f"{len(totals)} regions that are sums of others by their names were")
            )
            notes.append(
                f"{some} left out: {', '.join(totals[:20])}{', …' if len(totals) > 20 else ''} (--source.aggregates "
                "keep keeps them)."
            )
    if len(wanted) == len(names):
        return np.ones(len(cells.regions), dtype=bool), notes
    return np.fromiter((name in wanted for name in cells.regions), dtype=bool, count=len(cells.regions)), notes


def _owid_codes(table: Table, cells: _Cells) -> dict[str, str]:
    """OWID's code of each region, where the table has a column of them."""
    header = table.rows[0]
    column = next((i for i, name in enumerate(header) if name in ("iso_code", "code")), None)
    if column is None:
        return {}
    return {name: table.rows[i][column] for name, i in zip(cells.regions, cells.row.tolist(), strict=True)}


def _matching(table: Table, names: list[str], patterns: Iterable[str], option: str) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        matched = {name for name in names if name == pattern or fnmatch.fnmatchcase(name, pattern)}
        if not matched:
            raise DataError(f"{table.name}: {option} {pattern}: no region matches; there are {shown(names, 12)}")
        found |= matched
    return found


def _newest(table: Table, cells: _Cells, version: int) -> tuple[_Cells, str]:
    """Of rows that differ in their date of publication only, the newest."""
    column = table.rows[0][version]
    published = [table.rows[i][version] for i in cells.row.tolist()]
    order: dict[str, tuple[date, str]] = {}
    for text in dict.fromkeys(published):
        day = _TIME.sub("", text)
        try:
            order[text] = parse_day(day), text.removeprefix(day)
        except ValueError as error:
            at = published.index(text)
            raise DataError(f"{table.place(int(cells.row[at]), version)}: {error}") from None
    used = {version, *cells.column[:1].tolist()}
    others = [j for j in range(len(table.rows[0])) if j not in used and not _counts_like(table, cells, j)]
    ranks = {text: i for i, text in enumerate(sorted(order, key=order.__getitem__))}
    keys = _frame(table, cells, _telling(table, cells, others)).with_columns(
        published=pl.Series([ranks[text] for text in published]), at=np.arange(len(published))
    )
    last = keys.sort("published", maintain_order=True).group_by(keys.columns[:-2], maintain_order=True).last()
    kept = np.sort(last["at"].to_numpy())
    newest = f"the newest {column} of each region and date, {max(order, key=order.__getitem__)} the last"
    return _take(cells, kept), f"{len(kept)} of {len(published)} rows kept: {newest}."


def _frame(table: Table, cells: _Cells, columns: Sequence[int]) -> pl.DataFrame:
    """Region, day and the cells of further columns."""
    rows = cells.row.tolist()
    return pl.DataFrame(
        {"region": cells.regions, "day": cells.day}
        | {f"{j} {table.rows[0][j]}": [table.rows[i][j] for i in rows] for j in columns}
    )


def _telling(table: Table, cells: _Cells, columns: Sequence[int]) -> list[int]:
    """Columns with few different cells, as groups, indicators and codes have."""
    rows = [table.rows[i] for i in np.unique(cells.row).tolist()]
    return [j for j in columns if 1 < len({row[j] for row in rows}) <= _MOST_LEVELS]


def _distinct(
    table: Table, cells: _Cells, roles: Roles, summed: list[int], config: SourceConfig
) -> tuple[_Cells, list[str]]:
    """Refuses two rows for one region and date, unless they differ in a column that is summed over.

    Levels of such a column that are sums of its others are left out, unless aggregates are kept.
    """
    if roles.events:
        return cells, [f"Rows were added up to cases by region and date ({len(cells.row)} rows)."]
    # In a wide table the cells of one date stand for all.
    one = _take(cells, cells.column == roles.dates[0]) if roles.dates and not roles.date else cells
    keys = _frame(table, one, summed)
    double = keys.is_duplicated()
    if double.any():
        raise _double(table, one, roles, keys, double)
    notes = []
    if not summed or not keys.select("region", "day").is_duplicated().any():
        return cells, notes
    for j in summed if config.aggregates == "drop" and roles.layout != "jhu" else ():
        texts = [table.rows[i][j] for i in cells.row.tolist()]
        level = total_level(cells.regions, cells.day, texts, cells.text)
        if level is not None:
            cells = _take(cells, np.array([text != level for text in texts]))
            notes.append(
                f"Rows with {table.rows[0][j]} = {level} are the sum of the others and were left out of the sum "
                "(--source.aggregates keep keeps them)."
            )
    if roles.layout == "jhu":
        regions = len(set(one.regions))
        notes.append(f"{len(one.row)} rows of provinces and countries were summed to {regions} regions.")
    else:
        names = ", ".join(table.rows[0][j] for j in summed)
        pairs = keys.select("region", "day").n_unique()
        notes.append(f"{len(cells.row)} rows were summed over {names} to {pairs} counts.")
    return cells, notes


def _double(table: Table, cells: _Cells, roles: Roles, keys: pl.DataFrame, double: pl.Series) -> DataError:
    """The error for two rows that give one count: what tells them apart, and the options that settle it."""
    first_of: dict[tuple, int] = {}
    again, first = 0, 0
    for i in double.arg_true().to_list():
        key = keys.row(i)
        if key in first_of:
            again, first = i, first_of[key]
            break
        first_of[key] = i
    row, earlier = int(cells.row[again]), int(cells.row[first])
    region, day = cells.regions[again], cells.day[again]
    where = table.place(row, roles.region[0] if roles.dates else None)
    on = "" if roles.dates else f" on {day}"
    used = {*roles.region, *roles.date, *roles.dates, roles.value, roles.version}
    doubles = _take(cells, double.to_numpy())
    others = [j for j, name in enumerate(table.rows[0]) if j not in used and plain_name(name) not in DESCRIPTIVE]
    free = _telling(table, doubles, others)
    by_key = _frame(table, doubles, free).group_by("region", "day").agg(pl.all().n_unique())
    free = [j for j in free if (by_key[f"{j} {table.rows[0][j]}"] > 1).any()]
    # A column of counts, as deaths beside cases, tells no two groups apart.
    free = [j for j in free if not _counts_like(table, doubles, j)]
    if not free:
        return DataError(
            f"{where}: {region!r}{on} already stands in row {table.numbers[earlier]}; remove one of the two rows"
        )
    header = table.rows[0]
    names = " and ".join(repr(header[j]) for j in free)
    j = free[0]
    values = shown(dict.fromkeys(table.rows[i][j] for i in doubles.row.tolist()), 6)
    apart = any(_MEASURES.search(plain_name(header[j])) for j in free)
    sums = " ".join(f"--source.sum-over {shlex.quote(header[j])}" for j in free)
    # Of the two kinds, one of whole numbers: shares of visits stand beside counts of cases.
    kept = row if _WHOLE.fullmatch(cells.text[again]) and not _WHOLE.fullmatch(cells.text[first]) else earlier
    keeps = " ".join(f"--source.where {shlex.quote(f'{header[j]}={table.rows[kept][j]}')}" for j in free)
    joined = " ".join(shlex.quote(header[j]) for j in (*roles.region, *free))
    choices = [f"keep one kind with {keeps}"]
    if not apart:
        choices = [f"add them up with {sums}", *choices, f"or take each as a region with --source.region {joined}"]
    return DataError(
        f"{where}: {region!r}{on} already stands in row {table.numbers[earlier]}; such rows differ in {names} "
        f"({header[j]}: {values}): {', '.join(choices)}"
    )


def _counts_like(table: Table, cells: _Cells, column: int) -> bool:
    texts = {table.rows[i][column] for i in cells.row.tolist()}
    several = len(texts) > 20 or any("." in text for text in texts)
    return several and all(text.replace(".", "", 1).isdecimal() for text in texts if text)


def _summed(entries: Entries) -> Entries:
    """Adds up the entries of each region and date; a sum with a missing part is missing."""
    day = entries.day.astype(np.int64)
    first = day.min()
    key = entries.region * (day.max() - first + 1) + day - first
    unique, place, parts = np.unique(key, return_inverse=True, return_counts=True)
    if len(unique) == len(key):
        return entries
    value, missing, stood_in = (np.zeros(len(unique), dtype=np.int64) for _ in range(3))
    np.add.at(value, place, entries.value)
    np.add.at(missing, place, entries.missing)
    np.add.at(stood_in, place, entries.stood_in)
    at = np.full(len(unique), -1)
    at[place] = np.arange(len(key))
    notes = list(entries.notes)
    if not entries.events:
        most = np.zeros(len(entries.regions), dtype=np.int64)
        np.maximum.at(most, entries.region[at], parts)
        lacking = int((parts < most[entries.region[at]]).sum())
        if lacking:
            notes.append(
                f"{counted(lacking, 'sum')} of {len(unique)} have fewer rows than others of their region; the rows "
                "that aren't there were taken as 0."
            )
    return replace(
        entries,
        region=entries.region[at],
        day=entries.day[at],
        value=np.where(missing > 0, 0, value),
        missing=missing > 0,
        stood_in=(stood_in > 0) & (missing == 0),
        notes=tuple(notes),
    )
