"""Sections of a run's report on how well it predicts: models beside baselines, curves, calibration, importance."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from twofold.page import numbers
from twofold.page.blocks import Column, Section, bullets, definitions, details, gallery, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.trend import figures, wording
from twofold.trend.album import Album
from twofold.trend.evidence import Evidence

SETS = ("test_active", "test")
_CURVES = ("ensemble", "logistic", "boosting", "mean_reversion", "all_zero")
_SHOWN_MEMBERS = 4
_TITLES = {"test": "all test windows", "test_active": "active test windows"}

Rows = dict[str, tuple[dict[str, Any], dict[str, Any]]]


def models_section(evidence: Evidence, album: Album) -> Section:
    """Every score of every model and baseline, with intervals; the best of each column marked."""
    parts: list[str] = [_model_words(evidence)]
    parts.append(gallery([_glance(evidence, album, "log_score"), _glance(evidence, album, "roc_auc")]))
    for evaluated in SETS:
        parts.append(tag("h3", f"On {wording.windows(evaluated)}"))
        parts.append(_score_table(evidence, evaluated))
    train = {"ensemble": (evidence.scores["train"], evidence.scores["intervals"].get("train", {}))}
    parts.append(
        details("The headline model on its own training windows", _table(train, "Training windows", evidence.level))
    )
    parts.append(details("What each score means", score_meanings()))
    return Section("models", "Models beside baselines", join(parts))


def _model_words(evidence: Evidence) -> Html:
    model = evidence.scores["model"]
    calibration = model["calibration"]
    epochs = ", ".join(f"{name} {count}" for name, count in model["epochs"].items())
    pairs = [
        ("Inputs", ", ".join(model["inputs"])),
        ("Members", ", ".join(model["members"])),
        ("Parameters of a network", numbers.count(model["parameters"])),
        ("Epochs", epochs or numbers.DASH),
        (
            "Calibration",
            f"{calibration['method']}, on {numbers.count(calibration['windows'])} windows of its own"
            if calibration
            else "none",
        ),
    ]
    words = paragraph(
        "The ensemble's probability is the headline. Each row below gives the score and, under it, its "
        f"{evidence.level} interval from a bootstrap of blocks of days. ↑ more is better, ↓ less is better; ★ "
        "marks the best of a column. Baselines are what a model must beat to be worth its trouble."
    )
    return join([definitions(pairs), words])


def rows_of(scores: Mapping[str, Any], evaluated: str) -> Rows:
    """Model's name -> its scores and intervals: the headline, the models, then the baselines (as `baseline_NAME`)."""
    rows: Rows = {"ensemble": (scores[evaluated], scores["intervals"].get(evaluated, {}))}
    for name, block in scores["models"].items():
        rows.setdefault(name, (block[evaluated], block["intervals"].get(evaluated, {})))
    for name, block in scores["baselines"].items():
        rows[f"baseline_{name}"] = (block[evaluated], block["intervals"].get(evaluated, {}))
    return rows


def _score_table(evidence: Evidence, evaluated: str) -> Html:
    rows = rows_of(evidence.scores, evaluated)
    groups = {0: "Models", sum(not name.startswith("baseline_") for name in rows): "Baselines"}
    windows = evidence.counts("test", "active" if evaluated == "test_active" else "all")
    size, up = numbers.count(windows["windows"]), numbers.percent(windows["up_share"])
    caption = f"{_TITLES[evaluated].capitalize()}: {size}, {up} up"
    return _table(rows, caption, evidence.level, groups)


def _table(rows: Rows, caption: str, level: str, groups: dict[int, str] | None = None) -> Html:
    columns = [
        Column("Model", "left"),
        *(
            Column(f"{words.label}\N{NO-BREAK SPACE}{words.arrow}", hint=words.meaning)
            for words in wording.SCORES.values()
        ),
    ]
    best = {
        key: _best([block.get(key) for block, _ in rows.values()], words.higher)
        for key, words in wording.SCORES.items()
    }
    lines = [
        [
            wording.model(name),
            *(_cell(block.get(key), ends.get(key), best[key], len(rows) > 1) for key in wording.SCORES),
        ]
        for name, (block, ends) in rows.items()
    ]
    return table(columns, lines, f"{caption}. Below each score its {level} interval.", groups)


def _best(values: list[float | None], higher: bool) -> float | None:
    known = [value for value in values if value is not None]
    return None if not known else max(known) if higher else min(known)


def _cell(value: float | None, ends: list[float | None] | None, best: float | None, rivals: bool) -> Html:
    text = numbers.score(value)
    marked = rivals and value is not None and value == best
    shown = tag("span", f"★ {text}", class_="best") if marked else Html(text)
    bounds = numbers.interval(ends)
    return join([shown, tag("small", bounds)]) if value is not None and bounds != numbers.DASH else shown


def score_meanings() -> Html:
    """What each score means, as a list."""
    return bullets(
        [
            join([tag("strong", f"{words.label} {words.arrow}"), f" {words.meaning}"])
            for words in wording.SCORES.values()
        ]
    )


