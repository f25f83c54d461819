"""Folders of whole hubs, replayed in a second: configuration, versions and locations, as hubs keep them."""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twofold.hub.distribution import LEVELS
from twofold.hub.rules import WEEK

FIRST = date(2024, 11, 23)
ROUNDS = [FIRST + week * WEEK for week in range(5)]
PLACES = [f"{code:02}" for code in range(1, 52)] + ["US"]
PAST = 70  # weeks of the first version
HORIZONS = [-1, 0, 1, 2, 3]
CHANGE = "wk flu hosp rate change"
CATEGORIES = ["large_decrease", "decrease", "stable", "increase", "large_increase"]


def target(disease: str) -> str:
    """The target of quantiles."""
    return f"wk inc {disease} hosp"


def shares(disease: str) -> str:
    """The target of shares of visits to emergency departments."""
    return f"wk inc {disease} prop ed visits"


def write_hub(
    folder: Path, disease: str, *, horizons: list[int] = HORIZONS, levels: Iterable[float] = LEVELS, seed: int = 0
) -> Path:
    """Writes the folder of the hub of `covid`, `rsv` or `flu`; the last has a rate change as well."""
    quantile = {"output_type_id": {"required": list(levels)}, "is_required": False, "value": _bounds(0)}
    asked = [_task(target(disease), "quantile", quantile, horizons)]
    share = quantile | {"value": _bounds(0, 1)}
    asked.append(_task(shares(disease), "quantile", share, horizons))
    if disease == "flu":
        pmf = {"output_type_id": {"required": CATEGORIES}, "is_required": False, "value": _bounds(0, 1)}
        asked.insert(0, _task(CHANGE, "pmf", pmf, horizons))
    due = {"relative_to": "reference_date", "start": -6, "end": -3}
    rounds = {"round_id_from_variable": True, "round_id": "reference_date", "submissions_due": due}
    schema = "https://example.org/schemas/v5.0.0/tasks-schema.json"
    tasks = {"schema_version": schema, "rounds": [rounds | {"model_tasks": asked}]}
    about = {"name": f"Hub of {disease}", "file_format": ["csv", "parquet"], "timezone": "US/Eastern"}
    for name, content in (("tasks", tasks), ("admin", about)):
        (folder / "hub-config").mkdir(parents=True, exist_ok=True)
        (folder / "hub-config" / f"{name}.json").write_text(json.dumps(content))
    for name in ("target-data", "auxiliary-data"):
        (folder / name).mkdir(exist_ok=True)
    persons = [1_000_000 + 100_000 * row for row in range(len(PLACES) - 1)]
    table = {"location": PLACES, "abbreviation": PLACES, "location_name": PLACES}
    pl.DataFrame(table | {"population": [*persons, sum(persons)]}).write_csv(
        folder / "auxiliary-data" / "locations.csv"
    )
    set_versions(folder, versions(disease, seed))
    return folder


def versions(disease: str, seed: int = 0) -> pl.DataFrame:
    """Versions in the layout of `target-data/time-series`: dates, two targets, the last weeks raised a week later.

    A share has four decimals: the counts over 10,000, those of the last place, the country, over 500,000.
    """
    rng = np.random.default_rng(seed)
    days = [FIRST + week * WEEK for week in range(-PAST, 5)]
    wave = 1.0 + 0.8 * np.sin(np.arange(len(days)) / 5.0 + seed)
    counts = rng.poisson(np.outer(np.linspace(20, 120, len(PLACES) - 1), wave)).astype(float)
    counts = np.vstack([counts, counts.sum(axis=0)])
    rows: list[Any] = []
    for newest in range(PAST - 1, len(days)):
        published = days[newest] + timedelta(days=4)  # Wednesday, the day of the next round's deadline
        for week in range(0 if newest == PAST - 1 else newest - 1, newest + 1):
            reported = 0.9 if week == newest else 1.0
            for place, value in zip(PLACES, np.floor(counts[:, week] * reported).tolist(), strict=True):
                rows.append((published, target(disease), days[week], place, value))
                share = round(value / (5e5 if place == "US" else 1e4), 4)
                rows.append((published, shares(disease), days[week], place, share))
    return pl.DataFrame(rows, ["as_of", "target", "target_end_date", "location", "observation"], orient="row")


def set_versions(folder: Path, table: pl.DataFrame) -> None:
    """Replaces a hub's versions."""
    table.write_parquet(folder / "target-data" / "time-series.parquet")


def moved(table: pl.DataFrame, after: date) -> pl.DataFrame:
    """Versions of which everything published after a day says something else, and more is published."""
    later = table.filter(pl.col("as_of") > after).with_columns(pl.col("observation") * 3 + 40)
    old = later.with_columns(target_end_date=pl.col("target_end_date") - 3 * WEEK, observation=pl.lit(7.0))
    return pl.concat(
        [
            table.filter(pl.col("as_of") <= after),
            later,
            old.join(later, on=["as_of", "target", "target_end_date", "location"], how="anti"),
        ]
    )


def _task(name: str, kind: str, output: dict[str, Any], horizons: list[int]) -> dict[str, Any]:
    ends = sorted({day + horizon * WEEK for day in ROUNDS for horizon in horizons})
    optional = {"reference_date": [str(day) for day in ROUNDS], "target": [name], "horizon": horizons}
    optional |= {"location": PLACES, "target_end_date": [str(day) for day in ends]}
    metadata = {"target_id": name, "target_keys": {"target": name}, "target_units": "count"}
    ids = {column: {"required": None, "optional": values} for column, values in optional.items()}
    return {"task_ids": ids, "output_type": {kind: output}, "target_metadata": [metadata]}


def _bounds(low: float, high: float | None = None) -> dict[str, Any]:
    return {"type": "double", "minimum": low} | ({} if high is None else {"maximum": high})
