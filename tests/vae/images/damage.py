"""Damaged images, archives and arrays: 300 files, each with the names in it and what must become of some of them.

200 are single images, packed by the score into folders, zips and tars; 100 are archives and arrays of good images that
are damaged themselves. Every kind of damage knows by itself what must happen and never asks the reader under test.
"""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

SEED = 21551
SINGLE, PACKED = 200, 100
GROUP = 20
END = "(end of archive)"

Rng = np.random.Generator
Files = dict[str, bytes]
Fate = bool | None
"""Of a file: must be kept, must be skipped, or (None) either."""


@dataclass(frozen=True)
class Case:
    """A source on disk.

    Attributes:
        path: the source.
        damages: what was done to it or to the files in it.
        names: every file in it, as often as it is there.
        fates: what must become of some of them.
        refused: whether the whole must be refused; None: may be.
        open_ended: the end of the archive may be lost, with names in it, if ARCHIVE_END is then listed.
        renamed: a damaged name may be shown in another form; the count must be right.
    """

    path: Path
    damages: tuple[str, ...]
    names: tuple[str, ...]
    fates: dict[str, bool] = field(default_factory=dict)
    refused: Fate = False
    open_ended: bool = False
    renamed: bool = False


def damaged_sources(seed: int, folder: Path, single: int = SINGLE, packed: int = PACKED) -> list[Case]:
    """Writes damaged sources into a folder; the same seed writes the same bytes."""
    rng = np.random.default_rng(seed)
    cases = [_group(rng, folder, first, min(GROUP, single - first)) for first in range(0, single, GROUP)]
    for i in range(packed):
        name, damage = list(PACKED_DAMAGES.items())[i % len(PACKED_DAMAGES)]
        cases.append(damage(rng, folder / f"{i:03d}-{name}", (name,)))
    return cases


def _group(rng: Rng, folder: Path, first: int, count: int) -> Case:
    files: Files = {"good.png": _encoded(_picture(rng), "PNG")}
    fates, damages = {"good.png": True}, []
    for i in range(first, first + count):
        damage, (kinds, strike) = list(DAMAGES.items())[i % len(DAMAGES)]
        kind = kinds[int(rng.integers(len(kinds)))]
        data, fate = strike(rng, _encoded(_picture(rng), kind))
        name = f"deep/{i:03d}-{damage}.{kind.lower()}"
        files[name] = data
        damages.append(damage)
        if fate is not None:
            fates[name] = fate
    path = folder / f"group-{first:03d}{('', '.zip', '.tar.gz')[first // GROUP % 3]}"
    _write(path, files)
    return Case(path, tuple(damages), tuple(files), fates)


def _write(path: Path, files: Files) -> None:
    if path.suffix == ".zip":
        path.write_bytes(_zip(files))
    elif path.name.endswith(".tar.gz"):
        path.write_bytes(_tar(files, "gz"))
    else:
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)


def _picture(rng: Rng) -> Image.Image:
    height, width = rng.integers(20, 40, size=2)
    return Image.fromarray(rng.integers(0, 256, size=(height, width, 3), dtype=np.uint8))


def _encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"exif": b"Exif\0\0" + b"\x07" * 40} if kind == "JPEG" else {}))
    return buffer.getvalue()


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": partial(gzip.compress, mtime=0),
    "xz": lzma.compress,
    "bz2": bz2.compress,
}


