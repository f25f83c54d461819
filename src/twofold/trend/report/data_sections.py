"""Sections of a run's report on what went in: the data, the set C, the windows, the split."""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from twofold.page.album import Album
from twofold.page.blocks import Column, Section, bullets, callout, definitions, details, gallery, paragraph, table
from twofold.page.drawing import day_numbers
from twofold.page.html import Html, join, tag
from twofold.page.numbers import count, percent, score
from twofold.trend.report import figures, wording
from twofold.trend.report.evidence import Evidence

_SPLIT_KINDS = {
    "temporal": "in time: the last dates are held out, so the model is tested on days after all it has learned from",
    "regions": "by region: some regions are held out whole",
    "both": "by time and region: the held-out regions on the held-out dates",
    "random": "at random: single windows are held out, whose neighbours are trained on",
}
SIMULATED = (
    "SIMULATED DATA. These counts were made by a stochastic epidemic model, not observed. Nothing here says "
    "anything about a real place."
)


def data_section(evidence: Evidence, album: Album) -> Section:
    """Where the counts come from, what they span, what was corrected."""
    parts = [describe(evidence.scores["data"], evidence.scores["simulated"])]
    parts.append(_totals(evidence, album))
    return Section("data", "The data", join(parts))


def describe(data: dict[str, Any], simulated: bool) -> Html:
    """The `data` block of scores.json in words."""
    unit = wording.unit(data["step_days"])
    kind = "running totals; the study works on their increments" if data["kind"] == "cumulative" else "new cases"
    pairs = [
        ("Source", "simulated" if simulated else data["source"]),
        ("Regions", count(data["regions"])),
        ("Dates", f"{count(data['dates'])}, {data['first']} to {data['last']}, one a {unit}"),
        ("Counts are", kind),
        ("Downward corrections", f"{count(data['corrections'])} found; handling: {data['negatives']}"),
        ("Digest (SHA-256)", tag("code", data["digest"])),
    ]
    notes = [tag("h3", "What the reader noted"), bullets(data["notes"])] if data["notes"] else []
    banner = [callout(paragraph(tag("strong", SIMULATED)), kind="warning")] if simulated else []
    return join([*banner, definitions(pairs), *notes])


def _totals(evidence: Evidence, album: Album) -> Html:
    daily = evidence.panel.drop_nulls("increment").group_by("date").agg(pl.col("increment").sum()).sort("date")
    figure = figures.totals(
        day_numbers(daily["date"].to_list()),
        daily["increment"].to_numpy().astype(float),
        _spans(evidence),
        evidence.unit,
    )
    shaded = " Shaded: the target dates of each part of the split." if _spans(evidence) else ""
    alt = f"Line chart of new cases a {evidence.unit}, summed over all regions.{shaded}"
    return album.add("totals", figure, alt, f"New cases a {evidence.unit}, all regions together.{shaded}", wide=True)


def _spans(evidence: Evidence) -> dict[str, tuple[float, float]]:
    if evidence.scores["split"]["kind"] != "temporal":
        return {}
    ends = evidence.predictions.group_by("split").agg(
        first=pl.col("target_date").min(), last=pl.col("target_date").max()
    )
    found = {row["split"]: day_numbers([row["first"], row["last"]]) for row in ends.iter_rows(named=True)}
    return {name: (float(found[name][0]), float(found[name][1])) for name in figures.PARTS if name in found}


def screen_section(evidence: Evidence, album: Album) -> Section:
    """Which regions move together, and which of them are studied."""
    screen = evidence.scores["screen"]
    total = evidence.scores["data"]["regions"]
    if screen["threshold"] is None:
        rule = f"Every region is kept: no threshold was set. C holds {count(screen['selected'])} of {count(total)}."
    else:
        rule = (
            f"A region is in C when its new cases correlate with those of at least one other region above "
            f"{score(screen['threshold'], 2)} (Pearson). C holds {count(screen['selected'])} of {count(total)} regions "
            f"({percent(screen['selected'] / total)}). Only regions in C have windows, are learned from and are scored."
        )
    parts = [paragraph(rule), paragraph(_days(screen)), constant(screen["constant"])]
    parts += correlation_pictures(album, evidence.correlation, evidence.regions, evidence.in_c)
    names = tag("ol", *(tag("li", name) for name in screen["names"]), class_="names")
    parts.append(details(f"The {count(screen['selected'])} regions of C", names))
    return Section("screen", "The screen: which regions are studied", join(parts))


def _days(screen: dict[str, Any]) -> str:
    span = f"{screen['first']} to {screen['last']}"
    if screen["days"] == "train":
        return f"The training days chose it ({span}); no later day had a say."
    return (
        f"All days chose it ({span}). This looks ahead: the test days helped to choose the regions they are tested on."
    )


def constant(names: list[str]) -> Html:
    """Which series have no correlation because they never change."""
    if not names:
        return Html("")
    return paragraph(f"Left out because their series never changes: {', '.join(names)}.")


