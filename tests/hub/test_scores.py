"""Tables of scores by hand, who beats whom, and the bootstrap over reference dates; the real teams' scores."""

import itertools
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hub.small import CHANGE, START, change_of, forecasts_of, truth_of
from twofold.engine.errors import DataError, InputError
from twofold.hub.examples import truth
from twofold.hub.rules import WEEK, read_rules
from twofold.hub.scores import (
    common,
    differences,
    leaderboard,
    mean_scores,
    relative_skill,
    score_forecasts,
)
from twofold.hub.season import usable
from twofold.hub.tables import UNIT, read_forecasts, read_locations
from twofold.hub.vintages import read_versions
from twofold.scoring.binary import reliability

WEEKS = 10
TRUTH = truth_of(7, WEEKS)
BASE = forecasts_of(CHANGE.baseline, 0, WEEKS)
WHOLE = forecasts_of("whole", 1, WEEKS)
NEARLY = forecasts_of("nearly", 2, WEEKS).filter(pl.col("reference_date") > START)  # 9 of 10 weeks
HALF = forecasts_of("half", 3, WEEKS).filter(pl.col("horizon") < 2)
ALL = pl.concat([BASE, WHOLE, NEARLY, HALF])


def test_one_forecast_by_hand() -> None:
    pmf = pl.Series("probability", [0.1, 0.2, 0.4, 0.2, 0.1])
    one = BASE.filter((pl.col("reference_date") == START) & (pl.col("horizon") == 1) & (pl.col("location") == "US"))
    seen = TRUTH.with_columns(observed=pl.lit(3, pl.Int64))
    (row,) = score_forecasts(one.with_columns(pmf).sample(fraction=1, shuffle=True, seed=1), seen, CHANGE).to_dicts()
    assert row["rps"] == pytest.approx(0.1**2 + 0.3**2 + 0.7**2 + 0.1**2)
    assert (row["rise"], row["rose"]) == (pytest.approx(0.3), True)
    assert (row["model"], row["reference_date"], row["horizon"], row["location"]) == (CHANGE.baseline, START, 1, "US")


def test_what_was_not_observed_is_not_scored() -> None:
    assert score_forecasts(ALL, TRUTH.filter(pl.col("location") == "US"), CHANGE)["location"].unique().to_list() == [
        "US"
    ]


def test_the_leaderboard_counts_coverage_and_ranks_by_relative_skill() -> None:
    scored = score_forecasts(ALL, TRUTH, CHANGE)
    board = leaderboard(scored, TRUTH, CHANGE)
    rows = {row["model"]: row for row in board.to_dicts()}
    assert {name: row["coverage"] for name, row in rows.items()} == {
        CHANGE.baseline: 1.0,
        "whole": 1.0,
        "nearly": 0.9,
        "half": 0.5,
    }
    assert rows["half"]["n"] == TRUTH.height // 2
    assert rows[CHANGE.baseline]["relative_rps"] == 1.0
    assert board["relative_rps"].is_sorted()
    assert rows["whole"]["rps"] == pytest.approx(scored.filter(pl.col("model") == "whole")["rps"].mean())
    own = scored.filter(pl.col("model") == "whole")
    bins = reliability(own["rise"].to_numpy(), own["rose"].to_numpy())
    by_bins = sum(b["windows"] * abs(b["mean_probability"] - b["share_up"]) for b in bins) / TRUTH.height
    assert rows["whole"]["ece"] == pytest.approx(by_bins)


