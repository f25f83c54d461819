"""What every head must hold to: P(change > tau) falls in tau, is certain below zero, and gives whole distributions."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hub.season_small import ALL_HEADS, CHANGE, CONFIG, LOCATIONS, head, queries
from twofold.hub.heads.pmf import Head, certain_below_zero, growth_needed, pmf_of

N, HORIZONS, CUTS = 7, 4, 4
ROUNDING = 1e-6  # networks compute in single precision
TAU = arrays(
    float,
    (N, HORIZONS, CUTS),
    elements=st.one_of(st.integers(-3000, 3000).map(lambda k: k + 0.5), st.floats(-200, 200)),
)


@dataclass(frozen=True)
class Any:
    """A head that returns the given probabilities."""

    said: np.ndarray

    def exceed(self, queries, tau):
        return self.said


@pytest.mark.parametrize("name", ALL_HEADS)
@settings(max_examples=25)
@given(TAU)
def test_the_probability_of_a_larger_change_is_smaller(name, tau: np.ndarray) -> None:
    tau = np.sort(tau, axis=2)
    found = head(name).exceed(queries(), tau)
    assert ((found >= 0) & (found <= 1 + ROUNDING)).all()
    assert (np.diff(found, axis=2) <= ROUNDING).all()
    assert (found[queries().base[:, None, None] + tau < 0] == 1).all()


@pytest.mark.parametrize("name", ALL_HEADS)
def test_every_head_gives_distributions_and_nothing_for_an_empty_category(name) -> None:
    pmf = pmf_of(head(name), queries(), CHANGE, CONFIG.floor)
    assert pmf.shape == (N, HORIZONS, 5)
    np.testing.assert_allclose(pmf.sum(axis=2), 1, atol=1e-12)
    assert (pmf >= CONFIG.floor).all()
    # In Wyoming, at the first horizon, every change that is not stable is large.
    wyoming = LOCATIONS["location"].to_list().index("56")
    np.testing.assert_array_equal(np.diff(queries().cuts(CHANGE)[wyoming, 0])[[0, 2]], [0, 0])
    between = pmf[wyoming, 0, [1, 3]]
    assert between == pytest.approx(CONFIG.floor, abs=1e-12)


@pytest.mark.parametrize("name", ALL_HEADS)
def test_a_head_is_a_head_and_says_more_than_one_thing(name) -> None:
    assert isinstance(head(name), Head)
    pmf = pmf_of(head(name), queries(), CHANGE, CONFIG.floor)
    assert np.ptp(pmf[:, 0], axis=0).max() > 0.05


@given(arrays(float, (N, HORIZONS, CUTS), elements=st.floats(-0.5, 1.5)), st.floats(0, 0.19))
def test_whatever_a_head_says_becomes_a_distribution(said: np.ndarray, floor: float) -> None:
    pmf = pmf_of(Any(said), queries(), CHANGE, floor)
    np.testing.assert_allclose(pmf.sum(axis=2), 1, atol=1e-9)
    assert (pmf >= floor - 1e-12).all()


def test_categories_are_differences_of_what_was_said() -> None:
    said = np.broadcast_to([0.9, 0.7, 0.4, 0.1], (N, HORIZONS, CUTS))
    np.testing.assert_allclose(pmf_of(Any(said), queries(), CHANGE, 0.0)[0, 0], [0.1, 0.2, 0.3, 0.3, 0.1])
    np.testing.assert_allclose(pmf_of(Any(said), queries(), CHANGE, 0.1)[0, 0], [0.15, 0.2, 0.25, 0.25, 0.15])


def test_growth_needed_by_hand() -> None:
    base, tau = np.array([9.0, 0.0]), np.array([[[-20.0, -9, 0, 90]], [[-1, 0, 0.5, 3]]])
    expected = [[[-np.log(10), -np.log(10), 0, np.log(10)]], [[0, 0, np.log(1.5), np.log(4)]]]
    np.testing.assert_allclose(growth_needed(base, tau), expected)
    np.testing.assert_allclose(growth_needed(base, np.array([[[90.0]], [[np.nan]]])), [[[np.log(10)]], [[np.nan]]])


def test_a_count_can_not_fall_below_zero() -> None:
    tau = np.array([[[-9.5, -9.0, -8.5]]])
    assert certain_below_zero(np.array([9.0]), tau, np.full((1, 1, 3), 0.3)).tolist() == [[[1.0, 0.3, 0.3]]]
