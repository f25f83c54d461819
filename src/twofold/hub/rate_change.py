"""The categories of a rate change: four cut points of the change in count, and what was observed in the end.

A change is stable when it is small, as a rate or as a count; beyond that its sign gives the direction, and one whose
rate exceeds a second threshold is large. As a function of the change the category only ever rises, so it is a number of
cut points passed, and probabilities of the categories are differences of P(change > cut).
"""

from collections.abc import Iterable
from datetime import date

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from twofold.engine.errors import InputError
from twofold.hub.locations import with_population
from twofold.hub.rules import WEEK, Rules

_DECIMALS = 9
"""A threshold in counts is rounded to this, so that one that is a whole number in decimals is that number in binary."""


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
