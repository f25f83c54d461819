"""The loss: distortion + beta x rate, in nats per image."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from twofold.vae.config import ObjectiveConfig
from twofold.vae.likelihood import Likelihood

Latent = Float[Tensor, "batch latent"]


def loss_terms(
    output: Float[Tensor, "batch channels h w"],
    x: Float[Tensor, "batch channels h w"],
    mu: Latent,
    logvar: Latent,
    likelihood: Likelihood,
    *,
    beta: float,
    free_nats: float,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """The loss of a batch, and the unweighted means of its `rate` and `distortion`.

    With one sample of z per image the loss is unbiased except for the free nats, which apply to the batch's mean: a
    unit whose mean rate is below its free nats has no gradient from the rate.

    Args:
        output: parameters of the likelihood p(x|z), decoded from a sample of z.
        x: the images, in [0, 1].
        beta: weight of the rate; 1 is the negative ELBO.
        free_nats: rate of each unit that adds nothing to the loss.

    Source:
        Kingma & Welling (2014), Auto-encoding variational Bayes, ICLR, equation 7 (beta = 1); Higgins et al. (2017),
        beta-VAE, ICLR, equation 4; free nats: Kingma et al. (2016), Improved variational inference with inverse
        autoregressive flow, NeurIPS (free bits, with each unit a group of its own).
    """
    units = kl_units(mu, logvar).mean(dim=0)
    distortion = likelihood.nll(output, x).mean()
    loss = distortion + beta * units.clamp(min=free_nats).sum()
    return loss, {"rate": units.sum().detach(), "distortion": distortion.detach()}


def correlation_penalty(
    config: ObjectiveConfig, z: Latent, mu: Latent, logvar: Latent, *, beta: float, images: int
) -> tuple[Float[Tensor, ""] | float, dict[str, Float[Tensor, ""]]]:
    """What an objective adds to distortion + rate: for `beta_tc` (beta - 1) x total correlation, for `elbo` nothing.

    The mean rate is the sum of the mutual information of image and code, the total correlation of the code's units and
    the divergences of single units from the prior; so this weighs the second by beta and leaves the others as they are.

    Args:
        z: a sample from each image's posterior.
        beta: weight at this time of the training.
        images: see `log_aggregate`.

    Returns:
        The addition, and the batch's `total_correlation` where it is estimated.

    Source:
        Chen et al. (2018), Isolating sources of disentanglement in VAEs, NeurIPS, equations 2 and 4 (alpha, gamma: 1).
    """
    if config.name == "elbo":
        return 0.0, {}
    joint, units = log_aggregate(z, mu, logvar, images)
    correlation = (joint - units.sum(dim=1)).mean()
    return (beta - 1) * correlation, {"total_correlation": correlation.detach()}


def validation_penalty(config: ObjectiveConfig, codes: Sequence[tuple[Tensor, Tensor, Tensor]], batch: int) -> float:
    """`correlation_penalty` of a whole set in batches of about the training's size, on which its bias depends.

    Args:
        codes: parts of the set: draws, means and log variances, each [images, latent]; none for `elbo`.
        batch: number of images.
    """
    if not codes:
        return 0.0
    z, mu, logvar = (torch.cat(parts) for parts in zip(*codes, strict=True))
    total, pieces = 0.0, max(1, len(z) // batch)
    for some, means, logs in zip(*(values.tensor_split(pieces) for values in (z, mu, logvar)), strict=True):
        value, _ = correlation_penalty(config, some, means, logs, beta=config.beta, images=len(z))
        total += len(some) * float(value)
    return total / len(z)


def log_aggregate(
    z: Latent, mu: Latent, logvar: Latent, images: int
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch latent"]]:
    """Logs of the aggregate posterior q(z), the mean of all images' q(z|x), and of each of its units' margins.

    Estimated at one z of each image of a batch, where q(z) itself is unbiased (its log is biased downwards): the own
    image weighs 1/n and the others share the rest alike. The paper's stratified sampling gives one of them another
    share than the others, with the same mean. With all n images in the batch it is exact.

    Args:
        z: a sample from each q(z|x) of the batch.
        mu: means of these.
        logvar: their log variances.
        images: n, from which the batch was drawn; at least as many as the batch.

    Source:
        Chen et al. (2018), appendix C.2.
    """
    batch = len(z)
    logs = log_densities(z, mu, logvar)
    other = math.log((images - 1) / (images * (batch - 1))) if batch > 1 else 0.0
    weights = torch.full((batch, batch), other).fill_diagonal_(-math.log(images)).to(logs)
    return (weights + logs.sum(dim=2)).logsumexp(dim=1), (weights[:, :, None] + logs).logsumexp(dim=1)


def log_densities(z: Float[Tensor, "draws latent"], mu: Latent, logvar: Latent) -> Float[Tensor, "draws batch latent"]:
    """Log density of every unit of every z under every image's posterior, in nats."""
    standard = (z[:, None] - mu).square() * torch.exp(-logvar)
    return -0.5 * (standard + logvar + math.log(2 * math.pi))


def kl_units(mu: Latent, logvar: Latent) -> Latent:
    """KL(N(mu, exp(logvar)) || N(0, 1)) of each unit, in nats.

    Source:
        Kingma & Welling (2014), Auto-encoding variational Bayes, ICLR, appendix B.
    """
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar)  # expm1: exact for a collapsed unit's small KL


def reparameterise(mu: Latent, logvar: Latent, generator: torch.Generator) -> Latent:
    """A sample of z from q(z|x) through which gradients pass.

    The noise is drawn on the generator's device, so that a seed gives the same noise on every device.

    Source:
        Kingma & Welling (2014), Auto-encoding variational Bayes, ICLR, section 2.4.
    """
    noise = torch.randn(mu.shape, generator=generator, device=generator.device)
    return mu + torch.exp(0.5 * logvar) * noise.to(mu)


def beta_now(config: ObjectiveConfig, progress: float) -> float:
    """Weight of the rate at a share `progress` of the training: it rises linearly from 0 during the warm-up.

    Source:
        Sønderby et al. (2016), Ladder variational autoencoders, NeurIPS (linear warm-up).
    """
    return config.beta * min(1.0, progress / config.warmup) if config.warmup else config.beta
