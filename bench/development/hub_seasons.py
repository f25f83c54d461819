"""Cross-validation over seasons, by which the hub's models are chosen: each until 2024-25, trained on all others.

`TWOFOLD_DATA=FOLDER python bench/development/hub_seasons.py [--heads trees,rnn] [group.setting=value ...]` takes ten
seasons of ILINet, scaled to admissions, and three of admissions. Each is left out in turn; heads are trained on the
others, later ones too, and forecast it week by week under the thresholds of 2025-26; the pool's weights are fitted on
past weeks of the season alone. It prints RPS, ECE of P(rise) and, of heads of quantiles, WIS relative to the last
value's on the same forecasts, and their means over the ten, over the three, and over all thirteen. Admissions are read
as they were known before 2025-26 began. Revisions have no part here.
"""

import argparse
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from joblib import Parallel, delayed

from twofold.hub.baseline import NAME as LAST_VALUE
from twofold.hub.baseline import last_value
from twofold.hub.config import POOL, QUANTILE_HEADS, HubConfig
from twofold.hub.examples import build_examples, truth
from twofold.hub.growth import aggregate_of, season_year
from twofold.hub.heads import fit_head, forecast
from twofold.hub.history import fit_scale, read_history
from twofold.hub.pool import pool_forward
from twofold.hub.quantile_scores import observations, quantile_board, score_quantiles, sort_out
from twofold.hub.quantiles import distribution_table, pool_distributions, quantile_table
from twofold.hub.rules import WEEK, RateChange, read_rules
from twofold.hub.scores import leaderboard, score_forecasts
from twofold.hub.season import Known
from twofold.hub.tables import read_locations
from twofold.hub.vintages import Grid, grid_of, read_versions, table_of

BEGIN = date(2025, 8, 1)
MEASURED = *range(2010, 2020), 2022, 2023, 2024
"""Years in which the seasons begin; ILINet until 2019, admissions since."""
LEAST = 40
"""Locations whose newest week must be known; in March 2020 the history ends."""
RULES = read_rules("flusight").season("2025-26")
CHANGE = cast(RateChange, RULES.rate_change)
FIRST, LAST = (day - date(2024, 8, 1) for day in (date(2024, 11, 23), date(2025, 5, 31)))
"""Reference dates, counted from 1 August, as in 2024-25."""
FIGURES = {"rps": "RPS", "ece": "ECE", "relative_wis": "relative WIS", "coverage_95": "95 % coverage"}


def all_seasons(data: Path, config: HubConfig) -> tuple[Grid, pl.DataFrame]:
    """Scaled history, a gap, and admissions, in one table of weeks; and the locations."""
    locations = read_locations(data / "locations_2024-25.csv")
    version = read_versions(data / "vintages.parquet").before(RULES.deadline(RULES.first_reference))
    version = version.filter(
        (pl.col("target_end_date") < BEGIN) & pl.col("location").is_in(locations["location"].to_list())
    )
    counts = grid_of(version)
    aggregate = aggregate_of(counts.locations, population_of(counts, locations))
    history = fit_scale(read_history(data / "ilinet_state.csv", locations), counts, aggregate, config.history)
    return grid_of(pl.concat([table_of(history), table_of(counts)])), locations


def population_of(grid: Grid, locations: pl.DataFrame) -> np.ndarray:
    persons = dict(zip(locations["location"], locations["population"], strict=True))
    return np.array([persons[name] for name in grid.locations], dtype=np.float64)


