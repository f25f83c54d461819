"""The loss: distortion + beta x rate, in nats per image."""

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
