"""A hub's backtest over the API: the numbers of the report's explorer, for every model, place by place."""

import json
from pathlib import Path

import pytest

from app.folders import Client, put
from hub.small import hub_folder
from hub.small_quantiles import CURVE, ENSEMBLE, POOL, add_quantiles, without_categories
from page.reading import read as read_html
from twofold.hub.report import view


def _run(folder: Path, *, categories: bool = True, quantiles: bool = True) -> Path:
    put(folder, "hub backtest")
    kept = {name: (folder / name).read_text() for name in ("manifest.json", "config.json")}
    hub_folder(folder)
    if quantiles:
        add_quantiles(folder)
    if not categories:
        without_categories(folder)
    for name, text in kept.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _run(tmp_path_factory.mktemp("hub-runs") / "season").parent


@pytest.fixture(scope="module")
def ask(root: Path) -> Client:
    return Client(root)


def test_a_place_holds_what_the_reports_explorer_holds(ask: Client, root: Path) -> None:
    whole = view.read(root / "season").explorer
    season = ask.get("/api/runs/season/hub").json()
    assert {name: season[name] for name in season if name != "models"} == {
        name: whole[name] for name in season if name != "models"
    }
    names = [model["name"] for model in season["models"]]
    assert names[:2] == [POOL, ENSEMBLE]
    for number in range(len(season["places"])):
        found = ask.get(f"/api/runs/season/hub/places/{number}", params={"other": names.index(CURVE)}).json()
        assert [model["name"] for model in found["models"]] == [POOL, CURVE]
        assert (found["counts"], found["known"]) == (whole["counts"][number], whole["known"][number])
        assert found["observed"] == whole["observed"][number]
        for model in found["models"]:
            held = next(each for each in whole["models"] if each["name"] == model["name"])
            for part in ("fans", "rise", "pmf"):
                assert model[part] == (held[part][number] if held[part] else [])
            assert model["ratio"] == held["ratio"]


def test_every_model_can_be_compared_with(ask: Client, root: Path) -> None:
    scored = json.loads((root / "season" / "scores.json").read_text())["quantile"]["models"]
    names = [model["name"] for model in ask.get("/api/runs/season/hub").json()["models"]]
    assert sorted(names) == sorted(scored)
    alone = ask.get("/api/runs/season/hub/places/0").json()["models"]
    assert [model["name"] for model in alone] == [POOL]


def test_the_page_says_who_was_better_where(ask: Client, root: Path) -> None:
    text = ask.get("/runs/season").text
    rows = json.loads((root / "season" / "scores.json").read_text())["quantile"]["by"]["location"]
    table = text[text.index('id="by-place"') :]
    for row in rows:
        assert f">{row['relative_wis']:.2f}</td>" in table
    assert table.count(' best"') == 3
    assert "https://" not in text
    for script in ("svg.js", "explorer.js", "hub.js"):
        assert f'src="/static/{script}"' in text
        assert ask.get(f"/static/{script}").status_code == 200


def test_the_page_has_all_that_the_explorer_takes(ask: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = _run(tmp_path_factory.mktemp("report") / "season")
    report = read_html(view.write(made).read_text(encoding="utf-8")).ids
    page = read_html(ask.get("/runs/season").text).ids
    wanted = {name for name in report if name.startswith("explorer-")} - {"explorer-data"}
    assert wanted <= set(page) and len(wanted) > 10


@pytest.mark.parametrize(("categories", "score"), [(True, "RPS"), (False, "WIS")])
def test_hubs_of_one_kind_of_forecast(tmp_path: Path, categories: bool, score: str) -> None:
    _run(tmp_path / "part", categories=categories, quantiles=not categories)
    ask = Client(tmp_path)
    assert ask.get("/runs/part").status_code == 200
    season = ask.get("/api/runs/part/hub").json()
    assert season["score"] == score and bool(season["categories"]) == categories
    [own, other] = ask.get("/api/runs/part/hub/places/0?other=1").json()["models"]
    assert bool(own["fans"]) == bool(other["fans"]) == (not categories)
    assert bool(own["pmf"]) == bool(other["pmf"]) == categories
    assert all(ratio is not None for ratio in other["ratio"])


@pytest.mark.parametrize("address", ["places/-1", "places/99", "places/0?other=99", "places/0?other=-1"])
def test_numbers_beyond_the_lists_are_not_found(ask: Client, address: str) -> None:
    answer = ask.get(f"/api/runs/season/hub/{address}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["counts.parquet", "predictions_quantile.parquet", "scores.json", "rules.json"])
def test_files_of_another_version_are_told(tmp_path: Path, name: str) -> None:
    run = _run(tmp_path / "odd")
    (run / name).write_text("{}")
    for address in ("/api/runs/odd/hub", "/api/runs/odd/hub/places/0", "/runs/odd"):
        assert Client(tmp_path).get(address).status_code == 409
