"""A season small enough to be replayed in seconds: six states and their sum, published weekly and revised upwards."""

import functools
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from hub.small import change_of, changes, forecasts_of
from twofold.engine.work import ALONE
from twofold.hub.config import HeadName, HubConfig
from twofold.hub.examples import Examples, Queries, build_examples, build_queries
from twofold.hub.heads import fit_head
from twofold.hub.heads.pmf import Head
from twofold.hub.history import History
from twofold.hub.rules import WEEK, HubRules
from twofold.hub.run import replay_heads, replay_pool
from twofold.hub.season import Known, Replay
from twofold.hub.vintages import Grid, Versions

SEASON = "2023-24"
FIRST, LAST = date(2023, 12, 2), date(2024, 1, 20)  # eight reference dates
LATE = date(2023, 12, 30)  # its version comes after the deadline
DAYS = [FIRST + week * WEEK for week in range(8) if FIRST + week * WEEK != LATE]
BEGIN, END = date(2022, 2, 5), date(2024, 2, 24)  # weeks of the counts: two seasons and a half
FIRST_VERSION = date(2023, 10, 7)  # newest week of the first version
REPORTED = (0.8, 0.9, 0.97)  # share of a week's final count in its first three versions
ALL_HEADS: tuple[HeadName, ...] = get_args(HeadName)

RULES_TOML = f"""\
hub = "small"
horizons = [0, 1, 2, 3]
unscored_horizons = [-1]
min_locations = 6
deadline_days = -2
deadline_utc = 04:00:00

[rate_change]
target = "wk flu hosp rate change"
categories = ["large_decrease", "decrease", "stable", "increase", "large_increase"]
rate_per = 100_000
stable_count = 10
baseline = "small-baseline"
ensemble = "small-ensemble"

[seasons.{SEASON}]
first_reference = {FIRST}
last_reference = {LAST}

[seasons.{SEASON}.rate_change]
stable_below = [0.5, 0.7, 1.0, 1.5]
large_above = [1.7, 3.0, 4.0, 5.0]

[seasons.2024-25]
first_reference = 2024-11-23
last_reference = 2024-11-30

[seasons.2024-25.rate_change]
stable_below = [0.3, 0.5, 0.7, 1.0]
large_above = [1.7, 3.0, 4.0, 5.0]
"""
RULES = HubRules.model_validate(tomllib.loads(RULES_TOML)).season(SEASON)
CHANGE = change_of(RULES)
OTHER_CUTS = HubRules.model_validate(tomllib.loads(RULES_TOML)).season("2024-25")

LOCATIONS = pl.DataFrame(
    {
        "location": ["01", "02", "04", "05", "06", "56", "US"],
        "abbreviation": ["AL", "AK", "AZ", "AR", "CA", "WY", "US"],
        "name": ["Alabama", "Alaska", "Arizona", "Arkansas", "California", "Wyoming", "US"],
        # Wyoming's cuts for "large" fall on those for "stable" at the first horizon.
        "population": [5_000_000, 800_000, 7_000_000, 3_000_000, 9_000_000, 500_000, 25_300_000],
    }
)
CONFIG = HubConfig.model_validate(
    {
        "heads": ALL_HEADS,
        "pooled": ("trees", "rnn", "gru", "lstm"),
        "pool_prior_weeks": 4.0,
        "floor": 0.002,
        "refit_weeks": 3,
        "growth": {"first_week": 14, "last_week": 34},
        "history": {"min_weeks": 10},  # so that the running season counts in the history's scale
        "trees": {"bags": 1, "iterations": 10, "min_leaf": 40},
        "network": {"hidden": 4, "components": 2, "epochs": 1, "seeds": 1, "batch_size": 64},
        "quantile_trees": {"bags": 2, "iterations": 4, "leaves": 4},
        "quantile_network": {"hidden": 4, "epochs": 1, "seeds": 2, "batch_size": 64},
    }
)


