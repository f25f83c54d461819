"""Sections of a hub's page that compare models: the ranking, differences to each peer, scores by date and horizon."""

from typing import Any

import numpy as np
import polars as pl

from twofold.hub.report import figures as hub_figures
from twofold.hub.report.evidence import LEVEL, HubEvidence
from twofold.hub.report.meaning import reading
from twofold.hub.report.wording import SCORES, horizon
from twofold.hub.scores import mean_scores
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, bullets, details, gallery, paragraph, table
from twofold.page.html import Html, join, tag

_READINGS = {"better": "default better", "worse": "default worse", "unclear": "no clear difference"}


def ranking_section(evidence: HubEvidence) -> Section:
    """All models by relative RPS: on the common forecasts, and on whatever each made."""
    words = paragraph(
        "Models leave out dates and places, and those differ in difficulty. So the first table holds only the "
        "forecasts that every model with at least 90\u00a0% of them made. ↑ more is better, ↓ less is better; ★ marks "
        "the best of a column."
    )
    parts = [words, _ranking(evidence, "common", "On the forecasts that all well-covered models made")]
    everything = _ranking(evidence, "models", "On all that each model forecast: means of different forecasts")
    meanings = bullets([join([tag("strong", f"{w.label} {w.arrow}"), f" {w.meaning}"]) for w in SCORES.values()])
    parts += [
        details("All models, each on all that it forecast", everything),
        details("What each score means", meanings),
    ]
    return Section("ranking", "The ranking", join(parts))


def _ranking(evidence: HubEvidence, part: str, caption: str) -> Html:
    rows = evidence.ranked(part)
    columns = [Column("Model", "left")]
    columns += [Column(f"{w.label}\u00a0{w.arrow}", hint=w.meaning) for w in SCORES.values()]
    columns += [Column("Forecasts"), Column("Coverage", hint="Share of all forecasts made")]
    # Of means of different forecasts none is the best: who forecasts only the easy dates has the lowest.
    rivals = [block for _, block in rows] if part == "common" else []
    best = {key: _best([block.get(key) for block in rivals], words.higher) for key, words in SCORES.items()}
    lines = []
    for place, (name, block) in enumerate(rows, start=1):
        cells = [_cell(block.get(key), best[key]) for key in SCORES]
        lines.append(
            [_named(evidence, name, place), *cells, numbers.count(block["n"]), numbers.percent(block["coverage"])]
        )
    return table(columns, lines, caption)


def _named(evidence: HubEvidence, name: str, place: int) -> Html:
    roles = {
        evidence.default: "ours, default",
        evidence.scores["ensemble"]: "hub's ensemble",
        evidence.scores["baseline"]: "hub's baseline",
    }
    role = roles.get(
        name, "ours" if name in evidence.scores["ours"] else "without skill" if name in evidence.plain else ""
    )
    shown = tag("strong", name) if name == evidence.default else name
    return join([f"{place}. ", shown, tag("small", f" ({role})") if role else ""])


def _best(values: list[float | None], higher: bool) -> float | None:
    known = [value for value in values if value is not None]
    return (max(known) if higher else min(known)) if len(known) > 1 else None


def _cell(value: float | None, best: float | None) -> Html:
    text = numbers.score(value)
    return tag("span", f"★ {text}", class_="best") if value is not None and value == best else Html(text)


def differences_section(evidence: HubEvidence, album: Album) -> Section:
    """The default's RPS less each peer's, with intervals."""
    found: dict[str, Any] = evidence.scores["differences"]
    if not found:
        return Section("differences", "Beside each peer", paragraph("There is no other model to compare with."))
    rows = sorted(found.items(), key=lambda row: (-row[1]["mean"], row[0]))
    told = {word: sum(reading(block) == word for block in found.values()) for word in _READINGS}
    words = paragraph(
        f"On what both forecast, {evidence.default} is better than {told['better']} models, worse than "
        f"{told['worse']}, and can't be told from {told['unclear']}. Every pair has its own forecasts, so "
        "the order may differ from the ranking's."
    )
    drawn = hub_figures.forest([(name, block["mean"], block["low"], block["high"]) for name, block in rows])
    alt = "; ".join(f"{name} {numbers.with_interval(b['mean'], [b['low'], b['high']])}" for name, b in rows)
    caption = (
        f"Mean RPS of {evidence.default} less that of each other model, with {LEVEL} intervals. ■ the default is "
        "better, ◆ worse, ○ no clear difference."
    )
    picture = album.add("differences", drawn, f"Dot chart of differences of RPS: {alt}.", caption)
    return Section("differences", "Beside each peer", join([words, picture, details("The figures", _pairs(rows))]))