def _glance(evidence: Evidence, album: Album, score: str) -> Html:
    rows = rows_of(evidence.scores, "test_active")
    values = {name: (block.get(score), ends.get(score)) for name, (block, ends) in rows.items()}
    words = wording.SCORES[score]
    best = {name: value for name, (value, _) in values.items() if value is not None}
    told = "; ".join(f"{wording.model(name)} {numbers.score(value)}" for name, value in best.items())
    return album.add(
        f"glance-{score.replace('_', '-')}",
        figures.scores_at_a_glance(values, score),
        f"Dot chart of {words.label} with intervals on active test windows: {told or 'undefined'}.",
        f"{words.label} on active test windows with {evidence.level} intervals; best on top; open dots are baselines.",
    )


def comparisons_section(evidence: Evidence, album: Album) -> Section:
    """Paired differences between models and baselines."""
    parts: list[str] = [
        paragraph(
            "Both models are scored on the same windows and resampled together, so the difference is sharper "
            "than two intervals side by side. A difference whose interval leaves out 0 is more than chance at "
            "that level."
        )
    ]
    drawn = [_compared(evidence, album, evaluated) for evaluated in SETS]
    parts.append(gallery([picture for picture in drawn if picture]))
    for evaluated in SETS:
        pairs = evidence.scores["comparisons"].get(evaluated, [])
        if pairs:
            parts.append(
                details(f"All comparisons on {wording.windows(evaluated)}", _pairs_table(pairs, evidence.level))
            )
    return Section("comparisons", "Paired comparisons", join(parts))


def _compared(evidence: Evidence, album: Album, evaluated: str) -> Html | None:
    pairs = [
        pair
        for pair in evidence.scores["comparisons"].get(evaluated, [])
        if pair["score"] == "log_score" and pair["difference"] is not None
    ]
    if not pairs:
        return None
    told = "; ".join(
        f"{wording.model(pair['model'])} against {wording.model(pair['against'])} {_difference(pair)}" for pair in pairs
    )
    return album.add(
        f"comparisons-{evaluated.replace('_', '-')}",
        figures.comparisons(pairs, _TITLES[evaluated]),
        f"Dot chart of differences of log score on {_TITLES[evaluated]}: {told}.",
        f"Difference of log score on {_TITLES[evaluated]}, {evidence.level} intervals; left of 0 the model is better.",
    )


def _difference(pair: Mapping[str, Any]) -> str:
    ends = numbers.interval([pair["low"], pair["high"]])
    return (
        f"{numbers.signed(pair['difference'])} {ends}" if ends != numbers.DASH else numbers.signed(pair["difference"])
    )


def _pairs_table(pairs: list[dict[str, Any]], level: str) -> Html:
    columns = [Column("Model", "left"), Column("Against", "left"), Column("Score", "left")]
    columns += [Column(f"Difference [{level}]"), Column("Reading", "left")]
    rows = [
        [
            wording.model(pair["model"]),
            wording.model(pair["against"]),
            wording.SCORES[pair["score"]].label,
            _difference(pair),
            _reading(pair),
        ]
        for pair in pairs
    ]
    return table(columns, rows, "Model minus baseline")


def _reading(pair: Mapping[str, Any]) -> str:
    if pair["low"] is None or pair["high"] is None:
        return numbers.DASH
    if pair["low"] <= 0 <= pair["high"]:
        return "no clear difference"
    better = (pair["difference"] > 0) == wording.SCORES[pair["score"]].higher
    return "model better" if better else "model worse"


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
    tested = [line for line in lines if line["stage"] == "evaluate"]
    selected = [line for line in lines if line["stage"] == "select"]
    if tested:  # the training curve is the evaluated network's; of the selecting one only its validation is shown
        selected = [{key: value for key, value in line.items() if not key.startswith("train_")} for line in selected]
    last = max(tested or selected or lines, key=lambda line: line["epoch"])
    ends = ", ".join(
        f"{part} accuracy {numbers.percent(last[f'{part}_accuracy'])}"
        for part in ("train", "validation", "test")
        if last.get(f"{part}_accuracy") is not None
    )
    return album.add(
        f"learning-{member}",
        figures.learning(tested + selected or lines, member),
        f"Loss and accuracy of {member} by epoch; at its last epoch {last['epoch']}: {ends}.",
        f"{member}: after epoch {last['epoch']} {ends}.",
    )


def discrimination_section(evidence: Evidence, album: Album) -> Section:
    """ROC and precision-recall curves, reliability diagrams and confusion matrices."""
    parts: list[str] = []
    for evaluated in SETS:
        windows = evidence.windows(evaluated)
        parts.append(tag("h3", f"{_TITLES[evaluated].capitalize()}"))
        if windows["label"].n_unique() < 2:
            parts.append(paragraph("All of these windows have the same label, so there is no curve to draw."))
        else:
            parts.append(gallery(_four(evidence, album, evaluated, windows)))
    return Section("curves", "Curves, calibration and errors", join(parts))


def _four(evidence: Evidence, album: Album, evaluated: str, windows: pl.DataFrame) -> list[Html]:
    label = windows["label"].to_numpy()
    probabilities = _probabilities(windows)
    title, ending = _TITLES[evaluated], evaluated.replace("_", "-")
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
        f"Increase of the log score on the test windows, {evidence.level} intervals. Inputs that say the same "
        "thing share their importance, so a small one is not proof of uselessness.",
    )
    words = paragraph(
        "Each group of inputs is shuffled between windows in turn; the more the log score worsens, the more the "
        "model leans on it. Near 0 or below, it can do without."
    )
    return Section("importance", "What the model leans on", join([words, gallery([picture])]))
