"""The data that the page's explorer draws from, embedded as JSON: counts and the probabilities of a rise.

Lists are by region in the order of `places`; of probabilities and outcomes by target date in the order of `targets`.
Null stands for what was not forecast or counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from twofold.trend.report import wording

Row = dict[str, Any]

MOST_PLACES = 400
"""Regions that the explorer holds; of more those with the most new cases."""
MOST_VALUES = 100_000
"""Probabilities that it holds, some 3 bytes each: of more the earlier dates are left out."""
LEAST_DATES = 20
"""Dates that it holds however many regions there are."""
BEFORE = 30
"""Steps of the series before the first target date."""


def data(
    panel: pl.DataFrame,
    tested: pl.DataFrame,
    models: Sequence[str],
    regions: Sequence[str],
    ahead: pl.DataFrame | None = None,
) -> Row:
    """All that the explorer needs; counts as whole numbers, probabilities as whole percents.

    Args:
        panel: region, date, increment.
        tested: the windows that were scored: region, target_date, label and the models' probabilities.
        models: their columns, without the prefix `p_`; the first colours the map.
        regions: in the order of the map's and the table's rows.
        ahead: the forecast of the date after the last: region, probability, in_c, target_date, in the order of
            `regions`; None where there is none.
    """
    known = panel.drop_nulls("increment")
    places = _most_cases(known, regions)
    cells = len(places) * len(models)
    found = tested.filter(pl.col("region").is_in(places))
    dates = found["target_date"].unique().sort()
    targets = dates.tail(max(LEAST_DATES, MOST_VALUES // cells)).to_list()
    steps = known["date"].unique().sort().to_list()
    first = max(sum(step < targets[0] for step in steps) - BEFORE, 0)
    steps = steps[first:]
    where = {place: index for index, place in enumerate(regions)}
    in_c = dict(ahead.select("region", "in_c").iter_rows()) if ahead is not None else {}
    chances = dict(ahead.select("region", "probability").iter_rows()) if ahead is not None else {}
    return {
        "steps": [str(step) for step in steps],
        "targets": [str(target) for target in targets],
        "left_out": len(dates) - len(targets),
        "places": [{"name": place, "row": where[place], "in_c": in_c.get(place, True)} for place in places],
        "counts": _grid(known, "increment", "date", places, steps),
        "rose": _grid(found.with_columns(pl.col("label").cast(pl.Int8)), "label", "target_date", places, targets),
        "models": [
            {
                "name": wording.model(name),
                "p": _grid(_percents(found, f"p_{name}"), f"p_{name}", "target_date", places, targets),
            }
            for name in models
        ],
        "ahead": None
        if ahead is None
        else {"date": str(ahead["target_date"].max()), "p": [round(100 * chances[place]) for place in places]},
    }


def _most_cases(known: pl.DataFrame, regions: Sequence[str]) -> list[str]:
    sums = known.group_by("region").agg(pl.col("increment").sum()).sort("increment", "region", descending=[True, False])
    kept = set(sums["region"].head(MOST_PLACES))
    return [region for region in regions if region in kept]


def _percents(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.with_columns(pl.Series(column, np.rint(100 * rows[column].to_numpy().astype(float)).astype(int)))


def _grid(
    rows: pl.DataFrame, column: str, date: str, places: Sequence[str], dates: Sequence[Any]
) -> list[list[int | None]]:
    found: Mapping[tuple[str, Any], int] = {
        (place, at): value for place, at, value in rows.select("region", date, column).iter_rows()
    }
    return [[found.get((place, at)) for at in dates] for place in places]
