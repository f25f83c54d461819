import json
import re
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest

from hub.small import CHANGE, DEFAULT, OURS, PEERS, RULES, START, WEEKS, change, forecasts_of, hub_folder, truth_of
from twofold.hub.report import view
from twofold.hub.report.maps import BLANK, Shade, UsMap, drawable, outlines
from twofold.hub.report.rates import RateView
from twofold.hub.report.wording import FALLING, RISING, SKILL, shades
from twofold.hub.rules import WEEK

SVG = "{http://www.w3.org/2000/svg}"
LEGEND = [("#112233", "low"), ("#445566", "high & <b>"), ("#778899", "none"), ("#aabbcc", "more")]
GIVEN = {"01": [0.1, 0.2, 0.1, 0.35, 0.25], "56": [0.75, 0.0, 0.2, 0.05, 0.0], "US": [0.05, 0.04, 0.81, 0.04, 0.06]}
"""P(rise) 0.6, 0.05, 0.1; P(fall) 0.3, 0.75, 0.09."""


def _folder(folder: Path) -> Path:
    """The default gives `GIVEN` one week ahead and is sure of a large decrease else; Alabama then rises a lot."""
    rows = []
    for week in range(WEEKS):
        for place, pmf in GIVEN.items():
            for horizon in RULES.horizons:
                given = pmf if (horizon, week) == (1, 0) else [1.0, 0.0, 0.0, 0.0, 0.0]
                unit = (DEFAULT, START + week * WEEK, horizon, place)
                rows += [(*unit, name, p) for name, p in zip(CHANGE.categories, given, strict=True)]
    columns = ["model", "reference_date", "horizon", "location", "category", "probability"]
    own = pl.DataFrame(rows, columns, orient="row")
    others = [forecasts_of(name, seed, WEEKS) for seed, name in enumerate([*OURS[1:], *PEERS])]
    rose = (pl.col("location") == "01") & (pl.col("horizon") == 1)
    truth = truth_of(1, WEEKS).with_columns(observed=pl.when(rose).then(4).otherwise(1).cast(pl.Int64))
    return hub_folder(folder, forecasts=pl.concat([own, *others]), truth=truth)


def _rates(folder: Path) -> RateView:
    found = view.read(folder).rates
    assert found is not None
    return found


def _looks(drawn: str) -> dict[str, tuple[str, str]]:
    """Place -> its words and its colour."""
    root = ET.fromstring(drawn)
    titled = [(each.findtext(f"{SVG}title") or "", each.get("fill") or "") for each in root.iter() if each.get("fill")]
    return {words.split(":")[0]: (words.split(": ")[1], fill) for words, fill in titled if words}


def test_a_date_s_maps_show_what_was_given_and_what_happened(tmp_path: Path) -> None:
    maps = _rates(_folder(tmp_path)).us_maps
    assert [name for name in maps if "-peak-" in name] == [f"map-the-peak-{it}" for it in ("rise", "fall", "happened")]
    assert _looks(maps["map-the-peak-rise"].svg()) == {
        "Alabama": ("P(rise) 60\u00a0%", RISING[3]),
        "Wyoming": ("P(rise) 5\u00a0%", RISING[0]),
        "US": ("P(rise) 10\u00a0%", RISING[1]),
    }
    assert _looks(maps["map-the-peak-fall"].svg()) == {
        "Alabama": ("P(fall) 30\u00a0%", FALLING[2]),
        "Wyoming": ("P(fall) 75\u00a0%", FALLING[4]),
        "US": ("P(fall) 9\u00a0%", FALLING[0]),
    }
    colours = shades(CHANGE.categories)
    assert _looks(maps["map-the-peak-happened"].svg()) == {
        "Alabama": ("large increase", colours[4]),
        "Wyoming": ("decrease", colours[1]),
        "US": ("decrease", colours[1]),
    }


def test_the_skill_map_colours_the_ratio_to_each_comparator(tmp_path: Path) -> None:
    made = _folder(tmp_path)
    common = json.loads((made / "scores.json").read_text())["common"]
    change(made, common={"Bteam-wave": common["Bteam-wave"], DEFAULT: common[DEFAULT]})
    found = _rates(made)
    for name, comparator in (("ensemble", "FluSight-ensemble"), ("peer", "Bteam-wave")):
        looks = _looks(found.us_maps[f"map-skill-{name}"].svg())
        for row in found.compare(comparator, ["location"]).iter_rows(named=True):
            ratio = row["ours"] / row["theirs"]
            words, colour = looks[found.name_of(row["location"])]
            assert words == f"{ratio:.2f} on {row['n']} forecasts"
            assert colour == SKILL[int(np.searchsorted([0.85, 0.95, 1.05, 1.15], ratio, side="right"))]


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
    (shape,) = _titled(UsMap("t", {code: Shade("#123456", "A <state>: 5 %")}, LEGEND).svg(), "A <state>: 5 %")
    assert (shape.tag, shape.get("fill"), shape.get("d")) == (f"{SVG}path", "#123456", outlines().shapes[code])


def test_the_small_ones_stand_as_labelled_squares_too() -> None:
    shades = {code: Shade("#123456", f"place {code}") for code in ("11", "72", "US")}
    drawn = UsMap("t", shades, LEGEND).svg()
    assert [len(_titled(drawn, f"place {code}")) for code in ("11", "72", "US")] == [2, 1, 1]
    texts = [each.text for each in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert texts[:3] == ["DC", "PR", "US"]
    tops = [int(each.get("y", "")) for each in ET.fromstring(drawn).iter(f"{SVG}rect")][:3]
    assert tops == sorted(set(tops)) and tops[-1] + 44 < outlines().height


def test_places_without_a_value_are_grey_and_unknown_ones_left_out() -> None:
    drawn = UsMap("t", {"DE": Shade("#123456", "far away")}, LEGEND).svg()
    fills = {each.get("fill") for each in ET.fromstring(drawn).iter(f"{SVG}path")}
    assert fills == {BLANK} and "far away" not in drawn


def test_the_legend_lies_below_the_map_in_the_box() -> None:
    root = ET.fromstring(UsMap("t", {}, LEGEND, text_size=30).svg())
    _, _, width, height = (int(each) for each in root.get("viewBox", "").split())
    boxes = [(int(each.get("x", "")), int(each.get("y", ""))) for each in root.iter(f"{SVG}rect")]
    assert len(boxes) == 4 and all(outlines().height < y < height - 30 and x < width for x, y in boxes)
    assert [each.text for each in root.iter(f"{SVG}text")] == [words for _, words in LEGEND]


def test_the_map_stands_alone() -> None:
    drawn = UsMap("a <title>", {"01": Shade("#123456", "x")}, LEGEND).svg()
    assert "http" not in drawn.replace(SVG[1:-1], "") and "<b>" not in drawn and "href" not in drawn
    assert ET.fromstring(drawn).findtext(f"{SVG}title") == "a <title>"
