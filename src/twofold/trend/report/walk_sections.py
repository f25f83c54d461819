"""Sections of a walk's report on how well it forecast: the verdict, models ranked, paired differences, by date."""

from typing import Any

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, callout, cards, details, gallery, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.trend.report import figures, wording
from twofold.trend.report import walk_figures as backtest_figures

Row = dict[str, Any]
RANKED = ("log_score", "brier_skill", "roc_auc", "accuracy", "ece")
RECURRENT = ("rnn", "lstm", "gru")
DRAWN = ("pool", "gru", "logistic", "boosting", "base_rate")


def verdict_section(found: Row, level: str) -> Section:
    """The pool's scores, and whether recurrent networks beat logistic regression, in two sentences."""
    walk, windows, pool = found["walk"], found["windows"]["active"], found["models"]["pool"]
    skill, area = (_scored(pool, "active", score) for score in ("brier_skill", "roc_auc"))
    sentences = [
        f"On {numbers.count(windows['windows'])} active windows of {walk['origins']} target dates the pool has a Brier "
        f"skill of {skill} and an ROC AUC of {area}.",
        f"Log score against logistic regression, paired: {_against_logistic(found)}.",
    ]
    items = [
        _card(found, score, line)
        for score, line in (
            ("log_score", "nats, lower is better"),
            ("brier_skill", "0 is no better than the base rate, 1 is perfect"),
            ("roc_auc", "0.5 is chance, 1 is perfect"),
            ("ece", "mean gap of probability and frequency"),
        )
    ]
    note = f"Brackets hold {level} intervals of a bootstrap of blocks of days. Active windows hold at least one case."
    parts = [callout(paragraph(" ".join(sentences), kind="lead")), cards(items), paragraph(note, kind="small")]
    return Section("verdict", "The verdict", join(parts))


def _against_logistic(found: Row) -> str:
    pairs = {
        pair["model"]: pair
        for pair in found["comparisons"]
        if pair["against"] == "logistic" and pair["score"] == "log_score"
    }
    return ", ".join(f"{wording.model(name)} {_difference(pairs[name])}" for name in ("pool", *RECURRENT))


def _card(found: Row, score: str, line: str) -> tuple[str, str, str, str]:
    pool = found["models"]["pool"]
    ends = numbers.interval((pool["intervals"]["active"] or {}).get(score))
    label = f"{wording.SCORES[score].label}, pool, active"
    return label, numbers.score(pool["active"][score]), "" if ends == numbers.DASH else ends, line


def _scored(model: Row, part: str, score: str) -> str:
    return numbers.with_interval(model[part][score], (model["intervals"][part] or {}).get(score))


def models_section(found: Row, level: str, album: Album) -> Section:
    """Every model, best log score first."""
    pictures = []
    for score in ("log_score", "brier_skill"):
        values = {
            name: (model["active"][score], model["intervals"]["active"].get(score))
            for name, model in found["models"].items()
        }
        told = "; ".join(f"{wording.model(name)} {numbers.score(value)}" for name, (value, _) in values.items())
        label = wording.SCORES[score].label
        pictures.append(
            album.add(
                f"glance-{score.replace('_', '-')}",
                figures.scores_at_a_glance(values, score),
                f"Dot chart of {label} with intervals on active windows: {told}.",
                f"{label} on active windows with {level} intervals; best on top.",
            )
        )
    words = paragraph("The equal pool is the plain mean of the same members: what learned weights have to beat.")
    folded = details("All windows, those without a case too", _ranked(found, "all", level))
    return Section("models", "Models ranked", join([words, gallery(pictures), _ranked(found, "active", level), folded]))


def _ranked(found: Row, part: str, level: str) -> Html:
    rows = sorted(found["models"].items(), key=lambda item: item[1][part]["log_score"] or 0.0)
    columns = [Column("Model", "left")]
    columns += [
        Column(f"{wording.SCORES[score].label}\N{NO-BREAK SPACE}{wording.SCORES[score].arrow}") for score in RANKED
    ]
    lines = [
        [f"{place}. {wording.model(name)}", *(_cell(model, part, score) for score in RANKED)]
        for place, (name, model) in enumerate(rows, start=1)
    ]
    size = found["windows"][part]
    share = numbers.percent(size["up"] / size["windows"] if size["windows"] else None)
    told = f"{'Active' if part == 'active' else 'All'} windows: {numbers.count(size['windows'])}, {share} up"
    return table(columns, lines, f"{told}; best log score first. Below each score its {level} interval.")


