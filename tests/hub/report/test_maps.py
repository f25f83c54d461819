import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl

from hub.small import DEFAULT, OURS, PEERS, RULES, START, WEEKS, change, forecasts_of, hub_folder, truth_of
from twofold.engine.files import saver
from twofold.hub.report import evidence as hub_evidence
from twofold.hub.report import maps as hub_maps
from twofold.hub.report.wording import FALLING, RISING, SKILL, shades
from twofold.hub.rules import WEEK
from twofold.page.album import Album

SVG = "{http://www.w3.org/2000/svg}"
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
                rows += [(*unit, name, p) for name, p in zip(RULES.categories, given, strict=True)]
    columns = ["model", "reference_date", "horizon", "location", "category", "probability"]
    own = pl.DataFrame(rows, columns, orient="row")
    others = [forecasts_of(name, seed, WEEKS) for seed, name in enumerate([*OURS[1:], *PEERS])]
    rose = (pl.col("location") == "01") & (pl.col("horizon") == 1)
    truth = truth_of(1, WEEKS).with_columns(observed=pl.when(rose).then(4).otherwise(1).cast(pl.Int64))
    return hub_folder(folder, forecasts=pl.concat([own, *others]), truth=truth)


def _looks(path: Path) -> dict[str, tuple[str, str]]:
    """Place -> its words and its colour."""
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    titled = [(each.findtext(f"{SVG}title") or "", each.get("fill") or "") for each in root.iter() if each.get("fill")]
    return {words.split(":")[0]: (words.split(": ")[1], fill) for words, fill in titled if words}


def test_a_date_s_maps_show_what_was_given_and_what_happened(tmp_path: Path) -> None:
    made = _folder(tmp_path)
    parts = hub_maps.day_maps(hub_evidence.read(made), Album(saver(made)), "The rise", START)
    assert len(parts) == 3
    assert _looks(made / "figures" / "map-the-rise-rise.svg") == {
        "Alabama": ("P(rise) 60\u00a0%", RISING[3]),
        "Wyoming": ("P(rise) 5\u00a0%", RISING[0]),
        "US": ("P(rise) 10\u00a0%", RISING[1]),
    }
    assert _looks(made / "figures" / "map-the-rise-fall.svg") == {
        "Alabama": ("P(fall) 30\u00a0%", FALLING[2]),
        "Wyoming": ("P(fall) 75\u00a0%", FALLING[4]),
        "US": ("P(fall) 9\u00a0%", FALLING[0]),
    }
    colours = shades(RULES.categories)
    assert _looks(made / "figures" / "map-the-rise-happened.svg") == {
        "Alabama": ("large increase", colours[4]),
        "Wyoming": ("decrease", colours[1]),
        "US": ("decrease", colours[1]),
    }


def test_the_skill_map_colours_the_ratio_to_each_rival(tmp_path: Path) -> None:
    made = _folder(tmp_path)
    common = json.loads((made / "scores.json").read_text())["common"]
    change(made, common={"Bteam-wave": common["Bteam-wave"], DEFAULT: common[DEFAULT]})
    found = hub_evidence.read(made)
    hub_maps.skill_maps(found, Album(saver(made)))
    for name, rival in (("ensemble", "FluSight-ensemble"), ("peer", "Bteam-wave")):
        looks = _looks(made / "figures" / f"map-skill-{name}.svg")
        for row in found.beside(rival, ["location"]).iter_rows(named=True):
            ratio = row["ours"] / row["theirs"]
            words, colour = looks[found.name_of(row["location"])]
            assert words == f"{ratio:.2f} on {row['n']} forecasts"
            assert colour == SKILL[int(np.searchsorted([0.85, 0.95, 1.05, 1.15], ratio, side="right"))]


def test_another_horizon_is_shown_where_the_hub_does_not_ask_one_week(tmp_path: Path) -> None:
    made = _folder(tmp_path)
    found = hub_evidence.read(made)
    assert found.horizon == 1
    other = found.rules.model_copy(update={"horizons": (2, 3)})
    (made / "rules.json").write_text(other.to_json())
    assert hub_evidence.read(made).horizon == 2
