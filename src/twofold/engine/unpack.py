"""What packed bytes may become: the one rule against bombs, and what the readers of packed files raise on damaged ones.

A few kilobytes may unpack to terabytes. The ratio alone can't tell: a sound table of zeros packs to a five-hundredth.
So a file may become FREE_BYTES whatever its size, RATIO times its size beyond that, and never more than LARGEST_BYTES.
Of an archive whose members are read one at a time, and never held together, FREE_ARCHIVE_BYTES are free, and there is
no largest size.
"""

import io
import lzma
import struct
import tokenize
import zipfile
import zlib
from typing import IO

from twofold.engine.errors import TwofoldError

FREE_BYTES = 64 * 2**20
FREE_ARCHIVE_BYTES = 4 * 2**30
RATIO = 200
LARGEST_BYTES = 2 * 2**30
_BLOCK = 2**16
PACKED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, RuntimeError)
"""What zipfile and the decompressors raise on damaged bytes; the last two are not documented (names that are no text,
places before the file, another compression, a password)."""
BROKEN = (
    *PACKED,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    SyntaxError,
    ImportError,
    tokenize.TokenError,
)
"""What numpy's reader of headers, which parses Python, and skops raise beside these, as `bench/fuzz.py` found."""


class TooMuchError(TwofoldError):
    """Packed bytes that unpack to more than the rule allows; its text says so, without the file's name."""

    def __init__(self, packed: int) -> None:
        super().__init__(
            f"unpacks from {packed:,} bytes to more than {allowed(packed) // 2**20:,} MiB, as bombs do: at most "
            f"{FREE_BYTES // 2**20} MiB, or {RATIO} times its size up to {LARGEST_BYTES // 2**30} GiB, are read; if it "
            "is sound, unpack it yourself"
        )


def allowed(packed: int) -> int:
    """Bytes that so many packed ones may become, where they are held as a whole.

    Example:
        >>> [allowed(packed) // 2**20 for packed in (1000, 2**20, 2**40)]
        [64, 200, 2048]
    """
    return max(FREE_BYTES, min(RATIO * packed, LARGEST_BYTES))


def allowed_archive(packed: int) -> int:
    """Bytes that an archive of so many may become, where its members are read one at a time."""
    return max(FREE_ARCHIVE_BYTES, RATIO * packed)


def too_much(packed: int) -> str:
    """What is said of such an archive that holds, or claims, more."""
    return (
        f"unpacks to more than {allowed_archive(packed) // 2**20:,} MiB, as bombs do; unpack a sound one into a folder"
    )


def unpack(stream: io.BufferedIOBase | IO[bytes], packed: int) -> bytes:
    """All that a decompressor gives, block by block.

    Args:
        stream: the decompressor.
        packed: bytes that it reads.

    Raises:
        TooMuchError: when that is more than is allowed; no more is read then.
    """
    content, most = bytearray(), allowed(packed)
    while block := stream.read(_BLOCK):  # all at once, a decompressor takes what the file claims
        content += block
        if len(content) > most:
            raise TooMuchError(packed)
    return bytes(content)


def members(packed: bytes) -> dict[str, bytes]:
    """The members of a zip that is held as a whole, unpacked and checked; a name that is there twice is refused.

    Raises:
        TooMuchError: when all of them together are more than is allowed.
        Exception: one of PACKED, when the zip is damaged.
    """
    most, found, size = allowed(len(packed)), {}, 0
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for member in archive.infolist():
            if member.filename in found:
                raise zipfile.BadZipFile(f"holds {member.filename!r} twice")
            with archive.open(member) as stream:
                content = bytearray()
                while block := stream.read(_BLOCK):
                    content += block
                    size += len(block)
                    if size > most:
                        raise TooMuchError(len(packed))
            found[member.filename] = bytes(content)
    return found
