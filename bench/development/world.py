"""Makes src/twofold/trend/report/world.json, once: outlines of countries and territories, small enough for a page.

`npm pack world-atlas@2.0.2`, unpack it, then `python bench/development/world.py package/countries-50m.json`.
The shapes are Natural Earth's (version 4.1.0) and in the public domain; world-atlas (ISC) made them TopoJSON. The
projection is Equal Earth (Savric, Patterson & Jenny 2018), which shows areas in their true proportion. Antarctica is
left out.
"""

import json
import math
import sys
from pathlib import Path

import pycountry
from topology import Point, Ring, decode, extent, path, rings, simplify

TARGET = Path(__file__).parents[2] / "src" / "twofold" / "trend" / "report" / "world.json"
WIDTH = 2000
SMALLEST_BEND = 1.5  # square pixels
SMALLEST_ISLAND = 6.0  # square pixels; the largest ring of a place stays, unless it is within one pixel
SMALLEST_PLACE = 40.0  # square pixels: a place whose largest ring is smaller gets a dot, too
MIDDLE = 11.5  # degrees east: the map's sides then meet in the Bering Strait and cut no mainland
ANTARCTICA = "010"
OWN_CODES = {"Kosovo": "xk"}  # of places without a number in ISO 3166-1
A1, A2, A3, A4 = 1.340264, -0.081106, 0.000893, 0.003796


def equal_earth(point: Point) -> Point:
    """Longitude and latitude in degrees to pixels; the northernmost land is at 0."""
    longitude, latitude = math.radians((point[0] - MIDDLE + 180) % 360 - 180), math.radians(point[1])
    theta = math.asin(math.sqrt(3) / 2 * math.sin(latitude))
    slope = 9 * A4 * theta**8 + 7 * A3 * theta**6 + 3 * A2 * theta**2 + A1
    x = 2 * math.sqrt(3) * longitude * math.cos(theta) / (3 * slope)
    y = A4 * theta**9 + A3 * theta**7 + A2 * theta**3 + A1 * theta
    widest = 2 * math.sqrt(3) * math.pi / (3 * A1)
    return WIDTH / 2 * (1 + x / widest), WIDTH / 2 * -y / widest


def code(country: dict) -> str | None:
    """Two letters as of ISO 3166-1; None for land that has none, which is drawn all the same."""
    found = pycountry.countries.get(numeric=country.get("id", ""))
    return found.alpha_2.lower() if found else OWN_CODES.get(country["properties"]["name"])


def torn(points: Ring) -> bool:
    """Whether it lies on both sides of the map, as one of the Aleutians does."""
    return max(x for x, _ in points) - min(x for x, _ in points) > WIDTH / 2


def moved(points: Ring, down: int) -> Ring:
    return [(x, y + down) for x, y in points]


def main(source: Path) -> None:
    topology = json.loads(source.read_text())
    arcs = [simplify(arc, SMALLEST_BEND) for arc in decode(topology, equal_earth)]
    places: dict[str | None, list[Ring]] = {}
    for country in topology["objects"]["countries"]["geometries"]:
        if country.get("id") != ANTARCTICA:
            places.setdefault(code(country), []).extend(each for each in rings(country, arcs) if not torn(each))
    top = min(y for shapes in places.values() for points in shapes for _, y in points)
    shapes, dots = {}, {}
    for name, found in sorted(places.items(), key=lambda item: item[0] or ""):
        first, *others = sorted((moved(points, -top) for points in found), key=extent, reverse=True)
        kept = [first] * (extent(first) > 0) + [each for each in others if extent(each) >= SMALLEST_ISLAND]
        shapes[name or ""] = path(kept)
        if name and extent(first) < SMALLEST_PLACE:
            dots[name] = [round(sum(values) / len(first)) for values in zip(*first, strict=True)]
    found = {
        "source": "world-atlas 2.0.2 (ISC), countries-50m.json: Natural Earth 4.1.0, public domain; simplified",
        "width": WIDTH,
        "height": max(y for shape in places.values() for points in shape for _, y in points) - top,
        "shapes": shapes,
        "dots": dots,
    }
    TARGET.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
