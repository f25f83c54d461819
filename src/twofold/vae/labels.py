"""Attributes of images that are known: the avatars', class folders, or a file of labels."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from twofold.counts.csv import parse_table
from twofold.engine.errors import DataError, InputError

FOLDERS = 2, 100
"""Least and largest number of folders that are taken for classes."""


_UNKNOWN = {"", "na", "n/a", "nan", "null"}


@dataclass(frozen=True)
class Labels:
    """Known attributes of the images.

    Attributes:
        table: `name` and a column of text per attribute, one row for each image in the images' order; null: unknown.
        origin: where they come from: the embedded avatars, the images' first folders, or a file.
        unmatched: names in the file that are no image's.
    """

    table: pl.DataFrame
    origin: Literal["avatars", "folders", "file"]
    unmatched: tuple[str, ...] = ()

    def digest(self, images: str) -> str:
        """Digest of a run's data: that of its images, and where labels were given, of both."""
        if self.origin != "file":
            return images
        return hashlib.sha256(f"{images}\n{self.table.write_csv()}".encode()).hexdigest()


def folder_labels(names: Sequence[str]) -> Labels | None:
    """The first folder of every image's name as its class; None unless all lie in 2 to 100 of them.

    Example:
        >>> folder_labels(["cats/1.png", "dogs/x/2.png"]).table["folder"].to_list()
        ['cats', 'dogs']
        >>> folder_labels(["cats/1.png", "2.png"]) is None
        True
    """
    folders = [name.partition("/")[0] for name in names if "/" in name]
    if len(folders) < len(names) or not FOLDERS[0] <= len(set(folders)) <= FOLDERS[1]:
        return None
    return Labels(pl.DataFrame({"name": names, "folder": folders}), "folders")


def read_labels(path: Path, names: Sequence[str]) -> Labels:
    """The labels of a CSV file: its first column holds the images' names, each further one an attribute.

    A name is that of an image within its folder or archive, or only its last part where no two images share it.

    Raises:
        InputError: when no name is an image's; shows some of both.
        DataError: when the file can't be read, has no attribute, or names an image or an attribute twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"--labels {path}: can't be read ({error.strerror}); check the path") from error
    if not data.strip():
        raise DataError(f"--labels {path}: the file is empty; it needs a header, and a row for each image")
    table = parse_table(str(path), data)
    table.check_rectangular(1)
    header, *rows = table.rows
    if len(header) < 2 or not rows:
        raise DataError(f"{path}: needs a header, a column of names, a column for each attribute, and rows of images")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice or "name" in header[1:]:
        raise DataError(f"{path}, row 1: column {(twice or ['name'])[0]!r} stands there twice; name each column once")
    known = _places(names)
    cells: dict[int, list[str]] = {}
    unmatched = []
    for row, (name, *values) in enumerate(rows, 1):
        image = known.get(name)
        if image is None:
            unmatched.append(name)
        elif image in cells:
            raise DataError(f"{table.place(row, 0)}: a second row for the image {name}; keep one of them")
        else:
            cells[image] = values
    if not cells:
        raise InputError(
            f"--labels {path}: none of its {len(rows):,} names is an image's; they look like "
            f"{', '.join(unmatched[:3])}, the images' like {', '.join(names[:3])}"
        )
    columns = {
        attribute: [
            None if image not in cells or cells[image][k].lower() in _UNKNOWN else cells[image][k]
            for image in range(len(names))
        ]
        for k, attribute in enumerate(header[1:])
    }
    schema = {"name": pl.String, **dict.fromkeys(columns, pl.String)}
    return Labels(pl.DataFrame({"name": names, **columns}, schema=schema), "file", tuple(unmatched))


def _places(names: Sequence[str]) -> dict[str, int]:
    """Every name that an image may be called by, with its row."""
    last = Counter(name.rpartition("/")[2] for name in names)
    short = {name.rpartition("/")[2]: row for row, name in enumerate(names) if last[name.rpartition("/")[2]] == 1}
    return short | {name: row for row, name in enumerate(names)}
