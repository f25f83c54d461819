"""The cache of decoded images: folders built once, complete or absent, by one process at a time."""

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from twofold.engine import sound
from twofold.engine.errors import DamagedError, InputError
from twofold.engine.files import text, write_json
from twofold.engine.locks import locked
from twofold.engine.sound import RACY_NS
from twofold.vae.images.files import Stamp
from twofold.vae.images.items import fingerprint

_SAYS = logging.getLogger("twofold")


def default_folder() -> Path:
    """The cache without --cache: $TWOFOLD_CACHE, or a folder in the user's cache."""
    if chosen := os.environ.get("TWOFOLD_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "twofold"


def entry(folder: Path, key: str, build: Callable[[Path], None]) -> Path:
    """An entry of the cache, built now unless it is there and complete.

    The entry is built aside and renamed, so that a killed process leaves no incomplete one. One that is not what was
    written is built again. A second process that needs the same entry waits for the first and uses its result.

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
        with _locked(folder, key):
            _remove_dead(folder, key)
            if not _complete(final):
                if final.exists():
                    _SAYS.warning("%s: is not what was written there; the images are read again", final)
                shutil.rmtree(final, ignore_errors=True)
                final.parent.mkdir(exist_ok=True)
                aside.mkdir(parents=True)
                try:
                    build(aside)
                    sound.begin(aside)
                    aside.replace(final)
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{folder}: the cache can't be written there ({error.strerror or error}); make room or give another folder "
            "with --cache"
        ) from error
    return final


@contextlib.contextmanager
def _locked(folder: Path, key: str, wait: bool = True) -> Iterator[None]:
    lock = locked(folder / "locks" / f"{key}.lock", wait=wait)
    try:
        yield
    finally:
        lock.release()


def _complete(final: Path) -> bool:
    """Whether an entry is there, and what was written. Each file is read once in a process."""
    try:
        there = {path.name for path in final.iterdir()} - {sound.JOURNAL}
        for name in there:
            sound.check_file(final / name)
    except (OSError, DamagedError):
        return False
    return bool(there) and there == set(sound.names(final))


def _remove_dead(folder: Path, key: str) -> None:
    """Removes what killed processes left aside: unfinished entries whose lock is free."""
    shutil.rmtree(folder / "aside" / key, ignore_errors=True)
    for aside in folder.glob("aside/*"):
        try:
            with _locked(folder, aside.name, wait=False):
                shutil.rmtree(aside, ignore_errors=True)
        except TimeoutError:
            continue


def recall(folder: Path, stamp: Stamp) -> str | None:
    """The content hash that `remember` stored for a source, if the source has not changed since."""
    note = _note(folder, stamp)
    try:
        if not note.is_file():
            return None
        noted = json.loads(text(note.parent, note.name))
        return noted["content"] if noted["fingerprint"] == stamp.fingerprint else None
    except DamagedError as error:
        _SAYS.warning("%s; the images are read again", error.what)
    except (OSError, ValueError, KeyError, TypeError):  # of another version
        pass
    return None


def remember(folder: Path, stamp: Stamp, content: str) -> None:
    """Stores the content hash of a source, so that it need not be read again while its stamp is unchanged.

    Nothing is stored for a source that changed within 2 s of its stamp (see RACY_NS), or when the cache is read-only.
    """
    if stamp.taken - stamp.newest < RACY_NS:
        return
    note = _note(folder, stamp)
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        sound.begin(note.parent)
        write_json(note, {"fingerprint": stamp.fingerprint, "content": content})
    except OSError:
        return


def _note(folder: Path, stamp: Stamp) -> Path:
    return folder / "index" / f"{fingerprint(stamp.place)}.json"
