"""The newest week, whose published count is still to be revised: what it will be once the late reports are in.

Hubs take it as horizon -1. Its distribution is the published count plus the revisions that past versions showed.
"""

from datetime import date

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.hub.distribution import LEVELS, CountForecast, Distribution
from twofold.hub.growth import aggregate_of
from twofold.hub.quantiles import distribution_table
from twofold.hub.revisions import LOOK_BACK
from twofold.hub.roots import root
from twofold.hub.rules import WEEK, Rules
from twofold.hub.season import Known
from twofold.hub.vintages import Versions

HORIZON = -1
"""Weeks from the reference date to the end of the newest week."""


def newest_week(versions: Versions, known: Known, rules: Rules) -> pl.DataFrame | None:
    """The distributions of the newest week's final counts, as `quantiles.distribution_table` gives them.

    Every place's fourth root changes by one of the changes that all places showed in the last weeks, with equal
    probability: a single place has too few revisions to tell its own.

    Returns:
        None where the hub doesn't take the horizon, or no past version tells of revisions.
    """
    changes = past_changes(versions, known, rules)
    if HORIZON not in rules.unscored_horizons or not changes.size:
        return None
    there = np.flatnonzero(np.isfinite(known.counts.values[:, -1]))
    base, population = known.counts.values[there, -1], known.population[there]
    quantiles = np.broadcast_to(np.quantile(changes, LEVELS), (len(there), 1, len(LEVELS)))
    found = CountForecast(base, population, Distribution.through(np.array(LEVELS), quantiles))
    locations = [known.counts.locations[row] for row in there]
    alone = rules.model_copy(update={"horizons": (HORIZON,)})
    return distribution_table(known.reference_date, locations, alone, found)


def past_changes(versions: Versions, known: Known, rules: Rules) -> Float[np.ndarray, "changes"]:
    """How the fourth root of each newest week's rate has changed since it was first published.

    Of the last `LOOK_BACK` weeks that were newest at an earlier deadline, each place once, but for the one that is the
    sum of the others; from what was published before the deadline.
    """
    deadline = rules.deadline(known.reference_date)
    aggregate = aggregate_of(known.counts.locations, known.population)
    persons = pl.DataFrame({"location": known.counts.locations, "population": known.population})
    now = versions.before(deadline).rename({"value": "now"})
    seen = {_last_week(now)}  # the newest of all has not been revised yet
    parts = [np.zeros(0)]
    for age in range(1, LOOK_BACK + 1):
        old = versions.before(deadline - age * WEEK)
        week = _last_week(old)
        if week is None or week in seen:
            continue
        seen.add(week)
        own = old.filter((pl.col("target_end_date") == week) & (pl.col("location") != pl.lit(aggregate or "")))
        both = own.join(now, on=["target_end_date", "location"]).join(persons, on="location").sort("location")
        value, after, population = (both[name].to_numpy() for name in ("value", "now", "population"))
        parts.append(root(after, population) - root(value, population))
    return np.concatenate(parts)


def _last_week(version: pl.DataFrame) -> date | None:
    newest = version["target_end_date"].max()
    return newest if isinstance(newest, date) else None
