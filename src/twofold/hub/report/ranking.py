"""The page of a backtest of a hub that asks for quantiles only: reads scores.json, draws, writes report.html."""

import json
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twofold.engine.files import saver, text
from twofold.hub.report import figures, wording
from twofold.hub.report.judgements import reading
from twofold.page.album import Album
from twofold.page.template import write_page

Row = dict[str, Any]


@dataclass(frozen=True)
class Ranking:
    """A finished backtest's quantiles.

    Attributes:
        scores: scores.json.
        config: config.json.
        manifest: manifest.json.
    """

    scores: Row
    config: Row
    manifest: Row

    @property
    def quantile(self) -> Row:
        """The part on quantiles."""
        return self.scores["quantile"]

    @property
    def default(self) -> str:
        """Name of our default model."""
        return self.quantile["default"]

    @property
    def shown(self) -> list[str]:
        """Default, the hub's ensemble and the baseline, where they are among the models."""
        named = dict.fromkeys((self.default, self.quantile["ensemble"], self.quantile["baseline"]))
        return [name for name in named if name in self.quantile["models"]]

    @property
    def differences(self) -> list[tuple[str, Row]]:
        """The default's WIS less each other model's, the one that we lose to most first."""
        return sorted(self.quantile["differences"].items(), key=lambda row: (-row[1]["mean"], row[0]))

    def by(self, column: str) -> dict[str | int, Row]:
        """Each horizon, place or date -> relative WIS of `shown` there; None where there is none."""
        found: dict[str | int, Row] = {}
        for row in sorted(self.quantile["by"][column], key=lambda row: str(row[column])):
            if row["model"] in self.shown:
                found.setdefault(row[column], {})[row["model"]] = row["relative_wis"]
        return found


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html of a backtest whose computation is complete.

    The same folder gives the same bytes.

    Raises:
        RunFolderError: when one of the files is missing.
    """
    scores, config, manifest = (json.loads(text(folder, f"{name}.json")) for name in ("scores", "config", "manifest"))
    view = Ranking(scores, config, manifest)
    write_page(
        saver(folder),
        "hub/report/ranking.html.j2",
        partial(_draw, view),
        view=view,
        scores=scores,
        command=shlex.join(map(str, manifest.get("command") or [])),
        reading=reading,
        words=wording,
    )
    return folder / "report.html"


def _draw(view: Ranking, album: Album) -> None:
    if view.differences:
        album.draw("differences", figures.forest(view.differences, "WIS"))
