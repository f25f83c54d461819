"""Parsers: of a text file into rows of cells, and of a cell into a count or a date."""

import codecs
import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from twofold.engine.errors import DataError

_UNICODE_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's, so it comes first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONE_ACCENT = re.compile(rb"(?<![\x80-\xff])[\xc0-\xd6\xd8-\xf6\xf8-\xff\x8a\x8c\x8e\x9a\x9c\x9e\x9f](?![\x80-\xff])")


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        name: the file, for messages.
        rows: the cells of every row that is not blank, stripped.
        numbers: 1-based number of every row in the file, as in a spreadsheet (blank lines count).
        notes: decisions of the reader, in sentences.
    """

    name: str
    rows: list[list[str]]
    numbers: list[int]
    notes: tuple[str, ...] = ()

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


def read_bytes(path: Path) -> bytes:
    """A file's content, unpacked when it is gzip.

    Raises:
        DataError: when the file is not there, can't be read or is empty, or when its compression is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path given with --data") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder; --data wants one file (CSV, CSV.gz or Parquet)") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read the file; ask its owner, or copy it") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: can't be read ({error})") from error
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                f"{path}: the gzip file is cut or damaged ({error}); download or compress it again"
            ) from error
    elif path.suffix == ".gz":
        raise DataError(f"{path}: is named .gz but is not gzip; rename it to what it is, or compress it again")
    if not data.strip():
        raise DataError(f"{path}: the file is empty; it needs a header and rows of counts")
    return data


def parse_table(name: str, data: bytes) -> Table:
    """Splits the bytes of a CSV file into cells; `name` is the file's, for messages.

    UTF-8 is expected; UTF-16 and UTF-32 are read when they carry a byte-order mark, Windows-1252 (Latin-1) when every
    byte outside ASCII is a lone accented letter, with a note, since the file doesn't say so itself.

    Raises:
        DataError: for another encoding, NUL bytes, broken quotes, or another separator than a comma.
    """
    text, notes = _decode(name, data)
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise DataError(
            f"{name}, row {row}: the file holds NUL bytes, so it is damaged or no text; export it as UTF-8 CSV"
        )
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, numbers, number = [], [], 0
    try:
        for number, cells in enumerate(reader, start=1):
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append(stripped)
                numbers.append(number)
    except csv.Error as error:
        raise DataError(f"{name}, row {number + 1}: quotes or line ends are broken ({error}); mend that row") from error
    if not rows:
        raise DataError(f"{name}: the file holds blank lines only; it needs a header and rows of counts")
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(rows[0]) == 1 and separator in rows[0][0]:
            raise DataError(f"{name}, row 1: the columns are separated by {word}; export the file with commas")
    return Table(name, rows, numbers, notes)


def _decode(name: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    if data.startswith(b"PK\x03\x04"):
        raise DataError(f"{name}: is a zip file or an Excel workbook; export the sheet as CSV (UTF-8)")
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


LARGEST = 10**12
"""Largest count that is accepted: over a hundred times mankind, and sums of such counts stay exact."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "."})
_PLAIN = re.compile(r"(-?)([0-9]+)(?:\.0*)?")
_THOUSANDS = re.compile(r"(-?)([0-9]{1,3}(?:,[0-9]{3})+)(?:\.0*)?")
_FRACTION = re.compile(r"[-+]?[0-9]*\.[0-9]+")
_EXPONENT = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)

_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_MONTH_FIRST = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{2}|[0-9]{4})")
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0*)?)?(Z|\+00:?00)?$")
_NAMED_MONTH = ("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y", "%Y%m%d")


def parse_count(text: str) -> int:
    """The whole number in a cell: `12`, `-3`, `12.0` or `1,234`; blanks around it don't matter.

    Raises:
        ValueError: with the reason and a remedy, to follow the place of the cell.
    """
    text = text.strip()
    match = _PLAIN.fullmatch(text) or _THOUSANDS.fullmatch(text)
    if match is None:
        raise ValueError(_why_no_count(text))
    digits = match[2].replace(",", "").lstrip("0") or "0"
    if len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
        raise ValueError(f"{shorten(text)} is larger than any count of cases can be ({LARGEST:.0e}); mend the cell")
    return -int(digits) if match[1] else int(digits)


def _why_no_count(text: str) -> str:
    if text.lower() in MISSING:
        shown = "the cell is empty" if not text else f"{text!r} is no count"
        return f"{shown}; every region needs a count on every date: fill it in, or leave the region out"
    if _INFINITE.fullmatch(text):
        return f"{text!r} is not finite; counts are whole numbers"
    if _FRACTION.fullmatch(text):
        return f"{shorten(text)} is a fraction; counts are whole numbers (give counts, not rates or averages)"
    if _EXPONENT.fullmatch(text):
        return f"{shorten(text)} has an exponent, so digits may be lost; write the count with all its digits"
    return f"{shorten(text)} is not a number; counts are whole numbers such as 1234"


def parse_date(text: str) -> date:
    """A date in a form that can be read in one way only.

    Takes `2020-01-31`, `2020/1/31`, `20200131`, `31.01.2020`, `31 Jan 2020`, `31-Jan-2020`, `Jan 31, 2020`, each also
    with a midnight behind it. `1/2/20` is refused: it is the 2nd of January to some and the 1st of February to others.

    Raises:
        ValueError: with the reason and a remedy, to follow the place of the cell.
    """
    text = _MIDNIGHT.sub("", text.strip())
    if not text:
        raise ValueError("the date is empty; write one such as 2020-01-31")
    if match := _YEAR_FIRST.fullmatch(text):
        return _date(text, int(match[1]), int(match[3]), int(match[4]))
    for form in _NAMED_MONTH:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    if _MONTH_FIRST.fullmatch(text):
        raise ValueError(f"{text!r} can be read month first or day first; write it as 2020-01-31")
    raise ValueError(f"{shorten(text)} is not a date; write it as 2020-01-31")


def parse_month_first(text: str) -> date:
    """A date as JHU writes it, `1/31/20` (month, day, year from 2000), or in a form that `parse_date` takes.

    Raises:
        ValueError: with the reason and a remedy, to follow the place of the cell.
    """
    text = text.strip()
    if match := _MONTH_FIRST.fullmatch(text):
        year = int(match[3])
        return _date(text, year if year >= 100 else 2000 + year, int(match[1]), int(match[2]))
    return parse_date(text)


def repair_mangled(text: str) -> date | None:
    """The date that a spreadsheet turned into `2002/1/20`: it took `2/1/20` (month/day/year) for year/month/day.

    Returns:
        The date meant (month from the year's last digits, day from the month, year from the day), or None when `text`
        can't come from that mistake.
    """
    match = _YEAR_FIRST.fullmatch(text.strip())
    if match is None or match[2] != "/":
        return None
    try:
        return date(2000 + int(match[4]), int(match[1]) - 2000, int(match[3]))
    except ValueError:
        return None


def _date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise ValueError(f"{text!r} is no day of the calendar ({error}); write dates as 2020-01-31") from None


def shorten(text: str, length: int = 40) -> str:
    """A cell for a message: quoted, cut when long."""
    return repr(text if len(text) <= length else text[:length] + "…")
