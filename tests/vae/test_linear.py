"""The linear baseline against scikit-learn's probabilistic PCA, and where images are few or all alike."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from twofold.vae.linear import fit_linear
from twofold.vae.score import evaluate, importance_weighted


def images(number: int, seed: int = 0) -> Tensor:
    """Images of three known directions and noise."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(1).normal(size=(3, 48)) * np.array([[0.3], [0.2], [0.1]])
    flat = 0.5 + generator.normal(size=(number, 3)) @ directions + generator.normal(size=(number, 48)) * 0.05
    return torch.from_numpy(flat.astype(np.float32)).reshape(number, 3, 4, 4)


def test_its_elbo_is_the_likelihood_of_probabilistic_pca() -> None:
    train, test = images(400), images(100, seed=2)
    model = fit_linear(train, images(50, seed=3), 3, seed=0)
    exact = PCA(3, svd_solver="full").fit(train.flatten(1).numpy()).score_samples(test.flatten(1).numpy())
    found = evaluate(model, [test], 400, torch.Generator().manual_seed(0)).negative_elbo
    np.testing.assert_allclose(found, -exact, atol=1.5)  # 400 draws of z leave that much chance
    assert found.mean() == pytest.approx(-exact.mean(), abs=0.15)


def test_its_posterior_is_exact() -> None:
    model, test = fit_linear(images(400), images(50, seed=3), 3, seed=0), images(20, seed=2)
    bound, effective = importance_weighted(model, [test], 16, torch.Generator().manual_seed(0), 256)
    one, _ = importance_weighted(model, [test], 1, torch.Generator().manual_seed(1), 256)
    np.testing.assert_allclose(effective, 16, rtol=1e-2)  # every draw counts alike
    np.testing.assert_allclose(one, bound, atol=0.1)


def test_few_images_do_not_leave_it_without_noise() -> None:
    train, validation = images(12), images(12, seed=3)
    model = fit_linear(train, validation, 256, seed=0)
    assert len(model.variances) < 11
    assert model.likelihood.sigma == pytest.approx(0.05, rel=0.5)


def test_images_that_are_all_alike_have_a_likelihood() -> None:
    alike = torch.full((5, 1, 4, 4), 0.25)
    model = fit_linear(alike, alike, 2, seed=0)
    found = evaluate(model, [alike], 1, torch.Generator().manual_seed(0))
    assert np.isfinite(found.negative_elbo).all()
    assert found.mse.mean() < 1e-6


def test_the_same_seed_gives_the_same_model() -> None:
    one, two = (fit_linear(images(60), images(20, seed=3), 8, seed=5) for _ in range(2))
    assert torch.equal(one.directions, two.directions)
    assert one.likelihood.sigma == two.likelihood.sigma
