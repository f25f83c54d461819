"""Images in a .npy or .npz file, read row by row, and labels beside them; nothing in it is ever unpickled."""

import contextlib
import io
import math
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.lib import format as npy

from twofold.engine.errors import DataError
from twofold.engine.unpack import allowed_archive, too_much
from twofold.vae.images.archives import opened_zip
from twofold.vae.images.items import MAX_BYTES, Damage, Entries, Item
from twofold.vae.images.scale import extent

NPY = b"\x93NUMPY"
_READERS = {(1, 0): (npy.read_array_header_1_0, 2), (2, 0): (npy.read_array_header_2_0, 4)}
"""By version: numpy's reader, and the bytes of the header's length."""
_LONGEST_HEADER = 2**16
MOST_IMAGES = 10_000_000
"""Rows of an array: the name of each is held."""
_SHAPES = "(n, h, w), (n, h, w, 1|3|4) or (n, 1|3, h, w)"
_USUAL = "images", "x_train", "train_images", "arr_0"
"""Names of the array of images in archives that are published, the usual ones first."""
_TRAIN = re.compile("train(ing)?", re.IGNORECASE)
_PARTS = {"train": (), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
_LABELS = (("x", "y"), ("images", "labels"), ("images", "targets"), ("data", "labels"), ("data", "target"), ("0", "1"))


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool

    @property
    def holds_images(self) -> bool:
        return self.dtype.kind in "buif" and len(self.shape) > 2 and _channels_last(self.shape) is not None

    @property
    def rows_apart(self) -> bool:
        return self.fortran and len(self.shape) > 1

    def labels(self, images: "_Header") -> bool:
        """Whether it may hold a class for each of the images."""
        return self.dtype.kind in "iub" and self.shape in (images.shape[:1], (images.shape[0], 1))


@dataclass(frozen=True)
class Choice:
    """The arrays of an .npz that are read.

    Attributes:
        images: name of the array of each part, `train`, `val` and `test`; of "" where no part is asked for.
        labels: name of the array with the classes of each part that has one.
        others: arrays that are not read, with their shapes.
        own: name of an array that looks like the set's own test images, where none is read.
    """

    images: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)
    others: dict[str, tuple[int, ...]] = field(default_factory=dict)
    own: str | None = None


def choose(path: Path, key: str = "", own: bool = False) -> Choice:
    """Which arrays of an .npz hold the images.

    Args:
        path: of the archive.
        key: name of the array; empty: the only one, the first of `images`, `x_train`, `train_images` and `arr_0` that
            has the shape of images, or the only one that has.
        own: take the archive's own parts: this array, whose name holds `train`, and those of `test` and `val`.

    Raises:
        DataError: when that names none or several; lists the arrays with their shapes.
    """
    with opened_zip(path) as archive:
        headers = _headers(path, archive)
    shown = ", ".join(f"{name} {header.shape} {header.dtype}" for name, header in headers.items()) or "none"
    if key and key not in headers:
        raise DataError(f"{path}: --image.key {key} is none of its arrays; it holds {shown}")
    fit = [name for name, header in headers.items() if header.holds_images]
    lower = {name.lower(): name for name in reversed(fit)}
    if own and not key:
        trains = [name for name in fit if _TRAIN.search(name) and _part(name, "test", fit)]
        fit = trains or fit
    usual = [lower[name] for name in _USUAL if lower.get(name) in fit]
    name = key or next(iter(headers) if len(headers) == 1 else iter([*usual, *(fit if len(fit) == 1 else [])]), None)
    if name is None:
        if not fit:
            raise DataError(f"{path}: none of its arrays has the shape of images, {_SHAPES}; it holds {shown}")
        raise DataError(
            f"{path}: several arrays may be the images; name one with --image.key {fit[0]}; it holds {shown}"
        )
    test = _part(name, "test", list(headers))
    images = {"": name}
    if own:
        if test is None:
            raise DataError(
                f"{path}: holds no array of test images beside {name}, which --split.own takes (as x_test beside "
                f"x_train); leave --split.own out, and a hash of the pixels decides; it holds {shown}"
            )
        found = {part: _part(name, part, list(headers)) for part in ("val", "test")}
        images = {"train": name} | {part: other for part, other in found.items() if other}
    labels = {part: other for part, each in images.items() if (other := _labels_of(each, headers))}
    read = {*images.values(), *labels.values()}
    others = {other: header.shape for other, header in headers.items() if other not in read}
    return Choice(images, labels, others, None if own else test)


