"""A run from end to end: the folder holds what it promises, figures agree, two runs are the same to the byte."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

from trend.small import EVERY_INPUT, epidemic, quick, silent
from twofold.counts.panel import Panel
from twofold.engine.run import claim
from twofold.scoring.binary import SCORES, scores
from twofold.trend.baselines import BASELINES
from twofold.trend.forecast import Forecaster
from twofold.trend.run import execute

PANEL = epidemic(7, 60)
CONFIG = quick(
    seed=3,
    split={"validation_fraction": 0.15, "calibration_fraction": 0.15},
    features={"inputs": EVERY_INPUT},
    ensemble={"partners": ("lstm", "logistic")},
)
FILES = ("scores.json", "predictions.parquet", "panel.parquet", "tomorrow.parquet", "arrays.npz", "model.safetensors")


def run(path: Path, panel: Panel = PANEL, config=CONFIG) -> Path:
    with threadpool_limits(1), claim(path, config, panel.digest(), ["test"]) as folder:
        execute(panel, "cases.csv", config, folder, silent)
        folder.finish()
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("run") / "one")


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scores.json").read_text())


def test_every_file_is_there(folder):
    for name in (*FILES, "model.skops", "config.json", "metrics.jsonl", "manifest.json", "DONE"):
        assert (folder / name).is_file(), name


def test_scores_json_has_every_block(found):
    assert list(found)[:3] == ["recipe", "seed", "departures"]
    assert (found["seed"], found["departures"], found["simulated"]) == (3, None, False)
    assert {"regions", "dates", "first", "last"} <= set(found["data"])
    assert {"threshold", "selected", "names"} <= set(found["screen"])
    assert {"total", "positive", "train", "test"} <= set(found["windows"])
    for part in ("train", "test", "test_active"):
        assert tuple(found[part]) == SCORES
        assert tuple(found["intervals"][part]) == SCORES
    assert tuple(found["baselines"]) == BASELINES
    assert set(found["models"]) == {"network", "gru", "lstm"}
    for block in [*found["baselines"].values(), *found["models"].values()]:
        assert tuple(block["test"]) == tuple(block["test_active"]) == SCORES
        assert set(block["intervals"]) == {"test", "test_active"}
    assert set(found["comparisons"]) == {"test", "test_active"}
    verdict = "best_baseline", "score", "set", "difference", "low", "high", "dates", "significant"
    assert tuple(found["verdict"]) == verdict
    assert {item["group"] for item in found["importance"]} == set(EVERY_INPUT)


def test_the_model_block_knows_its_members(found):
    assert found["model"]["members"] == ["gru-0", "lstm-0", "logistic"]
    assert found["model"]["inputs"] == list(EVERY_INPUT)
    assert set(found["model"]["epochs"]) == {"gru-0", "lstm-0"}
    assert found["model"]["calibration"]["windows"] == found["windows"]["calibration"]


def test_predictions_give_the_scores_again(folder, found):
    table = pl.read_parquet(folder / "predictions.parquet")
    models = ["ensemble", "network", "gru", "lstm", *(f"baseline_{name}" for name in BASELINES)]
    assert table.columns[7:] == [f"p_{name}" for name in models]
    assert len(table) == found["windows"]["total"]
    assert table["label"].sum() == found["windows"]["positive"]
    assert table["tie"].sum() == found["windows"]["ties"]
    assert dict(table["split"].value_counts().iter_rows()) == {
        part: n for part in ("train", "validation", "calibration", "test", "purged") if (n := found["windows"][part])
    }
    test = table.filter(split="test")
    for part, rows in {"test": test, "test_active": test.filter("active")}.items():
        label = rows["label"].to_numpy()
        assert found[part] == pytest.approx(scores(rows["p_ensemble"].to_numpy(), label))
        for name, block in found["baselines"].items():
            assert block[part] == pytest.approx(scores(rows[f"p_baseline_{name}"].to_numpy(), label))


def test_the_panel_is_kept_as_published(folder):
    table = pl.read_parquet(folder / "panel.parquet")
    assert table.columns == ["region", "date", "value", "increment"]
    assert table["value"].to_numpy().reshape(PANEL.values.shape).tolist() == PANEL.values.tolist()
    assert table.filter(pl.col("increment").is_null())["date"].unique().to_list() == [PANEL.dates[0].item()]


def test_the_correlation_is_that_of_the_screened_days(folder, found):
    with np.load(folder / "arrays.npz") as arrays:
        correlation = arrays["correlation"]
    days = int((np.datetime64(found["screen"]["last"]) - PANEL.dates[0]).astype(int))
    moving = slice(0, 6)
    expected = np.corrcoef(np.diff(PANEL.values, axis=1)[moving, :days])
    assert correlation[moving, moving] == pytest.approx(expected)
    assert np.isnan(correlation[6]).all()


def test_tomorrow_covers_every_region_from_the_last_date(folder, found):
    table = pl.read_parquet(folder / "tomorrow.parquet")
    columns = ["region", "iso2", "probability", "in_c", "origin", "target_date", "last_value"]
    assert table.columns == columns
    assert table["region"].to_list() == list(PANEL.regions)
    assert table.filter("in_c")["region"].to_list() == found["screen"]["names"]
    assert table["probability"].is_between(0, 1).all()
    assert table["origin"].unique().to_list() == [PANEL.dates[-1].item()]
    assert table["target_date"].unique().to_list() == [(PANEL.dates[-1] + 1).item()]
    assert table["last_value"].to_list() == np.diff(PANEL.values, axis=1)[:, -1].tolist()


def test_the_saved_model_forecasts_the_same(folder):
    again = Forecaster.open(folder).forecast(PANEL)
    assert again.table.equals(pl.read_parquet(folder / "tomorrow.parquet"))


def test_metrics_hold_one_line_per_epoch_in_order(folder, found):
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    keys = [(record["stage"], record["member"], record["epoch"]) for record in records]
    assert keys == sorted(set(keys))
    assert {stage for stage, *_ in keys} == {"select", "evaluate", "final"}
    for member, epochs in found["model"]["epochs"].items():
        assert [epoch for stage, name, epoch in keys if (stage, name) == ("evaluate", member)][-1] == epochs
    for record in records:
        assert {"train_loss", "train_accuracy", "learning_rate", "seconds"} <= set(record)
        assert ("validation_loss" in record) == (record["stage"] == "select")


def test_two_runs_are_the_same_to_the_byte(folder, tmp_path):
    other = run(tmp_path / "other")
    for name in (*FILES, "config.json"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name


def test_a_run_that_goes_on_from_its_checkpoints_ends_the_same(folder, tmp_path):
    other = run(tmp_path / "other")
    for name in (*FILES, "DONE"):
        (other / name).unlink()
    again = run(other)
    for name in FILES:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_another_seed_is_another_run(folder, tmp_path):
    other = run(tmp_path / "other", config=CONFIG.model_copy(update={"seed": 4}))
    assert (folder / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "groups",
    [
        {"window": {"per_region": "last"}, "split": {"kind": "random", "test_fraction": 0.4}},
        {"window": {"target": "sum7"}, "split": {"kind": "temporal"}},
        {"split": {"kind": "regions"}, "model": {"embedding": 2}, "features": {"inputs": ("history", "raw")}},
        {"split": {"kind": "both"}, "screen": {"threshold": None}, "source": {"negatives": "redistribute"}},
        {"features": {"inputs": ("weekday", "log1p"), "scale": False}, "ensemble": {"partners": ("boosting",)}},
    ],
)
def test_other_settings_run_to_the_end(tmp_path, groups):
    groups = {key: dict(value) for key, value in groups.items()}
    groups.setdefault("split", {}).update(validation_fraction=0.0, calibration_fraction=0.0)
    found = json.loads((run(tmp_path / "run", config=quick(**groups)) / "scores.json").read_text())
    assert found["model"]["calibration"] is None
    assert (
        found["windows"]["train"] + found["windows"]["test"] + found["windows"]["purged"] == found["windows"]["total"]
    )


def test_weekly_data_runs_to_the_end(tmp_path):
    panel = epidemic(7, 60, kind="incident", step=7)
    found = json.loads((run(tmp_path / "run", panel) / "scores.json").read_text())
    assert found["data"]["step_days"] == 7
    assert "weekday" not in {item["group"] for item in found["importance"]}
