"""What the forecasts are worth: every figure that `scores.json` holds, the verdict, and the scores on newer data."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, TypedDict

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import Panel, corrections
from twofold.engine.errors import InputError
from twofold.engine.seed import seed_for
from twofold.scoring.binary import reliability, scores
from twofold.scoring.bootstrap import COMPARED, Comparison, compare, intervals
from twofold.trend.baselines import BASELINES, fit_baseline
from twofold.trend.calibrate import apply_calibration
from twofold.trend.config import TrendConfig
from twofold.trend.features import apply_features
from twofold.trend.fit import Fitted, pool
from twofold.trend.forecast import Forecaster
from twofold.trend.windows import PARTS, Prepared, Windows, prepare, slide

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


EvaluatedSet = Literal["test", "test_active"]
_SETS: dict[str, str] = {"test": "On all test windows", "test_active": "On test windows with at least one case"}
_BASELINES = {
    "base_rate": "the base rate",
    "all_zero": "the all-zero rule",
    "mean_reversion": "the mean-reversion bins",
    "logistic": "logistic regression",
    "boosting": "gradient boosting",
}


class Verdict(TypedDict):
    """The `verdict` block of `scores.json`; `significant`: the interval excludes 0, for better or for worse."""

    best_baseline: str | None
    score: str
    set: str
    difference: float | None
    low: float | None
    high: float | None
    significant: bool
    sentence: str


def best_model(log_scores: Mapping[str, float | None]) -> str | None:
    """Name with the lowest log score, the first of equals; None when no score is defined.

    The best baseline is picked on the evaluated windows themselves, which favours the baselines: a network that beats
    it beats all of them there.

    Args:
        log_scores: name -> log score in nats.
    """
    defined = {name: score for name, score in log_scores.items() if score is not None}
    return min(defined, key=lambda name: defined[name]) if defined else None


def verdict(
    comparison: Comparison | None,
    best_baseline: str | None,
    *,
    evaluated: EvaluatedSet,
    level: float,
    model: str = "network",
) -> Verdict:
    """Says whether a model beats the best baseline in log score.

    Args:
        comparison: paired difference in log score, model minus baseline, nats a window (negative: the model is
            better); None when there is nothing to compare.
        best_baseline: name of the baseline with the lowest log score on the same windows.
        evaluated: the windows compared on.
        level: level of the comparison's interval, in (0, 1).
        model: what the sentence calls the model, without its article.

    Returns:
        The figures and the sentence. In the sentence the interval has the sign of its words: "0.004 nats worse (…
        -0.001 to 0.010)" means from 0.001 better to 0.010 worse.
    """
    compared: Comparison = comparison or {"difference": None, "low": None, "high": None}
    low, high = compared["low"], compared["high"]
    claim = _no_window(model) if best_baseline is None else _claim(model, _against(best_baseline), compared, level)
    return {
        "best_baseline": best_baseline,
        "score": "log_score",
        "set": evaluated,
        "difference": compared["difference"],
        "low": low,
        "high": high,
        "significant": low is not None and high is not None and (low > 0.0 or high < 0.0),
        "sentence": f"{_SETS[evaluated]}, {claim}",
    }


def _claim(model: str, against: str, compared: Comparison, level: float) -> str:
    difference, low, high = compared["difference"], compared["low"], compared["high"]
    if difference is None:
        return _no_window(model)
    if difference == 0.0:
        return f"the {model} does not beat {against}: their log scores are equal."
    sign, side = (-1.0, "better") if difference < 0.0 else (1.0, "worse")
    if low is None or high is None:
        size = _figures(abs(difference))[0]
        chance = "there are too few days for an interval, so this may be chance"
        return f"the log score of the {model} is {size} nats {side} than that of {against}; {chance}."
    size, start, end = _figures(abs(difference), *sorted((sign * low, sign * high)))
    interval = f"{size} nats {side} ({100 * level:g} % interval {start} to {end})"
    verb, surely = _wording(difference, low, high)
    return f"the {model} {verb} {against}: its log score is {interval}, which is {surely}."


def _wording(difference: float, low: float, high: float) -> tuple[str, str]:
    if high < 0.0:
        return "beats", "significant"
    if low > 0.0:
        return "is worse than", "significant"
    return "does not clearly beat" if difference < 0.0 else "does not beat", "not significant"


def _no_window(model: str) -> str:
    return f"the {model} could not be compared with a baseline: there is no window to score."


def _against(baseline: str) -> str:
    return f"the best baseline, {_BASELINES.get(baseline, baseline.replace('_', ' '))}"


def _figures(*values: float) -> list[str]:
    """Numbers with three decimals, or up to six where one of them would read as 0 without being 0."""
    decimals = next((d for d in (3, 4, 5) if all(v == 0.0 or round(v, d) != 0.0 for v in values)), 6)
    return [f"{round(v, decimals) + 0.0:.{decimals}f}" for v in values]


def rescore(forecaster: Forecaster, trained_on: Panel, panel: Panel) -> dict[str, Any]:
    """Scores the final model on the windows of newer data whose origin is not before its last training date.

    Args:
        forecaster: of the run.
        trained_on: the run's own data, which the baselines are fitted on.
        panel: newer data of the same regions.

    Returns:
        `first`, `last` (origins scored), `windows`, `seen` (windows left out, since the model was trained on them), and
        for `ensemble` and every baseline a block of `scores.json`'s form under `models`.

    Raises:
        InputError: when no window is new to the model.
    """
    forecaster.check_step(panel)
    config, ensemble = forecaster.config, forecaster.ensemble
    increments = panel.increments(config.source.negatives)
    selected = np.isin(np.array(panel.regions), np.array(forecaster.selected))
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
    return {
        "first": str(increments.dates[windows.origin[new].min()]),
        "last": str(increments.dates[windows.origin[new].max()]),
        "windows": len(new),
        "seen": len(windows) - len(new),
        "models": {name: _block(forecaster, windows, new, p) for name, p in predictions.items()},
    }


def _block(forecaster: Forecaster, windows: Windows, rows: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    settings = forecaster.config.score
    block: dict[str, Any] = {"intervals": {}}
    for part, mask in (("test", np.ones(len(rows), dtype=bool)), ("test_active", windows.active[rows])):
        up, day = windows.up[rows[mask]], windows.origin[rows[mask]]
        block[part] = scores(probability[mask], up)
        block["intervals"][part] = intervals(
            probability[mask],
            up,
            day,
            resamples=settings.bootstrap,
            block_days=settings.block_days,
            level=settings.level,
            seed=seed_for(forecaster.config.seed, "bootstrap"),
        )
    return block
