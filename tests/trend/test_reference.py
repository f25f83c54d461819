import numpy as np
import pytest

from twofold.trend.config import Target
from twofold.trend.reference import median_growth, reference, reference_gaps, trailing_mean

COUNTS = np.array([[3, 0, 5, 7, 1, 2, 9, 4, 6, 8], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("target", "horizon", "expected"), [("next_day", 1, 8.0), ("mean7", 1, 7.0), ("sum7", 1, 37 / 7)]
)
def test_the_reference_is_what_new_counts_have_to_exceed(target: Target, horizon: int, expected: float) -> None:
    assert reference(COUNTS, target, horizon)[0, -1] == pytest.approx(expected)


def test_two_dates_ahead_the_two_oldest_dates_leave_the_mean() -> None:
    assert reference(COUNTS, "mean7", 2)[0, -1] == pytest.approx((7 + 1) / 2)


def test_gaps_are_poisson_scaled_and_0_where_nothing_happened() -> None:
    short, week, _ = reference_gaps(COUNTS, "next_day", 1)
    assert short[0, -1] == pytest.approx((6 - 8) / np.sqrt(6 + 8 + 1))
    mean = sum([7, 1, 2, 9, 4, 6, 8]) / 7
    assert week[0, -1] == pytest.approx((mean - 8) / np.sqrt(mean + 9))
    assert all((gap[1] == 0).all() for gap in (short, week))


def test_negative_counts_count_as_none() -> None:
    gaps = reference_gaps(COUNTS - 4, "mean7", 1)
    assert all(np.isfinite(gap).all() for gap in gaps)
    assert np.array_equal(gaps[0], reference_gaps(np.maximum(COUNTS - 4, 0), "mean7", 1)[0])


def test_growth_is_the_median_over_active_regions_of_the_context() -> None:
    day = np.arange(30)
    counts = np.stack([10 * 2 ** (day // 7), 10 * 4 ** (day // 7), 0 * day, 10**6 * day]).astype(np.int64)
    known = np.array([True, True, True, False])
    week = trailing_mean(counts, 7)
    expected = np.median(np.log((week[:2, 29] + 0.5) / (week[:2, 22] + 0.5)))
    assert median_growth(counts, known)[29] == pytest.approx(expected)
    assert (median_growth(counts, np.array([False, False, True, False])) == 0).all()


@pytest.mark.parametrize("target", ["next_day", "mean7", "sum7"])
def test_nothing_sees_beyond_its_date(target: Target) -> None:
    generator = np.random.default_rng(0)
    counts = generator.poisson(5, (4, 30))
    later = counts.copy()
    later[:, 20:] += generator.poisson(50, (4, 10))
    known = np.array([True, True, False, True])
    now, then = (np.stack(reference_gaps(each, target, 1)) for each in (counts, later))
    assert np.array_equal(now[:, :, :20], then[:, :, :20]) and not np.array_equal(now, then)
    assert np.array_equal(median_growth(counts, known)[:20], median_growth(later, known)[:20])
