"""The loss against torch's distributions, free nats and warm-up, and the optimum of a trained linear autoencoder."""

import itertools

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from sklearn.decomposition import PCA
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from twofold.vae.config import LikelihoodConfig, ObjectiveConfig
from twofold.vae.likelihood import make_likelihood
from twofold.vae.objective import (
    beta_now,
    correlation_penalty,
    kl_units,
    log_aggregate,
    loss_terms,
    reparameterise,
    validation_penalty,
)
from vae.small import generator

NUMBERS = st.floats(-8.0, 8.0)


@given(mu=NUMBERS, logvar=NUMBERS)
def test_kl_is_that_of_torch(mu: float, logvar: float) -> None:
    mean, log = torch.tensor([[mu]], dtype=torch.float64), torch.tensor([[logvar]], dtype=torch.float64)
    zero = torch.zeros_like(mean)
    torch.testing.assert_close(
        kl_units(mean, log),
        kl_divergence(Normal(mean, (0.5 * log).exp()), Normal(zero, zero + 1)),
        rtol=1e-9,
        atol=1e-9,
    )


def test_a_small_kl_keeps_its_digits() -> None:
    logvar = torch.tensor([[1e-3]])
    assert float(kl_units(torch.zeros(1, 1), logvar)) == pytest.approx(1e-6 / 4, rel=1e-3)


def test_draws_have_the_posteriors_moments_and_pass_gradients() -> None:
    mu, logvar = torch.full((200_000, 1), 2.0), torch.full((200_000, 1), -1.0).requires_grad_()
    z = reparameterise(mu, logvar, generator())
    z.sum().backward()
    z = z.detach()
    assert float(z.mean()) == pytest.approx(2.0, abs=0.01)
    assert float(z.var()) == pytest.approx(float(torch.tensor(-1.0).exp()), rel=0.01)
    assert logvar.grad is not None
    torch.testing.assert_close(logvar.grad, 0.5 * (z - mu), rtol=1e-4, atol=1e-6)


