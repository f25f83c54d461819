"""Scores of linear-Gaussian models, where likelihood, posterior and mutual information are known."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from twofold.engine.errors import InputError
from twofold.vae import score
from twofold.vae.config import LikelihoodConfig, LikelihoodName
from twofold.vae.likelihood import Likelihood, make_likelihood
from vae.small import generator

SIGMA = 0.2
GAINS = (0.6, 0.3)  # of the two units; the decoder's columns are orthogonal, so the posterior is independent by unit
DIMS = 4


@dataclass
class Linear:
    """p(x|z) = N(1/2 + W z, sigma^2 I) on images of 1 x 2 x 2 pixels; the encoder is the posterior, or off by a factor.

    Attributes:
        stretch: factor on the posterior's mean; 1 is exact.
        widen: added to the posterior's log variance; 0 is exact.
    """

    stretch: float = 1.0
    widen: float = 0.0
    name: LikelihoodName = "gaussian_fixed"

    def __post_init__(self) -> None:
        self.decoder = torch.zeros(DIMS, 2, dtype=torch.float64)
        self.decoder[0, 0], self.decoder[1, 1] = GAINS
        self.likelihood: Likelihood = make_likelihood(LikelihoodConfig(name=self.name, sigma=SIGMA))
        self.decoded: list[int] = []

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior precision is 1 + w^2 / sigma^2."""
        precision = 1 + self.decoder.square().sum(dim=0) / SIGMA**2
        mu = self.stretch * (x.flatten(1).double() - 0.5) @ self.decoder / SIGMA**2 / precision
        return mu.to(x), (self.widen - precision.log()).expand(len(x), 2).to(x)

    def decode(self, z: Tensor) -> Tensor:
        self.decoded.append(len(z))
        return (0.5 + z @ self.decoder.to(z).T).reshape(-1, 1, 2, 2)

    def sample(self, n: int, seed: int = 1) -> Tensor:
        z, noise = (torch.randn(n, k, generator=generator(seed + k), dtype=torch.float64) for k in (2, DIMS))
        return (0.5 + z @ self.decoder.T + SIGMA * noise).reshape(n, 1, 2, 2)

    def log_likelihood(self, x: Tensor) -> np.ndarray:
        covariance = (self.decoder @ self.decoder.T).numpy() + SIGMA**2 * np.eye(DIMS)
        return stats.multivariate_normal(np.full(DIMS, 0.5), covariance).logpdf(x.flatten(1).numpy())


def expected_distortion(model: Linear, x: Tensor) -> np.ndarray:
    """E[-log p(x|z)] of each image in closed form."""
    mu, logvar = model.encode(x)
    error = (x - model.decode(mu)).square().flatten(1).sum(dim=1) + logvar.exp() @ model.decoder.square().sum(dim=0)
    return (error / (2 * SIGMA**2)).numpy() + 0.5 * DIMS * math.log(2 * math.pi * SIGMA**2)


def test_rate_and_distortion_are_the_closed_forms_in_the_order_of_the_images() -> None:
    model = Linear(stretch=0.8, widen=0.5)
    x = model.sample(50)
    found = score.evaluate(model, x.split(20), 1000, generator())
    mu, logvar = model.encode(x)
    np.testing.assert_allclose(found.mu, mu.numpy())
    np.testing.assert_allclose(found.logvar, logvar.numpy())
    rate = 0.5 * (mu.square() + logvar.exp() - 1 - logvar)
    np.testing.assert_allclose(found.rate, rate.sum(dim=1).numpy())
    np.testing.assert_allclose(found.kl_units, rate.mean(dim=0).numpy())
    np.testing.assert_allclose(found.distortion, expected_distortion(model, x), rtol=0.1, atol=0.2)
    assert found.distortion.mean() == pytest.approx(expected_distortion(model, x).mean(), abs=0.02)
    np.testing.assert_array_equal(found.negative_elbo, found.rate + found.distortion)


