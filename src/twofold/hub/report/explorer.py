"""The data that the page's explorer draws from: counts, fans, probabilities of a rise and categories.

A report embeds it whole (`data`); the local app sends its `outline`, and then places as they are asked for (`here`).
Lists are by place and reference date in the order of `places` and `dates`; 0 stands for what was not forecast.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from twofold.hub.distribution import LEVELS
from twofold.hub.quantiles import stacked
from twofold.hub.report import maps
from twofold.hub.report.backtest import Backtest, Row
from twofold.hub.report.quantiles import QuantileView
from twofold.hub.report.rates import RateView
from twofold.hub.report.wording import SKILL, category, shades
from twofold.hub.rules import WEEK
from twofold.hub.run import DERIVED, SHOWN_WEEKS
from twofold.hub.tables import UNIT

FAN = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Levels of a fan: the median and the central intervals of 50, 80 and 95 %."""


def data(run: Backtest, quantiles: QuantileView | None, rates: RateView | None, names: Sequence[str]) -> Row:
    """All that the explorer needs, small enough for a page: counts and quantiles as whole numbers, shares as percents.

    A fan holds for each horizon the quantiles of the levels `FAN`. The first of the names is the default model.
    """
    weeks = _weeks(run)
    counted = run.counts.select("target_end_date", "location", "value")
    counts = {(place, day): value for day, place, value in counted.iter_rows()}
    published = run.known.select("reference_date", "target_end_date", "location", "value")
    known = {(place, day, end): value for day, end, place, value in published.iter_rows()}
    before = [SHOWN_WEEKS - back for back in range(SHOWN_WEEKS)]
    return outline(run, quantiles, rates, names) | {
        "counts": [[_whole(counts.get((place, day))) for day in weeks] for place in run.places],
        "known": [
            [[_whole(known.get((place, day, day - back * WEEK))) for back in before] for day in run.dates]
            for place in run.places
        ],
        "observed": _observed(run, rates),
        "models": [_model(name, names[0], run, quantiles, rates) for name in names],
    }


def outline(run: Backtest, quantiles: QuantileView | None, rates: RateView | None, names: Sequence[str]) -> Row:
    """The part of `data` that is about no single place; the models have names only."""
    return {
        "dates": [str(day) for day in run.dates],
        "weeks": [str(day) for day in _weeks(run)],
        "before": SHOWN_WEEKS,
        "horizons": run.weeks,
        "ahead": run.horizon,
        "places": [{"code": place, "name": run.name_of(place), "short": _short(run, place)} for place in run.places],
        "categories": _categories(rates),
        "models": [{"name": name} for name in names],
        "score": "WIS" if quantiles else "RPS",
        "scale": {"ends": list(maps.RATIOS), "colours": list(SKILL), "blank": maps.BLANK},
        "start": {"place": run.places.index(run.nation or run.places[0]), "date": _opening(run)},
    }


def here(found: Row, place: int) -> Row:
    """One place of `data`, as the script takes it: its lists by date; a model's `ratio` stays by place."""

    def of(grid: list[Any]) -> list[Any]:
        return grid[place] if grid else []

    models = [
        {"name": each["name"], "ratio": each["ratio"]} | {part: of(each[part]) for part in ("fans", "rise", "pmf")}
        for each in found["models"]
    ]
    return {name: of(found[name]) for name in ("counts", "known", "observed")} | {"models": models}


