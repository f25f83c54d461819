"""Arrays: every shape and type that is read, and what is refused before anything is unpickled."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from twofold.engine.errors import DataError
from twofold.vae.images import arrays
from twofold.vae.images.arrays import array_items, array_labels, choose

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
        (RGB > 100, RGB > 100),
        (RGB.astype(np.int64), RGB.astype(np.int64)),
        (RGB.astype(np.uint32), RGB.astype(np.uint32)),
        (RGB - 300.5, RGB - 300.5),
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


def test_npz_with_several_arrays_names_them_and_each_name_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=RGB, y=RGB[::-1], n=np.arange(3))
    with pytest.raises(
        DataError, match=r"several arrays may be the images; name one with --image.key x; .*y \(12, 5"
    ) as caught:
        read(tmp_path / "a.npz")
    assert "n (3,) int64" in str(caught.value)
    for key, rows in (("x", RGB), ("y", RGB[::-1])):
        with array_items(tmp_path / "a.npz", choose(tmp_path / "a.npz", key)) as (_, entries):
            np.testing.assert_array_equal(np.stack([entry.read() for entry in entries]), rows)
    with pytest.raises(DataError, match=r"--image.key z is none of its arrays; it holds x"):
        choose(tmp_path / "a.npz", "z")


SMALL, CLASSES = RGB[..., 0], np.arange(12)
ARCHIVES = {
    "keras": ({"x_train": SMALL, "y_train": CLASSES, "x_test": SMALL[:5], "y_test": CLASSES[:5]}, "x_train", "y_train"),
    "cifar": (
        {"x_train": RGB, "y_train": CLASSES[:, None], "x_test": RGB, "y_test": CLASSES[:, None]},
        "x_train",
        "y_train",
    ),
    "medmnist": (
        {"train_images": RGB, "val_images": RGB[:3], "test_images": RGB[:2]}
        | {"train_labels": CLASSES[:, None], "val_labels": CLASSES[:3, None], "test_labels": CLASSES[:2, None]},
        "train_images",
        "train_labels",
    ),
    "several-labels": ({"train_images": RGB, "train_labels": np.zeros((12, 14), int)}, "train_images", None),
    "plain": ({"images": RGB, "labels": CLASSES}, "images", "labels"),
    "unnamed": ({"arr_0": RGB, "arr_1": CLASSES}, "arr_0", "arr_1"),
    "capitals": ({"X_train": RGB, "Y_train": CLASSES, "X_test": RGB}, "X_train", "Y_train"),
    "the-only-one": ({"data": RGB, "target": CLASSES, "names": np.array(["a"])}, "data", "target"),
    "other-length": ({"images": RGB, "labels": CLASSES[:3]}, "images", None),
    "no-whole-numbers": ({"images": RGB, "labels": CLASSES / 2}, "images", None),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_published_archives(tmp_path, name):
    arrays_, images, labels = ARCHIVES[name]
    np.savez(tmp_path / "a.npz", **arrays_)
    choice = choose(tmp_path / "a.npz")
    assert choice.images == {"": images}
    assert choice.labels == ({"": labels} if labels else {})
    assert set(choice.others) == set(arrays_) - {images, labels}
    if labels:
        expected = {f"{i:02d}": str(i) for i in range(12)}
        assert array_labels(tmp_path / "a.npz", choice) == expected


def test_the_own_parts_of_an_archive(tmp_path):
    np.savez(tmp_path / "a.npz", **ARCHIVES["medmnist"][0])
    choice = choose(tmp_path / "a.npz", own=True)
    assert choice.images == {"train": "train_images", "val": "val_images", "test": "test_images"}
    with array_items(tmp_path / "a.npz", choice) as (total, entries):
        found = {entry.name: entry.read() for entry in entries}
    assert total == 17
    assert list(found) == [*(f"train/{i:02d}" for i in range(12)), *(f"val/{i}" for i in range(3)), "test/0", "test/1"]
    np.testing.assert_array_equal(found["val/2"], RGB[2])
    assert array_labels(tmp_path / "a.npz", choice)["train/07"] == "7"
    np.savez(tmp_path / "b.npz", images=RGB, labels=CLASSES)
    with pytest.raises(DataError, match=r"holds no array of test images beside images.*leave --split.own out"):
        choose(tmp_path / "b.npz", own=True)


def test_an_npz_without_images_lists_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", rows=np.zeros((12, 784)), n=CLASSES)
    with pytest.raises(
        DataError, match=r"none of its arrays has the shape of images, .*it holds rows \(12, 784\) float64"
    ):
        choose(tmp_path / "a.npz")


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
        (RGB.astype(complex), "is of type complex128; save it as integers or floats"),
        (RGB.astype("S4"), "is of type"),
        (RGB[0, 0], r"has the shape \(7, 3\); images are"),
        (RGB[:0], r"has the shape \(0, 5, 7, 3\)"),
        (RGB[:, :, :0], r"has the shape"),
        (np.zeros((2, 5, 5, 2), dtype=np.uint8), r"has the shape"),
        (np.zeros((2, 4, 5, 5), dtype=np.uint8), r"has the shape"),
        (np.uint8(1), r"has the shape \(\)"),
        (np.asfortranarray(RGB), "its rows don't lie together; save numpy.ascontiguousarray of it"),
        (np.full((2, 4, 4), np.nan), r"image 0 \(counted from 0\): values that are not finite; mend or leave out"),
        (np.stack([np.zeros((4, 4)), np.full((4, 4), -np.inf)]), r"image 1 .*values that are not finite"),
        (np.full((2, 4, 4), -3.4e38), r"image 0 .*values beyond 1e\+30, which may mark missing ones"),
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
