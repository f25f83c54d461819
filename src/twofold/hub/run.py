"""A season's backtest composed: versions in; predictions, scores, a fitted model and what the page draws out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from joblib import delayed

from twofold.counts.panel import counted
from twofold.engine.errors import InputError
from twofold.engine.files import write_json, write_parquet, write_text
from twofold.engine.run import RunFolder
from twofold.hub.config import POOL, SEEN, HeadName, HubConfig
from twofold.hub.examples import truth
from twofold.hub.heads import examples_of, fit_head, forecast
from twofold.hub.model import as_finished
from twofold.hub.pool import pool_forward
from twofold.hub.rules import WEEK
from twofold.hub.scores import common, differences, leaderboard, score_forecasts
from twofold.hub.season import Known, Replay, Skipped
from twofold.hub.tables import FORECAST
from twofold.hub.vintages import table_of

RESAMPLES, BLOCK_WEEKS, LEVEL = 2000, 3, 0.9
SHOWN_WEEKS = 8
"""Weeks before each reference date of which the page shows what was known."""
PREFIX = "twofold-"
"""Begins our models' names among those of other teams."""
Progress = Callable[[int, int], None]


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


@dataclass(frozen=True)
class Block:
    """Reference dates that one fit of a head forecasts: that of the fit, and those until the next."""

    head: HeadName
    dates: tuple[date, ...]

    @property
    def name(self) -> str:
        """Names the block's file."""
        return f"{self.head}-{self.dates[0]}.parquet"


def replay_heads(replay: Replay, config: HubConfig, parts: Path, jobs: int, progress: Progress) -> pl.DataFrame:
    """Forecasts of every head for every reference date that can be forecast.

    Args:
        replay: the season.
        config: heads, schedule.
        parts: folder of one file a block; what it holds is not done again.
        jobs: processes.
        progress: called with (blocks done, blocks in all).

    Returns:
        Columns model (the head's name), reference_date, horizon, location, category, probability.
    """
    dates, _ = replay.dates()
    starts = range(0, len(dates), config.refit_weeks)
    blocks = [
        Block(head, tuple(dates[start : start + config.refit_weeks])) for head in config.heads for start in starts
    ]
    missing = [block for block in blocks if not (parts / block.name).exists()]
    progress(len(blocks) - len(missing), len(blocks))
    for done, (block, found) in enumerate(_work(replay, config, missing, jobs), len(blocks) - len(missing) + 1):
        write_parquet(parts / block.name, found)
        progress(done, len(blocks))
    return pl.concat([pl.read_parquet(parts / block.name) for block in blocks])


def replay_pool(
    forecasts: pl.DataFrame, replay: Replay, config: HubConfig
) -> tuple[pl.DataFrame, list[tuple[date, dict[str, float]]]]:
    """The pool of the heads, its weights for each date fitted on the dates before whose outcome was known by then.

    Args:
        forecasts: as `replay_heads` gives them.
        replay: the season.
        config: pooled heads, strength of the prior.

    Returns:
        Forecasts in the same columns, model `POOL`, and the weights by reference date.
    """
    dates, _ = replay.dates()
    known = {
        day: truth(replay.known(day).settled(), replay.locations, [past for past in dates if past < day], replay.rules)
        for day in dates
    }
    return pool_forward(forecasts, known, replay.rules, config)


def _work(replay: Replay, config: HubConfig, blocks: list[Block], jobs: int) -> Iterator[tuple[Block, pl.DataFrame]]:
    """Blocks and their forecasts, in the order in which they are finished."""
    # The longest first, so that no process is left alone with one at the end.
    order = sorted(blocks, key=lambda block: config.heads.index(block.head), reverse=True)
    tasks = (delayed(_forecast_block)(replay, config, block) for block in order)
    yield from as_finished(tasks, jobs)


def _forecast_block(replay: Replay, config: HubConfig, block: Block) -> tuple[Block, pl.DataFrame]:
    examples = examples_of(replay.known(block.dates[0]), replay.history, replay.rules, config)
    head = fit_head(block.head, examples, replay.rules, config)
    found = [forecast(head, replay.known(day), replay.rules, config) for day in block.dates]
    return block, pl.concat(found).select(pl.lit(block.head).alias("model"), pl.all())
