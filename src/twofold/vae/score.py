"""Scores of a trained autoencoder: rate, distortion, bits, importance-weighted bound, mutual information, units in use.

Only the bounds on the log likelihood score the model as a distribution, and not exactly: a better decoder
improves a bound, and so does an encoder closer to the decoder's posterior. The others describe.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from twofold.engine.errors import InputError
from twofold.vae.likelihood import Likelihood, Pixels
from twofold.vae.objective import kl_units, log_densities, reparameterise

ACTIVE_VARIANCE = 0.01
"""A unit is active when the variance of its posterior mean over the images is above this."""
UNSEEN_LEVELS = 0.5
"""A unit that changes the picture by less than this (root mean square, in levels of 255) has no effect by itself: it is
lost in the rounding to whole levels."""
CAP_SHARE = 0.99
"""From this share of log n on, an estimate of the mutual information is only known to be large."""
_PAIRS = 2**22  # pairs of images compared at once: 32 MB per array

Amount = TypeVar("Amount", float, Tensor)


@runtime_checkable
class Model(Protocol):
    """A model to score: `Vae`, or any other encoder and decoder with a likelihood, in evaluation mode."""

    @property
    def likelihood(self) -> Likelihood:
        """p(x|z), with the decoder's output as its parameters."""
        ...

    def encode(self, x: Pixels, /) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), each [batch, latent]."""
        ...

    def decode(self, z: Tensor, /) -> Tensor:
        """Output for z [batch, latent], in the shape of the images."""
        ...


@dataclass(frozen=True)
class PerImage:
    """Scores of each image, in the order of the input.

    Attributes:
        rate: KL(q(z|x) || p(z)) in nats, in closed form. Not a score by itself: 0 is an uninformative encoder.
        distortion: -log p(x|z) in nats, mean over the samples of z. Lower is better; unbounded below for a density.
            Not proper alone: it takes no account of the rate.
        bits: bits per dimension of the 8-bit pixels by the negative ELBO; None where no level has a probability
            (`bernoulli`). Lower is better; best 0; 8 is a uniform distribution over the levels; worst unbounded. Proper
            but for the bound's gap.
        mse: mean squared error of a pixel in [0, 1] between image and decoded mean, mean over the same samples. Lower
            is better; best 0, worst 1. Not proper: it depends on the mean only.
        mu, logvar: mean and log variance of q(z|x).
        kl_units: KL of each unit in nats, mean over the images.
    """

    rate: Float64[np.ndarray, " images"]
    distortion: Float64[np.ndarray, " images"]
    bits: Float64[np.ndarray, " images"] | None
    mse: Float64[np.ndarray, " images"]
    mu: Float64[np.ndarray, "images latent"]
    logvar: Float64[np.ndarray, "images latent"]
    kl_units: Float64[np.ndarray, " latent"]

    @property
    def negative_elbo(self) -> Float64[np.ndarray, " images"]:
        """Rate + distortion, in nats: the loss with beta = 1, whatever beta trained the model.

        An upper bound on -log p(x), the strictly proper log score, and proper but for its gap, KL(q(z|x) || p(z|x)).
        Lower is better; unbounded below for a density.

        Source:
            Kingma & Welling (2014), Auto-encoding variational Bayes, ICLR, equation 3.
        """
        return self.rate + self.distortion


@torch.no_grad()
def evaluate(model: Model, batches: Iterable[Tensor], samples: int, generator: torch.Generator) -> PerImage:
    """Rate, distortion, bits and squared error of every image, from `samples` samples of z each.

    Args:
        model: in evaluation mode.
        batches: images in [0, 1] on the model's device, each [batch, channels, h, w].
        samples: samples of z per image.

    Raises:
        InputError: when there is no image.
    """
    likelihood, parts = model.likelihood, []
    for x in batches:
        mu, logvar = (values.double() for values in model.encode(x))
        kl = kl_units(mu, logvar)
        sums = {name: x.new_zeros(len(x), dtype=torch.float64) for name in ("distortion", "mse", "bits")}
        for _ in range(samples):
            output = model.decode(reparameterise(mu, logvar, generator).to(x))
            cost = likelihood.nll(output, x)
            sums["distortion"] += cost
            sums["mse"] += (likelihood.mean(output) - x).square().flatten(1).mean(dim=1)
            if likelihood.has_levels:
                sums["bits"] += likelihood.bin_nll(output, x) if likelihood.is_density else cost
        means = {name: total / samples for name, total in sums.items()}
        means["bits"] = bits_per_dim(means["bits"] + kl.sum(dim=1), x[0].numel())
        parts.append({"rate": kl.sum(dim=1), "mu": mu, "logvar": logvar, "kl": kl, **means})
    if not parts:
        raise InputError("there is no image to score; give more images, or hold out a larger share of them")
    columns = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
    kl, bits = columns.pop("kl").mean(axis=0), columns.pop("bits")
    return PerImage(kl_units=kl, bits=bits if likelihood.has_levels else None, **columns)


@torch.no_grad()
def importance_weighted(
    model: Model, batches: Iterable[Tensor], samples: int, generator: torch.Generator, chunk: int
) -> tuple[Float64[np.ndarray, " images"], Float64[np.ndarray, " images"]]:
    """The importance-weighted bound on -log p(x) from `samples` samples of z, and their effective sample size.

    An upper bound in expectation, which falls with the number of samples from the negative ELBO (one sample) towards
    -log p(x); proper but for the remaining gap. Lower is better; unbounded below for a density. Compare models at an
    equal number of samples only. A small effective sample size means a large remaining gap.

    Args:
        model: in evaluation mode.
        batches: images in [0, 1] on the model's device, each [batch, channels, h, w].
        samples: K, samples of z per image.
        chunk: images decoded at once, or a batch where that is more; bounds the memory, changes no result.

    Returns:
        The negative bound of each image in nats, and its effective sample size, from 1 (one sample has all the weight)
        to K (q(z|x) is the posterior).

    Raises:
        InputError: when there is no image.

    Source:
        Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, ICLR, equation 8; Kong, Liu & Wong
        (1994), Sequential imputations and Bayesian missing data problems, JASA 89(425) (effective sample size).
    """
    parts = []
    for x in batches:
        mu, logvar = (values.double() for values in model.encode(x))
        at_once = max(1, chunk // len(x))
        total = x.new_full((len(x),), -math.inf, dtype=torch.float64)  # log of the sum of the weights so far
        squares = total.clone()  # and of the sum of their squares
        for start in range(0, samples, at_once):
            # One sample at a time: a generator fills one large tensor and several small ones with different numbers.
            draws = [reparameterise(mu, logvar, generator) for _ in range(min(at_once, samples - start))]
            z = torch.stack(draws)
            output, repeated = model.decode(z.flatten(0, 1).to(x)), x.expand(len(z), *x.shape).flatten(0, 1)
            distortion = model.likelihood.nll(output, repeated).double().unflatten(0, z.shape[:2])
            standard = (z - mu) * torch.exp(-0.5 * logvar)
            # Log p(x|z) + log p(z) - log q(z|x), [draws, batch].
            weights = -distortion + 0.5 * (standard.square() + logvar - z.square()).sum(dim=2)
            total = torch.logaddexp(total, weights.logsumexp(dim=0))
            squares = torch.logaddexp(squares, (2 * weights).logsumexp(dim=0))
        parts.append((math.log(samples) - total, torch.exp(2 * total - squares)))
    if not parts:
        raise InputError("there is no image to take the importance-weighted bound on; hold out a larger share of them")
    bound, effective = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
    return bound, effective


@dataclass(frozen=True)
class Information:
    """I(x;z) in nats, its standard error over the images, its cap log(images), and whether it is (nearly) there."""

    nats: float
    standard_error: float | None
    cap_nats: float
    at_cap: bool
    images: int


def mutual_information(
    mu: Float64[np.ndarray, "images latent"],
    logvar: Float64[np.ndarray, "images latent"],
    generator: torch.Generator,
) -> Information:
    """I(x;z) between the given images, all equally likely, and z.

    The mean over images i and samples z ~ q(z|x_i) of log q(z|x_i) - log (1/n) sum_j q(z|x_j). It describes and is not
    a score: more is not better. 0: z is independent of the image; log n: z identifies the image, and no estimate is
    larger. In expectation it is a lower bound on the I(x;z) of the distribution that the images come from.

    exp(log n - I) is the (geometric) mean number of images that z can't distinguish. At 99 % of log n that is n^0.01,
    1.09 of 4,096 images: nearly every z identifies its image, as it would for any larger I, so the estimate counts as
    at its cap.

    The generator draws z on the CPU, once per image.

    Source:
        Hoffman & Johnson (2016), ELBO surgery, NIPS workshop on approximate Bayesian inference (index-code mutual
        information); Poole et al. (2019), On variational bounds of mutual information, ICML, section 2 (InfoNCE
        with a known conditional: the lower bound and its cap).
    """
    centres, logs = torch.tensor(mu), torch.tensor(logvar)
    z, precision = reparameterise(centres, logs, generator), torch.exp(-logs)
    constant = -0.5 * (centres.square() * precision + logs).sum(dim=1)
    own = -0.5 * ((z - centres).square() * precision + logs).sum(dim=1)
    shares = []  # log of q(z_i|x_i) / sum_j q(z_i|x_j)
    for rows in torch.arange(len(mu)).split(max(1, _PAIRS // len(mu))):
        some = z[rows]
        ratio = constant + some @ (centres * precision).T - 0.5 * some.square() @ precision.T - own[rows, None]
        ratio[torch.arange(len(rows)), rows] = 0.0  # exactly, where the products are not: no value exceeds log n
        shares.append(-ratio.logsumexp(dim=1))
    cap = math.log(len(mu))
    nats, error = mean_and_error(torch.cat(shares).numpy() + cap)
    return Information(nats, error, cap, nats >= CAP_SHARE * cap, len(mu))


@dataclass(frozen=True)
class Correlation:
    """Total correlation in nats, its standard error over the images, and whether it is only an upper bound."""

    nats: float
    standard_error: float | None
    at_cap: bool
    images: int


def total_correlation(
    mu: Float64[np.ndarray, "images latent"],
    logvar: Float64[np.ndarray, "images latent"],
    generator: torch.Generator,
) -> Correlation:
    """KL(q(z) || product of q(z_k)) of the given images' aggregate posterior q(z) = (1/n) sum_i q(z|x_i).

    The mean over images i and samples z ~ q(z|x_i) of log q(z) less the sum of log q(z_k), all exact for these images.
    It describes and is not a score. 0: the units are independent, over all images together. It is the sum of the units'
    I(x;z_k) less I(x;z), of which the latter can't exceed log n: where that is (nearly) reached, `at_cap`, the
    estimate is only an upper bound on the total correlation of more images, and may be far above it.

    The generator draws z on the CPU, once per image.

    Source:
        Watanabe (1960), Information theoretical analysis of multivariate correlation, IBM Journal 4(1); Chen et al.
        (2018), Isolating sources of disentanglement in VAEs, NeurIPS, equation 2.
    """
    centres, logs = torch.tensor(mu), torch.tensor(logvar)
    z, cap = reparameterise(centres, logs, generator), math.log(len(mu))
    values, information = [], []
    for rows in torch.arange(len(mu)).split(max(1, _PAIRS // mu.size)):
        densities = log_densities(z[rows], centres, logs)
        whole = densities.sum(dim=2)
        joint = whole.logsumexp(dim=1) - cap
        values.append(joint - (densities.logsumexp(dim=1) - cap).sum(dim=1))
        information.append(whole[torch.arange(len(rows)), rows] - joint)
    nats, error = mean_and_error(torch.cat(values).numpy())
    return Correlation(nats, error, float(torch.cat(information).mean()) >= CAP_SHARE * cap, len(mu))


def active_units(mu: Float64[np.ndarray, "images latent"]) -> int:
    """Number of units whose posterior mean varies over the images by more than 0.01; describes, 0 is a collapse.

    Source:
        Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, ICLR, section 5.
    """
    return int((mu.var(axis=0) > ACTIVE_VARIANCE).sum())


@torch.no_grad()
def effect_units(
    model: Model, x: Pixels, deviations: Float64[np.ndarray, " latent"], chunk: int
) -> Float64[np.ndarray, " latent"]:
    """Change of the decoded picture when a unit is moved by its standard deviation over images, in levels of 255.

    The root mean square over all pixels of the given images, each decoded from its posterior mean before and after.
    A unit may vary with the image, and cost nats, without any such effect.

    Args:
        model: in evaluation mode.
        x: a few images in [0, 1], on the model's device.
        deviations: standard deviation of each unit's posterior mean over images. At a beta near 0 codes are far wider
            than the prior, so that the prior's deviation would move nothing.
        chunk: images decoded at once, or the given ones where they are more.
    """
    mu, _ = model.encode(x)
    step = torch.from_numpy(deviations).to(mu)
    base = model.likelihood.mean(model.decode(mu))
    squares = []
    for units in torch.arange(mu.shape[1], device=mu.device).split(max(1, chunk // len(x))):
        moved = mu.repeat(len(units), 1, 1)
        moved[torch.arange(len(units)), :, units] += step[units, None]
        pictures = model.likelihood.mean(model.decode(moved.flatten(0, 1))).unflatten(0, moved.shape[:2])
        squares.append((pictures - base).double().square().flatten(1).mean(dim=1))
    return 255 * torch.cat(squares).sqrt().cpu().numpy()


def used_units(mu: Float64[np.ndarray, "images latent"], effect: Float64[np.ndarray, " latent"]) -> int:
    """Number of active units that also change the picture; describes, 0 is a collapse.

    Args:
        mu: posterior means.
        effect: what `effect_units` gives.
    """
    return int(((mu.var(axis=0) > ACTIVE_VARIANCE) & (effect >= UNSEEN_LEVELS)).sum())


@torch.no_grad()
def variance_share(model: Model, batches: Iterable[Tensor]) -> float | None:
    """Variance over the images of their reconstructions, as a share of their own, both summed over the pixels.

    A reconstruction is decoded from the posterior mean. It describes: 0 is one picture for all images, a collapse. Of
    the best linear reconstruction it is the share of variance explained.

    Returns:
        None where the images don't differ.
    """
    number, sums, squares = 0, 0.0, 0.0  # sums [2, pixels]: images and reconstructions
    for x in batches:
        both = torch.stack([x, model.likelihood.mean(model.decode(model.encode(x)[0]))]).flatten(2).double()
        number, sums, squares = number + len(x), sums + both.sum(dim=1), squares + both.square().sum(dim=1)
    variances = torch.as_tensor(squares / number - (sums / number) ** 2).clamp(min=0).sum(dim=-1)
    images, reconstructions = variances.tolist()
    return reconstructions / images if images > 0 else None


def mean_and_error(values: Float[np.ndarray, " images"]) -> tuple[float, float | None]:
    """Mean over images and its standard error, which is None for fewer than two; an infinite value has a NaN there."""
    with np.errstate(invalid="ignore"):
        error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return float(values.mean()), error


def bits_per_dim(nats: Amount, dims: int) -> Amount:
    """Nats per image as bits per pixel and channel; for probabilities of 8-bit levels only, not for densities.

    Source:
        Theis, van den Oord & Bethge (2016), A note on the evaluation of generative models, ICLR.
    """
    return nats / (dims * math.log(2.0))
