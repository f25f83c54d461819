"""Damaged tables of counts: 200 small files, each with the panel that a right reader makes of it, or none.

Every kind of damage knows by itself what the file still says: it keeps the counts as a plain dictionary and never asks
the reader under test.
"""

import csv
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from twofold.counts.config import SourceConfig
from twofold.counts.panel import Panel

SEED = 20200122
FILES = 200
DATES = 40
REGIONS = ("Italy", "Korea, South", "Côte d'Ivoire", "France", "Chad", "Peru")

Rows = list[list[str]]
Counts = dict[str, list[int]]  # region -> counts by date


@dataclass(frozen=True)
class Base:
    """A good table: its cells, and what they say."""

    layout: str
    kind: str
    head: Rows
    body: Rows
    counts: Counts
    dates: np.ndarray

    @property
    def first(self) -> int:
        """Column of the first date (wide) or of the count (long)."""
        return {"original": 3, "jhu": 4, "long": 2}[self.layout]

    @property
    def wide(self) -> bool:
        return self.layout != "long"

    def panel(self, counts: Counts | None = None, dates: np.ndarray | None = None) -> Panel:
        counts = self.counts if counts is None else counts
        regions = tuple(counts) if self.wide else tuple(sorted(counts))
        values = np.array([counts[region] for region in regions], dtype=np.int64)
        return Panel(regions, self.dates if dates is None else dates, values, self.kind)


@dataclass(frozen=True)
class Damaged:
    """Bytes of a file, and the panel it still holds (None: it must be refused)."""

    data: bytes
    expected: Panel | None
    suffix: str = ".csv"


@dataclass(frozen=True)
class Case:
    """A damaged file on disk; `flags` are those of the command line that say what `config` says."""

    path: Path
    damage: str
    config: SourceConfig
    flags: tuple[str, ...]
    expected: Panel | None


def damaged_files(seed: int, folder: Path, files: int = FILES) -> list[Case]:
    """Writes damaged files into a folder; the same seed writes the same files."""
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(files):
        name, (layouts, damage) = list(DAMAGES.items())[i % len(DAMAGES)]
        base = _base(rng, layouts[int(rng.integers(len(layouts)))])
        damaged = damage(rng, base)
        path = folder / f"{i:03d}-{name}-{base.layout}-{base.kind}{damaged.suffix}"
        path.write_bytes(damaged.data)
        flags = ("--source.kind", base.kind)
        cases.append(Case(path, name, SourceConfig(kind=base.kind), flags, damaged.expected))
    return cases


def _base(rng: np.random.Generator, layout: str) -> Base:
    kind = "incident" if layout == "long" and rng.random() < 0.5 else "cumulative"
    new = rng.poisson(rng.gamma(2.0, 40.0, size=(len(REGIONS) + 1, 1)), size=(len(REGIONS) + 1, DATES)) + 1
    table = np.cumsum(new, axis=1) if kind == "cumulative" else new
    dates = np.datetime64("2020-01-22") + np.arange(DATES)
    rows = [[str(count) for count in row] for row in table.tolist()]
    counts = {region: list(row) for region, row in zip(REGIONS, table.tolist(), strict=False)}
    short = [f"{d.month}/{d.day}/{d:%y}" for d in dates.tolist()]
    if layout == "original":
        short = [_mangled(d) or text for d, text in zip(dates.tolist(), short, strict=True)]
        head = [["", "Lat", "Long", *short], ["", *["sum"] * (DATES + 2)], ["Country/Region", *[""] * (DATES + 2)]]
        body = [[region, "1.5", "-2.5", *row] for region, row in zip(REGIONS, rows, strict=False)]
    elif layout == "jhu":
        head = [["Province/State", "Country/Region", "Lat", "Long", *short]]
        body = [["", region, "1.5", "-2.5", *row] for region, row in zip(REGIONS, rows, strict=False)]
        body.append(["Réunion", "France", "-21.1", "55.2", *rows[-1]])
        counts["France"] = [a + b for a, b in zip(counts["France"], table[-1].tolist(), strict=True)]
    else:
        head = [["region", "date", "value"]]
        body = [[region, str(d), rows[i][t]] for i, region in enumerate(REGIONS) for t, d in enumerate(dates)]
    return Base(layout, kind, head, body, counts, dates)


