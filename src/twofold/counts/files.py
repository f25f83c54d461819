"""What a file holds, unpacked: text, a workbook's sheet, or Parquet."""

import gzip
import io
import re
import zipfile
from pathlib import Path, PurePosixPath

import polars as pl

from twofold.engine.errors import DataError
from twofold.engine.heard import Said, heard
from twofold.engine.unpack import PACKED, TooMuchError, members, unpack

PARQUET, ZIP, GZIP, OLE = b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0"


def read_bytes(path: Path) -> bytes:
    """A file's content, unpacked when it is gzip.

    Raises:
        DataError: when the file is not there, can't be read or is empty, or when its compression is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder; one file is wanted (CSV, Excel or Parquet)") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read the file; ask its owner, or copy it") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: can't be read ({error})") from error
    if data.startswith(GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = unpack(stream, len(data))
        except TooMuchError as error:
            raise DataError(f"{path}: {error}") from None
        except PACKED as error:
            raise DataError(
                f"{path}: the gzip file is cut or damaged ({error}); download or compress it again"
            ) from error
    elif path.suffix == ".gz":
        raise DataError(f"{path}: is named .gz but is not gzip; rename it to what it is, or compress it again")
    if not data.strip():
        raise DataError(f"{path}: the file is empty; it needs a header and rows of counts")
    return data


def is_workbook(data: bytes) -> bool:
    """Whether the bytes are an Excel workbook (.xlsx, .xlsm, .xlsb)."""
    if not data.startswith(ZIP):
        return False
    try:
        return any(name.startswith("xl/") for name in zipfile.ZipFile(io.BytesIO(data)).namelist())
    except PACKED:
        return False


def unzipped(path: Path, data: bytes) -> tuple[bytes, str | None]:
    """The one file in a zip and its name; other bytes as they are, and None.

    Raises:
        DataError: when the zip is damaged, encrypted or too large, or holds no file or several; lists them.
    """
    if not data.startswith(ZIP) or is_workbook(data):
        return data, None
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        packed = [member for member in archive.infolist() if not member.is_dir() and not _hidden(member.filename)]
        if len(packed) != 1:
            names = ", ".join(repr(member.filename) for member in packed[:6]) + (", …" if len(packed) > 6 else "")
            raise DataError(
                f"{path}: the zip holds {len(packed)} files ({names or 'none'}) where one table is wanted; unpack it "
                "and give one of them"
            )
        if packed[0].flag_bits & 0x1:
            raise DataError(f"{path}: {packed[0].filename!r} is encrypted; unpack it with its password")
        with archive.open(packed[0]) as stream:
            content = unpack(stream, len(data))
    except DataError:
        raise
    except TooMuchError as error:
        raise DataError(f"{path}: its table {error}") from None
    except PACKED as error:
        raise DataError(f"{path}: the zip file is cut or damaged ({error}); download or pack it again") from error
    if not content.strip():
        raise DataError(f"{path}: {packed[0].filename!r} is empty; it needs a header and rows of counts")
    return content, packed[0].filename


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def sheet_rows(name: str, data: bytes, wanted: str | None) -> tuple[list[list[str]], str]:
    """The cells of a workbook's sheet as text, dates as `2020-01-31 00:00:00`; and the sheet's name.

    Args:
        name: of the file, for messages.
        data: its bytes.
        wanted: the sheet's name; None takes the only one that holds anything.

    Raises:
        DataError: when fastexcel is not installed, the workbook is damaged, or the sheet is not there or not settled.
    """
    try:
        import fastexcel
    except ImportError:
        raise DataError(
            f"{name}: is an Excel workbook, which needs fastexcel: pip install 'twofold[excel]'; or save the sheet as "
            "CSV (UTF-8)"
        ) from None
    _check_workbook(name, data)
    said = Said()
    try:
        with heard(said):
            book = fastexcel.read_excel(data)
            # skip_rows=0 keeps empty rows at the top, so that rows have the numbers that a spreadsheet shows.
            sheets = {
                each: book.load_sheet(each, header_row=None, skip_rows=0, dtypes="string") for each in book.sheet_names
            }
            frames = {each: sheet.to_polars() for each, sheet in sheets.items()}
        if said.text:  # it tells of parts that it passes over there, and goes on
            raise fastexcel.FastExcelError(" ".join(said.text.split())[:300])
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{name}: the workbook can't be read ({error}); save it again, or as CSV (UTF-8)") from error
    filled = [each for each, frame in frames.items() if frame.height]
    shown = ", ".join(map(repr, frames))
    if wanted is not None and wanted not in frames:
        raise DataError(f"{name}: no sheet {wanted!r}; there are {shown}; name one with --source.sheet")
    if wanted is None and len(filled) != 1:
        problem = "every sheet is empty" if not filled else f"{len(filled)} sheets hold cells"
        raise DataError(f"{name}: {problem} ({shown}); name the one to read with --source.sheet NAME")
    chosen = wanted or filled[0]
    rows = [[(cell or "").strip() for cell in row] for row in frames[chosen].rows()]
    return rows, chosen


_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\br=["']([A-Za-z]{1,3})([0-9]{1,7})["'][^>]*?(/?)>""")
_ANY_CELL = re.compile(rb"<(?:\w+:)?c[\s>]")
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^>]*?\br=["']([0-9]{1,7})["']""")
FREE_CELLS, SPARSE = 4_000_000, 50
"""Cells that a sheet may span in any case, and for each one that is filled."""


def _check_workbook(name: str, data: bytes) -> None:
    """Refuses a workbook that unpacks to too much, or whose sheets span far more cells than they hold.

    Its reader makes room for the whole rectangle: one cell in the last row and column would take 400 GB.
    """
    try:
        parts = members(data)
    except TooMuchError as error:
        raise DataError(f"{name}: the workbook {error}, or save the sheet as CSV (UTF-8)") from None
    except PACKED as error:
        raise DataError(f"{name}: the workbook can't be read ({error}); save it again, or as CSV (UTF-8)") from error
    for part, content in parts.items():
        if not part.startswith("xl/worksheets/") or not part.endswith(".xml"):
            continue
        found = _CELL.findall(content)
        filled = [
            (letters, row) for letters, row, empty in found if not empty
        ]  # empty ones far away are only formatted
        # Cells need not say where they are: such a one stands in its row.
        nameless = len(found) < len(_ANY_CELL.findall(content))
        columns = max(map(_column, {letters for letters, _ in filled}), default=1)
        rows = max(map(int, [row for _, row in filled] + (_ROW.findall(content) if nameless else [])), default=1)
        if rows * columns > max(FREE_CELLS, SPARSE * len(filled)):
            raise DataError(
                f"{name}: {part} spans {rows:,} rows and {columns:,} columns and holds {len(filled):,} cells; delete "
                "what stands far from the table, or save the sheet as CSV (UTF-8)"
            )


def _column(letters: bytes) -> int:
    """Number of a column by its letters: A is 1, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + letter - ord("A") + 1
    return number
