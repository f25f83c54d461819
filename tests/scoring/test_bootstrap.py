"""The block bootstrap: joint resampling, exactness against repeated windows, coverage, pairing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from twofold.scoring.binary import scores
from twofold.scoring.bootstrap import COMPARED, SCORES, bootstrap_scores, compare, draw_days, intervals

SETTINGS = {"resamples": 200, "block_days": 3, "level": 0.9, "seed": 0}


def simulated(seed: int, days: int, regions: int, decimals: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated probabilities, labels and shuffled days of `regions` windows per day, all independent."""
    generator = np.random.default_rng(seed)
    truth = generator.beta(1, 2, days * regions)
    day = generator.permutation(np.repeat(np.arange(days), regions))
    return np.round(truth, decimals), generator.random(truth.size) < truth, day


@given(days=st.integers(1, 30), block_days=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_every_resample_draws_as_many_days_as_there_are(days: int, block_days: int, seed: int) -> None:
    counts = draw_days(days, resamples=7, block_days=block_days, seed=seed)
    assert counts.shape == (7, days)
    assert (counts >= 0).all() and (counts.sum(axis=1) == days).all()


def test_days_are_drawn_in_blocks_that_wrap_round() -> None:
    counts = draw_days(12, resamples=400, block_days=3, seed=3)
    for row in counts[:50]:  # a row is the sum of four circular runs of three days
        assert _is_sum_of_runs(row, runs=4, length=3)
    assert (counts.mean(axis=0) == pytest.approx(1.0, abs=0.2)) and counts.max() > 1
    both_ends = (counts[:, 0] > 0) & (counts[:, -1] > 0) & (counts[:, 2] == 0)
    assert both_ends.any()  # a block over the seam


def _is_sum_of_runs(row: np.ndarray, runs: int, length: int) -> bool:
    if runs == 0:
        return not row.any()
    for start in range(row.size):
        left = row.copy()
        left[(start + np.arange(length)) % row.size] -= 1
        if (left >= 0).all() and _is_sum_of_runs(left, runs - 1, length):
            return True
    return False


def test_neighbouring_days_move_together_and_distant_ones_do_not() -> None:
    counts = draw_days(30, resamples=4000, block_days=3, seed=4)
    lag = [np.mean([np.corrcoef(counts[:, d], counts[:, (d + k) % 30])[0, 1] for d in range(30)]) for k in (1, 2, 6)]
    # Ten draws from 30 blocks: a day is in 3 of them, beside its neighbour in 2, the next in 1, a distant day in none.
    assert lag == pytest.approx([(both / 30 - 0.01) / (0.1 * 0.9) for both in (2, 1, 0)], abs=0.01)


def test_same_seed_same_days_other_seed_other_days() -> None:
    first, again, other = (draw_days(20, resamples=5, block_days=3, seed=s) for s in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    days=st.integers(1, 8),
    regions=st.integers(1, 9),
    decimals=st.sampled_from([0, 1, 9]),
    block_days=st.integers(1, 4),
)
def test_bootstrap_is_the_score_of_the_repeated_windows(
    seed: int, days: int, regions: int, decimals: int, block_days: int
) -> None:
    probability, label, place = simulated(seed, days, regions, decimals)
    counts = draw_days(days, resamples=6, block_days=block_days, seed=seed)
    drawn = bootstrap_scores(probability, label, place, counts)
    assert tuple(drawn) == SCORES
    for r, row in enumerate(counts):
        windows = np.repeat(np.arange(place.size), row[place])
        expected = scores(probability[windows], label[windows])
        for name in SCORES:
            wanted = np.nan if expected[name] is None else expected[name]
            np.testing.assert_allclose(drawn[name][r], wanted, rtol=1e-9, atol=1e-10, err_msg=name)


def test_the_size_of_chunks_changes_nothing() -> None:
    probability, label, day = simulated(5, 40, 300)  # 12,000 windows: 83 resamples at once
    counts = draw_days(40, resamples=100, block_days=3, seed=5)
    together = bootstrap_scores(probability, label, day, counts)
    apart = [bootstrap_scores(probability, label, day, counts[r : r + 1]) for r in (0, 82, 83, 99)]
    for name in SCORES:
        np.testing.assert_allclose(together[name][[0, 82, 83, 99]], [one[name][0] for one in apart], rtol=1e-12)


def test_all_windows_of_a_day_move_together() -> None:
    # Every window of a day has the same outcome: 20 days of 500 copies hold as much information as 20 windows.
    label_of_day = np.random.default_rng(6).random(20) < 0.5
    day = np.repeat(np.arange(20), 500)
    wide = intervals(np.full(day.size, 0.4), label_of_day[day], day, **SETTINGS)["brier_score"]
    once = intervals(np.full(20, 0.4), label_of_day, np.arange(20), **SETTINGS)["brier_score"]
    assert wide is not None and once is not None
    assert wide == pytest.approx(once)
    assert wide[1] - wide[0] > 0.03


def test_intervals_have_about_their_nominal_coverage() -> None:
    truth_of_accuracy, held = [], 0
    for seed in range(120):
        probability, label, day = simulated(seed, 40, 10)
        low, high = intervals(probability, label, day, **SETTINGS | {"seed": seed})["accuracy"] or (0.0, 0.0)
        truth_of_accuracy.append(np.maximum(probability, 1 - probability).mean())
        held += low <= 0.75 <= high  # E max(p, 1 - p) for Beta(1, 2) is 3/4
    assert np.mean(truth_of_accuracy) == pytest.approx(0.75, abs=0.005)
    assert 0.78 <= held / 120 <= 0.97


def test_intervals_of_independent_windows_hold_the_point() -> None:
    probability, label, day = simulated(7, 60, 40)
    found, point = intervals(probability, label, day, **SETTINGS), scores(probability, label)
    for name in set(SCORES) - {"ece"}:  # a resample's ece is biased upwards
        low, high = found[name] or (np.nan, np.nan)
        assert low < (point[name] or 0.0) < high, name


def test_a_higher_level_is_wider() -> None:
    data = simulated(8, 30, 10)
    narrow, wide = (intervals(*data, **SETTINGS | {"level": level})["log_score"] for level in (0.5, 0.95))
    assert narrow is not None and wide is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_only_the_order_of_days_matters() -> None:
    probability, label, day = simulated(9, 12, 5)
    assert intervals(probability, label, day, **SETTINGS) == intervals(probability, label, 18_300 + 7 * day, **SETTINGS)


def test_fewer_days_than_two_blocks_have_no_interval_but_a_difference() -> None:
    assert intervals(*simulated(10, 6, 20), **SETTINGS)["log_score"] is not None
    probability, label, day = simulated(10, 5, 20)
    assert intervals(probability, label, day, **SETTINGS) == dict.fromkeys(SCORES)
    found = compare(probability, np.full(label.size, 0.3), label, day, **SETTINGS)
    assert all(entry["difference"] is not None and entry["low"] is entry["high"] is None for entry in found.values())


def test_one_class_has_intervals_where_it_has_scores() -> None:
    probability, _, day = simulated(11, 10, 4)
    never = np.zeros(day.size, bool)
    found, point = intervals(probability, never, day, **SETTINGS), scores(probability, never)
    assert {n for n in SCORES if found[n] is None} == {n for n in SCORES if point[n] is None} != set()
    compared = compare(probability, probability, never, day, **SETTINGS)["roc_auc"]
    assert compared == {"difference": None, "low": None, "high": None}


def test_resamples_without_a_score_are_left_out() -> None:
    day = np.arange(12)
    label = day == 4  # many resamples miss the one up
    found = intervals(np.linspace(0, 1, 12), label, day, **SETTINGS)["roc_auc"]
    assert found is not None and np.isfinite(found).all()


def test_empty_set_has_nothing() -> None:
    none = np.empty(0), np.empty(0, bool), np.empty(0, np.int64)
    assert intervals(*none, **SETTINGS) == dict.fromkeys(SCORES)
    assert compare(none[0], *none, **SETTINGS)["log_score"] == {"difference": None, "low": None, "high": None}


def test_comparison_is_the_difference_of_the_scores() -> None:
    probability, label, day = simulated(12, 20, 15)
    worse = np.clip(1 - probability, 0, 1)
    found = compare(probability, worse, label, day, **SETTINGS)
    a, b = scores(probability, label), scores(worse, label)
    assert tuple(found) == COMPARED
    for name, entry in found.items():
        assert entry["difference"] == pytest.approx((a[name] or 0.0) - (b[name] or 0.0), abs=1e-12)
    assert (found["log_score"]["high"] or 0.0) < 0.0 < (found["roc_auc"]["low"] or 0.0)


def test_swapped_models_swap_the_sign_of_a_comparison() -> None:
    probability, label, day = simulated(13, 20, 15)
    other = np.sqrt(probability)
    there = compare(probability, other, label, day, **SETTINGS)["log_score"]
    back = compare(other, probability, label, day, **SETTINGS)["log_score"]
    assert there["low"] == pytest.approx(-(back["high"] or 0.0))
    assert there["high"] == pytest.approx(-(back["low"] or 0.0))


def test_pairing_narrows_the_interval_of_a_difference() -> None:
    probability, label, day = simulated(14, 30, 10)
    near = np.clip(probability + 0.01, 0, 1)
    paired = compare(probability, near, label, day, **SETTINGS)["log_score"]
    single = intervals(probability, label, day, **SETTINGS)["log_score"]
    assert single is not None and paired["low"] is not None and paired["high"] is not None
    assert paired["high"] - paired["low"] < (single[1] - single[0]) / 5


def test_a_model_equals_itself() -> None:
    probability, label, day = simulated(15, 10, 5)
    for entry in compare(probability, probability, label, day, **SETTINGS).values():
        assert entry == {"difference": 0.0, "low": 0.0, "high": 0.0}


def test_lengths_must_agree() -> None:
    probability, label, day = simulated(16, 10, 5)
    with pytest.raises(TypeCheckError):
        intervals(probability[1:], label, day, **SETTINGS)
