"""The arrays of a report: which images they show, and the nearest training images by brute force."""

from pathlib import Path

import numpy as np
import pytest

from twofold.vae.images.load import Images, Split, split_images
from twofold.vae.latent import Autoencoder, to_pixels
from twofold.vae.model import Vae
from twofold.vae.pictures import pictures
from vae.small import discs, images_of, tiny

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return images_of(discs(60), tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def split(images: Images) -> Split:
    return split_images(images.hashes, tiny().split)


UNITS = {"kl_units": np.array([0.3, 2.0, 0.001]), "effect_units": np.array([0.1, 2.0, 9.0])}


@pytest.fixture(scope="module")
def arrays(model: Autoencoder, images: Images, split: Split) -> Arrays:
    return pictures(model, images, split, model.encode(images.pixels[split.test]).astype(np.float64), **UNITS)


def rows_of(found: np.ndarray, images: Images) -> list[int]:
    """Which image each picture is."""
    return [int(np.flatnonzero((images.pixels == picture).all(axis=(1, 2, 3)))[0]) for picture in found]


def test_real_images_are_test_images_and_each_once(arrays: Arrays, images: Images, split: Split) -> None:
    for name in ("real", "ends"):
        rows = rows_of(arrays[name].reshape(-1, *images.pixels.shape[1:]), images)
        assert set(rows) <= set(split.test.tolist())
        assert len(set(rows)) == len(rows)
    assert sorted(rows_of(arrays["sheet"], images)) == list(range(60))
    assert rows_of(arrays["sheet"], images) != list(range(60))


def test_what_is_shown_does_not_depend_on_names(model: Autoencoder, arrays: Arrays, tmp_path: Path) -> None:
    images = images_of(discs(60)[::-1], tmp_path)
    split = split_images(images.hashes, tiny().split)
    mu = model.encode(images.pixels[split.test]).astype(np.float64)
    again = pictures(model, images, split, mu, **UNITS)
    for name in ("sheet", "real", "ends", "nearest"):
        np.testing.assert_array_equal(again[name], arrays[name])


def test_pictures_are_the_models_own(model: Autoencoder, arrays: Arrays) -> None:
    np.testing.assert_array_equal(arrays["reconstruction"], to_pixels(model.reconstruct(arrays["real"])))
    np.testing.assert_array_equal(arrays["prior"], to_pixels(model.sample(64, 0)))
    starts = to_pixels(model.reconstruct(arrays["ends"][:, 0]))
    for path in ("linear", "spherical"):
        assert np.abs(arrays[path][:, 0].astype(int) - starts).max() <= 1
    assert arrays["traverse_units"].tolist() == [2, 1, 0]  # the one with the largest effect first
    assert arrays["traverse"].shape == (3, 9, 16, 16, 3)


def test_the_nearest_training_images(arrays: Arrays, images: Images, split: Split) -> None:
    train = images.pixels[split.train].reshape(len(split.train), -1) / 255
    for picture, nearest, distance in zip(arrays["prior"], arrays["nearest"], arrays["nearest_distance"], strict=False):
        distances = np.sqrt(((train - picture.reshape(-1) / 255) ** 2).mean(axis=1))
        assert distance == pytest.approx(distances.min(), rel=1e-4)
        assert rows_of(nearest[None], images)[0] == split.train[distances.argmin()]
    assert len(arrays["test_distance"]) == len(split.test)
    assert (arrays["test_distance"] > 0).all()


def test_the_nearest_of_all_images_is_known_by_its_part(
    model: Autoencoder, arrays: Arrays, images: Images, split: Split
) -> None:
    pixels = images.pixels.reshape(60, -1) / 255
    assert len(arrays["copy_rows"]) == len(arrays["copy_in_train"]) == 256
    samples = np.concatenate([arrays["prior"], to_pixels(model.sample(192, 1))])
    for picture, row, known in zip(samples, arrays["copy_rows"], arrays["copy_in_train"], strict=True):
        assert row == ((pixels - picture.reshape(-1) / 255) ** 2).sum(axis=1).argmin()
        assert known == (row in split.train)


def test_the_map_shows_test_images_on_their_main_directions(arrays: Arrays, images: Images, split: Split) -> None:
    assert arrays["map_rows"].tolist() == split.test.tolist()
    assert arrays["map_xy"].shape == (len(split.test), 2)
    assert arrays["map_xy"][:, 0].var() >= arrays["map_xy"][:, 1].var()
    assert 0 < arrays["map_explained"].sum() <= 1 + 1e-9
    np.testing.assert_array_equal(arrays["map_thumbs"], images.pixels[split.test])  # of 16 x 16, as they are


def test_one_unit_has_a_map_too(images: Images, split: Split) -> None:
    config = tiny(model={"latent_dim": 1})
    model = Autoencoder(Vae.seeded(config, 0).eval(), config)
    found = pictures(
        model,
        images,
        split,
        model.encode(images.pixels[split.test]).astype(np.float64),
        kl_units=np.ones(1),
        effect_units=np.ones(1),
    )
    assert (found["map_xy"][:, 1] == 0).all()
    assert found["map_explained"].tolist() == [1.0, 0.0]


def test_a_single_test_image_has_no_interpolation(model: Autoencoder, images: Images, split: Split) -> None:
    lone = Split(split.train, split.validation, split.test[:1])
    found = pictures(model, images, lone, model.encode(images.pixels[lone.test]).astype(np.float64), **UNITS)
    assert found["linear"].shape == (0, 11, 16, 16, 3)
    assert found["ends"].shape == (0, 2, 16, 16, 3)
