"""Distances of samples against scipy, closed forms and plain readings of the definitions; networks of features."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor, nn

from twofold.engine.errors import InputError
from twofold.vae.account import score_samples
from twofold.vae.distances import (
    RandomConvolutions,
    as_tensor,
    compare,
    features_of,
    frechet,
    laplacian_distance,
    laplacian_pyramid,
    load_features,
    neighbourhoods,
    sliced_wasserstein,
)
from twofold.vae.images.load import split_images
from twofold.vae.latent import Autoencoder
from twofold.vae.model import Vae
from vae.small import discs, generator, images_of, tiny


def test_one_dimension_is_the_exact_wasserstein_distance() -> None:
    one, other = (torch.randn(300, 1, generator=generator(seed)) * scale for seed, scale in ((0, 1.0), (1, 3.0)))
    exact = wasserstein_distance(one[:, 0], other[:, 0])
    assert sliced_wasserstein(one, other, 5, generator()) == pytest.approx(exact, rel=1e-5)


def test_a_direction_is_the_exact_wasserstein_distance_of_the_projections() -> None:
    one, other = (torch.randn(200, 4, generator=generator(seed)) + seed for seed in (0, 1))
    directions = torch.randn(4, 50, generator=generator(7))
    directions /= directions.norm(dim=0)
    exact = [wasserstein_distance(one @ axis, other @ axis) for axis in directions.T]
    assert sliced_wasserstein(one, other, 50, generator(7)) == pytest.approx(np.mean(exact), rel=1e-4)


def test_a_shift_of_all_values_is_measured_in_their_unit() -> None:
    """E|u_1 + .. + u_d| / sqrt(d) of a direction u is near that of a standard normal, sqrt(2 / pi)."""
    points = torch.rand(50, 400, generator=generator())
    found = sliced_wasserstein(points, points + 0.1, 4000, generator(1))
    assert found == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.05)


def test_the_pyramid_adds_up_to_the_image_and_its_bands_hold_no_flat_colour() -> None:
    x = as_tensor(discs(3, 64))
    levels = laplacian_pyramid(x)
    assert [level.shape[-1] for level in levels] == [64, 32, 16]
    flat = laplacian_pyramid(torch.full((1, 3, 64, 64), 0.7))
    assert all(float(band.abs().max()) < 1e-6 for band in flat[:-1])
    assert float((flat[-1] - 0.7).abs().max()) < 1e-6
    smooth = laplacian_pyramid(torch.linspace(0, 1, 64).expand(1, 1, 64, 64).contiguous())
    assert float(smooth[0][..., 4:-4].abs().max()) < 1e-6  # a ramp is its own enlarged half, but at the border


def test_patches_tell_blur_from_the_images_and_not_the_images_from_their_like() -> None:
    x, like = as_tensor(discs(200, 32)), as_tensor(discs(200, 32, seed=1))
    blurred = nn.functional.avg_pool2d(x, 5, 1, 2)
    assert laplacian_distance(x, x, 20, 0) == 0
    assert laplacian_distance(blurred, like, 20, 0) > 2 * laplacian_distance(x, like, 20, 0)
    assert laplacian_distance(0.5 * x, like, 20, 0) > 5 * laplacian_distance(x, like, 20, 0)  # contrast counts


def test_frechet_is_the_closed_form_of_normals() -> None:
    random = np.random.default_rng(0)
    one = random.normal(size=(400, 5)) @ random.normal(size=(5, 5))
    other = random.normal(size=(300, 5)) @ random.normal(size=(5, 5)) + 1.0
    first, second = (np.cov(each, rowvar=False) for each in (one, other))
    root = np.real(scipy.linalg.sqrtm(first @ second))
    shift = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum()
    assert frechet(one, other) == pytest.approx(shift + np.trace(first + second - 2 * root), rel=1e-9)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_frechet_of_fewer_images_than_features() -> None:
    """C1 and C2 have rank 1 each: with C = a a', tr((C1 C2)^(1/2)) = |a1 . a2|."""
    one, other = np.array([[1.0, 0, 0], [-1.0, 0, 0]]), np.array([[0.0, 2, 0], [0.0, -2, 0]])
    assert frechet(one, other) == pytest.approx(2 + 8)
    assert frechet(one, 3 * one) == pytest.approx((3 - 1) ** 2 * 2)


