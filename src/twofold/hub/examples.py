"""Queries and training examples of the heads: locations in a week, their features, and how the count then changed.

A change is stable when it is small, as a rate or as a count; beyond that its sign gives the direction, and one whose
rate exceeds a second threshold is large. As a function of the change the category only ever rises, so it is a number of
cut points passed, and probabilities of the categories are differences of P(change > cut).
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from twofold.engine.errors import InputError
from twofold.hub import roots
from twofold.hub.config import GrowthConfig, HubConfig
from twofold.hub.growth import MEMORY, NAMES, aggregate_of, describe, season_week, season_year
from twofold.hub.history import History, fit_scale
from twofold.hub.rules import WEEK, RateChange, Rules
from twofold.hub.tables import with_population
from twofold.hub.vintages import Grid

_DECIMALS = 9
"""Decimals to which a threshold in counts is rounded: one that is whole in decimals is then whole in binary, too."""
_NEEDED = np.array([NAMES.index(name) for name in ("growth_1", "growth_1_before", "growth_1_earlier", "growth_2")])


def cuts(
    population: Float[np.ndarray, "n"] | Int[np.ndarray, "n"], horizon: Int[np.ndarray, "n"], rules: RateChange
) -> Float[np.ndarray, "n cuts"]:
    """The cut points of the change in count: a change's category is the number of cuts that it exceeds, strictly.

    Stable is |change| < a, the larger of the stable threshold in counts and `stable_count`; large is beyond b, the
    large threshold in counts, and not stable. So the cuts are -b, -a, a, b; those that belong to the category above
    them (-b, a) are moved down to the next floating-point number. Where b < a, in a small population, every change
    that is not stable is large: the outer cuts then fall on the inner ones, and the categories between are empty. For
    whole counts `floor(cut) + 0.5` gives the same categories and lies midway between the counts that it parts.

    Returns:
        Ascending cuts in cases: four, or two where the hub has three categories.

    Raises:
        InputError: when a horizon has no thresholds.

    Example:
        >>> from twofold.hub.rules import read_rules
        >>> cuts(np.array([10_000_000]), np.array([0]), read_rules("flusight").season("2024-25").rate_change).round(3)
        array([[-170.,  -30.,   30.,  170.]])
    """
    a = np.maximum(_in_counts(rules.stable_below, population, horizon, rules), rules.stable_count)
    below_a = np.nextafter(a, -np.inf)
    if not rules.large_above:
        return np.stack([-a, below_a], axis=1)
    b = _in_counts(rules.large_above, population, horizon, rules)
    below_minus_b = np.nextafter(-b, -np.inf)
    return np.stack([np.minimum(below_minus_b, -a), -a, below_a, np.maximum(below_a, b)], axis=1)


def categories(
    change: Float[np.ndarray, "n"],
    population: Float[np.ndarray, "n"] | Int[np.ndarray, "n"],
    horizon: Int[np.ndarray, "n"],
    rules: RateChange,
) -> Int[np.ndarray, "n"]:
    """The category of each change in cases since the week before the reference date: an index into `rules.categories`.

    Follows the code with which the hub makes its truth: a change exactly at the stable threshold is not stable, one
    exactly at the large threshold is not large.

    Raises:
        InputError: when a change is no number, or a horizon has no thresholds.
    """
    if not np.isfinite(change).all():
        raise InputError("change must be a finite number of cases, got one that is not")
    return (change[:, None] > cuts(population, horizon, rules)).sum(axis=1)


def truth(values: pl.DataFrame, locations: pl.DataFrame, dates: Iterable[date], rules: RateChange) -> pl.DataFrame:
    """The outcome for each reference date, horizon and location, by a version of the counts, usually the newest.

    Returns:
        Columns reference_date, horizon, location, base (cases in the week that ends 7 days before the reference date),
        change (in cases), population, observed (index of the category); sorted. A forecast one of whose two weeks has
        no value is left out.

    Raises:
        InputError: when the locations lack one of the values'.
    """
    grid = pl.DataFrame({"reference_date": sorted(set(dates))}, {"reference_date": pl.Date}).join(
        pl.DataFrame({"horizon": rules.horizons}, {"horizon": pl.Int64}), how="cross"
    )
    weeks = grid.with_columns(
        base_date=pl.col("reference_date") - WEEK, target_end_date=pl.col("reference_date") + WEEK * pl.col("horizon")
    )
    known = values.select("target_end_date", "location", "value")
    both = weeks.join(known.rename({"target_end_date": "base_date", "value": "base"}), on="base_date").join(
        known, on=["target_end_date", "location"]
    )
    table = with_population(both.sort("reference_date", "horizon", "location"), locations)
    change = (table["value"] - table["base"]).to_numpy()
    index = categories(change, table["population"].to_numpy(), table["horizon"].to_numpy(), rules)
    observed = table.with_columns(change=pl.Series(change), observed=pl.Series(index))
    return observed.select("reference_date", "horizon", "location", "base", "change", "population", "observed")


def _in_counts(
    thresholds: tuple[float, ...],
    population: Float[np.ndarray, "n"] | Int[np.ndarray, "n"],
    horizon: Int[np.ndarray, "n"],
    rules: RateChange,
) -> Float[np.ndarray, "n"]:
    same = horizon[:, None] == np.array(rules.horizons)
    unknown = horizon[~same.any(axis=1)]
    if unknown.size:
        raise InputError(f"horizon must be one of {list(rules.horizons)}, got {unknown[0]}")
    return np.round(np.array(thresholds)[same.argmax(axis=1)] * population / rules.rate_per, _DECIMALS)


@dataclass(frozen=True)
class Queries:
    """Locations, each in a week from which it is to be forecast.

    Attributes:
        inputs: features of the last weeks, the newest last: those of `growth.NAMES`, which the heads of categories
            use, then those of `roots.NAMES`, which the heads of quantiles use; NaN where not known.
        base: cases in the newest week.
        population: persons.
    """

    inputs: Float[np.ndarray, "n weeks inputs"]
    base: Float[np.ndarray, "n"]
    population: Float[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.base)

    def cuts(self, rules: RateChange) -> Float[np.ndarray, "n horizons cuts"]:
        """The cuts between the categories, in cases, midway between the whole counts that they part."""
        columns = [cuts(self.population, np.full(len(self), horizon), rules) for horizon in rules.horizons]
        return np.floor(np.stack(columns, axis=1)) + 0.5


@dataclass(frozen=True)
class Examples:
    """Training examples: queries in past weeks with their observed targets.

    Attributes:
        queries: the features.
        change: the targets: cases at each horizon less those of the base; NaN where not known.
        weight: sample weights.
        week: week of the season of the newest week, counted from 1 August.
        season: year in which that season began.
    """

    queries: Queries
    change: Float[np.ndarray, "n horizons"]
    weight: Float[np.ndarray, "n"]
    week: Float[np.ndarray, "n"]
    season: Int[np.ndarray, "n"]


def build_queries(grid: Grid, population: Float[np.ndarray, "locations"], config: GrowthConfig) -> Queries:
    """A query for every location in the newest week of a version (its counts after the expected revisions)."""
    inputs = _inputs(grid, population, MEMORY)
    rows = np.arange(len(grid.locations))
    newest = np.full(len(rows), inputs.shape[1] - 1)
    return Queries(_sequences(inputs, rows, newest, config.weeks), grid.values[:, -1], population)


class Panel(NamedTuple):
    """Counts to learn from, as they were known at a deadline.

    Attributes:
        counts: of one disease; the newest week is still to be revised.
        population: persons in each location.
        history: of another measure of that disease, if there is one.
    """

    counts: Grid
    population: Float[np.ndarray, "locations"]
    history: History | None


def build_examples(
    counts: Grid,
    history: History | None,
    population: Float[np.ndarray, "locations"],
    rules: Rules,
    config: HubConfig,
    *,
    others: Sequence[Panel] = (),
) -> Examples:
    """All examples in a version of the counts and a history, and in those of other diseases.

    The newest week of each, still to be revised, is left out. Where the counts began fewer than `growth.MEMORY` weeks
    ago, examples see no more of the past than the queries of this fit and of the weeks until the next will see.

    Raises:
        InputError: when there is no example.
    """
    begun = len(counts.dates) + np.arange(config.refit_weeks)
    parts = []
    own = Panel(counts, population, history)
    for panel in (own, *others):
        weight = 1.0 if panel is own else config.others_weight
        settled, persons = panel.counts.part(slice(-1)), panel.population
        parts.append(_examples(Panel(settled, persons, None), weight, begun, rules, config.growth))
        if panel.history is not None and config.history.weight > 0 and len(settled.dates):
            aggregate = aggregate_of(settled.locations, persons)
            scaled = fit_scale(panel.history, settled, aggregate, config.history)
            past = Panel(scaled, persons, None)
            parts.append(_examples(past, weight * config.history.weight, begun, rules, config.growth))
    queries = Queries(
        *(np.concatenate([getattr(part.queries, name) for part in parts]) for name in ("inputs", "base", "population"))
    )
    if not len(queries):
        raise InputError(
            "there is no training example: a version must hold at least 5 weeks before the newest one and a week after "
            "them, within the weeks of a season that --growth.first-week and --growth.last-week name; --also adds the "
            "counts of other hubs"
        )
    return Examples(
        queries,
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("change", "weight", "week", "season")),
    )


def _examples(
    panel: Panel, weight: float, begun: Int[np.ndarray, "fits"], rules: Rules, config: GrowthConfig
) -> Examples:
    """All examples of a panel's counts; `begun` weeks are known of those that a fit, and the weeks after it, serve."""
    grid, population = panel.counts, panel.population
    inputs, week, width = _inputs(grid, population, MEMORY), season_week(grid.dates), len(grid.dates)
    change = np.full((*grid.values.shape, len(rules.horizons)), np.nan)
    for index, horizon in enumerate(rules.horizons):
        ahead = min(horizon + 1, width)
        change[:, : width - ahead, index] = grid.values[:, ahead:] - grid.values[:, : width - ahead]
    needed = _NEEDED[~_unknown(int(begun.min()))[_NEEDED]]
    usable = np.isfinite(grid.values) & np.isfinite(inputs[:, :, needed]).all(axis=2) & np.isfinite(change).any(axis=2)
    usable &= (week >= config.first_week) & (week <= config.last_week)
    row, column = np.nonzero(usable)
    sequences = _sequences(inputs, row, column, config.weeks)
    ago = np.arange(config.weeks)[::-1]
    known, there = begun[column % len(begun), None] - ago, column[:, None] >= ago
    for weeks in np.unique(known[known < MEMORY]):
        late = np.where(_unknown(int(weeks)), np.nan, _inputs(grid, population, max(1, int(weeks))))
        example, step = np.nonzero((known == weeks) & there)
        sequences[example, step] = late[row[example], column[example] - ago[step]]
    queries = Queries(sequences, grid.values[row, column], population[row])
    season = season_year(grid.dates)[column]
    return Examples(queries, change[row, column], np.full(len(row), weight), week[column], season)