def test_with_the_exact_posterior_the_elbo_is_the_log_likelihood() -> None:
    model = Linear()
    x = model.sample(200)
    found = score.evaluate(model, [x], 2000, generator())
    np.testing.assert_allclose(-found.negative_elbo, model.log_likelihood(x), atol=0.2)
    assert -found.negative_elbo.mean() == pytest.approx(model.log_likelihood(x).mean(), abs=0.01)


def test_bits_are_those_of_the_masses_and_near_the_densitys() -> None:
    model = Linear()
    x = (255 * model.sample(20)).round().clamp(1, 254) / 255
    found = score.evaluate(model, [x], 50, generator())
    assert found.bits is not None
    by_density = (found.negative_elbo + DIMS * math.log(255)) / (DIMS * math.log(2))
    np.testing.assert_allclose(found.bits, by_density, atol=0.01)


def test_bernoulli_has_no_bits() -> None:
    model = Linear(name="bernoulli")
    assert score.evaluate(model, [model.sample(3).clamp(0, 1)], 1, generator()).bits is None


def test_squared_error_is_that_of_the_clipped_mean() -> None:
    model = Linear(stretch=3.0, widen=-50.0)
    x = model.sample(30).clamp(0, 1)
    found = score.evaluate(model, [x], 1, generator())
    expected = (model.decode(model.encode(x)[0]).clamp(0, 1) - x).square().mean(dim=(1, 2, 3))
    np.testing.assert_allclose(found.mse, expected.numpy(), atol=1e-9)


def test_equal_generators_give_equal_scores_of_single_precision_images() -> None:
    model = Linear()
    x = model.sample(10).float()
    first, second = (score.evaluate(model, [x], 3, generator(5)) for _ in range(2))
    np.testing.assert_array_equal(first.distortion, second.distortion)
    assert first.distortion.dtype == first.mu.dtype == np.float64


def test_the_importance_weighted_bound_sinks_with_the_draws_towards_the_negative_log_likelihood() -> None:
    model = Linear(stretch=0.7, widen=1.0)
    x = model.sample(400)
    draws = (1, 4, 16, 64, 1024)
    bounds = [score.importance_weighted(model, [x], k, generator(k), 400 * 64)[0].mean() for k in draws]
    truth = -model.log_likelihood(x).mean()
    assert sorted(bounds, reverse=True) == bounds
    assert bounds[0] - truth > 0.5
    assert bounds[-1] == pytest.approx(truth, abs=0.01)


def test_one_draw_gives_the_negative_elbo_in_expectation() -> None:
    model = Linear(stretch=0.7, widen=1.0)
    x = model.sample(4000)
    bound, effective = score.importance_weighted(model, [x], 1, generator(), 4000)
    elbo = expected_distortion(model, x) + score.evaluate(model, [x], 1, generator()).rate
    mean, error = score.mean_and_error(bound - elbo)
    assert error is not None
    assert abs(mean) < 4 * error
    assert error < 0.05
    np.testing.assert_allclose(effective, 1.0)


def test_the_exact_posterior_gives_the_log_likelihood_with_every_draw_of_equal_weight() -> None:
    model = Linear()
    x = model.sample(25)
    bound, effective = score.importance_weighted(model, x.split(10), 8, generator(), 20)
    np.testing.assert_allclose(bound, -model.log_likelihood(x), rtol=1e-9)
    np.testing.assert_allclose(effective, 8.0)


def test_a_poor_encoder_has_few_effective_draws() -> None:
    model = Linear(stretch=-1.0, widen=-2.0)
    _, effective = score.importance_weighted(model, [model.sample(50)], 64, generator(), 10_000)
    assert (effective >= 1.0).all()
    assert effective.mean() < 5.0


