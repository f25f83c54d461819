"""Outlines in TopoJSON made small: shared by the scripts beside it."""

import heapq
import itertools
from collections.abc import Callable

Point = tuple[float, float]
Ring = list[tuple[int, int]]


def area(a: Point, b: Point, c: Point) -> float:
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2


def simplify(line: list[Point], smallest: float) -> list[Point]:
    """Visvalingam & Whyatt (1993): the point of the smallest bend goes first; the ends, which arcs share, stay.

    `smallest` is the area in square pixels of the triangle that a point makes with its neighbours; smaller ones go.
    """
    before, after = list(range(-1, len(line) - 1)), list(range(1, len(line) + 1))
    bends = {i: area(line[i - 1], line[i], line[i + 1]) for i in range(1, len(line) - 1)}
    queue = [(bend, i) for i, bend in bends.items()]
    heapq.heapify(queue)
    while queue:
        bend, i = heapq.heappop(queue)
        if bends.get(i) != bend:
            continue
        if bend >= smallest:
            break
        del bends[i]
        after[before[i]], before[after[i]] = after[i], before[i]
        for j in {before[i], after[i]} & bends.keys():
            bends[j] = max(bend, area(line[before[j]], line[j], line[after[j]]))
            heapq.heappush(queue, (bends[j], j))
    return [point for i, point in enumerate(line) if i in bends or i in (0, len(line) - 1)]


def decode(topology: dict, project: Callable[[Point], Point] = lambda point: point) -> list[list[Point]]:
    """The arcs in pixels; the file holds differences of whole numbers."""
    (kx, ky), (x0, y0) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        steps = itertools.accumulate(arc, lambda a, b: [a[0] + b[0], a[1] + b[1]])
        arcs.append([project((x0 + kx * x, y0 + ky * y)) for x, y in steps])
    return arcs


def ring(indices: list[int], arcs: list[list[Point]]) -> Ring:
    """One closed outline on whole pixels; ~i is arc i backwards."""
    points = [p for i in indices for p in (arcs[i] if i >= 0 else arcs[~i][::-1])]
    whole = [(round(x), round(y)) for x, y in points]
    kept = [point for point, _ in itertools.groupby(whole)]
    return kept[:-1] if len(kept) > 1 and kept[0] == kept[-1] else kept


def rings(geometry: dict, arcs: list[list[Point]]) -> list[Ring]:
    """All outlines of a place, the largest first."""
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    return sorted((ring(r, arcs) for polygon in polygons for r in polygon), key=extent, reverse=True)


def extent(points: Ring) -> float:
    """Area in square pixels."""
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1], strict=True))) / 2


def path(shapes: list[Ring]) -> str:
    """SVG path: where a ring begins, then steps from point to point."""
    text = ""
    for points in shapes:
        steps = [f"{b[0] - a[0]} {b[1] - a[1]}" for a, b in itertools.pairwise(points)]
        text += f"M{points[0][0]} {points[0][1]}l{' '.join(steps)}z".replace(" -", "-")
    return text
