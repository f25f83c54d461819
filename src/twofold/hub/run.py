"""The backtest of a season: forecasts as they could have been made at each deadline, and their scores."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from twofold.counts.panel import counted
from twofold.engine import files
from twofold.engine.errors import DivergedError, InputError
from twofold.engine.files import usable, write_json, write_parquet, write_text
from twofold.engine.run import RunFolder
from twofold.engine.work import Work
from twofold.hub.baseline import NAME as LAST_VALUE
from twofold.hub.baseline import last_value
from twofold.hub.config import POOL, QUANTILE_HEADS, HeadName, HubConfig
from twofold.hub.examples import build_examples, truth
from twofold.hub.heads import Forecasts, fit_head, forecast
from twofold.hub.history import History
from twofold.hub.peers import Unread
from twofold.hub.pool import equal_weights, pool_forward
from twofold.hub.quantile_scores import observations, quantile_board, score_quantiles, sort_out
from twofold.hub.quantiles import (
    NOTHING,
    QUANTILE,
    derived_categories,
    distribution_table,
    long_quantiles,
    pool_distributions,
    quantile_table,
)
from twofold.hub.rules import WEEK, RateChange, Rules
from twofold.hub.scores import common, differences, leaderboard, score_forecasts, without_broken
from twofold.hub.season import Known, Replay, Skipped
from twofold.hub.tables import FORECAST, UNIT
from twofold.hub.vintages import table_of

RESAMPLES, BLOCK_WEEKS, LEVEL = 2000, 3, 0.9
SHOWN_WEEKS = 8
"""Weeks before each reference date whose counts, as they were known, the page shows."""
PREFIX = "twofold-"
"""Prefix of our models' names."""
SUBMITTED = " (submitted)"
"""Ends the name of a peer that has the name of one of the models replayed here: an earlier submission of ours."""
DERIVED = " (quantiles)"
"""Ends the name of a peer whose categories are derived from its quantiles."""
_CHOSEN_ON = [f"{year}-{year - 1999}" for year in (*range(2010, 2020), 2022, 2023, 2024)]
SEEN = {
    ("flusight", "2023-24"): {"role": "chosen_on", "seasons": _CHOSEN_ON, "tests": [], "ensemble_rps": None},
    ("flusight", "2024-25"): {
        "role": "chosen_on",
        "seasons": _CHOSEN_ON,
        "tests": [
            {"model": "trees", "chosen_on": ["2023-24"], "rps": 0.461, "corrected": None},
            {"model": "rnn", "chosen_on": ["2022-23", "2023-24"], "rps": 0.408, "corrected": "revisions"},
            {"model": "pool", "chosen_on": _CHOSEN_ON[:-1], "rps": 0.422, "corrected": None},
        ],
        "ensemble_rps": 0.445,
    },
}
"""The role of a season in the choice of the models: `chosen_on`, as one of the `seasons`, so its scores flatter them.

`tests` are the earlier runs, in their order, when the season was still a test of models chosen on others; `corrected`
names the part of the code in which a defect had been corrected after the run before.
"""
Progress = Callable[[int, int], None]


class Replayed(NamedTuple):
    """Forecasts of every head for every reference date.

    Attributes:
        categories: columns model (the head's name), reference_date, horizon, location, category, probability.
        distributions: model, then as `quantiles.distribution_table`; of the heads that give them.
        diverged: heads of which a fit diverged, with what became of it; neither table has them.
    """

    categories: pl.DataFrame
    distributions: pl.DataFrame
    diverged: dict[str, DivergedError]


def check(replay: Replay) -> None:
    """Finds what would keep a backtest from being scored, before anything is fitted or written.

    Raises:
        InputError: when no date can be forecast, or of none the outcome is known.
    """
    dates, _ = replay.dates
    if observations(replay.versions.latest(), dates, replay.rules.horizons).is_empty():
        raise InputError(
            f"no outcome of season {replay.rules.season} is known yet: the first is that of the week ending "
            f"{dates[0] + WEEK * min(replay.rules.horizons)}; give newer versions"
        )


