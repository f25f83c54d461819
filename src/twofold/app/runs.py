"""The runs below a folder: found by their files, named by their place, read and never written."""

import contextlib
import json
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from twofold.app.problems import Refused
from twofold.engine.errors import DamagedError, RunFolderError
from twofold.engine.files import read_bytes
from twofold.engine.run import is_run, read_json
from twofold.page import numbers
from twofold.runs.kinds import KINDS, kind_of

_KINDS = {kind.name: kind for kind in KINDS}
UNKNOWN = "unknown"
DEPTH = 6
"""Folders between RUNS and a run's own files, at most."""
WITHOUT_PAGE = ("trend tune", "vae tune")
"""Kinds that are shown by their report alone."""
FRESH_S = 2.0
"""A list of runs is read again from the disk when it is older."""
_INSIDE = "figures", "checkpoint", "origins"
_SPECIAL = re.compile("[%~\udc80-\udcff]")


class Headline(BaseModel):
    """The one score that tells most of a run."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """Name of the score, as in the run's file of scores."""
    value: float
    """The score."""
    text: str
    """The score as it is written on pages."""


class Summary(BaseModel):
    """A run in the list of runs."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Its folder below RUNS, with `~` for `/`."""
    kind: str
    """The command that made it; `unknown` where the file that tells it is damaged."""
    finished: bool
    """Whether the command came to its end."""
    when: datetime
    """When it ended, or began if it is not finished (UTC)."""
    headline: Headline | None
    """None where there is no score, or none that can be read."""
    parent: str | None
    """The sweep that it is part of."""
    page: str | None
    """Address of its page, escaped; None where it is not finished, or its kind has a report alone."""
    report: str | None
    """Address of its report, escaped; None where there is none."""
    damaged: bool
    """Whether its config or its scores are not what was written; `twofold runs check` reads all of its files."""


@dataclass(frozen=True)
class Run:
    """A run folder."""

    id: str
    folder: Path
    root: Path
    kind: str
    parent: str | None
    damage: DamagedError | None = None
    """What is wrong with the file that tells its kind; the kind is UNKNOWN then."""

    @property
    def finished(self) -> bool:
        """Whether the command came to its end."""
        return (self.folder / "DONE").exists()

    def file(self, name: str) -> Path:
        """One of its files.

        Raises:
            Refused: when there is none, or when it is a link that leads out of RUNS.
        """
        try:
            path = (self.folder / name).resolve()
            if path.is_relative_to(self.root) and path.is_file():
                return path
        except (OSError, RuntimeError):  # links in a circle, a folder that may not be read
            pass
        raise Refused(404, "not_found", f"{self.id} has no {name}.")

    def json(self, name: str) -> dict[str, Any]:
        """The object in one of its JSON files.

        Raises:
            Refused: when there is none, or it holds none.
            RunFolderError: when it is not what was written, or can't be read.
        """
        content = read_bytes(self.file(name))
        try:
            return dict(json.loads(content))
        except (ValueError, TypeError, RecursionError) as error:
            raise Refused(409, "unusable_run", f"{self.id}: {name} is not what a run writes ({error}).") from error

    def require(self, *kinds: str) -> "Run":
        """The run itself, if it is finished and of such a kind.

        Raises:
            Refused: otherwise.
            DamagedError: when its config is not what was written.
        """
        if self.damage:
            raise self.damage
        if self.kind not in kinds:
            raise Refused(409, "unusable_run", f"{self.id} is a {self.kind}; this is for a {' or a '.join(kinds)}.")
        if not self.finished:
            raise Refused(409, "unusable_run", f"{self.id} is not finished; give its command again to let it go on.")
        return self

    def summary(self) -> Summary:
        """The run in the list of runs.

        Raises:
            Refused: when its folder is gone.
        """
        try:
            when = (self.folder / ("DONE" if self.finished else "manifest.json")).stat().st_mtime
        except OSError as error:
            raise Refused(404, "not_found", f"{self.id} is gone.") from error
        headline, damaged = self._headline() if self.finished else None, self.damage is not None
        if isinstance(headline, DamagedError):
            headline, damaged = None, True
        shown = self.finished and self.damage is None
        reported = shown and (self.folder / "report.html").is_file()
        address = f"/runs/{quote(self.id)}"
        report = f"{address}/report" if reported else None
        return Summary(
            id=self.id,
            kind=self.kind,
            finished=self.finished,
            when=datetime.fromtimestamp(when, UTC),
            headline=headline,
            parent=self.parent,
            page=address if shown and self.kind not in WITHOUT_PAGE else None,
            report=report,
            damaged=damaged,
        )

    def _headline(self) -> Headline | DamagedError | None:
        if self.damage:
            return None
        kind = _KINDS[self.kind]
        try:
            found = kind.headline(self.json(kind.file))
        except DamagedError as error:
            return error
        except (Refused, LookupError, TypeError, ValueError):
            return None  # of another version: the run is listed all the same
        value = found["value"]
        if not isinstance(value, float) or not math.isfinite(value):
            return None
        return Headline(name=found["score"], value=value, text=numbers.significant(value))


