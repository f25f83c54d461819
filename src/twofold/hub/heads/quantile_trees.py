"""Gradient boosting of quantiles: for each level its own trees, with the horizon among the inputs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from twofold.engine.seed import seed_for
from twofold.hub.config import QuantileTreesConfig
from twofold.hub.distribution import LEVELS, Distribution
from twofold.hub.examples import Examples, Queries
from twofold.hub.heads.quantile import QuantileHead, between, changes, inputs_of
from twofold.hub.roots import CALENDAR, NAMES

if TYPE_CHECKING:
    from lightgbm import Booster

FITTED = np.array([0.01, 0.025, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.975, 0.99])
"""Levels for which trees are grown; those between are interpolated."""
_BINS = 127


@dataclass(frozen=True)
class QuantileTrees(QuantileHead):
    """Fitted boosters.

    Attributes:
        horizons: number of horizons.
        calendar: whether the weeks to Christmas are an input.
        bags: for each bag a booster for each level of `FITTED`.
    """

    horizons: int
    calendar: bool
    bags: tuple[tuple["Booster", ...], ...]

    def change(self, queries: Queries) -> Distribution:
        """The median over the bags of each quantile."""
        table = _rows(queries, self.horizons, self.calendar)
        found = [
            np.stack([np.asarray(part.predict(table, num_threads=1)) for part in bag], axis=1) for bag in self.bags
        ]
        values = np.median(found, axis=0).reshape(len(queries), self.horizons, len(FITTED))
        return Distribution.through(np.array(LEVELS), between(FITTED, np.sort(values, axis=2)))


def fit_quantile_trees(examples: Examples, config: QuantileTreesConfig, seed: int) -> QuantileTrees:
    """Fits each bag on a random part of the seasons.

    Source:
        Friedman (2001), Greedy function approximation, Annals of Statistics 29(5), with the loss of Koenker & Bassett
        (1978), Regression quantiles, Econometrica 46(1); bags over seasons as in UMass-flusion (Ray et al. 2025).
    """
    import lightgbm

    horizons = examples.change.shape[1]
    change = changes(examples).ravel()
    weight, season = np.repeat(examples.weight, horizons), np.repeat(examples.season, horizons)
    usable = np.isfinite(change) & (weight > 0)
    quiet = {"verbosity": -1, "max_bin": _BINS}
    table = _rows(examples.queries, horizons, config.sees_calendar)[usable]
    whole = lightgbm.Dataset(table, change[usable], weight=weight[usable], params=quiet, free_raw_data=False)
    seasons = np.unique(season[usable])
    fixed = {
        "objective": "quantile",
        "learning_rate": config.learning_rate,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.min_leaf,
        "feature_fraction": config.max_features,
        "num_threads": 1,  # sums over threads would depend on how many there are
        "deterministic": True,
        "force_row_wise": True,
        **quiet,
    }
    bags = []
    for bag in range(config.bags):
        own = seed_for(seed, "quantile_trees", bag) % 2**31
        size = max(1, round(config.seasons * len(seasons)))
        drawn = np.random.default_rng(own).choice(seasons, size, replace=False)
        part = whole.subset(np.flatnonzero(np.isin(season[usable], drawn)).tolist())
        each = [{**fixed, "alpha": float(level), "seed": own} for level in FITTED]
        bags.append(tuple(lightgbm.train(params, part, config.iterations) for params in each))
    return QuantileTrees(horizons, config.sees_calendar, tuple(bags))


def _rows(queries: Queries, horizons: int, calendar: bool) -> Float[np.ndarray, "rows columns"]:
    """The newest week's inputs and the horizon's index; the horizons of a query in succession."""
    read = [index for index, name in enumerate(NAMES) if calendar or name != CALENDAR]
    inputs = np.repeat(inputs_of(queries)[:, -1, read], horizons, axis=0)
    return np.column_stack([inputs, np.tile(np.arange(horizons), len(queries))])
