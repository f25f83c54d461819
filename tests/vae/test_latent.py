"""A trained autoencoder: encoding, decoding, paths between codes, and the inputs that it refuses."""

import numpy as np
import pytest
import torch

from twofold.engine.errors import InputError
from twofold.vae.latent import Autoencoder, between, to_pixels
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
    monkeypatch.setattr("twofold.vae.latent.AT_ONCE", 3)
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


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((2, 16, 16, 1), np.uint8), r"shape \[n, 16, 16, 3\] with n > 0, got \[2, 16, 16, 1\]"),
        (np.zeros((0, 16, 16, 3), np.uint8), "n > 0, got"),
        (np.full((1, 16, 16, 3), 1.5), r"must lie in \[0, 1\], got 1.5 to 1.5"),
        (np.full((1, 16, 16, 3), np.nan), r"must lie in \[0, 1\], got nan"),
    ],
)
def test_images_that_do_not_fit_are_refused(model: Autoencoder, x: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        model.encode(x)


@pytest.mark.parametrize("shape", [(0, 3), (2, 4)])
def test_codes_that_do_not_fit_are_refused(model: Autoencoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"z must have the shape \[n, 3\]"):
        model.decode(np.zeros(shape))


def test_levels_are_rounded_and_clipped() -> None:
    assert to_pixels(np.array([-1.0, 0.0, 0.5 / 255 + 1e-6, 0.499, 1.0, 2.0])).tolist() == [0, 0, 1, 127, 255, 255]
