"""Images in a .npy or .npz file, read row by row; nothing in it is ever unpickled."""

import contextlib
import io
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.lib import format as npy

from twofold.engine.errors import DataError
from twofold.vae.images.archives import opened_zip
from twofold.vae.images.items import MAX_BYTES, Entries, Item

NPY = b"\x93NUMPY"
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_SHAPES = "(n, h, w), (n, h, w, 1|3|4) or (n, 1|3, h, w)"


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    channels_first: bool


@contextlib.contextmanager
def array_items(path: Path) -> Iterator[Entries]:
    """Opens an array of images.

    Yields:
        The number of its rows, and the rows, named by their index.

    Raises:
        DataError: when it is damaged, or breaks a rule on type, shape or values; names the rule and what to do.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream, size = _opened(path, stack)
        except OSError as error:
            raise DataError(f"{path}: can't be read ({error.strerror}); copy or download it again") from error
        header = _header(path, stream)
        row = math.prod(header.shape[1:]) * header.dtype.itemsize
        if row > MAX_BYTES:
            raise DataError(f"{path}: each image takes {row} bytes; at most {MAX_BYTES} are read, save smaller images")
        needed = stream.tell() + header.shape[0] * row
        if size != needed:
            raise DataError(f"{path}: is cut or damaged: {size} bytes instead of {needed}; save it again")
        yield header.shape[0], _rows(path, stream, header, row)


def _opened(path: Path, stack: contextlib.ExitStack) -> tuple[io.BufferedIOBase, int]:
    if path.suffix.lower() != ".npz":
        return stack.enter_context(path.open("rb")), path.stat().st_size
    archive = stack.enter_context(opened_zip(path))
    arrays = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    chosen = [member for member in arrays if member.filename == "images.npy"] or arrays
    if len(chosen) != 1:
        names = ", ".join(repr(member.filename.removesuffix(".npy")) for member in arrays) or "none"
        raise DataError(f"{path}: must hold one array, or one named 'images'; it holds {names}")
    try:
        return cast(io.BufferedIOBase, stack.enter_context(archive.open(chosen[0]))), chosen[0].file_size
    except Exception as error:  # encrypted, or a damaged header
        raise DataError(f"{path}: {chosen[0].filename} can't be read; save it again with numpy.savez") from error


def _header(path: Path, stream: io.BufferedIOBase) -> _Header:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, fortran, dtype = _READERS[npy.read_magic(stream)](stream)
    except Exception as error:  # of struct, ast, encodings, zlib; a KeyError for a version that holds no plain array
        raise DataError(f"{path}: is no array that numpy.save writes, or damaged; save it again") from error
    if dtype.hasobject:
        raise DataError(f"{path}: holds Python objects, whose reading could run any code; save it as uint8")
    if not (dtype == np.uint8 or (dtype.kind == "u" and dtype.itemsize == 2) or dtype.kind == "f"):
        raise DataError(f"{path}: is of type {dtype}; save it as uint8, uint16, or floats in [0, 1]")
    if fortran and len(shape) > 1:
        raise DataError(f"{path}: its rows don't lie together; save numpy.ascontiguousarray of it")
    last = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))
    if not (last or (len(shape) == 4 and shape[1] in (1, 3))) or min(shape) < 1:
        raise DataError(f"{path}: has the shape {shape}; images are {_SHAPES}, none of them 0")
    return _Header(shape, dtype, channels_first=not last)


def _rows(path: Path, stream: io.BufferedIOBase, header: _Header, size: int) -> Iterator[Item]:
    digits = len(str(header.shape[0] - 1))
    for i in range(header.shape[0]):
        try:
            data = stream.read(size)
        except Exception as error:  # of zlib, of the checksum, of the disk
            raise DataError(f"{path}: is cut or damaged ({error}); save it again") from error
        if len(data) < size:
            raise DataError(f"{path}: is cut or damaged; save it again")
        row = np.frombuffer(data, dtype=header.dtype).reshape(header.shape[1:])
        if header.dtype.kind == "f" and (wrong := row[~((row >= 0) & (row <= 1))]).size:
            raise DataError(
                f"{path}, image {i} (counted from 0): the value {wrong[0]} is outside [0, 1]; scale the floats, or "
                "save them as uint8"
            )
        pixels = row.transpose(1, 2, 0) if header.channels_first else row.reshape(*row.shape[:2], -1)
        yield Item(f"{i:0{digits}d}", size, lambda pixels=pixels: pixels)
