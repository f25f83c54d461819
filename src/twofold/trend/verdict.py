"""The verdict: one plain sentence on whether the network beats the best baseline, by how much, and how surely."""

from collections.abc import Mapping
from typing import Literal, TypedDict

from twofold.scoring.bootstrap import Comparison

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
