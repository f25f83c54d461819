"""Labels: what "up" means for every target and horizon, beside sums in plain loops."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from twofold.trend.label import label, reach

TARGETS = ("next_day", "mean7", "sum7")


def compared(row, t: int, target: str, h: int) -> tuple[int, int] | None:
    """(before, after) of the comparison at origin t; None when a count of it is missing."""
    before, after = {
        "next_day": (range(t, t + 1), range(t + h, t + h + 1)),
        "mean7": (range(t - 6, t + 1), range(t + h - 6, t + h + 1)),
        "sum7": (range(t - 6, t + 1), range(t + h, t + h + 7)),
    }[target]
    if before[0] < 0 or after[-1] >= len(row):
        return None
    return sum(int(row[i]) for i in before), sum(int(row[i]) for i in after)


@given(
    arrays(np.int64, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=st.integers(-3, 4)),
    st.sampled_from(TARGETS),
    st.integers(1, 10),
)
def test_labels_equal_sums_in_plain_loops(counts, target, horizon):
    labels = label(counts, target, horizon)

    for row, up, tie in zip(counts, labels.up, labels.tie, strict=True):
        expected = {t: pair for t in range(len(row)) if (pair := compared(row, t, target, horizon))}
        assert dict(enumerate(up, labels.first)) == {t: after > before for t, (before, after) in expected.items()}
        assert dict(enumerate(tie, labels.first)) == {t: after == before for t, (before, after) in expected.items()}


def test_next_day_by_hand():
    labels = label(np.array([[0, 2, 2, 1, -1, 0]]), "next_day", 1)

    assert labels.up.tolist() == [[True, False, False, False, True]]
    assert labels.tie.tolist() == [[False, True, False, False, False]]
    assert (labels.first, labels.lookahead) == (0, 1)


def test_seven_day_mean_of_the_next_day_compares_the_ends_of_eight_days():
    counts = np.random.default_rng(0).integers(0, 5, (3, 40))

    labels = label(counts, "mean7", 1)

    assert labels.first == 6
    assert (labels.up == (counts[:, 7:] > counts[:, :-7])).all()
    assert (labels.tie == (counts[:, 7:] == counts[:, :-7])).all()


def test_next_seven_days_against_the_last_seven_by_hand():
    rising, falling, level = [1] * 7 + [2] * 7, [2] * 7 + [1] * 7, [0, 0, 0, 0, 0, 0, 7] + [1] * 7

    labels = label(np.array([rising, falling, level]), "sum7", 1)

    assert (labels.first, labels.lookahead) == (6, 7)
    assert labels.up.tolist() == [[True], [False], [False]]
    assert labels.tie.tolist() == [[False], [False], [True]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("horizon", [1, 3])
def test_a_label_reaches_exactly_as_far_as_it_says(target, horizon):
    lookback, lookahead = reach(target, horizon)
    counts = np.zeros((1, lookback + lookahead + 1), dtype=np.int64)

    assert label(counts, target, horizon).up.tolist() == [[False]]
    assert label(counts[:, 1:], target, horizon).up.shape == (1, 0)
    counts[0, -1] = 1  # the last date of its reach turns the label
    assert label(counts, target, horizon).up.tolist() == [[True]]
