"""What was known at each deadline of a season, and nothing else: counts, expected revisions, population."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import counted
from twofold.engine.errors import InputError
from twofold.hub.examples import Panel
from twofold.hub.growth import aggregate_of
from twofold.hub.history import History
from twofold.hub.revisions import apply_revisions, fit_revisions
from twofold.hub.rules import WEEK, Rules
from twofold.hub.vintages import Grid, Versions, grid_of, table_of


class Skipped(NamedTuple):
    """A reference date for which no forecast can be made, and why."""

    reference_date: date
    reason: str


@dataclass(frozen=True)
class Known:
    """The last version before a deadline.

    Attributes:
        reference_date: that the forecast is for.
        counts: the version as it was published.
        expected: the counts after the expected revisions of its last weeks.
        population: persons in each location.
        revisions: logarithms of the expected factors, the newest week first.
        others: other diseases' counts, to learn from.
    """

    reference_date: date
    counts: Grid
    expected: Grid
    population: Float[np.ndarray, "locations"]
    revisions: tuple[float, ...]
    others: tuple[Panel, ...] = ()

    def settled(self) -> pl.DataFrame:
        """The version without its newest week, which is still to be revised: target_end_date, location, value."""
        return table_of(self.counts.part(slice(-1)))


@dataclass(frozen=True)
class Source:
    """Another disease's counts, from which the heads learn as well.

    Attributes:
        versions: of its counts.
        locations: with their population.
        history: of another measure of it, all of it known before the season began; or None.
        among: visits that its counts are counted among; None: they are of the population.
    """

    versions: Versions
    locations: pl.DataFrame
    history: History | None
    among: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what the readers left out."""
        return *self.versions.notes, *(self.history.notes if self.history else ())

    def before(self, deadline: datetime) -> Panel | None:
        """The last version before a deadline; None where there was none."""
        persons = persons_in(self.locations, self.among)
        version = self.versions.before(deadline).filter(pl.col("location").is_in(list(persons)))
        if version.is_empty():
            return None
        counts = grid_of(version)
        population = np.array([persons[name] for name in counts.locations], dtype=np.float64)
        return Panel(counts, population, self.history)


@dataclass(frozen=True)
class Replay:
    """A season and all that was published of it.

    Attributes:
        versions: of the counts.
        locations: of the season.
        rules: of the season.
        history: of another measure, all of it known before the season began; or None.
        others: diseases from which the heads learn as well.
    """

    versions: Versions
    locations: pl.DataFrame
    rules: Rules
    history: History | None
    others: tuple[Source, ...] = ()
    _known: dict[date, Known] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def notes(self) -> list[str]:
        """Sentences on what the readers left out, and on whose rules are used."""
        own = [] if self.rules.note is None else [self.rules.note]
        others = (note for source in self.others for note in source.notes)
        return list(dict.fromkeys([*self.versions.notes, *(self.history.notes if self.history else ()), *others, *own]))

    @cached_property
    def dates(self) -> tuple[list[date], list[Skipped]]:
        """Reference dates that can be forecast, and those that can't, with the reasons.

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
        """What was known for a reference date; see `known_at`. It is computed once."""
        if reference_date not in self._known:
            known = known_at(self.versions, reference_date, self.locations, self.rules)
            panels = (source.before(self.rules.deadline(reference_date)) for source in self.others)
            others = tuple(panel for panel in panels if panel is not None)
            self._known[reference_date] = dataclasses.replace(known, others=others)
        return self._known[reference_date]


def known_at(versions: Versions, reference_date: date, locations: pl.DataFrame, rules: Rules) -> Known:
    """What is known for a reference date: nothing published at its deadline or after it is used.

    Locations that the season's table lacks are not forecast.

    Raises:
        InputError: when no version was published before the deadline, or the last one lacks the week before it.
    """
    deadline, week = rules.deadline(reference_date), reference_date - WEEK
    persons = persons_in(locations, rules.among)
    version = versions.before(deadline).filter(
        pl.col("location").is_in(list(persons)) & (pl.col("target_end_date") <= week)
    )
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


def persons_in(locations: pl.DataFrame, among: int | None) -> dict[str, int]:
    """The population of each location.

    For counts among visits all have the same, so large that a rate per 1,000 visits becomes one per 100,000 persons:
    both are of one magnitude then. No location is the sum of the others.
    """
    persons = [100 * among] * locations.height if among else locations["population"].to_list()
    return dict(zip(locations["location"], persons, strict=True))


def usable(versions: Versions, dates: Iterable[date], rules: Rules) -> tuple[list[date], list[Skipped]]:
    """Splits reference dates into those that can be forecast and those that can't, with the reasons."""
    used, skipped = [], []
    for day in dates:
        week, deadline = day - WEEK, rules.deadline(day)
        known = versions.before(deadline)
        there = known.filter(pl.col("target_end_date") == week).height
        if there >= rules.min_locations:
            used.append(day)
        elif known.is_empty():
            skipped.append(Skipped(day, "no version was published before the deadline"))
        else:
            last = max(time for time in versions.times() if time < deadline)
            reason = (
                f"the last version before the deadline, of {last:%Y-%m-%d %H:%M} UTC, holds "
                f"{counted(there, 'location')} for the week ending {week}; {rules.min_locations} are needed"
            )
            skipped.append(Skipped(day, reason))
    return used, skipped
