"""The quantiles of the counts: what the page shows of them, and the figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.hub.distribution import LEVELS
from twofold.hub.quantile_scores import observations, score_quantiles, sort_out
from twofold.hub.quantiles import stacked
from twofold.hub.report import figures, maps, wording
from twofold.hub.report.backtest import Backtest, Row, other_team
from twofold.hub.report.judgements import Honesty, Reading, honesty, reading
from twofold.hub.rules import WEEK
from twofold.hub.tables import UNIT
from twofold.page.album import Album
from twofold.page.numbers import percent, score

FULL = 0.9
"""Share of all forecasts from which on a model has a place in the ranking."""
TOP = 10
"""Models of the short table, beside ours and the hub's."""
PEERS = 2
"""Other teams' models, the best of the ranking, that the explorer offers."""
_MOST, _CELLS = 8, 48_000
"""The explorer holds so many models and forecasts at most: a page that opens at once."""


@dataclass(frozen=True)
class QuantileView(Backtest):
    """Forecasts of quantiles, and the values that the page shows of them.

    Attributes:
        mine: names of our models.
        table: quantiles of all models, ours and others', one row per level.
        chosen: the models whose quantiles were read; None: all.
    """

    mine: list[str]
    table: pl.DataFrame
    chosen: Sequence[str] | None = None

    @property
    def board(self) -> Row:
        """The scores of quantiles in scores.json."""
        return self.scores["quantile"]

    @property
    def default(self) -> str:
        """Name of our default model."""
        return self.board["default"]

    @property
    def baseline(self) -> str:
        """The model whose relative scores are 1."""
        return self.board["baseline"]

    @property
    def ensemble(self) -> str | None:
        """Name of the hub's ensemble; None where it gave no quantiles."""
        name = self.board.get("ensemble") or self.scores.get("ensemble")  # an older folder names one for both parts
        return name if name in self.board["models"] else None

    @cached_property
    def share(self) -> dict[str, float]:
        """Model -> its forecasts over the most that one made."""
        made = {name: row["n"] for name, row in self.board["models"].items()}
        return {name: count / max(made.values()) for name, count in made.items()}

    @cached_property
    def ranked(self) -> list[tuple[str, Row]]:
        """Models with a place in the ranking and their scores, best relative WIS first."""
        return [(name, row) for name, row in self._ordered if self.share[name] >= FULL]

    @property
    def sparse(self) -> list[tuple[str, Row]]:
        """Models with too few forecasts for a place, in the same order."""
        return [(name, row) for name, row in self._ordered if self.share[name] < FULL]

    @property
    def _ordered(self) -> list[tuple[str, Row]]:
        def order(found: tuple[str, Row]) -> tuple[bool, float, str]:
            relative = found[1]["relative_wis"]
            return relative is None, relative or 0.0, found[0]

        return sorted(self.board["models"].items(), key=order)

    @cached_property
    def numbered(self) -> list[tuple[int | None, str]]:
        """All models in the order of the table, each with its place in the ranking; None where it has none."""
        ranked = [(place, name) for place, (name, _) in enumerate(self.ranked, start=1)]
        return [*ranked, *((None, name) for name, _ in self.sparse)]

    @property
    def top(self) -> list[tuple[int | None, str]]:
        """Of `numbered` the best ten, ours and the hub's."""
        always = {*self.mine, self.ensemble, self.baseline}
        return [(place, name) for place, name in self.numbered if (place and place <= TOP) or name in always]

    @property
    def rank(self) -> int | None:
        """The default's place in the ranking, from 1; None where it has none."""
        names = [name for name, _ in self.ranked]
        return names.index(self.default) + 1 if self.default in names else None

    @property
    def best_peer(self) -> str | None:
        """The other team's model with the lowest relative WIS of those ranked; None without one."""
        ranked = [name for name, _ in self.ranked]
        return other_team(ranked, {*self.mine, self.baseline}, self.ensemble)

    @property
    def shown(self) -> list[str]:
        """The few models that figures compare: default, ensemble, best peer, baseline, where they exist."""
        return [name for name in dict.fromkeys([self.default, self.ensemble, self.best_peer, self.baseline]) if name]

    @cached_property
    def explored(self) -> list[str]:
        """Models whose fans the page holds: the default, those it is compared with, the best others, ours."""
        if self.chosen is not None:
            return list(self.chosen)
        others = [name for name, _ in self.ranked if name not in self.mine]
        ours = [name for name, _ in self._ordered if name in self.mine]
        cells = len(self.places) * len(self.dates) * len(self.rules.horizons)
        most = min(max(_CELLS // max(cells, 1), len(self.shown)), _MOST)
        return list(dict.fromkeys([*self.shown, *others[:PEERS], *ours]))[:most]

    @cached_property
    def forecasts(self) -> pl.DataFrame:
        """The sound forecasts of `explored`: model, reference_date, horizon, location, values (by level)."""
        own = self.table.filter(pl.col("model").is_in(self.explored), pl.col("reference_date").is_in(self.dates))
        return sort_out(own)[0].filter(pl.col("horizon").is_in(self.rules.horizons))

    @cached_property
    def observed(self) -> pl.DataFrame:
        """What was counted in the end: UNIT, observed."""
        return observations(self.counts, self.dates, self.rules.horizons)

    @cached_property
    def scored(self) -> pl.DataFrame:
        """The scores of `forecasts`."""
        return score_quantiles(self.forecasts, self.observed)

    @property
    def differences(self) -> list[tuple[str, Row]]:
        """The default's WIS less each other model's, the one that we lose to most first."""
        return sorted(self.board["differences"].items(), key=lambda row: (-row[1]["mean"], row[0]))

    @property
    def readings(self) -> list[Reading]:
        """The reading of each of the differences."""
        return [reading(found) for _, found in self.differences]

    @property
    def honesty(self) -> Honesty:
        """Whether the default's intervals hold as much as they claim."""
        own = self.board["models"][self.default]
        return honesty(own["coverage_50"], own["coverage_95"])

    def by(self, column: str, keys: Sequence[Any], score: str) -> dict[str, Float[np.ndarray, " keys"]]:
        """Model of `shown` -> its score at each key of a column of `scores.quantile.by`; NaN where it has none."""
        found = {(row["model"], row[column]): row[score] for row in self.board["by"][column]}
        values = {name: [found.get((name, key)) for key in keys] for name in self.shown}
        return {name: np.array([np.nan if v is None else v for v in row]) for name, row in values.items()}

    @property
    def relative_by_horizon(self) -> dict[str, Float[np.ndarray, "horizons"]]:
        """Model -> its relative WIS at each of `weeks`."""
        return self.by("horizon", self.weeks, "relative_wis")

    @property
    def log_by_date(self) -> dict[str, Float[np.ndarray, "dates"]]:
        """Model -> its mean WIS of log counts at each of `dates`."""
        return self.by("reference_date", [str(day) for day in self.dates], "log_wis")

    @property
    def coverage_by_horizon(self) -> list[tuple[int, float, float]]:
        """Horizon, and the default's coverage of 50 and 95 % there."""
        parts = [self.by("horizon", self.weeks, f"coverage_{level}")[self.default].tolist() for level in (50, 95)]
        return list(zip(self.weeks, *parts, strict=True))

    @property
    def lost_horizons(self) -> list[int]:
        """Horizons at which the default is no better than the baseline."""
        own = self.relative_by_horizon[self.default]
        return [week for week, ratio in zip(self.weeks, own.tolist(), strict=True) if not ratio < 1]

    @cached_property
    def below(self) -> dict[str, Float[np.ndarray, "levels"]]:
        """Model of `shown` -> the share of outcomes at or below each of its quantiles."""
        found = {}
        for name in self.shown:
            own = self.forecasts.filter(pl.col("model") == name).join(self.observed, on=UNIT)
            if own.height:
                found[name] = (own["observed"].to_numpy()[:, None] <= stacked(own["values"])).mean(axis=0)
        return found

    @property
    def at_median(self) -> float:
        """The share of outcomes at or below the default's median."""
        return float(self.below[self.default][LEVELS.index(0.5)])

    @property
    def lean(self) -> Literal["low", "high"] | None:
        """To which side the default's median errs; None where about as many outcomes lie above it as below."""
        return "low" if self.at_median < 0.4 else "high" if self.at_median > 0.6 else None

    def by_place(self, other: str) -> dict[str, Row]:
        """Location -> n, ours, theirs (mean WIS on what both forecast) and their ratio; without those of no WIS."""
        pair = [
            self.scored.filter(pl.col("model") == name).select(*UNIT, pl.col("wis").alias(word))
            for name, word in ((self.default, "ours"), (other, "theirs"))
        ]
        rows = (
            pair[0]
            .join(pair[1], on=UNIT)
            .group_by("location")
            .agg(pl.len().alias("n"), pl.col("ours", "theirs").mean())
        )
        positive = rows.filter(pl.col("theirs") > 0).with_columns(ratio=pl.col("ours") / pl.col("theirs"))
        return {row["location"]: row for row in positive.sort("location").iter_rows(named=True)}

    @cached_property
    def comparators(self) -> dict[str, str]:
        """Models that the default is compared with place by place: the hub's ensemble and the baseline."""
        found = {"ensemble": self.ensemble, "baseline": self.baseline}
        return {word: name for word, name in found.items() if name and name != self.default}

    def summary(self, place: str) -> str:
        """The default's scores at a place, in words."""
        rows = self.board["by"]["location"]
        own = next((row for row in rows if row["model"] == self.default and row["location"] == place), None)
        if own is None:
            return f"{self.name_of(place)}."
        return (
            f"{self.name_of(place)}: relative WIS {score(own['relative_wis'], 2)}; the 95 % interval held "
            f"{percent(own['coverage_95'], 0)} of the outcomes."
        )

    @property
    def place_table(self) -> list[tuple[str, float | None, list[float | None]]]:
        """Place, the default's mean WIS there, and its ratio to each of `comparators`."""
        rows = self.scored.filter(pl.col("model") == self.default).group_by("location").agg(pl.col("wis").mean())
        own = dict(rows.iter_rows())
        ratios = [self.by_place(name) for name in self.comparators.values()]
        none: Row = {"ratio": None}
        return [(place, own.get(place), [each.get(place, none)["ratio"] for each in ratios]) for place in self.places]

    @cached_property
    def skill_maps(self) -> dict[str, maps.UsMap]:
        """Maps by name of the WIS over that of the comparators; none where no place has a shape."""
        if not maps.drawable(self.places):
            return {}
        return {
            f"map-wis-{word}": maps.skill(self.default, name, self.by_place(name), self.name_of, "WIS")
            for word, name in self.comparators.items()
        }

    def fans(self, location: str) -> list[figures.Fan]:
        """The default's fans there at dates so far apart that none covers another."""
        own = self.forecasts.filter(pl.col("model") == self.default, pl.col("location") == location)
        step, found = (max(self.weeks) + 1) * WEEK, []
        for day in self.dates:
            if found and day < found[-1].reference_date + step:
                continue
            rows = own.filter(pl.col("reference_date") == day).sort("horizon")
            if rows.height:
                ends = [day + WEEK * week for week in rows["horizon"]]
                found.append(figures.Fan(day, ends, stacked(rows["values"])))
        return found


def draw(view: QuantileView, album: Album) -> None:
    """Draws the figures into the page's album."""
    if view.differences:
        album.draw("differences-wis", figures.forest(view.differences, "WIS"))
    album.draw("wis-by-date", figures.lines_by_date(view.dates, view.log_by_date, "log WIS, lower is better"))
    drawn = figures.by_horizon(view.weeks, view.relative_by_horizon, "relative WIS, lower is better")
    album.draw("wis-by-horizon", drawn)
    album.draw("quantile-reliability", figures.quantile_reliability(LEVELS, view.below))
    for index, location in enumerate(view.places[: figures.FANS], start=1):
        name, unit = view.name_of(location), wording.unit(view.rules.among)
        drawn = figures.season_in_fans(view.counted(location), view.fans(location), LEVELS, name, unit)
        album.draw(f"fans-{index}", drawn)
    maps.hang(album, view.skill_maps)
