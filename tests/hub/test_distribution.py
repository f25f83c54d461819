"""One distribution: quantiles, P(change > tau) and categories agree, and the pool is that of distribution functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.small import CHANGE
from twofold.hub.distribution import LEVELS, CountForecast, Distribution, pmf_from
from twofold.hub.examples import Queries
from twofold.hub.roots import OFFSET, counts_of, root
from twofold.scoring.categories import rise

ASKED = np.array(LEVELS)
SHAPE = 6, 4


def drawn(seed: int, spread: float = 0.3) -> Distribution:
    """Random quantiles that cross and tie."""
    rng = np.random.default_rng(seed)
    values = rng.normal(rng.normal(0, spread, (*SHAPE, 1)), spread * rng.exponential(1, (*SHAPE, 1)), (*SHAPE, 23))
    values[rng.random(values.shape) < 0.1] = 0.0
    return Distribution.through(ASKED, values)


def forecast(seed: int, change: Distribution) -> CountForecast:
    rng = np.random.default_rng(seed + 1)
    return CountForecast(np.floor(rng.exponential(200, SHAPE[0])), np.floor(rng.uniform(5e5, 4e7, SHAPE[0])), change)


def cuts(found: CountForecast) -> np.ndarray:
    return Queries(np.zeros((len(found.base), 1, 0)), found.base, found.population).cuts(CHANGE)


def rows(values) -> np.ndarray:
    return np.broadcast_to(np.asarray(values, dtype=float), (*SHAPE, len(values)))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(1e-4, 3.0), st.floats(0.05, 0.95))
def test_everything_agrees(seed: int, spread: float, share: float) -> None:
    heads = [drawn(seed, spread), drawn(seed + 1, spread)]
    pooled = Distribution.pool(heads, [share, 1.0 - share])
    each = [forecast(seed, change) for change in (*heads, pooled)]
    for found in each:
        values = found.quantiles(np.linspace(0.0, 1.0, 101).tolist())
        assert (values >= 0).all()
        assert (np.diff(values, axis=2) >= 0).all()
        exceed = found.exceed(cuts(found))
        pmf = pmf_from(exceed)
        assert (pmf >= 0).all()
        assert pmf.sum(axis=2) == pytest.approx(1.0, abs=1e-15)
        reached = np.concatenate([rows([0.0]), 1.0 - exceed, rows([1.0])], axis=2)
        assert pmf == pytest.approx(np.diff(reached, axis=2), abs=1e-15)
        up = cuts(found)[:, :, [2]]  # below it a change is stable or a fall
        assert rise(pmf.reshape(-1, 5)) == pytest.approx(found.exceed(up).ravel(), abs=1e-15)
        # A count's quantile is exceeded with the rest of its level, but where all that mass lies on a count of 0.
        value = found.quantiles([0.3])
        beyond = found.exceed(value - found.base[:, None, None])
        assert beyond[value > 0] == pytest.approx(0.7, abs=1e-6)
        assert (beyond[value == 0] <= 0.7 + 1e-6).all()
    one, other, both = (pmf_from(found.exceed(cuts(found))) for found in each)
    assert both == pytest.approx(share * one + (1.0 - share) * other, abs=1e-13)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_quantile_is_the_inverse(seed: int, levels: list[float]) -> None:
    for found in (drawn(seed), Distribution.pool([drawn(seed), drawn(seed + 1)], [1.0, 3.0])):
        asked = rows(sorted(levels))
        values = found.quantile(asked)
        assert (np.diff(values, axis=2) >= 0).all()
        assert found.cdf(values) == pytest.approx(asked, abs=1e-8)


def test_it_goes_through_the_given_quantiles_and_ends_in_stated_tails() -> None:
    values = np.broadcast_to(np.linspace(-1.1, 1.1, 23), (1, 1, 23))
    found = Distribution.through(ASKED, values)
    assert found.quantile(ASKED[None, None]) == pytest.approx(values, abs=1e-4)
    # From .01 to .05 the quantile rises by .2: s = .2 / ln 5; knots lie s ln 10 apart, at .001 and at 0.
    step = 0.2 / np.log(5) * np.log(10)
    low = found.quantile(np.array([[[0.0, 0.001, 0.0055]]]))[0, 0]
    assert low == pytest.approx([-1.1 - 2 * step, -1.1 - step, -1.1 - step / 2], abs=1e-4)
    high = found.quantile(np.array([[[0.9945, 0.999, 1.0]]]))[0, 0]
    assert high == pytest.approx([1.1 + step / 2, 1.1 + step, 1.1 + 2 * step], abs=1e-4)
    assert found.cdf(np.array([[[-99.0, 99.0]]])).tolist() == [[[0.0, 1.0]]]


def test_two_parts_far_apart_leave_a_gap_between() -> None:
    low, high = (Distribution.through(ASKED, np.linspace(at, at + 0.1, 23)[None, None]) for at in (0.0, 5.0))
    both = Distribution.pool([low, high], [0.25, 0.75])
    assert both.cdf(np.array([[[2.5]]])).item() == pytest.approx(0.25, abs=1e-15)
    assert both.quantile(np.array([[[0.25, 0.2500001]]]))[0, 0] == pytest.approx([0.1, 5.0], abs=0.2)


def test_the_scale_of_fourth_roots_by_hand() -> None:
    people = np.array([2e5, 2e5])
    roots = root(np.array([0.0, 20.0]), people)
    assert roots == pytest.approx([OFFSET**0.25, (10 + OFFSET) ** 0.25])
    assert counts_of(roots, people) == pytest.approx([0.0, 20.0], abs=1e-9)
    assert counts_of(np.array([0.0, -3.0]), people).tolist() == [0.0, 0.0]


def test_a_count_cannot_fall_below_nothing() -> None:
    found = CountForecast(np.array([3.0] * SHAPE[0]), np.array([1e6] * SHAPE[0]), drawn(1, 2.0))
    exceed = found.exceed(rows([-4.0, -3.0, -2.0]))
    assert (exceed[:, :, 0] == 1).all()
    assert (exceed[:, :, 1] < 1).any()  # a count of 0 has a probability of its own
    assert (np.diff(exceed, axis=2) <= 0).all()
