"""Results of a backtest: the refits' forecasts pooled in time order and scored, for `scores.json`."""

from typing import Any

import numpy as np
import polars as pl

from twofold.counts.panel import Panel
from twofold.engine.errors import InputError
from twofold.engine.files import write_json, write_parquet
from twofold.engine.recurrent import CELLS
from twofold.engine.run import RunFolder
from twofold.scoring.binary import scores
from twofold.trend.baselines import spread_note
from twofold.trend.calibrate import Calibration
from twofold.trend.judge import Judge, describe_data
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.models import MODELS, read_refits
from twofold.trend.walk.pool import walk_pool
from twofold.trend.walk.schedule import Schedule, known_at
from twofold.trend.windows import label, label_is_filled

BASELINES = tuple(name for name in MODELS if name not in CELLS)
SHOWN = ("pool", *CELLS, "logistic", "boosting")
BY_ORIGIN = ("log_score", "brier_score", "brier_skill", "roc_auc")


def save_scores(panel: Panel, source: str, plan: Schedule, config: BacktestConfig, folder: RunFolder) -> None:
    """Pools and scores the forecasts of `walk_forward` and writes all that the report reads.

    `source` is the name of the data file, or "simulated".

    Raises:
        InputError: when every refit was skipped, or those of all scored dates.
    """
    refits = read_refits(folder.path, plan)
    skipped = [fact for fact, _ in refits if fact["skipped"]]
    tables = [table for _, table in refits if table is not None]
    frame = _with_outcomes(pl.concat(tables), panel, plan, config) if tables else pl.DataFrame()
    if not len(frame) or not frame["scored"].any():
        reason = skipped[-1]["skipped"] if skipped else "every outcome depends on a count that was filled in"
        raise InputError(f"no forecast could be made: {reason}")
    frame, origins = _add_pool(frame, plan, config)
    scored = frame.filter("scored").drop("scored", "at", "first_label")
    write_parquet(folder.path / "predictions.parquet", scored)
    write_parquet(folder.path / "panel.parquet", panel.frame())
    facts = {at: fact for fact, _ in refits for at in fact["origins"]}
    learned = max(fact["learned"] for fact, _ in refits)
    account = {
        "recipe": config.recipe,
        "seed": config.seed,
        "simulated": source == "simulated",
        # Corrections are redistributed after each cut, so the note on looking ahead does not apply here.
        "data": describe_data(panel, config.source, source)
        | {"notes": [*panel.notes, *panel.increments(config.source.negatives).notes, *spread_note(learned)]},
        "walk": _describe_walk(plan, config),
        "skipped": [
            {"origin": str(plan.dates[at]), "reason": fact["skipped"]} for fact in skipped for at in fact["origins"]
        ],
        **_scores(scored, config),
        "by_origin": [_describe_origin(frame, at, facts[at], plan, origins[at]) for at in sorted(origins)],
    }
    write_json(folder.path / "scores.json", account)


def _with_outcomes(frame: pl.DataFrame, panel: Panel, plan: Schedule, config: BacktestConfig) -> pl.DataFrame:
    """Adds the outcomes: by the final data (`label`), and as first known (`first_label`); without those filled in."""
    window, increments = config.window, panel.increments(config.source.negatives)
    labels = label(increments.counts, window.target, window.horizon)
    row = {name: index for index, name in enumerate(increments.regions)}
    at = np.searchsorted(plan.dates, frame["origin"].to_numpy().astype("datetime64[D]"))
    region = np.array([row[name] for name in frame["region"]])
    column = at - labels.first
    # Redistributing a later correction changes earlier outcomes; those that the pool is fitted on must not change.
    cuts = {origin: known_at(panel, plan.dates[int(origin) + plan.lookahead]) for origin in np.unique(at).tolist()}
    known = {
        origin: label(cut.increments(config.source.negatives).counts, window.target, window.horizon).up[:, -1]
        for origin, cut in cuts.items()
    }
    filled = label_is_filled(increments, window)
    own = pl.lit(True) if filled is None else pl.Series(~filled[region, column])
    return frame.with_columns(
        target_date=pl.Series(plan.dates[at + window.horizon]),
        label=pl.Series(labels.up[region, column]),
        tie=pl.Series(labels.tie[region, column]),
        first_label=pl.Series([bool(known[origin][row]) for origin, row in zip(at.tolist(), region, strict=True)]),
        at=pl.Series(at),
        scored=pl.Series(at >= plan.first),
    ).filter(own)