def _pairs(rows: list[tuple[str, dict[str, Any]]]) -> Html:
    columns = [Column("Peer", "left"), Column("Forecasts"), Column("Dates"), Column("Difference"), Column("Interval")]
    lines = [
        [
            name,
            numbers.count(block["n"]),
            numbers.count(block["dates"]),
            numbers.signed(block["mean"]),
            numbers.interval([block["low"], block["high"]]),
            _READINGS[reading(block)],
        ]
        for name, block in rows
    ]
    return table([*columns, Column("Reading", "left")], lines, f"Default less peer, mean RPS; {LEVEL} intervals")


def dates_section(evidence: HubEvidence, album: Album) -> Section:
    """RPS by reference date of the few models that figures compare."""
    means = mean_scores(evidence.level_field, ["model", "reference_date"])
    dates = evidence.truth["reference_date"].unique().sort().to_list()
    models = {name: _values(means, name, "reference_date", dates, "rps") for name in evidence.shown}
    cases = _values(means, evidence.default, "reference_date", dates, "n")
    drawn = hub_figures.by_date(dates, models, np.nan_to_num(cases).astype(int), _counts(evidence, dates))
    caption = (
        f"Mean RPS by reference date, on the forecasts that all {len(models)} made; gaps where they made none. Below: "
        "the count in the week before the reference date, in the newest version, and how many forecasts a model's mean "
        "is over."
    )
    told = "; ".join(f"{name} {numbers.score(float(np.nanmean(v)))} on average" for name, v in models.items())
    picture = album.add("by-date", drawn, f"Line chart of RPS by reference date: {told}.", caption, wide=True)
    return Section(
        "dates", "Through the season", join([picture, details("The figures", _by_date(dates, models, cases))])
    )


def _by_date(dates: list[Any], models: dict[str, np.ndarray], cases: np.ndarray) -> Html:
    columns = [Column("Reference date", "left"), Column("Forecasts"), *(Column(name) for name in models)]
    rows = [
        [str(day), numbers.count(int(np.nan_to_num(cases[i]))), *(numbers.score(float(v[i])) for v in models.values())]
        for i, day in enumerate(dates)
    ]
    return table(columns, rows, "Mean RPS by reference date")


def _counts(evidence: HubEvidence, dates: list[Any]) -> np.ndarray:
    """Count of the whole country, else of all places together, in the week before each reference date."""
    base = evidence.truth.unique(["reference_date", "location"])
    if evidence.nation is not None:
        base = base.filter(pl.col("location") == evidence.nation)
    sums = dict(base.group_by("reference_date").agg(pl.col("base").sum()).iter_rows())
    return np.array([sums.get(day, 0.0) for day in dates], dtype=float)


def _values(means: pl.DataFrame, model: str, by: str, keys: list[Any], column: str) -> np.ndarray:
    found = dict(means.filter(pl.col("model") == model).select(by, column).iter_rows())
    return np.array([found.get(key, np.nan) for key in keys], dtype=float)


def horizons_section(evidence: HubEvidence, album: Album) -> Section:
    """How skill falls with the horizon."""
    means = mean_scores(evidence.level_field, ["model", "horizon"])
    weeks = sorted(evidence.rules.horizons)
    models = {name: _values(means, name, "horizon", weeks, "rps") for name in evidence.shown}
    pictures = [_horizon_picture(album, weeks, models, "RPS", "rps")]
    relative: dict[str, np.ndarray] = {}
    if evidence.baseline is not None:
        relative = {name: values / models[evidence.baseline] for name, values in models.items()}
        pictures.append(_horizon_picture(album, weeks, relative, "relative RPS", "relative"))
    words = paragraph(
        "On the forecasts that all models shown made. Far weeks are harder for everybody and have wider categories, so "
        "the RPS alone says little of skill; beside the baseline it does."
    )
    columns = [Column("Horizon", "left"), *(Column(name) for name in models)]
    rows = [
        [horizon(week), *(_both(values[i], relative.get(name), i) for name, values in models.items())]
        for i, week in enumerate(weeks)
    ]
    shown = table(columns, rows, "RPS by horizon; below it, relative to the baseline's")
    return Section("horizons", "How skill falls with the horizon", join([words, gallery(pictures), shown]))


def _horizon_picture(album: Album, weeks: list[int], models: dict[str, np.ndarray], label: str, name: str) -> Html:
    drawn = hub_figures.by_horizon(weeks, models, f"{label}, lower is better")
    told = "; ".join(
        f"{model} {', '.join(numbers.score(float(v)) for v in values)}" for model, values in models.items()
    )
    caption = "RPS over that of the hub's baseline, which has 1." if name == "relative" else "Mean RPS by horizon."
    return album.add(f"by-horizon-{name}", drawn, f"Line chart of {label} by horizon: {told}.", caption)


def _both(value: float, relative: np.ndarray | None, index: int) -> Html:
    ratio = "" if relative is None else tag("small", numbers.score(float(relative[index])))
    return join([numbers.score(float(value)), ratio])
