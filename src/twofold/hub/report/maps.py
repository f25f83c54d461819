"""Maps of a hub's season: the probabilities of rising and falling, what happened, and relative skill by state."""

import datetime as dt
from typing import Any

import polars as pl

from twofold.hub.report.evidence import HubEvidence
from twofold.hub.report.us_map import BLANK, Shade, us_map
from twofold.hub.report.wording import FALLING, RISING, SKILL, category, horizon, shades
from twofold.page import numbers
from twofold.page.album import Album, inline_svg
from twofold.page.blocks import figure, gallery, paragraph
from twofold.page.html import Html, join, tag

_SHARES = (0.1, 0.3, 0.5, 0.7)
"""Lower ends of all classes of a probability but the first."""
_SHARE_WORDS = ("below 10 %", "10 to 30 %", "30 to 50 %", "50 to 70 %", "above 70 %")
_RATIOS = (0.85, 0.95, 1.05, 1.15)
_RATIO_WORDS = ("below 0.85", "0.85 to 0.95", "0.95 to 1.05", "1.05 to 1.15", "above 1.15")
_NONE = (BLANK, "no forecast")


def day_maps(evidence: HubEvidence, album: Album, phase: str, day: dt.date) -> list[Html]:
    """Three maps of one reference date: P(rise), P(fall), and the category that happened.

    Args:
        evidence: the run.
        album: saves the maps.
        phase: what of the season the date stands for.
        day: reference date.
    """
    here = (pl.col("reference_date") == day) & (pl.col("horizon") == evidence.horizon)
    rows = evidence.pmf(evidence.default).filter(here)
    middle, pmf = len(evidence.rules.categories) // 2, evidence.probabilities(rows)
    places, slug = rows["location"].to_list(), phase.lower().replace(" ", "-")
    rise = dict(zip(places, pmf[:, middle + 1 :].sum(axis=1).tolist(), strict=True))
    fall = dict(zip(places, pmf[:, :middle].sum(axis=1).tolist(), strict=True))
    return [
        _share_map(evidence, album, (slug, day), rise, ("rise", RISING)),
        _share_map(evidence, album, (slug, day), fall, ("fall", FALLING)),
        _outcome_map(evidence, album, (slug, day), evidence.truth.filter(here)),
    ]


def _share_map(
    evidence: HubEvidence,
    album: Album,
    when: tuple[str, dt.date],
    places: dict[str, float],
    what: tuple[str, tuple[str, ...]],
) -> Html:
    word, colours = what
    looks = {}
    for name, p in places.items():
        words = f"{evidence.name_of(name)}: P({word}) {numbers.percent(p, 0)}"
        looks[name] = Shade(colours[sum(p >= end for end in _SHARES)], words)
    title = f"P({word}) given for {horizon(evidence.horizon)}, reference date {when[1]}"
    legend = [*zip(colours, _SHARE_WORDS, strict=True), _NONE]
    return _add(album, f"map-{when[0]}-{word}", us_map(looks, legend, title), title)


def _outcome_map(evidence: HubEvidence, album: Album, when: tuple[str, dt.date], truth: pl.DataFrame) -> Html:
    names = evidence.rules.categories
    looks = {
        place: Shade(shades(names)[k], f"{evidence.name_of(place)}: {category(names[k])}")
        for place, k in truth.select("location", "observed").iter_rows()
    }
    legend = [(colour, category(name)) for colour, name in zip(shades(names), names, strict=True)]
    title = f"What happened, reference date {when[1]}"
    return _add(album, f"map-{when[0]}-happened", us_map(looks, [*legend, _NONE], title), title)


def skill_maps(evidence: HubEvidence, album: Album) -> list[Html]:
    """The default's RPS over that of the hub's ensemble and of the best peer, by place; nothing without either."""
    rivals = {"ensemble": evidence.ensemble, "peer": evidence.best_peer}
    drawn = [_skill_map(evidence, album, word, name) for word, name in rivals.items() if name is not None]
    if not drawn:
        return []
    words = paragraph(
        "Violet: the default is better; orange: worse. A place has few independent weeks, so a neighbouring shade may "
        "well be chance."
    )
    return [tag("h3", "Where it wins and loses"), words, gallery(drawn)]


def _skill_map(evidence: HubEvidence, album: Album, word: str, rival: str) -> Html:
    rows = evidence.beside(rival, ["location"]).filter(pl.col("theirs") > 0)
    looks = {row["location"]: _ratio(evidence, row) for row in rows.iter_rows(named=True)}
    title = f"RPS of {evidence.default} over that of {rival}, by place"
    lost = f"Worse in {numbers.count(int((rows['difference'] > 0).sum()))} of {numbers.count(rows.height)} places."
    legend = [*zip(SKILL, _RATIO_WORDS, strict=True), _NONE]
    return _add(album, f"map-skill-{word}", us_map(looks, legend, title, 24), title, lost)


def place_words(evidence: HubEvidence, location: str) -> Html:
    """A place that no map shows: its name and its relative RPS against the hub's ensemble."""
    name = evidence.name_of(location)
    if evidence.ensemble is None:
        return join([name])
    found = evidence.beside(evidence.ensemble, ["location"]).filter(pl.col("location") == location)
    ratio = found["ours"][0] / found["theirs"][0] if found.height and found["theirs"][0] > 0 else None
    return join([f"{name}: RPS over the ensemble's ", tag("strong", numbers.score(ratio, 2))])


def _add(album: Album, name: str, drawn: str, title: str, more: str = "") -> Html:
    album.save(f"figures/{name}.svg", drawn.encode())
    return figure(inline_svg(drawn, name, f"Map of the United States: {title}."), f"{title}. {more}".strip())


def _ratio(evidence: HubEvidence, row: dict[str, Any]) -> Shade:
    ratio = row["ours"] / row["theirs"]
    words = f"{evidence.name_of(row['location'])}: {numbers.score(ratio, 2)} on {numbers.count(row['n'])} forecasts"
    return Shade(SKILL[sum(ratio >= end for end in _RATIOS)], words)