@functools.cache
def final_counts() -> Grid:
    """Settled counts of every week: a wave a season, the country's row their sum."""
    rng = np.random.default_rng(7)
    population = LOCATIONS["population"].to_numpy()[:-1]
    dates = np.datetime64(BEGIN) + 7 * np.arange((END - BEGIN) // WEEK + 1)
    counts = rng.poisson(_wave(dates, rng) * population[:, None] / 1e5).astype(np.float64)
    return Grid(tuple(LOCATIONS["location"]), dates, np.vstack([counts, counts.sum(axis=0)]))


def published(newest: date) -> datetime:
    """When the version with this newest week comes out: on Wednesday, but once on Friday."""
    late = timedelta(days=2) if newest + WEEK == LATE else timedelta()
    return datetime.combine(newest + timedelta(days=4), time(17), UTC) + late


@functools.cache
def versions() -> Versions:
    """All versions: the first with the whole past, later ones with a week more and the last weeks' late reports."""
    whole, rows = final_counts(), []
    newest = [FIRST_VERSION + week * WEEK for week in range((END - FIRST_VERSION) // WEEK + 1)]
    for week in newest:
        last = int(np.searchsorted(whole.dates, np.datetime64(week)))
        first = 0 if week == FIRST_VERSION else last - len(REPORTED)
        for column in range(first, last + 1):
            age = last - column
            share = REPORTED[age] if age < len(REPORTED) else 1.0
            reported = np.floor(whole.values[:-1, column] * share)
            for name, value in zip(whole.locations, [*reported, reported.sum()], strict=True):
                rows.append((published(week), whole.dates[column].item(), name, float(value)))
    return Versions(changes(rows).sort("as_of", "location", "target_end_date"))


@functools.cache
def history() -> History:
    """Four seasons of another measure with a background, of all states."""
    rng = np.random.default_rng(8)
    dates = np.datetime64("2018-08-04") + 7 * np.arange((END - date(2018, 8, 4)) // WEEK + 1)
    wave = 1.5 + 0.5 * _wave(dates, rng) + rng.uniform(0, 0.2, (6, len(dates)))
    table = {
        "target_end_date": np.tile(dates, 6),
        "location": np.repeat(LOCATIONS["location"][:-1].to_numpy(), len(dates)),
        "value": wave.ravel(),
    }
    return History(pl.DataFrame(table).with_columns(pl.col("target_end_date").cast(pl.Date)), ("A note.",))


def replay(source: Versions | None = None, past: History | None = None, **rules: Any) -> Replay:
    """The season, with other versions, another history or changed rules where given."""
    return Replay(source or versions(), LOCATIONS, RULES.model_copy(update=rules), past or history())


def learned(known: Known) -> Examples:
    """What there was to learn from."""
    return build_examples(known.counts, history(), known.population, RULES, CONFIG)


@functools.cache
def examples() -> Examples:
    """What there was to learn from for the first reference date."""
    return learned(replay().known(FIRST))


@functools.cache
def head(name: HeadName) -> Head:
    """A head fitted on `examples`."""
    return fit_head(name, examples(), RULES, CONFIG)


@functools.cache
def queries() -> Queries:
    """All places for the first reference date."""
    known = replay().known(FIRST)
    return build_queries(known.expected, known.population, CONFIG.growth)


@functools.cache
def peers() -> pl.DataFrame:
    """Random forecasts of the hub's baseline and ensemble, and of a team that joins for the last two dates."""
    everyone = {"small-baseline": [*DAYS, LATE], "small-ensemble": DAYS, "late-comer": DAYS[-2:]}
    places = LOCATIONS["location"].to_list()
    drawn = [
        forecasts_of(name, k, places=places, days=days, rules=CHANGE) for k, (name, days) in enumerate(everyone.items())
    ]
    return pl.concat(drawn)


def all_forecasts(season: Replay, folder: Path, config: HubConfig = CONFIG) -> tuple[pl.DataFrame, dict[date, Any]]:
    """Forecasts of the heads and the pool, and the pool's weights by date."""
    heads = replay_heads(season, config, folder, ALONE, silent).categories
    pool, weights = replay_pool(heads, season, config)
    return pl.concat([heads, pool]), dict(weights)


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


def write_files(folder: Path) -> dict[str, Path]:
    """The season as files: rules, vintages, locations, history."""
    paths = {name: folder / name for name in ("rules.toml", "vintages.csv", "locations.csv", "history.csv")}
    paths["rules.toml"].write_text(RULES_TOML)
    stamped = versions().changes.with_columns(pl.col("as_of").dt.to_string("%Y-%m-%dT%H:%M:%SZ"))
    stamped.write_csv(paths["vintages.csv"])
    LOCATIONS.rename({"name": "location_name"}).write_csv(paths["locations.csv"])
    named = (
        history()
        .values.join(LOCATIONS, on="location")
        .select(region="name", week_start=pl.col("target_end_date") - timedelta(days=6), unweighted_ili="value")
    )
    named.write_csv(paths["history.csv"])
    return {path.stem: path for path in paths.values()}


def _wave(dates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rate per 100,000 by state and week: a wave around the turn of the year, another height every season."""
    week = (dates - dates.astype("datetime64[Y]")).astype(int) / 7
    year = dates.astype("datetime64[Y]").astype(int) + 1970
    since = np.where(week > 30, week - 52.2, week)  # weeks from the turn of the year
    season = np.where(week > 30, year + 1, year)
    height = 8.0 + 4.0 * np.sin(2.5 * season)
    shift = rng.uniform(-3, 3, (6, 1))
    return 0.3 + height * np.exp(-(((since - shift) / 5.0) ** 2))
