import datetime as dt
import json
import re
import shutil
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from page.reading import check_whole
from trend.report.showing import ODD_NAMES
from twofold.page.album import Album
from twofold.trend.report import explorer, regions
from twofold.trend.report import run as report

SCRIPT = resources.files("twofold.trend.report").joinpath("explorer.js").read_text(encoding="utf-8")
DAYS = [dt.date(2021, 1, 1) + dt.timedelta(days=index) for index in range(5)]


@pytest.fixture(scope="module")
def folder(computed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("explored") / "run"
    shutil.copytree(computed, made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Album, "draw", lambda album, name, figure: album.keep(name, "<svg></svg>"))
        report.write(made)
    return made


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="explorer-data">(.*?)</script>', html, re.S)
    assert found is not None
    return json.loads(found[1])


def test_probabilities_and_outcomes_are_those_of_the_table(folder: Path, data: dict[str, Any]) -> None:
    test = pl.read_parquet(folder / "predictions.parquet").filter(split="test")
    rows = {(row["region"], str(row["target_date"])): row for row in test.to_dicts()}
    assert data["targets"] == sorted({date for _, date in rows}) and data["left_out"] == 0
    for (place, shown), (at, target) in product(enumerate(data["places"]), enumerate(data["targets"])):
        row = rows.get((shown["name"], target))
        assert data["models"][0]["p"][place][at] == (row and round(100 * row["p_ensemble"]))
        assert data["rose"][place][at] == (row and int(row["label"]))
    best = json.loads((folder / "scores.json").read_text())["verdict"]["best_baseline"]
    name, target = test["region"][0], test["target_date"][0]
    place = next(index for index, shown in enumerate(data["places"]) if shown["name"] == name)
    at = data["targets"].index(str(target))
    assert data["models"][1]["p"][place][at] == round(100 * test[f"p_baseline_{best}"][0])


def test_counts_and_the_forecast_ahead_are_those_of_the_tables(folder: Path, data: dict[str, Any]) -> None:
    panel, ahead = (pl.read_parquet(folder / f"{name}.parquet") for name in ("panel", "tomorrow"))
    counts = {(region, str(date)): count for region, date, count in panel.select("region", "date", "increment").rows()}
    for place, shown in enumerate(data["places"]):
        assert data["counts"][place] == [counts[shown["name"], step] for step in data["steps"]]
        row = ahead.row(shown["row"], named=True)
        assert (row["region"], row["in_c"]) == (shown["name"], shown["in_c"])
        assert data["ahead"]["p"][place] == round(100 * row["probability"])
    assert data["ahead"]["date"] == str(ahead["target_date"][0])
    assert data["steps"][-1] == str(panel["date"].max())


def test_the_table_has_every_region_likeliest_first_and_the_map_its_rows(folder: Path, html: str) -> None:
    ahead = pl.read_parquet(folder / "tomorrow.parquet")
    page = check_whole(html)
    listed = [int(named["data-place"] or "") for tag, named in page.tags if tag == "tr" and "data-place" in named]
    assert sorted(listed) == list(range(len(ahead)))
    ranked = [ahead.row(place, named=True) for place in listed]
    assert ranked == sorted(ranked, key=lambda row: (not row["in_c"], -row["probability"]))
    drawn = [int(named["data-place"] or "") for tag, named in page.tags if tag == "g" and "data-place" in named]
    assert set(drawn) == {place for place, code in enumerate(ahead["iso2"]) if code}
    figures = [float(named["data-value"] or "") for tag, named in page.tags if tag == "td" and "data-value" in named]
    assert figures[0] == pytest.approx(ranked[0]["probability"], abs=1e-4)
    assert "Not on the map:" in page.text and ODD_NAMES[3] in page.text


def test_every_control_has_a_label_and_waits_for_the_script(html: str) -> None:
    controls = re.findall(r"<(?:input|button)\b[^>]*>", html)
    assert len(controls) >= 5
    for control in controls:
        labelled = re.search(
            rf"<label\b[^>]*>(?:(?!</label>).)*{re.escape(control)}(?:(?!<label).)*</label>", html, re.S
        )
        assert labelled or 'aria-label="' in control, control
    hidden = html.index('<div class="scripted" hidden>')
    assert all(html.index(control) > hidden for control in controls)
    heads = re.findall(r'<th scope="col"[^>]*data-sort="(?:text|number)">([^<]+)</th>', html)
    assert heads[:3] == ["Region", "P(rise)", "Newest"]
    assert re.search(r'<p id="explorer-status" role="status">', html)


def test_the_script_finds_what_it_looks_for_and_writes_no_markup(html: str) -> None:
    for name in re.findall(r'part\("(\w+)"\)', SCRIPT):
        assert f'id="explorer-{name}"' in html, name
    assert "innerHTML" not in SCRIPT and "fetch(" not in SCRIPT and "insertAdjacent" not in SCRIPT


def _many(places: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = [f"place {index}" for index in range(places)]
    rows = [(name, day, index) for index, name in enumerate(names) for day in DAYS]
    panel = pl.DataFrame(rows, schema=["region", "date", "increment"], orient="row")
    return panel, panel.select("region", target_date="date", label=pl.lit(True), p_a=pl.lit(0.256))


def test_too_many_regions_leave_those_with_the_most_cases_and_too_many_dates_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explorer, "MOST_PLACES", 2)
    monkeypatch.setattr(explorer, "MOST_VALUES", 4)
    monkeypatch.setattr(explorer, "LEAST_DATES", 1)
    panel, tested = _many(4)
    found = explorer.data(panel, tested, ["a"], [f"place {index}" for index in range(4)])
    assert [(place["name"], place["row"]) for place in found["places"]] == [("place 2", 2), ("place 3", 3)]
    assert found["targets"] == [str(day) for day in DAYS[3:]] and found["left_out"] == 3
    assert found["ahead"] is None and found["models"][0]["p"] == [[26, 26], [26, 26]]


def test_a_long_table_has_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, tested = _many(3)
    forecast = pl.DataFrame({
        "region": ["place 0", "place 1", "nowhere"], "probability": [0.1, None, 0.9], "in_c": [True, True, False],
        "last_value": [0, 1, None],
    })  # fmt: skip
    rows = regions.rows(forecast, regions.recent(panel, 3), tested, "p_a")
    assert [(row["region"], row["place"], row["latest"], row["windows"]) for row in rows] == [
        ("place 0", 0, 0, 5), ("place 1", 1, 3, 5), ("nowhere", 2, None, None)
    ]  # fmt: skip
    assert rows[1]["points"] == "0,1.0 2,1.0 4,1.0" and rows[1]["mean"] == pytest.approx(0.256)
    monkeypatch.setattr(regions, "MOST_PLACES", 2)
    assert regions.rows(forecast, regions.recent(panel, 3), tested, "p_a")[0]["points"] is None
