"""Files of run folders, models and caches: written atomically, and read only when they are what was written.

Every file is written by `write_bytes` and its kin, and read by `read_bytes` and its kin; see `engine.sound`.
"""

import contextlib
import io
import json
import logging
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.engine import sound
from twofold.engine.errors import DamagedError, RunFolderError, naming
from twofold.engine.parquet import read_parquet
from twofold.engine.unpack import BROKEN, TooMuchError, members

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_SAYS = logging.getLogger("twofold")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file under another name and renames it, so that no reader sees a part of it; makes its folder.

    Raises:
        OSError: when it can't be written; names the file.
    """
    aside = path.with_name(f"{sound.ASIDE}{os.getpid()}-{path.name}")
    try:
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            sound.record(path, content)
            aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """As `write_bytes`, for text in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """As `write_bytes`, for a value as indented JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_parquet(path: Path, frame: "pl.DataFrame") -> None:
    """As `write_bytes`, for a table."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_bytes(path, buffer.getvalue())


def write_csv(path: Path, frame: "pl.DataFrame") -> None:
    """As `write_bytes`, for a table as text; a missing value is an empty field."""
    write_text(path, frame.write_csv())


def write_arrays(path: Path, **arrays: "np.ndarray") -> None:
    """As `write_bytes`, for arrays in one npz file."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]  (its stub takes no dict of arrays)
    write_bytes(path, buffer.getvalue())


def saver(folder: Path) -> Callable[[str, bytes], None]:
    """A function that writes files of a folder: (path within it, content)."""
    return lambda name, content: write_bytes(folder / name, content)


def read_bytes(path: Path) -> bytes:
    """The content of a file, which is what was written there.

    Raises:
        DamagedError: when it is not.
        RunFolderError: when it is missing or can't be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        sound.check_absent(path)
        raise RunFolderError(
            f"{path.parent}: {path.name} is missing; run the command that writes it again, or restore it from a copy"
        ) from None
    except OSError as error:
        raise RunFolderError(f"{path}: can't be read ({error.strerror})") from error
    sound.check(path, content)
    return content


def text(folder: Path, name: str) -> str:
    """The text of one file of a folder; errors as of `read_bytes`, and a RunFolderError when it is no text."""
    try:
        return read_bytes(folder / name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunFolderError(f"{folder / name}: is no text in UTF-8 ({error}); restore it from a copy") from error


def table(folder: Path, name: str) -> "pl.DataFrame":
    """The table in one Parquet file of a folder; errors as of `read_bytes`, and a DataError when it is none."""
    return read_parquet(str(folder / name), read_bytes(folder / name), lists=True)


def arrays(folder: Path, name: str) -> "dict[str, np.ndarray]":
    """The arrays in one npz file of a folder; errors as of `read_bytes`, and a RunFolderError when it is none."""
    content = read_bytes(folder / name)
    try:
        return {each.removesuffix(".npy"): array(packed) for each, packed in members(content).items()}
    except (TooMuchError, *BROKEN) as error:
        raise RunFolderError(f"{folder / name}: can't be read as arrays ({error}); restore it from a copy") from error


def array(content: bytes) -> "np.ndarray":
    """The array in the bytes of a npy file, none of which is unpickled.

    Raises:
        ValueError: when its header claims other bytes than there are.
        Exception: one of `unpack.BROKEN`, when the header is damaged.
    """
    import numpy as np

    stream = io.BytesIO(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own on the header, which numpy parses as Python
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(stream)
        if any(not isinstance(length, int) or length < 0 for length in shape):
            raise ValueError(f"an array of shape {shape}")
        needed = math.prod(shape) * dtype.itemsize  # read_array would ask for that much memory
        if len(content) - stream.tell() != needed:
            raise ValueError(f"an array of {len(content):,} bytes that claims {needed:,}")
        return np.load(io.BytesIO(content), allow_pickle=False)


def mapped(path: Path) -> "np.ndarray":
    """The array in a npy file, mapped and read-only; checked once in a process. Errors as of `read_bytes`."""
    import numpy as np

    sound.check_file(path)
    return np.load(path, mmap_mode="r")


def there(folder: Path, name: str) -> bool:
    """Whether a folder holds a file that not all folders of its kind do.

    Raises:
        DamagedError: when it was written there and is missing.
    """
    if (folder / name).is_file():
        return True
    sound.check_absent(folder / name)
    return False


def usable(*paths: Path) -> bool:
    """Whether the files of a part that can be made again are there, all of them as they were written.

    The log says of one that was changed that it is made again.
    """
    try:
        for path in paths:
            if not path.exists():
                return False
            sound.check_file(path)
    except DamagedError as error:
        _SAYS.warning("%s; it is made again", error.what)
        return False
    except OSError as error:
        _SAYS.warning("%s: can't be read (%s); it is made again", error.filename, error.strerror)
        return False
    return True
