"""Files of a run folder: written atomically, and read with an error that names what is missing."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.engine.errors import RunFolderError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

ASIDE = ".aside-"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file under another name and renames it, so that no reader sees a part of it; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{ASIDE}{os.getpid()}-{path.name}")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
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


def required(folder: Path, name: str) -> Path:
    """The path of a file that a page is made from.

    Raises:
        RunFolderError: when it is missing.
    """
    path = folder / name
    if not path.is_file():
        raise RunFolderError(
            f"{folder}: {name} is missing, so there is nothing to report; run the same command again first"
        )
    return path


def text(folder: Path, name: str) -> str:
    """The text of one file of a folder."""
    return required(folder, name).read_text(encoding="utf-8")


def table(folder: Path, name: str) -> "pl.DataFrame":
    """The table in one Parquet file of a folder."""
    import polars as pl

    return pl.read_parquet(required(folder, name))


def arrays(folder: Path, name: str) -> "dict[str, np.ndarray]":
    """The arrays in one npz file of a folder, by name."""
    import numpy as np

    with np.load(required(folder, name)) as held:
        return dict(held)
