"""A run folder read from outside, and all that lie below a folder."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from twofold.engine.errors import DamagedError, RunFolderError
from twofold.engine.files import read_bytes
from twofold.engine.run import flat, is_run, read_json
from twofold.engine.sound import JOURNAL, MANIFEST, names
from twofold.runs.kinds import HUB_MODEL, Found, Headline, Kind, Score, is_score, kind_of


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: the folder.
        kind: what it holds; None: a kind that this version doesn't know.
        config: its settings.
        manifest: command, data and versions; a hub's model has none.
        done: whether it is finished.
        wrong: what is not as it was written, of the files that tell what it is; they are taken for empty then.
    """

    path: Path
    kind: Kind | None
    config: Found
    manifest: Found = field(default_factory=dict)
    done: bool = True
    wrong: DamagedError | None = None

    @cached_property
    def found(self) -> Found:
        """Its file of scores; empty where there is none yet, or it is of another version.

        Raises:
            DamagedError: when it is not what was written.
        """
        if self.kind is HUB_MODEL:
            return _hub_model(self.path) or {}
        return read_json(self.path / self.kind.file) if self.kind else {}

    @cached_property
    def damage(self) -> str:
        """What is not as it was written, of the files that a list reads; empty: nothing."""
        try:
            if self.wrong is None:
                self.found  # noqa: B018  (reads it)
        except DamagedError as error:
            return error.what
        return self.wrong.what if self.wrong else ""

    @property
    def date(self) -> datetime:
        """When it was finished, or else begun: the time of a file, which a copy of the folder may lack."""
        names = "DONE", "config.json", "manifest.json", HUB_MODEL.file
        first = next(path for path in (self.path / name for name in names) if path.exists())
        return datetime.fromtimestamp(first.stat().st_mtime, UTC)

    @property
    def headline(self) -> Headline | None:
        """The figure by which it is listed; None where it has none yet, is damaged, or is of another version."""
        try:
            found = self.kind.headline(self.found) if self.kind and not self.damage and self.found else None
        except (LookupError, TypeError, ValueError, AttributeError):
            return None
        return found if found is None or isinstance(found["value"], str | None) or is_score(found) else None

    @property
    def scores(self) -> dict[str, Score]:
        """Its scores by name; empty where it has none yet, or is of another version.

        Raises:
            DamagedError: when they are not what was written.
        """
        try:
            found = self.kind.scores(self.found) if self.kind and self.found else {}
        except DamagedError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError):
            return {}
        return found if all(map(is_score, found.values())) else {}

    @property
    def settings(self) -> dict[str, Any]:
        """Data, task and settings, by dotted names."""
        about = {name: self.found.get(name) for name in (self.kind.about if self.kind else ())}
        digest = {"data": str(self.manifest.get("data_digest"))[:10]} if self.manifest else {}
        return digest | about | flat(self.config)

    @property
    def changed(self) -> dict[str, dict[str, Any]]:
        """The settings that differ from those of its recipe: `default` and `value` of each."""
        if self.kind is None:
            return {}
        default, own = flat(self.kind.default(self.config).model_dump(mode="json")), flat(self.config)
        return {
            key: {"default": default.get(key), "value": own.get(key)}
            for key in dict.fromkeys((*own, *default))
            if own.get(key) != default.get(key)
        }

    def summary(self) -> dict[str, Any]:
        """What a list tells of it."""
        return {
            "kind": self.kind.name if self.kind else None,
            "folder": str(self.path),
            "date": f"{self.date:%Y-%m-%dT%H:%M:%SZ}",
            "finished": self.done,
            "headline": self.headline,
            "damaged": self.damage or None,
        }


def open_run(path: Path) -> Run:
    """Reads a run folder.

    Raises:
        RunFolderError: when it is none.
        DamagedError: when the files that tell what it is are not what was written.
    """
    run = peek(path)
    if run is not None and run.wrong is not None:
        raise run.wrong
    if run is None:
        what = "is no run folder, nor a model of `twofold hub fit`" if path.is_dir() else "is no folder"
        raise RunFolderError(f"{path}: {what}; `twofold runs list FOLDER` lists those below a folder")
    return run


def find(folder: Path) -> list[Run]:
    """The run folders below a folder, or the folder itself, in the order of their paths.

    Links are not followed; the runs of a sweep are not listed beside it.
    """
    return list(_below(folder))


def _below(folder: Path) -> Iterator[Run]:
    if run := peek(folder):
        yield run
        return
    with os.scandir(folder) as items:
        inside = sorted(item.name for item in items if item.is_dir(follow_symlinks=False))
    for name in inside:
        yield from _below(folder / name)


def checkable(folder: Path) -> list[Path]:
    """A folder and those below it that hold a run, finished or not, or a journal; links are not followed.

    Raises:
        RunFolderError: when there is none, or a folder can't be read.
    """

    def refuse(error: OSError) -> None:
        raise RunFolderError(f"{error.filename}: can't be read ({error.strerror})") from error

    found = [
        Path(path)
        for path, folders, files in os.walk(folder, onerror=refuse)
        if not folders.sort() and (JOURNAL in files or (MANIFEST in files and is_run(Path(path))))
    ]
    if not found:
        raise RunFolderError(f"{folder}: neither is a run folder or a hub's model, nor holds one")
    return found


def peek(path: Path) -> Run | None:
    """A run folder, damaged or not; None where there is none."""
    if is_run(path):
        done, config = (path / "DONE").exists(), {}
        try:
            config = read_json(path / "config.json")
            return Run(path, kind_of(config), config, read_json(path / "manifest.json"), done)
        except DamagedError as error:
            return Run(path, kind_of(config), config, done=done, wrong=error)
    try:
        model = _hub_model(path)
    except DamagedError as error:
        return Run(path, HUB_MODEL, {}, wrong=error)
    return None if model is None else Run(path, HUB_MODEL, model["config"])


def _hub_model(path: Path) -> Found | None:
    """The description that a hub's model holds in its header, which is JSON after eight bytes of its length.

    Raises:
        DamagedError: when the file is not what was written.
    """
    file = path / HUB_MODEL.file
    if not file.is_file() and HUB_MODEL.file not in names(path):
        return None
    try:
        content = read_bytes(file)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header["__metadata__"]["model"])
        return about if "fitted_for" in about else None
    except DamagedError:
        raise
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
