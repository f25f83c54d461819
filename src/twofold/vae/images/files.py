"""A path as a source of images: its kind, a stamp that detects changes, and the files in it."""

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from twofold.engine.errors import DataError
from twofold.vae.images.archives import tar_items, zip_items
from twofold.vae.images.arrays import NPY, Choice, array_items, choose
from twofold.vae.images.items import (
    FORMATS,
    HIDDEN,
    ZIP,
    Damage,
    Entries,
    Item,
    Skipped,
    check_length,
    fingerprint,
    hidden,
    image_kind,
    is_tar,
    limited,
    shown,
)


class Stamp(NamedTuple):
    """Detects, without reading the files, that a source has changed: a hash of names, sizes, modes and times."""

    place: str
    fingerprint: str
    newest: int  # the latest time of change of a file, in nanoseconds
    taken: int  # when the stamp was made


@dataclass(frozen=True)
class Source:
    """A folder or file of images.

    `content` reads everything and returns its hash, equal for equal content wherever it lies; `items` opens it: see
    Entries. The files are sorted by name but for a tar's. `choice` says which arrays of an
    .npz are read, `own` whether its own parts were asked for.
    """

    path: Path
    stamp: Stamp
    content: Callable[[], str]
    items: Callable[[], AbstractContextManager[Entries]]
    own: bool = False
    choice: Choice | None = None


def open_source(path: Path, key: str = "", own: bool = False) -> Source:
    """Determines the kind of a source by its first bytes; reads no image.

    Args:
        path: a folder of any depth, a zip, a tar (also compressed), an array (.npy, .npz), or one image file.
        key: name of the array of an .npz.
        own: take an .npz's own parts; of other sources all is read, whatever its part.

    Raises:
        DataError: when the path does not exist, can't be read, or is no source of images; when an array is named and it
            is no .npz that holds it, and when an array has no parts of its own.
    """
    if key and path.suffix.lower() != ".npz":
        raise DataError(f"{path}: --image.key {key} names an array of an .npz, which this is not; leave it out")
    taken = time.time_ns()
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return _folder(path, taken)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            raise DataError(f"{path}: is neither a file nor a folder; give a folder, zip, tar, npy, npz or image")
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder; check the path given with --images") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read it; ask its owner, or copy it") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); copy or download it again") from error
    kind, items, choice = _kind(path, head, key, own)
    place = str(path.resolve())
    stamp = Stamp(place, fingerprint([kind, status.st_size, status.st_mtime_ns]), status.st_mtime_ns, taken)

    def content() -> str:
        try:
            with path.open("rb") as file:
                name = path.name if kind == "image" else ""
                return f"{kind}:{name}{hashlib.file_digest(file, hashlib.blake2b).hexdigest()}"
        except OSError as error:
            raise DataError(f"{path}: can't be read ({error.strerror}); copy or download it again") from error

    return Source(path, stamp, content, items, own, choice)


def _kind(
    path: Path, head: bytes, key: str, own: bool
) -> tuple[str, Callable[[], AbstractContextManager[Entries]], Choice | None]:
    suffix = path.suffix.lower()
    if not head:
        raise DataError(f"{path}: the file is empty; copy or download it again")
    if suffix == ".npz":  # a zip by its content
        choice = choose(path, key, own)
        return "npz", partial(array_items, path, choice), choice
    if head.startswith(NPY) or suffix == ".npy":
        if own:
            raise DataError(f"{path}: is one array, with no parts of its own; leave --split.own out")
        return "npy", partial(array_items, path), None
    if head.startswith(ZIP) or suffix == ".zip":
        return "zip", partial(zip_items, path), None
    if is_tar(head) or suffix == ".tar":
        return "tar", partial(tar_items, path), None
    if image_kind(head):
        return "image", partial(_image_items, path), None
    raise DataError(
        f"{path}: is no folder, zip, tar, npy, npz or image; put the images into a folder and give that ({FORMATS})"
    )


@contextlib.contextmanager
def _image_items(path: Path) -> Iterator[Entries]:
    """One image file."""
    status = path.stat()
    name = shown(path.name)
    file = _File(name, str(path), status.st_size, status.st_mtime_ns, status.st_mode)
    yield 1, iter([Item(name, file.size, partial(_read, file))])


class _File(NamedTuple):
    name: str
    path: str
    size: int
    changed: int
    mode: int  # giving permission to read changes nothing else


def _folder(root: Path, taken: int) -> Source:
    found = sorted(_walk(root), key=lambda entry: entry.name)
    facts = [[e.name, e.size, e.changed, e.mode] if isinstance(e, _File) else [e.name, e.reason] for e in found]
    newest = max((entry.changed for entry in found if isinstance(entry, _File)), default=0)
    stamp = Stamp(str(root.resolve()), fingerprint(facts), newest, taken)

    def content() -> str:
        digest = hashlib.blake2b()
        for entry in found:
            try:
                content = hashlib.blake2b(_read(entry)).hexdigest() if isinstance(entry, _File) else entry.reason
            except Damage as damage:
                content = str(damage)
            digest.update(json.dumps([entry.name, content]).encode())
        return f"folder:{digest.hexdigest()}"

    @contextlib.contextmanager
    def items() -> Iterator[Entries]:
        yield len(found), (e if isinstance(e, Skipped) else Item(e.name, e.size, partial(_read, e)) for e in found)

    return Source(root, stamp, content, items)


def _walk(root: Path) -> Iterator[_File | Skipped]:
    pending = [(str(root), "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            if not prefix:
                raise
            yield Skipped(prefix, _cannot_read(error))
            continue
        for entry in entries:
            name = prefix + shown(entry.name)
            if entry.is_dir(follow_symlinks=False):
                pending.append((entry.path, f"{name}/"))
            else:
                yield _listed(entry, name)


def _listed(entry: os.DirEntry[str], name: str) -> _File | Skipped:
    if hidden(name):
        return Skipped(name, HIDDEN)
    try:
        status = entry.stat()
    except OSError as error:
        return Skipped(name, "broken link" if entry.is_symlink() else _cannot_read(error))
    if stat.S_ISDIR(status.st_mode):
        return Skipped(name, "link to a folder")  # following it could go round in circles
    if not stat.S_ISREG(status.st_mode):
        return Skipped(name, "not a regular file")
    return _File(name, entry.path, status.st_size, status.st_mtime_ns, status.st_mode)


def _cannot_read(error: OSError) -> str:
    return "no permission to read it" if isinstance(error, PermissionError) else f"can't be read ({error.strerror})"


def _read(file: _File) -> bytes:
    check_length(file.size)
    try:
        with Path(file.path).open("rb") as opened:
            return limited(opened)
    except OSError as error:
        raise Damage(_cannot_read(error)) from error
