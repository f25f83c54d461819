"""Cells to counts: one decision on separators for a whole column, by all of its cells."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from twofold.counts.config import Decimal, Suppressed
from twofold.counts.csv import shorten
from twofold.counts.panel import counted
from twofold.engine.errors import DataError

LARGEST = 10**12
"""Largest count that is accepted: over a hundred times mankind, and sums of such counts stay exact."""
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nd", "-", "--", ".", "..", "...", ":", "x", "?"})
"""Marks of a count that is not there, in lower case; ministries, Eurostat and FluView have their own."""
_SUPPRESSED = re.compile(
    r"(?:<|>|≤|≥|<=|>=|under|less than)\s*[0-9]+|[0-9]+\s*(?:-|–|to)\s*[0-9]+|[0-9]+\+|\*+|†|s|c|suppressed|redacted|"
    r"masked|confidential",
    re.IGNORECASE,
)
_PLAIN = r"^-?[0-9]{1,12}$"
_NUMERIC = re.compile(r"-?[0-9.,](?:[0-9.,' ]*[0-9.])?")
_EXPONENT = re.compile(r"[-+]?[0-9.,]+[eE][-+]?[0-9]+")
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)
_SEPARATOR_NAMES = {",": "commas", ".": "points", " ": "spaces", "'": "apostrophes"}
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'"})
_MARKS = {"point": ".", "comma": ","}


@dataclass(frozen=True)
class Counts:
    """A column of counts.

    Attributes:
        values: counts; 0 where `missing`.
        missing: cells that hold no count.
        stood_in: cells with a mark such as `<5`, whose count was given by the user.
        notes: decisions, in sentences.
    """

    values: Int64[np.ndarray, " cells"]
    missing: Bool[np.ndarray, " cells"]
    stood_in: Bool[np.ndarray, " cells"]
    notes: tuple[str, ...]


def parse_counts(
    cells: pl.Series,
    place: Callable[[int], str],
    *,
    decimal: Decimal = "auto",
    suppressed: Suppressed = "refuse",
    fixed: bool = True,
) -> Counts:
    """Whole numbers, such as `12`, `-3`, `12.0`, `1,234`, `1.234`, `1 234` or `1'234`.

    A point or comma before three digits may part thousands or a fraction: the column's other cells decide, and where
    they leave both readings open the column is refused.

    Args:
        cells: text, stripped.
        place: file, row, column and region of a cell, by its index, for messages.
        decimal: the decimal mark, where it is known; the other mark then parts thousands.
        fixed: whether fractions keep zeros at their end, as text does and numbers of a workbook don't; only then do
            plain cells show that a point parts thousands.
        suppressed: what a mark such as `<5` or `*` stands for: a number, a missing count, or nothing yet.

    Raises:
        DataError: for the first cell that is no count, a column of fractions, one that can be read in two ways, and
            marks that nothing was said about.
    """
    plain = cells.str.contains(_PLAIN)
    values = cells.set(~plain, "0").cast(pl.Int64).to_numpy().copy()
    others = (
        pl.DataFrame({"text": cells, "row": np.arange(len(cells))})
        .filter(~plain)
        .group_by("text", maintain_order=True)
        .agg(pl.col("row"))
    )
    rows = {text: each.to_numpy() for text, each in zip(others["text"].to_list(), others["row"], strict=True)}
    missing = [text for text in rows if text.lower() in MISSING]
    marks = [text for text in rows if text.lower() not in MISSING and _SUPPRESSED.fullmatch(text)]
    numeric = {text: text.translate(_SPACES) for text in rows if text not in missing and text not in marks}
    for text, clean in numeric.items():
        if not _NUMERIC.fullmatch(clean):
            raise DataError(f"{place(int(rows[text][0]))}: {_why_no_count(text)}")

    def refuse(text: str, reason: str) -> DataError:
        return DataError(f"{place(int(rows[text][0]))}: {reason}")

    read, notes = _decide(numeric, rows, values[plain.to_numpy()], decimal, refuse, fixed=fixed)
    for text, value in read.items():
        if abs(value) > LARGEST:
            raise refuse(
                text, f"{shorten(text)} is larger than any count of cases can be ({LARGEST:.0e}); mend the cell"
            )
        values[rows[text]] = value
    if (large := np.abs(values) > LARGEST).any():
        row = int(np.argmax(large))
        raise DataError(
            f"{place(row)}: {shorten(cells[row])} is larger than any count of cases can be ({LARGEST:.0e}); mend the "
            "cell"
        )
    gone, stood_in = np.zeros(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    for text in missing:
        gone[rows[text]] = True
    if marks:
        hidden = sum(len(rows[text]) for text in marks)
        shown = ", ".join(f"{shorten(text, 20)} {counted(len(rows[text]), 'time')}" for text in marks[:4])
        if suppressed == "refuse":
            raise refuse(
                marks[0],
                f"{counted(hidden, 'cell')} of {len(cells)} hold a mark instead of a count ({shown}); say what it "
                "stands for: --source.suppressed NUMBER puts that number in each, --source.suppressed "
                "missing takes them as "
                "missing counts",
            )
        target = gone if suppressed == "missing" else stood_in
        for text in marks:
            target[rows[text]] = True
        if suppressed != "missing":
            values[stood_in] = suppressed
        meaning = "missing counts" if suppressed == "missing" else str(suppressed)
        notes = (*notes, f"{counted(hidden, 'suppressed cell')} ({shown}) read as {meaning}, as requested.")
    return Counts(values, gone, stood_in, notes)


_Refuse = Callable[[str, str], DataError]


def _decide(
    numeric: dict[str, str],
    rows: dict[str, np.ndarray],
    plain: np.ndarray,
    decimal: Decimal,
    refuse: _Refuse,
    *,
    fixed: bool,
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The count of every written number, and notes on the separators.

    Args:
        numeric: each text, and the same with plain spaces and apostrophes.
        rows: indices of its cells.
        plain: counts of the column that have no separator.
        decimal: the decimal mark where known.
        refuse: makes the error for a text.
        fixed: see `parse_counts`.
    """
    if not numeric:
        return {}, ()
    forms = [(t, d) for d in ".," for t in ",. '" if t != d and decimal in ("auto", _NAMED[d])]
    fitting = {form: each for form in forms if (each := _read_as(numeric, *form)) is not None}
    if not fitting:
        best = max(forms, key=lambda form: sum(_value(text, *form) is not None for text in numeric.values()))
        text = next(text for text, clean in numeric.items() if _value(clean, *best) is None)
        raise refuse(text, f"{shorten(text)} is not a number as the other cells are; counts are whole numbers")
    # One form for each way of reading: the forms differ where a mark before three digits is thousands to one of them.
    readings = {tuple(each.values()): (form, each) for form, each in reversed(fitting.items())}
    if len(readings) > 1:
        readings = _settled(readings, numeric, plain, fixed, refuse)
    (separator, mark), read = next(iter(readings.values()))
    fractions = [text for text, value in read.items() if value % 1]
    if fractions:
        raise refuse(fractions[0], _why_no_fraction(fractions[0], mark))
    notes: list[str] = []
    grouped = [text for text, clean in numeric.items() if separator in clean.partition(mark)[0]]
    if grouped:
        cells = sum(len(rows[text]) for text in grouped)
        named = "" if separator == "," else f" ({_SEPARATOR_NAMES[separator]})"
        example = f"{grouped[0]!r} was read as {int(read[grouped[0]])}"
        notes.append(f"{counted(cells, 'count')} with thousands separators{named}; {example}.")
    if decimals := [text for text, clean in numeric.items() if mark == "," and mark in clean]:
        notes.append(f"The decimal mark is a comma; {decimals[0]!r} was read as {int(read[decimals[0]])}.")
    return {text: int(value) for text, value in read.items()}, tuple(notes)


