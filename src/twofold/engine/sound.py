"""Whether a file is what was written: digests of a folder's files, in a journal among them.

A folder that twofold fills (a run, a hub's model, an entry of the cache of images) holds the journal `twofold.sha256`:
a line of SHA-256 and name for each file, as `sha256sum -c` reads it. A line is on the disk before its file is renamed
into place, and a file is sound when any line of its name is its own: a kill between the two leaves the old file sound.
A folder that an older version wrote has no journal, and its files are taken as they are.

A run's journal holds for the folders in it, too, any other for its own folder alone: a hub's model may lie in a folder
with other things in it.
"""

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from twofold.engine.errors import DamagedError, naming

JOURNAL, MANIFEST = "twofold.sha256", "manifest.json"
ASIDE, LOCK, LOG = ".aside-", ".lock", "log.txt"
LOOSE = (LOCK, LOG, "tensorboard", JOURNAL)
"""What a run folder holds that no journal does: files that are appended to."""
RACY_NS = 2 * 10**9
"""A file that changed this shortly before it was read may change again and show the same time (as in git)."""
_LINE = re.compile("(?P<digest>[0-9a-f]{64})  (?P<name>.+)", re.DOTALL)
_KNOWN: dict[tuple[int, ...], str] = {}


def record(path: Path, content: bytes) -> None:
    """Notes what a file is about to hold, where its folder has a journal."""
    if (folder := _home(path)) and ASIDE not in (name := _name(folder, path)):
        _append(folder / JOURNAL, _line(hashlib.sha256(content).hexdigest(), name))


def check(path: Path, content: bytes) -> None:
    """Refuses the content of a file when it is not what was written there; without a journal nothing is known.

    Raises:
        DamagedError: as it says.
    """
    _compare(path, lambda: hashlib.sha256(content).hexdigest())


def check_file(path: Path) -> None:
    """As `check`, for a file that is too large to be held; it is read once in a process while it stays as it is."""
    _compare(path, lambda: _digest_once(path))


def check_absent(path: Path) -> None:
    """Refuses that a file is missing when it was written there.

    Raises:
        DamagedError: as it says.
    """
    if (folder := _home(path)) and _name(folder, path) in _lines(folder):
        raise DamagedError(f"{path}: was written there and is missing")


def begin(folder: Path, *, adopt: bool = True) -> None:
    """Starts the journal of an existing folder, or tidies the one that is there.

    A tidy journal has one line for each file that is there. Nothing else may write to the folder meanwhile.

    Args:
        adopt: take up the files that an older version left there.
    """
    if not (folder / JOURNAL).is_file():
        there = [path for path in _files(folder) if not _loose(folder, path)] if adopt else []
        _write(folder, {_name(folder, path): _digest_once(path) for path in there})
        return
    kept: dict[str, str] = {}
    for name, known in _lines(folder).items():
        path = folder / name
        if path.is_file() and _home(path) == folder.absolute():
            # Of several lines the last may be that of a file which a kill kept from its place.
            there = _digest(path) if len(set(known)) > 1 else known[-1]
            kept[name] = there if there in known else known[-1]
    _write(folder, kept)


@dataclass(frozen=True)
class Audit:
    """What became of a folder's files; see `audit`. All names are relative to the folder.

    Attributes:
        sound: number of files that are what was written.
        changed: those that are not.
        missing: those that were written and are not there.
        unknown: those that are there and were not written by twofold, or before it kept a journal.
        journal: whether there is one.
    """

    sound: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    journal: bool = True

    @property
    def fine(self) -> bool:
        """Whether all that was written is there, as it was written."""
        return self.journal and not (self.changed or self.missing)


