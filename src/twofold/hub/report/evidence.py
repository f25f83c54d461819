"""What the page of a hub's backtest reads of its run folder, and the scores that it looks at from several sides."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.engine.files import required, table, text
from twofold.hub.rules import Rules
from twofold.hub.rules import rules as known_rules
from twofold.hub.scores import common, mean_scores, score_forecasts
from twofold.hub.tables import UNIT, read_forecasts

LEVEL = "90\u00a0%"
"""Level of the intervals in scores.json."""


@dataclass(frozen=True)
class HubEvidence:
    """The files of a finished backtest.

    Attributes:
        scores: scores.json.
        config: config.json.
        manifest: manifest.json.
        rules: the hub's, in that season.
        forecasts: of all models, ours and others', a row a category.
        truth: what happened, a row a reference date, horizon and location.
        counts: target_end_date, location, value of the newest version.
        known: reference_date, target_end_date, location, value as known at the deadline.
        locations: location, abbreviation, name, population.
        scored: every forecast's scores.
    """

    scores: dict[str, Any]
    config: dict[str, Any]
    manifest: dict[str, Any]
    rules: Rules
    forecasts: pl.DataFrame
    truth: pl.DataFrame
    counts: pl.DataFrame
    known: pl.DataFrame
    locations: pl.DataFrame
    scored: pl.DataFrame

    @property
    def default(self) -> str:
        """Name of our default model."""
        return self.scores["default"]

    @property
    def ensemble(self) -> str | None:
        """Name of the hub's ensemble; None where it made no forecast that the default made, too."""
        return self._if_met(self.scores["ensemble"])

    @property
    def baseline(self) -> str | None:
        """Name of the hub's baseline; None where it made no forecast that the default made, too."""
        return self._if_met(self.scores["baseline"])

    @property
    def plain(self) -> list[str]:
        """Models without skill: the hub's baseline and those that scores.json lists under `no_skill`."""
        named = dict.fromkeys([self.scores["baseline"], *self.scores.get("no_skill", [])])
        return [name for name in named if name in self.scores["models"]]

    @property
    def best_peer(self) -> str | None:
        """The other team's model with the lowest relative RPS on the common forecasts, else RPS; None without one.

        The hub's own models, named after the same team as its ensemble, are no other team's.
        """
        own = {*self.scores["ours"], *self.plain, self.default, self.scores["ensemble"]}
        ranked = [name for name, _ in self.ranked("common") if name not in own]
        return next((name for name in ranked if team(name) != team(self.scores["ensemble"])), None)

    @property
    def shown(self) -> list[str]:
        """The few models that figures compare: default, ensemble, best peer, baseline; those that there are."""
        names = [self.default, self.ensemble, self.best_peer, self.baseline]
        return list(dict.fromkeys(name for name in names if name is not None))

    @property
    def level_field(self) -> pl.DataFrame:
        """The scores of `shown`, on the forecasts that all of them made."""
        return common(self.scored.filter(pl.col("model").is_in(self.shown)), self.truth, coverage=1e-9)

    @property
    def nation(self) -> str | None:
        """The location that holds all others, told by its population; None where there is none."""
        ordered = self.locations.sort("population", descending=True)
        persons = ordered["population"].to_numpy()
        return ordered["location"][0] if len(persons) > 1 and persons[0] >= 0.9 * persons[1:].sum() else None

    @property
    def horizon(self) -> int:
        """The horizon of maps and series: one week ahead where the hub asks it."""
        return 1 if 1 in self.rules.horizons else self.rules.horizons[0]

    def ranked(self, part: str) -> list[tuple[str, dict[str, Any]]]:
        """Models and their scores in `models` or `common`, best relative RPS first, else best RPS."""
        rows = self.scores[part].items()
        return sorted(rows, key=lambda row: (_last(row[1].get("relative_rps")), _last(row[1].get("rps")), row[0]))

    def beside(self, rival: str, by: list[str]) -> pl.DataFrame:
        """Mean RPS of the default and of a rival on what both forecast, by groups of forecasts.

        Returns:
            The columns of `by`, n, ours, theirs, difference (below 0: ours is better); sorted by `by`.
        """
        pair = self.scored.filter(pl.col("model").is_in([self.default, rival]))
        means = mean_scores(common(pair, self.truth, coverage=1e-9), ["model", *by])
        mine, other = (means.filter(pl.col("model") == name) for name in (self.default, rival))
        joined = mine.select(*by, "n", ours="rps").join(other.select(*by, theirs="rps"), on=by)
        return joined.with_columns(difference=pl.col("ours") - pl.col("theirs")).sort(by)

    def pmf(self, model: str) -> pl.DataFrame:
        """A model's forecasts, one row each: UNIT, observed, and a column of probabilities a category."""
        own = self.forecasts.filter(pl.col("model") == model).with_columns(pl.col("horizon").cast(pl.Int64))
        wide = own.pivot(on="category", on_columns=self.rules.categories, index=UNIT, values="probability")
        return wide.join(self.truth.select(*UNIT, "observed"), on=UNIT).sort(UNIT)

    def probabilities(self, rows: pl.DataFrame) -> Float[np.ndarray, "n categories"]:
        """The probabilities in rows of `pmf`."""
        return rows.select(self.rules.categories).to_numpy()

    def name_of(self, location: str) -> str:
        """A location's name, else its code."""
        found = self.locations.filter(pl.col("location") == location)["name"]
        return found[0] if len(found) else location

    def _if_met(self, name: str) -> str | None:
        own, other = (self.scored.filter(pl.col("model") == each).select(UNIT) for each in (self.default, name))
        return name if own.join(other, on=UNIT, how="semi").height else None


def team(model: str) -> str:
    """The team in a model's name, as hubs write it: team-model.

    Example:
        >>> team("PSI-PROF_beta")
        'PSI'
    """
    return model.split("-", maxsplit=1)[0]


def _last(value: float | None) -> float:
    return float("inf") if value is None else value


def read(folder: Path) -> HubEvidence:
    """Reads the files that the page shows.

    Args:
        folder: run folder of a finished backtest. The season's rules lie in its rules.json; without one the hub must be
            one that is known by name.

    Raises:
        RunFolderError: when one of the files is missing.
        InputError: when there are no rules for the hub.
    """
    scores = json.loads(text(folder, "scores.json"))
    season = _rules(folder, scores)
    forecasts, truth = _forecasts(folder), table(folder, "truth.parquet").with_columns(pl.col("horizon").cast(pl.Int64))
    return HubEvidence(
        scores=scores,
        config=json.loads(text(folder, "config.json")),
        manifest=json.loads(text(folder, "manifest.json")),
        rules=season,
        forecasts=forecasts,
        truth=truth,
        counts=table(folder, "counts.parquet"),
        known=table(folder, "known.parquet"),
        locations=table(folder, "locations.parquet"),
        scored=score_forecasts(forecasts, truth, season),
    )


def _rules(folder: Path, scores: dict[str, Any]) -> Rules:
    path = folder / "rules.json"
    if path.is_file():
        return Rules.from_json(path.read_text(encoding="utf-8"), str(path))
    return known_rules(scores["hub"], scores["season"])


def _forecasts(folder: Path) -> pl.DataFrame:
    tables = [read_forecasts(required(folder, "predictions.parquet"))]
    if (folder / "peers.parquet").is_file():
        tables.append(read_forecasts(folder / "peers.parquet"))
    return pl.concat(tables)
