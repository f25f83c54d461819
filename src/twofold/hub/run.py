"""A season's backtest composed: versions in; predictions, scores, a fitted model and what the page draws out."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from twofold.counts.panel import counted
from twofold.engine.errors import InputError
from twofold.engine.files import write_json, write_parquet, write_text
from twofold.engine.run import RunFolder
from twofold.hub.compare import differences
from twofold.hub.config import SEEN, HubConfig
from twofold.hub.heads.heads import examples_of
from twofold.hub.known import Known
from twofold.hub.pool import POOL
from twofold.hub.rate_change import truth
from twofold.hub.rules import WEEK
from twofold.hub.scores import FORECAST, common, leaderboard, score_forecasts
from twofold.hub.season import Replay, replay_heads, replay_pool
from twofold.hub.vintages import Skipped, table_of

RESAMPLES, BLOCK_WEEKS, LEVEL = 2000, 3, 0.9
SHOWN_WEEKS = 8
"""Weeks before each reference date of which the page shows what was known."""


PREFIX = "twofold-"
"""Begins our models' names among those of other teams."""


def check(replay: Replay, peers: pl.DataFrame | None) -> None:
    """Tells what would keep a backtest from being scored before anything is fitted or written.

    Args:
        replay: the season.
        peers: forecasts of other models, or None.

    Raises:
        InputError: when no date can be forecast, or of none the outcome is known.
        DataError: when a peer's forecast is none.
    """
    dates, _ = replay.dates()
    happened = truth(replay.versions.latest(), replay.locations, dates, replay.rules)
    if happened.is_empty():
        raise InputError(
            f"no outcome of season {replay.rules.season} is known yet: the first is that of the week ending "
            f"{dates[0] + WEEK * min(replay.rules.horizons)}; give newer versions"
        )
    if peers is not None:
        score_forecasts(peers.filter(pl.col("reference_date").is_in(dates)), happened, replay.rules)


def execute(
    replay: Replay,
    peers: pl.DataFrame | None,
    config: HubConfig,
    folder: RunFolder,
    *,
    jobs: int,
    progress: Callable[[int, int], None],
) -> None:
    """Replays a season; everything the report reads is in the folder afterwards.

    Args:
        replay: the season.
        peers: forecasts of other models, columns of `hub_scores.FORECAST`; or None.
        config: heads, schedule.
        folder: held by this process; blocks found there are not done again.
        jobs: processes.
        progress: called with (blocks done, blocks in all).

    Raises:
        InputError: when versions and season don't fit each other.
        DataError: when a peer's forecast is none.
    """
    heads = replay_heads(replay, config, folder.path / "parts", jobs, progress)
    pool, weights = replay_pool(heads, replay, config)
    ours = pl.concat([heads, pool]).with_columns((PREFIX + pl.col("model")).alias("model")).select(list(FORECAST))
    dates, skipped = replay.dates()
    tables = {"predictions": ours}
    if peers is not None:
        tables["peers"] = peers.filter(pl.col("reference_date").is_in(dates)).select(list(FORECAST)).cast(ours.schema)
    everyone = pl.concat(list(tables.values()))
    known = [replay.known(day) for day in dates]
    happened = truth(replay.versions.latest(), replay.locations, dates, replay.rules)
    tables |= {"truth": happened, "counts": replay.versions.latest(), "locations": replay.locations}
    tables["known"] = pl.concat([_shown(moment) for moment in known])
    for name, table in tables.items():
        write_parquet(folder.path / f"{name}.parquet", table)
    write_text(folder.path / "rules.json", replay.rules.to_json())
    about = _about(replay, skipped, known, config)
    about["weights"] = [{"reference_date": str(day), "weights": weight} for day, weight in weights]
    write_json(folder.path / "scores.json", account(everyone, happened, replay, config) | about)


def account(forecasts: pl.DataFrame, happened: pl.DataFrame, replay: Replay, config: HubConfig) -> dict[str, Any]:
    """All models' scores: on what each forecast, on what all well-covered ones forecast, and in pairs with ours."""
    scored = score_forecasts(forecasts, happened, replay.rules)
    default = PREFIX + POOL
    compared = differences(scored, default, resamples=RESAMPLES, block_weeks=BLOCK_WEEKS, level=LEVEL, seed=config.seed)
    return {
        "models": _table(leaderboard(scored, happened, replay.rules)),
        "common": _table(leaderboard(common(scored, happened), happened, replay.rules)),
        "default": default,
        "no_skill": [PREFIX + head for head in config.heads if head == "climatology"],
        "ours": [PREFIX + head for head in (*config.heads, POOL)],
        "differences": {
            row["peer"]: {"mean": row["difference"], "low": row["low"], "high": row["high"]}
            | {key: row[key] for key in ("n", "dates")}
            for row in compared.iter_rows(named=True)
        },
    }


def _about(replay: Replay, skipped: list[Skipped], known: list[Known], config: HubConfig) -> dict[str, Any]:
    """What was replayed, what was left out, what was known."""
    rules = replay.rules
    seen = SEEN.get((rules.hub, rules.season))
    return {
        "hub": rules.hub,
        "season": rules.season,
        "baseline": rules.baseline,
        "ensemble": rules.ensemble,
        "dates": [str(moment.reference_date) for moment in known],
        "skipped": [{"reference_date": str(day), "reason": reason} for day, reason in skipped],
        "caveats": [] if seen is None else [seen],
        "notes": _notes(replay, skipped),
        "fits": [_fit(moment, replay, config) for moment in known[:: config.refit_weeks]],
        "revisions": [
            {"reference_date": str(moment.reference_date), "factors": np.exp(moment.revisions).tolist()}
            for moment in known
        ],
    }


def _table(board: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row.pop("model"): row for row in board.iter_rows(named=True)}


def _notes(replay: Replay, skipped: list[Skipped]) -> list[str]:
    notes = [*replay.versions.notes, *(replay.history.notes if replay.history else ())]
    if replay.rules.note:
        notes.append(replay.rules.note)
    if skipped:
        notes.append(f"{counted(len(skipped), 'reference date')} can't be forecast: see the list of those skipped.")
    return notes


def _fit(known: Known, replay: Replay, config: HubConfig) -> dict[str, Any]:
    examples = examples_of(known, replay.history, replay.rules, config)
    last = known.counts.dates[-2].astype("datetime64[D]").astype(date)
    return {"origin": str(known.reference_date), "through": str(last), "examples": len(examples.asked)}


def _shown(known: Known) -> pl.DataFrame:
    """What was known of the last weeks: reference_date, target_end_date, location, value."""
    counts = known.counts
    frame = table_of(counts._replace(dates=counts.dates[-SHOWN_WEEKS:], values=counts.values[:, -SHOWN_WEEKS:]))
    return frame.select(pl.lit(known.reference_date).alias("reference_date"), pl.all())
