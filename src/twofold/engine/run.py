"""The run folder: one process at a time writes it; reports and the app read nothing else."""

import contextlib
import json
import logging
import platform
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.engine import sound
from twofold.engine.config import Config
from twofold.engine.errors import DamagedError, RunFolderError, naming
from twofold.engine.files import read_bytes, there, write_bytes, write_json, write_text
from twofold.engine.locks import locked
from twofold.engine.sound import ASIDE, JOURNAL, LOCK, LOG, MANIFEST
from twofold.engine.track import Tracker, TrackerName, open_tracker

if TYPE_CHECKING:
    from filelock import BaseFileLock

_SAYS = logging.getLogger("twofold")
METRICS = "metrics.jsonl"
_FIRST = MANIFEST, "config.json"
"""What a run writes before it computes."""
_FOLDERS = re.compile(r"""(?<![\w.~:/\\-])(?:/|[A-Za-z]:[/\\])(?=\S)(?:[^/\\\n:;,'"`]+[/\\])*""")
"""The folders of an absolute path."""


@dataclass
class RunFolder:
    """A run folder that this process holds; see `claim`."""

    path: Path
    manifest: dict[str, Any]
    raised: str = ""
    """The setting that this command raised, such as "train.epochs 2 -> 4"; empty: none."""
    track: TrackerName | None = None
    """The tracker that gets the records, too."""
    began: float = field(default_factory=time.perf_counter)
    _log: list[dict[str, Any]] = field(default_factory=list)
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _before: frozenset[str] = frozenset()
    _tracker: Tracker | None = None

    @property
    def done(self) -> bool:
        """Whether an earlier command finished this run."""
        return (self.path / "DONE").exists()

    def log(self, record: dict[str, Any]) -> None:
        """Appends a line to `metrics.jsonl`, and tells the tracker; thread-safe.

        The first call starts the file anew: a resumed run logs the records of its checkpoints again. `log.txt` does not
        tell them twice.
        """
        line, path = json.dumps(record), self.path / METRICS
        with self._writing, naming(path):
            if not self._log:
                # Only to tell nothing twice in log.txt: it may have been cut by a kill.
                self._before = frozenset(path.read_text(errors="replace").splitlines() if path.exists() else ())
                self._tracker = open_tracker(self.track, self.path) if self.track else None
            with path.open("a" if self._log else "w") as file:
                file.write(line + "\n")
            self._log.append(record)
            if line not in self._before:
                self._append(_sentence(record))
            if self._tracker:
                self._tracker.log(record)

    def tell(self, text: str) -> None:
        """Appends a line to `log.txt`: the time (UTC) and a text, `without_folders`."""
        with self._writing:
            self._append(without_folders(text))

    def _append(self, text: str) -> None:
        with naming(self.path / LOG), (self.path / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(text.split())}\n")

    def close(self) -> None:
        """Ends the tracker's run."""
        if self._tracker:
            self._tracker.close(self.done)

    def settle_log(self, *keys: str) -> None:
        """Writes `metrics.jsonl` as a whole, from when on it is checked when it is read.

        Sorted by the values of `keys`, so that its order doesn't depend on threads.
        """
        ordered = sorted(self._log, key=lambda record: [record[key] for key in keys])
        write_text(self.path / METRICS, "".join(json.dumps(record) + "\n" for record in ordered))

    def finish(self) -> None:
        """Writes the wall time and then `DONE`.

        Raises:
            RunFolderError: when the folder was removed, or another one took its place, while this process wrote to it.
        """
        if "config.json" not in sound.names(self.path):
            raise RunFolderError(f"{self.path}: was removed while it was written to; run the same command again")
        wall_time_s = round(time.perf_counter() - self.began, 3)
        write_json(self.path / MANIFEST, self.manifest | {"wall_time_s": wall_time_s})
        sound.begin(self.path)
        write_bytes(self.path / "DONE", b"")


def whole(path: Path) -> bool:
    """Whether a folder holds a finished run, all of it as it was written; the log says of one that isn't.

    Such a run is unfinished from then on.
    """
    done = path / "DONE"
    if not done.exists():
        return False
    found = sound.audit(path)
    if wrong := (*found.changed, *found.missing):
        _SAYS.warning("%s: %s: not what was written there; it is made again", path, ", ".join(wrong))
        done.unlink()
    return not wrong


