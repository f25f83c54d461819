"""Scores of models and baselines: the blocks of `scores.json`, the verdict, and the scores on newer data."""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import product
from typing import Any, Literal, TypedDict

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from twofold.counts.config import SourceConfig
from twofold.counts.csv import shown
from twofold.counts.panel import Negatives, Panel, corrections
from twofold.engine.errors import InputError
from twofold.engine.seed import seed_for
from twofold.scoring.binary import ReliabilityBin, reliability, scores
from twofold.scoring.bootstrap import COMPARED, Comparison, compare, intervals
from twofold.trend.baselines import BASELINES, fit_baseline
from twofold.trend.calibrate import apply_calibration
from twofold.trend.config import ScoreConfig, TrendConfig
from twofold.trend.features import apply_features
from twofold.trend.fit import Fitted, pool
from twofold.trend.forecast import Forecaster
from twofold.trend.windows import PARTS, Prepared, prepare, slide

Probability = Float[np.ndarray, " windows"]
Predictions = dict[str, Probability]


class Judge:
    """Scores one model after another on the same sets of windows and the same resampled days.

    Args:
        up: each window's label, True where the count rose.
        day: each window's origin; only equality and order matter.
        sets: indices of the windows of each set, by name.
        config: settings of the intervals.
    """

    def __init__(
        self,
        up: Bool[np.ndarray, " windows"],
        day: Int[np.ndarray, " windows"],
        sets: dict[str, np.ndarray],
        config: ScoreConfig,
        seed: int,
    ) -> None:
        self.up, self.day, self.sets = up, day, sets
        self.options = {
            "resamples": config.bootstrap,
            "block_days": config.block_days,
            "level": config.level,
            "seed": seed_for(seed, "bootstrap"),
        }

    def block(self, probability: Probability, *parts: str) -> dict[str, Any]:
        """A model's scores on the named sets (all sets by default), and their `intervals`."""
        chosen = {part: self.sets[part] for part in parts or self.sets}
        return {part: scores(probability[rows], self.up[rows]) for part, rows in chosen.items()} | {
            "intervals": {
                part: intervals(probability[rows], self.up[rows], self.day[rows], **self.options)
                for part, rows in chosen.items()
            }
        }

    def pairs(self, part: str, models: Predictions, against: Predictions) -> list[dict[str, Any]]:
        """Paired differences, with intervals, between each model and each of the others."""
        rows = self.sets[part]
        return [
            {"model": model, "against": other, "score": score, **found[score]}
            for model, other in product(models, against)
            for found in [
                compare(models[model][rows], against[other][rows], self.up[rows], self.day[rows], **self.options)
            ]
            for score in COMPARED
        ]

    def reliability(self, part: str, probability: Probability) -> list[ReliabilityBin]:
        """Mean probability and observed frequency, by bin of the probability."""
        return reliability(probability[self.sets[part]], self.up[self.sets[part]])


def score_models(prepared: Prepared, config: TrendConfig, predictions: Predictions) -> dict[str, Any]:
    """Scores with intervals of the headline, the members and the baselines, the paired comparisons and the verdict.

    Args:
        predictions: as `run.predict_all` returns them.
    """
    windows, test = prepared.windows, prepared.split.test
    sets = {"train": prepared.split.train, "test": test, "test_active": test[windows.active[test]]}
    judge = Judge(windows.up, windows.origin, sets, config.score, config.seed)
    tested = "test", "test_active"
    models = {name: p for name, p in predictions.items() if not name.startswith("baseline_")}
    baselines = {name.removeprefix("baseline_"): p for name, p in predictions.items() if name not in models}
    result = judge.block(predictions["ensemble"]) | {
        "models": {name: judge.block(p, *tested) for name, p in models.items() if name != "ensemble"},
        "baselines": {name: judge.block(p, *tested) for name, p in baselines.items()},
        "comparisons": {part: judge.pairs(part, models, baselines) for part in tested},
        "reliability": {
            name: {part: judge.reliability(part, probability) for part in sets}
            for name, probability in (models | baselines).items()
            if name in ("ensemble", "network", "renewal", "logistic", "boosting")
        },
    }
    part = "test_active" if len(sets["test_active"]) else "test"
    best = best_model({name: result["baselines"][name][part]["log_score"] for name in BASELINES})
    wanted = {"model": "network", "against": best, "score": "log_score"}
    found = next((pair for pair in result["comparisons"][part] if wanted.items() <= pair.items()), None)
    comparison: Comparison | None = found and {
        "difference": found["difference"],
        "low": found["low"],
        "high": found["high"],
    }
    dates = len(np.unique(windows.origin[sets[part]]))
    enough = dates >= config.score.claimed_from
    return result | {"verdict": verdict(comparison, best, evaluated=part, dates=dates, enough=enough)}


