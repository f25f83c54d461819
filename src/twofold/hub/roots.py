"""Inputs of the heads that give quantiles, on the scale of fourth roots of rates.

The fourth root of a rate has about the same noise at all levels: between the logarithm, whose noise grows where counts
are few, and the rate, whose noise grows where they are many. A feature of a week is computed from that week and earlier
ones only.
"""

import numpy as np
from jaxtyping import Float

from twofold.hub.growth import MEMORY, lagged, mean_of_known, peak, season_year
from twofold.hub.rules import WEEK

OFFSET = 0.01 + 0.75**4
"""Added to a rate per 100,000 before its fourth root is taken: .75 is then about the root's least value."""
_DIFFERENCES = 5
_LINES = ((4, 2), (6, 2), (3, 1), (5, 1))  # weeks and degree of local polynomials
_RECALLED = 3, 4  # weeks of those whose coefficients of one and two weeks before are inputs, too
_NATIONAL = ((4, 2), (3, 1), (5, 1))
CALENDAR = "weeks_to_christmas"
Roots = Float[np.ndarray, "rows weeks"]


def root(counts: Float[np.ndarray, "*shape"], population: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """The fourth root of the rate per 100,000 plus `OFFSET`; counts below 0 are taken for 0."""
    return (np.maximum(counts, 0.0) / population * 1e5 + OFFSET) ** 0.25


def counts_of(
    roots: Float[np.ndarray, "*shape"], population: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """The inverse of `root`; 0 where the root is below that of a count of 0."""
    return np.maximum(np.maximum(roots, 0.0) ** 4 - OFFSET, 0.0) * population / 1e5


def describe(
    values: Float[np.ndarray, "locations weeks"],
    dates: np.ndarray,
    population: Float[np.ndarray, "locations"],
    aggregate: int | None,
    memory: int = MEMORY,
) -> Float[np.ndarray, "locations weeks inputs"]:
    """The inputs of every location and week, in the order of `NAMES`; NaN where a count that is needed is not known.

    Args:
        values: cases; NaN where not known.
        dates: last days of the weeks, a week apart.
        population: persons.
        aggregate: row of the location that is the sum of the others, if there is one; inputs of the country leave it
            out.
        memory: weeks in which peaks are searched.
    """
    if values.shape[1] == 0:
        return np.zeros((*values.shape, len(NAMES)))
    found = _inputs(values, dates, population, aggregate, memory)
    return np.stack([np.broadcast_to(found[name], values.shape) for name in NAMES], axis=2)


def _inputs(
    values: Float[np.ndarray, "locations weeks"],
    dates: np.ndarray,
    population: Float[np.ndarray, "locations"],
    aggregate: int | None,
    memory: int,
) -> dict[str, np.ndarray]:
    x = root(values, np.broadcast_to(population[:, None], values.shape))
    found = {"root": x}
    found |= {f"change_{weeks}": x - lagged(x, weeks) for weeks in range(1, _DIFFERENCES + 1)}
    found |= {f"mean_{weeks}": np.mean([lagged(x, k) for k in range(weeks)], axis=0) for weeks in (2, 4)}
    for weeks, degree in _LINES:
        level, *slopes = _polynomial(x, weeks, degree)
        found[f"line_{weeks}_0"] = level - x
        for order, slope in enumerate(slopes, 1):
            found[f"line_{weeks}_{order}"] = slope
            if weeks in _RECALLED:
                found |= {f"line_{weeks}_{order}_before_{ago}": lagged(slope, ago) for ago in (1, 2)}
    log = np.log(values + 1.0)
    found |= {f"growth_{weeks}": log - lagged(log, weeks) for weeks in (1, 2)}
    found["noise"] = 1.0 / np.sqrt(values + 1.0)
    found["below_peak"], found["weeks_since_peak"] = peak(x, memory)
    found["peak"] = x - found["below_peak"]
    parts = np.arange(len(values)) != aggregate
    nation = _country(values[parts], population[parts])
    found["national_root"] = nation
    found |= {f"national_change_{weeks}": nation - lagged(nation, weeks) for weeks in range(1, 5)}
    for weeks, degree in _NATIONAL:
        slopes = _polynomial(nation, weeks, degree)[1:]
        found |= {f"national_line_{weeks}_{order}": slope for order, slope in enumerate(slopes, 1)}
    found["national_below_peak"], found["national_weeks_since_peak"] = peak(nation, memory)
    found |= {f"mean_change_{weeks}": mean_of_known(found[f"change_{weeks}"][parts]) for weeks in (1, 2)}
    change = found["change_1"][parts]
    found["share_rising"] = mean_of_known(np.where(np.isnan(change), np.nan, change > 0))
    found["root_to_national"] = x - nation
    found["change_to_national"] = found["change_2"] - found["national_change_2"]
    christmas = np.array([f"{year}-12-25" for year in season_year(dates)], dtype="datetime64[D]")
    found[CALENDAR] = ((dates - christmas).astype(int) / WEEK.days)[None]
    found["population"] = np.log(population)[:, None]
    found["aggregate"] = (~parts).astype(np.float64)[:, None]
    return found


def _polynomial(x: Roots, weeks: int, degree: int) -> list[Roots]:
    """Coefficients at the newest week of the polynomial fitted by least squares to each week and those before it."""
    time = np.arange(1.0 - weeks, 1.0)
    solved = np.linalg.pinv(np.stack([time**order for order in range(degree + 1)], axis=1))
    window = np.stack([lagged(x, weeks - 1 - place) for place in range(weeks)], axis=2)
    return [window @ row for row in solved]


def _country(values: Float[np.ndarray, "locations weeks"], population: Float[np.ndarray, "locations"]) -> Roots:
    """The country's root, of the parts that are known in each week."""
    known = np.isfinite(values)
    persons = np.where(known, population[:, None], 0.0).sum(axis=0, keepdims=True)
    cases = np.where(known, values, 0.0).sum(axis=0, keepdims=True)
    return np.where(persons > 0, root(cases, np.maximum(persons, 1.0)), np.nan)


NAMES = tuple(
    _inputs(np.ones((3, MEMORY)), np.datetime64("2020-01-04") + 7 * np.arange(MEMORY), np.ones(3), None, MEMORY)
)
"""Names of the inputs, in their order."""