@pytest.mark.parametrize("chunk", [1, 10, 23, 64, 10_000])
def test_chunks_bound_what_is_decoded_at_once_and_change_nothing(chunk: int) -> None:
    model, whole = Linear(stretch=0.7, widen=1.0), Linear(stretch=0.7, widen=1.0)
    x = model.sample(9)
    found = score.importance_weighted(model, [x], 33, generator(), chunk)
    expected = score.importance_weighted(whole, [x], 33, generator(), 33 * 9)
    assert whole.decoded == [33 * 9]
    assert max(model.decoded) <= max(chunk, len(x))
    assert sum(model.decoded) == 33 * 9
    for column, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(column, reference, rtol=1e-12)


def test_likelihoods_far_below_what_a_float_can_hold_are_no_problem() -> None:
    model = Linear()
    x = model.sample(3)
    x[:, 0, 1, 1] += 30.0  # a pixel that no z explains: thousands of nats
    bound, effective = score.importance_weighted(model, [x], 16, generator(), 7)
    np.testing.assert_allclose(bound, -model.log_likelihood(x), rtol=1e-9)
    np.testing.assert_allclose(effective, 16.0)


def test_no_image_is_refused() -> None:
    with pytest.raises(InputError, match="no image to score"):
        score.evaluate(Linear(), [], 1, generator())
    with pytest.raises(InputError, match="no image to take the importance-weighted bound on"):
        score.importance_weighted(Linear(), [], 1, generator(), 1)


