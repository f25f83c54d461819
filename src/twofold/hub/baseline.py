"""The hub's baseline method: the last value, with the spread of the place's own past changes."""

import numpy as np
from jaxtyping import Float

from twofold.hub.distribution import LEVELS, CountForecast, Distribution
from twofold.hub.roots import root
from twofold.hub.rules import Rules
from twofold.hub.season import Known

NAME = "last_value"
"""Name among our models."""


def last_value(known: Known, rules: Rules) -> CountForecast:
    """The count of the newest week as it was published, plus as many weekly changes as there are weeks ahead.

    A place's past weekly changes and their negatives are equally likely and independent; the distribution of their sum
    is computed exactly, by convolution. The median is the last value; counts below 0 become 0.

    Source:
        The method of FluSight-baseline and CovidHub-baseline: Cramer et al. (2022), PNAS 119(15), supplement.
    """
    base = known.counts.values[:, -1]
    values = np.stack([_quantiles(row, rules.horizons) for row in known.counts.values])
    persons = known.population
    start = root(base, persons)[:, None, None]
    change = root(base[:, None, None] + values, np.broadcast_to(persons[:, None, None], values.shape)) - start
    return CountForecast(base, persons, Distribution.through(np.array(LEVELS), change))


def _quantiles(counts: Float[np.ndarray, "weeks"], horizons: tuple[int, ...]) -> Float[np.ndarray, "horizons levels"]:
    """Quantiles at `LEVELS` of the sum of horizon + 1 changes; 0 where a place has no two weeks in succession."""
    steps = np.diff(counts)
    steps = np.rint(steps[np.isfinite(steps)]).astype(np.int64)
    if not steps.size:
        return np.zeros((len(horizons), len(LEVELS)))
    most = int(np.abs(steps).max())
    both = np.concatenate([steps, -steps]) + most
    one = np.bincount(both, minlength=2 * most + 1) / len(both)
    found = np.empty((len(horizons), len(LEVELS)))
    for row, horizon in enumerate(horizons):
        ahead = horizon + 1
        size = 2 * most * ahead + 1
        several = np.fft.irfft(np.fft.rfft(one, size) ** ahead, size)
        reached = np.maximum.accumulate(np.maximum(several, 0.0).cumsum())
        found[row] = np.searchsorted(reached / reached[-1], np.array(LEVELS) - 1e-12) - most * ahead
        found[row, LEVELS.index(0.5)] = 0.0
    return found
