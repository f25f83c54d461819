"""What every source of images hands out: a file by name that may be an image, or one that is none, and why."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MAX_BYTES = 256 * 2**20
"""A longer file is no image that anybody meant; nothing is read beyond, whatever an archive claims."""
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


class Damage(Exception):  # noqa: N818  (it never leaves the decoding: it becomes a Skipped)
    """What is wrong with one file, in the words of `Skipped.reason`."""


@dataclass(frozen=True)
class Skipped:
    """A file that gave no image: its path within the source, and why, in a few words."""

    name: str
    reason: str


class Item(NamedTuple):
    """A file that may be an image.

    Attributes:
        name: its path within the source, with slashes.
        size: how many bytes `read` will give, about.
        read: gives the file's bytes, or an array's row as [h, w, c]; may be called in any thread, raises Damage.
    """

    name: str
    size: int
    read: Callable[[], bytes | np.ndarray]


Entries = tuple[int, Iterator[Item | Skipped]]
"""How many files a source holds (0 where only reading to its end tells), and each of them."""


def image_kind(head: bytes) -> str | None:
    """The image format that a file's first 12 bytes announce; None for another file."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for mark, kind in _MARKS.items() if head.startswith(mark)), None)


def is_archive(head: bytes) -> bool:
    """Whether a file's first 512 bytes announce a zip or what `is_tar` knows."""
    return head.startswith(ZIP) or is_tar(head)


def is_tar(head: bytes) -> bool:
    """Whether a file's first 512 bytes announce a tar; compressed files count, since it may be one of those."""
    return head.startswith(tuple(COMPRESSED.values())) or head[257:262] == b"ustar"


def shown(name: str) -> str:
    """A name without the lone surrogates that stand for bytes of no encoding, and that no UTF-8 file takes."""
    return name.encode("utf-8", "backslashreplace").decode()


def hidden(name: str) -> bool:
    """Whether a file is one that systems leave behind and that nobody meant as an image.

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