def _zip(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return buffer.getvalue()


def _tar(files: Files, method: str = "", *others: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in others:
            archive.addfile(member)
    return _PACKERS[method](buffer.getvalue())


# --- damage to one image: the bytes, and what must become of them ---


def _truncated(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    return data[: int(rng.integers(1, len(data) * 3 // 4))], False


def _flipped_bits(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    flipped = bytearray(data)
    for at in rng.integers(len(data), size=int(rng.integers(1, 20))):
        flipped[at] ^= 1 << int(rng.integers(8))
    return bytes(flipped), None


def _overwritten_header(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    at, length = int(rng.integers(4, 60)), int(rng.integers(1, 12))
    return data[:at] + rng.bytes(length) + data[at + length :], None


def _hole(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    at = int(rng.integers(12, len(data)))
    return data[:at] + bytes(min(200, len(data) - at)) + data[at + 200 :], None


def _piece_gone(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    at = int(rng.integers(12, len(data) - 40))
    return data[:at] + data[at + int(rng.integers(1, 40)) :], None


def _sized(data: bytes, width: int, height: int) -> bytes:
    """The file with other numbers for width and height in its header."""
    if data.startswith(b"\x89PNG"):
        head = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<ii", width, height) + data[26:]
    if data.startswith(b"GIF"):
        return data[:6] + struct.pack("<HH", min(width, 65535), min(height, 65535)) + data[10:]
    if data.startswith(b"II*"):
        changed = bytearray(data)
        start = struct.unpack("<I", data[4:8])[0]
        for i in range(struct.unpack("<H", data[start : start + 2])[0]):
            at = start + 2 + 12 * i
            tag = struct.unpack("<H", data[at : at + 2])[0]
            if tag in (256, 257):
                changed[at : at + 12] = struct.pack("<HHII", tag, 4, 1, width if tag == 256 else height)
        return bytes(changed)
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", min(height, 65535), min(width, 65535)) + data[at + 4 :]


def _huge(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    width, height = rng.integers(10_000, 60_000, size=2)
    return _sized(data, int(width), int(height)), False


def _enormous(_: Rng, data: bytes) -> tuple[bytes, Fate]:
    return _sized(data, 2**31 - 1, 2**31 - 1), False


def _without_pixels(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    return _sized(data, *((0, 7) if rng.random() < 0.5 else (7, 0))), False


def _no_image(rng: Rng, _: bytes) -> tuple[bytes, Fate]:
    others = [
        b"",
        b"\0",
        b"name,value\na,1\n",
        b"<html><body>404 Not Found</body></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\0\0\0\x20ftypavif" + rng.bytes(300),
        b"\x93NUMPY" + rng.bytes(50),
        b"P6 2 2 255\n" + rng.bytes(12),
        rng.bytes(1000),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"RIFF\x10\0\0\0WEBP",
        _zip({"a.png": b"x"}),
        _tar({"a.png": b"x"}),
    ]
    return others[int(rng.integers(len(others)))], False


def _wrong_suffix(rng: Rng, _: bytes) -> tuple[bytes, Fate]:
    return _encoded(_picture(rng), ("PNG", "GIF", "WEBP")[int(rng.integers(3))]), True


def _trailing_junk(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    return data + rng.bytes(500), True


def _reversed(_: Rng, data: bytes) -> tuple[bytes, Fate]:
    return data[::-1], False


def _damaged_exif(rng: Rng, data: bytes) -> tuple[bytes, Fate]:
    at = data.index(b"Exif") + 6
    return data[:at] + rng.bytes(40) + data[at + 40 :], True


def _bomb_in_text(_: Rng, data: bytes) -> tuple[bytes, Fate]:
    chunk = b"zTXtbomb\0\0" + zlib.compress(bytes(20_000_000))
    return data[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[
        33:
    ], None


def _wrong_checksum(_: Rng, data: bytes) -> tuple[bytes, Fate]:
    return data[:29] + bytes(4) + data[33:], False


_ALL = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_SIZED = ("PNG", "JPEG", "BMP", "TIFF", "GIF")
DAMAGES: dict[str, tuple[tuple[str, ...], Callable[[Rng, bytes], tuple[bytes, Fate]]]] = {
    "truncated": (_ALL, _truncated),
    "flipped-bits": (_ALL, _flipped_bits),
    "huge": (_SIZED, _huge),
    "overwritten-header": (_ALL, _overwritten_header),
    "no-image": (("PNG", "JPEG"), _no_image),
    "hole": (_ALL, _hole),
    "wrong-suffix": (("JPEG", "BMP"), _wrong_suffix),
    "piece-gone": (_ALL, _piece_gone),
    "enormous": (("PNG", "BMP", "TIFF"), _enormous),
    "trailing-junk": (("PNG", "JPEG", "GIF", "BMP", "TIFF"), _trailing_junk),
    "without-pixels": (("PNG", "JPEG", "BMP", "TIFF"), _without_pixels),
    "reversed": (("PNG", "WEBP", "GIF", "TIFF"), _reversed),
    "damaged-exif": (("JPEG",), _damaged_exif),
    "bomb-in-text": (("PNG",), _bomb_in_text),
    "wrong-checksum": (("PNG",), _wrong_checksum),
}


# --- damage to an archive or an array ---


def _good_files(rng: Rng, count: int = 6) -> Files:
    kinds = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
    return {f"set/{i}.{kinds[i % 6].lower()}": _encoded(_picture(rng), kinds[i % 6]) for i in range(count)}


def _saved(path: Path, data: bytes, damages: tuple[str, ...], names: tuple[str, ...], **facts) -> Case:
    path.write_bytes(data)
    return Case(path, damages, names, **facts)


def _zip_cut(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    data = _zip(_good_files(rng))
    return _saved(path.with_suffix(".zip"), data[: int(rng.integers(1, len(data) - 1))], damages, (), refused=True)


def _zip_flipped(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    files = _good_files(rng)
    data = bytearray(_zip(files, zipfile.ZIP_STORED if rng.random() < 0.5 else zipfile.ZIP_DEFLATED))
    # As often in the directory at the end as in the files, which take most of the room.
    start = data.index(b"PK\x01\x02") if rng.random() < 0.7 else 0
    for at in rng.integers(start, len(data), size=int(rng.integers(1, 4))):
        data[at] ^= 1 << int(rng.integers(8))
    return _saved(path.with_suffix(".zip"), bytes(data), damages, tuple(files), refused=None, renamed=True)


def _zip_field(rng: Rng, path: Path, damages: tuple[str, ...], *, field_at: tuple[int, int], value: bytes) -> Case:
    """Another value for the first member, in the directory and in the header before its data."""
    files = _good_files(rng)
    data = bytearray(_zip(files))
    for at in (data.index(b"PK\x01\x02") + field_at[0], field_at[1]):
        data[at : at + len(value)] = value
    fates = {name: i > 0 for i, name in enumerate(files)}
    return _saved(path.with_suffix(".zip"), bytes(data), damages, tuple(files), fates=fates)


def _zip_member_damaged(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    files = _good_files(rng)
    data = bytearray(_zip(files, zipfile.ZIP_STORED))
    data[data.index(b"\x89PNG") + int(rng.integers(200))] ^= 0x10
    return _saved(
        path.with_suffix(".zip"), bytes(data), damages, tuple(files), fates={n: i > 0 for i, n in enumerate(files)}
    )


def _zip_odd_names(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    """Names that would leave the folder, were anything unpacked; hidden ones; the same one twice; folders."""
    images = list(_good_files(rng, 5).values())
    members = [
        ("/etc/a.png", images[0]),
        ("../../b.png", images[1]),
        ("a/../c.png", images[2]),
        ("__MACOSX/._c.png", images[3]),
        ("twice.png", images[3]),
        ("twice.png", images[4]),
        (".hidden", b"x"),
        ("set/Thumbs.db", b"x"),
        ("inner.zip", _zip({"a.png": images[0]})),
        ("set/", b""),
    ]
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # of the name that is there twice
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
    names = tuple(name for name, _ in members if not name.endswith("/"))
    fates = {"/etc/a.png": True, "../../b.png": True, "a/../c.png": True, ".hidden": False, "inner.zip": False}
    return _saved(path.with_suffix(".zip"), buffer.getvalue(), damages, names, fates=fates)


def _zip_other(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    """Junk before or after the archive, or another suffix: readable."""
    files = _good_files(rng)
    data = _zip(files)
    which = int(rng.integers(3))
    data = (rng.bytes(100) + data, data + b"PK junk" * 9, data)[which]
    return _saved(
        path.with_suffix((".zip", ".zip", ".tar")[which]), data, damages, tuple(files), fates=_all_kept(files)
    )


def _all_kept(files: Files) -> dict[str, bool]:
    return dict.fromkeys(files, True)


def _nothing_inside(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    others = [
        (".zip", _zip({})),
        (".zip", _zip({"a/": b"", "a/b/": b""})),
        (".zip", _zip({"a.txt": b"x", "b.png": b""})),
        (".tar", _tar({})),
        (".tar", _tar({"a.txt": b"x"}, "xz")),
        (".zip", b""),
        (".npz", _zip({})),
        (".zip", rng.bytes(500)),
        (".tar", rng.bytes(2000)),
        (".tgz", b"\x1f\x8b" + rng.bytes(2000)),
        (".png", _encoded(_picture(rng), "PNG")[:60]),
        (".pdf", b"%PDF-1.4" + rng.bytes(300)),
    ]
    suffix, data = others[int(rng.integers(len(others)))]
    return _saved(path.with_suffix(suffix), data, damages, (), refused=True)


def _tar_cut(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    files = _good_files(rng)
    data = _tar(files, ("", "gz", "xz", "bz2")[int(rng.integers(4))])
    at = int(rng.integers(1, len(data) - 1))
    return _saved(path.with_suffix(".tar"), data[:at], damages, tuple(files), refused=None, open_ended=True)


def _tar_flipped(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    files = _good_files(rng)
    data = bytearray(_tar(files, ("", "gz", "xz", "bz2")[int(rng.integers(4))]))
    for at in rng.integers(len(data), size=int(rng.integers(1, 4))):
        data[at] ^= 1 << int(rng.integers(8))
    return _saved(path.with_suffix(".tar"), bytes(data), damages, tuple(files), refused=None, open_ended=True)


def _tar_header(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    """A header in the middle is zeroed, overwritten, or claims terabytes."""
    files = _good_files(rng)
    data = bytearray(_tar(files))
    at = data.index(b"set/3")
    which = int(rng.integers(3))
    if which == 0:
        data[at : at + 512] = bytes(512)
    elif which == 1:
        data[at : at + 512] = rng.bytes(512)
    else:
        member = tarfile.TarInfo("set/3.bmp")
        member.size, member.type = 2**42, (tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME)[int(rng.integers(2))]
        data[at : at + 512] = member.tobuf(tarfile.GNU_FORMAT)[:512]
    fates = dict.fromkeys(list(files)[:3], True)
    return _saved(path.with_suffix(".tar"), bytes(data), damages, tuple(files), fates=fates, open_ended=True)


def _tar_odd_members(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    files = {f"./{name}": data for name, data in _good_files(rng, 2).items()} | {
        "/abs.png": _encoded(_picture(rng), "PNG")
    }
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)
    others = []
    for i, kind in enumerate(kinds):
        member = tarfile.TarInfo(f"odd-{i}")
        member.type, member.linkname = kind, f"odd-{i}"
        others.append(member)
    again = tarfile.TarInfo("/abs.png")
    data = _tar(files, ("", "gz")[int(rng.integers(2))], *others, again)
    names = (*files, *(f"odd-{i}" for i in range(4)), "/abs.png")
    return _saved(path.with_suffix(".tar"), data, damages, names, fates=dict.fromkeys(list(files)[:2], True))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _npz(**arrays: np.ndarray) -> bytes:
    return _zip({f"{name}.npy": _npy(array) for name, array in arrays.items()})  # numpy's own notes the time


def _bytes_array(rng: Rng, *shape: int) -> np.ndarray:
    return rng.integers(0, 256, size=shape, dtype=np.uint8)


def _array_refused(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    good = _bytes_array(rng, 5, 20, 24, 3)
    whole = _npy(good)
    bad = [
        (".npy", _npy(np.array([{"a": 1}, None], dtype=object))),
        (".npy", pickle.dumps(good)),
        (".npy", _npy(good.astype("M8[s]"))),
        (".npy", _npy(good.astype(np.complex64))),
        (".npy", _npy(good.astype("U3"))),
        (".npy", _npy(np.where(good == good[0, 0, 0, 0], -np.inf, good))),
        (".npy", _npy(np.full((4, 9, 9), np.nan))),
        (".npy", _npy(np.where(good == good[0, 0, 0, 0], -3.4e38, good))),
        (".npy", _npy(good[:0])),
        (".npy", _npy(good[:, :0])),
        (".npy", _npy(good[0, 0])),
        (".npy", _npy(np.uint8(3))),
        (".npy", _npy(_bytes_array(rng, 5, 20, 20, 2))),
        (".npy", _npy(_bytes_array(rng, 5, 4, 3, 20, 20))),
        (".npy", _npy(np.asfortranarray(good))),
        (".npy", whole[: int(rng.integers(1, len(whole)))]),
        (".npy", whole + b"\0"),
        (".npy", whole.replace(b"(5, 20, 24, 3)", b"(9, 20, 24, 3)")),
        (".npy", whole.replace(b"(5, 20, 24, 3), }  ", b"(5000000, 20, 24, 3)}")),
        (".npy", whole.replace(b"'|u1'", b"'|O8'")),
        (".npy", whole.replace(b"descr", b"des\0r")),
        (".npy", b"\x93NUMPY\x03\0" + whole[8:]),
        (".npz", _npz(a=good, b=good)),
        (".npz", _npz(images=np.array([None]))),
        (".npz", _npz(a=good)[:-30]),
        (".npz", _npz(a=good).replace(b"a.npy", b"a.txt")),
        (".npz", whole),
    ]
    suffix, data = bad[int(rng.integers(len(bad)))]
    return _saved(path.with_suffix(suffix), data, damages, (), refused=True)


def _array_flipped(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    good = _bytes_array(rng, 5, 20, 24, 3)
    suffix, data = ((".npy", _npy(good)), (".npz", _npz(a=good)))[int(rng.integers(2))]
    flipped = bytearray(data)
    flipped[int(rng.integers(128 if suffix == ".npy" else len(data)))] ^= 1 << int(rng.integers(8))
    return _saved(path.with_suffix(suffix), bytes(flipped), damages, tuple("01234"), refused=None)


def _array_kept(rng: Rng, path: Path, damages: tuple[str, ...]) -> Case:
    good = _bytes_array(rng, 5, 20, 24, 3)
    kinds = [
        (".npy", _npy(good[..., 0])),
        (".npy", _npy(np.moveaxis(good, 3, 1))),
        (".npy", _npy(_bytes_array(rng, 5, 1, 20, 24))),
        (".npy", _npy(_bytes_array(rng, 5, 20, 24, 4))),
        (".npy", _npy((good * 257.0).astype(">u2"))),
        (".npy", _npy((good / 255).astype(np.float16))),
        (".npz", _npz(images=good, other=np.arange(3))),
        (".npz", _npz(anything=good)),
        (".dat", _npy(good)),
    ]
    suffix, data = kinds[int(rng.integers(len(kinds)))]
    return _saved(path.with_suffix(suffix), data, damages, tuple("01234"), fates=dict.fromkeys("01234", True))


PACKED_DAMAGES: dict[str, Callable[[Rng, Path, tuple[str, ...]], Case]] = {
    "zip-cut": _zip_cut,
    "zip-flipped": _zip_flipped,
    "tar-cut": _tar_cut,
    "array-refused": _array_refused,
    "zip-encrypted": partial(_zip_field, field_at=(8, 6), value=b"\1\0"),
    "zip-method": partial(_zip_field, field_at=(10, 8), value=b"\x61\0"),
    "zip-length": partial(_zip_field, field_at=(24, 22), value=b"\0\0\0\x80"),
    "zip-checksum": partial(_zip_field, field_at=(16, 14), value=b"sums"),
    "tar-flipped": _tar_flipped,
    "nothing-inside": _nothing_inside,
    "zip-member": _zip_member_damaged,
    "tar-header": _tar_header,
    "array-flipped": _array_flipped,
    "zip-odd-names": _zip_odd_names,
    "tar-odd-members": _tar_odd_members,
    "array-kept": _array_kept,
    "zip-other": _zip_other,
}
