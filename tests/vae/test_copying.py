"""The test for copies finds real ones and claims nothing of mud; its deviation is that of a random relabelling."""

import math

import numpy as np
import pytest

from twofold.vae.copying import Copying, copying
from twofold.vae.neighbours import nearest
from vae.small import discs

TRAIN, HELD_OUT, SAMPLES = 160, 40, 64


def compared(samples: np.ndarray, pictures: np.ndarray) -> Copying:
    """The test of some samples; the first pictures are training images."""
    one, near = nearest(samples, pictures, np.arange(TRAIN))
    other, far = nearest(samples, pictures, np.arange(TRAIN, TRAIN + HELD_OUT))
    return copying(np.where(near < far, one, other), near < far, TRAIN, HELD_OUT)


def excess(found: Copying) -> float:
    """Standard errors above what is expected."""
    return (found.nearest_in_training - found.expected) / found.standard_error


def noisy(pictures: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 4, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def test_copies_are_found_and_so_are_copies_among_new_images() -> None:
    pictures = discs(TRAIN + HELD_OUT)
    copies = compared(noisy(pictures[:SAMPLES], 1), pictures)
    assert copies.nearest_in_training == 1.0 and copies.expected == 0.8
    assert excess(copies) > 3
    half = compared(np.concatenate([noisy(pictures[:SAMPLES], 1), discs(SAMPLES, seed=2)]), pictures)
    assert excess(half) > 2
    assert excess(compared(noisy(pictures[TRAIN:], 3), pictures)) < -2, "copies of held-out images are none"


def test_new_images_exceed_the_expected_as_chance_has_it() -> None:
    found = [excess(compared(discs(SAMPLES, seed=100 + k), discs(TRAIN + HELD_OUT, seed=k))) for k in range(40)]
    assert abs(np.mean(found)) < 2 / math.sqrt(40)
    assert 0.7 < np.std(found) < 1.3


def test_mud_lies_near_all_alike_and_nothing_is_claimed() -> None:
    # The mean image and a little noise: nearer to some training image than most new images are, and no copy.
    for seed in range(20):
        pictures = discs(TRAIN + HELD_OUT, seed=seed)
        mean = np.repeat(pictures.mean(axis=0, keepdims=True), SAMPLES, axis=0)
        mud = compared(noisy(mean, seed), pictures)
        assert excess(mud) < 2
        assert mud.standard_error > 0.05, "many samples share their nearest image, so they are few witnesses"


def test_the_deviation_is_that_of_a_random_relabelling() -> None:
    random = np.random.default_rng(0)
    rows = random.integers(0, 12, 50) ** 2  # some images are nearest to many samples
    labels = np.arange(200) < TRAIN
    shares = [random.permutation(labels)[rows].mean() for _ in range(20_000)]
    found = copying(rows, labels[rows], TRAIN, HELD_OUT)
    assert (found.samples, found.held_out, found.expected) == (50, HELD_OUT, 0.8)
    assert np.mean(shares) == pytest.approx(found.expected, abs=0.002)
    assert np.std(shares) == pytest.approx(found.standard_error, rel=0.02)


def test_one_image_nearest_to_all_samples_says_nothing() -> None:
    found = copying(np.zeros(64, np.int64), np.ones(64, dtype=bool), TRAIN, HELD_OUT)
    assert found.standard_error == pytest.approx(math.sqrt(0.8 * 0.2))
    assert excess(found) == pytest.approx(0.5)
