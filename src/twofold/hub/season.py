"""A season replayed: for every reference date forecasts from what was known by its deadline."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

import polars as pl
from joblib import Parallel, delayed, parallel_config

from twofold.engine.errors import InputError
from twofold.engine.files import write_parquet
from twofold.hub.config import HeadName, HubConfig
from twofold.hub.examples import Examples
from twofold.hub.heads.heads import examples_of, fit_head, forecast
from twofold.hub.heads.pmf import Head
from twofold.hub.history import History
from twofold.hub.known import Known, known_at
from twofold.hub.model import HubModel
from twofold.hub.pool import POOL, apply_weights, fit_weights
from twofold.hub.rate_change import truth
from twofold.hub.rules import Rules
from twofold.hub.vintages import Skipped, Versions, usable

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Replay:
    """A season and all that was published of it.

    Attributes:
        versions: of the counts.
        locations: of the season.
        rules: of the season.
        history: of another measure, all of it known before the season began; or None.
    """

    versions: Versions
    locations: pl.DataFrame
    rules: Rules
    history: History | None

    def dates(self) -> tuple[list[date], list[Skipped]]:
        """Reference dates that can be forecast, and those that can't with the reason.

        Raises:
            InputError: when there is none.
        """
        used, skipped = usable(self.versions, self.rules.reference_dates(), self.rules)
        if not used:
            raise InputError(
                f"no reference date of season {self.rules.season} can be forecast from these versions; the first: "
                f"{skipped[0].reference_date}, {skipped[0].reason}"
            )
        return used, skipped

    def known(self, reference_date: date) -> Known:
        """What was known for a reference date."""
        return known_at(self.versions, reference_date, self.locations, self.rules)


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


def pool_forward(
    forecasts: pl.DataFrame, known: dict[date, pl.DataFrame], rules: Rules, config: HubConfig
) -> tuple[pl.DataFrame, list[tuple[date, dict[str, float]]]]:
    """The pool, date by date, its weights fitted on what was known of earlier dates.

    Args:
        forecasts: as `replay_heads` gives them.
        known: for each reference date, in order, the outcomes known by then, as `rate_change.truth` gives them.
        rules: order of the categories.
        config: pooled heads, strength of the prior.

    Returns:
        As `replay_pool`.
    """
    pooled, weights = [], []
    for day, outcomes in known.items():
        past = forecasts.filter(pl.col("reference_date") < day)
        weight = fit_weights(past, outcomes, config.pooled, rules, config.pool_prior_weeks)
        pooled.append(apply_weights(forecasts.filter(pl.col("reference_date") == day), weight))
        weights.append((day, weight))
    table = pl.concat(pooled).with_columns(model=pl.lit(POOL))
    return table.select(forecasts.columns), weights


def _work(replay: Replay, config: HubConfig, blocks: list[Block], jobs: int) -> Iterator[tuple[Block, pl.DataFrame]]:
    """Blocks and their forecasts, in the order in which they are finished."""
    # The longest first, so that no process is left alone with one at the end.
    order = sorted(blocks, key=lambda block: config.heads.index(block.head), reverse=True)
    tasks = (delayed(_forecast_block)(replay, config, block) for block in order)
    yield from _parallel(tasks, jobs)


def _forecast_block(replay: Replay, config: HubConfig, block: Block) -> tuple[Block, pl.DataFrame]:
    examples = examples_of(replay.known(block.dates[0]), replay.history, replay.rules, config)
    head = fit_head(block.head, examples, replay.rules, config)
    found = [forecast(head, replay.known(day), replay.rules, config) for day in block.dates]
    return block, pl.concat(found).select(pl.lit(block.head).alias("model"), pl.all())


def fit_model(
    replay: Replay,
    reference_date: date,
    config: HubConfig,
    weights: dict[str, float] | None,
    *,
    jobs: int,
    progress: Progress,
) -> HubModel:
    """All heads fitted on what was known for one reference date.

    Args:
        replay: versions, locations, rules, history.
        reference_date: nothing published after its deadline is looked at.
        config: heads.
        weights: of the pool; None: equal ones.
        jobs: processes.
        progress: called with (heads done, heads in all).
    """
    examples = examples_of(replay.known(reference_date), replay.history, replay.rules, config)
    tasks = (delayed(_fit_head)(name, examples, replay.rules, config) for name in reversed(config.heads))
    heads: dict[str, Head] = {}
    progress(0, len(config.heads))
    for name, head in _parallel(tasks, jobs):
        heads[name] = head
        progress(len(heads), len(config.heads))
    equal = {name: 1.0 / len(config.pooled) for name in config.pooled}
    ordered = {name: heads[name] for name in config.heads}
    return HubModel(config, replay.rules, reference_date, ordered, equal if weights is None else weights)


def _fit_head(name: HeadName, examples: Examples, rules: Rules, config: HubConfig) -> tuple[HeadName, Head]:
    return name, fit_head(name, examples, rules, config)


def _parallel(tasks: Iterator[Any], jobs: int) -> Iterator[Any]:
    """Results of joblib's tasks as they are finished, each process with one thread."""
    with parallel_config(backend="loky", inner_max_num_threads=1):
        yield from cast(Iterator[Any], Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks))