def test_neighbourhoods_are_those_of_their_definitions() -> None:
    random, k = np.random.default_rng(0), 3
    real, fake = random.normal(size=(40, 2)), random.normal(size=(30, 2)) * 0.7 + 0.4

    def radius(points: np.ndarray, centre: np.ndarray) -> float:
        return sorted(math.dist(centre, point) for point in points)[k]

    reach = [radius(real, each) for each in real]
    around = [[math.dist(r, f) <= d for r, d in zip(real, reach, strict=True)] for f in fake]
    recalled = [any(math.dist(r, f) <= radius(fake, f) for f in fake) for r in real]
    found = neighbourhoods(fake, real, k)
    assert found["precision"] == pytest.approx(np.mean([any(each) for each in around]))
    assert found["recall"] == pytest.approx(np.mean(recalled))
    assert found["density"] == pytest.approx(sum(map(sum, around)) / (k * len(fake)))
    assert found["coverage"] == pytest.approx(np.mean(np.array(around).any(axis=0)))
    assert 0 < found["recall"] < 1 and 0 < found["coverage"] < 1


def test_copies_of_few_images_are_precise_and_lack_recall() -> None:
    real = np.random.default_rng(0).normal(size=(100, 3))
    found = neighbourhoods(real[np.arange(100) % 5], real, 5)
    assert found["precision"] == 1
    assert found["recall"] == pytest.approx(0.05)
    assert found["coverage"] < 0.5


def test_random_convolutions_are_the_same_in_every_process() -> None:
    torch.manual_seed(5)
    one = features_of(discs(3, 32), RandomConvolutions(3))
    torch.manual_seed(6)
    other = features_of(discs(3, 32), RandomConvolutions(3))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (3, 64)
    first = next(RandomConvolutions(1).parameters()).flatten(1)
    torch.testing.assert_close(first.T @ first, torch.eye(16) * 2 / 1.04)


def test_too_few_images_have_no_frechet_distance_and_fewer_no_neighbourhoods() -> None:
    pictures, network = discs(200), RandomConvolutions(3)
    for number, missing in ((99, {"frechet"}), (19, {"frechet", "precision", "recall", "density", "coverage"})):
        found = compare(pictures[:number], pictures[100 : 100 + number], network)
        assert {key for key, value in found.items() if value is None} == missing
    whole = compare(pictures[:100], pictures[100:], network)
    assert None not in whole.values()
    assert whole == compare(pictures[:100], pictures[100:], network)


def test_samples_are_scored_by_temperature_beside_the_training_images(tmp_path: Path) -> None:
    images, config = images_of(discs(120), tmp_path), tiny()
    split = split_images(images.hashes, config.split)
    model = Autoencoder(Vae.seeded(config, 3).eval(), config)
    found = score_samples(model, images, split.test, split.train)
    assert found is not None
    assert list(found["temperatures"]) == ["0", "0.5", "1"]
    assert found["images"] == len(split.test)
    assert found["floor"]["swd_pixels"] < found["temperatures"]["0"]["swd_pixels"]
    assert len({block["swd_laplacian"] for block in found["temperatures"].values()}) == 3
    few = score_samples(Autoencoder(model.vae, tiny(score={"sample_images": 7})), images, split.test, split.train)
    assert few is not None and few["images"] == 7
    none = Autoencoder(model.vae, tiny(score={"sample_images": 0}))
    assert score_samples(none, images, split.test, split.train) is None
    alone = score_samples(model, images, split.test, split.train[:0])
    assert alone is not None and alone["floor"] is None


def test_a_likelihood_without_noise_has_one_temperature(tmp_path: Path) -> None:
    images, config = images_of(discs(60), tmp_path), tiny(likelihood={"name": "bernoulli"})
    split = split_images(images.hashes, config.split)
    model = Autoencoder(Vae.seeded(config, 3).eval(), config)
    found = score_samples(model, images, split.test, split.train)
    assert found is not None and list(found["temperatures"]) == ["0"]


class Pooled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=3).flatten(1)


class Flawed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=3)


class Infinite(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=3).flatten(1) / 0


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(7, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1))


def scripted(network: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(network), str(path))
    return path


def test_a_users_network_is_read_from_torchscript(tmp_path: Path) -> None:
    network = load_features(scripted(Pooled(), tmp_path / "network.pt"))
    pictures = discs(70)
    expected = (pictures / 255).transpose(0, 3, 1, 2).mean(axis=3).reshape(70, -1)
    np.testing.assert_allclose(features_of(pictures, network), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("network", "said"), [(Flawed, "got \\[5, 3, 16\\]"), (Infinite, "finite"), (Failing, "fails on images")]
)
def test_a_network_that_gives_no_features_is_refused(
    tmp_path: Path, network: Callable[[], nn.Module], said: str
) -> None:
    loaded = load_features(scripted(network(), tmp_path / "network.pt"))
    with pytest.raises(InputError, match=said):
        features_of(discs(5), loaded)


def test_a_file_that_is_no_torchscript_is_refused(tmp_path: Path) -> None:
    torch.save(Pooled().state_dict(), tmp_path / "weights.pt")
    (tmp_path / "text.pt").write_text("no network")
    for name in ("weights.pt", "text.pt", "missing.pt"):
        with pytest.raises(InputError, match="can't be opened as a TorchScript file"):
            load_features(tmp_path / name)
