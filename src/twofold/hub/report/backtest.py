"""What the parts of a hub's page share: a run folder's rules and counts, and its places."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.hub.rules import WEEK, Rules

Row = dict[str, Any]
Weeks = tuple[list[dt.date], Float[np.ndarray, "weeks"]]
"""Last days of weeks and their counts."""


@dataclass(frozen=True)
class Backtest:
    """The files of a finished backtest that do not depend on what was forecast.

    Attributes:
        scores: scores.json.
        config: config.json.
        manifest: manifest.json.
        rules: the hub's, in that season.
        dates: reference dates with an observed outcome.
        counts: target_end_date, location, value of the newest version.
        known: reference_date, target_end_date, location, value as known at the deadline.
        locations: location, abbreviation, name, population of those that were forecast.
    """

    scores: Row
    config: Row
    manifest: Row
    rules: Rules
    dates: list[dt.date]
    counts: pl.DataFrame
    known: pl.DataFrame
    locations: pl.DataFrame

    OPEN = 12
    """Places whose figures stand on the page."""

    @property
    def weeks(self) -> list[int]:
        """The hub's horizons."""
        return sorted(self.rules.horizons)

    @property
    def horizon(self) -> int:
        """The horizon of maps and series: one week ahead where the hub has it."""
        return 1 if 1 in self.rules.horizons else self.rules.horizons[0]

    @property
    def nation(self) -> str | None:
        """The location that contains all others, recognised by its population; None where there is none."""
        ordered = self.locations.sort("population", descending=True)
        persons = ordered["population"].to_numpy()
        return ordered["location"][0] if len(persons) > 1 and persons[0] >= 0.9 * persons[1:].sum() else None

    @cached_property
    def places(self) -> list[str]:
        """All locations: the most populous first, then the others by name."""
        ranked = self.locations.sort("population", "location", descending=[True, False])
        return [*ranked["location"][: self.OPEN], *ranked[self.OPEN :].sort("name", "location")["location"]]

    @cached_property
    def names(self) -> dict[str, str]:
        """Location -> its name."""
        return dict(self.locations.select("location", "name").iter_rows())

    def name_of(self, location: str) -> str:
        """A location's name, else its code."""
        return self.names.get(location, location)

    def counted(self, location: str) -> Weeks:
        """The counts of the newest version, from four weeks before the first of `dates` to the last target week."""
        ends = self.dates[0] - 4 * WEEK, self.dates[-1] + max(self.rules.horizons) * WEEK
        here = self.counts.filter(pl.col("location") == location, pl.col("target_end_date").is_between(*ends))
        return series(here.sort("target_end_date"))

    def known_at(self, location: str) -> list[Weeks]:
        """The counts of the last weeks as known at each deadline."""
        own = self.known.filter(pl.col("location") == location).sort("reference_date", "target_end_date")
        return [series(rows) for _, rows in own.group_by("reference_date", maintain_order=True)]

    @cached_property
    def weights(self) -> dict[str, Float[np.ndarray, "dates"]]:
        """Model -> its weight in the pool at each of its dates, the heaviest first; empty where nothing was pooled."""
        rows = self.scores["weights"]
        names = dict.fromkeys(name for row in rows for name in row["weights"])
        found = {name: np.array([row["weights"].get(name, 0.0) for row in rows], dtype=float) for name in names}
        return dict(sorted(found.items(), key=lambda item: (-item[1].mean(), item[0])))


def other_team(ranked: Sequence[str], ours: Collection[str], ensemble: str | None) -> str | None:
    """The first model that is neither ours nor the hub's own; None without one.

    The hub's own models are named after the same team as its ensemble (team-model).
    """
    hub = None if ensemble is None else ensemble.split("-")[0]
    return next((name for name in ranked if name not in ours and name.split("-")[0] != hub), None)


def series(rows: pl.DataFrame) -> Weeks:
    """Rows of counts as weeks and values."""
    return rows["target_end_date"].to_list(), rows["value"].to_numpy().astype(float)