_NAMED = {".": "point", ",": "comma"}
_Form = tuple[str, str]
_Read = dict[str, int | float]
"""The number of each text; a half stands for any fraction."""
_Readings = dict[tuple[int | float, ...], tuple[_Form, _Read]]


def _read_as(numeric: dict[str, str], separator: str, mark: str) -> _Read | None:
    read = {text: _value(clean, separator, mark) for text, clean in numeric.items()}
    return None if None in read.values() else {text: value for text, value in read.items() if value is not None}


def _value(text: str, separator: str, mark: str) -> int | float | None:
    """The number under a thousands separator and a decimal mark; None when the text is none."""
    unsigned = text.removeprefix("-")
    whole, _, fraction = (f"0{unsigned}" if unsigned.startswith(mark) else unsigned).partition(mark)
    groups = whole.split(separator)
    if len(groups) > 1 and not (
        0 < len(groups[0]) < 4 and groups[0][0] != "0" and all(len(group) == 3 for group in groups[1:])
    ):
        return None
    digits = "".join(groups)
    if not (digits.isdecimal() and digits.isascii()) or (fraction and not fraction.isdecimal()):
        return None
    # Beyond any count the exact number doesn't matter, and Python refuses to read thousands of digits.
    value = int(digits) if len(digits.lstrip("0")) <= len(str(LARGEST)) else 10 * LARGEST
    sign = -1 if text.startswith("-") else 1
    return sign * (value + 0.5 if fraction.strip("0") else value)