def test_draws_depend_on_the_generator_alone_whatever_the_precision() -> None:
    mu, logvar = torch.randn(4, 3, generator=generator(2)), torch.zeros(4, 3)
    z = reparameterise(mu, logvar, generator())
    torch.manual_seed(99)
    assert torch.equal(z, reparameterise(mu, logvar, generator()))
    torch.testing.assert_close(z.double(), reparameterise(mu.double(), logvar.double(), generator()))


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Output, images, means, log variances."""
    mu = torch.tensor([[0.1, 2.0], [-0.1, 1.0]])
    output, x = torch.rand(2, 2, 1, 2, 2, generator=generator())
    return output, x, mu, torch.zeros(2, 2)


@given(beta=st.floats(0.0, 100.0))
def test_loss_is_distortion_plus_beta_times_rate(beta: float) -> None:
    likelihood = make_likelihood(LikelihoodConfig())
    output, x, mu, logvar = batch()
    loss, terms = loss_terms(output, x, mu, logvar, likelihood, beta=beta, free_nats=0.0)
    torch.testing.assert_close(terms["distortion"], likelihood.nll(output, x).mean().detach())
    assert float(terms["rate"]) == pytest.approx((0.005 + 1.25), rel=1e-5)
    assert float(loss.detach()) == pytest.approx(float(terms["distortion"]) + beta * float(terms["rate"]), rel=1e-5)


def test_free_nats_are_a_floor_for_each_units_mean_and_leave_the_reported_rate_as_it_is() -> None:
    output, x, mu, logvar = batch()
    mu.requires_grad_()
    loss, terms = loss_terms(output, x, mu, logvar, make_likelihood(LikelihoodConfig()), beta=2.0, free_nats=0.5)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(terms["distortion"]) + 2.0 * (0.5 + 1.25), rel=1e-5)
    assert float(terms["rate"]) == pytest.approx(1.255, rel=1e-5)
    assert mu.grad is not None
    assert mu.grad[:, 0].tolist() == [0.0, 0.0]  # the idle unit is free to say more
    assert (mu.grad[:, 1] > 0).all()


def test_beta_rises_linearly_over_the_warm_up_and_stays() -> None:
    config = ObjectiveConfig(beta=4.0, warmup=0.1)
    assert [beta_now(config, progress) for progress in (0.0, 0.025, 0.05, 0.1, 0.5, 1.0)] == [0, 1, 2, 4, 4, 4]
    assert beta_now(ObjectiveConfig(beta=4.0), 0.0) == 4.0


def codes(number: int, latent: int = 3) -> tuple[Tensor, Tensor, Tensor, float]:
    """Means, log variances and draws whose aggregate is nearly normal, and the total correlation of that normal."""
    mixing = 2 * torch.tensor([[1.0, 0.9, 0.2], [0.0, 0.5, -0.8], [0.0, 0.0, 0.6]], dtype=torch.float64)
    mixing = mixing[:latent, :latent]
    mu = torch.randn(number, latent, generator=generator(6), dtype=torch.float64) @ mixing
    logvar = torch.tensor([-1.0, 0.0, -0.5], dtype=torch.float64)[:latent].expand(number, -1)
    covariance = mixing.T @ mixing + torch.diag(logvar[0].exp())
    scale = covariance.diagonal().sqrt()
    exact = -0.5 * torch.logdet(covariance / scale / scale[:, None])
    return mu, logvar, reparameterise(mu, logvar, generator(7)), float(exact)


def test_the_total_correlation_of_a_normal_is_that_of_its_correlation_matrix() -> None:
    """-1/2 log det of the correlations, within the noise of 2,000 draws and the bias of a mixture for a normal."""
    mu, logvar, z, exact = codes(2000)
    joint, units = log_aggregate(z, mu, logvar, 2000)
    values = joint - units.sum(dim=1)
    assert exact > 0.5
    assert float(values.mean()) == pytest.approx(exact, abs=3 * float(values.std()) / 2000**0.5 + 0.01)


def test_a_batch_of_all_images_gives_the_mixture_itself() -> None:
    mu, logvar, z, _ = codes(20)
    joint, units = log_aggregate(z, mu, logvar, 20)
    each = Normal(mu, (0.5 * logvar).exp()).log_prob(z[:, None])
    torch.testing.assert_close(joint.exp(), each.sum(dim=2).exp().mean(dim=1))
    torch.testing.assert_close(units.exp(), each.exp().mean(dim=1))


def test_the_aggregate_of_a_batch_is_unbiased() -> None:
    """The mean over all batches that hold an image is the density under all images."""
    mu, logvar, z, _ = codes(6, 2)
    whole, units = log_aggregate(z, mu, logvar, 6)
    found = [
        [part[0].exp() for part in log_aggregate(z[rows], mu[rows], logvar[rows], 6)]
        for rows in (torch.tensor((0, *others)) for others in itertools.combinations(range(1, 6), 2))
    ]
    joints, margins = (torch.stack(parts).mean(dim=0) for parts in zip(*found, strict=True))
    torch.testing.assert_close(joints, whole[0].exp())
    torch.testing.assert_close(margins, units[0].exp())


def test_only_the_total_correlation_is_weighed() -> None:
    mu, logvar, z, exact = codes(500)
    config = ObjectiveConfig(name="beta_tc", beta=4.0)
    found, terms = correlation_penalty(config, z, mu, logvar, beta=2.0, images=500)
    assert float(found) == pytest.approx(float(terms["total_correlation"]))
    assert float(found) == pytest.approx(exact, abs=0.2)
    assert float(correlation_penalty(config, z, mu, logvar, beta=1.0, images=500)[0]) == 0
    assert correlation_penalty(ObjectiveConfig(beta=4.0), z, mu, logvar, beta=4.0, images=500) == (0.0, {})
    parts = [(z[:200], mu[:200], logvar[:200]), (z[200:], mu[200:], logvar[200:])]
    assert validation_penalty(config, parts, 500) == pytest.approx(3 * float(found))
    assert validation_penalty(config, parts, 100) == pytest.approx(3 * exact, rel=0.3)
    assert validation_penalty(config, [(z[:1], mu[:1], logvar[:1])], 100) == 0


def test_weighing_the_total_correlation_makes_units_independent() -> None:
    mu, logvar, _, exact = codes(200, 2)
    turn = torch.eye(2, dtype=torch.float64).requires_grad_()
    optimiser, noise = torch.optim.Adam([turn], 0.02), generator(1)
    for _ in range(200):
        means = mu @ turn
        z = reparameterise(means, logvar, noise)
        value, _ = correlation_penalty(ObjectiveConfig(name="beta_tc"), z, means, logvar, beta=2.0, images=200)
        optimiser.zero_grad()
        assert isinstance(value, Tensor)
        value.backward()
        optimiser.step()
    correlation = torch.corrcoef((mu @ turn).detach().T)[0, 1]
    assert exact > 0.1
    assert abs(float(correlation)) < 0.15 < abs(float(torch.corrcoef(mu.T)[0, 1]))


def test_free_nats_are_of_the_rate_alone() -> None:
    with pytest.raises(ValueError, match=r"free_nats must be 0 for objective\.name beta_tc, got 0\.5"):
        ObjectiveConfig(name="beta_tc", free_nats=0.5)


def test_configs_from_before_there_were_objectives_are_those_of_the_elbo() -> None:
    assert ObjectiveConfig.from_json('{"beta": 2.0, "warmup": 0.0, "free_nats": 0.0}', "config").name == "elbo"


def linear_loss(x: Tensor, weights: dict[str, Tensor], likelihood: torch.nn.Module, beta: float) -> Tensor:
    """The exact expectation of the loss over z for an affine encoder and decoder.

    The expected squared error of a draw is that of the mean plus the variance that the decoder passes on.
    """
    mu = (x - weights["centre"]) @ weights["encoder"]
    logvar = weights["logvar"].expand_as(mu)
    output = (mu @ weights["decoder"] + weights["centre"])[:, :, None, None]
    loss, _ = loss_terms(output, x[:, :, None, None], mu, logvar, likelihood, beta=beta, free_nats=0.0)
    passed_on = weights["logvar"].exp() @ weights["decoder"].square().sum(dim=1)
    return loss + 0.5 * passed_on * torch.exp(-2 * likelihood.log_sigma)


def test_a_trained_linear_autoencoder_reaches_the_likelihood_of_probabilistic_pca() -> None:
    """Tipping & Bishop (1999); Lucas et al. (2019): the ELBO of the linear case has no gap and no other optimum."""
    n, dims, latent = 2000, 6, 2
    loadings = torch.randn(latent, dims, generator=generator(), dtype=torch.float64)
    x = torch.randn(n, latent, generator=generator(1), dtype=torch.float64) @ loadings
    x = x + 0.3 * torch.randn(n, dims, generator=generator(2), dtype=torch.float64) + 0.5
    pca = PCA(n_components=latent).fit(x.numpy())
    likelihood = make_likelihood(LikelihoodConfig(name="gaussian", sigma=1.0)).double()
    weights = {
        "encoder": 0.1 * torch.randn(dims, latent, generator=generator(3), dtype=torch.float64),
        "decoder": 0.1 * torch.randn(latent, dims, generator=generator(4), dtype=torch.float64),
        "logvar": torch.zeros(latent, dtype=torch.float64),
        "centre": torch.zeros(dims, dtype=torch.float64),
    }
    parameters = [weight.requires_grad_() for weight in weights.values()] + list(likelihood.parameters())
    optimiser = torch.optim.LBFGS(parameters, max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = linear_loss(x, weights, likelihood, beta=1.0)
        loss.backward()
        return loss

    optimiser.step(closure)
    elbo = -float(closure().detach())
    # scikit-learn divides variances by n - 1, so its own parameters are a hair off the best ones.
    assert elbo == pytest.approx(pca.score(x.numpy()), abs=1e-5)
    assert likelihood.sigma == pytest.approx(pca.noise_variance_**0.5, rel=1e-3)


def test_the_expected_loss_of_the_linear_case_is_the_mean_of_losses_of_draws() -> None:
    x = torch.randn(50, 3, generator=generator(), dtype=torch.float64)
    likelihood = make_likelihood(LikelihoodConfig(name="gaussian_fixed", sigma=0.5))
    weights = {
        "encoder": torch.randn(3, 2, generator=generator(1), dtype=torch.float64),
        "decoder": torch.randn(2, 3, generator=generator(2), dtype=torch.float64),
        "logvar": torch.tensor([-1.0, 0.5], dtype=torch.float64),
        "centre": torch.zeros(3, dtype=torch.float64),
    }
    mu = x @ weights["encoder"]
    logvar = weights["logvar"].expand_as(mu)
    draws = generator(3)
    losses = []
    for _ in itertools.repeat(None, 2000):
        output = (reparameterise(mu, logvar, draws) @ weights["decoder"])[:, :, None, None]
        loss, _ = loss_terms(output, x[:, :, None, None], mu, logvar, likelihood, beta=3.0, free_nats=0.0)
        losses.append(loss.item())
    sampled = torch.tensor(losses, dtype=torch.float64)
    error = float(sampled.std()) / len(losses) ** 0.5
    assert float(linear_loss(x, weights, likelihood, beta=3.0)) == pytest.approx(float(sampled.mean()), abs=4 * error)
