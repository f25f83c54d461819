"""A small hub for tests: FluSight's rules, three places, random forecasts, versions by hand; a run folder of it."""

import datetime as dt
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twofold.hub.rules import WEEK, RateChange, Rules, read_rules
from twofold.hub.scores import common, differences, leaderboard, score_forecasts
from twofold.hub.tables import FORECAST
from twofold.hub.vintages import Versions

RULES = read_rules("flusight").season("2024-25")


def change_of(rules: Rules) -> RateChange:
    """The part on categories of a hub that has them."""
    assert rules.rate_change is not None
    return rules.rate_change


CHANGE = change_of(RULES)
START = date(2024, 11, 30)
LOCATIONS = pl.DataFrame(
    {
        "location": ["01", "56", "US"],
        "abbreviation": ["AL", "WY", "US"],
        "name": ["Alabama", "Wyoming", "US"],
        "population": [5_108_468, 584_057, 334_914_895],
    }
)
DEFAULT = "us-pool"
OURS = [DEFAULT, "us-climate"]
PEERS = ["FluSight-ensemble", "FluSight-baseline_cat", "FluSight-other", "Ateam-wave", "Bteam-wave"]
WEEKS = 9
PLACES = ("01", "56", "US")
DATES = [START + week * WEEK for week in range(WEEKS)]


def at(text: str) -> datetime:
    """A moment in UTC: `2024-12-05 04:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def changes(rows: Sequence[tuple[datetime, date, str, float | None]]) -> pl.DataFrame:
    """Rows in the layout of `Versions.changes`."""
    schema: Any = {
        "as_of": pl.Datetime("us", "UTC"),
        "target_end_date": pl.Date,
        "location": pl.String,
        "value": pl.Float64,
    }
    return pl.DataFrame(rows, schema, orient="row")


def versions_of(rows: Sequence[tuple[str, str, str, float | None]]) -> Versions:
    """Versions from (as_of, target_end_date, location, value)."""
    read = [(at(time), date.fromisoformat(day), place, value) for time, day, place, value in rows]
    return Versions(changes(read).sort("as_of"))


def forecasts_of(
    model: str,
    seed: int,
    weeks: int = 1,
    places: Sequence[str] = PLACES,
    *,
    days: Sequence[date] = (),
    rules: RateChange = CHANGE,
) -> pl.DataFrame:
    """Random forecasts of every horizon, one row per category, for some days or the first weeks."""
    generator = np.random.default_rng(seed)
    rows: list[Any] = []
    for day, place, horizon in itertools.product(
        days or [START + week * WEEK for week in range(weeks)], places, rules.horizons
    ):
        pmf = generator.dirichlet(np.ones(len(rules.categories)))
        rows += [(model, day, horizon, place, name, float(p)) for name, p in zip(rules.categories, pmf, strict=True)]
    return pl.DataFrame(rows, list(FORECAST), orient="row")


def truth_of(seed: int, weeks: int = 1, places: Sequence[str] = PLACES) -> pl.DataFrame:
    """A random observed category for every forecast of `forecasts_of`."""
    units = forecasts_of("any", 0, weeks, places).select("reference_date", "horizon", "location").unique()
    table = units.sort("reference_date", "horizon", "location")
    observed = np.random.default_rng(seed).integers(0, len(CHANGE.categories), table.height)
    return table.with_columns(pl.col("horizon").cast(pl.Int64), observed=pl.Series(observed))


def hub_folder(
    folder: Path,
    *,
    peers: bool = True,
    places: tuple[str, ...] = PLACES,
    names: dict[str, str] | None = None,
    forecasts: pl.DataFrame | None = None,
    truth: pl.DataFrame | None = None,
    rules: Rules = RULES,
) -> Path:
    """Writes the folder.

    Args:
        folder: made where it is missing.
        peers: False: no other team's forecast.
        places: codes in the place of the three of `hub_small`.
        names: location -> another name.
        forecasts: in the place of random ones.
        truth: in the place of a random one.
        rules: of the hub.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if forecasts is None:
        models = enumerate([*OURS, *(PEERS if peers else [])])
        forecasts = pl.concat([forecasts_of(name, seed, WEEKS, places) for seed, name in models])
    observed = _truth(truth_of(99, WEEKS, places) if truth is None else truth, places)
    mine = pl.col("model").is_in(OURS)
    forecasts.filter(mine).write_parquet(folder / "predictions.parquet")
    if peers:
        forecasts.filter(~mine).write_parquet(folder / "peers.parquet")
    observed.write_parquet(folder / "truth.parquet")
    _locations(places, names or {}).write_parquet(folder / "locations.parquet")
    _counts(places, -9).write_parquet(folder / "counts.parquet")
    _known(places).write_parquet(folder / "known.parquet")
    scored = score_forecasts(forecasts, observed, change_of(rules))
    (folder / "scores.json").write_text(json.dumps(_scores(scored, observed, rules)))
    (folder / "config.json").write_text(json.dumps({"hub": rules.hub, "train": {"epochs": 7}}))
    manifest = {"command": ["twofold", "hub", "backtest"], "versions": {"torch": "2"}, "wall_time_s": 1.5}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def change(folder: Path, **changes: Any) -> None:
    """Changes keys of scores.json."""
    path = folder / "scores.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _truth(table: pl.DataFrame, places: tuple[str, ...]) -> pl.DataFrame:
    size = {place: 10_000_000.0 * 10**k for k, place in enumerate(places)}
    persons = pl.col("location").replace_strict(size, return_dtype=pl.Float64).cast(pl.Int64)
    return table.with_columns(base=pl.lit(20.0), change=pl.col("observed") - 2.0, population=persons)


