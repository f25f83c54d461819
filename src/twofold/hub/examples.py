"""What the heads are asked and what they learn from: places in a week, their inputs, and how the count then changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from twofold.engine.errors import InputError
from twofold.hub.config import GrowthConfig, HubConfig
from twofold.hub.growth import NAMES, aggregate_of, describe, season_week
from twofold.hub.history import History, fit_scale
from twofold.hub.rules import WEEK, Rules
from twofold.hub.tables import with_population
from twofold.hub.vintages import Grid

_DECIMALS = 9
"""A threshold in counts is rounded to this, so that one that is a whole number in decimals is that number in binary."""
_NEEDED = [NAMES.index(name) for name in ("growth_1", "growth_1_before", "growth_1_earlier", "growth_2")]


def cuts(
    population: Float[np.ndarray, "n"] | Int[np.ndarray, "n"], horizon: Int[np.ndarray, "n"], rules: Rules
) -> Float[np.ndarray, "n cuts"]:
    """The cut points of the change in count: a change's category is the number of cuts that it exceeds, strictly.

    Stable is |change| < a, the larger of the stable threshold in counts and `stable_count`; large is beyond b, the
    large threshold in counts, and not stable. So the cuts are -b, -a, a, b; those that belong to the category above
    them (-b, a) are moved down to the next floating-point number. Where b < a, in a small population, every change
    that is not stable is large: the outer cuts then fall on the inner ones, and the categories between are empty. For
    whole counts `floor(cut) + 0.5` gives the same categories and lies midway between the counts that it parts.

    Args:
        population: persons.
        horizon: weeks after the reference date; one of `rules.horizons`.
        rules: thresholds of the season.

    Returns:
        Ascending cuts in cases: four, or two where the hub has three categories.

    Raises:
        InputError: when a horizon has no thresholds.

    Example:
        >>> from twofold.hub.rules import rules
        >>> cuts(np.array([10_000_000]), np.array([0]), rules("flusight", "2024-25")).round(3)
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
    rules: Rules,
) -> Int[np.ndarray, "n"]:
    """The category of each change, as an index into `rules.categories`.

    Follows the code with which the hub makes its truth: a change exactly at the stable threshold is not stable, one
    exactly at the large threshold is not large.

    Args:
        change: cases in the target week less those in the week before the reference date.
        population: persons.
        horizon: weeks after the reference date.
        rules: thresholds of the season.

    Raises:
        InputError: when a change is no number, or a horizon has no thresholds.
    """
    if not np.isfinite(change).all():
        raise InputError("change must be a finite number of cases, got one that is not")
    return (change[:, None] > cuts(population, horizon, rules)).sum(axis=1)


