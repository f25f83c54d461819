"""The entries of every source of images: files that may be images, and skipped files with the reason."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MAX_BYTES = 256 * 2**20
"""Longer files are skipped; nothing beyond is read, whatever an archive claims."""
FORMATS = "PNG, JPEG, WebP, GIF, BMP and TIFF are read"
HIDDEN = "hidden or system file"
TWICE = "second file of this name in the archive"
_BLOCK = 2**16
_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini"}
_MARKS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"),
}
ZIP = b"PK\x03\x04", b"PK\x05\x06"
COMPRESSED = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}


class Damage(Exception):  # noqa: N818  (never reaches the user: it becomes a Skipped)
    """A file that can't be read as an image; its text is `Skipped.reason`."""


@dataclass(frozen=True)
class Skipped:
    """A file that gave no image: its path within the source, and why, in a few words."""

    name: str
    reason: str


class Item(NamedTuple):
    """A file that may be an image.

    Attributes:
        name: its path within the source, with slashes.
        size: approximate number of bytes.
        read: returns the file's bytes, or an array's row as [h, w, c]; may be called in any thread, raises Damage.
    """

    name: str
    size: int
    read: Callable[[], bytes | np.ndarray]


Entries = tuple[int, Iterator[Item | Skipped]]
"""The number of files of a source (0 where unknown before its end), and each of them."""


def image_kind(head: bytes) -> str | None:
    """The image format by a file's first 12 bytes; None for another file."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for mark, kind in _MARKS.items() if head.startswith(mark)), None)


def is_archive(head: bytes) -> bool:
    """Whether a file's first 512 bytes are those of a zip, a tar or a compressed file."""
    return head.startswith(ZIP) or is_tar(head)


def is_tar(head: bytes) -> bool:
    """Whether a file's first 512 bytes are those of a tar or of a compressed file, which may hold one."""
    return head.startswith(tuple(COMPRESSED.values())) or head[257:262] == b"ustar"


def shown(name: str) -> str:
    """A name with bytes that are not UTF-8 (lone surrogates) escaped, so that it can be written."""
    return name.encode("utf-8", "backslashreplace").decode()


def hidden(name: str) -> bool:
    """Whether a file is hidden or one that an operating system left.

    Example:
        >>> [hidden(name) for name in ("a/.git/x.png", "__MACOSX/._a.png", "./a.png")]
        [True, True, False]
    """
    return any(
        part.casefold() in _SYSTEM or (part.startswith(".") and part not in (".", "..")) for part in name.split("/")
    )


def limited(file: io.BufferedIOBase) -> bytes:
    """All that a file holds.

    Raises:
        Damage: when that is more than MAX_BYTES.
    """
    data = bytearray()
    while block := file.read(_BLOCK):  # a larger block would be allocated whole for each small file
        data += block
        check_length(len(data))
    return bytes(data)


def check_length(size: int) -> None:
    """Raises a Damage when a file is, or claims to be, longer than MAX_BYTES."""
    if size > MAX_BYTES:
        raise Damage(f"too large: more than {MAX_BYTES // 2**20} MiB")


def fingerprint(facts: object) -> str:
    """BLAKE2b-128 in hex of what JSON can hold."""
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
