"""Tables of distributions and of quantiles: pooled, read, and turned into categories."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.hub.distribution import LEVELS, CountForecast, Distribution, pmf_from
from twofold.hub.examples import Queries
from twofold.hub.roots import root
from twofold.hub.rules import RateChange, Rules
from twofold.hub.tables import FORECAST, UNIT, Kind, read_sheet

QUANTILE: dict[str, Kind] = {
    "model": "text",
    "reference_date": "date",
    "horizon": "integer",
    "location": "text",
    "quantile": "number",
    "value": "number",
}
"""Columns of a table of quantiles, one row per level: of `predictions_quantile.parquet` and of the peers' file."""
NOTHING = pl.DataFrame(
    schema={
        "model": pl.String,
        "reference_date": pl.Date,
        "horizon": pl.Int64,
        "location": pl.String,
        "base": pl.Float64,
        "population": pl.Float64,
        "levels": pl.List(pl.Float64),
        "knots": pl.List(pl.Float64),
    }
)
"""No distributions, in the columns of many."""
LEVEL_DECIMALS = 4
"""Decimals of a level, which a file may hold as 0.15000000000000002."""


def read_peers_quantiles(path: Path) -> pl.DataFrame:
    """Reads a table of quantiles with the columns of `QUANTILE`.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    return read_sheet(path).typed(QUANTILE).with_columns(pl.col("quantile").round(LEVEL_DECIMALS))


def distribution_table(day: date, locations: Sequence[str], rules: Rules, found: CountForecast) -> pl.DataFrame:
    """The distributions of one reference date, a row for each location and horizon.

    Returns:
        Columns reference_date, horizon, location, base, population, levels, knots (lists).
    """
    horizons = len(rules.horizons)
    table = {
        "horizon": list(rules.horizons) * len(locations),
        "location": np.repeat(locations, horizons),
        "base": np.repeat(found.base, horizons),
        "population": np.repeat(found.population, horizons),
        "levels": found.change.levels.reshape(-1, found.change.levels.shape[2]).tolist(),
        "knots": found.change.knots.reshape(-1, found.change.knots.shape[2]).tolist(),
    }
    return pl.DataFrame(table, schema_overrides={"location": pl.String}).select(
        pl.lit(day).alias("reference_date"), pl.all()
    )


def count_forecasts(table: pl.DataFrame) -> CountForecast:
    """The inverse of `distribution_table`: a row of the table is a place with a single horizon."""
    base, population = (table[name].to_numpy() for name in ("base", "population"))
    levels, knots = (stacked(table[name])[:, None] for name in ("levels", "knots"))
    return CountForecast(base, population, Distribution(levels, knots))


def pool_distributions(tables: pl.DataFrame, weights: Sequence[tuple[date, dict[str, float]]]) -> pl.DataFrame:
    """The linear pool of each reference date, of the heads that have a weight; all must forecast the same."""
    pooled = []
    for day, weight in weights:
        week = tables.filter(pl.col("reference_date") == day)
        own = [week.filter(pl.col("model") == head).sort(UNIT) for head in weight]
        mixed = Distribution.pool([count_forecasts(part).change for part in own], list(weight.values()))
        lists = {"levels": mixed.levels[:, 0].tolist(), "knots": mixed.knots[:, 0].tolist()}
        pooled.append(own[0].drop("model").with_columns(**{name: pl.Series(part) for name, part in lists.items()}))
    return pl.concat(pooled)


def quantile_table(table: pl.DataFrame, levels: Sequence[float] = LEVELS) -> pl.DataFrame:
    """The quantiles of the counts, in the table's order, levels rising.

    Returns:
        Columns model (where the table has it), reference_date, horizon, location, quantile, value.
    """
    kept = [name for name in ("model", *UNIT) if name in table.columns]
    values = count_forecasts(table).quantiles(levels)[:, 0]
    listed = table.select(kept).with_columns(quantile=pl.lit(list(levels)), value=pl.Series(values.tolist()))
    return listed.explode("quantile", "value")


def long_quantiles(whole: pl.DataFrame) -> pl.DataFrame:
    """A row a level of what `complete` gives, in the columns of `QUANTILE`."""
    listed = whole.with_columns(quantile=pl.lit(list(LEVELS))).rename({"values": "value"})
    return listed.explode("quantile", "value").select(list(QUANTILE))


def derived_categories(whole: pl.DataFrame, known: pl.DataFrame, rules: RateChange) -> pl.DataFrame:
    """Probabilities of the categories that quantiles imply.

    The count's distribution goes through the quantiles on the scale of fourth roots, with the tails of
    `Distribution.through`; the change is measured from the count that was published at the deadline.

    Args:
        whole: forecasts as `complete` gives them; of other horizons than the rules' none is used.
        known: reference_date, location, base (cases of the newest week as published), population.
        rules: of the season.

    Returns:
        Columns of `FORECAST`.
    """
    whole = whole.filter(pl.col("horizon").is_in(rules.horizons)).join(known, on=["reference_date", "location"])
    levels, values = np.array(LEVELS), stacked(whole["values"])
    persons, base = whole["population"].to_numpy().astype(np.float64), whole["base"].to_numpy()
    start = root(base, persons)
    change = root(values, np.broadcast_to(persons[:, None], values.shape)) - start[:, None]
    found = CountForecast(base, persons, Distribution.through(levels, change[:, None]))
    places = Queries(np.zeros((len(base), 1, 0)), base, persons)
    cuts = np.take_along_axis(
        places.cuts(rules),
        whole["horizon"].replace_strict(list(rules.horizons), range(len(rules.horizons))).to_numpy()[:, None, None],
        axis=1,
    )
    pmf = pmf_from(found.exceed(cuts))[:, 0]
    listed = whole.select("model", *UNIT).with_columns(
        category=pl.lit(list(rules.categories)), probability=pl.Series(pmf.tolist())
    )
    return listed.explode("category", "probability").select(list(FORECAST))


def complete(quantiles: pl.DataFrame) -> pl.DataFrame:
    """The forecasts that have each of `LEVELS` once: model, reference_date, horizon, location, values (by level)."""
    asked = quantiles.filter(pl.col("quantile").is_in(LEVELS)).sort("quantile")
    key = ["model", *UNIT]
    listed = asked.group_by(key, maintain_order=True).agg(
        pl.col("value").cast(pl.Float64).alias("values"), pl.col("quantile").n_unique().alias("different")
    )
    whole = (pl.col("different") == len(LEVELS)) & (pl.col("values").list.len() == len(LEVELS))
    return listed.filter(whole).drop("different").with_columns(pl.col("horizon").cast(pl.Int64)).sort(key)


def stacked(lists: pl.Series) -> Float[np.ndarray, "rows values"]:
    """A column of lists, all of one length, as a matrix."""
    return lists.list.to_array(len(lists[0])).to_numpy()
