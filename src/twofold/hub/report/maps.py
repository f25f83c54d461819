"""Maps of the United States: probabilities of a rise and a fall, outcomes, and relative skill by state.

Each place has a colour; small ones are shown as a labelled square, too. Places are identified as FluSight does, by FIPS
code or US.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Any, NamedTuple

from twofold.hub.report.wording import FALLING, RISING, SKILL, category, horizon, shades
from twofold.page.album import Album
from twofold.page.colours import LIGHT
from twofold.page.numbers import count, percent, score

BLANK = "#a9b1ba"
"""Colour of a place without a value; darker than the palest of any scale."""
_NONE = (BLANK, "no forecast")
_SHARES = (0.1, 0.3, 0.5, 0.7)
"""Lower ends of all classes of a probability but the first."""
_SHARE_WORDS = ("below 10 %", "10 to 30 %", "30 to 50 %", "50 to 70 %", "above 70 %")
RATIOS = (0.85, 0.95, 1.05, 1.15)
"""Lower ends of all classes of a ratio of scores but the first."""
_RATIO_WORDS = ("below 0.85", "0.85 to 0.95", "0.95 to 1.05", "1.05 to 1.15", "above 1.15")
_SQUARES = {"11": "DC", "72": "PR", "US": "US"}
"""Places that the map shows as a square: too small for it, outside it, or all of it."""
_SIDE, _LEFT, _TOP = 44, 912, 395
_COLUMNS = 3
_STROKE = f'stroke="{LIGHT["muted"]}" stroke-width="1" stroke-linejoin="round"'
_FONT = 'style="font-family: &#x27;DejaVu Sans&#x27;, sans-serif"'


class Shade(NamedTuple):
    """A place on the map: its fill, and the words shown when it is pointed at."""

    colour: str
    words: str


class Outlines(NamedTuple):
    """SVG paths of the states by FIPS code in one projection (Albers, Alaska and Hawaii moved); size in pixels."""

    width: int
    height: int
    shapes: dict[str, str]


@cache
def outlines() -> Outlines:
    """The shapes that come with the package.

    Source:
        U.S. Census Bureau, by way of us-atlas; see bench/development/us_states.py.
    """
    found = json.loads((resources.files("twofold.hub.report") / "us_states.json").read_text(encoding="utf-8"))
    return Outlines(found["width"], found["height"], found["shapes"])


def drawable(locations: Iterable[str]) -> list[str]:
    """The locations that the map can show, as a shape or a square, in the given order.

    Example:
        >>> drawable(["01", "72", "XX"])
        ['01', '72']
    """
    return [name for name in locations if name in outlines().shapes or name in _SQUARES]


@dataclass(frozen=True)
class UsMap:
    """A map of the United States.

    Attributes:
        title: what is shown.
        shades: location -> its look; those that can't be drawn are left out, states without one are grey.
        legend: colours and what they mean.
        text_size: pixels of a map 975 pixels wide; a small map needs large letters.
    """

    title: str
    shades: Mapping[str, Shade]
    legend: Sequence[tuple[str, str]]
    text_size: int = 30

    def svg(self) -> str:
        """An SVG file that fetches nothing."""
        width, height, shapes = outlines()
        size, line = self.text_size, round(1.5 * self.text_size)
        looks = {
            code: (f'fill="{each.colour}" data-place="{code}"', f"<title>{escape(each.words)}</title>")
            for code, each in self.shades.items()
        }
        states, squares, legend = "", "", ""
        for code, path in shapes.items():
            look, words = looks.get(code, (f'fill="{BLANK}"', ""))
            states += f'<path d="{path}" {look}>{words}</path>'
        for index, code in enumerate(code for code in _SQUARES if code in looks):
            (look, words), y = looks[code], _TOP + round(1.35 * _SIDE) * index
            box = f'<rect x="{_LEFT}" y="{y}" width="{_SIDE}" height="{_SIDE}" {look} {_STROKE}>{words}</rect>'
            anchor = f'<text x="{_LEFT - 8}" y="{y + _SIDE // 2 + size // 3}" text-anchor="end"'
            squares += f'{box}{anchor} font-size="{size}" fill="{LIGHT["ink"]}">{_SQUARES[code]}</text>'
        for index, (colour, words) in enumerate(self.legend):
            x = 8 + round((width - 8) / _COLUMNS) * (index % _COLUMNS)
            y = height + 8 + line * (index // _COLUMNS)
            box = f'<rect x="{x}" y="{y}" width="{round(1.3 * size)}" height="{size}" fill="{colour}" {_STROKE}></rect>'
            anchor = f'<text x="{x + round(1.6 * size)}" y="{y + round(0.86 * size)}"'
            legend += f'{box}{anchor} font-size="{size}" fill="{LIGHT["ink"]}">{escape(words)}</text>'
        whole = height + round(-(-len(self.legend) // _COLUMNS) * 1.5 * size) + 12
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {whole}"><title>{escape(self.title)}</title>'
            f"\n<g {_STROKE}>{states}</g>\n<g {_FONT}>{squares}</g>\n<g {_FONT}>{legend}</g></svg>"
        )


def given(word: str, shares: Mapping[str, float], weeks: int, day: dt.date, name_of: Callable[[str], str]) -> UsMap:
    """The forecast probability (`shares`, by location) of a rise or a fall (`word`), so many weeks ahead."""
    colours = {"rise": RISING, "fall": FALLING}[word]
    looks = {
        place: Shade(colours[sum(p >= end for end in _SHARES)], f"{name_of(place)}: P({word}) {percent(p, 0)}")
        for place, p in shares.items()
    }
    title = f"P({word}) given for {horizon(weeks)}, reference date {day}"
    return UsMap(title, looks, [*zip(colours, _SHARE_WORDS, strict=True), _NONE])


def happened(
    observed: Mapping[str, int], categories: Sequence[str], day: dt.date, name_of: Callable[[str], str]
) -> UsMap:
    """The observed category (`observed`, by location: an index into `categories`) for a reference date."""
    colours, words = shades(categories), [category(name) for name in categories]
    looks = {place: Shade(colours[k], f"{name_of(place)}: {words[k]}") for place, k in observed.items()}
    return UsMap(f"What happened, reference date {day}", looks, [*zip(colours, words, strict=True), _NONE])


def skill(
    model: str, comparator: str, rows: Mapping[str, Mapping[str, Any]], name_of: Callable[[str], str], of: str
) -> UsMap:
    """A model's score (named `of`) over that of a comparator, by place: `rows` has `ratio` and `n`, the forecasts."""
    looks = {}
    for place, row in rows.items():
        words = f"{name_of(place)}: {score(row['ratio'], 2)} on {count(row['n'])} forecasts"
        looks[place] = Shade(SKILL[sum(row["ratio"] >= end for end in RATIOS)], words)
    title = f"{of} of {model} over that of {comparator}, by place"
    return UsMap(title, looks, [*zip(SKILL, _RATIO_WORDS, strict=True), _NONE], 24)


def hang(album: Album, shown: Mapping[str, UsMap]) -> None:
    """Saves maps by name and puts them into the page's album."""
    for name, drawn in shown.items():
        svg = drawn.svg()
        album.save(f"figures/{name}.svg", svg.encode())
        album.keep(name, svg)