def _locations(places: tuple[str, ...], names: dict[str, str]) -> pl.DataFrame:
    table = LOCATIONS.with_columns(location=pl.Series(places), population=pl.Series([10**7, 10**8, 10**9]))
    return table.with_columns(
        name=pl.col("location").replace_strict(names, default=pl.col("name"), return_dtype=pl.String)
    )


def _counts(places: tuple[str, ...], first: int) -> pl.DataFrame:
    days = [START + week * WEEK for week in range(first, WEEKS + 3)]
    rows = [(day, place, 20.0 + k) for k, day in enumerate(days) for place in places]
    return pl.DataFrame(rows, ["target_end_date", "location", "value"], orient="row")


def _known(places: tuple[str, ...]) -> pl.DataFrame:
    rows = [(day, day - back * WEEK, place, 18.0 + back) for day in DATES for back in range(1, 9) for place in places]
    return pl.DataFrame(rows, ["reference_date", "target_end_date", "location", "value"], orient="row")


def _scores(scored: pl.DataFrame, truth: pl.DataFrame, rules: Rules) -> dict[str, Any]:
    dates = sorted(truth["reference_date"].unique().to_list())
    found = differences(scored, DEFAULT, resamples=50, block_weeks=2, level=0.9, seed=0)
    weights = [{"reference_date": str(day), "weights": {"network": 0.25, "logistic": 0.75}} for day in dates]
    return {
        "models": _blocks(leaderboard(scored, truth, change_of(rules))),
        "common": _blocks(leaderboard(common(scored, truth), truth, change_of(rules))),
        "default": DEFAULT,
        "ours": OURS,
        "hub": rules.hub,
        "season": rules.season,
        "baseline": change_of(rules).baseline,
        "ensemble": change_of(rules).ensemble,
        "no_skill": ["us-climate"],
        "dates": [str(day) for day in dates],
        "skipped": [{"reference_date": "2025-02-01", "reason": "no version was <published>"}],
        "notes": ["147 cells left out."],
        "differences": {
            row["peer"]: {"mean": row["difference"], "low": row["low"], "high": row["high"]}
            | {"n": row["n"], "dates": len(dates)}
            for row in found.to_dicts()
        },
        "weights": weights,
        "fits": [{"origin": str(dates[0]), "through": str(dates[0] - dt.timedelta(14)), "examples": 1234}],
        "seen": {"role": "chosen_on", "seasons": ["2023-24", "2024-25"], "tests": [], "ensemble_rps": None},
    }


def _blocks(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["model"]: {key: value for key, value in row.items() if key != "model"} for row in table.to_dicts()}
