"""A trend run over the API: the numbers of its tables, by date and by region."""

from pathlib import Path

import polars as pl
import pytest

from app.folders import Client, put


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