def reads_as(path: Path, key: str, own: bool) -> bool:
    """Whether a source has the array and the parts of another one."""
    if path.suffix.lower() != ".npz":
        return not key and not own
    try:
        choose(path, key, own)
    except DataError:
        return False
    return True


def _part(name: str, part: str, names: list[str]) -> str | None:
    """The array of another part of the set: `x_test` beside `x_train`."""
    if not _TRAIN.search(name):
        return None
    wanted = [_TRAIN.sub(word, name, count=1).lower() for word in _PARTS[part]]
    return next((other for other in names if other.lower() in wanted), None)


def _labels_of(name: str, headers: dict[str, _Header]) -> str | None:
    """The array with a class for each image of another, by its name and shape."""
    likely = {name.lower().replace(images, labels) for images, labels in _LABELS if images in name.lower()}
    likely |= {"labels", "label", "targets", "target", "y"} if not _TRAIN.search(name) else set()
    found = [
        other
        for other, header in headers.items()
        if other.lower() in likely and other != name and header.labels(headers[name])
    ]
    return found[0] if len(found) == 1 else None


def _headers(path: Path, archive: zipfile.ZipFile) -> dict[str, _Header]:
    """Each array's shape and type, in the archive's order."""
    members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    return {member.filename.removesuffix(".npy"): _header(path, _member(path, archive, member)) for member in members}


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> io.BufferedIOBase:
    try:
        return cast(io.BufferedIOBase, archive.open(member))
    except Exception as error:  # encrypted, or a damaged header
        raise DataError(f"{path}: {member.filename} can't be read; save it again with numpy.savez") from error


def array_labels(path: Path, choice: Choice) -> dict[str, str]:
    """The class of each image by its name, from the arrays of labels; empty where there are none.

    Raises:
        DataError: when they are damaged.
    """
    found: dict[str, str] = {}
    with opened_zip(path) as archive:
        for part, name in choice.labels.items():
            stream = _member(path, archive, archive.getinfo(f"{name}.npy"))
            header = _header(path, stream)
            size = math.prod(header.shape) * header.dtype.itemsize
            try:
                values = np.frombuffer(stream.read(size + 1), header.dtype).reshape(header.shape)
            except Exception as error:  # of zlib, of the checksum, of a length that does not fit
                raise DataError(f"{path}: the labels in {name} are cut or damaged ({error}); save it again") from error
            names = _names(len(values), part)
            found |= dict(zip(names, (str(int(value)) for value in values.ravel()), strict=True))
    return found


@contextlib.contextmanager
def array_items(path: Path, choice: Choice | None = None) -> Iterator[Entries]:
    """Opens an array of images.

    Args:
        path: of a .npy or .npz.
        choice: what of an .npz is read; by default what `choose` takes.

    Yields:
        The number of its rows, and the rows, named by their index, below their part's name where there are parts.

    Raises:
        DataError: when it is damaged, or breaks a rule on type, shape or values; names the rule and what to do.
    """
    with contextlib.ExitStack() as stack:
        try:
            opened = list(_opened(path, choice, stack))
        except OSError as error:
            raise DataError(f"{path}: can't be read ({error.strerror}); copy or download it again") from error
        checked = [(part, stream, _checked(path, stream, size)) for part, stream, size in opened]
        count = sum(header.shape[0] for _, _, header in checked)
        yield count, (item for part, stream, header in checked for item in _rows(path, part, stream, header))


