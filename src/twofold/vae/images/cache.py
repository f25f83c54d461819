"""The cache of decoded images: folders built once, complete or absent, by one process at a time."""

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
    """The cache without --cache: $TWOFOLD_CACHE, or a folder in the user's cache."""
    if chosen := os.environ.get("TWOFOLD_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "twofold"


def entry(folder: Path, key: str, build: Callable[[Path], None]) -> Path:
    """An entry of the cache, built now unless it is there and complete.

    The entry is built aside and renamed, so that a killed process leaves no incomplete one. A second process that
    needs the same entry waits for the first and uses its result.

    Args:
        key: names the entry: letters and digits, a digest of everything that `build` depends on.
        build: writes the entry's files into an empty folder.

    Returns:
        The entry's folder, which is not written to again.

    Raises:
        InputError: when the cache can't be written.
    """
    final, aside = folder / "entries" / key, folder / "aside" / key
    if _complete(final):
        return final
    try:
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        with FileLock(_lock(folder, key)):
            _remove_dead(folder, key)
            if not _complete(final):
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
    """Size of a file, and a checksum of its beginning; that of a whole large file would take too long each time."""
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.blake2b(file.read(_CHECKED), digest_size=16).hexdigest()]


def _complete(final: Path) -> bool:
    try:
        facts = json.loads((final / MANIFEST).read_text(encoding="utf-8"))
        return all(_facts(final / name) == known for name, known in facts.items())
    except (OSError, ValueError, AttributeError):
        return False


def _remove_dead(folder: Path, key: str) -> None:
    """Removes what killed processes left aside: unfinished entries whose lock is free."""
    shutil.rmtree(folder / "aside" / key, ignore_errors=True)
    for aside in folder.glob("aside/*"):
        try:
            with FileLock(_lock(folder, aside.name), timeout=0):
                shutil.rmtree(aside, ignore_errors=True)
        except Timeout:
            continue


def recall(folder: Path, stamp: Stamp) -> str | None:
    """The content hash that `remember` stored for a source, if the source has not changed since."""
    try:
        noted = json.loads(_note(folder, stamp).read_text(encoding="utf-8"))
        return noted["content"] if noted["fingerprint"] == stamp.fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(folder: Path, stamp: Stamp, content: str) -> None:
    """Stores the content hash of a source, so that it need not be read again while its stamp is unchanged.

    Nothing is stored for a source that changed within 2 s of its stamp (see RACY_NS), or when the cache is read-only.
    """
    if stamp.taken - stamp.newest < RACY_NS:
        return
    try:
        write_json(_note(folder, stamp), {"fingerprint": stamp.fingerprint, "content": content})
    except OSError:
        return


def _note(folder: Path, stamp: Stamp) -> Path:
    return folder / "index" / f"{fingerprint(stamp.place)}.json"
