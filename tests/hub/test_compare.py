"""Who beats whom: relative skill pair by pair, and the bootstrap over reference dates."""

import itertools
import math

import numpy as np
import polars as pl
import pytest

from hub.small import RULES, START, forecasts_of, truth_of
from twofold.engine.errors import InputError
from twofold.hub.rules import WEEK
from twofold.hub.scores import differences, relative_skill, score_forecasts
from twofold.hub.tables import UNIT

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
    return score_forecasts(partly, truth_of(9, weeks=12), RULES)


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
