"""Sections of a run's report on how well it predicts: models beside baselines, paired comparisons."""

from collections.abc import Mapping
from typing import Any

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, bullets, definitions, details, gallery, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.trend.report import figures, wording
from twofold.trend.report.evidence import Evidence

SETS = ("test_active", "test")
TITLES = {"test": "all test windows", "test_active": "active test windows"}

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
    same = ", ".join(wording.model(name) for name in same_as_headline(evidence.scores))
    note = paragraph(f"Not listed, since their scores are the headline's own: {same}.") if same else ""
    return join([definitions(pairs), words, note])


def rows_of(scores: Mapping[str, Any], evaluated: str) -> Rows:
    """Model's name -> its scores and intervals: the headline, the models, then the baselines (as `baseline_NAME`)."""
    rows: Rows = {"ensemble": (scores[evaluated], scores["intervals"].get(evaluated, {}))}
    for name, block in scores["models"].items():
        if name not in same_as_headline(scores):
            rows[name] = (block[evaluated], block["intervals"].get(evaluated, {}))
    for name, block in scores["baselines"].items():
        rows[f"baseline_{name}"] = (block[evaluated], block["intervals"].get(evaluated, {}))
    return rows


def same_as_headline(scores: Mapping[str, Any]) -> list[str]:
    """Models with exactly the headline's scores: all of them where the ensemble has one member and no calibration."""
    return [name for name, block in scores["models"].items() if all(block[each] == scores[each] for each in SETS)]


def _score_table(evidence: Evidence, evaluated: str) -> Html:
    rows = rows_of(evidence.scores, evaluated)
    groups = {0: "Models", sum(not name.startswith("baseline_") for name in rows): "Baselines"}
    windows = evidence.counts("test", "active" if evaluated == "test_active" else "all")
    size, up = numbers.count(windows["windows"]), numbers.percent(windows["up_share"])
    caption = f"{TITLES[evaluated].capitalize()}: {size}, {up} up"
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
        figures.comparisons(pairs, TITLES[evaluated]),
        f"Dot chart of differences of log score on {TITLES[evaluated]}: {told}.",
        f"Difference of log score on {TITLES[evaluated]}, {evidence.level} intervals; left of 0 the model is better.",
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
