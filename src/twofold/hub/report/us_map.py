"""Map of the United States: each place in a colour, small ones also as a labelled square, those without a shape listed.

Places are named by FIPS code, or US, as FluSight names them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from twofold.page.colours import LIGHT
from twofold.page.html import Html, join, tag

BLANK = "#a9b1ba"
"""Colour of a place without a value; darker than the palest of any scale."""
_SQUARES = {"11": "DC", "72": "PR", "US": "US"}
"""Places that the map shows as a square: too small for it, outside it, or all of it."""
_FONT = "font-family: 'DejaVu Sans', sans-serif"
_SIDE, _LEFT, _TOP = 44, 912, 395


class Shade(NamedTuple):
    """How a place looks on the map.

    Attributes:
        colour: its fill.
        words: shown when it is pointed at.
    """

    colour: str
    words: str


class Outlines(NamedTuple):
    """Shapes of the states in one projection (Albers, with Alaska and Hawaii moved).

    Attributes:
        width: pixels.
        height: pixels.
        shapes: FIPS code -> SVG path.
    """

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
    """The locations that the map can show, as a shape or a square, in their order.

    Example:
        >>> drawable(["01", "72", "XX"])
        ['01', '72']
    """
    return [name for name in locations if name in outlines().shapes or name in _SQUARES]


def us_map(
    shades: Mapping[str, Shade], legend: Sequence[tuple[str, str]], title: str, text_size: int = 30, columns: int = 3
) -> str:
    """The map as an SVG file that fetches nothing.

    Args:
        shades: location -> its look; those that can't be drawn are left out, states without one are grey.
        legend: colours and what they mean.
        title: what is shown.
        text_size: pixels of a map 975 pixels wide; a small map needs large letters.
        columns: of the legend.
    """
    drawn = outlines()
    rows = -(-len(legend) // columns)
    height = drawn.height + round(rows * 1.5 * text_size) + 12
    parts = [
        tag("title", title),
        tag("g", *(_state(code, path, shades) for code, path in drawn.shapes.items()), **_STROKE),
        tag("g", *_squares(shades, text_size), style=_FONT),
        tag("g", *_legend(legend, text_size, columns), style=_FONT),
    ]
    return tag("svg", join(parts, "\n"), xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {drawn.width} {height}")


_STROKE = {"stroke": LIGHT["muted"], "stroke_width": "1", "stroke_linejoin": "round"}


def _state(code: str, path: str, shades: Mapping[str, Shade]) -> Html:
    shade = shades.get(code)
    if shade is None:
        return tag("path", d=path, fill=BLANK)
    return tag("path", tag("title", shade.words), d=path, fill=shade.colour)


def _squares(shades: Mapping[str, Shade], text_size: int) -> list[Html]:
    parts, place = [], 0
    for code, label in _SQUARES.items():
        if code not in shades:
            continue
        y = _TOP + round(1.35 * _SIDE) * place
        place += 1
        box = {"x": str(_LEFT), "y": str(y), "width": str(_SIDE), "height": str(_SIDE)}
        shade = shades[code]
        parts.append(tag("rect", tag("title", shade.words), **box, fill=shade.colour, **_STROKE))
        middle = {"x": str(_LEFT - 8), "y": str(y + _SIDE // 2 + text_size // 3), "text_anchor": "end"}
        parts.append(tag("text", label, **middle, font_size=str(text_size), fill=LIGHT["ink"]))
    return parts


def _legend(legend: Sequence[tuple[str, str]], text_size: int, columns: int) -> list[Html]:
    parts, top = [], outlines().height + 8
    for index, (colour, words) in enumerate(legend):
        x = 8 + round((outlines().width - 8) / columns) * (index % columns)
        y = top + round(1.5 * text_size) * (index // columns)
        box = {"x": str(x), "y": str(y), "width": str(round(1.3 * text_size)), "height": str(text_size)}
        parts.append(tag("rect", **box, fill=colour, **_STROKE))
        place = {"x": str(x + round(1.6 * text_size)), "y": str(y + round(0.86 * text_size))}
        parts.append(tag("text", words, **place, font_size=str(text_size), fill=LIGHT["ink"]))
    return parts
