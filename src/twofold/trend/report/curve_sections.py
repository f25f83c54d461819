"""Sections of a run's report made of pictures: learning curves, ROC and PR, reliability, errors, importance."""

import numpy as np
import polars as pl

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Section, details, gallery, paragraph
from twofold.page.html import Html, join, tag
from twofold.trend.report import figures
from twofold.trend.report.evidence import Evidence
from twofold.trend.report.score_sections import SETS, TITLES

_CURVES = ("ensemble", "logistic", "boosting", "mean_reversion", "all_zero")
_SHOWN_MEMBERS = 4


def learning_section(evidence: Evidence, album: Album) -> Section:
    """Loss and accuracy by epoch for every recurrent member."""
    members = list(dict.fromkeys(line["member"] for line in evidence.metrics))
    drawn = [_member(evidence, album, member) for member in members]
    if not drawn:
        return Section("learning", "Learning curves", paragraph("No network was trained in this run."))
    words = paragraph(
        "A gap between training and test that widens is over-fitting. Where a validation slice was held out, it "
        "chose the number of epochs; the test curve is only looked at."
    )
    parts: list[str] = [words, gallery(drawn[:_SHOWN_MEMBERS])]
    if len(drawn) > _SHOWN_MEMBERS:
        parts.append(details(f"The other {len(drawn) - _SHOWN_MEMBERS} members", gallery(drawn[_SHOWN_MEMBERS:])))
    return Section("learning", "Learning curves", join(parts))


def _member(evidence: Evidence, album: Album, member: str) -> Html:
    lines = [line for line in evidence.metrics if line["member"] == member]
    # One network's curves: the selecting one's, which validation and test watched, else the only one's.
    selected = [line for line in lines if line["stage"] == "select"]
    shown = selected or [line for line in lines if line["stage"] == "evaluate"] or lines
    last = max(shown, key=lambda line: line["epoch"])
    ends = ", ".join(
        f"{part} accuracy {numbers.percent(last[f'{part}_accuracy'])}"
        for part in ("train", "validation", "test")
        if last.get(f"{part}_accuracy") is not None
    )
    return album.add(
        f"learning-{member}",
        figures.learning(shown, member),
        f"Loss and accuracy of {member} by epoch; at its last epoch {last['epoch']}: {ends}.",
        f"{member}: after epoch {last['epoch']} {ends}.",
    )


def discrimination_section(evidence: Evidence, album: Album) -> Section:
    """ROC and precision-recall curves, reliability diagrams and confusion matrices."""
    parts: list[str] = []
    for evaluated in SETS:
        windows = evidence.windows(evaluated)
        parts.append(tag("h3", f"{TITLES[evaluated].capitalize()}"))
        if windows["label"].n_unique() < 2:
            parts.append(paragraph("All of these windows have the same label, so there is no curve to draw."))
        else:
            parts.append(gallery(_four(evidence, album, evaluated, windows)))
    return Section("curves", "Curves, calibration and errors", join(parts))


def _four(evidence: Evidence, album: Album, evaluated: str, windows: pl.DataFrame) -> list[Html]:
    label = windows["label"].to_numpy()
    probabilities = _probabilities(windows)
    title, ending = TITLES[evaluated], evaluated.replace("_", "-")
    scores = evidence.scores[evaluated]
    called = windows["p_ensemble"].to_numpy() > 0.5
    bins = {name: table_[evaluated] for name, table_ in evidence.scores["reliability"].items()}
    chosen = {name: bins[name] for name in ("ensemble", _rival(evidence)) if bins.get(name)}
    drawn = [
        album.add(
            f"roc-{ending}",
            figures.roc(label, probabilities, title),
            f"ROC curves on {title}; the ensemble's area is {numbers.score(scores['roc_auc'])}.",
            f"ROC: the ensemble's area is {numbers.score(scores['roc_auc'])}; on the diagonal a model tells nothing.",
        ),
        album.add(
            f"precision-recall-{ending}",
            figures.precision_recall(label, probabilities, title),
            f"Precision-recall curves on {title}; the ensemble's area is {numbers.score(scores['pr_auc'])}.",
            f"Precision against recall: the ensemble's area is {numbers.score(scores['pr_auc'])}, chance "
            f"{numbers.score(float(label.mean()))}.",
        ),
    ]
    if chosen:
        drawn.append(
            album.add(
                f"reliability-{ending}",
                figures.reliability(chosen, title),
                f"Reliability diagram on {title} above a histogram of the ensemble's probabilities; expected "
                f"calibration error {numbers.score(scores['ece'])}.",
                "Reliability: on the diagonal, of all windows given 30 % three in ten go up. Below it the model "
                f"promises too much. Expected calibration error {numbers.score(scores['ece'])}.",
            )
        )
    drawn.append(
        album.add(
            f"confusion-{ending}",
            figures.confusion(label, called, title),
            f"Confusion matrix of the ensemble at probability 0.5 on {title}; accuracy "
            f"{numbers.percent(scores['accuracy'])}.",
            f"Confusion matrix of the ensemble: accuracy {numbers.percent(scores['accuracy'])}.",
        )
    )
    return drawn


def _rival(evidence: Evidence) -> str:
    return evidence.scores["verdict"]["best_baseline"] or "logistic"


def _probabilities(windows: pl.DataFrame) -> dict[str, np.ndarray]:
    found = {}
    for name in _CURVES:
        column = next((column for column in (f"p_baseline_{name}", f"p_{name}") if column in windows.columns), None)
        if column and not windows[column].has_nulls():
            found[name] = windows[column].to_numpy()
    return found


def importance_section(evidence: Evidence, album: Album) -> Section:
    """Which inputs the model leans on."""
    groups = [group for group in evidence.scores["importance"] if group["log_score_increase"] is not None]
    if not groups:
        return Section("importance", "What the model leans on", paragraph("No importance was computed in this run."))
    told = "; ".join(f"{group['group']} {numbers.signed(group['log_score_increase'])}" for group in groups)
    picture = album.add(
        "importance",
        figures.importance(groups),
        f"Dot chart of the increase of log score when a group of inputs is shuffled: {told}.",
        "Increase of the log score on the test windows: the mean of five shuffles, and their range. Inputs that say "
        "the same thing share their importance, so a small one is not proof of uselessness.",
    )
    words = paragraph(
        "Each group of inputs is shuffled between windows in turn; the more the log score worsens, the more the "
        "model leans on it. Near 0 or below, it can do without."
    )
    return Section("importance", "What the model leans on", join([words, gallery([picture])]))
