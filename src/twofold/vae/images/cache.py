"""Folders that are computed once and kept: whole or not there, shared by runs, made by one process at a time."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from twofold.engine.errors import InputError
from twofold.engine.files import write_json
from twofold.vae.images.files import Stamp
from twofold.vae.images.items import fingerprint

MANIFEST = "entry.json"
RACY_NS = 2 * 10**9
"""A file that changed this shortly before it was read may change again and show the same time (as in git)."""
_CHECKED = 16 * 2**20


def default_folder() -> Path:
    """Where entries are kept unless --cache says otherwise: $TWOFOLD_CACHE, or a folder in the user's cache."""
    if chosen := os.environ.get("TWOFOLD_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "twofold"


def entry(folder: Path, key: str, build: Callable[[Path], None]) -> Path:
    """An entry of the cache, built now if it is not there whole.

    The entry is built aside and renamed, so that a process that is killed leaves none that looks whole. A second
    process that wants the same entry waits for the first and takes what it built.

    Args:
        folder: the cache.
        key: names the entry; letters and digits that depend on all that `build` depends on.
        build: writes the entry's files into the empty folder that it is given.

    Returns:
        The entry's folder; nobody writes there any more.

    Raises:
        InputError: when the cache can't be written.
    """
    final, aside = folder / "entries" / key, folder / "aside" / key
    if _whole(final):
        return final
    try:
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        with FileLock(_lock(folder, key)):
            _remove_dead(folder, key)
            if not _whole(final):
                shutil.rmtree(final, ignore_errors=True)
                final.parent.mkdir(exist_ok=True)
                aside.mkdir(parents=True)
                try:
                    build(aside)
                    write_json(aside / MANIFEST, {path.name: _facts(path) for path in sorted(aside.iterdir())})
                    aside.replace(final)
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{folder}: the cache can't be written there ({error.strerror or error}); make room or give another folder "
            "with --cache"
        ) from error
    return final


def _lock(folder: Path, key: str) -> Path:
    return folder / "locks" / f"{key}.lock"


def _facts(path: Path) -> list[int | str]:
    """Size of a file, and a checksum of its beginning; the whole of a large one would take too long each time."""
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.blake2b(file.read(_CHECKED), digest_size=16).hexdigest()]


def _whole(final: Path) -> bool:
    try:
        facts = json.loads((final / MANIFEST).read_text(encoding="utf-8"))
        return all(_facts(final / name) == known for name, known in facts.items())
    except (OSError, ValueError, AttributeError):
        return False


def _remove_dead(folder: Path, key: str) -> None:
    """Removes what killed writers left: whatever lies aside although nobody holds its lock."""
    shutil.rmtree(folder / "aside" / key, ignore_errors=True)
    for aside in folder.glob("aside/*"):
        try:
            with FileLock(_lock(folder, aside.name), timeout=0):
                shutil.rmtree(aside, ignore_errors=True)
        except Timeout:
            continue


def recall(folder: Path, stamp: Stamp) -> str | None:
    """The content that `remember` noted of a source, if it has not changed since."""
    try:
        noted = json.loads(_note(folder, stamp).read_text(encoding="utf-8"))
        return noted["content"] if noted["fingerprint"] == stamp.fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(folder: Path, stamp: Stamp, content: str) -> None:
    """Notes the content of a source, so that it need not be read again while its stamp stays.

    Nothing is noted of a source that changed within 2 s of its stamp (see RACY_NS), nor where the cache can only be
    read; the next time, it is read again.
    """
    if stamp.taken - stamp.newest < RACY_NS:
        return
    try:
        write_json(_note(folder, stamp), {"fingerprint": stamp.fingerprint, "content": content})
    except OSError:
        return


def _note(folder: Path, stamp: Stamp) -> Path:
    return folder / "index" / f"{fingerprint(stamp.place)}.json"
