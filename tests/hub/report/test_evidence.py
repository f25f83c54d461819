from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hub.small import DEFAULT, PLACES, RULES, WEEKS, change, hub_folder
from twofold.hub.report import evidence as hub_evidence


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hub_folder(tmp_path_factory.mktemp("hub") / "run")


def test_the_best_peer_is_neither_ours_nor_the_hub_s(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    block = {"relative_rps": 0.5, "rps": 0.1}
    order = ["us-pool", "us-climate", "FluSight-other", "FluSight-ensemble", "Bteam-wave", "Ateam-wave"]
    change(made, common={name: block | {"relative_rps": 0.1 * k} for k, name in enumerate(order)})
    found = hub_evidence.read(made)
    assert found.best_peer == "Bteam-wave"
    assert found.shown == [DEFAULT, "FluSight-ensemble", "Bteam-wave", "FluSight-baseline_cat"]


def test_models_without_relative_rps_are_ranked_last_by_rps(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    change(made, common={"a": {"relative_rps": None, "rps": 2.0}, "b": {"rps": 1.0}, "c": {"relative_rps": 9.0}})
    assert [name for name, _ in hub_evidence.read(made).ranked("common")] == ["c", "b", "a"]


def test_beside_compares_what_both_forecast(folder: Path) -> None:
    found = hub_evidence.read(folder)
    table = found.beside("Ateam-wave", ["location"])
    assert table["location"].to_list() == list(PLACES) and table["n"].to_list() == [4 * WEEKS] * 3
    for row in table.iter_rows(named=True):
        means = [
            found.scored.filter(pl.col("model") == name, pl.col("location") == row["location"])["rps"].to_numpy().mean()
            for name in (DEFAULT, "Ateam-wave")
        ]
        assert [row["ours"], row["theirs"]] == pytest.approx(means)
        assert row["difference"] == pytest.approx(means[0] - means[1])


def test_pmf_gives_each_forecast_s_probabilities_in_the_hub_s_order(folder: Path) -> None:
    found = hub_evidence.read(folder)
    rows = found.pmf(DEFAULT)
    assert rows.height == 4 * WEEKS * len(PLACES)
    np.testing.assert_allclose(found.probabilities(rows).sum(axis=1), 1.0)
    asked = found.forecasts.filter(pl.col("model") == DEFAULT, pl.col("location") == "56", pl.col("horizon") == 2)
    first = asked.filter(pl.col("category") == RULES.categories[4]).sort("reference_date")["probability"]
    own = rows.filter(pl.col("location") == "56", pl.col("horizon") == 2).sort("reference_date")
    assert own[RULES.categories[4]].to_list() == first.to_list()


def test_the_nation_is_told_by_its_population(folder: Path, tmp_path: Path) -> None:
    assert hub_evidence.read(folder).nation == "US"
    made = hub_folder(tmp_path)
    table = pl.read_parquet(made / "locations.parquet").with_columns(population=pl.Series([5, 6, 7]))
    table.write_parquet(made / "locations.parquet")
    assert hub_evidence.read(made).nation is None


def test_a_place_without_a_name_goes_by_its_code(folder: Path) -> None:
    found = hub_evidence.read(folder)
    assert (found.name_of("56"), found.name_of("99")) == ("Wyoming", "99")


def test_a_rival_that_never_met_the_default_is_not_shown(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    peers = pl.read_parquet(made / "peers.parquet")
    own = pl.read_parquet(made / "predictions.parquet")
    elsewhere = (pl.col("location") == "01") == (pl.col("model") == "FluSight-ensemble")
    peers.filter(elsewhere).write_parquet(made / "peers.parquet")
    own.filter(pl.col("location") != "01").write_parquet(made / "predictions.parquet")
    found = hub_evidence.read(made)
    assert found.ensemble is None and found.baseline == "FluSight-baseline_cat"
    assert "FluSight-ensemble" not in found.shown and found.level_field.height
