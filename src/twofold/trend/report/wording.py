"""Names of scores, models and sets in reports, what each score means, and sentences that the terminal shares."""

from collections.abc import Mapping
from typing import Any

from twofold.page.words import ScoreWords
from twofold.trend.config import ScoreConfig

SCORES: dict[str, ScoreWords] = {
    "log_score": ScoreWords(
        "Log score",
        False,
        "Mean of minus the natural logarithm of the probability given to what happened, in nats. 0 is perfect, "
        "0.693 is that of a coin toss. Proper: the true probability scores best.",
    ),
    "brier_score": ScoreWords(
        "Brier", False, "Mean squared distance of the probability from what happened (0 or 1). 0 is perfect. Proper."
    ),
    "brier_skill": ScoreWords(
        "Brier skill",
        True,
        "1 minus the ratio of the Brier score to that of always giving the base rate. 1 is perfect, 0 no better than "
        "the base rate, below 0 worse.",
    ),
    "roc_auc": ScoreWords(
        "ROC AUC",
        True,
        "Chance that a window that went up has a higher probability than one that did not. 1 is perfect, 0.5 is "
        "chance; says nothing of calibration.",
    ),
    "pr_auc": ScoreWords(
        "PR AUC",
        True,
        "Average precision: mean precision over all recalls. 1 is perfect, chance equals the share of "
        "windows that went up.",
    ),
    "accuracy": ScoreWords(
        "Accuracy",
        True,
        "Share of windows classified correctly at probability 0.5. Compare it with the share of the majority class, "
        "which a constant prediction reaches.",
    ),
    "balanced_accuracy": ScoreWords(
        "Balanced accuracy", True, "Mean of the accuracies among up and among not up. 0.5 is chance."
    ),
    "mcc": ScoreWords(
        "MCC", True, "Matthews correlation of prediction and outcome. 1 is perfect, 0 is chance, −1 always wrong."
    ),
    "ece": ScoreWords(
        "ECE",
        False,
        "Expected calibration error: mean gap between the probability given and the share that went up, over bins of "
        "probability. 0 is perfect; depends on the bins.",
    ),
}
"""The nine scores in the order of a table's columns."""

_MODELS = {
    "ensemble": "Ensemble (headline)",
    "network": "Recurrent networks, pooled",
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "logistic": "Logistic regression",
    "boosting": "Gradient boosting",
    "base_rate": "Base rate",
    "all_zero": "All-zero rule",
    "mean_reversion": "Mean reversion",
    "renewal": "Renewal model",
}
_SETS = {
    "test": "all test windows",
    "test_active": "active test windows",
    "train": "training windows",
    "validation": "validation windows",
    "calibration": "calibration windows",
    "purged": "windows left out (purged)",
    "total": "all windows together",
}
_TARGETS = {
    "next_day": "the next {unit}'s count is above the last {unit}'s, x[t+1] > x[t]",
    "mean7": "the 7-{unit} mean rises, x[t+1] > x[t−6]",
    "sum7": "the next 7 {unit}s' sum is above the last 7 {unit}s' sum",
}


def model(name: str) -> str:
    """A model's name in words; a baseline may come with or without its prefix `baseline_`.

    Example:
        >>> model("gru"), model("my_rule")
        ('GRU', 'My rule')
    """
    name = name.removeprefix("baseline_")
    return _MODELS.get(name, name.replace("_", " ").capitalize())


def windows(name: str) -> str:
    """A set of windows in words."""
    return _SETS.get(name, name.replace("_", " "))


def part(name: str) -> str:
    """A part of the split in words.

    Example:
        >>> part("test")
        'test windows'
    """
    return windows(name).replace("all test", "test")


def target(name: str, unit: str) -> str:
    """When a window counts as up, in words."""
    return _TARGETS.get(name, name).format(unit=unit)


def unit(step_days: int) -> str:
    """What one step of the data is called.

    Example:
        >>> unit(7)
        'week'
    """
    return {1: "day", 7: "week"}.get(step_days, f"{step_days}-day step")


def level(share: float) -> str:
    r"""The level of intervals.

    Example:
        >>> level(0.9)
        '90\xa0%'
    """
    return f"{100 * share:g}\u00a0%"


def at(date: str, unit: str) -> str:
    """When a target date is.

    Example:
        >>> at("2021-12-25", "day"), at("2021-12-25", "week")
        ('on 2021-12-25', 'in the week of 2021-12-25')
    """
    return f"on {date}" if unit == "day" else f"in the {unit} of {date}"


