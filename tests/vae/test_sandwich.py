"""The inequalities for any linear encoder and decoder, and what is known of the best ones."""

import math
from dataclasses import astuple, replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy import stats

from twofold.engine.errors import InputError
from twofold.vae import score
from twofold.vae.sandwich import EIGENVALUES, NOISE, Linear, entropy, optima, optimum, terms

BETAS = (0.01, 0.1, 1.0, 3.0, 10.0, 100.0, 1000.0)
DATA = np.diag(EIGENVALUES)


def sample(n: int, generator: torch.Generator) -> torch.Tensor:
    """Draws from the embedded data set."""
    deviations = torch.tensor(EIGENVALUES, dtype=torch.float64).sqrt()
    return deviations * torch.randn(n, len(EIGENVALUES), generator=generator, dtype=torch.float64)


def random_case(seed: int, dims: int, latent: int) -> tuple[np.ndarray, Linear]:
    """A covariance, and an encoder and a decoder that know nothing of it."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((dims, dims + 1))
    linear = Linear(
        rng.standard_normal((latent, dims)), rng.uniform(0.05, 3.0, latent), rng.standard_normal((dims, latent))
    )
    return root @ root.T, linear


@given(
    seed=st.integers(0, 10**6),
    dims=st.integers(1, 6),
    latent=st.integers(1, 8),
    sigma2=st.sampled_from([0.01, 1.0, 50.0]),
)
@settings(deadline=None)
def test_the_sandwich_holds_strictly_for_any_linear_encoder_and_decoder(
    seed: int, dims: int, latent: int, sigma2: float
) -> None:
    covariance, linear = random_case(seed, dims, latent)
    found = terms(covariance, linear, sigma2)
    assert found.holds
    assert found.entropy - found.distortion < found.information < found.rate


@pytest.mark.parametrize("seed", [3, 5, 6])
def test_the_four_terms_are_what_sampling_gives(seed: int) -> None:
    covariance, linear = random_case(seed, 3, 2)
    sigma2, n = 0.7, 200_000
    rng = np.random.default_rng(4)
    x = rng.multivariate_normal(np.zeros(3), covariance, n)
    mu = x @ linear.encoder.T
    z = mu + np.sqrt(linear.noise) * rng.standard_normal(mu.shape)
    marginal = stats.multivariate_normal(
        np.zeros(2), linear.encoder @ covariance @ linear.encoder.T + np.diag(linear.noise)
    )
    posterior = stats.norm.logpdf(z, mu, np.sqrt(linear.noise)).sum(axis=1)
    sampled = {
        "entropy": -stats.multivariate_normal(np.zeros(3), covariance).logpdf(x),
        "distortion": -stats.norm.logpdf(x, z @ linear.decoder.T, math.sqrt(sigma2)).sum(axis=1),
        "information": posterior - marginal.logpdf(z),
        "rate": posterior - stats.norm.logpdf(z).sum(axis=1),
    }
    found = terms(covariance, linear, sigma2)
    for name, values in sampled.items():
        mean, error = score.mean_and_error(values)
        assert error is not None
        assert getattr(found, name) == pytest.approx(mean, abs=4 * error), name


def test_a_rotation_of_the_data_changes_nothing() -> None:
    covariance, linear = random_case(5, 4, 3)
    rotation = stats.ortho_group.rvs(4, random_state=6)
    turned = Linear(linear.encoder @ rotation.T, linear.noise, rotation @ linear.decoder)
    np.testing.assert_allclose(
        astuple(terms(rotation @ covariance @ rotation.T, turned, 0.3)), astuple(terms(covariance, linear, 0.3))
    )


def test_at_beta_one_both_inequalities_are_equalities() -> None:
    """W W' + sigma^2 I is the data's covariance: p(x|z) is the posterior of the encoder, the prior its marginal."""
    found = terms(DATA, optimum(EIGENVALUES, NOISE, 1.0), NOISE)
    assert found.entropy - found.distortion == pytest.approx(found.information, abs=1e-9)
    assert found.information == pytest.approx(found.rate, abs=1e-9)
    assert found.rate + found.distortion == pytest.approx(found.entropy, abs=1e-9)


@pytest.mark.parametrize("beta", [b for b in BETAS if b != 1.0])
def test_at_another_beta_only_the_right_one_is(beta: float) -> None:
    found = terms(DATA, optimum(EIGENVALUES, NOISE, beta), NOISE)
    assert found.entropy - found.distortion < found.information - 1e-3
    assert found.information == pytest.approx(found.rate, abs=1e-9)


@pytest.mark.parametrize("beta", BETAS)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-3, 0.03, 0.3]))
@settings(deadline=None, max_examples=30)
def test_no_change_of_encoder_noise_or_decoder_improves_the_optimum(beta: float, seed: int, size: float) -> None:
    best = optimum(EIGENVALUES, NOISE, beta)
    rng = np.random.default_rng(seed)
    other = Linear(
        best.encoder + size * rng.standard_normal(best.encoder.shape),
        best.noise * np.exp(size * rng.standard_normal(best.noise.shape)),
        best.decoder + size * rng.standard_normal(best.decoder.shape),
    )
    cost, other_cost = (t.distortion + beta * t.rate for t in (terms(DATA, x, NOISE) for x in (best, other)))
    assert cost < other_cost


@pytest.mark.parametrize("beta", BETAS)
def test_the_optimum_lies_on_the_rate_distortion_function(beta: float) -> None:
    """Cover & Thomas (2006), theorem 10.3.3: reverse water-filling at the level beta sigma^2."""
    found = terms(DATA, optimum(EIGENVALUES, NOISE, beta), NOISE)
    level = beta * NOISE
    squared_error = sum(min(level, value) for value in EIGENVALUES)
    assert found.rate == pytest.approx(sum(0.5 * max(0.0, math.log(value / level)) for value in EIGENVALUES), abs=1e-9)
    assert found.distortion == pytest.approx(4 * math.log(2 * math.pi * NOISE) + squared_error / (2 * NOISE))


@pytest.mark.parametrize("beta", [0.1, 1.0, 4.0, 20.0, 150.0])
def test_the_slope_along_the_optimum_is_minus_beta(beta: float) -> None:
    low, high = (terms(DATA, optimum(EIGENVALUES, NOISE, beta * factor), NOISE) for factor in (1 - 1e-4, 1 + 1e-4))
    assert (high.distortion - low.distortion) / (high.rate - low.rate) == pytest.approx(-beta, rel=1e-6)


def test_a_larger_beta_buys_less_rate_until_all_collapses() -> None:
    rows = optima(BETAS)
    rates, distortions = ([row[key] for row in rows] for key in ("rate_nats", "distortion_nats"))
    assert sorted(rates, reverse=True) == rates
    assert sorted(distortions) == distortions
    assert len(set(rates)) == len(set(distortions)) == len(BETAS)
    assert rates[-1] == 0.0  # 1000 x 0.01 is above the largest eigenvalue
    assert rates[-2] == pytest.approx(0.5 * (math.log(4) + math.log(2)))  # at 1, two directions are worth their rate


def test_the_table_holds_and_says_nothing_of_beta_zero() -> None:
    zero, *rows = optima([0.0, *BETAS])
    assert zero.pop("beta") == 0.0
    assert set(zero.values()) == {None}
    assert [row["beta"] for row in rows] == list(BETAS)
    assert all(row["holds"] is True for row in rows)
    for row in rows:
        assert row["distortion_nats"] is not None
        assert row["entropy_minus_distortion_nats"] == pytest.approx(entropy(DATA) - row["distortion_nats"])


def test_a_broken_inequality_is_seen() -> None:
    found = terms(DATA, optimum(EIGENVALUES, NOISE, 3.0), NOISE)
    assert not replace(found, rate=found.information - 1e-6).holds
    assert not replace(found, distortion=found.entropy - found.information - 1e-6).holds
    assert replace(found, rate=found.information - 1e-12).holds


def test_infinite_terms_are_refused() -> None:
    linear = optimum(EIGENVALUES, NOISE, 1.0)
    with pytest.raises(InputError, match="beta must be above 0, got 0"):
        optimum(EIGENVALUES, NOISE, 0.0)
    with pytest.raises(InputError, match="sigma2=0"):
        terms(DATA, linear, 0.0)
    with pytest.raises(InputError, match=r"smallest noise=0\.0"):
        terms(DATA, replace(linear, noise=0 * linear.noise), NOISE)
    with pytest.raises(InputError, match="positive definite"):
        terms(-DATA, linear, NOISE)


def test_the_estimators_of_the_scores_find_the_closed_forms() -> None:
    linear = optimum(EIGENVALUES, NOISE, 30.0)
    found = terms(DATA, linear, NOISE)
    mu = sample(4000, torch.Generator().manual_seed(1)).numpy() @ linear.encoder.T
    logvar = np.tile(np.log(linear.noise), (len(mu), 1))
    estimate = score.mutual_information(mu, logvar, torch.Generator().manual_seed(2))
    assert estimate.nats == pytest.approx(found.information, abs=0.1)
    assert score.active_units(mu) == np.sum(np.array(EIGENVALUES) > 30.0 * NOISE)


@pytest.mark.parametrize("beta", [5.0, 20.0, 150.0])
def test_gradient_descent_on_samples_ends_at_the_optimum_of_their_covariance(beta: float) -> None:
    x = sample(500, torch.Generator().manual_seed(3)).numpy()
    covariance = x.T @ x / len(x)
    eigenvalues = np.linalg.eigvalsh(covariance)
    target = terms(np.diag(eigenvalues), optimum(eigenvalues.tolist(), NOISE, beta), NOISE)
    data = torch.from_numpy(x)
    generator = torch.Generator().manual_seed(4)
    v, w = (0.3 * torch.randn(8, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    log_noise = torch.zeros(8, dtype=torch.float64)
    parameters = [tensor.requires_grad_() for tensor in (v, w, log_noise)]
    optimiser = torch.optim.LBFGS(
        parameters, max_iter=3000, max_eval=6000, history_size=50, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        mu = data @ v.T
        error = (data - mu @ w.T).square().sum(dim=1).mean() + (log_noise.exp() * w.square().sum(dim=0)).sum()
        rate = 0.5 * (mu.square().mean(dim=0) + log_noise.exp() - 1 - log_noise).sum()
        loss = error / (2 * NOISE) + beta * rate
        loss.backward()
        return loss

    optimiser.step(closure)
    found = terms(covariance, Linear(*(p.detach().numpy() for p in (v, log_noise.exp(), w))), NOISE)
    assert found.distortion + beta * found.rate == pytest.approx(target.distortion + beta * target.rate, abs=1e-3)
    assert found.rate == pytest.approx(target.rate, abs=0.02)
    assert found.distortion == pytest.approx(target.distortion, abs=0.02 * beta)