def forecast_season(year: int, grid: Grid, locations: pl.DataFrame, config: HubConfig) -> pl.DataFrame:
    """RPS, ECE and relative WIS of every model in a season, trained on the others."""
    population = population_of(grid, locations)
    others = np.where(season_year(grid.dates) == year, np.nan, grid.values)
    examples = build_examples(grid._replace(values=others), None, population, RULES, config)
    begin = date(year, 8, 1)
    counted = dict(
        zip(grid.dates.astype("datetime64[D]").astype(date), np.isfinite(grid.values).sum(axis=0), strict=True)
    )
    days = [day for day in counted if FIRST <= day - begin <= LAST and counted.get(day - WEEK, 0) >= LEAST]
    heads = {name: fit_head(name, examples, RULES, config) for name in config.heads}
    found, spread = [], []
    for day in days:
        known = grid.part(grid.dates < np.datetime64(day))
        moment = Known(day, known, known, population, ())
        there = np.flatnonzero(np.isfinite(known.values[:, -1]))
        plain = last_value(moment, RULES)[there]
        named = distribution_table(day, [known.locations[row] for row in there], RULES, plain)
        spread.append(named.select(pl.lit(LAST_VALUE).alias("model"), pl.all()))
        for name, head in heads.items():
            own = forecast(head, moment, RULES, config)
            found.append(own.categories.with_columns(model=pl.lit(name)))
            if own.distributions is not None:
                spread.append(own.distributions.select(pl.lit(name).alias("model"), pl.all()))
    happened = truth(table_of(grid), locations, days, CHANGE)
    forecasts = pl.concat(found)
    known_on = pl.col("reference_date") + (pl.col("horizon") + 2) * WEEK  # a version's newest week is not looked at
    pooled, weights = pool_forward(forecasts, {day: happened.filter(known_on <= day) for day in days}, CHANGE, config)
    board = leaderboard(score_forecasts(pl.concat([forecasts, pooled]), happened, CHANGE), happened, CHANGE)
    distributions = pl.concat(spread)
    if set(config.pooled) <= set(QUANTILE_HEADS):
        mixed = pool_distributions(distributions, weights).select(pl.lit(POOL).alias("model"), pl.all())
        distributions = pl.concat([distributions, mixed])
    each = [quantile_table(own) for _, own in distributions.group_by("model", maintain_order=True)]
    whole, _ = sort_out(pl.concat(each))
    scored = score_quantiles(whole, observations(table_of(grid), days, RULES.horizons))
    relative = quantile_board(scored, LAST_VALUE).select("model", "relative_wis", "coverage_95")
    return board.join(relative, on="model", how="left").select(
        "model", "rps", "ece", "relative_wis", "coverage_95", season=pl.lit(year)
    )


def variant(heads: str, changes: list[str]) -> HubConfig:
    """The default config, some heads, with `group.setting=value` changed."""
    fields: dict[str, Any] = HubConfig().model_dump() | {"heads": heads.split(",")}
    fields["pooled"] = [name for name in fields["pooled"] if name in fields["heads"]] or fields["heads"][:1]
    for change in changes:
        path, _, value = change.partition("=")
        *group, setting = path.split(".")
        (fields[group[0]] if group else fields)[setting] = value.split(",") if setting == "pooled" else value
    return HubConfig.model_validate(fields)


def described(row: dict[str, Any]) -> str:
    return ", ".join(f"{said} {row[key]:.4f}" for key, said in FIGURES.items() if row[key] is not None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", default="climatology,ar6,quantile_trees,quantile_rnn")
    parser.add_argument("changes", nargs="*")
    chosen = parser.parse_args()
    config = variant(chosen.heads, chosen.changes)
    grid, locations = all_seasons(Path(os.environ["TWOFOLD_DATA"]) / "flusight", config)
    tasks = (delayed(forecast_season)(year, grid, locations, config) for year in MEASURED)
    tables: Any = Parallel(n_jobs=os.cpu_count())(tasks)
    table: pl.DataFrame = pl.concat(tables)
    for name in (*config.heads, POOL):
        own = table.filter(pl.col("model") == name).sort("season")
        print(name)
        for row in own.iter_rows(named=True):
            print(f"  {row['season']}: {described(row)}")
        for part, within in (("ILINet", own[:-3]), ("admissions", own[-3:]), ("all", own)):
            print(f"  {part:10} {described({key: within[key].mean() for key in FIGURES})}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
