"""Scores of categorical forecasts against hand-worked values and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from twofold.scoring import categories as pmf_score

NAMES = tuple(pmf_score.PAGES)
P = np.array([[0.1, 0.2, 0.4, 0.2, 0.1], [0.0, 0.0, 0.0, 0.0, 1.0], [0.5, 0.5, 0.0, 0.0, 0.0]])
Y = np.array([2, 0, 1])


def drawn(seed: int, n: int = 200, categories: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated forecasts and outcomes drawn from them."""
    generator = np.random.default_rng(seed)
    pmf = generator.dirichlet(np.ones(categories), n)
    return pmf, (generator.random(n)[:, None] > pmf.cumsum(axis=1)[:, :-1]).sum(axis=1)


def test_by_hand() -> None:
    assert pmf_score.rps(P, Y) == pytest.approx([2 * (0.1**2 + 0.3**2), 4.0, 0.5**2])
    assert pmf_score.brier_score(P, Y) == pytest.approx([2 * (0.1**2 + 0.2**2) + 0.6**2, 2.0, 0.5])
    assert pmf_score.log_score(P, Y) == pytest.approx([-math.log(0.4), 10.0, math.log(2)])
    assert pmf_score.accuracy(P, Y).tolist() == [1.0, 0.0, 0.5]  # two share the highest probability
    assert pmf_score.rise(P) == pytest.approx([0.3, 1.0, 0.0])
    assert pmf_score.rose(np.array([0, 2, 3, 4]), 5).tolist() == [False, False, True, True]


def test_best_and_worst() -> None:
    certain = np.eye(5)
    right, wrong = np.arange(5), np.array([4, 4, 4, 0, 0])
    assert [page(certain, right).max() for page in pmf_score.PAGES.values()] == [0.0, 0.0, 0.0, 1.0]
    assert [page(certain, wrong)[0] for page in pmf_score.PAGES.values()] == pytest.approx([4.0, 2.0, 10.0, 0.0])
    assert pmf_score.rps(certain, wrong).tolist() == [4.0, 3.0, 2.0, 3.0, 4.0]  # the distance, for certain forecasts


def test_equal_probabilities() -> None:
    equal = np.full((5, 5), 0.2)
    assert pmf_score.accuracy(equal, np.arange(5)) == pytest.approx(0.2)
    assert pmf_score.brier_score(equal, np.arange(5)) == pytest.approx(0.8)
    assert pmf_score.rps(equal, np.arange(5)) == pytest.approx([1.2, 0.6, 0.4, 0.6, 1.2])


@given(st.integers(0, 2**32), st.sampled_from([3, 5]))
def test_as_scikit_learn(seed: int, categories: int) -> None:
    pmf, observed = drawn(seed, 40, categories)
    labels = list(range(categories))
    at_cuts = [
        metrics.brier_score_loss(
            observed <= cut, pmf[:, : cut + 1].sum(axis=1).clip(0, 1), pos_label=True, labels=[0, 1]
        )
        for cut in labels[:-1]
    ]
    assert pmf_score.rps(pmf, observed).mean() == pytest.approx(sum(at_cuts))
    whole = metrics.brier_score_loss(observed, pmf, labels=labels, scale_by_half=False)
    assert pmf_score.brier_score(pmf, observed).mean() == pytest.approx(whole)
    assert pmf_score.accuracy(pmf, observed).mean() == pytest.approx(
        metrics.accuracy_score(observed, pmf.argmax(axis=1))
    )
    floored = np.maximum(pmf, pmf_score.LOG_FLOOR)
    if (floored == pmf).all():
        assert pmf_score.log_score(pmf, observed).mean() == pytest.approx(
            metrics.log_loss(observed, pmf, labels=labels)
        )


def test_only_rps_depends_on_the_order() -> None:
    near, far = np.array([[0.5, 0.5, 0, 0, 0]]), np.array([[0.5, 0, 0, 0, 0.5]])
    happened = np.array([0])
    assert pmf_score.rps(near, happened) < pmf_score.rps(far, happened)
    assert pmf_score.brier_score(near, happened) == pmf_score.brier_score(far, happened)


def test_rps_brier_and_log_score_are_proper() -> None:
    pmf, observed = drawn(1, 20_000)
    for distorted in (pmf**2, np.sqrt(pmf), pmf[:, ::-1] * 0.3 + pmf * 0.7):
        other = distorted / distorted.sum(axis=1, keepdims=True)
        for name in ("rps", "brier_score", "log_score"):
            page = pmf_score.PAGES[name]
            assert page(other, observed).mean() > page(pmf, observed).mean(), name


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ([0.5, 0.5, 0.5, -0.5, 0.0], "probabilities must lie in"),
        ([np.nan, 0.5, 0.5, 0.0, 0.0], "probabilities must lie in"),
        ([0.2, 0.2, 0.2, 0.2, 0.1], "probabilities must add up to 1 within 0.001"),
    ],
)
def test_what_is_no_forecast_is_found(row: list[float], rule: str) -> None:
    assert pmf_score.fault_of(P, Y) is None
    fault = pmf_score.fault_of(np.array([P[0], row]), np.array([2, 2]))
    assert fault is not None and fault.row == 1 and fault.rule.startswith(rule)
    beyond = pmf_score.fault_of(P, np.array([0, 5, 0]))
    assert beyond is not None and beyond == (1, beyond.rule) and "must lie in [0, 4]" in beyond.rule
