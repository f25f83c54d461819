"""A text file as rows of cells: bytes, compression, encoding, quoting; knows nothing of counts."""

import codecs
import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from twofold.engine.errors import DataError

GZIP = b"\x1f\x8b"
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
        rows: the rows that hold anything, each a list of its cells without blanks around them.
        numbers: every row's 1-based number in the file, as a spreadsheet shows it (blank lines count).
        notes: what was decided while reading, in plain sentences.
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
    if path.suffix == ".gz" or data.startswith(GZIP):
        data = _unpack(path, data)
    if not data.strip():
        raise DataError(f"{path}: the file is empty; it needs a header and rows of counts")
    return data


def _unpack(path: Path, data: bytes) -> bytes:
    if not data.startswith(GZIP):
        raise DataError(f"{path}: is named .gz but is not gzip; rename it to what it is, or compress it again")
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is cut or damaged ({error}); download or compress it again") from error


def parse_table(name: str, data: bytes) -> Table:
    """Splits a CSV file into cells.

    UTF-8 is expected; UTF-16 and UTF-32 are read when they carry a byte-order mark, Windows-1252 (Latin-1) when every
    byte outside ASCII is a lone accented letter, with a note, since the file doesn't say so itself.

    Args:
        name: the file, for messages.
        data: its bytes, unpacked.

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
    _check_separator(name, rows[0])
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


def _check_separator(name: str, header: list[str]) -> None:
    if len(header) > 1:
        return
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if separator in header[0]:
            raise DataError(f"{name}, row 1: the columns are separated by {word}; export the file with commas")
