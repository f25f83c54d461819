"""The run folder: one process at a time writes it; reports and the app read nothing else."""

import contextlib
import json
import platform
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.engine.config import Config
from twofold.engine.errors import RunFolderError
from twofold.engine.files import ASIDE, write_bytes, write_json, write_text

if TYPE_CHECKING:
    from filelock import FileLock

LOCK = ".lock"


@dataclass
class RunFolder:
    """A run folder that this process holds; see `claim`."""

    path: Path
    manifest: dict[str, Any]
    raised: str = ""
    """The setting that this command raised, such as "train.epochs 2 -> 4"; empty: none."""
    began: float = field(default_factory=time.perf_counter)
    _log: list[dict[str, Any]] = field(default_factory=list)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def done(self) -> bool:
        """Whether an earlier command finished this run."""
        return (self.path / "DONE").exists()

    def log(self, record: dict[str, Any]) -> None:
        """Appends a line to `metrics.jsonl`; thread-safe.

        The first call starts the file anew: a resumed run logs the records of its checkpoints again.
        """
        with self._writing:
            mode = "a" if self._log else "w"
            self._log.append(record)
            with (self.path / "metrics.jsonl").open(mode) as file:
                file.write(json.dumps(record) + "\n")

    def settle_log(self, *keys: str) -> None:
        """Sorts `metrics.jsonl` by the values of `keys`, so that its order doesn't depend on threads."""
        ordered = sorted(self._log, key=lambda record: [record[key] for key in keys])
        write_text(self.path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in ordered))

    def finish(self) -> None:
        """Writes the wall time and then `DONE`."""
        wall_time_s = round(time.perf_counter() - self.began, 3)
        write_json(self.path / "manifest.json", self.manifest | {"wall_time_s": wall_time_s})
        write_bytes(self.path / "DONE", b"")


def require_done(path: Path, command: str) -> None:
    """Raises a RunFolderError that names the command when the folder has no `DONE`."""
    if not (path / "DONE").exists():
        raise RunFolderError(f"{path}: holds no finished run; give the folder that `{command}` named")


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

    Raises:
        RunFolderError: when another process writes there, when the folder holds another config or other data, or
            something that is no run.
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
            write_json(path / "manifest.json", manifest)
            write_text(path / "config.json", config.to_json())
        yield RunFolder(path, manifest, raised)
    finally:
        lock.release()


def _lock(path: Path) -> "FileLock":
    from filelock import FileLock, Timeout

    try:
        _refuse_foreign(path)
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunFolderError(f"{path}: another process writes to this run folder; wait for it or give --out") from error
    except OSError as error:
        raise RunFolderError(
            f"{path}: can't be written as a run folder ({error.strerror}); give another --out"
        ) from error
    return lock


def _refuse_foreign(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path}: is a file; --out takes a folder")
    # Other programs write a manifest.json, too; only that of a run holds a data digest.
    if path.is_dir() and "data_digest" not in _read_json(path / "manifest.json"):
        strangers = [item.name for item in path.iterdir() if item.name != LOCK and not item.name.startswith(ASIDE)]
        if strangers:
            raise RunFolderError(
                f"{path}: holds files but no run ({', '.join(sorted(strangers)[:3])}); nothing was touched, "
                "give an empty or a new folder with --out"
            )


def _refuse_other(path: Path, config: Config, data_digest: str, budget: str | None) -> str:
    """The setting that is raised, with both values; empty when the config is the same."""
    saved = path / "config.json"
    if not saved.exists():
        return ""
    old, new = _flat(_read_json(saved)), _flat(json.loads(config.to_json()))
    changed = {
        key: f"{key} {old.get(key)!r} -> {new.get(key)!r}" for key in sorted(old | new) if old.get(key) != new.get(key)
    }
    if changed and not (budget and list(changed) == [budget] and _is_larger(new[budget], old.get(budget))):
        raise RunFolderError(
            f"{path}: holds a run of another config ({'; '.join([*changed.values()][:5])}); give another --out, "
            "or --overwrite to lose that run" + (f"; only {budget} may be raised" if budget else "")
        )
    if _read_json(path / "manifest.json")["data_digest"] != data_digest:
        raise RunFolderError(f"{path}: holds a run on other data; give another --out, or --overwrite to lose that run")
    return "".join(changed.values())


def _is_larger(new: object, old: object) -> bool:
    return isinstance(old, int | float) and isinstance(new, int | float) and 0 < old < new


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty when the file is missing or holds no object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
    return flat


def _empty(path: Path) -> None:
    # DONE goes first: a partly emptied folder must not look finished.
    (path / "DONE").unlink(missing_ok=True)
    for item in path.iterdir():
        if item.name in (LOCK, "manifest.json", "config.json"):
            continue
        shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
    (path / "config.json").unlink(missing_ok=True)


def _manifest(data_digest: str, command: list[str], device: str) -> dict[str, Any]:
    from importlib import metadata

    packages = ("twofold", "torch", "numpy", "scikit-learn", "polars")
    return {
        "command": command,
        "data_digest": data_digest,
        "device": device,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "versions": {name: metadata.version(name) for name in packages},
    }
