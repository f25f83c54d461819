"""What a backtest at a hub found and what speaks against it, in sentences made from its figures."""

from typing import Any, Literal

from twofold.hub.report.evidence import LEVEL, HubEvidence
from twofold.hub.report.wording import horizon, ordinal
from twofold.page import numbers
from twofold.page.blocks import Section, bullets, callout, cards, paragraph
from twofold.page.html import Html, join, tag

Reading = Literal["better", "worse", "unclear"]


def verdict_section(evidence: HubEvidence) -> Section:
    """Whether the default beats the hub's ensemble, its rank, what no skill scores, what was seen of the season."""
    difference = evidence.scores["differences"].get(evidence.scores["ensemble"])
    kind = "good" if difference is not None and reading(difference) == "better" else "warning"
    words = [paragraph(against_ensemble(evidence), kind="lead"), paragraph(_rank(evidence))]
    seen = evidence.scores.get("caveats", [])
    words += [paragraph(text) for text in (_best_peer(evidence), _plain(evidence), *seen) if text]
    parts = [callout(*words, kind=kind), cards(_cards(evidence)), _how(evidence)]
    return Section("verdict", "What was found", join(parts))


def against_ensemble(evidence: HubEvidence) -> str:
    """The verdict in one sentence."""
    name, ensemble = evidence.default, evidence.scores["ensemble"]
    found = evidence.scores["differences"].get(ensemble)
    if found is None:
        return f"There is no forecast of the hub's ensemble, {ensemble}, to set {name} beside."
    ends = numbers.interval([found["low"], found["high"]])
    on = f"on {numbers.count(found['n'])} forecasts for {numbers.count(found['dates'])} dates that both made"
    difference = f"the difference of RPS is {numbers.signed(found['mean'])}"
    if ends == numbers.DASH:
        return f"Between {name} and the hub's ensemble, {ensemble}, {difference}, {on}: too few dates for an interval."
    word = {"better": "is better than", "worse": "is worse than", "unclear": "can't be told from"}[reading(found)]
    return (
        f"{name} {word} the hub's ensemble, {ensemble}: {difference} ({LEVEL} interval {ends}; below 0 favours "
        f"{name}), {on}."
    )


def reading(difference: dict[str, Any]) -> Reading:
    """What a difference (below 0 favours us) and its interval say."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high:
        return "unclear"
    return "better" if high < 0 else "worse"


def _rank(evidence: HubEvidence) -> str:
    ranked = evidence.ranked("common")
    names = [name for name, _ in ranked]
    if evidence.default not in names:
        coverage = evidence.scores["models"][evidence.default]["coverage"]
        return (
            f"It has no rank: it made {numbers.percent(coverage)} of the forecasts, and only models with at least "
            "90\u00a0% are ranked."
        )
    place = ordinal(names.index(evidence.default) + 1)
    value = dict(ranked)[evidence.default]
    ensemble = dict(ranked).get(evidence.scores["ensemble"], {}).get("relative_rps")
    return (
        f"By relative RPS it is the {place} of {numbers.count(len(names))} models that made at least 90\u00a0% of the "
        f"forecasts: {numbers.score(value['relative_rps'])}, where the hub's baseline has 1 and its ensemble "
        f"{numbers.score(ensemble)}."
    )


def _best_peer(evidence: HubEvidence) -> str:
    name = evidence.best_peer
    if name is None:
        return ""
    block = evidence.scores["common"][name]
    found = evidence.scores["differences"].get(name)
    text = f"The best other team, picked afterwards, is {name} with {numbers.score(block['relative_rps'])}"
    if found is None:
        return text + "."
    word = {"better": "is better", "worse": "is worse", "unclear": "can't be told from it"}[reading(found)]
    ends = f"{numbers.signed(found['mean'])} {numbers.interval([found['low'], found['high']])}"
    return f"{text}; {evidence.default} {word} (difference of RPS {ends})."


def _plain(evidence: HubEvidence) -> str:
    told = []
    for name in evidence.plain:
        block = evidence.scores["common"].get(name) or evidence.scores["models"][name]
        told.append(f"{name} {numbers.score(block['rps'])} (relative {numbers.score(block['relative_rps'])})")
    own = evidence.scores["common"].get(evidence.default) or evidence.scores["models"][evidence.default]
    if not told:
        return ""
    return (
        f"Without skill one scores this RPS: {', '.join(told)}; {evidence.default} scores {numbers.score(own['rps'])}."
    )


def _cards(evidence: HubEvidence) -> list[tuple[str, str, str, str]]:
    own = evidence.scores["common"].get(evidence.default) or evidence.scores["models"][evidence.default]
    whole = evidence.scores["models"][evidence.default]
    made = f"of all; the figures here are over {numbers.count(own['n'])} that the ranked models share"
    return [
        ("Relative RPS", numbers.score(own["relative_rps"]), "", "the hub's baseline has 1; lower is better"),
        _difference_card(evidence),
        ("RPS", numbers.score(own["rps"]), "", f"{_rivals(evidence, 'rps')}; 0 is perfect"),
        ("Accuracy", numbers.percent(own["accuracy"]), "", _rivals(evidence, "accuracy")),
        ("Calibration error", numbers.score(own["ece"]), "", f"of P(rise); {_rivals(evidence, 'ece')}"),
        ("Forecasts made", numbers.percent(whole["coverage"]), "", made),
    ]


def _difference_card(evidence: HubEvidence) -> tuple[str, str, str, str]:
    found = evidence.scores["differences"].get(evidence.scores["ensemble"]) or {}
    ends = numbers.interval([found.get("low"), found.get("high")])
    line = f"below 0 the default is better; {LEVEL} interval"
    return "RPS less the ensemble's", numbers.signed(found.get("mean")), "" if ends == numbers.DASH else ends, line


def _rivals(evidence: HubEvidence, key: str) -> str:
    told = []
    for name, word in ((evidence.scores["ensemble"], "ensemble"), (evidence.scores["baseline"], "baseline")):
        value = evidence.scores["common"].get(name, {}).get(key)
        if value is not None:
            told.append(f"{word} {numbers.percent(value) if key == 'accuracy' else numbers.score(value)}")
    return ", ".join(told) or "no model of the hub to set beside it"


def _how(evidence: HubEvidence) -> Html:
    ahead = ", ".join(horizon(weeks) for weeks in evidence.rules.horizons)
    return paragraph(
        f"Every forecast used only what was published before its deadline; it gives each of "
        f"{len(evidence.rules.categories)} categories of change a probability, for {ahead}. The ranked probability "
        f"score (RPS) decides. Intervals ({LEVEL}) resample blocks of reference dates, all places of a date together.",
        kind="small",
    )


def caveats_section(evidence: HubEvidence) -> Section:
    """What limits the finding: the run's own notes, and what holds for every backtest."""
    items = list(evidence.scores.get("notes", []))
    if evidence.rules.note:
        items.append(evidence.rules.note)
    always = [
        "One season is one draw: its dates share one epidemic, and an interval over them says nothing of another year.",
        "The best other team is picked on the same forecasts that it is compared on, which flatters it.",
        "What happened is judged by the newest version of the counts, which later versions may still change.",
        "A category is a change of reported counts between two weeks, not of infections.",
    ]
    told = [tag("h3", "Of this run"), bullets(items)] if items else []
    return Section("caveats", "What speaks against it", join([*told, tag("h3", "Of every backtest"), bullets(always)]))
