"""What a forecaster knows at a reference date's deadline, and nothing else: counts, expected revisions, population."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.engine.errors import InputError
from twofold.hub.growth import aggregate_of
from twofold.hub.revisions import apply_revisions, fit_revisions
from twofold.hub.rules import WEEK, Rules
from twofold.hub.vintages import Grid, Versions, grid_of, table_of


@dataclass(frozen=True)
class Known:
    """The last version before a deadline.

    Attributes:
        reference_date: that the forecast is for.
        counts: the version as it was published.
        expected: the counts that its last weeks are expected to settle at.
        population: persons in each location.
        revisions: logarithms of the expected factors, the newest week first.
    """

    reference_date: date
    counts: Grid
    expected: Grid
    population: Float[np.ndarray, "locations"]
    revisions: tuple[float, ...]

    @property
    def aggregate(self) -> str | None:
        """The location that is the sum of all others, if there is one."""
        return aggregate_of(self.counts.locations, self.population)

    def settled(self) -> pl.DataFrame:
        """The version without its newest week, which is still to be revised: target_end_date, location, value."""
        return table_of(self.counts._replace(dates=self.counts.dates[:-1], values=self.counts.values[:, :-1]))


def known_at(versions: Versions, reference_date: date, locations: pl.DataFrame, rules: Rules) -> Known:
    """What is known for a reference date.

    Args:
        versions: all; those published at the deadline or after it are not looked at.
        reference_date: last day of the week in which the forecast is made.
        locations: of the season; see `read_locations`. Locations that it lacks are not forecast.
        rules: deadlines.

    Raises:
        InputError: when no version was published before the deadline, or the last one lacks the week before it.
    """
    deadline = rules.deadline(reference_date)
    persons = dict(zip(locations["location"], locations["population"], strict=True))
    version = versions.before(deadline).filter(pl.col("location").is_in(list(persons)))
    week = reference_date - WEEK
    version = version.filter(pl.col("target_end_date") <= week)
    if version.is_empty() or version["target_end_date"].max() != week:
        newest = "nothing" if version.is_empty() else f"nothing after {version['target_end_date'].max()}"
        raise InputError(
            f"a forecast for {reference_date} starts from the week ending {week}, of which nothing was published "
            f"before the deadline ({deadline:%Y-%m-%d %H:%M} UTC); the versions hold {newest}. Give newer versions, or "
            "an earlier reference date"
        )
    counts = grid_of(version)
    population = np.array([persons[name] for name in counts.locations], dtype=np.float64)
    aggregate = aggregate_of(counts.locations, population)
    factors = fit_revisions(versions, deadline, () if aggregate is None else (aggregate,))
    return Known(reference_date, counts, apply_revisions(counts, factors), population, tuple(factors.tolist()))
