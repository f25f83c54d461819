"""Attributes of images that are known: the avatars', class folders, labels in an archive, or a file of labels."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from twofold.counts.csv import parse_table
from twofold.engine.errors import DataError, InputError
from twofold.vae.images.arrays import array_labels
from twofold.vae.images.load import Images, own_parts

FOLDERS = 2, 100
"""Least and largest number of folders or labels of an archive that are taken for classes."""


_UNKNOWN = {"", "na", "n/a", "nan", "null"}


@dataclass(frozen=True)
class Labels:
    """Known attributes of the images.

    Attributes:
        table: `name` and a column of text per attribute, one row for each image in the images' order; null: unknown.
        origin: where they come from: the embedded avatars, the images' folders, the archive of arrays, or a file.
        unmatched: names in the file that are no image's.
    """

    table: pl.DataFrame
    origin: Literal["avatars", "folders", "archive", "file"]
    unmatched: tuple[str, ...] = ()

    def digest(self, images: str) -> str:
        """Digest of a run's data: that of its images, and where labels were given, of both."""
        if self.origin != "file":
            return images
        return hashlib.sha256(f"{images}\n{self.table.write_csv()}".encode()).hexdigest()


def folder_labels(names: Sequence[str]) -> Labels | None:
    """The first folder of every image's name as its class; None unless all lie in 2 to 100 of them.

    Folders of a set's own parts are no classes: those below them are.

    Example:
        >>> folder_labels(["cats/1.png", "dogs/x/2.png"]).table["folder"].to_list()
        ['cats', 'dogs']
        >>> folder_labels(["cats/1.png", "2.png"]) is None
        True
    """
    parts = own_parts(names)
    below = [rest for _, rest in parts] if all(part for part, _ in parts) else names
    folders = [name.partition("/")[0] for name in below if "/" in name]
    if len(folders) < len(names) or not FOLDERS[0] <= len(set(folders)) <= FOLDERS[1]:
        return None
    return Labels(pl.DataFrame({"name": names, "folder": folders}), "folders")


def archive_labels(path: Path, images: Images) -> Labels | None:
    """The classes that an .npz of images holds beside them; None where there are none, or not 2 to 100 of them.

    Raises:
        DataError: when they are damaged.
    """
    if images.choice is None or not images.choice.labels:
        return None
    found = array_labels(path, images.choice)
    if not FOLDERS[0] <= len(set(found.values())) <= FOLDERS[1]:
        return None
    table = {"name": images.names, "label": [found.get(name) for name in images.names]}
    return Labels(pl.DataFrame(table, schema={"name": pl.String, "label": pl.String}), "archive")


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