def without_folders(text: str) -> str:
    """A text of whose absolute paths the last part stays.

    Example:
        >>> without_folders("/home/ann/runs/a: has no line in twofold.sha256")
        'a: has no line in twofold.sha256'
    """
    return _FOLDERS.sub("", text)


def _sentence(record: dict[str, Any]) -> str:
    """A record as words: `evaluate gru-0, epoch 3, train_loss 0.5281`."""
    words = [value for value in record.values() if isinstance(value, str)]
    figures = (f"{key} {value:.6g}" for key, value in record.items() if isinstance(value, int | float))
    return ", ".join([*([" ".join(words)] if words else []), *figures])


def require_done(path: Path, command: str) -> None:
    """Raises a RunFolderError that names the command when the folder has no `DONE`."""
    if not (path / "DONE").exists():
        raise RunFolderError(f"{path}: holds no finished run; give the folder that `{command}` named")


def is_run(path: Path) -> bool:
    """Whether a folder holds a run, finished or not; it need not be sound."""
    # Other programs write a manifest.json, too; only that of a run holds a data digest, or is in a journal.
    manifest = path / MANIFEST
    try:
        if "data_digest" in json.loads(manifest.read_bytes()):
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (ValueError, TypeError, RecursionError):
        pass
    return MANIFEST in sound.names(path)


def check_removable(path: Path) -> None:
    """Refuses what `remove` must not delete.

    Raises:
        RunFolderError: when it is a link or no run folder, or when another process writes to it, to a run in it or to
            the sweep that it is part of.
    """
    with _held(path):
        pass