def _opened(
    path: Path, choice: Choice | None, stack: contextlib.ExitStack
) -> Iterator[tuple[str, io.BufferedIOBase, int]]:
    """Each part's name, stream and length in bytes."""
    if path.suffix.lower() != ".npz":
        yield "", stack.enter_context(path.open("rb")), path.stat().st_size
        return
    archive = stack.enter_context(opened_zip(path))
    for part, name in (choice or choose(path)).images.items():
        member = archive.getinfo(f"{name}.npy")
        if member.file_size > allowed_archive(member.compress_size):
            raise DataError(f"{path}: {name} {too_much(member.compress_size)}")
        yield part, stack.enter_context(_member(path, archive, member)), member.file_size


def _header(path: Path, stream: io.BufferedIOBase) -> _Header:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            read, size = _READERS[npy.read_magic(stream)]
            length = stream.read(size)
            if int.from_bytes(length, "little") > _LONGEST_HEADER:  # numpy would read all of it first
                raise ValueError("too long a header")
            shape, fortran, dtype = read(io.BytesIO(length + stream.read(int.from_bytes(length, "little"))))
    except Exception as error:  # of struct, ast, encodings, zlib; a KeyError for a version that holds no plain array
        raise DataError(f"{path}: is no array that numpy.save writes, or damaged; save it again") from error
    return _Header(shape, dtype, fortran)


def _checked(path: Path, stream: io.BufferedIOBase, size: int) -> _Header:
    """The header of an array that obeys all rules but those on values."""
    header = _header(path, stream)
    shape, dtype, _ = header
    if dtype.hasobject:
        raise DataError(f"{path}: holds Python objects, whose reading could run any code; save it as uint8")
    if dtype.kind not in "buif":
        raise DataError(f"{path}: is of type {dtype}; save it as integers or floats")
    if header.rows_apart:
        raise DataError(f"{path}: its rows don't lie together; save numpy.ascontiguousarray of it")
    if _channels_last(shape) is None or min(shape) < 1:
        raise DataError(f"{path}: has the shape {shape}; images are {_SHAPES}, none of them 0")
    if shape[0] > MOST_IMAGES:
        raise DataError(f"{path}: holds {shape[0]:,} images; at most {MOST_IMAGES:,} are read, save fewer in each file")
    row = math.prod(shape[1:]) * dtype.itemsize
    if row > MAX_BYTES:
        raise DataError(f"{path}: each image takes {row} bytes; at most {MAX_BYTES} are read, save smaller images")
    needed = stream.tell() + shape[0] * row
    if size != needed:
        raise DataError(f"{path}: is cut or damaged: {size} bytes instead of {needed}; save it again")
    return header


def _channels_last(shape: tuple[int, ...]) -> bool | None:
    """Whether channels come last (or there are none); None where the shape is not that of images."""
    if len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4)):
        return True
    return False if len(shape) == 4 and shape[1] in (1, 3) else None


def _names(count: int, part: str) -> list[str]:
    digits = len(str(count - 1))
    return [f"{part}/{i:0{digits}d}" if part else f"{i:0{digits}d}" for i in range(count)]


def _rows(path: Path, part: str, stream: io.BufferedIOBase, header: _Header) -> Iterator[Item]:
    shape, dtype, _ = header
    size = math.prod(shape[1:]) * dtype.itemsize
    channels_last = _channels_last(shape)
    for i, name in enumerate(_names(shape[0], part)):
        try:
            data = stream.read(size)
        except Exception as error:  # of zlib, of the checksum, of the disk
            raise DataError(f"{path}: is cut or damaged ({error}); save it again") from error
        if len(data) < size:
            raise DataError(f"{path}: is cut or damaged; save it again")
        row = np.frombuffer(data, dtype=dtype).reshape(shape[1:])
        if dtype.kind == "f":
            try:
                extent(row)
            except Damage as damage:
                where = f"image {i} (counted from 0)" + (f" of {part}" if part else "")
                raise DataError(f"{path}, {where}: {damage}; mend or leave out such images and save it again") from None
        pixels = row.reshape(*row.shape[:2], -1) if channels_last else row.transpose(1, 2, 0)
        yield Item(name, size, lambda pixels=pixels: pixels)