def _weeks(run: Backtest) -> list[dt.date]:
    """All weeks that are shown."""
    first, last = run.dates[0] - SHOWN_WEEKS * WEEK, run.dates[-1] + max(run.weeks) * WEEK
    return [first + week * WEEK for week in range((last - first) // WEEK + 1)]


def _whole(value: float | None) -> int | None:
    return None if value is None or not np.isfinite(value) else round(value)


def _short(run: Backtest, place: str) -> str:
    found = run.locations.filter(pl.col("location") == place)["abbreviation"]
    return found[0] or place


def _categories(rates: RateView | None) -> list[Row]:
    if rates is None:
        return []
    names = rates.categories
    return [{"name": category(name), "colour": colour} for name, colour in zip(names, shades(names), strict=True)]


def _observed(run: Backtest, rates: RateView | None) -> list[list[int | None]]:
    """The category that happened, by place and date."""
    if rates is None:
        return []
    rows = rates.truth.filter(pl.col("horizon") == run.horizon).select("location", "reference_date", "observed")
    found = {(place, day): index for place, day, index in rows.iter_rows()}
    return _grid(run, found, None)


def _model(name: str, default: str, run: Backtest, quantiles: QuantileView | None, rates: RateView | None) -> Row:
    """One model: its fans, the probabilities of a rise and of the categories, and the default's score over its own."""
    ratios: Mapping[str, Row] = {}
    if name != default:
        ratios = quantiles.by_place(name) if quantiles else rates.by_place(name) if rates else {}
    return {
        "name": name,
        "fans": _grid(run, _fans(quantiles, name), 0) if quantiles else [],
        "rise": _grid(run, _rises(quantiles, name), None) if quantiles else [],
        "pmf": _pmf(run, rates, name),
        "ratio": [round(ratios[place]["ratio"], 2) if place in ratios else None for place in run.places],
    }


def _fans(view: QuantileView, name: str) -> dict[tuple[str, dt.date], list[list[int] | int]]:
    rows = view.forecasts.filter(pl.col("model") == name)
    if rows.is_empty():
        return {}
    asked = np.flatnonzero(np.isin(LEVELS, FAN))
    values = np.rint(stacked(rows["values"])[:, asked]).astype(int).tolist()
    found: dict[tuple[str, dt.date], list[list[int] | int]] = {}
    where = {week: index for index, week in enumerate(view.weeks)}
    for (day, week, place), fan in zip(rows.select(UNIT).iter_rows(), values, strict=True):
        found.setdefault((place, day), [0] * len(where))[where[week]] = fan
    return found


def _rises(view: QuantileView, name: str) -> dict[tuple[str, dt.date], int]:
    """The probability, in percent, that the count exceeds the newest one known at the deadline.

    Between two quantiles the distribution is a straight line; outside of all the level of the outermost stands.
    """
    newest = view.known.sort("target_end_date").group_by("reference_date", "location").agg(pl.col("value").last())
    rows = view.forecasts.filter(pl.col("model") == name, pl.col("horizon") == view.horizon)
    joined = rows.join(newest.drop_nulls("value"), on=["reference_date", "location"])
    return {
        (row["location"], row["reference_date"]): round(100 * (1 - np.interp(row["value"], row["values"], LEVELS)))
        for row in joined.iter_rows(named=True)
    }


def _pmf(run: Backtest, rates: RateView | None, name: str) -> list[list[list[int] | int]]:
    """Percents of the categories; those derived from the quantiles where the model gave none of its own."""
    if rates is None:
        return []
    models = rates.scores["models"]
    given = next((each for each in (name, name + DERIVED) if each in models), None)
    if given is None:
        return []
    rows = rates.pmf(given).filter(pl.col("horizon") == run.horizon)
    percents = np.rint(100 * rates.probabilities(rows)).astype(int).tolist()
    keys = zip(rows["location"].to_list(), rows["reference_date"].to_list(), strict=True)
    return _grid(run, dict(zip(keys, percents, strict=True)), 0)


def _grid(run: Backtest, found: Mapping[tuple[str, dt.date], Any], missing: Any) -> list[list[Any]]:
    return [[found.get((place, day), missing) for day in run.dates] for place in run.places]


def _opening(run: Backtest) -> int:
    """The date that is shown first: two before the largest count of the first place, when the peak is still unknown."""
    place = run.nation or run.places[0]
    here = dict(run.counts.filter(pl.col("location") == place).select("target_end_date", "value").iter_rows())
    peak = int(np.argmax([here.get(day) or 0.0 for day in run.dates]))
    return max(peak - 2, 0)
