import re
from importlib import resources
from xml.etree import ElementTree as ET

import pytest

from twofold.hub.report.us_map import BLANK, Shade, drawable, outlines, us_map

SVG = "{http://www.w3.org/2000/svg}"
LEGEND = [("#112233", "low"), ("#445566", "high & <b>"), ("#778899", "none"), ("#aabbcc", "more")]


def _titled(drawn: str, words: str) -> list[ET.Element]:
    return [each for each in ET.fromstring(drawn).iter() if each.findtext(f"{SVG}title") == words]


def test_all_states_and_the_capital_have_a_shape_in_the_box() -> None:
    found = outlines()
    assert len(found.shapes) == 51 and {"02", "11", "15", "56"} <= found.shapes.keys()
    for path in found.shapes.values():
        for start in re.findall(r"M(\d+) (\d+)", path):
            assert 0 <= int(start[0]) <= found.width and 0 <= int(start[1]) <= found.height
        assert re.fullmatch(r"(M\d+ \d+l[-\d ]+z)+", path)


def test_the_data_file_is_small() -> None:
    assert len((resources.files("twofold.hub.report") / "us_states.json").read_bytes()) < 60_000


def test_what_can_be_drawn_is_a_state_or_a_square() -> None:
    assert drawable(["US", "DE", "72", "11", "01", "99"]) == ["US", "72", "11", "01"]


@pytest.mark.parametrize("code", ["01", "56"])
def test_a_state_has_its_colour_and_its_words(code: str) -> None:
    (shape,) = _titled(us_map({code: Shade("#123456", "A <state>: 5 %")}, LEGEND, "t"), "A <state>: 5 %")
    assert (shape.tag, shape.get("fill"), shape.get("d")) == (f"{SVG}path", "#123456", outlines().shapes[code])


def test_the_small_ones_stand_as_labelled_squares_too() -> None:
    shades = {code: Shade("#123456", f"place {code}") for code in ("11", "72", "US")}
    drawn = us_map(shades, LEGEND, "t")
    assert [len(_titled(drawn, f"place {code}")) for code in ("11", "72", "US")] == [2, 1, 1]
    texts = [each.text for each in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert texts[:3] == ["DC", "PR", "US"]
    tops = [int(each.get("y", "")) for each in ET.fromstring(drawn).iter(f"{SVG}rect")][:3]
    assert tops == sorted(set(tops)) and tops[-1] + 44 < outlines().height


def test_places_without_a_value_are_grey_and_unknown_ones_left_out() -> None:
    drawn = us_map({"DE": Shade("#123456", "far away")}, LEGEND, "t")
    fills = {each.get("fill") for each in ET.fromstring(drawn).iter(f"{SVG}path")}
    assert fills == {BLANK} and "far away" not in drawn


def test_the_legend_lies_below_the_map_in_the_box() -> None:
    root = ET.fromstring(us_map({}, LEGEND, "t", text_size=30, columns=3))
    _, _, width, height = (int(each) for each in root.get("viewBox", "").split())
    boxes = [(int(each.get("x", "")), int(each.get("y", ""))) for each in root.iter(f"{SVG}rect")]
    assert len(boxes) == 4 and all(outlines().height < y < height - 30 and x < width for x, y in boxes)
    assert [each.text for each in root.iter(f"{SVG}text")] == [words for _, words in LEGEND]


def test_the_map_stands_alone() -> None:
    drawn = us_map({"01": Shade("#123456", "x")}, LEGEND, "a <title>")
    assert "http" not in drawn.replace(SVG[1:-1], "") and "<b>" not in drawn and "href" not in drawn
    assert ET.fromstring(drawn).findtext(f"{SVG}title") == "a <title>"
