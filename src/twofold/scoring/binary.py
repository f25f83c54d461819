"""Scores of forecast probabilities of a binary outcome, and the reliability table.

Only the Brier score and the log score are proper (the best expected score comes from forecasting one's true belief),
and of these the log score decides comparisons. The others are descriptive.
"""

from typing import Literal, TypedDict

import numpy as np
from sklearn import metrics

from twofold.engine.errors import InputError
from twofold.scoring.bootstrap import BINS, PROBABILITY_FLOOR, SCORES, Label, Probability, bin_of

DIRECTION: dict[str, Literal[1, -1]] = {
    "accuracy": 1,
    "balanced_accuracy": 1,
    "mcc": 1,
    "roc_auc": 1,
    "pr_auc": 1,
    "brier_score": -1,
    "brier_skill": 1,
    "log_score": -1,
    "ece": -1,
}
"""+1 where higher is better, -1 where lower is."""


class ReliabilityBin(TypedDict):
    """One bin of the reliability diagram: probabilities in (low, high], their mean, and the share that went up."""

    low: float
    high: float
    mean_probability: float
    share_up: float
    windows: int


def scores(probability: Probability, label: Label) -> dict[str, float | None]:
    """All scores of a set of windows by name; None if the set is empty, or of one class only and the score needs two.

    Raises:
        InputError: when a probability is outside [0, 1] or not a number.

    Example:
        >>> values = scores(np.array([0.9, 0.2, 0.4]), np.array([True, False, True]))
        >>> round(values["accuracy"], 3), values["roc_auc"], round(values["brier_score"], 3)
        (0.667, 1.0, 0.137)
    """
    p = probability.astype(np.float64)
    wrong = np.flatnonzero(~((p >= 0.0) & (p <= 1.0)))
    if wrong.size:
        raise InputError(f"probability must lie in [0, 1], got {p[wrong[0]]} in window {wrong[0]} (counted from 0)")
    if not p.size:
        return dict.fromkeys(SCORES)
    functions = accuracy, balanced_accuracy, mcc, roc_auc, pr_auc, brier_score, brier_skill, log_score, ece
    return {function.__name__: function(p, label) for function in functions}


def accuracy(probability: Probability, label: Label) -> float:
    """Share of windows classified correctly, "up" above 0.5.

    Not proper. Higher is better; best 1, worst 0; a constant forecast of the majority class gives that class's share,
    so compare it with that share only.
    """
    return float(metrics.accuracy_score(label, probability > 0.5))


def balanced_accuracy(probability: Probability, label: Label) -> float | None:
    """Mean of sensitivity and specificity at the threshold 0.5.

    None for one class only. Not proper. Higher is better; best 1, worst 0; a constant forecast gives 0.5.

    Source:
        Brodersen et al. (2010), The balanced accuracy and its posterior distribution, ICPR.
    """
    return float(metrics.balanced_accuracy_score(label, probability > 0.5)) if _two_classes(label) else None


def mcc(probability: Probability, label: Label) -> float | None:
    """Matthews correlation of classes (threshold 0.5) and labels; None for one class only.

    Not proper. Higher is better; best 1, worst -1; 0 for a constant forecast.

    Source:
        Matthews (1975), Comparison of the predicted and observed secondary structure of T4 phage lysozyme, BBA 405(2).
    """
    return float(metrics.matthews_corrcoef(label, probability > 0.5)) if _two_classes(label) else None


def roc_auc(probability: Probability, label: Label) -> float | None:
    """Probability that a window that went up had a higher forecast than one that did not, ties counting half.

    Depends on the order of the forecasts only: not proper. Higher is better; best 1, worst 0; a constant or random
    forecast gives 0.5. None for one class only.

    Source:
        Hanley & McNeil (1982), The meaning and use of the area under a ROC curve, Radiology 143(1).
    """
    return float(metrics.roc_auc_score(label, probability)) if _two_classes(label) else None


def pr_auc(probability: Probability, label: Label) -> float | None:
    """Average precision: the area under the precision-recall steps, without interpolation; None for one class only.

    Not proper. Higher is better; best 1; a constant forecast gives the share of ups, so compare within one set only;
    the worst value is above 0 and depends on that share.

    Source:
        Davis & Goadrich (2006), The relationship between precision-recall and ROC curves, ICML (why steps).
    """
    return float(metrics.average_precision_score(label, probability)) if _two_classes(label) else None


def brier_score(probability: Probability, label: Label) -> float:
    """Mean squared difference of probability and outcome (0 or 1).

    Strictly proper. Lower is better; best 0, worst 1; a constant 0.5 gives 0.25.

    Source:
        Brier (1950), Verification of forecasts expressed in terms of probability, Mon. Weather Rev. 78(1) (half his
        sum).
    """
    return float(metrics.brier_score_loss(label, probability, pos_label=True))


def brier_skill(probability: Probability, label: Label) -> float | None:
    """1 - BS / (p (1 - p)): skill relative to a constant forecast of the evaluated set's own base rate p.

    That base rate is known only afterwards, so no constant chosen beforehand beats the reference. Not strictly proper
    for that reason, nearly so for large sets. Higher is better; best 1, 0 as good as the base rate, below 0 worse,
    without bound. None for one class only.

    Source:
        Murphy (1973), A new vector partition of the probability score, J. Appl. Meteorol. 12(4).
    """
    base_rate = float(label.mean())
    return 1.0 - brier_score(probability, label) / (base_rate * (1.0 - base_rate)) if _two_classes(label) else None


def log_score(probability: Probability, label: Label) -> float:
    """Mean negative log probability of the outcome, in nats.

    Probabilities are clipped to [1e-6, 1 - 1e-6]; strictly proper but for that. Lower is better; best 1e-6 (all but
    0), worst 13.8 (certain and wrong, at the clip); a constant 0.5 gives ln 2 = 0.693.

    Source:
        Good (1952), Rational decisions, J. R. Stat. Soc. B 14(1).
    """
    clipped = np.clip(probability, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return float(metrics.log_loss(label, clipped, labels=[False, True]))


def ece(probability: Probability, label: Label) -> float:
    """Expected calibration error: |mean probability - share of ups| in 10 equal-width bins, averaged over the windows.

    Not proper: a constant forecast of the base rate scores near 0. Lower is better; best 0, worst 1; biased upwards in
    small sets, where a perfectly calibrated forecast does not reach 0 either.

    Source:
        Naeini, Cooper & Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning, AAAI;
        binned on the probability of "up", as in the reliability diagram.
    """
    gap = np.bincount(bin_of(probability, BINS), weights=probability - label)
    return float(np.abs(gap).sum() / label.size)


def reliability(probability: Probability, label: Label, bins: int = BINS) -> list[ReliabilityBin]:
    """The table of the reliability diagram: observed frequency of "up" by forecast probability.

    Returns:
        One entry for each equal-width bin (low, high], the first one closed, that is not empty.

    Source:
        Murphy & Winkler (1977), Reliability of subjective probability forecasts of precipitation and temperature, Appl.
        Stat. 26(1).
    """
    p = probability.astype(np.float64)
    member, edges = bin_of(p, bins), np.linspace(0.0, 1.0, bins + 1)
    return [
        {
            "low": float(edges[b]),
            "high": float(edges[b + 1]),
            "mean_probability": float(p[member == b].mean()),
            "share_up": float(label[member == b].mean()),
            "windows": int((member == b).sum()),
        }
        for b in np.unique(member)
    ]


def _two_classes(label: Label) -> bool:
    return bool(label.any() and not label.all())