def encoded(n: int, deviations: tuple[float, ...], noise: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Means N(0, deviation^2) and log variances of n images."""
    mu = np.random.default_rng(0).standard_normal((n, len(noise))) * deviations
    return mu, np.tile(np.log(noise), (n, 1))


@pytest.mark.parametrize(
    ("deviations", "noise"), [((1.0,), (0.5,)), ((0.9, 0.5), (0.19, 0.75)), ((2.0, 0.0, 0.0), (0.3, 1.0, 7.0))]
)
def test_mutual_information_of_the_linear_gaussian_case(
    deviations: tuple[float, ...], noise: tuple[float, ...]
) -> None:
    truth = 0.5 * sum(math.log(1 + d**2 / s) for d, s in zip(deviations, noise, strict=True))
    found = score.mutual_information(*encoded(4000, deviations, noise), generator())
    assert found.standard_error is not None
    assert found.standard_error < 0.02
    assert found.nats == pytest.approx(truth, abs=4 * found.standard_error)
    assert (found.cap_nats, found.at_cap, found.images) == (math.log(4000), False, 4000)


def test_an_uninformative_encoder_has_no_information() -> None:
    found = score.mutual_information(np.zeros((50, 3)), np.zeros((50, 3)), generator())
    assert found.nats == pytest.approx(0.0, abs=1e-12)
    assert not found.at_cap


@pytest.mark.parametrize("logvar", [-10.0, -40.0])
def test_an_almost_certain_encoder_is_at_the_cap_and_never_above(logvar: float) -> None:
    mu = np.random.default_rng(1).standard_normal((300, 8))
    found = score.mutual_information(mu, np.full(mu.shape, logvar), generator())
    assert found.at_cap
    assert 0.99 * math.log(300) < found.nats <= math.log(300)


def test_pairs_of_equal_images_share_their_information() -> None:
    mu = np.repeat(np.arange(10.0), 2)[:, None]
    found = score.mutual_information(mu, np.full(mu.shape, -12.0), generator())
    assert found.nats == pytest.approx(math.log(10), abs=1e-6)
    assert not found.at_cap


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = encoded(101, (1.0, 0.5), (0.3, 0.2))
    whole = score.mutual_information(*arrays, generator())
    monkeypatch.setattr(score, "_PAIRS", 7 * 101)
    assert score.mutual_information(*arrays, generator()).nats == pytest.approx(whole.nats, rel=1e-12)


def test_active_units_vary_by_more_than_a_hundredth() -> None:
    mu = np.random.default_rng(2).standard_normal((5000, 4)) * np.sqrt([1.0, 0.012, 0.008, 0.0]) + 3.0
    assert score.active_units(mu) == 2
    assert score.active_units(mu[:1]) == 0


def test_the_effect_of_a_unit_is_its_column_of_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Linear()
    x = model.sample(5)
    x = 0.5 + 0.1 * (x - 0.5)  # no pixel leaves [0, 1]
    expected = 255 * np.array(GAINS) / math.sqrt(DIMS)  # one of four pixels moves by the gain
    ones = np.ones(len(GAINS))
    for chunk in (1, 5, 1000):
        found = score.effect_units(model, x, ones, chunk)
        np.testing.assert_allclose(found, np.minimum(expected, 255 * 0.25), rtol=0.1)
    np.testing.assert_allclose(score.effect_units(model, x, 0.1 * ones, 5), 0.1 * expected, rtol=0.1)
    white = torch.full_like(x, 40.0)
    np.testing.assert_array_equal(score.effect_units(model, white, ones, 5), 0.0)  # beyond white nothing is seen


def test_a_unit_in_use_varies_and_shows() -> None:
    mu = np.random.default_rng(2).standard_normal((5000, 4)) * np.sqrt([1.0, 1.0, 0.005, 0.02])
    assert score.used_units(mu, np.array([9.0, 0.49, 9.0, 0.5])) == 2


@pytest.mark.parametrize("at_once", [7, 60])
def test_the_variance_of_reconstructions_is_a_share_of_the_images(at_once: int) -> None:
    model = Linear()
    x = model.sample(60).clamp(0, 1)
    back = model.decode(model.encode(x)[0]).clamp(0, 1)
    expected = float(back.var(dim=0).sum() / x.var(dim=0).sum())
    assert score.variance_share(model, x.split(at_once)) == pytest.approx(expected)
    assert 0.3 < expected < 1
    assert score.variance_share(Linear(stretch=0.0), [x]) == 0.0
    assert score.variance_share(model, [x[:1].expand(4, -1, -1, -1)]) is None


def test_mean_and_error_by_hand() -> None:
    assert score.mean_and_error(np.array([1.0, 3.0])) == (2.0, 1.0)
    assert score.mean_and_error(np.array([4.0])) == (4.0, None)
    assert score.mean_and_error(np.array([4.0, math.inf]))[0] == math.inf


def test_eight_bits_are_one_of_256_levels() -> None:
    assert score.bits_per_dim(12 * math.log(256), 12) == pytest.approx(8.0)


def test_the_total_correlation_of_normals_is_that_of_their_correlation_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(3, 3))
    mu, logvar = random.normal(size=(2000, 3)) @ mixing, np.full((2000, 3), -0.5)
    covariance = mixing.T @ mixing + np.exp(-0.5) * np.eye(3)
    scale = np.sqrt(np.diag(covariance))
    exact = -0.5 * np.linalg.slogdet(covariance / np.outer(scale, scale))[1]
    found = score.total_correlation(mu, logvar, generator())
    assert found.standard_error is not None and found.standard_error < 0.05
    assert found.nats == pytest.approx(exact, abs=3 * found.standard_error + 0.01)
    assert exact > 0.3
    assert not found.at_cap
    monkeypatch.setattr("twofold.vae.score._PAIRS", 7000)
    assert score.total_correlation(mu, logvar, generator()).nats == pytest.approx(found.nats)


def test_codes_that_identify_their_images_leave_only_an_upper_bound() -> None:
    """Units that are independent, of 50 images: their information one by one exceeds the cap of all together."""
    mu = np.random.default_rng(0).normal(size=(50, 40))
    found = score.total_correlation(mu, np.full((50, 40), -4.0), generator())
    assert found.at_cap
    assert found.nats > 50
    alone = score.total_correlation(mu[:1], np.zeros((1, 40)), generator())
    assert (alone.nats, alone.standard_error) == (pytest.approx(0), None)
