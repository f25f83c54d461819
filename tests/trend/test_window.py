"""Windows: which there are, what they hold, beside plain loops; nothing is copied."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from trend.small import increments_of
from trend.test_label import TARGETS, compared
from twofold.engine.errors import InputError
from twofold.trend.config import WindowConfig
from twofold.trend.window import Windows, activity, covered, possible_origins, slide

COUNTS = arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(3, 30)), elements=st.integers(-1, 2))
ASKED = st.builds(
    WindowConfig,
    length=st.integers(1, 9),
    start=st.integers(0, 9),
    stride=st.integers(1, 4),
    horizon=st.integers(1, 4),
    target=st.sampled_from(TARGETS),
    per_region=st.sampled_from(["all", "last"]),
)


def expected_origins(row, asked: WindowConfig) -> list[int]:
    every = [
        t
        for t in range(len(row))
        if t - asked.length + 1 >= asked.start and compared(row, t, asked.target, asked.horizon)
    ]
    return every[-1:] if asked.per_region == "last" else every[:: asked.stride]


@given(COUNTS, ASKED, st.data())
def test_windows_equal_plain_loops(counts, asked, data):
    selected = np.array(data.draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts))))
    expected = [(r, t) for r in np.flatnonzero(selected) for t in expected_origins(counts[r], asked)]

    if not expected:
        with pytest.raises(InputError):
            slide(increments_of(counts), selected, asked)
        return
    windows = slide(increments_of(counts), selected, asked)

    assert list(zip(windows.region, windows.origin, strict=True)) == expected
    assert len(windows) == len(expected)
    for i, (r, t) in enumerate(expected):
        before, after = compared(counts[r], t, asked.target, asked.horizon)
        assert (windows.up[i], windows.tie[i]) == (after > before, after == before)
        assert windows.active[i] == any(counts[r, t - asked.length + 1 : t + 1])


def test_the_last_window_of_a_region_ends_on_the_last_date_but_one():
    counts = [[0, 0, 0, 1, 2, 3, 4, 5], [9, 9, 9, 9, 9, 9, 9, 0]]

    windows = slide(increments_of(counts), np.array([True, True]), WindowConfig(length=7, per_region="last"))

    assert windows.origin.tolist() == [6, 6]
    assert windows.up.tolist() == [True, False]


def test_days_from_the_start_on_by_hand():
    counts = np.zeros((1, 81), dtype=np.int64)

    windows = slide(increments_of(counts), np.array([True]), WindowConfig(length=7, start=40))

    assert windows.origin.tolist() == list(range(46, 80))


def test_a_window_takes_the_same_memory_whatever_its_length():
    counts = np.ones((2, 100), dtype=np.int64)

    def bytes_a_window(length: int) -> float:
        windows = slide(increments_of(counts), np.array([True, True]), WindowConfig(length=length))
        held = (windows.region, windows.origin, windows.up, windows.tie, windows.active)
        return sum(array.nbytes for array in held) / len(windows)

    assert bytes_a_window(1) == bytes_a_window(90)


def test_too_short_a_series_says_what_it_needs():
    asked = WindowConfig(length=7, start=2, horizon=2)

    assert possible_origins(increments_of(np.zeros((1, 11))), asked).tolist() == [8]
    with pytest.raises(InputError, match=r"window.length 7 from window.start 2 with 2 dates ahead needs 11 .* has 10"):
        possible_origins(increments_of(np.zeros((1, 10))), asked)


def test_no_region_selected_says_what_to_do():
    with pytest.raises(InputError, match="no region passes"):
        slide(increments_of([[1, 2, 3]]), np.array([False]), WindowConfig(length=1))


@given(COUNTS, st.integers(1, 40))
def test_activity_equals_plain_loops(counts, length):
    found = activity(counts, length)

    for r, row in enumerate(counts):
        for t in range(len(row)):
            assert found[r, t] == any(row[max(0, t - length + 1) : t + 1] != 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(4, 15)), max_size=20), st.integers(1, 5), st.integers(0, 4))
def test_covered_cells_equal_plain_loops(places, length, ahead):
    region, origin = (np.array([place[k] for place in places], dtype=np.int64) for k in (0, 1))
    nothing = np.zeros(len(places), dtype=bool)
    windows = Windows(region, origin, nothing, nothing, nothing, length, ahead)
    rows = np.arange(0, len(places), 2)

    expected = np.zeros((4, 20), dtype=bool)
    for r, t in places[::2]:
        expected[r, t - length + 1 : t + ahead + 1] = True
    assert (covered(windows, rows, (4, 20), ahead) == expected).all()
