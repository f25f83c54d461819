"""Text to rows of cells: encoding, separator, what stands above and below the table."""

import codecs
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from twofold.counts.files import OLE, ZIP
from twofold.engine.errors import DataError

_UNICODE_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's, so it comes first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONE_ACCENT = re.compile(
    rb"(?<![\x80-\xff])[\xc0-\xd6\xd8-\xf6\xf8-\xff\x8a\x8c\x8e\x9a\x9c\x9e\x9f](?![\x80-\xff])"
    rb"|(?<=[0-9])[\xa0\x92](?=[0-9])"  # no-break spaces and apostrophes that part thousands
)

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE, SAMPLE_LENGTH = 200, 200_000
"""Lines, and characters, that the separator is found by, at most."""
MIN_WIDTH = 3
"""Columns of the narrowest table of counts: region, date, count."""
_PAGE = re.compile(r"\s*<(!doctype\s+html|html|head|\?xml)\b", re.IGNORECASE)
_FOOTER = re.compile(r"(source|note|quelle|hinweis|stand|fuente|nota|data|\*|©|#)", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        name: the file, for messages.
        rows: the cells of every row that is not blank, stripped.
        numbers: 1-based number of every row in the file, as in a spreadsheet (blank lines count).
        notes: decisions of the reader, in sentences.
        separator: between the cells; empty when the file was no text.
    typed: columns that held numbers, not their text.
    """

    name: str
    rows: list[list[str]]
    numbers: list[int]
    notes: tuple[str, ...] = ()
    separator: str = ","
    typed: frozenset[int] = frozenset()

    def place(self, row: int, column: int | None = None) -> str:
        """File, row and column of a cell for a message; `row` and `column` are 0-based indices into `rows`."""
        where = f"{self.name}, row {self.numbers[row]}"
        if column is None:
            return where
        header = self.rows[0][column] if column < len(self.rows[0]) else ""
        return f"{where}, column {column + 1} ({header!r})" if header else f"{where}, column {column + 1}"

    def check_rectangular(self, first: int) -> None:
        """Raises a DataError when a row from index `first` on is longer or shorter than the header."""
        width = len(self.rows[0])
        for i in range(first, len(self.rows)):
            if len(self.rows[i]) != width:
                raise DataError(
                    f"{self.place(i)}: the row has {len(self.rows[i])} cells but the header has {width}; the row is "
                    "cut, or a cell with a comma is not in quotes"
                )


class Shared:
    """Cells with the same text as one object: a long table repeats its regions and dates in every row.

    Texts first met after `MOST_SHARED` others stay as they are, so that a table of different ones costs no more.
    """

    MOST_SHARED = 200_000

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, cells: Iterable[str]) -> list[str]:
        """The cells, as equal objects."""
        known = self._known
        if len(known) < self.MOST_SHARED:
            return [known.setdefault(cell, cell) for cell in cells]
        return [known.get(cell, cell) for cell in cells]


def parse_table(name: str, data: bytes) -> Table:
    """Splits the bytes of a file of comma-separated values into cells; `name` is the file's, for messages.

    UTF-8 is expected; UTF-16 and UTF-32 are read when they carry a byte-order mark, Windows-1252 (Latin-1) when every
    byte outside ASCII is a lone accented letter, with a note, since the file doesn't say so itself.

    Raises:
        DataError: for another encoding, NUL bytes, broken quotes, or another separator than a comma.
    """
    text, notes = _decode(name, data)
    rows, numbers = _split(name, text, ",")
    for separator, word in SEPARATORS.items():
        if len(rows[0]) == 1 and separator in rows[0][0]:
            raise DataError(f"{name}, row 1: the columns are separated by {word}; export the file with commas")
    return Table(name, rows, numbers, notes)


def find_table(name: str, data: bytes) -> Table:
    """Finds the table in a text file: its separator, and the lines above the header and below the last row.

    Encodings are those of `parse_table`; the separator is a comma, semicolon, tab or bar.

    Raises:
        DataError: for another encoding, NUL bytes, broken quotes, or a text in which no table is found.
    """
    text, notes = _decode(name, data)
    if _PAGE.match(text):
        raise DataError(f"{name}: is a web page (HTML) and no table; download the file itself, such as its raw form")
    separator = _find_separator(text)
    rows, numbers = _split(name, text, separator)
    found = () if separator == "," else (f"The columns are separated by {SEPARATORS[separator]}.",)
    return bare_table(Table(name, rows, numbers, (*notes, *found), separator))


def bare_table(table: Table) -> Table:
    """The table without lines above the header and below the last row; its notes count and show them.

    Above stand rows narrower than the table (empty cells at their end don't count) or with one cell filled; below,
    narrower rows without a number, set off by a blank line or of several words. A row cut short is none of these: it
    begins as other rows do.
    """
    rows, numbers = _without_empty_end(table.rows), table.numbers
    filled = [_filled_width(row) for row in rows[: SAMPLE // 2]]
    widths = Counter(filled)
    width = max(widths, key=lambda each: (widths[each], each))
    top = next((i for i, each in enumerate(filled) if each >= width and sum(map(bool, rows[i])) > 1), 0)
    if width < MIN_WIDTH or (top and _is_header(rows[top - 1], rows[top], width)):
        top = max(0, top - 1) if width >= MIN_WIDTH else 0
    end = len(rows)
    while end > top + 2 and (text := _narrow(rows[end - 1], len(rows[top]))):
        blank_before = numbers[end - 1] - numbers[end - 2] > 1
        others = {row[0] for row in rows[max(top, end - 10_000) : end - 1]}
        a_row = any(name.startswith(text) or (name and _shape(name) == _shape(text)) for name in others)
        if a_row or not (blank_before or len(text.split()) > 2 or _FOOTER.match(text)):
            break
        end -= 1
    notes = list(table.notes)
    for lines, where in ((rows[:top], "above the header"), (rows[end:], "below the table")):
        if lines:
            shown = " ".join(filter(None, lines[0]))
            count = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
            notes.append(f"{count} {where} left out: {shorten(shown, 60)}{' …' if len(lines) > 1 else ''}")
    return Table(table.name, rows[top:end], numbers[top:end], tuple(notes), table.separator, table.typed)


def _is_header(above: list[str], row: list[str], width: int) -> bool:
    """Whether the line above a row of data is its header, though of another width: the rows or it are broken."""
    filled = [cell for cell in above if cell]
    return len(filled) >= width - 1 and not _has_number(filled) and _has_number(row)


def _has_number(row: list[str]) -> bool:
    return any(cell.removeprefix("-").isdecimal() for cell in row)


def _filled_width(row: list[str]) -> int:
    """Cells up to the last one that is not empty."""
    return max((j for j, cell in enumerate(row, start=1) if cell), default=0)


def _narrow(row: list[str], width: int) -> str | None:
    """The first cell of a row that ends before the last column and holds no number."""
    return row[0] if _filled_width(row) < width and not _has_number(row) else None


def _shape(text: str) -> str:
    """What a date looks like without its figures; other text as it is."""
    return re.sub(r"[^\W\d]+", "a", re.sub(r"[0-9]+", "0", text)) if re.search("[0-9]", text) else text


def _without_empty_end(rows: list[list[str]]) -> list[list[str]]:
    """Rows without the last columns that are empty throughout, as spreadsheets leave them."""
    widest = used = max(map(len, rows))
    while not any(len(row) >= used and row[used - 1] for row in rows):
        used -= 1
    return rows if used == widest else [row[:used] for row in rows]


def _find_separator(text: str) -> str:
    """The separator under which most of the first lines have the same number of cells; of equals, the most cells.

    One that gives two columns is taken only where none gives more: a comma stands in dates and names, too.
    """
    best, found = (False, 0.0, 0, 0), ","
    text = text if len(text) <= SAMPLE_LENGTH else text[: text.rfind("\n", 0, SAMPLE_LENGTH)]
    for separator in SEPARATORS:
        widths: list[int] = []
        try:
            for cells in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
                if any(map(str.strip, cells)):
                    widths.append(len(cells))
                if len(widths) == SAMPLE:
                    break
        except csv.Error:
            continue
        counts = Counter(width for width in widths if width > 1)
        if not counts:
            continue
        width, share = max(((w, n / len(widths)) for w, n in counts.items()), key=lambda each: (each[1], each[0]))
        # A header and rows that differ in width speak against a separator: decimal commas split the rows alone.
        fitness = width >= MIN_WIDTH, round(share, 1), -widths.index(width), width
        if best[3] == 0 or fitness > best:
            best, found = fitness, separator
    return found


def _split(name: str, text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """Rows that are not blank, their cells stripped, and their numbers."""
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise DataError(
            f"{name}, row {row}: the file holds NUL bytes, so it is damaged or no text; export it as UTF-8 CSV"
        )
    # Not a StringIO, which takes four bytes for each character.
    lines = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline="")
    reader = csv.reader(lines, strict=True, delimiter=separator)
    rows, numbers, number = [], [], 0
    shared = Shared()
    try:
        for number, cells in enumerate(reader, start=1):
            stripped = shared.of(cell.strip() for cell in cells)
            if any(stripped):
                rows.append(stripped)
                numbers.append(number)
    except csv.Error as error:
        raise DataError(f"{name}, row {number + 1}: quotes or line ends are broken ({error}); mend that row") from error
    if not rows:
        raise DataError(f"{name}: the file holds blank lines only; it needs a header and rows of counts")
    return rows, numbers


def _decode(name: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    if data.startswith((ZIP, OLE)):
        kind = "a zip file or an Excel workbook" if data.startswith(ZIP) else "an old Excel workbook (.xls)"
        raise DataError(f"{name}: is {kind}; export the sheet as CSV (UTF-8)")
    for mark, encoding in _UNICODE_MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), ()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{name}: is marked as {encoding} but damaged ({error}); export it as UTF-8 CSV"
                ) from error
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        if not _LONE_ACCENT.sub(b"", data).isascii():
            row = data[: error.start].count(b"\n") + 1
            raise DataError(
                f"{name}, row {row}: byte 0x{data[error.start]:02x} is neither UTF-8 nor a Western European letter; "
                "save the file as UTF-8"
            ) from error
    text = data.decode("cp1252")
    words = sorted({word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()})
    return text, (f"The file is not UTF-8 and was read as Windows-1252 (Latin-1); check: {', '.join(words[:5])}.",)


def shorten(text: str, length: int = 40) -> str:
    """A cell for a message: quoted, cut when long."""
    return repr(text if len(text) <= length else text[:length] + "…")


def shown(names: Iterable[str], limit: int = 8) -> str:
    """Names in quotes for a message; the first few when there are many."""
    some = list(itertools.islice(names, limit + 1))
    return ", ".join(map(shorten, some[:limit])) + (", …" if len(some) > limit else "")
