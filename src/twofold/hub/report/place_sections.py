"""Sections of a hub's page on places: maps through the season, relative skill by state, every place's series."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from twofold.hub.report import maps as hub_maps
from twofold.hub.report import series as hub_series
from twofold.hub.report.evidence import HubEvidence
from twofold.hub.report.us_map import drawable
from twofold.hub.report.wording import horizon
from twofold.hub.rules import WEEK
from twofold.hub.tables import UNIT
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Section, details, gallery, paragraph
from twofold.page.html import Html, join, tag

_OPEN = 12
"""Places whose pictures are not folded away."""


def map_section(evidence: HubEvidence, album: Album) -> Section:
    """Forecasts beside what happened on the map, then skill by state; places without a shape are listed."""
    places = evidence.truth["location"].unique().sort().to_list()
    shown, title = drawable(places), "On the map"
    if not shown:
        words = "None of the hub's places has a shape on the map of the United States, so there is no map."
        return Section("map", title, paragraph(words))
    words = paragraph(
        f"What {evidence.default} gave for {horizon(evidence.horizon)}, as the season rose, peaked and fell, and what "
        "happened. Point at a place for its figures; grey places have no forecast."
    )
    parts: list[Html] = [words]
    for phase, day in season_dates(evidence).items():
        parts.append(tag("h3", f"{phase}: reference date {day}"))
        parts.append(gallery(hub_maps.day_maps(evidence, album, phase, day), narrow=True))
    parts += hub_maps.skill_maps(evidence, album)
    return Section("map", title, join([*parts, *_absent(evidence, [name for name in places if name not in shown])]))


def _absent(evidence: HubEvidence, places: Sequence[str]) -> list[Html]:
    if not places:
        return []
    heading = tag("h3", f"Places that the map can't show: {len(places)}")
    return [heading, tag("ul", *(tag("li", hub_maps.place_words(evidence, name)) for name in places), class_="names")]


def season_dates(evidence: HubEvidence) -> dict[str, dt.date]:
    """The reference dates of the default's forecasts at which most places rose, most was counted, and most fell."""
    middle = len(evidence.rules.categories) // 2
    own = evidence.pmf(evidence.default).select(UNIT)
    rows = evidence.truth.filter(pl.col("horizon") == evidence.horizon).join(own, on=UNIT, how="semi")
    days = rows.group_by("reference_date").agg(
        rose=(pl.col("observed") > middle).mean(), fell=(pl.col("observed") < middle).mean(), base=pl.col("base").sum()
    )
    if days.is_empty():
        return {}
    peak = _most(days, "base")
    before, after = (days.filter(where) for where in (pl.col("reference_date") < peak, pl.col("reference_date") > peak))
    found = {"The rise": before, "The peak": days.filter(pl.col("reference_date") == peak), "The fall": after}
    keys = {"The rise": "rose", "The peak": "base", "The fall": "fell"}
    return {phase: _most(rows, keys[phase]) for phase, rows in found.items() if rows.height}


def _most(days: pl.DataFrame, column: str) -> dt.date:
    return days.sort(column, "reference_date", descending=[True, False])["reference_date"][0]


def places_section(evidence: HubEvidence, album: Album) -> Section:
    """Every place's counts, probabilities and outcome."""
    order = _order(evidence)
    ahead = horizon(evidence.horizon)
    words = paragraph(
        "Above: the count of each week in the newest version (line), and the newest one that was known at each "
        "deadline (circle); where they part, the count was revised later. Below (“given”): the probabilities that "
        f"{evidence.default} gave at each reference date for {ahead}, from falling at the bottom to rising on top, "
        "and, in the strip (“was”), the category that happened. A gap is a date without a forecast."
    )
    key = album.add(
        "key",
        hub_series.key(evidence.rules.categories),
        f"Colours of the categories: {', '.join(evidence.rules.categories)}.",
        "Colours of the categories in the pictures below.",
    )
    parts = [words, *_revisions(evidence, album, order[0]), key]
    drawn = [_picture(evidence, album, name, index) for index, name in enumerate(order)]
    parts.append(gallery(drawn[:_OPEN], narrow=True))
    if drawn[_OPEN:]:
        parts.append(details(f"The other {len(drawn) - _OPEN} places", gallery(drawn[_OPEN:], narrow=True)))
    return Section("places", "Place by place", join(parts))


