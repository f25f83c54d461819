import datetime as dt
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from twofold.trend.report.maps import undrawable, world_map

ABSENT = {
    "Antigua and Barbuda": "ag", "Bahamas": "bs", "Barbados": "bb", "Dominica": "dm", "Fiji": "fj", "Grenada": "gd",
    "Kosovo": "xk", "Qatar": "qa", "Saint Kitts and Nevis": "kn", "Saint Lucia": "lc",
    "Saint Vincent and the Grenadines": "vc", "South Sudan": "ss", "Trinidad and Tobago": "tt",
}  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def _tomorrow(rows: list[tuple[str, str | None, float, bool]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows,
        schema={"region": pl.String, "iso2": pl.String, "probability": pl.Float64, "in_c": pl.Boolean},
        orient="row",
    )
    return frame.with_columns(target_date=dt.date(2020, 4, 13))


def _shape(drawn: str, region: str) -> ET.Element:
    shapes = [
        shape
        for shape in ET.fromstring(drawn).iter(f"{SVG}g")
        if (shape.findtext(f"{SVG}title") or "").startswith(region)
    ]
    assert len(shapes) == 1
    return shapes[0]


def test_the_thirteen_places_and_the_ships_are_listed_not_dropped() -> None:
    rows = [(name, code, 0.3, True) for name, code in ABSENT.items()]
    ships = [("Diamond Princess", None, 0.4, False), ("MS Zaandam", None, 0.1, True)]
    frame = _tomorrow([("Italy", "it", 0.5, True), *rows, *ships])
    listed = undrawable(frame)
    assert listed["region"].to_list() == [*ABSENT, "Diamond Princess", "MS Zaandam"]
    assert listed["probability"].to_list() == [0.3] * 13 + [0.4, 0.1]


def test_every_region_is_drawn_or_listed_even_when_two_share_a_code() -> None:
    frame = _tomorrow([("Burma", "mm", 0.2, True), ("Myanmar", "mm", 0.9, True), ("Chad", "td", 0.9, False)])
    assert undrawable(frame)["region"].to_list() == ["Myanmar"]
    assert "Burma" in world_map(frame) and "Myanmar" not in world_map(frame)


@pytest.mark.parametrize(
    ("probability", "series"), [(0.0, 0), (0.1999, 0), (0.2, 1), (0.5, 2), (0.6, 3), (0.8, 4), (1.0, 4)]
)
@pytest.mark.parametrize("in_c", [True, False])
def test_colour_follows_the_probability_and_hatching_the_set_c(probability: float, series: int, in_c: bool) -> None:
    shape = _shape(world_map(_tomorrow([("Italy", "it", probability, in_c)])), "Italy")
    assert shape.get("class") == f"s{2 * series + (not in_c)}"
    assert shape.get("data-region") == "Italy"
    assert ("outside C" in (shape.findtext(f"{SVG}title") or "")) is not in_c


def test_the_map_stands_alone_and_comes_out_the_same_each_time() -> None:
    frame = _tomorrow([("Côte d'Ivoire <x>", "ci", 0.5, True)])
    drawn = world_map(frame)
    assert drawn == world_map(frame)
    assert "script" not in drawn.lower() and "http" not in drawn.replace(SVG[1:-1], "")
    assert _shape(drawn, "Côte d'Ivoire <x>: 50") is not None


def test_a_map_of_nothing_is_bare_outlines() -> None:
    drawn = world_map(_tomorrow([("Nowhere", None, 0.5, True)]))
    assert not [shape for shape in ET.fromstring(drawn).iter(f"{SVG}g") if shape.findtext(f"{SVG}title")]
