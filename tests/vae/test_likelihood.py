"""Likelihoods against closed forms and scipy: they normalise, and no value or gradient is lost in the tails."""

import copy
import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy import integrate, stats
from torch import Tensor

from twofold.engine.errors import InputError
from twofold.vae.config import LikelihoodConfig, LikelihoodName
from twofold.vae.likelihood import GAIN, Likelihood, make_likelihood

LEVELS = np.arange(256)
EDGES = np.concatenate([[-np.inf], (LEVELS[1:] - 0.5) / 255, [np.inf]])
MEANS = st.floats(-2.0, 3.0)
SIGMAS = st.floats(-4.0, 1.0).map(lambda exponent: 10.0**exponent)


def likelihood_of(name: LikelihoodName, sigma: float = 0.1) -> Likelihood:
    return make_likelihood(LikelihoodConfig(name=name, sigma=sigma))


def single(values: np.ndarray | float, dtype: torch.dtype = torch.float64) -> Tensor:
    """Each value an image of one pixel."""
    return torch.as_tensor(np.atleast_1d(values), dtype=dtype).reshape(-1, 1, 1, 1)


def level_masses(likelihood: Likelihood, mean: float, dtype: torch.dtype = torch.float64) -> np.ndarray:
    """Log mass of each of the 256 levels."""
    output = single(np.full(256, mean), dtype)
    return -likelihood.bin_nll(output, single(LEVELS / 255, dtype)).detach().double().numpy()


def scipy_log_masses(name: str, mean: float, sigma: float) -> np.ndarray:
    """Log differences of the distribution function, or of its mirror above the mean."""
    law = stats.norm(mean, sigma) if name != "logistic" else stats.logistic(mean, sigma * math.sqrt(3) / math.pi)
    with np.errstate(divide="ignore"):
        lower, upper = np.log(np.diff(law.cdf(EDGES))), np.log(-np.diff(law.sf(EDGES)))
    return np.where(mean > LEVELS / 255, lower, upper)


@pytest.mark.parametrize("name", ["gaussian", "gaussian_fixed", "logistic"])
@given(mean=MEANS, sigma=SIGMAS)
@settings(deadline=None)
def test_256_masses_sum_to_one(name: LikelihoodName, mean: float, sigma: float) -> None:
    likelihood = likelihood_of(name, sigma).double()
    assert np.exp(level_masses(likelihood, mean)).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", ["gaussian_fixed", "logistic"])
@given(mean=MEANS, sigma=SIGMAS)
@settings(deadline=None)
def test_masses_agree_with_scipy(name: LikelihoodName, mean: float, sigma: float) -> None:
    likelihood = likelihood_of(name, sigma).double()
    assert likelihood.sigma is not None
    expected = scipy_log_masses(name, mean, likelihood.sigma)
    seen = expected > -600.0  # below, scipy's differences underflow; this is what the code is for
    np.testing.assert_allclose(level_masses(likelihood, mean)[seen], expected[seen], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mean", [-0.5, 0.0, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("sigma", [1e-3, 0.1, 10.0])
def test_logistic_masses_in_single_precision(mean: float, sigma: float) -> None:
    single_precision = level_masses(likelihood_of("logistic", sigma), mean, torch.float32)
    double = level_masses(likelihood_of("logistic", sigma).double(), mean)
    np.testing.assert_allclose(single_precision, double, rtol=2e-6, atol=1e-6 / min(sigma, 0.5))
    assert np.exp(single_precision).sum() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", ["gaussian", "gaussian_fixed", "logistic", "bernoulli"])
@pytest.mark.parametrize("sigma", [1e-4, 1e-2, 1.0, 10.0])
def test_far_from_the_mean_values_and_gradients_stay_finite_and_point_back(name: LikelihoodName, sigma: float) -> None:
    likelihood = likelihood_of(name, sigma)
    output = single(np.array([-50.0, -1.0, 2.0, 51.0]), torch.float32).requires_grad_()
    x = single(np.array([1.0, 0.6, 0.4, 0.0]), torch.float32)
    measures = [likelihood.nll] if name == "bernoulli" else [likelihood.nll, likelihood.bin_nll]
    for measure in measures:
        output.grad = None
        loss = measure(output, x)
        loss.sum().backward()
        assert output.grad is not None
        assert torch.isfinite(loss).all()
        assert torch.isfinite(output.grad).all()
        assert (output.grad.flatten().sign() == torch.tensor([-1.0, -1.0, 1.0, 1.0])).all()
        assert all(torch.isfinite(p.grad).all() for p in likelihood.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["gaussian_fixed", "logistic"])
@given(mean=st.floats(-0.2, 1.2), level=st.integers(0, 255), sigma=st.floats(0.02, 1.0))
@settings(deadline=None)
def test_gradients_of_masses_are_those_of_finite_differences(
    name: LikelihoodName, mean: float, level: int, sigma: float
) -> None:
    likelihood = likelihood_of(name, sigma).double()
    output, x = single(mean).requires_grad_(), single(level / 255)
    (gradient,) = torch.autograd.grad(likelihood.bin_nll(output, x).sum(), output)
    step = 1e-5
    difference = likelihood.bin_nll(output + step, x) - likelihood.bin_nll(output - step, x)
    assert float(gradient) == pytest.approx(float(difference.detach()) / (2 * step), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 3.0])