def _order(evidence: HubEvidence) -> list[str]:
    """The most populous first, then the others by name."""
    known = evidence.truth.unique("location").select("location", "population")
    names = known.join(evidence.locations.select("location", "name"), on="location", how="left")
    ranked = names.sort("population", "location", descending=[True, False])
    return [*ranked["location"][:_OPEN].to_list(), *ranked[_OPEN:].sort("name", "location")["location"].to_list()]


def _picture(evidence: HubEvidence, album: Album, location: str, index: int) -> Html:
    days = _every_week(evidence.truth["reference_date"].unique().sort().to_list())
    pmf, observed = _given(evidence, location, days)
    drawn = hub_series.place(
        _counted(evidence, location, days),
        _known(evidence, location, days),
        dates=days,
        pmf=pmf,
        observed=observed,
        categories=evidence.rules.categories,
        name=evidence.name_of(location),
    )
    caption = _place_caption(evidence, location)
    return album.add(f"place-{index + 1:02}", drawn, f"Counts, probabilities and outcomes. {caption}", caption)


def _every_week(days: Sequence[dt.date]) -> list[dt.date]:
    """The dates and the weeks that were skipped between them, which a picture shows as gaps."""
    weeks = range((days[-1] - days[0]) // WEEK + 1)
    return sorted({*days, *(days[0] + week * WEEK for week in weeks)})


def _given(evidence: HubEvidence, location: str, days: Sequence[dt.date]) -> tuple[np.ndarray, np.ndarray]:
    """The default's probabilities and the category that happened, by date; NaN and -1 where there is none."""
    here = (pl.col("location") == location) & (pl.col("horizon") == evidence.horizon)
    own, outcome = evidence.pmf(evidence.default).filter(here), evidence.truth.filter(here)
    pmf = dict(zip(own["reference_date"].to_list(), evidence.probabilities(own), strict=True))
    observed = dict(outcome.select("reference_date", "observed").iter_rows())
    none = np.full(len(evidence.rules.categories), np.nan)
    return np.array([pmf.get(day, none) for day in days]), np.array([observed.get(day, -1) for day in days])


def _known(evidence: HubEvidence, location: str, days: Sequence[dt.date]) -> tuple[list[dt.date], np.ndarray]:
    """The newest week that was known at each deadline, and its count then."""
    here = evidence.known.filter(pl.col("location") == location, pl.col("reference_date").is_in(list(days)))
    ordered = here.sort("reference_date", "target_end_date")
    return _pair(ordered.unique("reference_date", keep="last", maintain_order=True))


def _place_caption(evidence: HubEvidence, location: str) -> str:
    own = evidence.scored.filter(pl.col("location") == location)
    told = []
    for name in evidence.shown[:2]:
        values = own.filter(pl.col("model") == name)["rps"].to_numpy()
        told.append(f"{name} {numbers.score(float(values.mean()) if values.size else None)}")
    return f"{evidence.name_of(location)}, mean RPS of all horizons: {', '.join(told)}."


def _counted(evidence: HubEvidence, location: str, days: Sequence[dt.date]) -> tuple[list[dt.date], np.ndarray]:
    weeks = evidence.counts.filter(
        pl.col("location") == location,
        pl.col("target_end_date").is_between(days[0] - 4 * WEEK, days[-1] + max(evidence.rules.horizons) * WEEK),
    )
    return _pair(weeks.sort("target_end_date"))


def _pair(rows: pl.DataFrame) -> tuple[list[dt.date], np.ndarray]:
    return rows["target_end_date"].to_list(), rows["value"].to_numpy().astype(float)


def _revisions(evidence: HubEvidence, album: Album, location: str) -> list[Html]:
    own = evidence.known.filter(pl.col("location") == location).sort("reference_date", "target_end_date")
    counted = _counted(evidence, location, evidence.truth["reference_date"].unique().sort().to_list())
    if own.is_empty() or not counted[0]:
        return []
    tails = [_pair(rows) for _, rows in own.group_by("reference_date", maintain_order=True)]
    name = evidence.name_of(location)
    drawn = hub_series.revisions(counted, tails, name)
    caption = f"{name}: what a forecaster saw at each deadline, and what it became."
    return [
        album.add("revisions", drawn, f"Line chart of counts as known at each deadline. {caption}", caption, wide=True)
    ]
