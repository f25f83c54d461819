"""What a file tells of who wrote it, and where: all that is in it is searched, unpacked."""

import base64
import io
import platform
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from PIL import Image

USER, HOST, FOLDER = "zebediah", "host-of-zebediah", "patients of Dr Quirrell"
WORDS = (USER, HOST, FOLDER, "Quirrell", *(name for name in [platform.node()] if len(name) > 5))
"""Names of this test's writer, and that of the machine where it is long enough to be told from a word."""
PLACE = re.compile(rb"(?<![\w.~:/\\<-])/(?:home|root|tmp|usr|var|mnt|opt|srv|work|private|Users)/[^\s\"'<]+")
"""The beginning of an absolute path."""
_FORMS = "utf-8", "utf-16-le", "utf-32-le"
_DATA = re.compile(rb"data:[a-z]+/[a-z+-]+;base64,([A-Za-z0-9+/=]+)")


def told(content: bytes) -> set[str]:
    """What some bytes tell of their writer; empty: nothing."""
    found: set[str] = set()
    for part in _unpacked(content):
        found |= {
            word for word in WORDS if any(word.encode(form) in part for form in ("utf-8", "utf-16-le", "utf-32-le"))
        }
        found |= {match[0].decode(errors="replace") for match in PLACE.finditer(part)}
    return found


def _unpacked(content: bytes) -> Iterator[bytes]:
    """The bytes themselves and, of the formats that a run folder holds, what is packed in them."""
    yield content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield archive.comment
            for member in archive.infolist():
                yield member.filename.encode() + member.comment + member.extra
                yield from _unpacked(archive.read(member))
    elif content.startswith(b"PAR1"):
        yield pl.read_parquet(io.BytesIO(content)).write_json().encode()
        yield str(pl.read_parquet_metadata(io.BytesIO(content))).encode()
    elif content.startswith(b"\x89PNG"):
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            yield str(picture.info).encode()
    for embedded in _DATA.finditer(content):
        yield from _unpacked(base64.b64decode(embedded[1]))


def files(folder: Path) -> list[Path]:
    """All files of a folder: logs and locks, too."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]
