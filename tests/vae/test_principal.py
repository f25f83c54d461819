import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from twofold.vae.principal import Principal, principal, principal_without
from vae.small import discs


def reference(pixels: np.ndarray, components: int) -> PCA:
    """scikit-learn's exact solution, on images in the order channels, height, width."""
    return PCA(components, svd_solver="full").fit(pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1) / 255)


def agrees(found: Principal, wanted: PCA, pixels: np.ndarray) -> None:
    np.testing.assert_allclose(found.mean, wanted.mean_, atol=1e-6)
    np.testing.assert_allclose(found.variances, wanted.explained_variance_, rtol=1e-3)
    along = np.abs((found.directions.numpy() * wanted.components_).sum(axis=1))
    np.testing.assert_allclose(along, 1.0, atol=2e-3)
    total = (pixels / 255).reshape(len(pixels), -1).var(axis=0, ddof=1).sum()
    assert found.total == pytest.approx(total, rel=1e-5)
    left = (total - wanted.explained_variance_.sum()) / (pixels[0].size - len(found.variances))
    assert found.rest == pytest.approx(left, rel=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_components_are_those_of_an_exact_solver(channels: int) -> None:
    pixels = discs(150, channels=channels)
    found = principal(pixels, np.arange(150), 6, seed=0)
    agrees(found, reference(pixels, 6), pixels)
    again = principal(pixels, np.arange(150), 6, seed=0)
    assert torch.equal(found.directions, again.directions)


def test_components_without_a_fold_are_those_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, fold_of = discs(90), np.arange(90) % 4
    exact = principal_without(pixels, np.arange(90), 5, fold_of, seed=0)
    monkeypatch.setattr("twofold.vae.principal._INNER_UP_TO", 10)
    randomised = principal_without(pixels, np.arange(90), 5, fold_of, seed=0)
    assert len(exact) == len(randomised) == 4
    for fold in range(4):
        kept = pixels[fold_of != fold]
        agrees(exact[fold], reference(kept, 5), kept)
        agrees(randomised[fold], reference(kept, 5), kept)


def test_images_that_are_all_alike_have_no_signal() -> None:
    found = principal(np.full((9, 16, 16, 1), 77, np.uint8), np.arange(9), 3, seed=0)
    assert float(found.signal().max()) < 1e-6
    assert found.rest > 0
