import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

from trend.small import epidemic
from trend.walk.small import quick_walk, walked
from twofold.engine.errors import InputError
from twofold.scoring.binary import scores
from twofold.scoring.bootstrap import compare
from twofold.trend.walk.models import MODELS
from twofold.trend.windows import label

CONFIG = quick_walk(walk={"last": 6})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("walk") / "run"
    with threadpool_limits(1):
        walked(epidemic(), CONFIG, out)
        yield out


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scores.json").read_text())


@pytest.fixture(scope="module")
def table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "predictions.parquet")


def test_outcomes_are_those_of_the_target_dates(table: pl.DataFrame) -> None:
    increments = epidemic().increments("keep")
    labels = label(increments.counts, "next_day", 1)
    row = {name: index for index, name in enumerate(increments.regions)}
    at = np.searchsorted(increments.dates, table["origin"].to_numpy())
    up = [labels.up[row[name], origin] for name, origin in zip(table["region"], at, strict=True)]
    assert table["label"].to_list() == up
    assert (table["target_date"] - table["origin"]).dt.total_days().unique().to_list() == [1]
    assert len(table["target_date"].unique()) == 6 and table["target_date"].max() == epidemic().dates[-1].astype(object)


def test_scores_are_those_of_the_predictions(found: dict[str, Any], table: pl.DataFrame) -> None:
    assert set(found["models"]) == {"pool", "equal_pool", *MODELS}
    for part, rows in (("active", table.filter("active")), ("all", table)):
        assert found["windows"][part]["windows"] == len(rows)
        for name, model in found["models"].items():
            assert model[part] == scores(rows[f"p_{name}"].to_numpy(), rows["label"].to_numpy())
            assert model["intervals"][part]["log_score"][0] <= model["intervals"][part]["log_score"][1]


def test_pairs_compare_networks_and_pool_with_the_others(found: dict[str, Any], table: pl.DataFrame) -> None:
    pairs = {(pair["model"], pair["against"]) for pair in found["comparisons"]}
    others = ("base_rate", "mean_reversion", "renewal", "logistic", "boosting")
    assert pairs == {(model, other) for model in ("pool", "rnn", "lstm", "gru") for other in others}
    rows = table.filter("active")
    probability = (rows[f"p_{name}"].to_numpy() for name in ("gru", "logistic"))
    day = rows["origin"].to_numpy().astype("datetime64[D]").astype(int)
    expected = compare(*probability, rows["label"].to_numpy(), day, resamples=5, block_days=2, level=0.9, seed=0)
    ours = next(
        pair
        for pair in found["comparisons"]
        if (pair["model"], pair["against"], pair["score"]) == ("gru", "logistic", "log_score")
    )
    assert ours["difference"] == pytest.approx(expected["log_score"]["difference"])


def test_each_origin_says_what_was_known_and_a_warm_up_one_has_no_score(
    found: dict[str, Any], table: pl.DataFrame
) -> None:
    rows = found["by_origin"]
    assert [bool(row["scores"]) for row in rows] == [False, False, *[True] * 6]
    assert all(row["screened"] == row["origin"] == row["refit"] for row in rows)
    assert all(sum(row["weights"].values()) == pytest.approx(1) for row in rows)
    assert [row["calibration"]["windows"] > 0 for row in rows] == [False, *[True] * 7]
    assert rows[-1]["learned"] > 0 and rows[-1]["regions"] == len(
        set(table.filter(pl.col("origin") == table["origin"].max())["region"])
    )


def test_the_pool_holds_what_the_config_names(folder: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"ensemble": CONFIG.ensemble.model_copy(update={"partners": ("logistic",)})})
    walked(epidemic(), config, tmp_path / "run")
    rows = json.loads((tmp_path / "run" / "scores.json").read_text())["by_origin"]
    assert all(set(row["weights"]) == {"gru", "logistic"} for row in rows)
    table = pl.read_parquet(tmp_path / "run" / "predictions.parquet")
    mean = (table["p_gru"] + table["p_logistic"]) / 2
    assert table["p_equal_pool"].to_list() == pytest.approx(mean.to_list())


def test_skipped_origins_are_named_and_when_all_are_it_says_why(tmp_path: Path) -> None:
    panel = epidemic()
    values = panel.values.copy()
    values[:, :-6] = 0
    config = quick_walk(walk={"warmup": 0, "last": 6})
    walked(replace(panel, values=values), config, tmp_path / "late")
    late = json.loads((tmp_path / "late" / "scores.json").read_text())
    assert late["skipped"][0]["origin"] == late["walk"]["first_origin"]
    assert "no region passes the screen" in late["skipped"][0]["reason"]
    with pytest.raises(InputError, match="no forecast could be made: no region passes the screen"):
        walked(replace(panel, values=values * 0), config, tmp_path / "never")
