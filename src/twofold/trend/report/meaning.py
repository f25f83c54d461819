"""What a run means and what it does not, in sentences made from its figures."""

from typing import Any

import polars as pl

from twofold.page import numbers
from twofold.page.blocks import Section, bullets, callout, cards, paragraph
from twofold.page.html import join, tag
from twofold.trend.report.evidence import Evidence

_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def verdict_section(evidence: Evidence) -> Section:
    """The verdict in one sentence, and the key figures."""
    verdict = evidence.scores["verdict"]
    kind = "warning" if not verdict["significant"] or (verdict["difference"] or 0) > 0 else "good"
    words = [paragraph(verdict["sentence"], kind="lead")]
    if evidence.scores["split"]["kind"] == "random":
        words.append(paragraph("The split is random and leaks, so every score here flatters: see the split."))
        kind = "warning"
    parts = [callout(*words, kind=kind), cards(_key_figures(evidence))]
    parts.append(
        paragraph(
            f"Brackets hold {evidence.level} intervals. “Active” windows are those with at least one case; they "
            "are the honest test, because a region without cases is easy to predict.",
            kind="small",
        )
    )
    return Section("verdict", "The verdict", join(parts))


def _key_figures(evidence: Evidence) -> list[tuple[str, str, str, str]]:
    active, ends = evidence.scores["test_active"], evidence.scores["intervals"].get("test_active", {})
    base = evidence.scores["baselines"].get("base_rate", {}).get("test_active", {}).get("log_score")
    screen = evidence.scores["screen"]
    return [
        _card(
            "Log score, active", active, ends, "log_score", f"nats, lower is better; base rate {numbers.score(base)}"
        ),
        _card("Brier skill, active", active, ends, "brier_skill", "0 is no better than the base rate, 1 is perfect"),
        _card("ROC AUC, active", active, ends, "roc_auc", "0.5 is chance, 1 is perfect"),
        _card(
            "Accuracy, active",
            active,
            ends,
            "accuracy",
            f"always giving the commoner answer scores {numbers.score(_majority(evidence, 'active'))}",
        ),
        _card("Calibration error, active", active, ends, "ece", "mean gap of probability and frequency; 0 is perfect"),
        (
            "Regions in the set C",
            f"{numbers.count(screen['selected'])} of {numbers.count(evidence.scores['data']['regions'])}",
            "",
            f"chosen on {'the training' if screen['days'] == 'train' else 'all'} {evidence.unit}s",
        ),
    ]


def _card(name: str, block: dict[str, Any], ends: dict[str, Any], key: str, line: str) -> tuple[str, str, str, str]:
    bounds = numbers.interval(ends.get(key))
    return name, numbers.score(block.get(key)), "" if bounds == numbers.DASH else bounds, line


def _majority(evidence: Evidence, part: str) -> float | None:
    counts = evidence.counts("test", part)
    return max(counts["up"], counts["not_up"]) / counts["windows"] if counts["windows"] else None


def meaning_section(evidence: Evidence) -> Section:
    """What may be concluded, and what may not."""
    means = [_skill(evidence), _calibration(evidence), _weekdays(evidence)]
    limits = [
        _zeros(evidence),
        _ties(evidence),
        _split(evidence),
        _screen(evidence),
        _reporting(evidence),
        _outside(evidence),
    ]
    limits.append(
        "It is a probability of more or fewer reported cases at the next step, not a forecast of how large the "
        "epidemic gets, nor of infections, admissions or deaths. A rise from 1 to 2 counts like one from 1,000 "
        "to 2,000."
    )
    if evidence.scores["simulated"]:
        limits.insert(0, "The data is simulated: it shows that the method runs, nothing about any real place.")
    parts = [tag("h3", "It means"), bullets([item for item in means if item])]
    parts += [tag("h3", "It does not mean, and mind"), bullets([item for item in limits if item])]
    return Section("meaning", "What this means and what it does not", join(parts))


def _skill(evidence: Evidence) -> str:
    value = evidence.scores["test_active"]["brier_skill"]
    ends = evidence.scores["intervals"].get("test_active", {}).get("brier_skill")
    if value is None:
        return "Skill on active windows is undefined: there are none in the test, or all have the same label."
    figure = f"On active windows the Brier skill is {numbers.with_interval(value, ends)}: "
    if not ends or None in ends:
        return figure + "without an interval, so it can't be told from chance."
    if ends[0] > 0:
        return figure + "the probabilities are better than always giving the base rate, and that is more than chance."
    if ends[1] < 0:
        return figure + "the probabilities are worse than always giving the base rate; don't use them."
    return figure + "not clearly better than always giving the base rate."


