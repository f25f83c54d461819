"""Bombs in every container are refused with the file's name, in little memory; sound files that pack well are read."""

import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from fuzz.bombs import BOMBS, write
from twofold.counts.files import read_bytes
from twofold.engine.parquet import read_parquet

ROOM = 512 * 2**20
"""Bytes of memory for each: most of the bombs ask for more than that."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float]]:
    """What the readers say to the bombs, in a process whose memory is limited, and the seconds that they take."""
    folder = tmp_path_factory.mktemp("bombs")
    write(folder)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.bombs", str(folder), str(ROOM)],
        cwd=root / "tests",
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_name_in_little_memory_and_time(name: str, said: dict[str, tuple[str, float]]) -> None:
    file, _, pattern = BOMBS[name]
    told, seconds = said[name]
    assert re.search(pattern, told), told
    assert Path(file).name in told
    assert seconds < 5
    assert len(told) < 1000


def test_a_long_table_of_zeros_packs_to_a_hundredth_and_is_read(tmp_path: Path) -> None:
    """As a rare disease by county and day is: the ratio alone says nothing."""
    row = ",".join(["0"] * 1000)
    text = "".join(f"County {i},{row}\n" for i in range(4000)).encode()
    packed = gzip.compress(text, 9)
    assert len(text) > 300 * len(packed)
    path = tmp_path / "rare.csv.gz"
    path.write_bytes(packed)
    assert read_bytes(path) == text


def test_a_long_constant_column_of_parquet_is_read() -> None:
    buffer = io.BytesIO()
    pl.select(region=pl.repeat("Chad", 2_000_000), value=0).write_parquet(buffer)
    assert 300 * len(buffer.getvalue()) < 2_000_000 * 16
    assert read_parquet("cases.parquet", buffer.getvalue()).height == 2_000_000
