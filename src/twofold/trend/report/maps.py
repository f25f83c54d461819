"""World map of the forecast probabilities by pygal, as the original study has it; other pages have `world`."""

import re
from html import escape
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl

from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.colours import LIGHT
from twofold.trend.report.world import CLASSES

_WIDTH, _MAP_HEIGHT, _HEIGHT = 1000, 561, 640
_AREA = "country map-element"
_SVG = "{http://www.w3.org/2000/svg}"


def draw_world(album: Album, tomorrow: pl.DataFrame) -> list[dict[str, Any]]:
    """Draws the map as `map` and saves it as map.svg; without a country to show only the file is made.

    Args:
        album: takes the map.
        tomorrow: as for `world_map`.

    Returns:
        The rows of the regions that the map lacks.
    """
    drawn, absent = world_map(tomorrow), undrawable(tomorrow)
    album.save("map.svg", drawn.encode())
    if len(absent) < len(tomorrow):
        album.keep("map", drawn)
    return absent.to_dicts()


def world_map(tomorrow: pl.DataFrame) -> str:
    """The world coloured by each region's probability of rising, as an SVG file that fetches nothing.

    Regions outside C are hatched over the colour of their probability; countries without data are bare outlines.

    Args:
        tomorrow: columns region, iso2, probability in [0, 1], in_c.

    Source:
        Outlines: pygal_maps_world (LGPL).
    """
    from pygal_maps_world.maps import World

    known = _drawable(tomorrow)
    chart = World(js=[], disable_xml_declaration=True, show_legend=False, width=_WIDTH, height=_MAP_HEIGHT, margin=0)
    uppers = [upper for upper, _, _ in CLASSES[:-1]]
    class_ = pl.sum_horizontal((pl.col("probability") >= upper).cast(pl.Int32) for upper in uppers)
    for index in range(len(CLASSES)):
        for in_c in (True, False):
            rows = known.filter(class_ == index, pl.col("in_c") == in_c)
            chart.add(f"{index}", list(zip(rows["iso2"], rows["probability"], strict=True)))
    drawn = ET.fromstring(re.sub(r"<!--.*?-->", "", chart.render(is_unicode=True), flags=re.DOTALL))
    titles = {
        row["iso2"]: f"{row['region']}: {numbers.percent(row['probability'], 0)}{'' if row['in_c'] else ' (outside C)'}"
        for row in known.iter_rows(named=True)
    }
    fills = "".join(
        f".world .s{2 * index}{{fill:{colour}}}.world .s{2 * index + 1}{{fill:url(#outside{index})}}"
        for index, (_, colour, _) in enumerate(CLASSES)
    )
    outlines = "\n".join(_outlines(drawn, titles, dict(known.select("iso2", "region").iter_rows())))
    return (
        f'<svg xmlns="{_SVG[1:-1]}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        "<title>Probability that the count rises, by country</title>\n"
        f"<style>.world path{{stroke:{LIGHT['muted']};stroke-width:1.2}}.world g{{fill:{LIGHT['line']}}}{fills}"
        f".map-legend text{{font-family: 'DejaVu Sans', sans-serif;font-size:16px;fill:{LIGHT['ink']}}}</style>\n"
        f"<defs>{''.join(_hatch(index, colour) for index, (_, colour, _) in enumerate(CLASSES))}</defs>\n"
        f'<g class="world" transform="scale({_WIDTH / 2475:.5f})">{outlines}</g>\n'
        f'<g class="map-legend">{_legend()}</g></svg>\n'
    )


def undrawable(tomorrow: pl.DataFrame) -> pl.DataFrame:
    """The regions that pygal's map lacks, and those without a country code, to be listed beside the map."""
    return tomorrow.join(_drawable(tomorrow).select("region"), on="region", how="anti", maintain_order="left")


def _drawable(tomorrow: pl.DataFrame) -> pl.DataFrame:
    """The regions that have a shape on pygal's map; of two with the same code the first."""
    from pygal_maps_world.i18n import COUNTRIES

    return tomorrow.filter(pl.col("iso2").is_in(list(COUNTRIES))).unique("iso2", keep="first", maintain_order=True)


def _outlines(drawn: ET.Element, titles: dict[str, str], names: dict[str, str]) -> list[str]:
    """Each country's shape with the class that pygal gave it; series 2k is class k in C, 2k + 1 outside C.

    A shape with data names its region, for pages that colour it anew.
    """
    shapes = []
    for area in drawn.iter(f"{_SVG}g"):
        name = area.get("class", "")
        if _AREA not in name:
            continue
        paths = "".join(f'<path d="{path.get("d", "")}"></path>' for path in area.iter(f"{_SVG}path"))
        series = re.search(r"serie-(\d+)", name)
        named, code = ">", name.split(" ")[0]
        if series:
            named = f' class="s{series[1]}" data-region="{escape(names[code])}"><title>{escape(titles[code])}</title>'
        shapes.append(f"<g{named}{paths}</g>")
    return shapes


def _hatch(index: int, colour: str) -> str:
    return (
        f'<pattern id="outside{index}" width="14" height="14" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="14" height="14" fill="{colour}"></rect>'
        '<rect width="5" height="14" fill="#8c959f"></rect></pattern>'
    )


def _legend() -> str:
    entries = [(colour, text) for _, colour, text in CLASSES]
    entries += [("url(#outside2)", "hatched: outside C"), (LIGHT["line"], "no data")]
    parts = []
    for index, (fill, text) in enumerate(entries):
        x, y = 20 + 245 * (index % 4), 582 + 30 * (index // 4)
        parts.append(
            f'<rect x="{x}" y="{y}" width="26" height="18" fill="{fill}" stroke="{LIGHT["muted"]}"></rect>'
            f'<text x="{x + 35}" y="{y + 15}">{text}</text>'
        )
    return "".join(parts)
