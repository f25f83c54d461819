"""Files of a few kilobytes that ask for gigabytes, for each container that is read, and the readers that refuse them.

`python -m fuzz.bombs FOLDER BYTES` gives those that `write` wrote there to their readers, with so many bytes of memory
beyond what the process holds before, and prints what each of them said as JSON.
"""

import bz2
import gzip
import io
import json
import lzma
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from fuzz import mutations as m
from fuzz import seeds
from fuzz.seeds import encoded
from fuzz.trial import limit, tell
from twofold.engine.errors import InputError
from twofold.engine.trees import read_trees
from twofold.vae.model import MODEL, Vae, save_vae
from vae.small import tiny

UNPACKED = 300 * 2**20
"""Bytes that a stream unpacks to: no more than a test has time to make, and more than is allowed."""


def _zeros() -> bytes:
    """Zeros, deflated, without their end: nobody gets there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)) * (UNPACKED // 2**20)


def _gzip() -> bytes:
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + _zeros()


def _zip(name: str) -> bytes:
    """A zip of one member of zeros."""
    packed = _zeros()
    sizes = struct.pack("<IIIHH", 0, len(packed), UNPACKED, len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + name.encode()
    entry = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes + bytes(6) + bytes(4) + bytes(4)
    directory = entry + name.encode()
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), len(local) + len(packed), 0)
    return local + packed + directory + end


def _workbook(change: Callable[[bytes], bytes]) -> bytes:
    """A workbook with a changed sheet."""
    rows = [["region", "date", "value"], ["Chad", "2020-01-01", 3]]
    with zipfile.ZipFile(io.BytesIO(seeds.workbook(rows))) as book:
        parts = [(name, book.read(name)) for name in book.namelist()]
    return m.zipped([(name, change(data) if name.endswith("sheet1.xml") else data) for name, data in parts])


def _long_sheet(sheet: bytes) -> bytes:
    return sheet.replace(b"</sheetData>", b" " * (UNPACKED // 4) + b"</sheetData>")


def _wide_sheet(sheet: bytes) -> bytes:
    return sheet.replace(b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')


def _parquet(column: pl.Expr) -> bytes:
    buffer = io.BytesIO()
    pl.select(region=column).with_columns(date=pl.lit("2020-01-01"), value=1).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _tar_of(size: int) -> bytes:
    member = tarfile.TarInfo("deep/0.png")
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def _png() -> bytes:
    return _sized(encoded(seeds._picture(), "PNG"), 60_000, 60_000)


def _sized(png: bytes, width: int, height: int) -> bytes:
    """A PNG that says to have another size."""
    head = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:]


def _webp() -> bytes:
    """A canvas of 16,777,216 by 200 pixels."""
    picture = encoded(seeds._picture("RGBA"), "WebP", save_all=True, append_images=[seeds._picture("RGBA", seed=1)])
    assert picture[12:16] == b"VP8X"
    return picture[:24] + b"\xff\xff\xff" + b"\xc7\0\0" + picture[30:]


def _gif() -> bytes:
    picture = encoded(seeds._picture("P"), "GIF")
    return picture[:6] + struct.pack("<HH", 65535, 65535) + picture[10:]


def _tiff() -> bytes:
    data = bytearray(encoded(seeds._picture("L"), "TIFF"))
    start = struct.unpack("<I", data[4:8])[0]
    for i in range(struct.unpack("<H", data[start : start + 2])[0]):
        at = start + 2 + 12 * i
        if struct.unpack("<H", data[at : at + 2])[0] in (256, 257):
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 2_000_000)
    return bytes(data)


def _jpeg() -> bytes:
    """Thousands of scans over one picture."""
    data = encoded(seeds._picture(size=(64, 48)), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * 5000 + data[-2:]


def _npy_of(shape: tuple[int, ...], length: int = 0) -> bytes:
    header = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).ljust(length).encode() + b"\n"
    return b"\x93NUMPY\x02\0" + struct.pack("<I", len(header)) + header


def _npz(array: bytes) -> bytes:
    return m.zipped([("images.npy", array)])


def _model(header: bytes, length: int) -> bytes:
    return length.to_bytes(8, "little") + header


def _config(**model: Any) -> bytes:
    """A model whose config asks for a larger network than the weights that it holds."""
    with tempfile.TemporaryDirectory() as folder:
        save_vae(Vae.seeded(tiny(), 0), tiny(), Path(folder))
        data = (Path(folder) / MODEL).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    about = json.loads(header["__metadata__"]["twofold"])
    about["config"]["model"] |= model
    header["__metadata__"]["twofold"] = json.dumps(about)
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + data[8 + length :]


def _skops() -> bytes:
    return m.zipped([("schema.json", b"{}"), ("0.npy", _npy_of((UNPACKED // 4,)) + bytes(UNPACKED // 4))])


_YAML = b"a: &a [x, x, x, x, x, x, x, x]\n" + b"".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n".encode()
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)

Bomb = tuple[str, Callable[[], bytes], str]
"""The file's name, its content, and a pattern of the refusal."""
_UNPACKS, _LARGE = "unpacks (from [0-9,]+ bytes )?to more than", "too large: "
BOMBS: dict[str, Bomb] = {
    "gzip": ("cases.csv.gz", _gzip, _UNPACKS),
    "zip": ("cases.zip", lambda: _zip("cases.csv"), _UNPACKS),
    "xlsx, long": ("cases.xlsx", lambda: _workbook(_long_sheet), _UNPACKS),
    "xlsx, wide": ("cases.xlsx", lambda: _workbook(_wide_sheet), "spans 1,048,576 rows and 16,384 columns"),
    "parquet, rows": ("cases.parquet", lambda: _parquet(pl.repeat("Chad", 5_000_000)), "5,000,000 rows of 3 columns"),
    "parquet, texts": ("cases.parquet", lambda: _parquet(pl.repeat("x" * 10**6, 100)), "so much text"),
    "png": ("bomb.png", _png, _LARGE),
    "webp": ("bomb.webp", _webp, _LARGE),
    "gif": ("bomb.gif", _gif, _LARGE),
    "tiff": ("bomb.tif", _tiff, _LARGE),
    "jpeg": ("bomb.jpg", _jpeg, "more than 100 scans"),
    "images in zip": ("faces.zip", lambda: _zip("deep/0.png"), "too large: more than 256 MiB"),
    "images in tar.gz": ("faces.tar.gz", lambda: gzip.compress(_tar_of(2**33)) + _gzip(), _UNPACKS),
    "images in tar.bz2": ("faces.tar.bz2", lambda: bz2.compress(_tar_of(2**36)), _UNPACKS),
    "images in tar.xz": ("faces.tar.xz", lambda: lzma.compress(_tar_of(2**36)), _UNPACKS),
    "npy": ("faces.npy", lambda: _npy_of((10**7, 999, 999)) + bytes(162), "instead of"),
    "npz": ("faces.npz", lambda: _npz(_npy_of((2 * 10**7, 1, 1)) + bytes(2 * 10**7)), "at most 10,000,000"),
    "npz, header": ("faces.npz", lambda: _npz(_npy_of((2, 2, 2), UNPACKED // 4)), "no array that numpy.save writes"),
    "safetensors, header": ("vae/model.safetensors", lambda: _model(b"{}", 2**62), "not a model of the vae study"),
    "safetensors, config": (
        "vae/model.safetensors",
        lambda: _config(width=512, depth=2, latent_dim=4096),
        "not a model of the vae study",
    ),
    "skops": ("trend/model.skops", _skops, _UNPACKS),
    "json": ("hub-config/tasks.json", lambda: b'{"rounds": ' + b"[" * 10**6, "recursion"),
    "toml": ("small.toml", lambda: b"a = " + b"[" * 10**5, "recursion"),
    "yaml": ("team-model.yml", lambda: _YAML, "refers to parts of itself"),
}
_READERS = {
    ".gz": seeds._panel,
    ".xlsx": seeds._panel,
    ".parquet": seeds._panel,
    ".safetensors": seeds._vae,
    ".skops": lambda path, _: read_trees(path),
    ".json": seeds._tasks,
    ".toml": seeds._rules,
    ".yml": seeds._metadata,
}


def write(folder: Path) -> None:
    """Writes every bomb into a folder of its own, and what its reader needs beside it."""
    for name, (file, make, _) in BOMBS.items():
        path = folder / name / file
        path.parent.mkdir(parents=True)
        path.write_bytes(make())
        for each, data in {**seeds._DONE, "admin.json": b'{"name": "a"}', "schema.json": b'{"type": "object"}'}.items():
            (path.parent / each).write_bytes(data)


def refusal(name: str, folder: Path) -> str | None:
    """What the reader of a bomb says to it."""
    path = folder / name / BOMBS[name][0]
    read = seeds._panel if path.name.startswith("cases") else _READERS.get(path.suffix, seeds._images)
    try:
        said = read(path, folder / "cache")
    except InputError as error:
        said = str(error)
    return said if isinstance(said, str) else None


def main(folder: Path, more: int) -> None:
    """Gives each bomb to its reader within bounds."""
    for kind in ("tables", "parquet", "xlsx", "images", "toml", "tasks"):  # imports what the readers need
        seed = seeds.seeds(kind)[0]
        tell(seed, seed.content, folder / "sound", folder / "cache", str)
    found: dict[str, tuple[str | None, float]] = {}
    for name in BOMBS:
        limit(more)
        began = time.process_time()
        try:
            said = refusal(name, folder)
        except BaseException as error:  # noqa: BLE001  (of memory, most likely: it is told)
            said = f"{type(error).__name__}: {error}"
        found[name] = said, round(time.process_time() - began, 2)
    limit(0)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
