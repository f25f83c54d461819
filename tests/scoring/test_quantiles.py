"""Scores of quantiles, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.scoring.quantiles import covered, log_wis, pinball, sound, wis

LEVELS = np.array([0.025, 0.25, 0.5, 0.75, 0.975])


def test_pinball_by_hand() -> None:
    found = pinball(np.array([[0.0, 4.0, 10.0, 12.0, 20.0]]), LEVELS, np.array([11.0]))
    assert found[0] == pytest.approx([0.025 * 11, 0.25 * 7, 0.5 * 1, 0.25 * 1, 0.025 * 9])


def test_wis_is_the_weighted_mean_of_interval_scores() -> None:
    """Bracher et al.: (|y - m| / 2 + sum of alpha / 2 times each interval's score) / (K + 1 / 2)."""
    values, observed = np.array([2.0, 8.0, 10.0, 14.0, 20.0]), 23.0
    inner = (14 - 8) + 2 / 0.5 * (observed - 14)
    outer = (20 - 2) + 2 / 0.05 * (observed - 20)
    by_hand = (abs(observed - 10) / 2 + 0.5 / 2 * inner + 0.05 / 2 * outer) / 2.5
    assert wis(values[None], LEVELS, np.array([observed]))[0] == pytest.approx(by_hand)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_of_the_median_alone_it_is_the_absolute_error(median: float, observed: float) -> None:
    found = wis(np.array([[median]]), np.array([0.5]), np.array([observed]))
    assert found[0] == pytest.approx(abs(median - observed))


def test_with_many_levels_it_is_the_crps() -> None:
    """Of a uniform distribution on [0, 1] and an observation y: y^3 / 3 + (1 - y)^3 / 3."""
    levels = (np.arange(2000) + 0.5) / 2000
    found = wis(np.stack([levels, levels]), levels, np.array([0.3, 1.0]))
    assert found == pytest.approx([0.3**3 / 3 + 0.7**3 / 3, 1 / 3], abs=1e-6)


def test_on_logarithms_a_factor_costs_the_same_at_every_level() -> None:
    values = np.array([[0.0], [99.0]])
    assert log_wis(values, np.array([0.5]), np.array([9.0, 999.0])) == pytest.approx([np.log(10), np.log(10)])


def test_coverage_counts_the_ends() -> None:
    values = np.broadcast_to([0.0, 4.0, 5.0, 6.0, 9.0], (5, 5))
    observed = np.array([0.0, 3.9, 4.0, 6.0, 9.1])
    assert covered(values, LEVELS, observed, 0.5).tolist() == [False, False, True, True, False]
    assert covered(values, LEVELS, observed, 0.95).tolist() == [True, True, True, True, False]
    with pytest.raises(ValueError, match=r"levels must hold 0\.05 and 0\.95 for the interval of 0\.9"):
        covered(values, LEVELS, observed, 0.9)


def test_what_falls_or_is_no_number_is_unsound() -> None:
    found = sound(np.array([[1.0, 1.0, 2.0], [1.0, 3.0, 2.0], [1.0, np.nan, 2.0], [0.0, 1.0, np.inf]]))
    assert found.tolist() == [True, False, False, False]