def test_gaussian_density_integrates_to_one_and_is_scipys(sigma: float) -> None:
    likelihood = likelihood_of("gaussian_fixed", sigma)

    def density(x: float) -> float:
        return math.exp(-float(likelihood.nll(single(0.4), single(x))))

    total, _ = integrate.quad(density, 0.4 - 12 * sigma, 0.4 + 12 * sigma, points=[0.4])
    assert total == pytest.approx(1.0, abs=1e-9)
    assert density(0.55) == pytest.approx(stats.norm(0.4, sigma).pdf(0.55), rel=1e-9)


def test_a_wide_gaussians_mass_is_its_density_times_the_bins_width() -> None:
    likelihood, x = likelihood_of("gaussian", 0.2), single(LEVELS[1:-1] / 255)
    output = torch.full_like(x, 0.5)
    torch.testing.assert_close(
        likelihood.bin_nll(output, x), likelihood.nll(output, x) + math.log(255), rtol=0.0, atol=1e-3
    )


def test_bernoulli_is_the_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    output, x = torch.randn(4, 3, 2, 2, generator=generator), torch.rand(4, 3, 2, 2, generator=generator)
    p = torch.sigmoid(output)
    expected = -(x * p.log() + (1 - x) * (1 - p).log()).sum(dim=(1, 2, 3))
    likelihood = likelihood_of("bernoulli")
    torch.testing.assert_close(likelihood.nll(output, x), expected)
    torch.testing.assert_close(likelihood.mean(output), p)
    assert (likelihood.sigma, likelihood.is_density) == (None, False)
    with pytest.raises(InputError, match=r"likelihood\.name=bernoulli .* choose gaussian"):
        likelihood.bin_nll(output, x)


@pytest.mark.parametrize("name", ["bernoulli", "gaussian", "gaussian_fixed", "logistic"])
def test_an_image_costs_the_sum_of_its_pixels(name: LikelihoodName) -> None:
    generator = torch.Generator().manual_seed(1)
    output, x = torch.rand(2, 3, 2, 2, generator=generator), torch.rand(2, 3, 2, 2, generator=generator)
    likelihood = likelihood_of(name)
    pixels = likelihood.nll(output.reshape(-1, 1, 1, 1), x.reshape(-1, 1, 1, 1))
    torch.testing.assert_close(likelihood.nll(output, x), pixels.reshape(2, -1).sum(dim=1))


@pytest.mark.parametrize("name", ["gaussian", "gaussian_fixed", "logistic"])
def test_what_is_shown_is_clipped_and_sigma_is_the_configs(name: LikelihoodName) -> None:
    likelihood = likelihood_of(name, 0.25)
    assert likelihood.mean(single(np.array([-0.5, 0.5, 1.5]))).flatten().tolist() == [0.0, 0.5, 1.0]
    assert likelihood.name == name
    assert likelihood.sigma == pytest.approx(0.25)
    assert likelihood.is_density == (name != "logistic")
    assert sum(p.numel() for p in likelihood.parameters()) == (name != "gaussian_fixed")
    assert copy.deepcopy(likelihood).sigma == likelihood.sigma
    assert list(likelihood.state_dict()) == ([] if name == "gaussian_fixed" else ["raw"])


def test_logistic_sigma_is_the_standard_deviation() -> None:
    masses = np.exp(level_masses(likelihood_of("logistic", 0.03).double(), 0.5))
    variance = (masses * (LEVELS / 255 - 0.5) ** 2).sum()
    assert variance == pytest.approx(0.03**2 + 1 / (12 * 255**2), rel=1e-3)  # Sheppard's correction for the bins


@pytest.mark.parametrize("name", ["gaussian", "logistic"])
def test_pixels_between_two_levels_go_to_the_nearer_one(name: LikelihoodName) -> None:
    levels = np.array([100.4, 100.0, 100.6, 101.0]) / 255
    output = torch.full((4, 1, 1, 1), 0.45, dtype=torch.float64)
    nll = likelihood_of(name).bin_nll(output, single(levels)).tolist()
    assert nll[0] == nll[1] != nll[2] == nll[3]


def test_the_best_sigma_is_the_root_mean_squared_error() -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(8, 1, 4, 4, generator=generator)
    output = x + 0.07 * torch.randn(x.shape, generator=generator)
    rms = float((x - output).square().mean().sqrt())
    slopes = []
    for sigma in (rms, 0.9 * rms):
        likelihood = likelihood_of("gaussian", sigma)
        likelihood.nll(output, x).sum().backward()
        slopes.append(float(next(iter(likelihood.parameters())).grad))
    assert slopes[0] == pytest.approx(0.0, abs=0.01)
    assert slopes[1] < -100.0


def test_a_step_of_adam_moves_log_sigma_by_gain_times_the_learning_rate() -> None:
    likelihood = likelihood_of("gaussian", 0.1)
    optimiser = torch.optim.Adam(likelihood.parameters(), lr=1e-3)
    likelihood.nll(single(0.5, torch.float32), single(1.0, torch.float32)).sum().backward()
    optimiser.step()
    assert likelihood.sigma == pytest.approx(0.1 * math.exp(GAIN * 1e-3), rel=1e-5)
