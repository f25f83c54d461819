"""A trend run over the API: the numbers of its tables, by date and by region."""

import json
from pathlib import Path

import polars as pl
import pytest

from app.folders import Client, put
from trend.small import epidemic
from trend.walk.small import quick_walk, walked


@pytest.fixture(scope="module")
def ask(trend_runs: Path) -> Client:
    return Client(trend_runs)


@pytest.fixture(scope="module")
def windows(trend_runs: Path) -> pl.DataFrame:
    return pl.read_parquet(trend_runs / "waves" / "predictions.parquet").filter(split="test")


def test_dates_and_regions_hold_the_numbers_of_the_predictions(ask: Client, windows: pl.DataFrame) -> None:
    outlook = ask.get("/api/runs/waves/trend").json()
    names = [region["name"] for region in outlook["regions"]]
    assert outlook["dates"] == sorted({str(date) for date in windows["target_date"]})
    days = [ask.get(f"/api/runs/waves/trend/{number}").json() for number in range(len(outlook["dates"]))]
    courses = {name: ask.get(f"/api/runs/waves/regions/{row}").json() for row, name in enumerate(names)}
    seen = 0
    for row in windows.iter_rows(named=True):
        number, place = outlook["dates"].index(str(row["target_date"])), names.index(row["region"])
        day, course = days[number], courses[row["region"]]
        assert day["origin"] == str(row["origin"])
        assert day["rose"][place] == course["rose"][number] == row["label"]
        for model in outlook["models"]:
            p = pytest.approx(row[f"p_{model['name']}"], abs=1e-4)
            assert day["probabilities"][model["name"]][place] == p
            assert course["probabilities"][model["name"]][number] == p
        seen += 1
    given = sum(p is not None for day in days for p in day["probabilities"]["ensemble"])
    assert given == seen == len(windows)


def test_counts_are_the_new_cases_of_the_panel(ask: Client, trend_runs: Path) -> None:
    panel = pl.read_parquet(trend_runs / "waves" / "panel.parquet")
    course = ask.get("/api/runs/waves/regions/1").json()
    own = panel.filter(region=course["region"]["name"]).sort("date")
    assert course["counts"] == own["increment"].to_list()
    day = ask.get("/api/runs/waves/trend/0").json()
    assert day["counts"][1] == course["counts"][course["days"].index(day["origin"])]


def test_the_page_holds_the_last_date_without_its_script(ask: Client, windows: pl.DataFrame) -> None:
    page = ask.get("/runs/waves").text
    last = windows.filter(target_date=windows["target_date"].max()).sort("p_ensemble", descending=True)
    rows = page[page.index('id="rows"') :]
    places = [rows.index(f">{region}<") for region in last["region"]]
    p = last["p_ensemble"].round(4)
    assert all(a < b for a, b, same in zip(places, places[1:], p.diff()[1:], strict=False) if same)
    assert f"{100 * last['p_ensemble'][0]:.0f}\u00a0%" in rows
    assert 'src="/static/trend.js"' in page and "https://" not in page
    assert 'id="map"' not in page  # none of these regions is a country


def test_numbers_beyond_the_lists_are_not_found(ask: Client) -> None:
    for address in ("trend/-1", "trend/999", "regions/999", "trend/x"):
        answer = ask.get(f"/api/runs/waves/{address}")
        assert answer.status_code == (422 if address == "trend/x" else 404)


def test_tables_of_another_version_are_told(tmp_path: Path) -> None:
    run = put(tmp_path / "odd", "trend run", {})
    for name in ("predictions", "tomorrow", "panel"):
        (run / f"{name}.parquet").write_bytes(b"nothing")
    answer = Client(tmp_path).get("/api/runs/odd/trend")
    assert (answer.status_code, answer.json()["code"]) == (409, "unusable_run")


@pytest.fixture(scope="module")
def walked_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one backtest, `walk`."""
    root = tmp_path_factory.mktemp("walked-runs")
    walked(epidemic(), quick_walk(), root / "walk")
    (root / "walk" / "report.html").write_text("<!DOCTYPE html><p>report")
    (root / "walk" / "DONE").touch()
    return root


def test_a_backtest_is_shown_as_a_run_is(walked_runs: Path) -> None:
    ask = Client(walked_runs)
    made = pl.read_parquet(walked_runs / "walk" / "predictions.parquet")
    scores = json.loads((walked_runs / "walk" / "scores.json").read_text())["models"]
    outlook = ask.get("/api/runs/walk/trend").json()
    assert outlook["dates"] == sorted({str(date) for date in made["target_date"]})
    assert outlook["models"][0]["name"] == "pool"
    assert {model["name"] for model in outlook["models"]} == set(scores)
    for model in outlook["models"]:
        assert model["log_score"] == scores[model["name"]]["active"]["log_score"]
    names = [region["name"] for region in outlook["regions"]]
    for number, date in enumerate(outlook["dates"]):
        day = ask.get(f"/api/runs/walk/trend/{number}").json()
        for row in made.filter(pl.col("target_date").cast(pl.String) == date).iter_rows(named=True):
            place = names.index(row["region"])
            assert (day["origin"], day["rose"][place]) == (str(row["origin"]), row["label"])
            assert day["probabilities"]["pool"][place] == pytest.approx(row["p_pool"], abs=1e-4)
    page = ask.get("/runs/walk").text
    assert "baseline" in page and 'id="table-file"' not in page  # a backtest keeps no model


def test_models_stand_beside_baselines(ask: Client, trend_runs: Path) -> None:
    scores = json.loads((trend_runs / "waves" / "scores.json").read_text())
    models = {model["name"]: model for model in ask.get("/api/runs/waves/trend").json()["models"]}
    for name, block in scores["baselines"].items():
        assert models[f"baseline_{name}"]["baseline"]
        for score in ("log_score", "brier_skill", "roc_auc"):
            assert models[f"baseline_{name}"][score] == block["test_active"][score]
    assert not models["ensemble"]["baseline"] and models["ensemble"]["roc_auc"] == scores["test_active"]["roc_auc"]