def execute(
    replay: Replay,
    peers: pl.DataFrame | None,
    peers_quantiles: pl.DataFrame | None,
    config: HubConfig,
    folder: RunFolder,
    *,
    unread: Sequence[Unread] = (),
    notes: Sequence[str] = (),
    work: Work,
    progress: Progress,
) -> None:
    """Replays a season and writes all files that the report reads.

    Forecasts that the folder has already are not made again. `progress` is called with (fits done, fits in all);
    `unread` are files of peers' forecasts that could not be read, `notes` further sentences for the page.

    Raises:
        InputError: when versions and season don't fit each other.
        DivergedError: when each head of the pool diverged.
    """
    heads, distributions, diverged = replay_heads(replay, config, folder.path / "parts", work, progress)
    config = config.without(diverged)
    pool, weights = replay_pool(heads, replay, config)
    dates, skipped = replay.dates
    known = [replay.known(day) for day in dates]
    latest, rules = replay.versions.latest(), replay.rules
    whole, torn = None, []
    if peers_quantiles is not None:
        season = _told_apart(peers_quantiles.filter(pl.col("reference_date").is_in(dates)), config)
        whole, torn = sort_out(season)
    tables: dict[str, pl.DataFrame] = {}
    account: dict[str, Any] = {}
    broken: list[dict[str, str]] = []
    if rules.rate_change is not None:
        own = pl.concat([heads, pool]).with_columns((PREFIX + pl.col("model")).alias("model")).select(list(FORECAST))
        tables = {"predictions": own}
        season = None if peers is None else _told_apart(peers.filter(pl.col("reference_date").is_in(dates)), config)
        others, broken = _others(season, whole, known, rules.rate_change)
        if others is not None:
            tables["peers"] = others.cast(own.schema)
        everyone = pl.concat(list(tables.values()))
        tables["truth"] = truth(latest, replay.locations, dates, rules.rate_change)
        account = _account(everyone, tables["truth"], rules.rate_change, config)
        account["derived"] = sorted(name for name in everyone["model"].unique() if name.endswith(DERIVED))
    tables |= {"counts": latest, "locations": replay.locations}
    shown = [
        table_of(moment.counts.part(slice(-SHOWN_WEEKS, None))).select(
            pl.lit(moment.reference_date).alias("reference_date"), pl.all()
        )
        for moment in known
    ]
    tables["known"] = pl.concat(shown)
    tables["predictions_quantile"] = _quantiles(distributions, weights, known, rules, config)
    if whole is not None:
        tables["peers_quantile"] = long_quantiles(whole)
    for name, table in tables.items():
        write_parquet(folder.path / f"{name}.parquet", table)
    write_text(folder.path / "rules.json", rules.to_json())
    scores = account | _about(replay, skipped, known, broken, config)
    scores["notes"] += list(notes)
    if diverged:
        said = "; ".join(f"{name} ({error.how})" for name, error in diverged.items())
        scores["notes"].append(f"{counted(len(diverged), 'head')} left out, since a training of it diverged: {said}.")
    scores["weights"] = [{"reference_date": str(day), "weights": weight} for day, weight in weights]
    scores["truth_as_of"] = f"{replay.versions.times()[-1]:%Y-%m-%dT%H:%M:%SZ}"
    scores["files_left_out"] = [each._asdict() for each in unread]
    quantiles = [tables[name] for name in ("predictions_quantile", "peers_quantile") if name in tables]
    scores["quantile"] = _quantile_account(pl.concat(quantiles), latest, dates, rules, config)
    scores["quantile"]["left_out"] = torn
    write_json(folder.path / "scores.json", scores)


def _ours(config: HubConfig) -> list[str]:
    """Names of all models that a backtest replays."""
    return [PREFIX + name for name in (*config.heads, LAST_VALUE, POOL)]


