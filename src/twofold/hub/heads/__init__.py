"""The heads by name: fitted on what was known, then used to forecast."""

import numpy as np
import polars as pl

from twofold.hub.config import HeadName, HubConfig
from twofold.hub.examples import Examples, Queries, build_queries
from twofold.hub.heads.climatology import fit_climatology
from twofold.hub.heads.logistic import fit_logistic
from twofold.hub.heads.network import fit_networks
from twofold.hub.heads.pmf import Head, pmf_of
from twofold.hub.heads.trees import fit_trees
from twofold.hub.rules import Rules
from twofold.hub.season import Known


def fit_head(name: HeadName, examples: Examples, rules: Rules, config: HubConfig) -> Head:
    """Fits one head."""
    if name == "climatology":
        return fit_climatology(examples)
    if name == "logistic":
        return fit_logistic(examples, rules)
    if name == "trees":
        return fit_trees(examples, rules, config.trees, config.seed)
    return fit_networks(examples, rules, name, config.network, config.seed)


def forecast(head: Head, known: Known, rules: Rules, config: HubConfig) -> pl.DataFrame:
    """One head's forecasts for a reference date.

    Returns:
        Columns reference_date, horizon, location, category, probability, of every location whose newest week is known.
    """
    queries = build_queries(known.expected, known.population, config.growth)
    there = np.flatnonzero(np.isfinite(queries.base))
    queries = Queries(queries.inputs[there], queries.base[there], queries.population[there])
    pmf = pmf_of(head, queries, rules, config.floor)
    grid = (
        pl.DataFrame({"location": [known.expected.locations[row] for row in there]}, {"location": pl.String})
        .join(pl.DataFrame({"horizon": rules.horizons}, {"horizon": pl.Int64}), how="cross")
        .join(pl.DataFrame({"category": rules.categories}), how="cross")
    )
    return grid.select(
        pl.lit(known.reference_date).alias("reference_date"), "horizon", "location", "category"
    ).with_columns(probability=pl.Series(pmf.ravel()))
