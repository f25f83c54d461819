"""A small hub for tests: FluSight's rules, three places, forecasts drawn at random, versions written by hand."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from twofold.hub.rules import WEEK, rules
from twofold.hub.vintages import Versions

RULES = rules("flusight", "2024-25")
START = date(2024, 11, 30)
LOCATIONS = pl.DataFrame(
    {
        "location": ["01", "56", "US"],
        "abbreviation": ["AL", "WY", "US"],
        "name": ["Alabama", "Wyoming", "US"],
        "population": [5_108_468, 584_057, 334_914_895],
    }
)


def at(text: str) -> datetime:
    """A moment in UTC: `2024-12-05 04:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def versions_of(rows: list[tuple[str, str, str, float | None]]) -> Versions:
    """Versions from (as_of, target_end_date, location, value)."""
    changes = [(at(time), date.fromisoformat(day), place, value) for time, day, place, value in rows]
    schema = {
        "as_of": pl.Datetime("us", "UTC"),
        "target_end_date": pl.Date,
        "location": pl.String,
        "value": pl.Float64,
    }
    return Versions(pl.DataFrame(changes, schema, orient="row").sort("as_of"))


def forecasts_of(model: str, seed: int, weeks: int = 1, places: tuple[str, ...] = ("01", "56", "US")) -> pl.DataFrame:
    """Random forecasts of every horizon, a row a category."""
    generator = np.random.default_rng(seed)
    rows: list[Any] = []
    for week in range(weeks):
        for place in places:
            for horizon in RULES.horizons:
                pmf = generator.dirichlet(np.ones(len(RULES.categories)))
                unit = (model, START + week * WEEK, horizon, place)
                rows += [(*unit, name, float(p)) for name, p in zip(RULES.categories, pmf, strict=True)]
    columns = ["model", "reference_date", "horizon", "location", "category", "probability"]
    return pl.DataFrame(rows, columns, orient="row")


def truth_of(seed: int, weeks: int = 1, places: tuple[str, ...] = ("01", "56", "US")) -> pl.DataFrame:
    """A random observed category for every forecast of `forecasts_of`."""
    units = forecasts_of("any", 0, weeks, places).select("reference_date", "horizon", "location").unique()
    table = units.sort("reference_date", "horizon", "location")
    observed = np.random.default_rng(seed).integers(0, len(RULES.categories), table.height)
    return table.with_columns(pl.col("horizon").cast(pl.Int64), observed=pl.Series(observed))
