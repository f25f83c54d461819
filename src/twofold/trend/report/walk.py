"""The report of a walk-forward backtest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twofold.engine.files import saver, text
from twofold.page.album import Album
from twofold.page.template import write_page
from twofold.trend.config import ScoreConfig
from twofold.trend.report import figures, wording

Row = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html from the files of a run folder; the same folder gives the same bytes.

    Raises:
        RunFolderError: when a file is missing.
    """
    scores, config = (json.loads(text(folder, name)) for name in ("scores.json", "config.json"))
    view, unit = WalkView(scores), wording.unit(scores["data"]["step_days"])
    score, dates = ScoreConfig.model_validate(config["score"]), scores["windows"]["active"]["days"]
    write_page(
        saver(folder),
        "trend/report/walk.html.j2",
        partial(_draw, view),
        view=view,
        scores=scores,
        config=config,
        walk=scores["walk"],
        pool=scores["models"]["pool"],
        unit=unit,
        level=wording.level(score.level),
        brackets=wording.intervals(dates, score, unit),
        formed=dates >= score.formed_from,
        claimed=dates >= score.claimed_from,
        words=wording,
    )
    return folder / "report.html"


@dataclass(frozen=True)
class WalkView:
    """What the template shows of a walk's scores.json.

    Attributes:
        scores: scores.json.
    """

    scores: Row

    RANKED_BY = ("log_score", "brier_skill", "roc_auc", "accuracy", "ece")
    AT_A_GLANCE = ("log_score", "brier_skill")
    BY_DATE = ("brier_score", "roc_auc")
    BY_DATE_MODELS = ("pool", "gru", "logistic", "boosting", "base_rate")
    RELIABILITY = (("pool", "logistic"), ("gru", "boosting"))

    @property
    def against_logistic(self) -> list[Row]:
        """Log score against logistic regression: the pool and each recurrent network."""
        found = {pair["model"]: pair for pair in self._log_score_pairs()}
        return [found[name] for name in ("pool", "rnn", "lstm", "gru")]

    @property
    def drawn(self) -> list[Row]:
        """The differences of log score from logistic regression that are defined."""
        return [pair for pair in self._log_score_pairs() if pair["difference"] is not None]

    def _log_score_pairs(self) -> list[Row]:
        wanted = ("log_score", "logistic")
        return [pair for pair in self.scores["comparisons"] if (pair["score"], pair["against"]) == wanted]

    @property
    def pairs(self) -> list[Row]:
        """All paired differences that are defined."""
        return [pair for pair in self.scores["comparisons"] if pair["difference"] is not None]

    def ranked(self, windows: str) -> list[tuple[str, Row]]:
        """Models with their scores, best log score on these windows first."""
        return sorted(self.scores["models"].items(), key=lambda item: item[1][windows]["log_score"] or 0.0)

    @staticmethod
    def ends(model: Row, windows: str, score: str) -> list[float | None] | None:
        """The interval of a model's score, None where there is none."""
        return (model["intervals"][windows] or {}).get(score)

    @property
    def scored_dates(self) -> list[Row]:
        """The origins whose target date has scores."""
        return [row for row in self.scores["by_origin"] if row["scores"]]

    @property
    def members(self) -> list[str]:
        """The pool's members."""
        return list(self.scores["by_origin"][0]["weights"])

    @property
    def regions(self) -> list[int]:
        """Regions in C, by origin."""
        return [row["regions"] for row in self.scores["by_origin"]]

    @property
    def learned(self) -> list[int]:
        """Training windows, by origin."""
        return [row["learned"] for row in self.scores["by_origin"]]

    @staticmethod
    def labels(names: Sequence[str]) -> str:
        """Names of models, for a sentence."""
        return ", ".join(map(wording.model, names))


def _draw(view: WalkView, album: Album) -> None:
    models, dates = view.scores["models"], [row["target"] for row in view.scored_dates]
    for score in view.AT_A_GLANCE:
        values = {name: (model["active"][score], view.ends(model, "active", score)) for name, model in models.items()}
        album.draw(f"glance-{score.replace('_', '-')}", figures.scores_at_a_glance(values, score))
    if view.drawn:
        album.draw("comparisons", figures.comparisons(view.drawn, "active windows"))
    for score in view.BY_DATE:
        lines = {name: [row["scores"][name][score] for row in view.scored_dates] for name in view.BY_DATE_MODELS}
        album.draw(f"by-target-{score.replace('_', '-')}", figures.by_target(dates, lines, score))
    for group in view.RELIABILITY:
        bins = {name: view.scores["reliability"][name] for name in group}
        album.draw(f"reliability-{group[0]}", figures.reliability(bins, "active windows"))
    origins = [row["origin"] for row in view.scores["by_origin"]]
    album.draw("known", figures.known_by_origin(origins, view.regions, view.learned))
