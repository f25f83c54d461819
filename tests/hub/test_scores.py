"""Tables of scores: coverage, common forecasts, tables by any key, and the real teams' figures."""

from pathlib import Path

import polars as pl
import pytest

from hub.small import RULES, START, forecasts_of, truth_of
from twofold.engine.errors import DataError
from twofold.hub.examples import truth
from twofold.hub.rules import WEEK, rules
from twofold.hub.scores import common, leaderboard, mean_scores, rise_reliability, score_forecasts
from twofold.hub.season import usable
from twofold.hub.tables import read_forecasts, read_locations
from twofold.hub.vintages import read_versions

WEEKS = 10
TRUTH = truth_of(7, WEEKS)
BASE = forecasts_of(RULES.baseline, 0, WEEKS)
WHOLE = forecasts_of("whole", 1, WEEKS)
NEARLY = forecasts_of("nearly", 2, WEEKS).filter(pl.col("reference_date") > START)  # 9 of 10 weeks
HALF = forecasts_of("half", 3, WEEKS).filter(pl.col("horizon") < 2)
ALL = pl.concat([BASE, WHOLE, NEARLY, HALF])


def test_one_forecast_by_hand() -> None:
    pmf = pl.Series("probability", [0.1, 0.2, 0.4, 0.2, 0.1])
    one = BASE.filter((pl.col("reference_date") == START) & (pl.col("horizon") == 1) & (pl.col("location") == "US"))
    seen = TRUTH.with_columns(observed=pl.lit(3, pl.Int64))
    (row,) = score_forecasts(one.with_columns(pmf).sample(fraction=1, shuffle=True, seed=1), seen, RULES).to_dicts()
    assert row["rps"] == pytest.approx(0.1**2 + 0.3**2 + 0.7**2 + 0.1**2)
    assert (row["rise"], row["rose"]) == (pytest.approx(0.3), True)
    assert (row["model"], row["reference_date"], row["horizon"], row["location"]) == (RULES.baseline, START, 1, "US")


def test_what_was_not_observed_is_not_scored() -> None:
    assert score_forecasts(ALL, TRUTH.filter(pl.col("location") == "US"), RULES)["location"].unique().to_list() == [
        "US"
    ]


def test_the_leaderboard_counts_coverage_and_ranks_by_relative_skill() -> None:
    scored = score_forecasts(ALL, TRUTH, RULES)
    board = leaderboard(scored, TRUTH, RULES)
    rows = {row["model"]: row for row in board.to_dicts()}
    assert {name: row["coverage"] for name, row in rows.items()} == {
        RULES.baseline: 1.0,
        "whole": 1.0,
        "nearly": 0.9,
        "half": 0.5,
    }
    assert rows["half"]["n"] == TRUTH.height // 2
    assert rows[RULES.baseline]["relative_rps"] == 1.0
    assert board["relative_rps"].is_sorted()
    assert rows["whole"]["rps"] == pytest.approx(scored.filter(pl.col("model") == "whole")["rps"].mean())
    bins = rise_reliability(scored, "whole")
    by_bins = sum(b["windows"] * abs(b["mean_probability"] - b["share_up"]) for b in bins) / TRUTH.height
    assert rows["whole"]["ece"] == pytest.approx(by_bins)


def test_common_forecasts_are_those_of_all_well_covered_models() -> None:
    shared = common(score_forecasts(ALL, TRUTH, RULES), TRUTH)
    sizes = dict(shared.group_by("model").len().iter_rows())
    assert sizes == dict.fromkeys((RULES.baseline, "whole", "nearly"), TRUTH.height * 9 // 10)
    assert shared["reference_date"].min() == START + WEEK
    everyone = common(score_forecasts(ALL, TRUTH, RULES), TRUTH, coverage=0.5)
    assert set(everyone["model"]) == {RULES.baseline, "whole", "nearly", "half"}
    assert everyone["horizon"].max() == 1


@pytest.mark.parametrize(("key", "groups"), [("horizon", 4), ("location", 3), ("reference_date", WEEKS)])
def test_tables_by_any_key_add_up(key: str, groups: int) -> None:
    scored = score_forecasts(WHOLE, TRUTH, RULES)
    table = mean_scores(scored, ("model", key))
    assert table.height == groups
    weighted = (table["rps"] * table["n"]).sum() / table["n"].sum()
    assert weighted == pytest.approx(mean_scores(scored)["rps"].item())
    share = (table["rose"] * table["n"]).sum() / table["n"].sum()
    assert share == pytest.approx((TRUTH["observed"] > 2).mean())


FIRST = (pl.col("reference_date") == START) & (pl.col("horizon") == 0) & (pl.col("location") == "01")
AT_FIRST = rf"forecast of whole for {START}, horizon 0, location 01: "


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (WHOLE.filter(~(FIRST & (pl.col("category") == "stable"))), "a category has no probability"),
        (pl.concat([WHOLE, WHOLE.filter(FIRST)]), "the category 'large_decrease' stands twice"),
        (
            WHOLE.with_columns(pl.when(FIRST).then(pl.lit("rise")).otherwise("category").alias("category")),
            "'rise' is none of large_decrease, decrease",
        ),
        (
            WHOLE.with_columns(pl.when(FIRST).then(0.3).otherwise("probability").alias("probability")),
            "probabilities must add up to 1",
        ),
        (
            WHOLE.with_columns(pl.when(FIRST).then(-0.2).otherwise("probability").alias("probability")),
            r"probabilities must lie in \[0, 1\]",
        ),
    ],
)
def test_a_broken_forecast_is_named(broken: pl.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=AT_FIRST + message):
        score_forecasts(broken, TRUTH, RULES)


def test_a_table_of_forecasts_is_read(tmp_path: Path) -> None:
    ALL.write_parquet(tmp_path / "peers.parquet")
    ALL.write_csv(tmp_path / "peers.csv")
    read = [read_forecasts(tmp_path / f"peers.{form}") for form in ("parquet", "csv")]
    assert read[0].equals(read[1]) and read[0].equals(ALL.with_columns(pl.col("horizon").cast(pl.Int64)))


REAL = {"2023-24": (6142, 5038, 14), "2024-25": (5724, 4116, 15)}


@pytest.mark.realdata
@pytest.mark.parametrize("season", REAL)
def test_the_real_teams_scores(data_folder: Path, season: str) -> None:
    folder, limits = data_folder / "flusight", rules("flusight", season)
    versions, locations = read_versions(folder / "vintages.parquet"), read_locations(folder / f"locations_{season}.csv")
    used, _ = usable(versions, limits.reference_dates(), limits)
    observed = truth(versions.latest(), locations, used, limits)
    scored = score_forecasts(read_forecasts(folder / "peers_rate_change.parquet"), observed, limits)
    shared = common(scored, observed)
    assert (observed.height, shared.height // shared["model"].n_unique(), shared["model"].n_unique()) == REAL[season]
    if season == "2024-25":
        whole, both = (dict(mean_scores(part).select("model", "rps").iter_rows()) for part in (scored, shared))
        for model, on_all, on_common in (
            ("FluSight-ensemble", 0.4448, 0.4673),
            ("PSI-PROF", 0.4478, 0.4629),
            ("CU-ensemble", 0.4854, 0.4832),
            ("FluSight-equal_cat", 0.7325, 0.7554),
            ("FluSight-baseline_cat", 0.7794, 0.8243),
        ):
            assert whole[model] == pytest.approx(on_all, abs=5e-5), model
            assert both[model] == pytest.approx(on_common, abs=5e-5), model