def rescore(
    forecaster: Forecaster, trained_on: Panel, panel: Panel, negatives: Negatives | None = None
) -> dict[str, Any]:
    """Scores the final model on the windows of newer data whose origin is not before its last training date.

    The baselines are fitted on `trained_on`, the run's own data. `negatives` treats downward corrections of the newer
    data; None: as the run's.

    Returns:
        `first`, `last`, `dates` (origins scored, and their number), `windows`, `seen` (windows left out, since the
        model was trained on them), and under `models` a block like those of `scores.json` for `ensemble` and every
        baseline.

    Raises:
        InputError: when no window is new to the model, or no region is one of its own.
    """
    forecaster.check_step(panel)
    config, ensemble = forecaster.config, forecaster.ensemble
    increments = panel.increments(negatives or config.source.negatives)
    selected = np.isin(np.array(panel.regions), np.array(forecaster.selected))
    if not selected.any():
        raise InputError(f"none of the regions that the model is for ({shown(forecaster.selected)}) is in this data")
    windows = slide(increments, selected, config.window.model_copy(update={"per_region": "all", "start": 0}))
    new = np.flatnonzero(increments.dates[windows.origin] >= forecaster.last)
    if len(new) == 0:
        raise InputError(
            f"the data ends on {panel.dates[-1]} and the model was trained on dates up to {forecaster.last}: no "
            "window is new to it; give data with later dates"
        )
    inputs = apply_features(ensemble.features, increments, windows.region, windows.origin, config.window)
    pooled = pool(ensemble.predict(inputs, panel.regions, new))
    predictions = {"ensemble": apply_calibration(forecaster.calibration, pooled)}
    old = prepare(trained_on, config)
    learned = apply_features(ensemble.features, old.increments, old.windows.region, old.windows.origin, config.window)
    everything = np.arange(len(old.windows))
    for name in BASELINES:
        predictions[name] = fit_baseline(name, learned, old.windows.up, everything, config.seed).predict(inputs, new)
    sets = {"test": np.arange(len(new)), "test_active": np.flatnonzero(windows.active[new])}
    judge = Judge(windows.up[new], windows.origin[new], sets, config.score, config.seed)
    return {
        "first": str(increments.dates[windows.origin[new].min()]),
        "last": str(increments.dates[windows.origin[new].max()]),
        "dates": len(np.unique(windows.origin[new])),
        "windows": len(new),
        "seen": len(windows) - len(new),
        # `intervals` comes first in each block.
        "models": {name: {"intervals": {}} | judge.block(p) for name, p in predictions.items()},
    }


EvaluatedSet = Literal["test", "test_active"]


class Verdict(TypedDict):
    """The `verdict` block of `scores.json`; `significant`: the interval excludes 0, for better or for worse.

    Never so from fewer `dates` (origins compared on) than `ScoreConfig.claimed_from`.
    """

    best_baseline: str | None
    score: str
    set: str
    difference: float | None
    low: float | None
    high: float | None
    dates: int
    significant: bool


def best_model(log_scores: Mapping[str, float | None]) -> str | None:
    """Name with the lowest log score, the first of equals; None when no score is defined.

    The best baseline is chosen on the evaluated windows themselves, which favours the baselines: a network that beats
    the best beats all of them.
    """
    defined = {name: score for name, score in log_scores.items() if score is not None}
    return min(defined, key=lambda name: defined[name]) if defined else None


def verdict(
    comparison: Comparison | None, best_baseline: str | None, *, evaluated: EvaluatedSet, dates: int, enough: bool
) -> Verdict:
    """Whether the network's log score differs from the best baseline's by more than chance.

    Args:
        comparison: paired difference in log score, network minus baseline, nats per window (negative: the network is
            better); None when there is nothing to compare.
        best_baseline: name of the baseline with the lowest log score on the same windows.
        evaluated: the windows compared on.
        dates: number of their origins.
        enough: whether these are enough to call a difference significant.
    """
    compared: Comparison = comparison or {"difference": None, "low": None, "high": None}
    low, high = compared["low"], compared["high"]
    return {
        "best_baseline": best_baseline,
        "score": "log_score",
        "set": evaluated,
        **compared,
        "dates": dates,
        "significant": enough and low is not None and high is not None and (low > 0.0 or high < 0.0),
    }


