"""The account of a run: every figure that `scores.json` holds."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import Panel, corrections
from twofold.engine.seed import seed_for
from twofold.scoring.binary import reliability, scores
from twofold.scoring.bootstrap import COMPARED, compare, intervals
from twofold.trend.baseline import BASELINES
from twofold.trend.config import TrendConfig
from twofold.trend.ensemble import Fitted
from twofold.trend.prepare import Prepared
from twofold.trend.split import PARTS
from twofold.trend.verdict import best_model, verdict

Predictions = dict[str, Float[np.ndarray, " windows"]]


def describe_data(panel: Panel, config: TrendConfig, source: str) -> dict[str, Any]:
    """What the data is, and what was done to it."""
    return {
        "regions": len(panel.regions),
        "dates": len(panel.dates),
        "first": str(panel.dates[0]),
        "last": str(panel.dates[-1]),
        "step_days": panel.step_days,
        "kind": panel.kind,
        "source": source,
        "corrections": len(corrections(panel)),
        "negatives": config.source.negatives,
        "notes": [*panel.notes, *panel.increments(config.source.negatives).notes, *_look_back(panel, config)],
        "digest": panel.digest(),
    }


def _look_back(panel: Panel, config: TrendConfig) -> list[str]:
    if config.source.negatives != "redistribute" or not corrections(panel):
        return []
    return [
        "Downward corrections were taken off the dates before them, so a training value may depend on a correction "
        "published during the test: a look ahead, which --negatives keep or clip avoids."
    ]


def describe_screen(panel: Panel, prepared: Prepared, config: TrendConfig) -> dict[str, Any]:
    """The set C and the days that chose it."""
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
    """Counts of windows by part, class and activity."""
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
    """Which origins train and test, and what leaks."""
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
    """Members, sizes, epochs and calibration."""
    networks = fitted.evaluate.networks
    calibration = fitted.calibration.to_dict() if fitted.calibrated_on else None
    return {
        "inputs": list(config.features.inputs),
        "members": [*networks, *fitted.evaluate.estimators],
        "parameters": sum(weight.numel() for net in networks.values() for weight in net.module.parameters()),
        "epochs": {name: net.epochs for name, net in networks.items()},
        "calibration": calibration,
    }


def score_models(prepared: Prepared, config: TrendConfig, predictions: Predictions) -> dict[str, Any]:
    """Scores with intervals of the headline, the members and the baselines, the paired comparisons and the verdict.

    Args:
        prepared: windows and split.
        config: the run.
        predictions: probability of every window by `ensemble`, `network`, members, and `baseline_NAME`.
    """
    judge = _Judge(prepared, config)
    baselines = [name for name in predictions if name.startswith("baseline_")]
    models = [name for name in predictions if name not in baselines]
    headline = judge.blocks(predictions["ensemble"], ("train", "test", "test_active"))
    entries = {name: judge.blocks(predictions[name], ("test", "test_active")) for name in predictions}
    result: dict[str, Any] = headline | {
        "models": {name: entries[name] for name in models if name != "ensemble"},
        "baselines": {name.removeprefix("baseline_"): entries[name] for name in baselines},
    }
    pairs = [(model, baseline) for model in models for baseline in baselines]
    result["comparisons"] = {
        part: [item for a, b in pairs for item in judge.pair(part, predictions, a, b)]
        for part in ("test", "test_active")
    }
    shown = [name for name in ("ensemble", "network", "baseline_logistic", "baseline_boosting") if name in predictions]
    result["reliability"] = {
        name.removeprefix("baseline_"): {part: judge.reliability(part, predictions[name]) for part in judge.rows}
        for name in shown
    }
    result["verdict"] = judge.verdict(result, predictions)
    return result


class _Judge:
    """Scores one set of predictions after another on the same windows and the same resampled days."""

    def __init__(self, prepared: Prepared, config: TrendConfig) -> None:
        windows, split = prepared.windows, prepared.split
        test = split.test
        self.up, self.day = windows.up, windows.origin
        self.rows = {"train": split.train, "test": test, "test_active": test[windows.active[test]]}
        self.options = {
            "resamples": config.score.bootstrap,
            "block_days": config.score.block_days,
            "level": config.score.level,
            "seed": seed_for(config.seed, "bootstrap"),
        }

    def blocks(self, probability: np.ndarray, parts: tuple[str, ...]) -> dict[str, Any]:
        chosen = {part: self.rows[part] for part in parts}
        block: dict[str, Any] = {part: scores(probability[rows], self.up[rows]) for part, rows in chosen.items()}
        block["intervals"] = {
            part: intervals(probability[rows], self.up[rows], self.day[rows], **self.options)
            for part, rows in chosen.items()
        }
        return block

    def pair(self, part: str, predictions: Predictions, model: str, against: str) -> list[dict[str, Any]]:
        found = self._compare(part, predictions[model], predictions[against])
        name = against.removeprefix("baseline_")
        return [{"model": model, "against": name, "score": score, **found[score]} for score in COMPARED]

    def _compare(self, part: str, a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
        rows = self.rows[part]
        return dict(compare(a[rows], b[rows], self.up[rows], self.day[rows], **self.options))

    def reliability(self, part: str, probability: np.ndarray) -> list[Any]:
        return list(reliability(probability[self.rows[part]], self.up[self.rows[part]]))

    def verdict(self, result: dict[str, Any], predictions: Predictions) -> dict[str, Any]:
        part = "test_active" if len(self.rows["test_active"]) else "test"
        best = best_model({name: result["baselines"][name][part]["log_score"] for name in BASELINES})
        comparison = None
        if best is not None:
            comparison = self._compare(part, predictions["network"], predictions[f"baseline_{best}"])["log_score"]
        return dict(verdict(comparison, best, evaluated=part, level=self.options["level"]))


def prediction_table(panel: Panel, prepared: Prepared, predictions: Predictions, config: TrendConfig) -> pl.DataFrame:
    """One row a window with its part, label and every probability, as `predictions.parquet` holds it."""
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
