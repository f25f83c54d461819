"""Nearest images, against all pairs of differences, whatever is compared at a time."""

import numpy as np
import pytest

from twofold.vae.neighbours import closest, nearest
from vae.small import discs


@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_the_nearest_of_the_rows_that_may_be_found(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twofold.vae.neighbours.AT_ONCE", at_once)
    pixels, queries = discs(30), discs(9, seed=1)
    rows = np.arange(0, 30, 2)
    row, distance = nearest(queries, pixels, rows)
    pairs = np.sqrt(((queries[:, None] / 255 - pixels[rows][None] / 255) ** 2).mean(axis=(2, 3, 4)))
    np.testing.assert_array_equal(row, rows[pairs.argmin(axis=1)])
    np.testing.assert_allclose(distance, pairs.min(axis=1), rtol=1e-4)


def test_an_image_is_its_own_neighbour_where_it_may_be() -> None:
    pixels = discs(10)
    row, distance = nearest(pixels, pixels, np.arange(10))
    np.testing.assert_array_equal(row, np.arange(10))
    np.testing.assert_allclose(distance, 0, atol=1e-3)
    assert len(nearest(pixels[:0], pixels, np.arange(10))[0]) == 0


@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_the_closest_come_in_the_order_of_their_distances(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twofold.vae.neighbours.AT_ONCE", at_once)
    pixels, rows = discs(30), np.arange(0, 30, 2)
    found, distance = closest(pixels[4], pixels, rows, 5)
    pairs = np.sqrt(((pixels[4] / 255 - pixels[rows] / 255) ** 2).mean(axis=(1, 2, 3)))
    np.testing.assert_array_equal(found, rows[np.argsort(pairs)[:5]])
    np.testing.assert_allclose(distance, np.sort(pairs)[:5], rtol=1e-5)
    assert distance[0] == 0
    assert len(closest(pixels[4], pixels, rows, 99)[0]) == len(rows)
