"""Parquet files: what they claim is read before they are, and a panic of their reader stays off the terminal."""

import io
import os

import polars as pl
import pytest

from twofold.engine import unpack
from twofold.engine.errors import DataError
from twofold.engine.parquet import _panics_in_message, read_parquet


def written(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def test_rows_and_text_are_counted_against_the_size_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "FREE_BYTES", 10_000)
    monkeypatch.setattr(unpack, "RATIO", 1)
    few, rows = (pl.DataFrame({"a": pl.repeat(7, n, eager=True)}) for n in (1000, 10_000))
    assert read_parquet("few", written(few)).equals(few)
    with pytest.raises(DataError, match=r"^many: its [0-9,]+ bytes hold 10,000 rows of 1 columns"):
        read_parquet("many", written(rows))
    with pytest.raises(DataError, match=r"^long: its [0-9,]+ bytes hold so much text"):
        read_parquet("long", written(pl.DataFrame({"a": ["x" * 5000] * 5})))


def test_lists_are_read_only_where_they_are_ours() -> None:
    data = written(pl.DataFrame({"a": [[1, 2], [3]]}))
    assert read_parquet("ours", data, lists=True).height == 2
    with pytest.raises(DataError, match=r"^theirs, column 'a': holds List\(Int64\); text, dates or numbers"):
        read_parquet("theirs", data)


def test_other_words_on_standard_error_come_through_and_those_of_a_panic_do_not(capfd: pytest.CaptureFixture) -> None:
    with _panics_in_message(KeyError):
        os.write(2, b"a warning\n")
    assert capfd.readouterr().err == "a warning\n"
    with pytest.raises(KeyError), _panics_in_message(KeyError):
        os.write(2, b"panicked at\n")
        raise KeyError
    with pytest.raises(ValueError, match="another"), _panics_in_message(KeyError):
        os.write(2, b"a word\n")
        raise ValueError("another")
    assert capfd.readouterr().err == "a word\n"
