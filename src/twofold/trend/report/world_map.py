"""World map of tomorrow's probabilities, and the places that it can't show."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl

from twofold.page import numbers
from twofold.page.colours import LIGHT
from twofold.page.html import Html, join, tag

_CLASSES = (
    (0.2, "#2c7bb6", "below 20 %"),
    (0.4, "#abd9e9", "20 to 40 %"),
    (0.6, "#ffffbf", "40 to 60 %"),
    (0.8, "#fdae61", "60 to 80 %"),
    (1.01, "#d7191c", "80 % or more"),
)
"""Upper end, colour and legend of each class: ColorBrewer's RdYlBu, which colour-blind readers can tell apart."""

_WIDTH, _MAP_HEIGHT, _HEIGHT = 1000, 561, 640
_AREA = "country map-element"
_SVG = "{http://www.w3.org/2000/svg}"


def world_map(tomorrow: pl.DataFrame) -> str:
    """The world coloured by each region's probability of rising, as an SVG file that fetches nothing.

    Regions outside C are hatched over the colour of their probability; countries without data are bare outlines.

    Args:
        tomorrow: columns region, iso2, probability in [0, 1], in_c.

    Source:
        Outlines: pygal_maps_world (LGPL).
    """
    known = drawable(tomorrow)
    titles = {
        row["iso2"]: f"{row['region']}: {numbers.percent(row['probability'], 0)}{'' if row['in_c'] else ' (outside C)'}"
        for row in known.iter_rows(named=True)
    }
    drawn = ET.fromstring(re.sub(r"<!--.*?-->", "", _chart(known).render(is_unicode=True), flags=re.DOTALL))
    sheet = [
        tag("title", "Probability that the count rises, by country"),
        tag("style", Html(_rules())),
        tag("defs", *(_hatch(index, colour) for index, (_, colour, _) in enumerate(_CLASSES))),
        tag("g", join(_outlines(drawn, titles), "\n"), class_="world", transform=f"scale({_WIDTH / 2475:.5f})"),
        tag("g", *_legend(), class_="map-legend"),
    ]
    return tag("svg", join(sheet, "\n"), xmlns=_SVG[1:-1], viewBox=f"0 0 {_WIDTH} {_HEIGHT}") + "\n"


def drawable(tomorrow: pl.DataFrame) -> pl.DataFrame:
    """The regions that have a shape on pygal's map; of two with the same code the first."""
    return tomorrow.filter(pl.col("iso2").is_in(_codes())).unique("iso2", keep="first", maintain_order=True)


def undrawable(tomorrow: pl.DataFrame) -> pl.DataFrame:
    """The regions that pygal's map lacks, and those without a country code, to be listed beside the map."""
    return tomorrow.join(drawable(tomorrow).select("region"), on="region", how="anti", maintain_order="left")


def _codes() -> list[str]:
    from pygal_maps_world.i18n import COUNTRIES

    return sorted(COUNTRIES)


def _chart(known: pl.DataFrame) -> Any:
    from pygal_maps_world.maps import World

    chart = World(js=[], disable_xml_declaration=True, show_legend=False, width=_WIDTH, height=_MAP_HEIGHT, margin=0)
    for index in range(len(_CLASSES)):
        for in_c in (True, False):
            rows = known.filter(_class() == index, pl.col("in_c") == in_c)
            chart.add(f"{index}", list(zip(rows["iso2"], rows["probability"], strict=True)))
    return chart


def _class() -> pl.Expr:
    return pl.sum_horizontal((pl.col("probability") >= upper).cast(pl.Int32) for upper, _, _ in _CLASSES[:-1])


def _outlines(drawn: ET.Element, titles: dict[str, str]) -> list[Html]:
    """Each country's shape with the class that pygal gave it; series 2k is class k in C, 2k + 1 outside C."""
    shapes = []
    for area in drawn.iter(f"{_SVG}g"):
        name = area.get("class", "")
        if _AREA not in name:
            continue
        series = re.search(r"serie-(\d+)", name)
        title = [tag("title", titles[name.split(" ")[0]])] if series else []
        paths = [tag("path", d=path.get("d", "")) for path in area.iter(f"{_SVG}path")]
        shapes.append(tag("g", *title, *paths, class_=f"s{series[1]}" if series else None))
    return shapes


def _rules() -> str:
    fills = "".join(
        f".world .s{2 * index}{{fill:{colour}}}.world .s{2 * index + 1}{{fill:url(#outside{index})}}"
        for index, (_, colour, _) in enumerate(_CLASSES)
    )
    font = "font-family: 'DejaVu Sans', sans-serif"
    return (
        f".world path{{stroke:{LIGHT['muted']};stroke-width:1.2}}.world g{{fill:{LIGHT['line']}}}{fills}"
        f".map-legend text{{{font};font-size:16px;fill:{LIGHT['ink']}}}"
    )


def _hatch(index: int, colour: str) -> Html:
    ground = tag("rect", width="14", height="14", fill=colour)
    stripe = tag("rect", width="5", height="14", fill="#8c959f")
    size = {"width": "14", "height": "14", "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    return tag("pattern", ground, stripe, id=f"outside{index}", **size)


def _legend() -> list[Html]:
    entries = [(colour, text) for _, colour, text in _CLASSES]
    parts = []
    for index, (fill, text) in enumerate(
        [*entries, ("url(#outside2)", "hatched: outside C"), (LIGHT["line"], "no data")]
    ):
        x, y = 20 + 245 * (index % 4), 582 + 30 * (index // 4)
        parts.append(tag("rect", x=str(x), y=str(y), width="26", height="18", fill=fill, stroke=LIGHT["muted"]))
        parts.append(tag("text", text, x=str(x + 35), y=str(y + 15)))
    return parts
