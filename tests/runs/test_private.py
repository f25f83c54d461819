"""A run folder tells nobody who made it, on which machine, and where the data lay."""

import base64
import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from runs.every_kind import Made
from runs.private import FOLDER, USER, files, told

KINDS = ["trend run", "trend backtest", "trend study", "vae run", "vae sweep", "vae tune", "hub backtest", "hub fit"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_of_a_folder_betrays_its_writer(kind: str, made: dict[str, Made]) -> None:
    found = {path.relative_to(made[kind].folder): told(path.read_bytes()) for path in files(made[kind].folder)}
    assert len(found) > 3
    assert not {path: what for path, what in found.items() if what}
    assert not [path for path in found if USER in str(path) or FOLDER in str(path)]


def test_the_cache_of_images_betrays_nobody(made: dict[str, Made]) -> None:
    cache = made["vae run"].folder.parents[1] / "cache"
    found = {path: told(path.read_bytes()) for path in files(cache)}
    assert len(found) > 3
    assert not {path: what for path, what in found.items() if what}


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_the_command_of_a_manifest_keeps_options_and_names_of_files(kind: str, made: dict[str, Made]) -> None:
    words = json.loads((made[kind].folder / "manifest.json").read_text())["command"]
    given = made[kind].words
    assert words[0] == "twofold"
    assert words[1:] == [Path(word).name if word.startswith("/") else word for word in given]


def _png() -> bytes:
    buffer, info = io.BytesIO(), PngInfo()
    info.add_text("Author", USER, zip=True)
    Image.new("L", (2, 2)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, names=np.array([f"{USER} {index}" for index in range(9)]).view(np.uint8))
    return buffer.getvalue()


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"name": [f"{USER} {index}" for index in range(999)]}).write_parquet(buffer)
    return buffer.getvalue()


def _skops() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "x" * 99 + " /home/ann/model.py " + "y" * 99)
    return buffer.getvalue()


HIDDEN = {
    "text": USER.encode(),
    "path": b'{"path": "/home/ann/cases.csv"}',
    "picture": _png(),
    "arrays": _npz(),
    "table": _parquet(),
    "trees": _skops(),
    "page": b'<img src="data:image/png;base64,' + base64.b64encode(_png()) + b'">',
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_the_search_finds_what_is_hidden(kind: str) -> None:
    assert told(HIDDEN[kind])
    if kind in ("picture", "trees", "page"):
        assert USER.encode() not in HIDDEN[kind] and b"/home" not in HIDDEN[kind]


def test_the_search_finds_nothing_where_nothing_is() -> None:
    assert not told(b'<a href="/runs/a/report">a/b</a> and/or 1/2 </tmp>' + zlib.compress(USER.encode()))
