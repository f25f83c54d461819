"""What a forecaster knows at a reference date's deadline, and nothing else: counts, expected revisions, population."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import counted
from twofold.engine.errors import InputError
from twofold.hub.growth import aggregate_of
from twofold.hub.history import History
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


class Skipped(NamedTuple):
    """A reference date for which no forecast can be made, and why."""

    reference_date: date
    reason: str


def usable(versions: Versions, dates: Iterable[date], rules: Rules) -> tuple[list[date], list[Skipped]]:
    """Parts reference dates into those that can be forecast and those that can't.

    Args:
        versions: all versions.
        dates: reference dates.
        rules: deadlines, and how many locations the week before the reference date must hold.

    Returns:
        Dates to be used, and dates skipped with their reasons.
    """
    used, skipped = [], []
    for day in dates:
        week, known = day - WEEK, versions.before(rules.deadline(day))
        there = known.filter(pl.col("target_end_date") == week).height
        if there >= rules.min_locations:
            used.append(day)
        elif known.is_empty():
            skipped.append(Skipped(day, "no version was published before the deadline"))
        else:
            last = max(time for time in versions.times() if time < rules.deadline(day))
            reason = (
                f"the last version before the deadline, of {last:%Y-%m-%d %H:%M} UTC, holds "
                f"{counted(there, 'location')} for the week ending {week}; {rules.min_locations} are needed"
            )
            skipped.append(Skipped(day, reason))
    return used, skipped


@dataclass(frozen=True)
class Replay:
    """A season and all that was published of it.

    Attributes:
        versions: of the counts.
        locations: of the season.
        rules: of the season.
        history: of another measure, all of it known before the season began; or None.
    """

    versions: Versions
    locations: pl.DataFrame
    rules: Rules
    history: History | None

    def dates(self) -> tuple[list[date], list[Skipped]]:
        """Reference dates that can be forecast, and those that can't with the reason.

        Raises:
            InputError: when there is none.
        """
        used, skipped = usable(self.versions, self.rules.reference_dates(), self.rules)
        if not used:
            raise InputError(
                f"no reference date of season {self.rules.season} can be forecast from these versions; the first: "
                f"{skipped[0].reference_date}, {skipped[0].reason}"
            )
        return used, skipped

    def known(self, reference_date: date) -> Known:
        """What was known for a reference date."""
        return known_at(self.versions, reference_date, self.locations, self.rules)
