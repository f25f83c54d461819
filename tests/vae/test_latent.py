"""A trained autoencoder: encoding, decoding, paths between codes, and the inputs that it refuses."""

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.engine.errors import InputError
from twofold.vae.latent import Autoencoder, between, to_images, to_pixels
from twofold.vae.model import as_input
from vae.small import discs


def test_codes_are_the_posteriors_and_decoding_them_the_likelihoods_mean(model: Autoencoder) -> None:
    pictures = discs(5)
    with torch.no_grad():
        mu, logvar = model.vae.encode(as_input(pictures, torch.device("cpu")))
        image = model.vae.likelihood.mean(model.vae.decode(mu)).permute(0, 2, 3, 1)
    found = model.posterior(pictures)
    np.testing.assert_array_equal(found[0], mu.numpy())
    np.testing.assert_array_equal(found[1], logvar.numpy())
    np.testing.assert_array_equal(model.encode(pictures), found[0])
    np.testing.assert_allclose(model.reconstruct(pictures), image.numpy(), atol=1e-6)


def test_levels_and_shares_of_one_are_the_same_image(model: Autoencoder) -> None:
    pictures = discs(3)
    np.testing.assert_allclose(model.encode(pictures), model.encode(pictures / 255), atol=1e-5)


def test_more_than_pass_at_once(model: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = discs(7)
    whole = model.reconstruct(pictures)
    monkeypatch.setattr("twofold.vae.train.AT_ONCE", 3)
    np.testing.assert_allclose(model.reconstruct(pictures), whole, atol=1e-5)


def test_samples_depend_on_the_seed(model: Autoencoder) -> None:
    one, same, other = model.sample(4, 1), model.sample(4, 1), model.sample(4, 2)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.shape == (4, 16, 16, 3)
    assert 0 <= one.min() <= one.max() <= 1


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_a_path_begins_and_ends_at_its_ends(model: Autoencoder, path: str) -> None:
    a, b = discs(3), discs(3, seed=1)
    paths = model.interpolate(a, b, 5, path)  # pyright: ignore[reportArgumentType]
    assert paths.shape == (3, 5, 16, 16, 3)
    np.testing.assert_allclose(paths[:, 0], model.reconstruct(a), atol=1e-5)
    np.testing.assert_allclose(paths[:, -1], model.reconstruct(b), atol=1e-5)


def test_the_middle_of_a_path() -> None:
    a, b = np.array([[2.0, 0.0]], np.float32), np.array([[0.0, 4.0]], np.float32)
    np.testing.assert_allclose(between(a, b, 3, "linear")[0, 1], [1.0, 2.0])
    # Halfway round the quarter circle, at the mean of both lengths.
    np.testing.assert_allclose(between(a, b, 3, "spherical")[0, 1], 3 / np.sqrt(2) * np.ones(2), rtol=1e-6)


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.0])
def test_where_there_is_no_circle_the_path_is_linear(factor: float) -> None:
    a = np.array([[1.0, 2.0]], np.float32)
    b = (factor * a).astype(np.float32)
    np.testing.assert_allclose(between(a, b, 5, "spherical"), between(a, b, 5, "linear"), atol=1e-6)


def test_a_traversal_moves_one_unit(model: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[np.ndarray] = []
    decode = Autoencoder.decode
    monkeypatch.setattr(Autoencoder, "decode", lambda self, z: codes.append(z) or decode(self, z))
    picture = discs(1)
    found = model.traverse(picture, [2, 0], np.array([-1.0, 0.0, 1.0]))
    assert found.shape == (2, 3, 16, 16, 3)
    mu = model.encode(picture)[0]
    moved = codes[0].reshape(2, 3, 3)
    np.testing.assert_array_equal(moved[0, :, :2], np.tile(mu[:2], (3, 1)))
    np.testing.assert_array_equal(moved[0, :, 2], [-1, 0, 1])
    np.testing.assert_array_equal(moved[1, :, 0], [-1, 0, 1])


def test_scores_are_those_of_each_image_and_the_same_again(model: Autoencoder) -> None:
    pictures = discs(5)
    found, again = model.score(pictures), model.score([Image.fromarray(each) for each in pictures])
    for name in ("rate", "distortion", "negative_elbo", "bits", "mse"):
        values = getattr(found, name)
        assert values.shape == (5,)
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, getattr(again, name))
    mu, logvar = model.posterior(pictures)
    np.testing.assert_allclose(found.rate, 0.5 * (mu**2 + np.exp(logvar) - logvar - 1).sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(found.negative_elbo, found.rate + found.distortion)
    one = model.score(pictures[:1])
    np.testing.assert_allclose(one.rate, found.rate[:1], rtol=1e-6)


def test_one_image_and_one_code_are_batches_of_one(model: Autoencoder) -> None:
    picture = discs(1)
    z = model.encode(picture[0])
    np.testing.assert_array_equal(z, model.encode(picture))
    for code in (z[0], [z[0]], torch.from_numpy(z), [torch.from_numpy(z[0])]):
        np.testing.assert_array_equal(model.decode(code), model.decode(z))
    assert model.interpolate(picture[0], picture[0], 3).shape == (1, 3, 16, 16, 3)


def test_a_picture_as_an_image_of_pillows() -> None:
    colour, grey = discs(2), discs(1, channels=1)
    np.testing.assert_array_equal(np.stack([np.asarray(each) for each in to_images(colour / 255)]), colour)
    assert to_images(grey)[0].mode == "L"
    np.testing.assert_array_equal(np.asarray(to_images(grey)[0]), grey[0, :, :, 0])


@pytest.mark.parametrize("shape", [(0, 3), (2, 4)])
def test_codes_that_do_not_fit_are_refused(model: Autoencoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"z must have the shape \[n, 3\]"):
        model.decode(np.zeros(shape))
    with pytest.raises(InputError, match="must be of one length, 3"):
        model.decode([np.zeros(3), np.zeros(2)])


def test_levels_are_rounded_and_clipped() -> None:
    assert to_pixels(np.array([-1.0, 0.0, 0.5 / 255 + 1e-6, 0.499, 1.0, 2.0])).tolist() == [0, 0, 1, 127, 255, 255]