def describe_data(panel: Panel, config: SourceConfig, source: str) -> dict[str, Any]:
    """The data and how it was processed; `source` is the file's name, or "simulated"."""
    found = len(corrections(panel))
    notes = [*panel.notes, *panel.increments(config.negatives).notes]
    if found and config.negatives == "redistribute":
        notes.append(
            "Downward corrections were taken off the dates before them, so a training value may depend on a correction "
            "published during the test: a look ahead, which --negatives keep or clip avoids."
        )
    return {
        "regions": len(panel.regions),
        "dates": len(panel.dates),
        "first": str(panel.dates[0]),
        "last": str(panel.dates[-1]),
        "step_days": panel.step_days,
        "kind": panel.kind,
        "source": source,
        "corrections": found,
        "negatives": config.negatives,
        "filled": 0 if panel.filled is None else int(panel.filled.sum()),
        "notes": notes,
        "suspicions": [suspicion.text for suspicion in panel.suspicions],
        "digest": panel.digest(),
    }


def describe_screen(panel: Panel, prepared: Prepared, config: TrendConfig) -> dict[str, Any]:
    """The set C and the dates on which it was chosen."""
    screen, dates = prepared.screen, prepared.increments.dates
    return {
        "threshold": config.screen.threshold,
        "days": config.screen.days,
        "first": str(dates[0]),
        "last": str(dates[screen.days - 1]),
        "selected": int(screen.selected.sum()),
        "names": [name for name, chosen in zip(panel.regions, screen.selected, strict=True) if chosen],
        "constant": list(screen.constant),
    }


def describe_windows(prepared: Prepared, config: TrendConfig) -> dict[str, Any]:
    """Counts of windows by part of the split, label and activity."""
    windows, split = prepared.windows, prepared.split
    sets = {"all": np.ones(len(windows), dtype=bool), "active": windows.active, "all_zero": ~windows.active}
    parts = {"total": np.arange(len(windows))} | {part: getattr(split, part) for part in PARTS}
    table = []
    for part, rows in parts.items():
        for name, mask in sets.items():
            chosen = rows[mask[rows]]
            up = int(windows.up[chosen].sum())
            table.append(
                {
                    "split": part,
                    "set": name,
                    "windows": len(chosen),
                    "up": up,
                    "not_up": len(chosen) - up,
                    "ties": int(windows.tie[chosen].sum()),
                    "up_share": up / len(chosen) if len(chosen) else None,
                }
            )
    return {
        "length": config.window.length,
        "target": config.window.target,
        "horizon": config.window.horizon,
        "total": len(windows),
        "positive": int(windows.up.sum()),
        "ties": int(windows.tie.sum()),
        **{part: len(getattr(split, part)) for part in PARTS},
        "table": table,
    }


def describe_split(prepared: Prepared, config: TrendConfig) -> dict[str, Any]:
    """First and last origins of training and test, and the leakage between them."""
    windows, split, dates = prepared.windows, prepared.split, prepared.increments.dates
    known, test = windows.origin[split.known], windows.origin[split.test]
    return {
        "kind": config.split.kind,
        "train_first": str(dates[known.min()]),
        "train_last": str(dates[known.max()]),
        "test_first": str(dates[test.min()]),
        "test_last": str(dates[test.max()]),
        "leaks": asdict(prepared.leaks),
    }


def describe_model(fitted: Fitted, config: TrendConfig) -> dict[str, Any]:
    """Ensemble members, number of weights, epochs and calibration."""
    networks = fitted.evaluate.networks
    calibration = fitted.calibration.to_dict() if fitted.calibrated_on else None
    return {
        "inputs": list(config.features.inputs),
        "members": [*networks, *fitted.evaluate.estimators],
        "parameters": sum(weight.numel() for net in networks.values() for weight in net.module.parameters()),
        "epochs": {name: net.epochs for name, net in networks.items()},
        "calibration": calibration,
    }


def prediction_table(panel: Panel, prepared: Prepared, predictions: Predictions, config: TrendConfig) -> pl.DataFrame:
    """One row per window with its part of the split, label and every probability, as saved in `predictions.parquet`."""
    windows, dates = prepared.windows, prepared.increments.dates
    ahead = np.timedelta64(panel.step_days * config.window.horizon, "D")
    return pl.DataFrame(
        {
            "region": np.array(panel.regions)[windows.region],
            "origin": dates[windows.origin],
            "target_date": dates[windows.origin] + ahead,
            "split": prepared.split.names(len(windows)),
            "active": windows.active,
            "tie": windows.tie,
            "label": windows.up,
        }
        | {f"p_{name}": probability for name, probability in predictions.items()}
    )
