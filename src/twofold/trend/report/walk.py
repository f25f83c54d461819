"""The report of a walk-forward backtest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from twofold.counts.places import iso2
from twofold.engine.files import saver, table, text, there
from twofold.page.album import Album
from twofold.page.template import write_page
from twofold.trend.config import ScoreConfig
from twofold.trend.report import explorer, figures, regions, wording, world
from twofold.trend.report.judgements import Trust, trust

Row = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html from the files of a run folder; the same folder gives the same bytes.

    A folder without panel.parquet, as of an earlier version, gets a page without map and table of regions.

    Raises:
        RunFolderError: when a file is missing.
    """
    scores, config = (json.loads(text(folder, name)) for name in ("scores.json", "config.json"))
    predictions = table(folder, "predictions.parquet")
    panel = table(folder, "panel.parquet") if there(folder, "panel.parquet") else None
    view, unit = WalkView(scores, predictions, panel), wording.unit(scores["data"]["step_days"])
    score, dates = ScoreConfig.model_validate(config["score"]), scores["windows"]["active"]["days"]

    def draw(album: Album) -> dict[str, Any]:
        _draw(view, album)
        return {"absent": [] if panel is None else world.draw_world(album, view.latest)}

    write_page(
        saver(folder),
        "trend/report/walk.html.j2",
        draw,
        view=view,
        scores=scores,
        config=config,
        walk=scores["walk"],
        pool=scores["models"]["pool"],
        unit=unit,
        when=wording.at(scores["walk"]["last_target"], unit),
        explored=view.explored,
        listed=view.listed,
        steps=view.steps,
        outside=False,
        trust=view.trust(dates >= score.claimed_from),
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
        predictions: one row per forecast that was scored.
        panel: one row per region and date; None where the folder holds none.
    """

    scores: Row
    predictions: pl.DataFrame
    panel: pl.DataFrame | None

    RANKED_BY = ("log_score", "brier_skill", "roc_auc", "accuracy", "ece")
    AT_A_GLANCE = ("log_score", "brier_skill")
    BY_DATE = ("brier_score", "roc_auc")
    BY_DATE_MODELS = ("pool", "gru", "logistic", "boosting", "base_rate")
    STEPS = 60
    """Number of dates in a row's small picture."""
    RELIABILITY = (("pool", "logistic"), ("gru", "boosting"))

    @cached_property
    def best(self) -> str | None:
        """The model outside the pool and its recurrent networks with the lowest log score on active windows."""
        others = dict.fromkeys(pair["against"] for pair in self._log_score_pairs_of("pool"))
        known = {name: self.scores["models"][name]["active"]["log_score"] for name in others}
        defined = {name: score for name, score in known.items() if score is not None}
        return min(defined, key=lambda name: defined[name]) if defined else None

    def trust(self, claimed: bool) -> Trust:
        """How far the pool may be trusted, by active windows; `claimed`: they are enough to claim a difference."""
        models, name = self.scores["models"], self.best
        pairs = (pair for pair in self._log_score_pairs_of("pool") if pair["against"] == name)
        best = None if name is None else (name, models[name]["active"]["log_score"])
        active = self.predictions.filter("active")
        return trust(active, "p_pool", models["pool"]["active"], best=best, pair=next(pairs, None), claimed=claimed)

    def _log_score_pairs_of(self, model: str) -> list[Row]:
        wanted = ("log_score", model)
        return [pair for pair in self.scores["comparisons"] if (pair["score"], pair["model"]) == wanted]

    @cached_property
    def latest(self) -> pl.DataFrame:
        """Every region's forecast of the last target date (null: none was made), and its newest count."""
        assert self.panel is not None
        names = self.panel["region"].unique(maintain_order=True)
        last = self.predictions.filter(pl.col("target_date") == pl.col("target_date").max())
        newest = self.panel.sort("date").group_by("region").agg(last_value=pl.col("increment").last())
        return (
            pl.DataFrame({"region": names, "iso2": pl.Series([iso2(name) for name in names], dtype=pl.String)})
            .join(last.select("region", probability="p_pool"), on="region", how="left", maintain_order="left")
            .join(newest, on="region", how="left", maintain_order="left")
            .with_columns(in_c=pl.lit(True))
        )

    @cached_property
    def explored(self) -> Row | None:
        """The data of the explorer; None without a panel."""
        if self.panel is None:
            return None
        wanted = ("pool", self.best, "gru", "boosting", "base_rate")
        models = [name for name in dict.fromkeys(wanted) if name is not None]
        return explorer.data(self.panel, self.predictions, models, self.latest["region"].to_list())

    @cached_property
    def listed(self) -> list[Row]:
        """The rows of the table of regions; empty without a panel."""
        if self.panel is None:
            return []
        return regions.rows(self.latest, regions.recent(self.panel, self.STEPS), self.predictions, "p_pool")

    @property
    def steps(self) -> int:
        """Number of dates in the pictures of `listed`."""
        return max((row["steps"] for row in self.listed), default=0)

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