class Runs:
    """All runs below a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder.resolve()
        self._found: dict[str, Run] = {}
        self._read = -FRESH_S

    def all(self) -> list[Run]:
        """All runs, by their id."""
        if time.monotonic() - self._read > FRESH_S:
            self._found = {run.id: run for run in _find(self.root, self.root)}
            self._read = time.monotonic()
        return list(self._found.values())

    def summaries(self) -> list[Summary]:
        """All runs, newest first; those that went since they were found are left out."""
        found = []
        for run in self.all():
            with contextlib.suppress(Refused):
                found.append(run.summary())
        return sorted(found, key=lambda each: each.when, reverse=True)

    def get(self, name: str) -> Run:
        """The run of an id: one of those that were found, so that no id leads anywhere else.

        Raises:
            Refused: when there is none.
        """
        found = self._found.get(name) or next((run for run in self.all() if run.id == name), None)
        if found is None:
            raise Refused(404, "not_found", "There is no such run; see the list of runs.")
        return found


def name_of(folder: Path, root: Path) -> str:
    """The id of a folder; signs that are no separators are escaped, so that two folders never share an id.

    So are bytes that are no text: names on a disk may hold any, and an id is sent as text.
    """
    return "~".join(_SPECIAL.sub(_escape, part) for part in folder.relative_to(root).parts) or "~"


def _escape(sign: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(sign[0]))


def _find(folder: Path, root: Path, depth: int = 0, parent: str | None = None) -> Iterator[Run]:
    """Runs in a folder and below; links are not followed, folders that can't be read are passed over."""
    name = name_of(folder, root)
    kind = _kind(folder)
    if isinstance(kind, DamagedError):
        yield Run(name, folder, root, UNKNOWN, parent, kind)
    elif kind is not None:
        yield Run(name, folder, root, kind, parent)
    if depth == DEPTH:
        return
    try:
        below = sorted(item for item in folder.iterdir() if item.is_dir() and not item.is_symlink())
    except OSError:
        return
    for item in below:
        if not (item.name.startswith(".") or (kind and item.name in _INSIDE)):
            yield from _find(item, root, depth + 1, name if kind == "vae sweep" else parent)


def _kind(folder: Path) -> str | DamagedError | None:
    """What a folder holds; None: no run, or of a kind that this version does not know."""
    try:
        if not all((folder / name).is_file() for name in ("manifest.json", "config.json")):  # a pipe would never end
            return None
        kind = kind_of(read_json(folder / "config.json")) if is_run(folder) else None
        read_json(folder / "manifest.json")  # it is what was written, too
    except DamagedError as error:
        return error
    except (OSError, RunFolderError, RecursionError):
        return None  # one damaged folder hides no other
    return kind.name if kind else None