def _calibration(evidence: Evidence) -> str:
    windows = evidence.windows("test_active")
    if not len(windows):
        return ""
    given, happened = windows["p_ensemble"].mean(), windows["label"].mean()
    gap = float(given) - float(happened)  # pyright: ignore[reportArgumentType]
    reading = "close" if abs(gap) < 0.03 else "too high on the whole" if gap > 0 else "too low on the whole"
    return (
        f"On active windows the mean probability given is {numbers.percent(float(given))}, and "  # pyright: ignore
        f"{numbers.percent(float(happened))} went up: {reading}. The expected calibration error is "  # pyright: ignore
        f"{numbers.score(evidence.scores['test_active']['ece'])}, so read a probability with about that much play."
    )


def _weekdays(evidence: Evidence) -> str:
    windows = evidence.predictions.filter(pl.col("active"))
    if (
        evidence.scores["data"]["step_days"] != 1
        or evidence.scores["windows"]["target"] != "next_day"
        or not len(windows)
    ):
        return ""
    shares = windows.group_by(day=pl.col("target_date").dt.weekday()).agg(up=pl.col("label").mean()).sort("up", "day")
    low, high = shares.row(0, named=True), shares.row(-1, named=True)
    return (
        f"Of active windows, {numbers.percent(high['up'])} go up on {_WEEKDAYS[high['day'] - 1]} but "
        f"{numbers.percent(low['up'])} on {_WEEKDAYS[low['day'] - 1]}. Where that gap is wide, part of what is "
        "predicted is the rhythm of reporting, not of the epidemic."
    )


def _zeros(evidence: Evidence) -> str:
    whole, zero = evidence.counts("test", "all"), evidence.counts("test", "all_zero")
    if not whole["windows"] or not zero["windows"]:
        return ""
    return (
        f"The trap of empty windows: {numbers.percent(zero['windows'] / whole['windows'])} of the test windows "
        f"hold no case, and {numbers.percent(zero['up_share'])} of those go up. Always giving the commoner answer "
        f"scores {numbers.percent(_majority(evidence, 'all'))} on all test windows, but "
        f"{numbers.percent(_majority(evidence, 'active'))} on active ones. The model reaches "
        f"{numbers.percent(evidence.scores['test']['accuracy'])} and "
        f"{numbers.percent(evidence.scores['test_active']['accuracy'])}. Never quote the first without the others."
    )


def _ties(evidence: Evidence) -> str:
    ties = evidence.predictions.filter("tie")
    if not len(ties):
        return ""
    empty = float((~ties["active"]).sum()) / len(ties)
    return (
        f"A tie is not up: {numbers.percent(len(ties) / len(evidence.predictions))} of all windows end in one, "
        f"{numbers.percent(empty)} of these without any case in the window. A low probability means “not more”, "
        "not “fewer”."
    )


def _split(evidence: Evidence) -> str:
    leaks, kind = evidence.scores["split"]["leaks"], evidence.scores["split"]["kind"]
    if kind == "random":
        overlap = numbers.percent(leaks["overlap"] / leaks["train"] if leaks["train"] else None)
        return (
            f"The split is random, and {overlap} of the training windows overlap a test window: the scores "
            "flatter and say little about days to come. Use a temporal split to judge that."
        )
    if kind == "temporal":
        return "The test is one stretch of days of one epidemic. The next wave, or another disease, may differ."
    return (
        "Held-out regions lived through the same days as the training ones, so the test says little about another time."
    )


def _screen(evidence: Evidence) -> str:
    if evidence.scores["screen"]["days"] == "all" and evidence.scores["screen"]["threshold"] is not None:
        return "C was chosen on all days, test days too. That looks ahead and flatters."
    return ""


def _reporting(evidence: Evidence) -> str:
    data = evidence.scores["data"]
    found = f"The data has {numbers.count(data['corrections'])} downward corrections. " if data["corrections"] else ""
    return (
        f"{found}Counts are what was reported, when it was reported: late, batched and corrected reports move the "
        "label as much as infections do."
    )


def _outside(evidence: Evidence) -> str:
    outside = int((~evidence.in_c).sum())
    if not outside:
        return ""
    return f"{numbers.count(outside)} regions are outside C. They are on the map, but no score here speaks for them."
