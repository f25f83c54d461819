"""Two runs side by side: the figures of `twofold runs compare`, and what the page's script needs."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.folders import Client, put, vae_scores
from twofold.engine.files import write_json
from twofold.runs import commands


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, trend_runs: Path, vae_runs: Path) -> Path:
    """Two trend runs and two vae runs; the second of each has another setting and is otherwise a copy."""
    root = tmp_path_factory.mktemp("compared")
    for source, group in ((trend_runs / "waves", "train"), (vae_runs / "discs", "train")):
        shutil.copytree(source, root / source.name)
        other = root / f"{source.name}-2"
        shutil.copytree(source, other)
        config = json.loads((other / "config.json").read_text())
        config[group]["learning_rate"] *= 2
        write_json(other / "config.json", config)
    put(root / "walk", "trend backtest", {})
    put(root / "begun", "trend run", done=False)
    return root


@pytest.fixture(scope="module")
def ask(root: Path) -> Client:
    return Client(root)


def _data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("name", ["waves", "discs"])
def test_the_figures_are_those_of_the_command(
    ask: Client, root: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask.get("/api/compare", params={"a": name, "b": f"{name}-2"}).json()
    assert commands.compare([str(root / name), str(root / f"{name}-2"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert found["settings"] == printed["settings"] and set(found["settings"]) == {"train.learning_rate"}
    for score, both in printed["scores"].items():
        for figure, one in zip(found["scores"][score], both, strict=True):
            assert {key: figure[key] for key in one} == one
    [paired] = printed["paired"]
    assert (found["cases"], found["why"]) == (paired["cases"], "") and found["cases"] > 0
    assert {score: figure["value"] for score, figure in found["differences"].items()} == {
        score: figure["value"] for score, figure in paired["differences"].items()
    }


def test_the_page_of_trend_runs_shares_dates_and_regions(ask: Client) -> None:
    text = ask.get("/compare?a=waves&b=waves-2").text
    data = _data(text)
    outlook = ask.get("/api/runs/waves/trend").json()
    for key, name in (("a", "waves"), ("b", "waves-2")):
        assert data[key]["run"] == name and data[key]["dates"] == outlook["dates"]
        assert [model["name"] for model in data[key]["models"]] == [model["name"] for model in outlook["models"]]
    assert "train.learning_rate" in text and "Log score" in text and "https://" not in text


def test_the_page_of_vae_runs_shows_the_images_of_the_first(ask: Client) -> None:
    text = ask.get("/compare?a=discs&b=discs-2").text
    data = _data(text)
    assert text.count("data-image=") == data["a"]["images"] > 0
    for sheet in ("real", "reconstruction", "prior"):
        for name in ("discs", "discs-2"):
            assert f'src="/api/runs/{name}/sheets/{sheet}"' in text


@pytest.mark.parametrize(
    ("a", "b", "status", "code"),
    [
        ("waves", "discs", 422, "invalid"),
        ("waves", "walk", 422, "invalid"),
        ("waves", "none", 404, "not_found"),
        ("waves", "begun", 409, "unusable_run"),
        ("waves", "", 404, "not_found"),
    ],
)
def test_what_can_not_be_compared_is_told(ask: Client, a: str, b: str, status: int, code: str) -> None:
    answer = ask.get("/api/compare", params={"a": a, "b": b})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ask.get("/compare", params={"a": a, "b": b}).status_code == status


def test_a_run_whose_predictions_are_damaged_is_told(root: Path, tmp_path: Path) -> None:
    for name in ("waves", "waves-2"):
        shutil.copytree(root / name, tmp_path / name)
    (tmp_path / "waves" / "predictions.parquet").write_bytes(b"nothing")
    answer = Client(tmp_path).get("/api/compare?a=waves&b=waves-2")
    assert (answer.status_code, answer.json()["code"]) == (409, "unusable_run")


def test_finished_runs_can_be_ticked(ask: Client, tmp_path: Path) -> None:
    text = ask.get("/").text
    ticked = set(re.findall(r'data-compare="([^"]+)"', text))
    assert ticked == {"waves", "waves-2", "discs", "discs-2", "walk"}
    put(tmp_path / "one", "vae run", vae_scores(1.0))
    assert 'data-kind="vae run"' in Client(tmp_path).get("/").text
    assert ask.get("/static/home.js").status_code == ask.get("/static/compare.js").status_code == 200
