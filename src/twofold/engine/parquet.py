"""Tables in Parquet files, whose few bytes may claim any number of rows: what they claim is read first."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from twofold.engine.errors import DataError
from twofold.engine.heard import Said, heard
from twofold.engine.unpack import FREE_BYTES, RATIO, allowed

if TYPE_CHECKING:
    import polars as pl

_CELL = 8  # bytes of a number, and at least of any other cell


def read_parquet(name: str, data: bytes, *, lists: bool = False) -> "pl.DataFrame":
    """The table in the bytes of a Parquet file.

    Args:
        name: of the file, for messages.
        data: its bytes.
        lists: whether columns may hold lists, as some of ours do.

    Raises:
        DataError: when it is cut or damaged, or holds lists, or more than so small a file may (`engine.unpack`).
    """
    import polars as pl

    broken = pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError
    try:
        with _panics_in_message(pl.exceptions.PanicException):
            rows = pl.scan_parquet(io.BytesIO(data)).select(pl.len()).collect().item()
            columns = pl.read_parquet_schema(io.BytesIO(data))
            for column, dtype in columns.items():
                if dtype.is_nested() and not lists:  # of any length, which no count of rows tells
                    raise DataError(f"{name}, column {column!r}: holds {dtype}; text, dates or numbers are needed")
            _check(name, rows * max(len(columns), 1) * _CELL, len(data), f"{rows:,} rows of {len(columns):,} columns")
            frame = pl.read_parquet(io.BytesIO(data))
            # Equal texts share their bytes in the table, and no longer in Python.
            texts = [column.str.len_bytes() for column in frame.get_columns() if column.dtype == pl.String]
            _check(name, sum(int(each.cast(pl.UInt64).sum()) for each in texts), len(data), "so much text")
    except broken as error:
        told = " ".join(str(error).split())[:300]
        raise DataError(f"{name}: the Parquet file is cut or damaged ({told}); write or download it again") from error
    return frame


def _check(name: str, size: int, packed: int, what: str) -> None:
    if size > allowed(packed):
        raise DataError(
            f"{name}: its {packed:,} bytes hold {what}, {size // 2**20:,} MiB unpacked, as bombs do: at most "
            f"{FREE_BYTES // 2**20} MiB, or {RATIO} times its size, are read; give the rows and columns needed"
        )


@contextlib.contextmanager
def _panics_in_message(panic: type[BaseException]) -> Iterator[None]:
    """Keeps from standard error what Rust prints before it raises a panic; other words are written afterwards."""
    panicked, said = False, Said()
    try:
        with heard(said):
            yield
    except panic:
        panicked = True
        raise
    finally:
        if not panicked and said.text:
            sys.stderr.write(said.text)