def _told_apart(peers: pl.DataFrame, config: HubConfig) -> pl.DataFrame:
    """Peers' forecasts; a submission under the name of one of the models replayed here gets another name."""
    name = pl.col("model").cast(pl.String)
    return peers.with_columns(model=pl.when(name.is_in(_ours(config))).then(name + SUBMITTED).otherwise(name))


def _others(
    peers: pl.DataFrame | None, quantiles: pl.DataFrame | None, known: list[Known], rules: RateChange
) -> tuple[pl.DataFrame | None, list[dict[str, str]]]:
    """Peers' categories, given or derived from quantiles (as `quantiles.complete` gives them), and those left out."""
    tables: list[pl.DataFrame] = []
    broken: list[dict[str, str]] = []
    if peers is not None:
        sound, broken = without_broken(peers.select(list(FORECAST)).cast({"horizon": pl.Int64}), rules)
        tables.append(sound)
    if quantiles is not None:
        derived = derived_categories(quantiles, _published(known), rules)
        tables.append(derived.with_columns(pl.col("model") + DERIVED))
    return pl.concat([table.select(list(FORECAST)) for table in tables]) if tables else None, broken


def _published(known: list[Known]) -> pl.DataFrame:
    """The newest week's counts as they were published at each deadline: reference_date, location, base, population."""
    tables = [
        pl.DataFrame(
            {
                "location": moment.counts.locations,
                "base": moment.counts.values[:, -1],
                "population": moment.population,
            }
        ).select(pl.lit(moment.reference_date).alias("reference_date"), pl.all())
        for moment in known
    ]
    return pl.concat(tables).drop_nans("base")


def _quantiles(
    distributions: pl.DataFrame,
    weights: list[tuple[date, dict[str, float]]],
    known: list[Known],
    rules: Rules,
    config: HubConfig,
) -> pl.DataFrame:
    """Quantiles of the baseline's method, of every head that gives a distribution, and of the pool of such heads."""
    plain = []
    for moment in known:
        there = np.flatnonzero(np.isfinite(moment.counts.values[:, -1]))
        locations = [moment.counts.locations[row] for row in there]
        plain.append(distribution_table(moment.reference_date, locations, rules, last_value(moment, rules)[there]))
    parts = [quantile_table(pl.concat(plain).with_columns(model=pl.lit(LAST_VALUE)))]
    parts += [quantile_table(own) for _, own in distributions.group_by("model", maintain_order=True)]
    if set(config.pooled) <= set(QUANTILE_HEADS):
        parts.append(quantile_table(pool_distributions(distributions, weights).with_columns(model=pl.lit(POOL))))
    table = pl.concat([part.select(list(QUANTILE)) for part in parts])
    return table.with_columns((PREFIX + pl.col("model")).alias("model"))


def _quantile_account(
    quantiles: pl.DataFrame, latest: pl.DataFrame, dates: list[date], rules: Rules, config: HubConfig
) -> dict[str, Any]:
    """All models' scores of quantiles: in all, without the sum of all places, by horizon, place and date."""
    whole, _ = sort_out(quantiles)
    scored = score_quantiles(whole, observations(latest, dates, rules.horizons))
    own = PREFIX + LAST_VALUE
    theirs = rules.baseline
    baseline = own if theirs is None or theirs not in set(scored["model"]) else theirs
    default = PREFIX + POOL if PREFIX + POOL in set(scored["model"]) else own
    compared = differences(
        scored, default, score="wis", resamples=RESAMPLES, block_weeks=BLOCK_WEEKS, level=LEVEL, seed=config.seed
    )
    return {
        "baseline": baseline,
        "ensemble": rules.ensemble,
        "default": default,
        "ours": [name for name in _ours(config) if name in set(scored["model"])],
        "models": _by_model(quantile_board(scored, baseline)),
        "without_us": _by_model(quantile_board(scored.filter(pl.col("location") != "US"), baseline)),
        "by": {
            column: [
                {key: str(value) if isinstance(value, date) else value for key, value in row.items()}
                for row in quantile_board(scored, baseline, (column,)).iter_rows(named=True)
            ]
            for column in UNIT
        },
        "differences": _differences(compared),
    }


