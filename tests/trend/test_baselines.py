"""Baselines: rates by hand, bins against plain loops, classifiers against scikit-learn, a class that was never seen."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from twofold.counts.panel import Increments
from twofold.trend.baselines import BASELINES, fit_baseline, spread_note
from twofold.trend.config import WindowConfig
from twofold.trend.features import Inputs


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def counts_of(regions: int) -> Increments:
    dates = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    return Increments(tuple(f"region {row}" for row in range(regions)), dates, np.zeros((regions, 2), dtype=np.int64))


def inputs_of(active, change, value=None) -> Inputs:
    """One window per region, with a last change, and one input that a classifier may see."""
    windows = len(active)
    value = np.zeros(windows) if value is None else np.array(value)
    return Inputs(
        sequence=value.reshape(windows, 1, 1).astype(np.float32),
        static=np.zeros((windows, 1, 0), dtype=np.float32),
        groups=("log1p",),
        region=np.arange(windows),
        origin=np.zeros(windows, dtype=np.int64),
        active=np.array(active),
        change=np.array(change, dtype=float),
        increments=counts_of(windows),
        window=WindowConfig(length=1),
    )


def predicted(name, inputs: Inputs, up, train=None) -> list[float]:
    every = np.arange(len(inputs))
    return (
        fit_baseline(name, inputs, np.array(up), every if train is None else train, 0).predict(inputs, every).tolist()
    )


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_of_many_windows_a_classifier_takes_some_evenly_spread_and_the_note_says_so(monkeypatch, name):
    draw = np.random.default_rng(0)
    value = draw.normal(size=200)
    inputs, up = inputs_of([True] * 200, [0] * 200, value), value + draw.normal(size=200) > 0
    some = predicted(name, inputs, up, np.linspace(0, 199, 60).astype(int))
    monkeypatch.setattr("twofold.trend.baselines.MOST_WINDOWS", 60)
    monkeypatch.setattr("twofold.trend.baselines.AT_ONCE", 7)
    assert predicted(name, inputs, up) == pytest.approx(some, abs=1e-12)
    assert spread_note(60) == [] and "fitted on 60 windows, evenly spread over up to 61" in spread_note(61)[0]


def test_base_rate_by_hand():
    inputs = inputs_of([True] * 6, [0] * 6)
    assert predicted("base_rate", inputs, [True, False, False, True, True, False], np.arange(3)) == [2 / 5] * 6


def test_all_zero_rule_has_a_rate_of_its_own_for_windows_without_a_case():
    inputs = inputs_of([True, True, True, False, False, True], [0] * 6)
    up = [True, True, False, False, False, True]
    assert predicted("all_zero", inputs, up, np.arange(5)) == [3 / 5] * 3 + [1 / 4] * 2 + [3 / 5]


@settings(max_examples=50)
@given(st.data(), st.integers(1, 40))
def test_mean_reversion_equals_plain_loops_over_tenths_of_the_change(data, windows):
    change = data.draw(arrays(np.float64, windows, elements=st.integers(-9, 9).map(float)))
    active = data.draw(arrays(bool, windows))
    up = data.draw(arrays(bool, windows))
    found = predicted("mean_reversion", inputs_of(active, change), up)
    held = [c for c, a in zip(change, active, strict=True) if a]
    edges = sorted({float(np.quantile(held, k / 10)) for k in range(1, 10)}) if held else []

    def rate(rows: list[int]) -> float:
        return (sum(up[i] for i in rows) + 1) / (len(rows) + 2)

    def bin_of(i: int) -> int:
        return sum(change[i] >= edge for edge in edges)

    for i in range(windows):
        like = [j for j in range(windows) if active[j] == active[i] and (not active[i] or bin_of(j) == bin_of(i))]
        assert found[i] == pytest.approx(rate(like))


def test_logistic_regression_sees_the_flat_inputs_standardised():
    generator = np.random.default_rng(0)
    value = generator.normal(5, 3, 300)
    up = generator.random(300) < 1 / (1 + np.exp(5 - value))
    train = np.arange(200)
    found = predicted("logistic", inputs_of([True] * 300, value, value), up, train)
    standard = ((value - value[:200].mean()) / value[:200].std())[:, None]
    ours = LogisticRegression(C=1e-3, max_iter=300).fit(standard[:200], up[:200])
    assert found == pytest.approx(ours.predict_proba(standard)[:, 1].tolist(), abs=1e-4)


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_classifiers_learn_and_repeat_themselves(name):
    value = np.linspace(-2, 2, 200)
    inputs = inputs_of([True] * 200, value, value)
    first, again = (predicted(name, inputs, value > 0) for _ in range(2))
    assert first == again
    assert np.mean(first[:100]) < np.mean(first[100:]) - 0.03


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("name", [name for name in BASELINES if name != "renewal"])  # which learns from no label
def test_a_class_that_was_never_seen_is_unlikely_but_not_impossible(name, up):
    inputs = inputs_of([True, True, False], [0, 1, 0], [1, 2, 3])
    found = predicted(name, inputs, [up] * 3)
    for probability in found:
        assert 0 < probability < 1
        assert (probability > 0.5) == up


@pytest.mark.parametrize("name", ["all_zero", "mean_reversion"])
def test_a_kind_of_window_that_was_never_seen_gets_an_even_chance(name):
    inputs = inputs_of([True, True, False], [0, 1, 0])
    assert predicted(name, inputs, [True, True, True], np.arange(2))[2] == 0.5
    assert predicted(name, inputs, [True, True, True], np.array([2]))[:2] == [0.5, 0.5]
    assert all(math.isfinite(p) for p in predicted(name, inputs, [False] * 3))
