"""Images in zip and tar archives: members are read in place, never unpacked to disk; a damaged one stops no other."""

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from twofold.engine.errors import DataError
from twofold.engine.unpack import allowed_archive, too_much
from twofold.vae.images.items import (
    COMPRESSED,
    HIDDEN,
    MAX_BYTES,
    TWICE,
    Damage,
    Entries,
    Item,
    Skipped,
    check_length,
    hidden,
    limited,
    shown,
)

ARCHIVE_END = "(end of archive)"
"""Name under which the damaged end of a tar is listed."""
_OPENERS = {"gzip": gzip.GzipFile, "bzip2": bz2.BZ2File, "xz": lzma.LZMAFile}
_BLOCK = 512  # bytes, of a tar
_TAIL = 22 + 2**16  # bytes: the end record of a zip's directory, and the longest comment
_ZIP64 = 2**16 - 1  # files: the true number is in the zip64 record


@contextlib.contextmanager
def zip_items(path: Path) -> Iterator[Entries]:
    """Opens a zip.

    Yields:
        The number of its files, and the files sorted by name.

    Raises:
        DataError: when the directory at its end is missing or damaged, or its files claim to be far larger than it is.
    """
    packed = path.stat().st_size
    with opened_zip(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > allowed_archive(packed):
            raise DataError(f"{path}: {too_much(packed)}")
        files = (member for member in archive.infolist() if not (member.is_dir() and member.file_size == 0))
        members = sorted(files, key=lambda member: member.filename)
        yield len(members), _zip_members(archive, members)


def opened_zip(path: Path) -> zipfile.ZipFile:
    """The opened zip; raises a DataError as `zip_items` does."""
    try:
        archive = zipfile.ZipFile(path)
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            tail = file.read()
        # The number of files (modulo 2**16) in the end record: zipfile does not check it.
        promised = int.from_bytes(tail[tail.rindex(b"PK\x05\x06") :][10:12], "little")
        if promised not in (_ZIP64, len(archive.infolist()) % 2**16):
            raise Damage("other files than promised")
    except Exception as error:  # a damaged directory leaks errors of struct, of encodings, of seeking
        raise DataError(f"{path}: the zip's directory is missing or damaged; copy or download it again") from error
    return archive


def _zip_members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[Item | Skipped]:
    lock, last = threading.Lock(), None
    for member in members:
        reason = TWICE if member.filename == last else _zip_refusal(member)
        last = member.filename
        if reason:
            yield Skipped(shown(member.filename), reason)
        else:
            yield Item(shown(member.filename), member.file_size, partial(_read_zipped, archive, member, lock))


def _zip_refusal(member: zipfile.ZipInfo) -> str | None:
    if hidden(member.filename):
        return HIDDEN
    if stat.S_ISLNK(member.external_attr >> 16):
        return "link within the archive"
    return "encrypted" if member.flag_bits & 0x1 else None


def _read_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo, lock: threading.Lock) -> bytes:
    check_length(member.file_size)
    try:
        # ZipFile counts its readers without a lock. Reading is a small part of the work: one at a time is fast enough.
        with lock, archive.open(member) as file:
            return limited(cast(io.BufferedIOBase, file))
    except NotImplementedError as error:
        raise Damage("compressed in a way that is not supported") from error
    except Exception as error:  # of zlib, bz2, lzma, struct, of encodings, of the checksum
        raise Damage("damaged within the archive") from error


@contextlib.contextmanager
def tar_items(path: Path) -> Iterator[Entries]:
    """Opens a tar, compressed or not.

    Yields:
        0, and its files in their order. An end that can't be read is listed as ARCHIVE_END.

    Raises:
        DataError: when not even its beginning can be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            with path.open("rb") as file:
                head = file.read(6)
            kind = next((kind for kind, mark in COMPRESSED.items() if head.startswith(mark)), None)
            packed = path.stat().st_size
            opened = stack.enter_context(_OPENERS[kind](path) if kind else path.open("rb"))
            stream = _Bounded(opened, packed)
            tar = stack.enter_context(tarfile.open(fileobj=cast(Any, stream), mode="r:"))
        except Exception as error:  # of zlib, lzma, struct, of tarfile
            raise DataError(f"{path}: can't be opened as a tar; copy or download it again") from error
        yield 0, _tar_members(tar, stream)


class _Bomb(Exception):  # noqa: N818  (never reaches the user: it becomes a Skipped)
    """An archive that unpacks to far more than it is."""


class _Bounded:
    """A file that returns no block longer than MAX_BYTES, and none too far behind: a tar's header may claim terabytes.

    Attributes:
        last: the block that was read last.
    """

    def __init__(self, file: io.BufferedIOBase, packed: int) -> None:
        self._file, self._packed = file, packed
        self.tell = file.tell
        self.last = b""

    def seek(self, place: int) -> int:
        self._check(place)
        return self._file.seek(place)

    def read(self, size: int) -> bytes:
        check_length(size)
        self._check(self._file.tell() + size)
        self.last = self._file.read(size)
        return self.last

    def _check(self, place: int) -> None:
        if place > allowed_archive(self._packed):
            raise _Bomb(too_much(self._packed))


def _tar_members(tar: tarfile.TarFile, stream: _Bounded) -> Iterator[Item | Skipped]:
    seen: set[str] = set()
    try:
        while (member := tar.next()) is not None:
            if member.isdir():
                continue
            name = shown(member.name)
            reason = TWICE if member.name in seen else _tar_refusal(member)
            seen.add(member.name)
            if reason:
                yield Skipped(name, reason)
                continue
            try:
                data = limited(cast(io.BufferedIOBase, tar.extractfile(member)))
            except Exception:
                yield Skipped(name, "truncated or damaged within the archive")
                raise
            yield Item(name, len(data), lambda data=data: data)
        # Tarfile also takes a damaged header for the end: the last one must be zero, and only zeros may follow.
        # Reading on also verifies the checksum at the end of a compressed file.
        if stream.last != bytes(_BLOCK):
            raise Damage("no end mark")
        while block := stream.read(2**20):
            if block.count(0) != len(block):
                raise Damage("data after the end")
    except _Bomb as bomb:
        yield Skipped(ARCHIVE_END, str(bomb))
    except Exception:  # noqa: BLE001  (of zlib, lzma, struct, of tarfile; what came before is good)
        yield Skipped(ARCHIVE_END, "damaged: what follows was not read, or its checksum is wrong")


def _tar_refusal(member: tarfile.TarInfo) -> str | None:
    if hidden(member.name):
        return HIDDEN
    if member.issym() or member.islnk():
        return "link within the archive"
    if not member.isreg():
        return "not a regular file"
    return f"too large: more than {MAX_BYTES // 2**20} MiB" if member.size > MAX_BYTES else None
