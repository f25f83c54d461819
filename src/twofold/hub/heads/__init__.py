"""The heads by name: fitted on what was known, then used to forecast."""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple, cast

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.engine.errors import InputError
from twofold.engine.recurrent import Cell
from twofold.hub.config import HeadName, HubConfig
from twofold.hub.distribution import CountForecast, pmf_from
from twofold.hub.examples import Examples, Queries, build_queries
from twofold.hub.heads.autoregression import fit_autoregression
from twofold.hub.heads.climatology import fit_climatology
from twofold.hub.heads.logistic import fit_logistic
from twofold.hub.heads.network import fit_networks
from twofold.hub.heads.pmf import Head, pmf_of
from twofold.hub.heads.quantile import QuantileHead
from twofold.hub.heads.quantile_network import fit_quantile_networks
from twofold.hub.heads.quantile_trees import fit_quantile_trees
from twofold.hub.heads.renewal import fit_renewal
from twofold.hub.heads.trees import fit_trees
from twofold.hub.quantiles import distribution_table
from twofold.hub.rules import RateChange, Rules
from twofold.hub.season import Known

NO_CATEGORIES = pl.DataFrame(
    schema={
        "reference_date": pl.Date,
        "horizon": pl.Int64,
        "location": pl.String,
        "category": pl.String,
        "probability": pl.Float64,
    }
)
"""The categories' table of a hub that asks for none."""


def fit_head(name: HeadName, examples: Examples, rules: Rules, config: HubConfig) -> Head:
    """Fits one head.

    Raises:
        InputError: when it gives categories only, and the hub asks for none.
    """
    fits: dict[HeadName, Callable[[], Head]] = {
        "ar6": lambda: fit_autoregression(examples),
        "renewal": lambda: fit_renewal(examples, rules),
        "quantile_trees": lambda: fit_quantile_trees(examples, config.quantile_trees, config.seed),
        "quantile_rnn": lambda: fit_quantile_networks(examples, config.quantile_network, config.seed),
    }
    if name in fits:
        return fits[name]()
    change = rules.rate_change
    if change is None:
        raise InputError(f"the head {name} gives categories of change, and {rules.hub} asks for none; leave it out")
    fits = {
        "climatology": lambda: fit_climatology(examples),
        "logistic": lambda: fit_logistic(examples, change),
        "trees": lambda: fit_trees(examples, change, config.trees, config.seed),
    }
    if name in fits:
        return fits[name]()
    return fit_networks(examples, change, cast(Cell, name), config.network, config.seed)


class Forecasts(NamedTuple):
    """One head's forecasts for a reference date, of every location whose newest week is known.

    Attributes:
        categories: columns reference_date, horizon, location, category, probability; no rows where the hub has none.
        distributions: as `quantiles.distribution_table`; None where the head gives none.
    """

    categories: pl.DataFrame
    distributions: pl.DataFrame | None


def forecast(head: Head, known: Known, rules: Rules, config: HubConfig) -> Forecasts:
    """One head's forecasts for a reference date.

    Raises:
        InputError: when it gives categories only, and the hub has none.
    """
    queries = build_queries(known.expected, known.population, config.growth)
    there = np.flatnonzero(np.isfinite(queries.base))
    queries = Queries(queries.inputs[there], queries.base[there], queries.population[there])
    locations = [known.expected.locations[row] for row in there]
    day = known.reference_date
    change = rules.rate_change
    if not isinstance(head, QuantileHead):
        if change is None:
            raise InputError(f"the model gives categories of change, and {rules.hub} asks for none; take another head")
        return Forecasts(category_table(day, locations, change, pmf_of(head, queries, change, config.floor)), None)
    found = CountForecast(queries.base, queries.population, head.change(queries))
    distributions = distribution_table(day, locations, rules, found)
    if change is None:
        return Forecasts(NO_CATEGORIES, distributions)
    return Forecasts(
        category_table(day, locations, change, pmf_from(found.exceed(queries.cuts(change)))), distributions
    )


def category_table(
    day: date, locations: list[str], rules: RateChange, pmf: Float[np.ndarray, "n horizons categories"]
) -> pl.DataFrame:
    """Probabilities as a table: reference_date, horizon, location, category, probability."""
    grid = (
        pl.DataFrame({"location": locations}, {"location": pl.String})
        .join(pl.DataFrame({"horizon": rules.horizons}, {"horizon": pl.Int64}), how="cross")
        .join(pl.DataFrame({"category": rules.categories}), how="cross")
    )
    return grid.select(pl.lit(day).alias("reference_date"), "horizon", "location", "category").with_columns(
        probability=pl.Series(pmf.ravel())
    )
