"""Makes src/twofold/hub/report/us_states.json, once: outlines of the states, small enough for every page.

`npm pack us-atlas@3.0.1`, unpack it, then `python bench/development/us_states.py package/states-albers-10m.json`.
The shapes are the U.S. Census Bureau's and in the public domain; us-atlas (ISC) simplified and projected them.
"""

import heapq
import itertools
import json
import sys
from pathlib import Path

TARGET = Path(__file__).parents[2] / "src" / "twofold" / "hub" / "report" / "us_states.json"
SMALLEST_BEND = 3.0  # area in square pixels of the triangle that a point makes with its neighbours; smaller ones go
SMALLEST_ISLAND = 8.0  # square pixels
WIDTH, HEIGHT = 975, 610
Point = tuple[float, float]


def area(a: Point, b: Point, c: Point) -> float:
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2


def simplify(line: list[Point]) -> list[Point]:
    """Visvalingam & Whyatt (1993): the point of the smallest bend goes first; the ends, which arcs share, stay."""
    before, after = list(range(-1, len(line) - 1)), list(range(1, len(line) + 1))
    bends = {i: area(line[i - 1], line[i], line[i + 1]) for i in range(1, len(line) - 1)}
    queue = [(bend, i) for i, bend in bends.items()]
    heapq.heapify(queue)
    while queue:
        bend, i = heapq.heappop(queue)
        if bends.get(i) != bend:
            continue
        if bend >= SMALLEST_BEND:
            break
        del bends[i]
        after[before[i]], before[after[i]] = after[i], before[i]
        for j in {before[i], after[i]} & bends.keys():
            bends[j] = max(bend, area(line[before[j]], line[j], line[after[j]]))
            heapq.heappush(queue, (bends[j], j))
    return [point for i, point in enumerate(line) if i in bends or i in (0, len(line) - 1)]


def decode(topology: dict) -> list[list[Point]]:
    """The arcs in pixels; the file holds differences of whole numbers."""
    (kx, ky), (x0, y0) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        steps = itertools.accumulate(arc, lambda a, b: [a[0] + b[0], a[1] + b[1]])
        arcs.append([(x0 + kx * x, y0 + ky * y) for x, y in steps])
    return arcs


def ring(indices: list[int], arcs: list[list[Point]]) -> list[tuple[int, int]]:
    """One closed outline on whole pixels; ~i is arc i backwards."""
    points = [p for i in indices for p in (arcs[i] if i >= 0 else arcs[~i][::-1])]
    whole = [(round(x), round(y)) for x, y in points]
    kept = [point for point, _ in itertools.groupby(whole)]
    return kept[:-1] if kept[0] == kept[-1] else kept


def extent(points: list[tuple[int, int]]) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1], strict=True))) / 2


def path(rings: list[list[tuple[int, int]]]) -> str:
    """SVG path: where a ring begins, then steps from point to point."""
    text = ""
    for points in rings:
        steps = [f"{b[0] - a[0]} {b[1] - a[1]}" for a, b in itertools.pairwise(points)]
        text += f"M{points[0][0]} {points[0][1]}l{' '.join(steps)}z".replace(" -", "-")
    return text


def shape(geometry: dict, arcs: list[list[Point]]) -> str:
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    rings = sorted((ring(r, arcs) for polygon in polygons for r in polygon), key=extent, reverse=True)
    return path([points for i, points in enumerate(rings) if i == 0 or extent(points) >= SMALLEST_ISLAND])


def main(source: Path) -> None:
    topology = json.loads(source.read_text())
    arcs = [simplify(arc) for arc in decode(topology)]
    states = sorted(topology["objects"]["states"]["geometries"], key=lambda geometry: geometry["id"])
    shapes = {state["id"]: shape(state, arcs) for state in states}
    found = {
        "source": "us-atlas 3.0.1 (ISC), states-albers-10m.json: U.S. Census Bureau, public domain; simplified",
        "width": WIDTH,
        "height": HEIGHT,
        "shapes": shapes,
    }
    TARGET.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
