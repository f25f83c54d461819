"""A backtest's run folder: what the page and others read from it, and that it is the same after an interruption."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hub.season_small import (
    CONFIG,
    DAYS,
    FIRST,
    LATE,
    LOCATIONS,
    RULES,
    examples,
    one_thread,  # noqa: F401
    peers,
    replay,
    silent,
    versions,
)
from twofold.engine.errors import DataError, InputError
from twofold.engine.run import RunFolder, claim
from twofold.hub.config import HubConfig
from twofold.hub.examples import truth
from twofold.hub.rules import WEEK, Rules
from twofold.hub.run import BLOCK_WEEKS, LEVEL, PREFIX, RESAMPLES, check, execute
from twofold.hub.scores import common, differences, leaderboard, score_forecasts
from twofold.hub.season import Replay
from twofold.hub.tables import FORECAST
from twofold.hub.vintages import Versions

QUICK = HubConfig.model_validate(
    CONFIG.model_dump() | {"heads": ("climatology", "gru", "lstm"), "pooled": ("gru", "lstm")}
)
OURS = ["twofold-climatology", "twofold-gru", "twofold-lstm", "twofold-pool"]
THEIRS = ["small-baseline", "small-ensemble", "late-comer"]


def run(path: Path, others: pl.DataFrame | None, season: Replay | None = None) -> RunFolder:
    with claim(path, QUICK, "data", ["twofold"]) as folder:
        execute(season or replay(), others, QUICK, folder, jobs=1, progress=silent)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("hub") / "run", peers()).path


@pytest.fixture(scope="module")
def scores(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scores.json").read_text())


def read(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / f"{name}.parquet")


def test_predictions_have_the_columns_of_a_table_of_forecasts(folder: Path) -> None:
    table = read(folder, "predictions")
    assert table.columns == ["model", "reference_date", "horizon", "location", "category", "probability"]
    assert table.columns == list(FORECAST)
    assert table.schema["reference_date"] == pl.Date
    assert sorted(table["model"].unique()) == OURS
    assert table.height == 4 * 7 * 7 * 4 * 5
    sums = table.group_by("model", "reference_date", "horizon", "location").agg(pl.col("probability").sum())
    np.testing.assert_allclose(sums["probability"], 1)


def test_scores_hold_what_the_page_needs(scores: dict[str, Any]) -> None:
    assert {key: scores[key] for key in ("hub", "season", "baseline", "ensemble", "default", "ours", "no_skill")} == {
        "hub": "small",
        "season": "2023-24",
        "baseline": "small-baseline",
        "ensemble": "small-ensemble",
        "default": "twofold-pool",
        "ours": OURS,
        "no_skill": ["twofold-climatology"],
    }
    assert scores["dates"] == [str(day) for day in DAYS]
    assert [entry["reference_date"] for entry in scores["skipped"]] == [str(LATE)]
    assert "6 are needed" in scores["skipped"][0]["reason"]
    assert scores["notes"] == ["A note.", "1 reference date can't be forecast: see the list of those skipped."]
    assert [entry["reference_date"] for entry in scores["weights"]] == [str(day) for day in DAYS]
    assert scores["weights"][0]["weights"] == pytest.approx({"gru": 0.5, "lstm": 0.5})
    assert all(sum(entry["weights"].values()) == pytest.approx(1) for entry in scores["weights"])


def test_tables_are_those_of_the_scores_pages(folder: Path, scores: dict[str, Any]) -> None:
    happened = truth(versions().latest(), LOCATIONS, DAYS, RULES)
    everyone = pl.concat([read(folder, "predictions"), read(folder, "peers")])
    scored = score_forecasts(everyone, happened, RULES)
    for key, part in (("models", scored), ("common", common(scored, happened))):
        board = leaderboard(part, happened, RULES)
        assert list(scores[key]) == board["model"].to_list()
        assert list(scores[key].values()) == [dict(row) for row in board.drop("model").iter_rows(named=True)]
    assert set(scores["models"]) == {*OURS, *THEIRS}
    assert set(scores["common"]) == {*OURS, *THEIRS} - {"late-comer"}
    assert scores["models"]["small-baseline"]["relative_rps"] == 1.0
    knobs = {"resamples": RESAMPLES, "block_weeks": BLOCK_WEEKS, "level": LEVEL, "seed": QUICK.seed}
    expected = {row["peer"]: row for row in differences(scored, PREFIX + "pool", **knobs).to_dicts()}
    assert set(scores["differences"]) == set(expected) == {*OURS, *THEIRS} - {"twofold-pool"}
    for name, found in scores["differences"].items():
        wanted = expected[name]
        assert found == {"mean": wanted["difference"]} | {key: wanted[key] for key in ("low", "high", "n", "dates")}
    assert scores["differences"]["late-comer"]["dates"] == 2


def test_every_fit_tells_what_it_saw(scores: dict[str, Any]) -> None:
    origins = [DAYS[0], DAYS[3], DAYS[6]]
    assert [entry["origin"] for entry in scores["fits"]] == [str(day) for day in origins]
    assert [entry["through"] for entry in scores["fits"]] == [str(day - 2 * WEEK) for day in origins]
    assert scores["fits"][0]["examples"] == len(examples().asked)
    first = scores["revisions"][0]
    assert first["reference_date"] == str(FIRST)
    assert np.log(first["factors"]) == pytest.approx(replay().known(FIRST).revisions)


def test_what_was_known_and_what_happened_lie_beside_them(folder: Path) -> None:
    known = read(folder, "known")
    assert known.columns == ["reference_date", "target_end_date", "location", "value"]
    assert known.height == 7 * 7 * 8
    for day in DAYS:
        version = versions().before(RULES.deadline(day)).filter(pl.col("target_end_date") >= day - 8 * WEEK)
        own = known.filter(pl.col("reference_date") == day).drop("reference_date")
        assert own.sort("location", "target_end_date").equals(version)
    assert read(folder, "truth").equals(truth(versions().latest(), LOCATIONS, DAYS, RULES))
    assert read(folder, "counts").equals(versions().latest())
    assert read(folder, "locations").equals(LOCATIONS)
    assert Rules.model_validate_json((folder / "rules.json").read_text()) == RULES


def test_other_teams_forecasts_of_other_dates_are_left_out(folder: Path) -> None:
    assert set(peers()["reference_date"]) - set(DAYS) == {LATE}
    assert sorted(set(read(folder, "peers")["reference_date"])) == DAYS


def begun(folder: Path, target: Path, every: int) -> Path:
    """A folder of the same run in which only every so many block is done."""
    (target / "parts").mkdir()
    (target / "manifest.json").write_bytes((folder / "manifest.json").read_bytes())
    for file in sorted((folder / "parts").iterdir())[::every]:
        (target / "parts" / file.name).write_bytes(file.read_bytes())
    return target


def test_a_folder_that_goes_on_becomes_the_same(folder: Path, tmp_path: Path) -> None:
    run(begun(folder, tmp_path, every=2), peers())
    files = [file for file in folder.rglob("*") if file.is_file() and file.name not in ("manifest.json", ".lock")]
    assert {"predictions.parquet", "scores.json", "peers.parquet", "rules.json"} <= {file.name for file in files}
    for file in files:
        assert (tmp_path / file.relative_to(folder)).read_bytes() == file.read_bytes(), file.name


def test_without_other_teams_we_stand_alone(folder: Path, tmp_path: Path) -> None:
    run(begun(folder, tmp_path, every=1), None)
    alone = json.loads((tmp_path / "scores.json").read_text())
    assert not (tmp_path / "peers.parquet").exists()
    assert sorted(alone["models"]) == OURS
    assert {row["relative_rps"] for row in alone["models"].values()} == {None}
    assert (tmp_path / "predictions.parquet").read_bytes() == (folder / "predictions.parquet").read_bytes()


def test_what_can_not_be_scored_is_told_before_anything_is_fitted() -> None:
    broken = peers().with_columns(probability=pl.col("probability") * 2)
    with pytest.raises(DataError, match="probabilities must"):
        check(replay(), broken)
    with pytest.raises(DataError, match="'soaring' is none of large_decrease"):
        check(replay(), peers().with_columns(category=pl.lit("soaring")))
    young = Versions(versions().before(RULES.deadline(FIRST)).with_columns(as_of=RULES.deadline(FIRST) - WEEK))
    early = Replay(young, LOCATIONS, RULES, None)
    with pytest.raises(
        InputError, match="no outcome of season 2023-24 is known yet: the first is that of the week end"
    ):
        check(early, None)
    check(replay(), peers())
    check(replay(), None)
