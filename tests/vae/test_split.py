"""The split: a hash decides, so that files come and go without moving others."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.engine.errors import InputError
from twofold.vae.config import SplitConfig
from twofold.vae.split import Split, split_images

PARTS = ("train", "validation", "test")


def hashes_of(numbers) -> np.ndarray:
    data = b"".join(hashlib.blake2b(str(number).encode(), digest_size=16).digest() for number in numbers)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, 16)


def parts(split: Split, total: int) -> list[str]:
    names = [""] * total
    for part in PARTS:
        for row in getattr(split, part):
            assert not names[row]
            names[row] = part
    assert all(names)
    return names


def test_every_image_is_in_the_part_that_its_hash_says():
    hashes = hashes_of(range(500))
    found = parts(split_images(hashes, SplitConfig(test_fraction=0.2, validation_fraction=0.3)), 500)

    for row, part in zip(hashes, found, strict=True):
        u = int.from_bytes(hashlib.blake2b(b"twofold split" + row.tobytes()).digest()[:8], "big") / 2**64
        assert part == ("test" if u < 0.2 else "validation" if u < 0.5 else "train")


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 10_000), min_size=120, max_size=200), st.sets(st.integers(10_001, 20_000), max_size=100))
def test_adding_files_moves_none(old, new):
    before, after = sorted(old), sorted(old | new, key=lambda number: number % 977)

    first = dict(zip(before, parts(split_images(hashes_of(before), SplitConfig()), len(before)), strict=True))
    second = dict(zip(after, parts(split_images(hashes_of(after), SplitConfig()), len(after)), strict=True))

    assert first == {number: second[number] for number in before}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=300, max_size=400))
def test_duplicates_share_a_part(numbers):
    numbers = [*numbers, *range(100)]
    found = parts(split_images(hashes_of(numbers), SplitConfig()), len(numbers))

    assert len({(number, part) for number, part in zip(numbers, found, strict=True)}) == len(set(numbers))


def test_shares_are_about_those_asked_for():
    split = split_images(hashes_of(range(20_000)), SplitConfig(validation_fraction=0.05, test_fraction=0.15))

    assert len(split.test) == pytest.approx(3000, rel=0.06)
    assert len(split.validation) == pytest.approx(1000, rel=0.1)


def test_rows_are_ascending():
    split = split_images(hashes_of(range(300)), SplitConfig())

    assert all((np.diff(getattr(split, part)) > 0).all() for part in PARTS)


@pytest.mark.parametrize("images", [0, 1, 3])
def test_an_empty_part_says_how_many_images_there_are(images):
    with pytest.raises(InputError, match=rf"part of the split is empty: there are {images} images, .*give more images"):
        split_images(hashes_of(range(images)), SplitConfig())


def test_many_copies_of_one_image_are_one_image():
    with pytest.raises(InputError, match="there are 500 images, 1 of them different"):
        split_images(np.repeat(hashes_of([1]), 500, axis=0), SplitConfig())
