"""Arrays: every shape and type that is read, and what is refused before anything is unpickled."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from twofold.engine.errors import DataError
from twofold.vae.images import arrays
from twofold.vae.images.arrays import array_items

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, size=(12, 5, 7, 3), dtype=np.uint8)


def read(path: Path) -> tuple[list[str], np.ndarray]:
    with array_items(path) as (total, entries):
        rows = {entry.name: entry.read() for entry in entries}
    assert total == len(rows)
    return list(rows), np.stack(list(rows.values()))


def saved(path: Path, array: np.ndarray, **options) -> Path:
    with path.open("wb") as file:
        np.save(file, array, **options)
    return path


@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (RGB, RGB),
        (RGB[..., 0], RGB[..., :1]),
        (RGB[..., :1], RGB[..., :1]),
        (np.dstack([RGB[0], RGB[0][..., :1]])[None], np.dstack([RGB[0], RGB[0][..., :1]])[None]),
        (np.ascontiguousarray(np.moveaxis(RGB, 3, 1)), RGB),
        (np.ascontiguousarray(np.moveaxis(RGB[..., :1], 3, 1)), RGB[..., :1]),
        (RGB.astype(np.uint16) * 257, RGB.astype(np.uint16) * 257),
        (RGB.astype(">u2"), RGB.astype(">u2")),
        (RGB / 255, RGB / 255),
        ((RGB / 255).astype(np.float16), (RGB / 255).astype(np.float16)),
        (np.zeros((1, 3, 3, 3), dtype=np.uint8), np.zeros((1, 3, 3, 3), dtype=np.uint8)),
    ],
)
def test_every_shape_and_type(tmp_path, array, rows):
    names, found = read(saved(tmp_path / "a.npy", array))
    np.testing.assert_array_equal(found, rows)
    assert found.dtype == rows.dtype.newbyteorder("=")
    assert names == [f"{i:0{len(str(len(rows) - 1))}d}" for i in range(len(rows))]
    assert names == sorted(names)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_with_one_array_or_one_named_images(tmp_path, save):
    save(tmp_path / "one.npz", anything=RGB)
    save(tmp_path / "named.npz", images=RGB, labels=np.arange(12))
    for name in ("one", "named"):
        np.testing.assert_array_equal(read(tmp_path / f"{name}.npz")[1], RGB)


def test_npz_with_several_arrays_names_them(tmp_path):
    np.savez(tmp_path / "a.npz", x=RGB, y=RGB)
    with pytest.raises(DataError, match=r"a\.npz: must hold one array, or one named 'images'; it holds 'x', 'y'"):
        read(tmp_path / "a.npz")


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_nothing_is_unpickled(tmp_path, suffix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([Evil()], dtype=object)
    path = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        np.savez(path, allow_pickle=True, images=objects)
    else:
        saved(path, objects, allow_pickle=True)
    bare = tmp_path / f"bare.{suffix}"
    bare.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError, match="holds Python objects, whose reading could run any code; save it as uint8"):
        read(path)
    with pytest.raises(DataError):
        read(bare)
    assert not Path("unpickled").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RGB.astype(np.int64), "is of type int64; save it as uint8, uint16, or floats"),
        (RGB.astype(np.uint32), "is of type uint32"),
        (RGB.astype(bool), "is of type bool"),
        (RGB.astype(complex), "is of type complex128"),
        (RGB.astype("S4"), "is of type"),
        (RGB[0, 0], r"has the shape \(7, 3\); images are"),
        (RGB[:0], r"has the shape \(0, 5, 7, 3\)"),
        (RGB[:, :, :0], r"has the shape"),
        (np.zeros((2, 5, 5, 2), dtype=np.uint8), r"has the shape"),
        (np.zeros((2, 4, 5, 5), dtype=np.uint8), r"has the shape"),
        (np.uint8(1), r"has the shape \(\)"),
        (np.asfortranarray(RGB), "its rows don't lie together; save numpy.ascontiguousarray of it"),
        (
            RGB.astype(np.float32),
            r"image 0 \(counted from 0\): the value [0-9.]+ is outside \[0, 1\]; scale the floats",
        ),
        (np.full((2, 4, 4), np.nan), r"image 0 .*the value nan is outside"),
        (np.stack([np.zeros((4, 4)), np.full((4, 4), -0.1)]), r"image 1 .*the value -0.1 is outside"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(tmp_path, array, message):
    path = saved(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=rf"a\.npy(: |, ){message}"):
        read(path)


def test_a_file_of_another_length_than_its_header_says(tmp_path):
    path = saved(tmp_path / "a.npy", RGB)
    whole = path.read_bytes()
    for data in (whole[:-1], whole + b"\0", whole.replace(b"(12, 5", b"(13, 5")):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"is cut or damaged: \d+ bytes instead of \d+; save it again"):
            read(path)


@pytest.mark.parametrize(
    "data", [b"\x93NUMPY", b"\x93NUMPY\x01\0\xff\xff{'descr'", b"\x93NUMPY\x07\0", b"junk", b"\0" * 200]
)
def test_a_damaged_header(tmp_path, data):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"is no array that numpy\.save writes, or damaged; save it again"):
        read(path)


def test_damaged_data_of_an_npz(tmp_path):
    path = tmp_path / "a.npz"
    buffer = io.BytesIO()
    np.save(buffer, RGB)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.npy", buffer.getvalue())
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"damaged.*; save it again"):
        read(path)


def test_an_encrypted_npz(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=RGB)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.npy can't be read; save it again with numpy\.savez"):
        read(path)


def test_images_longer_than_any_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="each image takes 105 bytes; at most 100 are read"):
        read(saved(tmp_path / "a.npy", RGB))


def test_rows_are_read_one_by_one(tmp_path):
    path = saved(tmp_path / "a.npy", np.zeros((1000, 10, 10), dtype=np.uint8))
    with array_items(path) as (_, entries):
        next(entries)
        path.write_bytes(path.read_bytes()[:-50_000])
        with pytest.raises(DataError, match="is cut or damaged"):
            list(entries)
