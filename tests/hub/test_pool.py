"""The pool's weights: the best head gets them, few weeks change little, and the problem solved is that of the RPS."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.small import CHANGE, START, forecasts_of, truth_of
from twofold.hub.pool import _quadratic, apply_weights, fit_weights
from twofold.hub.rules import WEEK
from twofold.hub.scores import score_forecasts
from twofold.hub.tables import UNIT

WEEKS = 6
HEADS = ("a", "b", "c")
TRUTH = truth_of(9, WEEKS)
FORECASTS = pl.concat([forecasts_of(name, seed, WEEKS) for seed, name in enumerate(HEADS)])


def perfect(name: str) -> pl.DataFrame:
    """Forecasts that are sure of what happened."""
    order = pl.col("category").replace_strict(list(CHANGE.categories), range(5), return_dtype=pl.Int64)
    known = forecasts_of(name, 0, WEEKS).join(TRUTH, on=UNIT, maintain_order="left")
    return known.with_columns(probability=(order == pl.col("observed")).cast(pl.Float64)).select(FORECASTS.columns)


def rps_of(weights: dict[str, float], forecasts: pl.DataFrame = FORECASTS, truth: pl.DataFrame = TRUTH) -> float:
    """Sum over weeks of the pool's mean RPS, by the pages of `pmf_score`."""
    pool = apply_weights(forecasts, weights).with_columns(model=pl.lit("pool"))
    scored = score_forecasts(pool, truth, CHANGE)
    return scored.group_by("reference_date").agg(pl.col("rps").mean())["rps"].sum()


def test_a_perfect_head_gets_the_weight_where_the_prior_is_weak() -> None:
    forecasts = pl.concat([FORECASTS.filter(pl.col("model") != "b"), perfect("b")])
    weights = fit_weights(forecasts, TRUTH, HEADS, CHANGE, 1e-9)
    assert weights == pytest.approx({"a": 0, "b": 1, "c": 0}, abs=1e-5)


def test_a_strong_prior_holds_them_equal() -> None:
    forecasts = pl.concat([FORECASTS.filter(pl.col("model") != "b"), perfect("b")])
    assert fit_weights(forecasts, TRUTH, HEADS, CHANGE, 1e7) == pytest.approx(dict.fromkeys(HEADS, 1 / 3), abs=1e-5)


def test_a_week_more_moves_them_further() -> None:
    forecasts = pl.concat([FORECASTS.filter(pl.col("model") != "b"), perfect("b")])
    shares = [
        fit_weights(forecasts.filter(pl.col("reference_date") < START + k * WEEK), TRUTH, HEADS, CHANGE, 4.0)["b"]
        for k in range(WEEKS + 1)
    ]
    assert shares[0] == pytest.approx(1 / 3)
    assert (np.diff(shares) > 0).all()
    assert shares[-1] < 0.95


SHARES = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda x: [value / sum(x) for value in x])


@settings(max_examples=20)
@given(SHARES)
def test_the_quadratic_form_is_the_rps_of_the_pool(shares: list[float]) -> None:
    square, line = _quadratic(FORECASTS, TRUTH, HEADS, CHANGE)
    weight = np.array(shares)
    reached = (TRUTH["observed"].to_numpy()[:, None] <= np.arange(4)).sum() / (TRUTH.height / WEEKS)
    form = weight @ square @ weight - 2 * line @ weight + reached
    assert form == pytest.approx(rps_of(dict(zip(HEADS, shares, strict=True))))


@settings(max_examples=20)
@given(SHARES, st.sampled_from([1e-6, 0.5, 4.0]))
def test_no_other_weights_would_have_been_better(shares: list[float], prior: float) -> None:
    def loss(weights: dict[str, float]) -> float:
        return rps_of(weights) + prior * sum((value - 1 / 3) ** 2 for value in weights.values())

    best = fit_weights(FORECASTS, TRUTH, HEADS, CHANGE, prior)
    assert sum(best.values()) == pytest.approx(1)
    assert min(best.values()) >= 0
    assert loss(best) <= loss(dict(zip(HEADS, shares, strict=True))) + 1e-6


def test_every_week_counts_the_same_however_many_places_it_has() -> None:
    """A week of one place as much as a week of three."""
    first = pl.col("reference_date") == START
    once = FORECASTS.filter(first | (pl.col("location") == "US"))
    thrice = FORECASTS.filter(first).vstack(
        pl.concat(
            [
                FORECASTS.filter(~first & (pl.col("location") == "US")).with_columns(location=pl.lit(place))
                for place in ("01", "56", "US")
            ]
        )
    )
    us = TRUTH.filter(~first & (pl.col("location") == "US"))
    truth = pl.concat([TRUTH.filter(first), *(us.with_columns(location=pl.lit(place)) for place in ("01", "56", "US"))])
    assert fit_weights(once, truth, HEADS, CHANGE, 1.0) == pytest.approx(fit_weights(thrice, truth, HEADS, CHANGE, 1.0))


def test_without_a_past_the_weights_are_equal() -> None:
    for forecasts, truth in ((FORECASTS.clear(), TRUTH), (FORECASTS, TRUTH.clear())):
        assert fit_weights(forecasts, truth, HEADS, CHANGE, 4.0) == pytest.approx(dict.fromkeys(HEADS, 1 / 3))


def test_the_order_of_rows_does_not_matter_and_only_the_named_heads_are_pooled() -> None:
    mixed = FORECASTS.sample(fraction=1.0, shuffle=True, seed=1)
    weights = fit_weights(FORECASTS, TRUTH, ("c", "a"), CHANGE, 1.0)
    assert list(weights) == ["c", "a"]
    assert fit_weights(mixed, TRUTH, ("c", "a"), CHANGE, 1.0) == pytest.approx(weights)
    without = FORECASTS.filter(pl.col("model") != "b")
    assert fit_weights(without, TRUTH, ("c", "a"), CHANGE, 1.0) == weights


def test_a_pool_by_hand() -> None:
    found = apply_weights(FORECASTS, {"a": 0.25, "c": 0.75})
    assert found.columns == [*UNIT, "category", "probability"]
    a, b, c = (FORECASTS.filter(pl.col("model") == name) for name in HEADS)
    assert found.drop("probability").equals(a.select(*UNIT, "category"))
    expected = 0.25 * a["probability"].to_numpy() + 0.75 * c["probability"].to_numpy()
    assert found["probability"].to_numpy() == pytest.approx(expected)
    assert not np.allclose(b["probability"].to_numpy(), expected)