def correlation_pictures(
    album: Album, correlation: Float[np.ndarray, "R R"], regions: tuple[str, ...], in_c: Bool[np.ndarray, " R"]
) -> list[Html]:
    """Heatmaps of all regions in file order and clustered, of the first ten with numbers, and the list of names."""
    order = figures.clustered(correlation)
    first = slice(0, min(10, len(regions)))
    alike = "Red is alike, blue opposite, grey undefined (a constant series). The purple strip on the left marks C."
    whole = album.add(
        "heatmap-all",
        figures.heatmap(correlation, in_c, "in the order of the file"),
        f"Heatmap of the correlations between all {len(regions)} regions in the order of the file.",
        f"All regions in the order of the file. {alike}",
    )
    sorted_ = album.add(
        "heatmap-clustered",
        figures.heatmap(correlation[np.ix_(order, order)], in_c[order], "clustered"),
        f"Heatmap of the correlations between all {len(regions)} regions, alike ones side by side.",
        "The same, with alike regions side by side (average linkage on 1 − r).",
    )
    named = album.add(
        "heatmap-first",
        figures.heatmap_named(correlation[first, first], list(regions[first])),
        f"Heatmap with numbers of the correlations between the first {min(10, len(regions))} regions.",
        f"The first {min(10, len(regions))} regions of the file.",
        wide=True,
    )
    listed = tag("ol", *(tag("li", regions[index]) for index in order), class_="names")
    return [gallery([whole, sorted_]), named, details("Names in the clustered order", listed)]


def windows_section(evidence: Evidence) -> Section:
    """How many windows there are of each kind, and what up means."""
    windows = evidence.scores["windows"]
    unit = evidence.unit
    meaning = wording.target(windows["target"], unit)
    shift = f", {windows['horizon']} {unit}s after its last" if windows["horizon"] > 1 else ""
    parts = [
        paragraph(
            f"A window is {windows['length']} {unit}s of one region's new cases. Its label is up when "
            f"{meaning}{shift}; everything else, a tie too, is not up. There are {count(windows['total'])} windows, "
            f"{count(windows['positive'])} of them up ({_share(windows['positive'], windows['total'])}) and "
            f"{count(windows['ties'])} ties ({_share(windows['ties'], windows['total'])})."
        ),
        paragraph(
            "All-zero windows hold no case at all. They are easy (almost none goes up), so scores over all "
            "windows flatter; active windows, with at least one case, are the honest test."
        ),
        _windows_table(windows["table"]),
    ]
    return Section("windows", "Windows and labels", join(parts))


def _windows_table(lines: list[dict[str, Any]]) -> Html:
    columns = [
        Column("Windows", "left"),
        *(Column(name) for name in ("Count", "Up", "Not up", "Of these ties", "Share up")),
    ]
    kinds = {"all": "all", "active": "active", "all_zero": "all-zero"}
    rows, groups = [], {}
    filled = {line["split"] for line in lines if line["windows"]}
    for line in [line for line in lines if line["split"] in filled]:
        name = wording.part(line["split"]).capitalize()
        if name not in groups.values():
            groups[len(rows)] = name
        counts = [count(line[key]) for key in ("windows", "up", "not_up", "ties")]
        rows.append([kinds.get(line["set"], line["set"]), *counts, percent(line["up_share"])])
    return table(columns, rows, "Windows by part of the split and by kind", groups)


def _share(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)


def split_section(evidence: Evidence) -> Section:
    """How the test windows were held out, and what leaks over."""
    split, windows = evidence.scores["split"], evidence.scores["windows"]
    leaks = split["leaks"]
    sizes = ", ".join(
        f"{count(windows[name])} {wording.part(name)}"
        for name in ("train", "validation", "calibration", "test", "purged")
        if windows.get(name)
    )
    rows = [
        [text, count(leaks[key]), _share(leaks[key], leaks["train"])]
        for key, text in (
            ("overlap", "overlap a test window of the same region"),
            ("share_day", "share a day with a test window"),
            ("share_region", "share a region with a test window"),
            ("ahead", "hold a date after the first tested origin"),
        )
        if key in leaks
    ]
    columns = [Column("Training windows that …", "left"), Column("Count"), Column("Share of training")]
    parts = [
        paragraph(f"Held out {_SPLIT_KINDS.get(split['kind'], split['kind'])}."),
        definitions(
            [("Windows", sizes), ("Training dates", _span(split, "train")), ("Test dates", _span(split, "test"))]
        ),
        table(columns, rows, f"What leaks: of {count(leaks['train'])} training windows"),
        paragraph(_leak_words(split["kind"], leaks["overlap"])),
    ]
    return Section("split", "The split and its leaks", join(parts))


def _span(split: dict[str, Any], part: str) -> str:
    return f"{split[f'{part}_first'] or '–'} to {split[f'{part}_last'] or '–'}"


def _leak_words(kind: str, overlap: int) -> str:
    if kind == "random":
        return "A random split leaks: training has seen most days of the test windows, so the scores flatter."
    if overlap:
        return (
            "An overlap here means that a test window looks back on days that were trained on, as it will in "
            "use. No label of a test window was seen in training unless the split is random."
        )
    return "No training window overlaps a test window."