def test_common_forecasts_are_those_of_all_well_covered_models() -> None:
    shared = common(score_forecasts(ALL, TRUTH, CHANGE), TRUTH)
    sizes = dict(shared.group_by("model").len().iter_rows())
    assert sizes == dict.fromkeys((CHANGE.baseline, "whole", "nearly"), TRUTH.height * 9 // 10)
    assert shared["reference_date"].min() == START + WEEK
    everyone = common(score_forecasts(ALL, TRUTH, CHANGE), TRUTH, coverage=0.5)
    assert set(everyone["model"]) == {CHANGE.baseline, "whole", "nearly", "half"}
    assert everyone["horizon"].max() == 1


@pytest.mark.parametrize(("key", "groups"), [("horizon", 4), ("location", 3), ("reference_date", WEEKS)])
def test_tables_by_any_key_add_up(key: str, groups: int) -> None:
    scored = score_forecasts(WHOLE, TRUTH, CHANGE)
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
        (pl.concat([WHOLE, WHOLE.filter(FIRST)]), "the category 'large_decrease' appears twice"),
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
        score_forecasts(broken, TRUTH, CHANGE)


def test_a_table_of_forecasts_is_read(tmp_path: Path) -> None:
    ALL.write_parquet(tmp_path / "peers.parquet")
    ALL.write_csv(tmp_path / "peers.csv")
    read = [read_forecasts(tmp_path / f"peers.{form}") for form in ("parquet", "csv")]
    assert read[0].equals(read[1]) and read[0].equals(ALL.with_columns(pl.col("horizon").cast(pl.Int64)))


REAL = {"2023-24": (6142, 5038, 14), "2024-25": (5724, 4116, 15)}


@pytest.mark.realdata
@pytest.mark.parametrize("season", REAL)
def test_the_real_teams_scores(data_folder: Path, season: str) -> None:
    folder, limits = data_folder / "flusight", read_rules("flusight").season(season)
    versions, locations = read_versions(folder / "vintages.parquet"), read_locations(folder / f"locations_{season}.csv")
    used, _ = usable(versions, limits.reference_dates(), limits)
    change = change_of(limits)
    observed = truth(versions.latest(), locations, used, change)
    scored = score_forecasts(read_forecasts(folder / "peers_rate_change.parquet"), observed, change)
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


KNOBS = {"resamples": 400, "block_weeks": 3, "level": 0.9, "seed": 0}


def table(rows: list[tuple[str, int, float]]) -> pl.DataFrame:
    """Scores from (model, week, rps), one place and horizon."""
    return pl.DataFrame(
        [(model, START + week * WEEK, 0, "US", value) for model, week, value in rows],
        {"model": pl.String, "reference_date": pl.Date, "horizon": pl.Int64, "location": pl.String, "rps": pl.Float64},
        orient="row",
    )


def test_relative_skill_by_hand() -> None:
    # a against b on weeks 0 and 1: 1/2; a against c on week 1: 3/1; b against c on week 1: 2/1.
    scored = table([("a", 0, 0.0), ("a", 1, 3.0), ("b", 0, 4.0), ("b", 1, 2.0), ("c", 1, 1.0), ("c", 2, 9.0)])
    theta = {"a": (1 / 2 * 3 / 1) ** (1 / 3), "b": (2 / 1 * 2 / 1) ** (1 / 3), "c": (1 / 3 * 1 / 2) ** (1 / 3)}
    found = dict(relative_skill(scored, "b").iter_rows())
    assert found == pytest.approx({name: value / theta["b"] for name, value in theta.items()})
    assert found["b"] == 1.0


def test_pairs_without_a_common_forecast_do_not_count() -> None:
    scored = table([("a", 0, 2.0), ("b", 0, 1.0), ("b", 1, 1.0), ("c", 1, 3.0)])
    theta = {"a": math.sqrt(2), "b": (1 / 2 * 1 / 3) ** (1 / 3), "c": math.sqrt(3)}  # a and c never meet
    found = dict(relative_skill(scored, "b").iter_rows())
    assert found == pytest.approx({name: value / theta["b"] for name, value in theta.items()})


def test_without_the_baseline_there_is_no_relative_skill() -> None:
    assert relative_skill(table([("a", 0, 2.0), ("b", 0, 1.0)]), "z")["relative"].to_list() == [None, None]


def test_a_perfect_model_has_skill_0_and_two_do_not_break_it() -> None:
    scored = table([("a", 0, 0.0), ("b", 0, 0.0), ("c", 0, 1.0)])
    found = dict(relative_skill(scored, "c").iter_rows())
    assert (found["a"], found["b"]) == (0.0, 0.0)


def random_scores() -> pl.DataFrame:
    forecasts = pl.concat([forecasts_of(f"model {seed}", seed, weeks=12) for seed in range(4)])
    partly = forecasts.filter(
        ~((pl.col("model") == "model 1") & (pl.col("reference_date") < START + 4 * WEEK))
        & ~((pl.col("model") == "model 2") & (pl.col("location") == "56"))
    )
    return score_forecasts(partly, truth_of(9, weeks=12), CHANGE)


def test_relative_skill_agrees_with_loops_over_pairs() -> None:
    scored = random_scores()
    logs: dict[str, list[float]] = {name: [0.0] for name in scored["model"].unique()}
    for a, b in itertools.permutations(logs, 2):
        both = scored.filter(pl.col("model") == a).join(scored.filter(pl.col("model") == b), on=UNIT)
        logs[a].append(math.log(both["rps"].mean() / both["rps_right"].mean()))  # pyright: ignore[reportOperatorIssue]
    theta = {name: math.exp(sum(values) / len(values)) for name, values in logs.items()}
    expected = {name: value / theta["model 0"] for name, value in theta.items()}
    assert dict(relative_skill(scored, "model 0").iter_rows()) == pytest.approx(expected)


def test_differences_are_paired_on_what_both_forecast() -> None:
    scored = random_scores()
    found = {row["peer"]: row for row in differences(scored, "model 0", **KNOBS).to_dicts()}
    assert {name: row["n"] for name, row in found.items()} == {"model 1": 96, "model 2": 96, "model 3": 144}
    own = scored.filter(pl.col("model") == "model 0")
    for name, row in found.items():
        both = own.join(scored.filter(pl.col("model") == name), on=UNIT)
        assert row["difference"] == pytest.approx((both["rps"] - both["rps_right"]).mean())
        assert row["low"] < row["difference"] < row["high"]


def test_a_constant_lead_has_an_interval_of_no_width() -> None:
    scored = random_scores().filter(pl.col("model") == "model 0")
    worse = scored.with_columns(pl.lit("worse").alias("model"), pl.col("rps") + 0.25)
    (row,) = differences(pl.concat([scored, worse]), "model 0", **KNOBS).to_dicts()
    assert [row[key] for key in ("difference", "low", "high")] == pytest.approx([-0.25] * 3)


def test_the_interval_resamples_dates_and_not_forecasts() -> None:
    generator = np.random.default_rng(3)
    shared = generator.normal(0, 1, 20)  # one difference a week, the same in 30 places
    rows = [("a", week, value) for week, value in enumerate(shared)] + [("b", week, 0.0) for week in range(20)]
    places = pl.DataFrame({"place": [f"{i:02}" for i in range(30)]})
    wide = table(rows).join(places, how="cross").with_columns(location=pl.col("place")).drop("place")
    (few,), (many,) = (differences(part, "a", **KNOBS).to_dicts() for part in (table(rows), wide))
    assert [many[key] for key in ("low", "high")] == pytest.approx([few[key] for key in ("low", "high")])
    assert few["high"] - few["low"] > 0.4


def test_few_dates_have_no_interval_and_an_unknown_model_is_refused() -> None:
    scored = table([(model, week, value) for model, value in (("a", 1.0), ("b", 2.0)) for week in range(5)])
    assert differences(scored, "a", **KNOBS).rows() == [("b", 5, 5, -1.0, None, None)]
    with pytest.raises(InputError, match="model must be one that was scored, got 'z'"):
        differences(scored, "z", **KNOBS)