@functools.cache
def _unknown(weeks: int) -> Bool[np.ndarray, "inputs"]:
    """Which inputs can't be computed where the counts begin so many weeks ago."""
    if weeks < 1:
        return np.ones(len(NAMES) + len(roots.NAMES), dtype=bool)
    dates = np.datetime64("2020-01-04") + WEEK.days * np.arange(weeks)
    return np.isnan(_inputs(Grid(("a", "b", "c"), dates, np.ones((3, weeks))), np.ones(3), MEMORY)[0, -1])


def _inputs(
    grid: Grid, population: Float[np.ndarray, "locations"], memory: int
) -> Float[np.ndarray, "locations weeks inputs"]:
    aggregate = aggregate_of(grid.locations, population)
    row = None if aggregate is None else grid.locations.index(aggregate)
    parts = [of(grid.values, grid.dates, population, row, memory) for of in (describe, roots.describe)]
    return np.concatenate(parts, axis=2)


def _sequences(
    inputs: Float[np.ndarray, "locations weeks inputs"], row: np.ndarray, column: np.ndarray, weeks: int
) -> Float[np.ndarray, "n steps inputs"]:
    """The inputs of the last weeks up to each column; NaN before the first week."""
    steps = column[:, None] + np.arange(1 - weeks, 1)
    taken = inputs[row[:, None], np.maximum(steps, 0)]
    return np.where((steps >= 0)[:, :, None], taken, np.nan)
