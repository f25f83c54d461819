"""Sections of a run's report on single regions: their series with probabilities, and the world map of tomorrow."""

from typing import Any

import numpy as np
import polars as pl

from twofold.page import numbers
from twofold.page.album import Album, inline_svg
from twofold.page.blocks import Column, Section, details, figure, gallery, paragraph, table
from twofold.page.drawing import day_numbers
from twofold.page.html import Html, join, tag
from twofold.trend.report import series
from twofold.trend.report import world_map as world
from twofold.trend.report.evidence import Evidence

_STEPS = 60
_PICTURES = 12


def regions_section(evidence: Evidence, album: Album) -> Section:
    """The busiest regions as pictures, all of them as a table."""
    recent = _recent(evidence)
    busiest = _busiest(evidence, recent)
    drawn = [_picture(evidence, album, recent, name, index) for index, name in enumerate(busiest)]
    words = paragraph(
        f"The {len(busiest)} regions of C with the most new cases over the last {recent['date'].n_unique()} "
        f"{evidence.unit}s. Above: new cases a {evidence.unit}. Below: the probability of up that the headline "
        "model gave for that date, from data up to the one before its horizon; ▲ it did go up, ○ it did not. A "
        "useful model has ▲ high and ○ low."
    )
    parts = [words, gallery(drawn, narrow=True), details("All regions", _all_regions(evidence, recent))]
    return Section("regions", "Region by region", join(parts))


def _recent(evidence: Evidence) -> pl.DataFrame:
    known = evidence.panel.drop_nulls("increment")
    dates = known["date"].unique().sort().tail(_STEPS)
    return known.filter(pl.col("date") >= dates.min()).sort("date", maintain_order=True)


def _busiest(evidence: Evidence, recent: pl.DataFrame) -> list[str]:
    chosen = recent.filter(pl.col("region").is_in(evidence.scores["screen"]["names"]))
    sums = chosen.group_by("region", maintain_order=True).agg(pl.col("increment").sum())
    return sums.sort("increment", descending=True, maintain_order=True).head(_PICTURES)["region"].to_list()


def _picture(evidence: Evidence, album: Album, recent: pl.DataFrame, name: str, index: int) -> Html:
    counts = recent.filter(pl.col("region") == name)
    test = evidence.windows("test").filter(pl.col("region") == name, pl.col("target_date") >= counts["date"].min())
    up = int(test["label"].sum())
    drawn = series.region(
        day_numbers(counts["date"].to_list()),
        counts["increment"].to_numpy().astype(float),
        targets=day_numbers(test["target_date"].to_list()),
        probability=test["p_ensemble"].to_numpy().astype(float),
        went_up=test["label"].to_numpy().astype(bool),
        name=name,
    )
    caption = f"{name}: {numbers.count(len(test))} test windows shown, {numbers.count(up)} up."
    return album.add(
        f"region-{index + 1:02}", drawn, f"New cases of {name} and its probability of up. {caption}", caption
    )


def _all_regions(evidence: Evidence, recent: pl.DataFrame) -> Html:
    unit = evidence.unit
    test = (
        evidence.windows("test")
        .group_by("region")
        .agg(windows=pl.len(), up=pl.col("label").mean(), mean=pl.col("p_ensemble").mean())
    )
    lines = evidence.tomorrow.join(test, on="region", how="left", maintain_order="left")
    counts = {name: part["increment"].to_numpy() for (name,), part in recent.group_by("region", maintain_order=True)}
    columns = [
        Column("Region", "left"),
        Column("In C", "left"),
        Column(f"Last {recent['date'].n_unique()} {unit}s", "left"),
        Column(f"New, last 7 {unit}s"),
        Column(f"P(up) next {unit}", hint="From a model refitted on all days"),
        Column("Test windows"),
        Column("Went up"),
        Column("Mean P(up)"),
    ]
    rows = [_region_row(line, counts[line["region"]]) for line in lines.iter_rows(named=True)]
    return table(
        columns, rows, "All regions in the order of the file; the last three columns are over the test windows"
    )


def _region_row(line: dict[str, Any], counts: np.ndarray) -> list[str]:
    return [
        line["region"],
        "yes" if line["in_c"] else "no",
        _sparkline(counts),
        numbers.count(int(counts[-7:].sum())),
        numbers.percent(line["probability"], 0),
        numbers.count(line["windows"]),
        numbers.percent(line["up"], 0),
        numbers.percent(line["mean"], 0),
    ]


def _sparkline(counts: np.ndarray) -> Html:
    low, high = min(0.0, float(counts.min())), max(1.0, float(counts.max()))
    heights = 19 - 18 * (counts - low) / (high - low)
    points = " ".join(f"{2 * step},{height:.1f}" for step, height in enumerate(heights))
    line = tag("polyline", points=points, fill="none", stroke="currentColor", stroke_width="1.2")
    # hidden from screen readers: the row's figures say it, and 200 unlabelled pictures would only be in the way
    return tag(
        "svg", line, class_="spark", viewBox=f"0 0 {2 * len(counts)} 20", preserveAspectRatio="none", aria_hidden="true"
    )


def map_section(evidence: Evidence, album: Album) -> Section:
    """Tomorrow's probability everywhere: the map, the extremes, and the places that the map lacks."""
    tomorrow = evidence.tomorrow
    day = tomorrow["target_date"].max()
    words = paragraph(
        f"The probability that the count rises on {day}, by a model refitted on all days up to "
        f"{tomorrow['origin'].max()}. Hatched regions are outside C: the model never learned from them, so trust "
        "theirs less."
    )
    parts = [
        words,
        *world_pictures(album, tomorrow, str(day)),
        tag("h3", "Most and least likely to rise, in C"),
        _extremes(tomorrow),
    ]
    return Section("map", "Tomorrow on the map", join(parts))


def world_pictures(album: Album, tomorrow: pl.DataFrame, day: str) -> list[Html]:
    """The map (also written as map.svg) and the list of places that it lacks."""
    drawn, absent = world.world_map(tomorrow), world.undrawable(tomorrow)
    album.save("map.svg", drawn.encode())
    parts: list[Html] = []
    if len(absent) < len(tomorrow):
        alt = (
            f"World map of the probability that the count rises on {day}; the figures are in the table of all regions."
        )
        parts.append(figure(inline_svg(drawn, "map", alt), "Point at a country for its figure.", wide=True))
    if len(absent):
        parts.append(tag("h3", f"{len(absent)} places that the map can't show"))
        parts.append(tag("ul", *(tag("li", _place(line)) for line in absent.iter_rows(named=True)), class_="names"))
    return parts


def _place(line: dict[str, Any]) -> Html:
    outside = "" if line["in_c"] else ", outside C"
    return join([line["region"], " ", tag("strong", numbers.percent(line["probability"], 0)), outside])


def _extremes(tomorrow: pl.DataFrame) -> Html:
    ranked = tomorrow.filter("in_c").sort("probability", descending=True, maintain_order=True)
    half = min(8, len(ranked) // 2)
    chosen = pl.concat([ranked.head(half), ranked.tail(half)]) if half else ranked
    columns = [Column("Region", "left"), Column("Probability of up"), Column("Last new cases")]
    rows = [
        [line["region"], numbers.percent(line["probability"], 0), numbers.count(line["last_value"])]
        for line in chosen.iter_rows(named=True)
    ]
    groups = {0: "most likely to rise", half: "least likely to rise"} if half else None
    return table(columns, rows, "Regions of C by their probability of up", groups)