def _mangled(day: date) -> str | None:
    """What the original's spreadsheet made of month/day/year where the day could be a month."""
    return f"{2000 + day.month}/{day.day}/{day:%y}" if day.month > 1 and day.day <= 12 else None


def _text(rows: Rows, delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _bytes(rows: Rows, delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    return _text(rows, delimiter, quoting).encode()


def _good(base: Base) -> Rows:
    return [list(row) for row in base.head + base.body]


def _count_cell(rng: np.random.Generator, base: Base) -> tuple[int, int, str, int]:
    """A random count: its row and column in `_good`, its region and its date's index."""
    i = int(rng.integers(len(base.body)))
    if base.wide:
        t = int(rng.integers(DATES))
        return len(base.head) + i, base.first + t, base.body[i][base.first - 3], t
    return len(base.head) + i, 2, base.body[i][0], i % DATES


def _with_count(base: Base, cell: tuple[int, int, str, int], text: str) -> Damaged:
    """The file with another text in a count's cell, and what it says then."""
    row, column, region, t = cell
    rows = _good(base)
    new, old = _oracle(text), int(rows[row][column])
    rows[row][column] = text
    if new is None:
        return Damaged(_bytes(rows), None)
    counts = {name: list(series) for name, series in base.counts.items()}
    counts[region][t] += new - old
    return Damaged(_bytes(rows), base.panel(counts))


def _oracle(text: str) -> int | None:
    """The count that a cell says, told without the reader: digits, with `.0` or thousands separators at most."""
    whole, _, rest = text.strip().partition(".")
    groups = whole.split(",")
    grouped = len(groups) == 1 or (0 < len(groups[0]) < 4 and all(len(group) == 3 for group in groups[1:]))
    if not (whole.isascii() and "".join(groups).isdigit() and grouped) or rest.strip("0"):
        return None
    return int("".join(groups)) if len(whole) < 13 else None


# --- damage that changes nothing ---


def _encoded(rng: np.random.Generator, base: Base) -> Damaged:
    encoding = ("utf-8-sig", "utf-16", "utf-32", "cp1252")[int(rng.integers(4))]
    return Damaged(_text(_good(base)).encode(encoding), base.panel())


def _line_ends(rng: np.random.Generator, base: Base) -> Damaged:
    return Damaged(_text(_good(base)).replace("\n", ("\r\n", "\r")[int(rng.integers(2))]).encode(), base.panel())


def _blank_lines(rng: np.random.Generator, base: Base) -> Damaged:
    lines = _text(_good(base)).splitlines(keepends=True)
    for _ in range(int(rng.integers(1, 5))):
        lines.insert(
            int(rng.integers(len(lines) + 1)),
            ("\n", "  \n", "," * (len(base.head[0]) - 1) + "\n")[int(rng.integers(3))],
        )
    return Damaged("".join(lines).encode(), base.panel())


def _padded_cells(rng: np.random.Generator, base: Base) -> Damaged:
    return Damaged(
        _bytes([[" " * int(rng.integers(3)) + cell + " " for cell in row] for row in _good(base)]), base.panel()
    )


def _quoted(_: np.random.Generator, base: Base) -> Damaged:
    return Damaged(_bytes(_good(base), quoting=csv.QUOTE_ALL), base.panel())


def _zipped(_: np.random.Generator, base: Base) -> Damaged:
    return Damaged(gzip.compress(_bytes(_good(base)), mtime=0), base.panel(), ".csv.gz")


def _no_last_line_end(_: np.random.Generator, base: Base) -> Damaged:
    return Damaged(_bytes(_good(base)).rstrip(b"\n"), base.panel())


def _written_otherwise(rng: np.random.Generator, base: Base) -> Damaged:
    """Counts as `1,234` or `12.0`."""
    body = [
        [*row[: base.first], *(f"{int(cell):,}" if rng.random() < 0.5 else f"{cell}.0" for cell in row[base.first :])]
        for row in base.body
    ]
    return Damaged(_bytes(base.head + body), base.panel())


def _other_columns(rng: np.random.Generator, base: Base) -> Damaged:
    """Garbage in columns that nobody reads."""
    garbage = ["", "N/A", "§$%", "-1e9", "=1/0"]
    if base.wide:
        rows = base.head + [
            [*r[: base.first - 2], *rng.choice(garbage, 2).tolist(), *r[base.first :]] for r in base.body
        ]
    else:
        rows = [[*row, "note" if i == 0 else str(rng.choice(garbage))] for i, row in enumerate(_good(base))]
    return Damaged(_bytes(rows), base.panel())


def _other_dates(rng: np.random.Generator, base: Base) -> Damaged:
    """Dates in other forms that can be read one way only."""
    forms = ("%Y%m%d", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y", "%Y/%m/%d", "%Y-%m-%dT00:00:00", "%Y-%m-%d 00:00")
    form = forms[int(rng.integers(len(forms)))]
    day = {str(d): f"{d.item():{form}}" for d in base.dates}
    return Damaged(_bytes(base.head + [[region, day[d], count] for region, d, count in base.body]), base.panel())


# --- damage that changes what the file says, and leaves it readable ---


def _shuffled_rows(rng: np.random.Generator, base: Base) -> Damaged:
    body = [base.body[i] for i in rng.permutation(len(base.body))]
    order = dict.fromkeys(row[base.first - 3] for row in body) if base.wide else sorted(base.counts)
    return Damaged(_bytes(base.head + body), base.panel({region: base.counts[region] for region in order}))


def _other_byte(rng: np.random.Generator, base: Base) -> Damaged:
    """Another character somewhere in a count; often no digit."""
    cell = _count_cell(rng, base)
    text = base.body[cell[0] - len(base.head)][cell[1]]
    at = int(rng.integers(len(text)))
    return _with_count(base, cell, text[:at] + str(rng.choice(list("0123456789.-+ ;xeE_#/,"))) + text[at + 1 :])


def _other_digit(rng: np.random.Generator, base: Base) -> Damaged:
    cell = _count_cell(rng, base)
    text = base.body[cell[0] - len(base.head)][cell[1]]
    return _with_count(base, cell, str(rng.integers(10)) + text[1:])


def _renamed_region(rng: np.random.Generator, base: Base) -> Damaged:
    old = str(rng.choice(REGIONS))
    rows = [["Ålän d\"'; x" if cell == old else cell for cell in row] for row in _good(base)]
    return Damaged(_bytes(rows), base.panel({"Ålän d\"'; x" if r == old else r: c for r, c in base.counts.items()}))


def _outer_date_gone(rng: np.random.Generator, base: Base) -> Damaged:
    """The first or the last date is missing throughout."""
    first = rng.random() < 0.5
    t = 0 if first else DATES - 1
    if base.wide:
        rows = [[cell for j, cell in enumerate(row) if j != base.first + t] for row in _good(base)]
    else:
        rows = base.head + [row for row in base.body if row[1] != str(base.dates[t])]
    keep = slice(1, None) if first else slice(None, -1)
    return Damaged(_bytes(rows), base.panel({r: c[keep] for r, c in base.counts.items()}, base.dates[keep]))


def _region_gone(rng: np.random.Generator, base: Base) -> Damaged:
    gone = str(rng.choice(REGIONS))
    rows = base.head + [row for row in base.body if row[base.first - 3 if base.wide else 0] != gone]
    return Damaged(_bytes(rows), base.panel({r: c for r, c in base.counts.items() if r != gone}))


def _cut(rng: np.random.Generator, base: Base) -> Damaged:
    """The file ends early: anywhere, or (as often) within its last count."""
    lines = _text(_good(base)).splitlines()
    i = int(rng.integers(len(lines))) if rng.random() < 0.5 else len(lines) - 1
    start = lines[i].rindex(",") + 1  # of the line's last cell
    at = int(rng.integers(len(lines[i]))) if i < len(lines) - 1 else int(rng.integers(start, len(lines[i]) + 1))
    data = "".join(line + "\n" for line in lines[:i]) + lines[i][:at]
    whole = i - len(base.head)
    if whole < 0 or 0 < at <= start:
        return Damaged(data.encode(), None)
    body = [list(row) for row in base.body[: whole + (at > 0)]]
    if at:
        body[-1][-1] = lines[i][start:at]
    return Damaged(data.encode(), _panel_of(base, body))


def _panel_of(base: Base, body: Rows) -> Panel | None:
    """What the first rows of a table say; None when they are too few."""
    if len(body) < (2 if base.wide else len(base.body)):
        return None
    if not base.wide:
        last = [*base.counts[REGIONS[-1]][:-1], int(body[-1][-1])]
        return base.panel({**base.counts, REGIONS[-1]: last})
    counts = {row[base.first - 3]: [0] * DATES for row in body}
    for row in body:
        region = row[base.first - 3]
        counts[region] = [a + int(b) for a, b in zip(counts[region], row[base.first :], strict=True)]
    return base.panel(counts)


# --- damage that must be refused ---


def _garbage_count(rng: np.random.Generator, base: Base) -> Damaged:
    bad = [
        "",
        "abc",
        "1.5",
        "-3",
        "NaN",
        "inf",
        "-inf",
        "1e5",
        "9" * 25,
        "9" * 5000,
        "١٢",
        "0x10",
        "1 2",
        "1,23",
        "--5",
        "5-",
    ]
    bad += ["#REF!", "TRUE", "1_000", "½", "12a", "NULL", "?", "−4", "1.234.567", "'7", "9223372036854775808", "+4"]
    row, column, *_ = _count_cell(rng, base)
    rows = _good(base)
    rows[row][column] = str(rng.choice(bad))
    return Damaged(_bytes(rows), None)


def _bad_date(rng: np.random.Generator, base: Base) -> Damaged:
    bad = [
        "13/45/20",
        "tomorrow",
        "2020-02-30",
        "",
        "1900-01-01",
        "2020-13-01",
        "31/12",
        "20200",
        "2020-01-25T17:30:00",
        "0",
    ]
    rows = _good(base)
    if base.wide:
        rows[0][base.first + int(rng.integers(DATES))] = str(rng.choice(bad))
    else:
        rows[1 + int(rng.integers(len(base.body)))][1] = str(rng.choice([*bad, "1/2/20", "2/1/2020"]))
    return Damaged(_bytes(rows), None)


def _repeated_row(rng: np.random.Generator, base: Base) -> Damaged:
    rows = _good(base)
    rows.insert(len(base.head) + int(rng.integers(len(base.body))), base.body[int(rng.integers(len(base.body)))])
    return Damaged(_bytes(rows), None)


def _columns_wrong(rng: np.random.Generator, base: Base) -> Damaged:
    """A date column gone, doubled, or exchanged with its neighbour (wide); header names exchanged or doubled (long)."""
    rows = _good(base)
    if not base.wide:
        rows[0] = [["date", "region", "value"], ["region", "value", "date"], ["region", "date", "date"]][
            int(rng.integers(3))
        ]
        return Damaged(_bytes(rows), None)
    j = base.first + int(rng.integers(1, DATES - 1))
    columns = list(range(len(rows[0])))
    columns[j : j + 1] = [[], [j, j]][int(rng.integers(2))]
    if rng.random() < 0.4:
        columns = [*range(j), j + 1, j, *range(j + 2, len(rows[0]))]
    return Damaged(_bytes([[row[c] for c in columns] for row in rows]), None)


def _row_missing(rng: np.random.Generator, base: Base) -> Damaged:
    rows = _good(base)
    del rows[1 + int(rng.integers(len(base.body)))]
    return Damaged(_bytes(rows), None)


def _ragged(rng: np.random.Generator, base: Base) -> Damaged:
    rows = _good(base)
    i = len(base.head) + int(rng.integers(len(base.body)))
    rows[i] = [*rows[i], "7"] if rng.random() < 0.5 else rows[i][:-1]
    return Damaged(_bytes(rows), None)


def _nul(rng: np.random.Generator, base: Base) -> Damaged:
    data = _bytes(_good(base))
    at = int(rng.integers(len(data)))
    return Damaged(data[:at] + b"\0" * int(rng.integers(1, 4)) + data[at:], None)


def _stray_quote(rng: np.random.Generator, base: Base) -> Damaged:
    rows = _good(base)
    row, column, *_ = _count_cell(rng, base)
    rows[row][column] = "@@"
    text = _text(rows).replace("@@", ('"12', '1"2', '12"', '"1"2')[int(rng.integers(4))])
    return Damaged(text.encode(), None)


def _bad_bytes(rng: np.random.Generator, base: Base) -> Damaged:
    data = _bytes(_good(base))
    at = int(rng.integers(len(data)))
    return Damaged(
        data[:at] + (b"\xfe\xff\xfd", b"\x81\x8d", b"\xc3\x28\xa0\xa1")[int(rng.integers(3))] + data[at:], None
    )


def _header_gone(rng: np.random.Generator, base: Base) -> Damaged:
    rows = _good(base)
    del rows[int(rng.integers(len(base.head)))]
    return Damaged(_bytes(rows), None)


def _header_renamed(rng: np.random.Generator, base: Base) -> Damaged:
    names = {
        "original": ["Country/Region", "Lat"],
        "jhu": ["Country/Region", "Long"],
        "long": ["region", "date", "value"],
    }
    old = str(rng.choice(names[base.layout]))
    head = [[old.upper() + "?" if cell == old else cell for cell in row] for row in base.head]
    # The cells of a long table tell its columns; JHU's name is known in other spellings, the original's is not.
    return Damaged(_bytes(head + base.body), None if base.layout == "original" else base.panel())


def _nothing_in_it(rng: np.random.Generator, base: Base) -> Damaged:
    empty = [b"", b"\n\n  \n", _bytes(base.head), _bytes(base.head[:1]), b"\xef\xbb\xbf", b"\0\0\0\0"]
    return Damaged(empty[int(rng.integers(len(empty)))], None)


def _bad_gzip(rng: np.random.Generator, base: Base) -> Damaged:
    data = gzip.compress(_bytes(_good(base)), mtime=0)
    at = int(rng.integers(10, len(data) - 8))
    bad = [data[:at], data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :], _bytes(_good(base)), data[:5]]
    return Damaged(bad[int(rng.integers(len(bad)))], None, ".csv.gz")


def _separator(rng: np.random.Generator, base: Base) -> Damaged:
    return Damaged(_bytes(_good(base), delimiter=";\t|"[int(rng.integers(3))]), base.panel())


def _transposed(_: np.random.Generator, base: Base) -> Damaged:
    return Damaged(_bytes([list(column) for column in zip(*_good(base), strict=True)]), None)


def _no_table(rng: np.random.Generator, base: Base) -> Damaged:
    bad = [
        rng.bytes(400),
        b"PK\x03\x04" + rng.bytes(100),
        b"PAR1" + rng.bytes(100) + b"PAR1",
        b"<html><body>404</body></html>",
    ]
    bad += [b'{"region": "Italy"}', _bytes(_good(base))[::-1]]
    return Damaged(bad[int(rng.integers(len(bad)))], None)


_ALL = ("original", "jhu", "long")
_WIDE = ("original", "jhu")
_Damage = Callable[[np.random.Generator, Base], Damaged]

DAMAGES: dict[str, tuple[tuple[str, ...], _Damage]] = {
    "encoded": (_ALL, _encoded),
    "garbage-count": (_ALL, _garbage_count),
    "line-ends": (_ALL, _line_ends),
    "bad-date": (_ALL, _bad_date),
    "blank-lines": (_ALL, _blank_lines),
    "repeated-row": (_ALL, _repeated_row),
    "padded-cells": (_ALL, _padded_cells),
    "columns-wrong": (_ALL, _columns_wrong),
    "quoted": (_ALL, _quoted),
    "row-missing": (("long",), _row_missing),
    "zipped": (_ALL, _zipped),
    "ragged": (_ALL, _ragged),
    "no-last-line-end": (_ALL, _no_last_line_end),
    "nul": (_ALL, _nul),
    "written-otherwise": (_ALL, _written_otherwise),
    "stray-quote": (_ALL, _stray_quote),
    "other-columns": (_ALL, _other_columns),
    "bad-bytes": (_ALL, _bad_bytes),
    "other-dates": (("long",), _other_dates),
    "header-gone": (_ALL, _header_gone),
    "shuffled-rows": (_ALL, _shuffled_rows),
    "header-renamed": (_ALL, _header_renamed),
    "other-byte": (_ALL, _other_byte),
    "nothing-in-it": (_ALL, _nothing_in_it),
    "other-digit": (_ALL, _other_digit),
    "bad-gzip": (_ALL, _bad_gzip),
    "renamed-region": (_ALL, _renamed_region),
    "separator": (_ALL, _separator),
    "outer-date-gone": (_ALL, _outer_date_gone),
    "transposed": (_WIDE, _transposed),
    "region-gone": (_ALL, _region_gone),
    "no-table": (_ALL, _no_table),
    "cut": (_ALL, _cut),
}