def intervals(dates: int, score: ScoreConfig, unit: str) -> str:
    """What the brackets of a page hold, or why there are none, and from how many dates something is claimed.

    Args:
        dates: number of origins that were scored.
        score: the settings of the intervals.
        unit: what a step of the data is called.
    """
    blocks = f"blocks of {score.block_days} {unit}{'s' if score.block_days > 1 else ''}"
    if dates < score.formed_from:
        return (
            f"There are no intervals: a bootstrap over {blocks} needs two of them, {score.formed_from} {unit}s, and "
            f"here {_only(dates, unit)} scored. So nothing is claimed: every difference may be chance."
        )
    held = f"The {level(score.level)} intervals come from a bootstrap over {blocks}."
    if dates < score.claimed_from:
        held += (
            f" Since {_only(dates, unit)} scored they are too narrow, and nothing is claimed: that needs four blocks, "
            f"{score.claimed_from} {unit}s."
        )
    return held


def _only(dates: int, unit: str) -> str:
    return f"only {dates} {unit}{'s were' if dates != 1 else ' was'}"


_EVALUATED = {"test": "On all test windows", "test_active": "On test windows with at least one case"}
_BASELINES = {
    "base_rate": "the base rate",
    "all_zero": "the all-zero rule",
    "mean_reversion": "the mean-reversion bins",
    "renewal": "the renewal model",
}


def baseline(name: str) -> str:
    """A baseline's name within a sentence.

    Example:
        >>> baseline("renewal"), baseline("logistic")
        ('the renewal model', 'logistic regression')
    """
    return _BASELINES.get(name, model(name).lower())


def verdict(found: Mapping[str, Any], level: float) -> str:
    """Says whether the network beats the best baseline in log score, and how surely, for the page and the terminal.

    The interval has the sign of its words: "0.004 nats worse (… -0.001 to 0.010)" means from 0.001 better to 0.010
    worse.

    Args:
        found: `verdict` of scores.json.
        level: of its interval, in (0, 1).
    """
    return f"{_EVALUATED[found['set']]}, {_claim(found, level)}"


def _claim(found: Mapping[str, Any], level: float) -> str:
    best, difference, low, high = (found[key] for key in ("best_baseline", "difference", "low", "high"))
    if best is None or difference is None:
        return "the network could not be compared with a baseline: there is no window to score."
    against = f"the best baseline, {baseline(best)}"
    if difference == 0.0:
        return f"the network does not beat {against}: their log scores are equal."
    sign, side = (-1.0, "better") if difference < 0.0 else (1.0, "worse")
    if low is None or high is None:
        size = _figures(abs(difference))[0]
        chance = "there are too few dates for an interval, so this may be chance"
        return f"the log score of the network is {size} nats {side} than that of {against}; {chance}."
    size, start, end = _figures(abs(difference), *sorted((sign * low, sign * high)))
    interval = f"{size} nats {side} ({100 * level:g} % interval {start} to {end})"
    if not found["significant"] and (low > 0.0 or high < 0.0):
        dates = f"from {found['dates']} dates alone, too few to claim a difference"
        return f"the log score of the network is {interval} than that of {against}, {dates}."
    if found["significant"]:
        verb, surely = "beats" if high < 0.0 else "is worse than", "significant"
    else:
        verb, surely = "does not clearly beat" if difference < 0.0 else "does not beat", "not significant"
    return f"the network {verb} {against}: its log score is {interval}, which is {surely}."


def _figures(*values: float) -> list[str]:
    """Numbers with three decimals, or up to six where one of them would read as 0 without being 0."""
    decimals = next((d for d in (3, 4, 5) if all(v == 0.0 or round(v, d) != 0.0 for v in values)), 6)
    return [f"{round(v, decimals) + 0.0:.{decimals}f}" for v in values]


def departures(found: list[dict[str, Any]]) -> str:
    """Says where a run departs from the original study, for the page and the terminal.

    Args:
        found: what `recipes.departures` gives.
    """
    lines = {line["setting"]: line for line in found}
    epochs, inputs = lines["train.epochs"], lines["features.inputs"]["here"]
    counts = "raw counts" if inputs == ["raw"] else f"inputs {', '.join(inputs)}"
    return (
        f"The original study trained for {epochs['original']} epochs, this run for {epochs['here']}. It names no "
        f"optimiser and no scaling of the counts: here {lines['train.optimiser']['here']} with a "
        f"{lines['train.schedule']['here']} schedule and {counts}."
    )


STATES = {
    "hardly trained": "hardly trained: more --train.epochs, or a higher --train.learning-rate",
    "collapsed": "collapsed, all windows get one probability: a lower --train.learning-rate or other --features.inputs",
    "over-fitted": "over-fitted: fewer --train.epochs, or a --split.validation-fraction above 0, which stops in time",
}
"""What may become of a network, and what to do, but for those that are fine."""


def states(found: dict[Any, list[str]]) -> list[str]:
    """A sentence for each state that networks of a run ended in, as `diagnosis.states` gives them; none for `fine`."""
    networks = sum(map(len, found.values()))
    return [
        f"{len(names)} of {networks} network{'s' * (networks > 1)} {'are' if len(names) > 1 else 'is'} {STATES[state]}."
        for state, names in found.items()
        if state in STATES
    ]
