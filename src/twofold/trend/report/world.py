"""World map of the probabilities of a rise, for a page: own outlines, each region's shape can be picked by a script."""

import json
from functools import cache
from html import escape
from importlib import resources
from typing import Any, NamedTuple

import polars as pl

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.colours import LIGHT

CLASSES = (
    (0.2, "#2c7bb6", "below 20 %"),
    (0.4, "#abd9e9", "20 to 40 %"),
    (0.6, "#ffffbf", "40 to 60 %"),
    (0.8, "#fdae61", "60 to 80 %"),
    (1.01, "#d7191c", "80 % or more"),
)
"""Upper end, colour and legend of each class: ColorBrewer's RdYlBu, which colour-blind readers can tell apart."""

_LEGEND = 120
"""Height of the legend."""
_DOT = 8
"""Radius of the dot of a place too small for the map."""


class Outlines(NamedTuple):
    """SVG paths by ISO 3166-1 code in lower case (Equal Earth; "" is land without a code), size in pixels.

    `dots` are the places whose shape is too small to be seen.
    """

    width: int
    height: int
    shapes: dict[str, str]
    dots: dict[str, list[int]]


@cache
def outlines() -> Outlines:
    """The shapes that come with the package.

    Source:
        Natural Earth, by way of world-atlas; see bench/development/world.py.
    """
    found = json.loads((resources.files("twofold.trend.report") / "world.json").read_text(encoding="utf-8"))
    return Outlines(found["width"], found["height"], found["shapes"], found["dots"])


def drawable(forecast: pl.DataFrame) -> pl.DataFrame:
    """The regions that have a shape on the map; of two with the same code the first."""
    known = pl.col("iso2").is_in([code for code in outlines().shapes if code])
    return forecast.filter(known).unique("iso2", keep="first", maintain_order=True)


def draw_world(album: Album, forecast: pl.DataFrame) -> list[dict[str, Any]]:
    """Draws the map as `map` and saves it as map.svg; without a country to show only the file is made.

    Args:
        album: takes the map.
        forecast: as for `world_map`.

    Returns:
        The rows of the regions that the map lacks.
    """
    drawn, shown = world_map(forecast), drawable(forecast)
    album.save("map.svg", drawn.encode())
    if len(shown):
        album.keep("map", drawn)
    return forecast.join(shown.select("region"), on="region", how="anti", maintain_order="left").to_dicts()


def world_map(forecast: pl.DataFrame) -> str:
    """The world coloured by each region's probability of rising, as an SVG file that fetches nothing.

    Regions outside C are hatched over the colour of their probability; countries without data are bare outlines. A
    region's group has its row in the table as `data-place`, and as class `sN` twice the class of its probability, one
    more outside C, or `none`.

    Args:
        forecast: columns region, iso2, probability in [0, 1] (null: none was given), in_c.
    """
    width, height, shapes, dots = outlines()
    rows = {row["iso2"]: row for row in drawable(forecast.with_row_index("place")).to_dicts()}
    others = "".join(path for code, path in shapes.items() if code not in rows)
    groups = "\n".join(_group(rows[code], path, dots.get(code)) for code, path in shapes.items() if code in rows)
    fills = "".join(
        f".world .s{2 * index}{{fill:{colour}}}.world .s{2 * index + 1}{{fill:url(#outside{index})}}"
        for index, (_, colour, _) in enumerate(CLASSES)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + _LEGEND}">'
        "<title>Probability that the count rises, by country</title>\n"
        f"<style>.world{{stroke:{LIGHT['muted']};stroke-width:1.2;stroke-linejoin:round;fill:{LIGHT['line']}}}{fills}"
        f".map-legend text{{font-family: 'DejaVu Sans', sans-serif;font-size:28px;fill:{LIGHT['ink']}}}</style>\n"
        f"<defs>{''.join(_hatch(index, colour) for index, (_, colour, _) in enumerate(CLASSES))}</defs>\n"
        f'<g class="world"><path d="{others}"></path>\n{groups}</g>\n'
        f'<g class="map-legend">{_legend(height, not forecast["in_c"].all())}</g></svg>\n'
    )


def shade(probability: float, in_c: bool) -> int:
    """Number of the look of a region; see `world_map`.

    Example:
        >>> shade(0.0, True), shade(0.2, True), shade(1.0, False)
        (0, 2, 9)
    """
    return 2 * sum(probability >= upper for upper, _, _ in CLASSES[:-1]) + (not in_c)


def _group(row: dict[str, Any], path: str, dot: list[int] | None) -> str:
    given = row["probability"]
    words = f"{row['region']}: {'no forecast' if given is None else numbers.percent(given, 0)}"
    look = "none" if given is None else f"s{shade(given, row['in_c'])}"
    shape = f'<path d="{path}"></path>' if path else ""
    if dot:
        shape += f'<circle cx="{dot[0]}" cy="{dot[1]}" r="{_DOT}"></circle>'
    title = escape(words if row["in_c"] else f"{words} (outside C)")
    return f'<g class="{look}" data-place="{row["place"]}"><title>{title}</title>{shape}</g>'


def _hatch(index: int, colour: str) -> str:
    return (
        f'<pattern id="outside{index}" width="12" height="12" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="12" height="12" fill="{colour}" stroke="none"></rect>'
        '<rect width="4" height="12" fill="#8c959f" stroke="none"></rect></pattern>'
    )


def _legend(top: int, outside: bool) -> str:
    entries = [(colour, text) for _, colour, text in CLASSES]
    entries += [("url(#outside2)", "hatched: outside C")] * outside + [(LIGHT["line"], "no data")]
    parts = []
    for index, (fill, text) in enumerate(entries):
        x, y = 20 + 490 * (index % 4), top + 25 + 48 * (index // 4)
        parts.append(
            f'<rect x="{x}" y="{y}" width="46" height="30" fill="{fill}" stroke="{LIGHT["muted"]}"></rect>'
            f'<text x="{x + 60}" y="{y + 25}">{text}</text>'
        )
    return "".join(parts)