def truth(values: pl.DataFrame, locations: pl.DataFrame, dates: Iterable[date], rules: Rules) -> pl.DataFrame:
    """What was observed for each reference date, horizon and location.

    Args:
        values: target_end_date, location, value; usually `Versions.latest()`.
        locations: of the season; see `read_locations`.
        dates: reference dates.
        rules: horizons and thresholds of the season.

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
        base_date=pl.col("reference_date") - WEEK,
        target_end_date=pl.col("reference_date") + WEEK * pl.col("horizon"),
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
    rules: Rules,
) -> Float[np.ndarray, "n"]:
    order = np.argsort(rules.horizons)
    ascending = np.array(rules.horizons)[order]
    place = np.minimum(np.searchsorted(ascending, horizon), len(ascending) - 1)
    unknown = horizon[ascending[place] != horizon]
    if unknown.size:
        raise InputError(f"horizon must be one of {list(rules.horizons)}, got {unknown[0]}")
    return np.round(np.array(thresholds)[order][place] * population / rules.rate_per, _DECIMALS)


@dataclass(frozen=True)
class Asked:
    """Places in a week from which a forecast starts.

    Attributes:
        inputs: of the last weeks, the newest last; see `growth.NAMES`; NaN where not known.
        base: cases in the newest week.
        population: persons.
    """

    inputs: Float[np.ndarray, "n weeks inputs"]
    base: Float[np.ndarray, "n"]
    population: Float[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.base)

    def cuts(self, rules: Rules) -> Float[np.ndarray, "n horizons cuts"]:
        """The cuts between the categories, in cases, midway between the whole counts that they part."""
        columns = [cuts(self.population, np.full(len(self), horizon), rules) for horizon in rules.horizons]
        return np.floor(np.stack(columns, axis=1)) + 0.5


@dataclass(frozen=True)
class Examples:
    """Places in past weeks, and what came after.

    Attributes:
        asked: where each starts.
        change: cases at each horizon less those of the base; NaN where not known.
        weight: of each example.
        week: week of the season of the newest week, from 1 August.
    """

    asked: Asked
    change: Float[np.ndarray, "n horizons"]
    weight: Float[np.ndarray, "n"]
    week: Float[np.ndarray, "n"]


def ask(grid: Grid, population: Float[np.ndarray, "locations"], config: GrowthConfig) -> Asked:
    """Every location in the newest week of a version, its counts as they are expected to become."""
    inputs = describe(grid.values, grid.dates, population, _row(grid, population))
    rows = np.arange(len(grid.locations))
    return Asked(
        _sequences(inputs, rows, np.full(len(rows), inputs.shape[1] - 1), config.weeks), grid.values[:, -1], population
    )


def learn_from(
    counts: Grid, history: History | None, population: Float[np.ndarray, "locations"], rules: Rules, config: HubConfig
) -> Examples:
    """All examples that a version of the counts and a history hold.

    Args:
        counts: as known when the heads are fitted; its newest week, still to be revised, is left out.
        history: of another measure, or None.
        population: persons in each location of the counts.
        rules: horizons.
        config: weeks of the season, weight of the history.

    Raises:
        InputError: when there is no example.
    """
    settled = Grid(counts.locations, counts.dates[:-1], counts.values[:, :-1])
    parts = [_examples(settled, population, 1.0, rules, config.growth)]
    if history is not None and config.history.weight > 0 and len(settled.dates):
        aggregate = aggregate_of(counts.locations, population)
        scaled = fit_scale(history, settled, aggregate, config.history)
        parts.append(_examples(scaled, population, config.history.weight, rules, config.growth))
    found = _joined(parts)
    if not len(found.asked):
        raise InputError(
            "there is no week to learn from: a version must hold at least 5 weeks before the newest one and a week "
            "after them, within the weeks of a season that --growth.first-week and --growth.last-week name"
        )
    return found


def _examples(
    grid: Grid, population: Float[np.ndarray, "locations"], weight: float, rules: Rules, config: GrowthConfig
) -> Examples:
    inputs = describe(grid.values, grid.dates, population, _row(grid, population))
    week = season_week(grid.dates)
    ahead = np.array(rules.horizons) + 1
    change = _changes(grid.values, ahead)
    usable = np.isfinite(grid.values) & np.isfinite(inputs[:, :, _NEEDED]).all(axis=2) & np.isfinite(change).any(axis=2)
    usable &= (week >= config.first_week) & (week <= config.last_week)
    row, column = np.nonzero(usable)
    asked = Asked(_sequences(inputs, row, column, config.weeks), grid.values[row, column], population[row])
    return Examples(asked, change[row, column], np.full(len(row), weight), week[column])


def _changes(
    values: Float[np.ndarray, "locations weeks"], ahead: np.ndarray
) -> Float[np.ndarray, "locations weeks horizons"]:
    width = values.shape[1]
    result = np.full((*values.shape, len(ahead)), np.nan)
    for index, weeks in enumerate(ahead):
        if weeks < width:
            result[:, : width - weeks, index] = values[:, weeks:] - values[:, : width - weeks]
    return result


def _sequences(
    inputs: Float[np.ndarray, "locations weeks inputs"], row: np.ndarray, column: np.ndarray, weeks: int
) -> Float[np.ndarray, "n steps inputs"]:
    """The inputs of the last weeks up to each column; NaN before the first week."""
    steps = column[:, None] + np.arange(1 - weeks, 1)
    taken = inputs[row[:, None], np.maximum(steps, 0)]
    return np.where((steps >= 0)[:, :, None], taken, np.nan)


def _row(grid: Grid, population: Float[np.ndarray, "locations"]) -> int | None:
    name = aggregate_of(grid.locations, population)
    return None if name is None else grid.locations.index(name)


def _joined(parts: Sequence[Examples]) -> Examples:
    asked = Asked(
        *(np.concatenate([getattr(part.asked, name) for part in parts]) for name in ("inputs", "base", "population"))
    )
    rest = (np.concatenate([getattr(part, name) for part in parts]) for name in ("change", "weight", "week"))
    return Examples(asked, *rest)
