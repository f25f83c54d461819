"""Features of every location and week: growth, level, the country, the other locations, the time of the season.

A feature of a week is computed from that week and earlier ones only. Levels are logarithms of rates, growth is a
difference of logarithms, so that locations of all sizes and measures of all units share one scale.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from twofold.hub.rules import WEEK

ADDED = 1.0
"""Cases added to a count before its logarithm is taken."""
MEMORY = 26
"""Weeks in which the peak is searched."""
NAMES = (
    "level", "rate", "noise", "growth_1", "growth_1_before", "growth_1_earlier", "growth_2", "growth_4", "slope_4",
    "national_level", "national_growth_1", "national_growth_1_before", "national_growth_2", "national_growth_4",
    "share_rising", "mean_growth_1", "mean_growth_2", "level_to_national", "growth_to_national",
    "below_peak", "weeks_since_peak", "national_below_peak", "national_weeks_since_peak", "season_week", "population",
)  # fmt: skip
"""Names of the features, in their order."""
Counts = Float[np.ndarray, "locations weeks"]


def describe(
    values: Counts,
    dates: np.ndarray,
    population: Float[np.ndarray, "locations"],
    aggregate: int | None,
    memory: int = MEMORY,
) -> Float[np.ndarray, "locations weeks inputs"]:
    """The features of every location and week.

    Args:
        values: cases; NaN where not known.
        dates: last days of the weeks, a week apart.
        population: persons.
        aggregate: row of the location that is the sum of the others, if there is one; features of the country and of
            the other locations leave it out.
        memory: weeks in which peaks are searched.

    Returns:
        Features in the order of `NAMES`; NaN where a count that is needed is not known.
    """
    if values.shape[1] == 0:
        return np.zeros((*values.shape, len(NAMES)))
    log, per_100k = np.log(values + ADDED), 1e5 / population[:, None]
    before, earlier, earliest = (lagged(log, weeks) for weeks in (1, 2, 3))
    growth_1, growth_2 = log - before, log - earlier
    below, since = peak(log, memory)
    parts = np.arange(len(values)) != aggregate
    national = _level(values[parts], population[parts])
    national_growth = {weeks: _sum_growth(values[parts], weeks) for weeks in (1, 2, 4)}
    national_below, national_since = peak(national, memory)
    found = {
        "level": log + np.log(per_100k),
        "rate": values * per_100k,
        "noise": 1.0 / np.sqrt(values + ADDED),
        "growth_1": growth_1,
        "growth_1_before": before - earlier,
        "growth_1_earlier": earlier - earliest,
        "growth_2": growth_2,
        "growth_4": log - lagged(log, 4),
        "slope_4": (1.5 * log + 0.5 * before - 0.5 * earlier - 1.5 * earliest) / 5.0,
        "national_level": national,
        "national_growth_1": national_growth[1],
        "national_growth_1_before": national_growth[2] - national_growth[1],
        "national_growth_2": national_growth[2],
        "national_growth_4": national_growth[4],
        "share_rising": mean_of_known(np.where(np.isnan(growth_1), np.nan, growth_1 > 0)[parts]),
        "mean_growth_1": mean_of_known(growth_1[parts]),
        "mean_growth_2": mean_of_known(growth_2[parts]),
        "level_to_national": log + np.log(per_100k) - national,
        "growth_to_national": growth_2 - national_growth[2],
        "below_peak": below,
        "weeks_since_peak": since,
        "national_below_peak": national_below,
        "national_weeks_since_peak": national_since,
        "season_week": season_week(dates),
        "population": np.log(population)[:, None],
    }
    return np.stack([np.broadcast_to(found[name], values.shape) for name in NAMES], axis=2)


def lagged(values: Float[np.ndarray, "rows weeks"], weeks: int) -> Float[np.ndarray, "rows weeks"]:
    """Each week's value of some weeks before; NaN where there is none."""
    result = np.full_like(values, np.nan)
    if weeks < values.shape[1]:
        result[:, weeks:] = values[:, : values.shape[1] - weeks]
    return result


def aggregate_of(names: Sequence[str], population: Float[np.ndarray, "locations"]) -> str | None:
    """The location that is the sum of the others, if there is one: as many persons as in all others, within 5 %."""
    largest = int(np.argmax(population))
    others = float(population.sum() - population[largest])
    alike = abs(population[largest] - others) <= 0.05 * others
    return names[largest] if len(names) > 2 and alike else None


def season_year(dates: np.ndarray) -> np.ndarray:
    """The year in which each day's season began; a season begins on 1 August."""
    months = dates.astype("datetime64[M]").astype(int)
    return 1970 + (months - 7) // 12


def season_week(dates: np.ndarray) -> np.ndarray:
    """Weeks since 1 August of the day's season, as a fraction."""
    begin = ((season_year(dates) - 1970) * 12 + 7).astype("datetime64[M]").astype("datetime64[D]")
    return (dates - begin).astype(int) / WEEK.days


def _level(values: Counts, population: Float[np.ndarray, "locations"]) -> Float[np.ndarray, "1 weeks"]:
    """The country's level as the sum of its parts, of those known."""
    known = np.isfinite(values)
    persons = np.where(known, population[:, None], 0.0).sum(axis=0, keepdims=True)
    cases = np.where(known, values, 0.0).sum(axis=0, keepdims=True)
    return np.log(cases / np.maximum(persons, 1.0) * 1e5 + 0.01)


def _sum_growth(values: Counts, weeks: int) -> Float[np.ndarray, "1 weeks"]:
    """The country's log growth, of the parts known in both weeks."""
    earlier = lagged(values, weeks)
    both = np.isfinite(values) & np.isfinite(earlier)
    now, then = (np.where(both, part, 0.0).sum(axis=0, keepdims=True) for part in (values, earlier))
    return np.where(both.any(axis=0), np.log(now + ADDED) - np.log(then + ADDED), np.nan)


def peak(level: Float[np.ndarray, "rows weeks"], memory: int) -> tuple[np.ndarray, np.ndarray]:
    """How far each week's level lies below the highest of the last `memory` weeks, and how many weeks ago that was."""
    recent = np.stack([np.where(np.isnan(past), -np.inf, past) for past in (lagged(level, k) for k in range(memory))])
    unknown = np.isnan(level)
    below = np.where(unknown, np.nan, level - np.where(unknown, 0.0, recent.max(axis=0)))
    return below, np.where(unknown, np.nan, recent.argmax(axis=0))


def mean_of_known(values: Float[np.ndarray, "rows weeks"]) -> Float[np.ndarray, "1 weeks"]:
    """Mean over the rows that are known; NaN where none is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0, keepdims=True)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
