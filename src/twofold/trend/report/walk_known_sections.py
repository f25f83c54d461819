"""Sections of a walk's report on what each origin knew, what was skipped, and what the walk does not say."""

from typing import Any

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, bullets, definitions, details, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.trend.report import walk_figures as backtest_figures
from twofold.trend.report import wording

Row = dict[str, Any]


def known_section(found: Row, config: Row, album: Album) -> Section:
    """What was known when: C, windows, weights and calibration of each origin; what was skipped."""
    walk, rows = found["walk"], found["by_origin"]
    fixed = config["screen"]["fixed"]
    pairs = [
        ("Origins", f"{walk['first_origin']} to {walk['last_origin']}, {walk['origins']} of them"),
        ("Target dates", f"{walk['first_target']} to {walk['last_target']}"),
        ("Refits", f"{walk['refits']}, those of the warm-up among them"),
        ("Warm-up", f"{walk['warmup']} target dates before the first, forecast but not scored"),
        ("The set C", "chosen once, from the dates before the first target date" if fixed else "chosen at each refit"),
    ]
    dates = [row["origin"] for row in rows]
    regions, learned = [row["regions"] for row in rows], [row["learned"] for row in rows]
    picture = album.add(
        "known",
        backtest_figures.known(dates, regions, learned),
        f"Step charts by origin: regions in C, {min(regions)} to {max(regions)}; windows learned from, "
        f"{min(learned)} to {max(learned)}.",
        "What the models of each origin could learn from.",
        wide=True,
    )
    names = list(rows[0]["weights"])
    columns = [Column("Origin", "left"), Column("Refitted", "left"), Column("C chosen up to", "left")]
    columns += [Column("Regions in C"), Column("Windows learned from")]
    columns += [Column(f"Weight, {wording.model(name)}") for name in names] + [Column("Scale of the log odds")]
    lines = [
        [
            *(row["origin"], row["refit"], row["screened"], numbers.count(row["regions"])),
            numbers.count(row["learned"]),
            *(numbers.score(row["weights"][name]) for name in names),
            numbers.score(row["calibration"]["scale"]),
        ]
        for row in rows
    ]
    parts = [definitions(pairs), picture, details("Origin by origin", table(columns, lines, "What was known when"))]
    return Section("known", "What was known when", join([*parts, _skipped(found)]))


def _skipped(found: Row) -> Html:
    if not found["skipped"]:
        return paragraph("No origin was skipped.")
    return join(
        [tag("h3", "Skipped"), bullets([f"Origin {row['origin']}: {row['reason']}." for row in found["skipped"]])]
    )


def meaning_section(found: Row) -> Section:
    """What the walk does not say."""
    days = found["windows"]["active"]["days"]
    items = [
        "Counts are those of the file. Where it holds later corrections, a forecaster of the day saw other counts.",
        f"Intervals come from {days} dates; with few dates they are too narrow: of 90 % intervals on 15 days, 76 to "
        "82 % held the truth in simulations.",
        "Scores of one walk speak for its time; reporting and epidemics change.",
        *found["data"]["notes"],
    ]
    return Section("meaning", "What this does not say", bullets(items))
