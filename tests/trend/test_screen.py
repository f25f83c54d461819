"""The set C: Pearson beside SciPy, constant series left out, days after the last one seen not touched."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr

from trend.small import NAMES, increments_of
from twofold.trend.screen import correlate, fit_screen

COUNTS = arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(2, 12)), elements=st.integers(-3, 9))


@given(COUNTS)
def test_correlation_equals_scipy_pair_by_pair(counts):
    found = correlate(counts)

    for i, a in enumerate(counts):
        for j, b in enumerate(counts):
            if np.ptp(a) == 0 or np.ptp(b) == 0:
                assert np.isnan(found[i, j])
            else:
                assert found[i, j] == pytest.approx(pearsonr(a, b).statistic, abs=1e-9)


@given(COUNTS, st.floats(-1, 0.99))
def test_a_region_is_in_c_when_it_moves_with_another_one(counts, threshold):
    screen = fit_screen(increments_of(counts), counts.shape[1], threshold)

    for i in range(len(counts)):
        others = [screen.correlation[i, j] for j in range(len(counts)) if j != i]
        assert screen.selected[i] == any(value > threshold for value in others)  # NaN exceeds nothing
    assert screen.constant == tuple(NAMES[i] for i, row in enumerate(counts) if np.ptp(row) == 0)


def test_set_c_by_hand():
    rising, doubled, falling, constant = [1, 2, 3, 4], [2, 4, 6, 9], [4, 3, 2, 1], [5, 5, 5, 5]

    screen = fit_screen(increments_of([rising, doubled, falling, constant]), 4, 0.7)

    assert screen.selected.tolist() == [True, True, False, False]
    assert screen.constant == (NAMES[3],)
    assert screen.days == 4


def test_the_threshold_itself_is_not_enough():
    counts = np.array([[1, -1, 1, -1], [1, 0, 1, -2]])
    exact = float(correlate(counts)[0, 1])

    assert fit_screen(increments_of(counts), 4, exact).selected.tolist() == [False, False]
    assert fit_screen(increments_of(counts), 4, np.nextafter(exact, 0).item()).selected.tolist() == [True, True]


def test_a_region_does_not_select_itself():
    assert fit_screen(increments_of([[1, 2, 3]]), 3, 0.7).selected.tolist() == [False]


def test_without_a_threshold_every_region_is_in_c_also_a_constant_one():
    screen = fit_screen(increments_of([[0, 0, 0], [1, 2, 0]]), 3, None)

    assert screen.selected.all()
    assert screen.constant == (NAMES[0],)


@given(COUNTS, st.data())
def test_days_after_the_last_one_seen_are_not_touched(counts, data):
    days = data.draw(st.integers(1, counts.shape[1] - 1))
    changed = counts.copy()
    changed[:, days:] = data.draw(arrays(np.int64, changed[:, days:].shape, elements=st.integers(-99, 99)))

    before, after = (fit_screen(increments_of(values), days, 0.5) for values in (counts, changed))

    assert np.array_equal(before.correlation, after.correlation, equal_nan=True)
    assert (before.selected == after.selected).all()
    assert before.constant == after.constant
