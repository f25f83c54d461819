"""The page of a study of trials: tune.json in, figures and one self-contained report.html out."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.engine.files import saver, text, there
from twofold.engine.run import flat
from twofold.page.album import Album
from twofold.page.template import write_page
from twofold.tune.report import figures
from twofold.tune.search import BEST, RESULT

LISTED = 200
"""Trials in the table, at most; tune.json holds all."""
LABELS = {
    "bits_per_dim": "bits per dim, validation images",
    "log_score": "log score in nats, validation windows",
}
"""What the figure of trials is, by its name."""


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html of a study; the same folder gives the same bytes.

    Args:
        folder: with tune.json.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when a file is missing.
    """
    found = json.loads(text(folder, RESULT))
    manifest = json.loads(text(folder, "manifest.json")) if there(folder, "manifest.json") else {}
    view = TuneView(found)

    def draw(album: Album) -> None:
        album.draw("history", figures.history(view.trials, view.label))
        if found["importance"]:
            album.draw("importance", figures.importances(found["importance"]))
        album.draw("knobs", figures.knobs(view.trials, found["space"], view.label, found["best"]["number"]))

    write_page(
        saver(folder),
        "tune/report/tune.html.j2",
        draw,
        view=view,
        tune=found,
        command=shlex.join(manifest["command"]) if "command" in manifest else None,
        following=f"{shlex.join(found['next'])} --config {BEST}",
    )
    return folder / "report.html"


@dataclass(frozen=True)
class TuneView:
    """The values that the template shows, of `tune.json`."""

    found: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What the figure is."""
        return LABELS[self.found["figure"]]

    @property
    def trials(self) -> Sequence[Mapping[str, Any]]:
        """All trials, in the order of their beginnings."""
        return self.found["trials"]

    @property
    def by_figure(self) -> list[Mapping[str, Any]]:
        """The trials that are listed: those with a figure, the best first, then the others."""
        done = sorted((each for each in self.trials if each["value"] is not None), key=lambda each: each["value"])
        return [*done, *(each for each in self.trials if each["value"] is None)][:LISTED]

    @property
    def unlisted(self) -> int:
        """Trials that the table leaves out."""
        return len(self.trials) - len(self.by_figure)

    @property
    def given(self) -> Mapping[str, Any] | None:
        """The trial with the settings that were given, where it has a figure."""
        default = self.found["default"]
        return default if default and default["value"] is not None else None

    @property
    def gain(self) -> float | None:
        """How much less the best trial costs than the settings given; None where these have no figure."""
        return self.given["value"] - self.found["best"]["value"] if self.given else None

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """Settings of the best config that differ from those given: name, given, best."""
        given, best = flat(self.found["base"]), flat(self.found["best"]["config"])
        return [(name, given.get(name), value) for name, value in best.items() if given.get(name) != value]

    def count(self, *states: str) -> int:
        """Number of trials of some states."""
        return sum(self.found["counts"].get(state, 0) for state in states)

    @staticmethod
    def drawn(trial: Mapping[str, Any]) -> str:
        """A trial's values as words."""
        values = trial["values"].items()
        return ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values
        )
