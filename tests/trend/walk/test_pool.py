import numpy as np
import pytest

from twofold.trend.config import CalibrationConfig
from twofold.trend.walk.pool import fit_mixture_weights, walk_pool

GENERATOR = np.random.default_rng(0)
UP = GENERATOR.random(600) < 0.5
DAY = np.repeat(np.arange(30), 20)
GOOD = np.where(UP, 0.8, 0.2)
MEMBERS = np.stack([GOOD, 1 - GOOD, np.full(600, 0.5)], axis=1)


def test_without_a_window_or_under_an_endless_prior_weights_are_equal() -> None:
    assert fit_mixture_weights(MEMBERS[:0], UP[:0], DAY[:0], 0.0) == pytest.approx([1 / 3] * 3)
    assert fit_mixture_weights(MEMBERS, UP, DAY, 1e9) == pytest.approx([1 / 3] * 3, abs=1e-6)


def test_the_better_member_gets_the_weight_the_more_the_more_days_speak() -> None:
    alone, drawn, few = (
        fit_mixture_weights(MEMBERS[:n], UP[:n], DAY[:n], prior) for n, prior in ((600, 0.0), (600, 30.0), (40, 30.0))
    )
    assert alone[0] > 0.99
    assert 1 / 3 < few[0] < drawn[0] < alone[0]
    assert all(weights.sum() == pytest.approx(1) for weights in (alone, drawn, few))


def test_weights_have_the_best_log_score_of_all_mixtures() -> None:
    noisy = np.clip(GOOD + GENERATOR.normal(0, 0.3, 600), 0.02, 0.98)
    other = np.clip(GOOD + GENERATOR.normal(0, 0.3, 600), 0.02, 0.98)
    members = np.stack([noisy, other], axis=1)
    share = np.linspace(0, 1, 201)
    losses = [-np.log(np.where(UP, mixed, 1 - mixed)).mean() for mixed in (s * noisy + (1 - s) * other for s in share)]
    assert fit_mixture_weights(members, UP, DAY, 0.0)[0] == pytest.approx(share[np.argmin(losses)], abs=0.01)


def pooled(up: np.ndarray, lookahead: int = 1, usable: np.ndarray | None = None) -> np.ndarray:
    everything = np.ones(len(up), dtype=bool)
    config = CalibrationConfig(prior_days=5)
    found = walk_pool(
        MEMBERS, up, DAY, lookahead, usable=everything if usable is None else usable, config=config, prior_days=5.0
    )
    return found.probability


@pytest.mark.parametrize("lookahead", [1, 7])
def test_no_forecast_sees_an_outcome_that_was_not_known_at_its_origin(lookahead: int) -> None:
    for changed in (3, 17, 29):
        other = UP.copy()
        other[changed * 20 :] = ~other[changed * 20 :]  # outcomes of origins from `changed` on
        same = changed + lookahead > DAY
        before, after = pooled(UP, lookahead), pooled(other, lookahead)
        assert np.array_equal(before[same], after[same])
        assert same.all() or not np.array_equal(before[~same], after[~same])


def test_the_first_forecasts_are_the_equal_pool() -> None:
    assert np.array_equal(pooled(UP)[:20], MEMBERS[:20] @ np.full(3, 1 / 3))


def test_windows_that_are_not_usable_change_nothing() -> None:
    usable = DAY % 2 == 0
    other = np.where(usable, UP, ~UP)
    assert np.array_equal(pooled(UP, usable=usable), pooled(other, usable=usable))