def _cell(model: Row, part: str, score: str) -> Html:
    ends = numbers.interval((model["intervals"][part] or {}).get(score))
    return join([numbers.score(model[part][score]), tag("small", "" if ends == numbers.DASH else ends)])


def comparisons_section(found: Row, level: str, album: Album) -> Section:
    """Paired differences: the pool and each recurrent network against every other model."""
    pairs = [pair for pair in found["comparisons"] if pair["difference"] is not None]
    drawn = [pair for pair in pairs if pair["score"] == "log_score" and pair["against"] == "logistic"]
    parts: list[Html] = [
        paragraph(
            "Both models are scored on the same windows and resampled together. A difference whose interval leaves out "
            "0 is more than chance at that level."
        )
    ]
    if drawn:
        told = "; ".join(f"{wording.model(pair['model'])} {_difference(pair)}" for pair in drawn)
        parts.append(
            album.add(
                "comparisons",
                figures.comparisons(drawn, "active windows"),
                f"Dot chart of differences of log score to logistic regression: {told}.",
                f"Difference of log score, {level} intervals; left of 0 the model is better.",
            )
        )
    columns = [Column("Model", "left"), Column("Against", "left"), Column("Score", "left"), Column("Difference")]
    rows = [
        [
            wording.model(pair["model"]),
            wording.model(pair["against"]),
            wording.SCORES[pair["score"]].label,
            _difference(pair),
        ]
        for pair in pairs
    ]
    parts.append(details("All differences", table(columns, rows, f"Model minus other, {level} intervals")))
    return Section("comparisons", "Recurrent networks against the others", join(parts))


def _difference(pair: Row) -> str:
    ends = numbers.interval([pair["low"], pair["high"]])
    return numbers.signed(pair["difference"]) + ("" if ends == numbers.DASH else f" {ends}")


def origins_section(found: Row, album: Album) -> Section:
    """Scores by target date."""
    scored = [row for row in found["by_origin"] if row["scores"]]
    dates = [row["target"] for row in scored]
    pictures = []
    for score in ("brier_score", "roc_auc"):
        values = {name: [row["scores"][name][score] for row in scored] for name in DRAWN}
        label = wording.SCORES[score].label
        pictures.append(
            album.add(
                f"by-target-{score.replace('_', '-')}",
                backtest_figures.by_target(dates, values, score),
                f"Lines of {label} by target date for {', '.join(map(wording.model, values))}; figures in the table.",
                f"{label} of each target date, active windows.",
                wide=True,
            )
        )
    columns = [Column("Target date", "left"), Column("Active windows"), Column("Up")]
    columns += [Column(f"Brier, {wording.model(name)}") for name in DRAWN]
    rows = [
        [
            row["target"],
            numbers.count(row["active"]),
            numbers.percent(row["up"] / row["active"] if row["active"] else None),
            *(numbers.score(row["scores"][name]["brier_score"]) for name in DRAWN),
        ]
        for row in scored
    ]
    body = join([*pictures, details("The figures", table(columns, rows, "Scores by target date, active windows"))])
    return Section("origins", "Scores by date", body)


def reliability_section(found: Row, album: Album) -> Section:
    """How often it went up where a model said about so much."""
    pictures = []
    for group in (("pool", "logistic"), ("gru", "boosting")):
        told = ", ".join(map(wording.model, group))
        pictures.append(
            album.add(
                f"reliability-{group[0]}",
                figures.reliability({name: found["reliability"][name] for name in group}, "active windows"),
                f"Reliability diagram of {told}: share that went up against the probability given.",
                f"{told}: on the diagonal, what was said is what happened.",
            )
        )
    return Section("reliability", "Reliability", gallery(pictures))