def audit(folder: Path) -> Audit:
    """Reads all files of a folder and compares them with its journal; those of runs within it are left out.

    Raises:
        OSError: when a file can't be read.
    """
    lines = _lines(folder) if (folder / JOURNAL).is_file() else None
    run = (folder / MANIFEST).is_file() or MANIFEST in (lines or ())
    there = {
        _name(folder, path): path
        for path in (_files(folder) if run else (item for item in sorted(folder.iterdir()) if item.is_file()))
        if not _loose(folder, path)
    }
    if lines is None:
        return Audit(0, (), (), tuple(there), journal=False)
    right = {name for name, path in there.items() if name in lines and _digest(path) in lines[name]}
    content = os.fsdecode((folder / JOURNAL).read_bytes()).split("\n")
    # A line of what is unfinished may be cut, or that of a file which a kill kept from its place.
    whole = (folder / "DONE").exists() if run else len(content) > 1
    changed = [name for name in there if name in lines and name not in right]
    if whole and any(line and not _LINE.fullmatch(line) for line in content):
        changed.append(JOURNAL)
    return Audit(
        len(right),
        tuple(changed),
        tuple(sorted(lines.keys() - there.keys())) if whole else (),
        tuple(name for name in there if name not in lines),
    )


def names(folder: Path) -> list[str]:
    """The files of which a folder's own journal has a line; none without a journal."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return list(_lines(folder))
    return []


def _compare(path: Path, digest: Callable[[], str]) -> None:
    folder = _home(path)
    if folder is None:
        return
    known = _lines(folder).get(_name(folder, path))
    if known is None:
        raise DamagedError(f"{path}: has no line in {JOURNAL}, so it is not known to be what was written there")
    if digest() not in known:
        raise DamagedError(f"{path}: its content is not what was written there (its SHA-256 is not that of {JOURNAL})")


def _home(path: Path) -> Path | None:
    """The folder whose journal holds a file, if any.

    Raises:
        DamagedError: when a run has lost its journal.
    """
    own, *above = path.absolute().parents
    if (own / JOURNAL).is_file():
        return own
    for folder in (own, *above):
        if (folder / MANIFEST).is_file():
            if (folder / JOURNAL).is_file():
                return folder
            if _had_one(folder / MANIFEST):
                raise DamagedError(f"{folder}: {JOURNAL} is missing, by which its files are checked")
            return None
    return None


def _had_one(manifest: Path) -> bool:
    try:
        return json.loads(manifest.read_bytes()).get("digests") == JOURNAL
    except (OSError, ValueError, AttributeError, RecursionError):  # of another program
        return False


def _name(folder: Path, path: Path) -> str:
    return path.absolute().relative_to(folder.absolute()).as_posix()


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder and below, without those of runs in it; links to folders are not followed."""
    for item in sorted(folder.iterdir()):
        if item.is_file():
            yield item
        elif item.is_dir() and not item.is_symlink() and not (item / MANIFEST).is_file():
            yield from _files(item)


def _loose(folder: Path, path: Path) -> bool:
    first = path.relative_to(folder).parts[0]
    return first in LOOSE or path.name.startswith(ASIDE)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_once(path: Path) -> str:
    """The digest of a file, read once in a process unless it has changed.

    One that changed just now, by whatever clock, may change again and show the same time.
    """
    there = path.stat()
    key = there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns
    if key not in _KNOWN:
        digest = _digest(path)
        if time.time_ns() - there.st_ctime_ns < RACY_NS:
            return digest
        _KNOWN[key] = digest
    return _KNOWN[key]


def _line(digest: str, name: str) -> bytes:
    return os.fsencode(f"{digest}  {name}\n")


def _lines(folder: Path) -> dict[str, list[str]]:
    """The digests of each name, the oldest first; a line that is cut or damaged is none."""
    found: dict[str, list[str]] = {}
    for line in os.fsdecode((folder / JOURNAL).read_bytes()).split("\n"):
        if match := _LINE.fullmatch(line):
            found.setdefault(match["name"], []).append(match["digest"])
    return found


def _append(journal: Path, line: bytes) -> None:
    with journal.open("ab+", buffering=0) as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line  # the last writer was cut off
        written = file.write(line)
        if written != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(journal))
        os.fsync(file.fileno())


def _write(folder: Path, digests: dict[str, str]) -> None:
    aside = folder / f"{ASIDE}{os.getpid()}-{JOURNAL}"
    try:
        with naming(folder / JOURNAL), aside.open("wb") as file:
            file.write(b"".join(_line(digest, name) for name, digest in digests.items()))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / JOURNAL)
    finally:
        aside.unlink(missing_ok=True)