def _add_pool(
    frame: pl.DataFrame, plan: Schedule, config: BacktestConfig
) -> tuple[pl.DataFrame, dict[int, tuple[dict[str, float], Calibration]]]:
    """Adds `p_pool`, from `walk_pool`, and `p_equal_pool`, the mean; also each origin's weights and calibration."""
    wanted = {config.model.cell, *config.ensemble.partners}
    names = [name for name in MODELS if name in wanted]
    members = frame.select(f"p_{name}" for name in names).to_numpy()
    at = frame["at"].to_numpy()
    found = walk_pool(
        members,
        frame["first_label"].to_numpy(),
        at,
        plan.lookahead,
        usable=frame["active"].to_numpy(),
        config=config.calibration,
        prior_days=config.walk.weight_prior_days,
    )
    learned = {
        int(origin): (dict(zip(names, weights.tolist(), strict=True)), calibration)
        for origin, weights, calibration in zip(np.unique(at), found.weights, found.calibrations, strict=True)
    }
    pooled = {"p_pool": found.probability, "p_equal_pool": members.mean(axis=1)}
    return frame.with_columns(**{name: pl.Series(values) for name, values in pooled.items()}), learned


def _scores(frame: pl.DataFrame, config: BacktestConfig) -> dict[str, Any]:
    sets = {"active": np.flatnonzero(frame["active"].to_numpy()), "all": np.arange(len(frame))}
    day = frame["origin"].to_numpy().astype("datetime64[D]").astype(np.int64)
    judge = Judge(frame["label"].to_numpy(), day, sets, config.score, config.seed)
    models = {name: frame[f"p_{name}"].to_numpy() for name in ("pool", "equal_pool", *MODELS)}
    ours, others = ({name: models[name] for name in names} for names in (("pool", *CELLS), BASELINES))
    return {
        "windows": {
            part: {"windows": len(rows), "up": int(judge.up[rows].sum()), "days": len(np.unique(day[rows]))}
            for part, rows in sets.items()
        },
        "models": {name: judge.block(probability) for name, probability in models.items()},
        "comparisons": judge.pairs("active", ours, others),
        "reliability": {name: judge.reliability("active", models[name]) for name in SHOWN},
    }


def _describe_walk(plan: Schedule, config: BacktestConfig) -> dict[str, Any]:
    origins = [at for refit in plan.refits for at in refit.origins]
    scored = [at for at in origins if at >= plan.first]
    ahead = config.window.horizon
    return {
        "target": config.window.target,
        "horizon": ahead,
        "length": config.window.length,
        "first_origin": str(plan.dates[scored[0]]),
        "last_origin": str(plan.dates[scored[-1]]),
        "first_target": str(plan.dates[scored[0] + ahead]),
        "last_target": str(plan.dates[scored[-1] + ahead]),
        "origins": len(scored),
        "warmup": len(origins) - len(scored),
        "refits": len(plan.refits),
    }


def _describe_origin(
    frame: pl.DataFrame, at: int, fact: dict[str, Any], plan: Schedule, learned: tuple[dict[str, float], Calibration]
) -> dict[str, Any]:
    """The training set, weights and scores of an origin; a warm-up origin has no scores."""
    every = frame.filter(pl.col("at") == at)
    here = every.filter("active")
    up, (weights, calibration) = here["label"].to_numpy(), learned
    scored = at >= plan.first
    shown = (*SHOWN, "base_rate") if scored else ()
    found = {name: scores(here[f"p_{name}"].to_numpy(), up) for name in shown}
    return {
        "origin": str(plan.dates[at]),
        "target": str(every["target_date"][0]),
        "refit": str(plan.dates[fact["origins"][0]]),
        "screened": str(plan.dates[fact["screened"] - 1]),
        "regions": fact["regions"],
        "learned": fact["learned"],
        "active": len(here),
        "up": int(up.sum()) if scored else None,
        "weights": weights,
        "calibration": {"scale": calibration.scale, "shift": calibration.shift, "windows": calibration.windows},
        "scores": {name: {score: block[score] for score in BY_ORIGIN} for name, block in found.items()},
    }