def remove(path: Path) -> None:
    """Deletes a run folder and all that is in it; links in it go, what they point to stays.

    Raises:
        RunFolderError: as `check_removable`, and nothing was deleted then; or where a file can't be deleted.
    """
    try:
        with _held(path):
            _empty(path)
        shutil.rmtree(path)
    except OSError as error:
        raise RunFolderError(f"{path}: can't be deleted whole ({error.strerror}: {error.filename})") from error


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Locks a run folder, the runs in it and those that it lies in."""
    if path.is_symlink():
        raise RunFolderError(f"{path}: is a link, which is not followed; give the run folder itself")
    if not is_run(path):
        raise RunFolderError(f"{path}: is no run folder (it has no manifest.json of a run); nothing was deleted")
    inside = [item.parent for item in path.rglob("manifest.json") if is_run(item.parent)]
    around = [parent for parent in path.absolute().parents if is_run(parent)]
    with contextlib.ExitStack() as locks:
        for each in (*around, *inside):
            locks.callback(_lock(each).release)
        yield


@contextlib.contextmanager
def claim(
    path: Path,
    config: Config,
    data_digest: str,
    command: list[str],
    *,
    overwrite: bool = False,
    device: str = "cpu",
    budget: str | None = None,
    track: TrackerName | None = None,
) -> Iterator[RunFolder]:
    """Opens a run folder for writing and locks it until the block ends.

    A new or empty folder is started; one with the same config and data is resumed; one whose budget alone is raised
    goes on, no longer finished; anything else is refused.

    Args:
        path: the folder.
        config: saved as `config.json`.
        data_digest: digest of the run's data, for the manifest, as `command` and `device` are.
        overwrite: empties a run folder first.
        budget: dotted name of the setting of the config that may be raised, from a number above 0.
        track: the tracker that gets the records of `RunFolder.log`, too.

    Raises:
        RunFolderError: when another process writes there, when the folder holds another config or other data, or
            something that is no run.
        DamagedError: when its config or manifest is not what was written.
    """
    lock = _lock(path)
    try:
        if overwrite:
            _empty(path)
        raised = _refuse_other(path, config, data_digest, budget)
        if raised:
            (path / "DONE").unlink(missing_ok=True)  # first: what the folder holds is not this config's
        for aside in path.rglob(f"{ASIDE}*"):
            aside.unlink()
        manifest = _manifest(data_digest, command, device)
        if not (path / "DONE").exists():
            sound.begin(path)
            write_json(path / MANIFEST, manifest)
            write_text(path / "config.json", config.to_json())
        folder = RunFolder(path, manifest, raised, track)
        try:
            yield folder
        finally:
            folder.close()
    finally:
        lock.release()


def _lock(path: Path) -> "BaseFileLock":
    try:
        _refuse_foreign(path)
        path.mkdir(parents=True, exist_ok=True)
        return locked(path / LOCK)
    except TimeoutError as error:
        raise RunFolderError(f"{path}: another process writes to this run folder; wait for it or give --out") from error
    except OSError as error:
        raise RunFolderError(
            f"{path}: can't be written as a run folder ({error.strerror}); give another --out"
        ) from error


def _refuse_foreign(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path}: is a file; --out takes a folder")
    if path.is_dir() and not is_run(path):
        # A kill may leave no more than these.
        own = LOCK, JOURNAL
        strangers = [item.name for item in path.iterdir() if item.name not in own and not item.name.startswith(ASIDE)]
        if strangers:
            raise RunFolderError(
                f"{path}: holds files but no run ({', '.join(sorted(strangers)[:3])}); nothing was touched, "
                "give an empty or a new folder with --out"
            )


def _refuse_other(path: Path, config: Config, data_digest: str, budget: str | None) -> str:
    """The setting that is raised, with both values; empty when the config is the same."""
    saved = path / "config.json"
    if not saved.exists() and not any((path / name).exists() for name in sound.names(path) if name not in _FIRST):
        return ""  # nothing has been computed yet, or all is emptied
    old, new = flat(read_json(saved)), flat(json.loads(config.to_json()))
    changed = {
        key: f"{key} {old.get(key)!r} -> {new.get(key)!r}" for key in sorted(old | new) if old.get(key) != new.get(key)
    }
    if changed and not (budget and list(changed) == [budget] and _is_larger(new[budget], old.get(budget))):
        raise RunFolderError(
            f"{path}: holds a run of another config ({'; '.join([*changed.values()][:5])}); give another --out, "
            "or --overwrite to lose that run" + (f"; only {budget} may be raised" if budget else "")
        )
    if read_json(path / "manifest.json").get("data_digest") != data_digest:
        raise RunFolderError(f"{path}: holds a run on other data; give another --out, or --overwrite to lose that run")
    return "".join(changed.values())


def _is_larger(new: object, old: object) -> bool:
    return isinstance(old, int | float) and isinstance(new, int | float) and 0 < old < new


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty when the file is missing or holds no object.

    Raises:
        DamagedError: when it is not what was written there, or was written and is missing.
    """
    if not there(path.parent, path.name):
        return {}
    try:
        value = json.loads(read_bytes(path))
    except DamagedError:
        raise
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings of nested groups by their dotted names."""
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        leaves |= flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
    return leaves


def _empty(path: Path) -> None:
    # DONE goes first: a partly emptied folder must not look finished.
    (path / "DONE").unlink(missing_ok=True)
    for item in path.iterdir():
        if item.name in (LOCK, JOURNAL, MANIFEST, "config.json"):
            continue
        shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
    (path / "config.json").unlink(missing_ok=True)


def word_without_folders(word: str) -> str:
    """A word of a command line; of an absolute path, and of one that leads up, the last part stays.

    Example:
        >>> [word_without_folders(word) for word in ("--out=/home/ann/runs/a", "../ann/cases.csv", "runs/a", "/")]
        ['--out=a', 'cases.csv', 'runs/a', '/']
    """
    option, sign, value = word.rpartition("=") if word.startswith("-") else ("", "", word)
    path = Path(value)
    if path.is_absolute() or ".." in path.parts:
        value = path.name or value
    return option + sign + value


def _manifest(data_digest: str, command: list[str], device: str) -> dict[str, Any]:
    from importlib import metadata

    packages = ("twofold", "torch", "numpy", "scikit-learn", "polars")
    return {
        "command": [word_without_folders(word) for word in command],
        "data_digest": data_digest,
        "device": device,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "digests": JOURNAL,
        "versions": {name: metadata.version(name) for name in packages},
    }
