"""The scale of a set: what is found, what is kept, what is clipped."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.vae.images.items import Damage
from twofold.vae.images.scale import Extent, assumed_range, concerns_bytes, extent, found_range, joined, to_levels


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 1, True, (0, 1)),
        (0, 0, True, (0, 255)),
        (0, 5, True, (0, 255)),
        (3, 255, True, (0, 255)),
        (3, 256, True, (0, 511)),
        (100, 3600, True, (0, 4095)),
        (0, 65535, True, (0, 65535)),
        (0, 70_000, True, (0, 131_071)),
        (-1024, 3071, True, (-1024, 3071)),
        (100.25, 3599.9949, False, (100.25, 3600)),
        (-0.123456789, 37.25, False, (-0.123457, 37.25)),
        (7.5, 7.5, False, (0, 7.5)),
        (-7.5, -7.5, False, (-7.5, 0)),
    ],
)
def test_the_scale_that_is_found(low, high, whole, expected):
    assert found_range(Extent(low, high, whole)) == expected


@given(
    st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20)
    | st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=20)
)
def test_a_scale_that_is_found_clips_nothing_and_has_a_width(numbers):
    values = np.array(numbers)
    low, high = found_range(extent(values))
    levels, outside = to_levels(values, (low, high))
    assert low < high
    assert math.isfinite(high - low)
    assert outside == 0
    assert (np.diff(levels[np.argsort(values)].astype(int)) >= 0).all()


def test_levels_are_the_nearest():
    sixteen = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_levels(sixteen, (0.0, 65535.0))[0], (sixteen.astype(np.uint32) + 128) // 257)
    eight = np.arange(256)
    np.testing.assert_array_equal(to_levels(eight, (0.0, 255.0))[0], eight)
    shares = np.random.default_rng(1).random(1000)
    np.testing.assert_array_equal(to_levels(shares, (0.0, 1.0))[0], np.rint(shares * 255))


def test_what_lies_outside_is_clipped_and_counted():
    levels, outside = to_levels(np.array([-5.0, 0, 10, 20, 21, 99]), (0.0, 20.0))
    assert levels.tolist() == [0, 0, 128, 255, 255, 255]
    assert outside == 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38])
def test_values_that_are_none_are_refused(value):
    with pytest.raises(Damage, match=r"values (that are not finite|beyond)"):
        extent(np.array([0.5, value]))


def test_an_image_that_stands_alone():
    assert assumed_range(np.array([3, 200], dtype=np.uint16)) == (0, 65535)
    assert assumed_range(np.array([0.0, 0.5])) == (0, 1)
    assert assumed_range(np.array([0.0, 200.0])) == (0, 255)
    assert assumed_range(np.array([0, 1000], dtype=np.int32)) == (0, 1023)


def test_extents_join():
    one, other = Extent(0, 5, True), Extent(-1.5, 3, False)
    assert joined(one, other) == Extent(-1.5, 5, False)
    assert joined(None, one) == joined(one, None) == one
    assert joined(None, None) is None


def test_which_scales_concern_8_bits():
    assert [concerns_bytes(scale) for scale in (None, (0.0, 255.0), (0.0, 256.0))] == [False] * 3
    assert [concerns_bytes(scale) for scale in ((0.0, 1.0), (20.0, 90.0))] == [True] * 2


@pytest.mark.parametrize("shape", [(1100, 1000, 3), (1, 2**21, 1), (0, 5), (7,)])
def test_levels_of_a_large_image_are_found_by_parts(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
    levels, outside = to_levels(values, (100.0, 60_000.0))
    whole = np.rint(((values.astype(np.float64) - 100) * 255.0 / 59_900.0).clip(0, 255)).astype(np.uint8)
    np.testing.assert_array_equal(levels, whole)
    assert outside == ((values < 100) | (values > 60_000)).sum()