def _settled(
    readings: _Readings, numeric: dict[str, str], plain: np.ndarray, fixed: bool, refuse: _Refuse
) -> _Readings:
    """The reading that the column's plain cells speak for.

    Fractions of just three digits throughout come from a fixed format, which would write `345.000` in the plain cells,
    too. So plain cells make the mark a thousands separator; a point only when they all lie below 1000, since who parts
    thousands by points does so throughout, while commas are also put in by hand.
    """
    thousands = {form: reading for form, reading in readings.items() if _parts_thousands(reading, numeric)}
    (separator, _), read = next(iter((thousands or readings).values()))
    if len(thousands) == 1 and len(plain) and (separator == "," or (fixed and np.abs(plain).max() < 1000)):
        return thousands
    text = next(text for text, clean in numeric.items() if separator in clean)
    clean, name = numeric[text], {",": "comma", ".": "point"}[separator]
    other = next(word for word in _MARKS if word != name)
    as_fraction = clean.replace(separator, ".").rstrip("0").rstrip(".")
    raise refuse(
        text,
        f"{shorten(text)} can be read as {int(read[text])} (the {name} parts thousands) or as {as_fraction} (the "
        f"{name} is "
        f"a decimal mark), and no cell of the column settles it; --source.decimal {other} takes the first, "
        f"--source.decimal {name} the second",
    )


def _parts_thousands(reading: tuple[_Form, _Read], numeric: dict[str, str]) -> bool:
    (separator, mark), _ = reading
    return any(separator in clean.partition(mark)[0] for clean in numeric.values())


def _why_no_fraction(text: str, mark: str) -> str:
    zero = text.removeprefix("-").startswith(f"0{mark}")
    what = f"{shorten(text)} is a fraction"
    if mark == ",":
        what += " with a decimal comma" + (" (a group that begins with 0 parts no thousands)" if zero else "")
    return f"{what}; counts are whole numbers: give counts, not rates or averages"


def _why_no_count(text: str) -> str:
    if _INFINITE.fullmatch(text):
        return f"{text!r} is not finite; counts are whole numbers"
    if text.endswith("%"):
        return f"{shorten(text)} is a percentage; counts are whole numbers: name a column of counts with --source.value"
    if _EXPONENT.fullmatch(text):
        return f"{shorten(text)} has an exponent, so digits may be lost; write the count with all its digits"
    return f"{shorten(text)} is not a number; counts are whole numbers such as 1234"
