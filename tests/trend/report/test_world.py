import re
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from twofold.counts.places import iso2
from twofold.page.album import Album
from twofold.trend.report.world import draw_world, drawable, outlines, world_map

SVG = "{http://www.w3.org/2000/svg}"


def _forecast(rows: list[tuple[str, str | None, float | None, bool]]) -> pl.DataFrame:
    schema = {"region": pl.String, "iso2": pl.String, "probability": pl.Float64, "in_c": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _shapes(drawn: str) -> dict[str, ET.Element]:
    found = [group for group in ET.fromstring(drawn).iter(f"{SVG}g") if group.get("data-place")]
    return {group.get("data-place") or "": group for group in found}


def test_every_outline_is_a_path_within_the_map_and_small_places_have_a_dot() -> None:
    width, height, shapes, dots = outlines()
    assert len(shapes) > 230 and "" in shapes
    for code, path in shapes.items():
        assert re.fullmatch(r"(M-?\d+ ?-?\d+l(-?\d+[ -]?)+z)*", path), code
        x = y = 0
        for command, text in re.findall(r"([Ml])([^Mlz]+)", path):
            numbers = list(map(int, re.findall(r"-?\d+", text)))
            assert len(numbers) % 2 == 0
            for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
                x, y = (dx, dy) if command == "M" else (x + dx, y + dy)
                assert 0 <= x <= width and 0 <= y <= height, code
    assert all(code in dots for code, path in shapes.items() if not path)
    assert {"mt", "sg", "bh", "va"} <= dots.keys() and not {"fr", "us", "dk"} & dots.keys()


@pytest.mark.parametrize(
    "name", ["Kosovo", "South Sudan", "Qatar", "Fiji", "Taiwan*", "West Bank and Gaza", "Holy See"]
)
def test_places_that_another_map_lacked_are_there(name: str) -> None:
    assert iso2(name) in outlines().shapes


@pytest.mark.parametrize(
    ("probability", "look"), [(0.0, 0), (0.1999, 0), (0.2, 2), (0.5, 4), (0.6, 6), (0.8, 8), (1.0, 8)]
)
@pytest.mark.parametrize("in_c", [True, False])
def test_the_look_follows_the_probability_and_the_set_c(probability: float, look: int, in_c: bool) -> None:
    [shape] = _shapes(world_map(_forecast([("Italy", "it", probability, in_c)]))).values()
    assert shape.get("class") == f"s{look + (not in_c)}"
    assert ("outside C" in (shape.findtext(f"{SVG}title") or "")) is not in_c


def test_a_shape_names_its_row_also_behind_regions_that_have_none() -> None:
    rows = [
        ("Zaandam", None, 0.1, True),
        ("Burma", "mm", 0.2, True),
        ("Myanmar", "mm", 0.9, True),
        ("<Malta>", "mt", None, True),
    ]
    forecast = _forecast(rows)
    drawn = world_map(forecast)
    assert drawable(forecast)["region"].to_list() == ["Burma", "<Malta>"]
    shapes = _shapes(drawn)
    assert {place: shape.findtext(f"{SVG}title") for place, shape in shapes.items()} == {
        "1": "Burma: 20\xa0%", "3": "<Malta>: no forecast"
    }  # fmt: skip
    assert shapes["3"].get("class") == "none" and shapes["3"].find(f"{SVG}circle") is not None
    assert "script" not in drawn and "http" not in drawn.replace(SVG[1:-1], "") and drawn == world_map(forecast)


def test_what_the_map_lacks_is_returned_and_a_map_of_nothing_is_not_shown() -> None:
    saved: dict[str, bytes] = {}
    album = Album(saved.__setitem__)
    lacking = draw_world(album, _forecast([("Nowhere", None, 0.5, True)]))
    assert [row["region"] for row in lacking] == ["Nowhere"]
    assert "map" not in album and b"<svg" in saved["map.svg"]
    assert draw_world(album, _forecast([("Italy", "it", 0.5, True)])) == [] and "map" in album
