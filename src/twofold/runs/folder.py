"""A run folder read from outside, and all that lie below a folder."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from twofold.engine.errors import RunFolderError
from twofold.engine.run import flat, is_run, read_json
from twofold.runs.kinds import HUB_MODEL, Found, Headline, Kind, Score, kind_of


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: the folder.
        kind: what it holds; None: a kind that this version doesn't know.
        config: its settings.
        manifest: command, data and versions; a hub's model has none.
        done: whether it is finished.
    """

    path: Path
    kind: Kind | None
    config: Found
    manifest: Found = field(default_factory=dict)
    done: bool = True

    @cached_property
    def found(self) -> Found:
        """Its file of scores; empty where there is none yet, or it can't be read."""
        if self.kind is HUB_MODEL:
            return _hub_model(self.path) or {}
        return read_json(self.path / self.kind.file) if self.kind else {}

    @property
    def date(self) -> datetime:
        """When it was finished, or else begun: the time of a file, which a copy of the folder may lack."""
        names = "DONE", "config.json", "manifest.json", HUB_MODEL.file
        first = next(path for path in (self.path / name for name in names) if path.exists())
        return datetime.fromtimestamp(first.stat().st_mtime, UTC)

    @property
    def headline(self) -> Headline | None:
        """The figure by which it is listed; None where it has none yet, or an older version wrote it otherwise."""
        try:
            return self.kind.headline(self.found) if self.kind and self.found else None
        except (LookupError, TypeError, ValueError):
            return None

    @property
    def scores(self) -> dict[str, Score]:
        """Its scores by name; empty as the headline is None."""
        try:
            return self.kind.scores(self.found) if self.kind and self.found else {}
        except (LookupError, TypeError, ValueError):
            return {}

    @property
    def settings(self) -> dict[str, Any]:
        """Data, task and settings, by dotted names."""
        about = {name: self.found.get(name) for name in (self.kind.about if self.kind else ())}
        digest = {"data": self.manifest["data_digest"][:10]} if self.manifest else {}
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
        }


def open_run(path: Path) -> Run:
    """Reads a run folder.

    Raises:
        RunFolderError: when it is none.
    """
    run = _read(path)
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
    if run := _read(folder):
        yield run
        return
    with os.scandir(folder) as items:
        inside = sorted(item.name for item in items if item.is_dir(follow_symlinks=False))
    for name in inside:
        yield from _below(folder / name)


def _read(path: Path) -> Run | None:
    if is_run(path):
        config = read_json(path / "config.json")
        return Run(path, kind_of(config), config, read_json(path / "manifest.json"), (path / "DONE").exists())
    model = _hub_model(path)
    return None if model is None else Run(path, HUB_MODEL, model["config"])


def _hub_model(path: Path) -> Found | None:
    """The description that a hub's model holds in its header, which is JSON after eight bytes of its length."""
    try:
        with (path / HUB_MODEL.file).open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        about = json.loads(header["__metadata__"]["model"])
        return about if "fitted_for" in about else None
    except (OSError, ValueError, LookupError, TypeError, OverflowError, MemoryError):
        return None