def _by_model(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row.pop("model"): row for row in table.iter_rows(named=True)}


def _differences(compared: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {
        row["peer"]: {"mean": row["difference"]} | {key: row[key] for key in ("low", "high", "n", "dates")}
        for row in compared.iter_rows(named=True)
    }


def replay_heads(replay: Replay, config: HubConfig, parts: Path, work: Work, progress: Progress) -> Replayed:
    """Forecasts of every head for every reference date that can be forecast.

    `parts` gets the files of each head and fit; those that exist are not made again. A head of which a fit diverged is
    left out with all its dates: a model that lacks some can't be compared, nor pooled.

    Raises:
        DivergedError: when each head of the pool diverged.
    """
    dates, _ = replay.dates
    blocks = [
        _Block(head, tuple(dates[start : start + config.refit_weeks]))
        for head in config.heads
        for start in range(0, len(dates), config.refit_weeks)
    ]
    missing = [block for block in blocks if not _is_made(block.within(parts), block.head)]
    # The longest first, so that at the end no process works alone.
    missing.sort(key=lambda block: config.heads.index(block.head), reverse=True)
    done = len(blocks) - len(missing)
    progress(done, len(blocks))

    diverged: dict[str, DivergedError] = {}

    def take(name: str, made: Forecasts | DivergedError) -> None:
        nonlocal done
        path = parts / f"{name}.parquet"
        if isinstance(made, DivergedError):
            diverged[name.partition("-")[0]] = made
            work.tell(f"{name}: {made.what}; the head is left out")
        else:
            if made.distributions is not None:
                write_parquet(_beside(path), made.distributions)  # before the file whose presence says that it is done
            write_parquet(path, made.categories)
        done += 1
        progress(done, len(blocks))

    known = {day: replay.known(day) for day in dates}
    work.carry_out(
        _forecast_block,
        {block.name: block for block in missing},
        _Season(known, replay.history, replay.rules, config),
        take,
    )
    if diverged.keys() >= set(config.pooled):
        raise diverged[config.pooled[0]]
    blocks = [block for block in blocks if block.head not in diverged]
    paths = [block.within(parts) for block in blocks]
    beside = [_beside(path) for path, block in zip(paths, blocks, strict=True) if block.head in QUANTILE_HEADS]
    made, spread = ([files.table(parts, path.name) for path in each] for each in (paths, beside))
    return Replayed(pl.concat(made), pl.concat(spread) if spread else NOTHING, diverged)


def _is_made(path: Path, head: HeadName) -> bool:
    """Whether a block has its files, which are what was written."""
    return usable(path, _beside(path)) if head in QUANTILE_HEADS else usable(path)


class _Season(NamedTuple):
    """What all fits of a season need."""

    known: dict[date, Known]
    history: History | None
    rules: Rules
    config: HubConfig


class _Block(NamedTuple):
    """One head, fitted on what was known for the first of some reference dates, and its forecasts for all of them."""

    head: HeadName
    days: tuple[date, ...]

    @property
    def name(self) -> str:
        return f"{self.head}-{self.days[0]}"

    def within(self, parts: Path) -> Path:
        """The file of its forecasts."""
        return parts / f"{self.name}.parquet"


def _beside(path: Path) -> Path:
    """The file of the distributions, beside that of the categories."""
    return path.with_suffix(".distributions.parquet")


def _forecast_block(season: _Season, block: _Block) -> Forecasts | DivergedError:
    """The block's forecasts, with the head's name as the first column, `model`; one that diverges ends no other."""
    rules, config = season.rules, season.config
    known = [season.known[day] for day in block.days]
    first = known[0]
    examples = build_examples(first.counts, season.history, first.population, rules, config, others=first.others)
    try:
        head = fit_head(block.head, examples, rules, config)
    except DivergedError as error:
        return error
    found = [forecast(head, moment, rules, config) for moment in known]
    named = pl.lit(block.head).alias("model")
    categories = pl.concat([part.categories for part in found]).select(named, pl.all())
    spread = [part.distributions for part in found if part.distributions is not None]
    return Forecasts(categories, pl.concat(spread).select(named, pl.all()) if spread else None)


def replay_pool(
    forecasts: pl.DataFrame, replay: Replay, config: HubConfig
) -> tuple[pl.DataFrame, list[tuple[date, dict[str, float]]]]:
    """The pool of the heads, its weights for each date fitted on the dates before whose outcome was known by then.

    Weights are learned from the score of the categories: where the hub has none, they are equal.

    Returns:
        Forecasts in the same columns, model `POOL`, and the weights by reference date.
    """
    dates, _ = replay.dates
    change = replay.rules.rate_change
    if change is None:
        return forecasts.clear(), [(day, equal_weights(config)) for day in dates]
    known = {
        day: truth(replay.known(day).settled(), replay.locations, [past for past in dates if past < day], change)
        for day in dates
    }
    return pool_forward(forecasts, known, change, config)


def _account(forecasts: pl.DataFrame, happened: pl.DataFrame, rules: RateChange, config: HubConfig) -> dict[str, Any]:
    """All models' scores: on all their own forecasts, on the common ones, and their differences to our default."""
    scored = score_forecasts(forecasts, happened, rules)
    default = PREFIX + POOL
    compared = differences(scored, default, resamples=RESAMPLES, block_weeks=BLOCK_WEEKS, level=LEVEL, seed=config.seed)
    boards = {"models": scored, "common": common(scored, happened)}
    return {
        **{name: _by_model(leaderboard(part, happened, rules)) for name, part in boards.items()},
        "default": default,
        "no_skill": [PREFIX + head for head in config.heads if head == "climatology"],
        "ours": [PREFIX + head for head in (*config.heads, POOL)],
        "differences": _differences(compared),
    }


def _about(
    replay: Replay, skipped: list[Skipped], known: list[Known], broken: list[dict[str, str]], config: HubConfig
) -> dict[str, Any]:
    """The rest of scores.json: what was replayed, what was left out, what was known."""
    rules, notes = replay.rules, replay.notes
    change = rules.rate_change
    if change is None and len(config.pooled) > 1:
        notes.append(f"The pool's weights are equal: they are learned from categories, and {rules.asks_only}.")
    if skipped:
        notes.append(f"{counted(len(skipped), 'reference date')} can't be forecast: see the list of those skipped.")
    if broken:
        first = ", ".join(broken[0][key] for key in ("model", "reference_date", "location", "reason"))
        notes.append(f"{counted(len(broken), 'forecast')} of peers left out, since no distribution: {first}.")
    return {
        "hub": rules.hub,
        "season": rules.season,
        "target": rules.counts,
        **({} if change is None else {"baseline": change.baseline, "ensemble": change.ensemble}),
        "dates": [str(moment.reference_date) for moment in known],
        "skipped": [{"reference_date": str(day), "reason": reason} for day, reason in skipped],
        "left_out": broken,
        "seen": None if rules.among else SEEN.get((rules.hub, rules.season)),
        "notes": notes,
        "fits": [
            {
                "origin": str(moment.reference_date),
                "through": str(moment.counts.dates[-2].astype("datetime64[D]")),
                "examples": len(
                    build_examples(
                        moment.counts, replay.history, moment.population, rules, config, others=moment.others
                    ).queries
                ),
            }
            for moment in known[:: config.refit_weeks]
        ],
        "revisions": [
            {"reference_date": str(moment.reference_date), "factors": np.exp(moment.revisions).tolist()}
            for moment in known
        ],
    }
