"""What of our forecasts a hub asks for: its targets, horizons, places and levels in a round."""

from datetime import date
from typing import NamedTuple

import polars as pl

from twofold.hub.distribution import LEVELS
from twofold.hub.heads import Forecasts
from twofold.hub.quantiles import quantile_table
from twofold.hub.rules import Rules
from twofold.hub.tasks import Asked, Hub, OutputType


class Served(NamedTuple):
    """Forecasts to submit.

    Attributes:
        categories: reference_date, horizon, location, category, probability; None: not asked, or not given.
        quantiles: by target: reference_date, horizon, location, quantile, value.
    """

    categories: pl.DataFrame | None
    quantiles: dict[str, pl.DataFrame]

    def by_target(self, rules: Rules) -> dict[str, pl.DataFrame]:
        """The forecasts of each target."""
        if rules.rate_change is None or self.categories is None:
            return self.quantiles
        return {rules.rate_change.target: self.categories, **self.quantiles}


def serve(found: Forecasts, rules: Rules, asked: dict[str, Asked] | None, newest: pl.DataFrame | None = None) -> Served:
    """The forecasts that a hub asks for, of those that there are.

    Args:
        found: of all places and the horizons of the rules.
        rules: of the season.
        asked: by target, of those that we know; None: all that the rules name.
        newest: distributions of the newest week, for a hub that asks for it; see `newest.newest_week`.
    """
    categories, quantiles = None, None
    change = None if rules.rate_change is None else rules.rate_change.target
    if change is not None and (asked is None or change in asked):
        categories = found.categories if asked is None else _part(found.categories, asked[change])
    if rules.counts is not None and found.distributions is not None and (asked is None or rules.counts in asked):
        if asked is None:
            quantiles = quantile_table(found.distributions, LEVELS)
        else:
            own = asked[rules.counts]
            parts = [_part(table, own) for table in (newest, found.distributions) if table is not None]
            levels = sorted(map(float, own.ids))
            tables = [quantile_table(part, levels) for part in parts if part.height]
            quantiles = pl.concat(tables) if tables else None
    if categories is not None and categories.is_empty():
        categories = None
    if quantiles is None or quantiles.is_empty() or rules.counts is None:
        return Served(categories, {})
    value = pl.col("value") if rules.among is None else (pl.col("value") / rules.among).clip(upper_bound=1.0)
    return Served(categories, {rules.counts: quantiles.with_columns(value)})


def _part(table: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    return table.filter(pl.col("horizon").is_in(asked.horizons) & pl.col("location").is_in(asked.locations))


def asked_of(hub: Hub, day: date, rules: Rules) -> dict[str, Asked]:
    """What a round of a hub asks of the targets that we know."""
    change = None if rules.rate_change is None else rules.rate_change.target
    kinds: dict[str | None, OutputType] = {change: "pmf", rules.counts: "quantile"}
    found = {name: hub.asked(day, name, kind) for name, kind in kinds.items() if name is not None}
    return {name: asked for name, asked in found.items() if asked is not None}
