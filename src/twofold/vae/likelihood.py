"""Distributions of the pixels given the decoder's output: Bernoulli, Gaussian, discretised logistic on 256 levels.

Logs of small masses are computed without forming the masses, so that neither value nor gradient underflows where a
pixel lies many standard deviations from its mean.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from twofold.engine.errors import InputError
from twofold.vae.config import LikelihoodConfig, LikelihoodName

GAIN = 10.0
"""log sigma = GAIN x the learned parameter, so that a step of Adam on it is GAIN times the learning rate."""
STEPS = 255
"""Steps between the 256 levels of a pixel in [0, 1]."""
LOGISTIC_DEVIATION = math.pi / math.sqrt(3.0)
"""Standard deviation of the logistic distribution of scale 1."""

Pixels = Float[Tensor, "batch channels h w"]
Nats = Float[Tensor, " batch"]


class Likelihood(nn.Module, ABC):
    """p(x|z) as a function of a decoder's output and the pixels in [0, 1], independent between pixels."""

    name: LikelihoodName
    is_density: ClassVar[bool] = False
    """Whether `nll` is that of a density of pixels in [0, 1], which may be below 0."""
    has_levels: ClassVar[bool] = True
    """Whether it gives a probability to each of the 256 levels, so that there are bits per dimension."""
    scaled: ClassVar[bool] = False
    """Whether one sigma for all pixels sets the weight of the squared error; beta x sigma^2 then weighs the rate."""

    @abstractmethod
    def nll(self, output: Pixels, x: Pixels) -> Nats:
        """Negative log likelihood of each image, in nats, summed over its pixels."""

    @abstractmethod
    def bin_nll(self, output: Pixels, x: Pixels) -> Nats:
        """Negative log probability of each image's 8-bit levels, in nats, from which bits per dimension follow.

        Level k is the interval from (k - 1/2) / 255 to (k + 1/2) / 255; level 0 reaches down to minus infinity and
        level 255 up to infinity, so that 256 masses sum to 1 and densities compare with masses.

        Raises:
            InputError: for `bernoulli`, which defines no probability of a level.
        """

    def mean(self, output: Pixels) -> Pixels:
        """The image to show, in [0, 1]."""
        return output.clamp(0.0, 1.0)

    @abstractmethod
    def draw(self, output: Pixels, generator: torch.Generator, temperature: float) -> Pixels:
        """An image drawn from p(x|z), in [0, 1]; its noise is multiplied by the temperature, from 0 to 1."""

    @property
    @abstractmethod
    def sigma(self) -> float | None:
        """Standard deviation of a pixel, where 1 is white; None where it follows from the mean (`bernoulli`)."""


class Bernoulli(Likelihood):
    """Binary cross-entropy with logits.

    On grey values it is the usual loss but no likelihood: it leaves out a constant that depends on the logits, so its
    nats compare with no other likelihood's, and it is not 0 for a perfect reconstruction.

    Source:
        Kingma & Welling (2014), Auto-encoding variational Bayes, ICLR, appendix C.1. Loaiza-Ganem & Cunningham (2019),
        The continuous Bernoulli, NeurIPS (what is left out).
    """

    name = "bernoulli"
    has_levels = False

    def nll(self, output: Pixels, x: Pixels) -> Nats:
        """Cross-entropy of each image, in nats."""
        return _by_image(binary_cross_entropy_with_logits(output, x, reduction="none"))

    def bin_nll(self, output: Pixels, x: Pixels) -> Nats:
        """Always raises: the levels have no probability."""
        raise InputError(
            "likelihood.name=bernoulli defines no probability of a pixel's 256 levels, so there are no bits per "
            "dimension; choose gaussian, gaussian_fixed or logistic for those"
        )

    def mean(self, output: Pixels) -> Pixels:
        """Probability of white."""
        return torch.sigmoid(output)

    def draw(self, output: Pixels, generator: torch.Generator, temperature: float) -> Pixels:
        """The mean at every temperature: a draw would be black and white."""
        return self.mean(output)

    @property
    def sigma(self) -> None:
        """None: the standard deviation follows from the mean."""
        return None


class Scaled(Likelihood):
    """One sigma for all pixels, fixed or learned: log sigma = `GAIN` x `raw`."""

    scaled = True

    def __init__(self, config: LikelihoodConfig) -> None:
        super().__init__()
        self.name = config.name
        raw = torch.tensor(math.log(config.sigma) / GAIN, dtype=torch.float64)
        # A scalar tensor combines with tensors of any type on any device, so a fixed one needs no buffer.
        self.raw = raw if config.name == "gaussian_fixed" else nn.Parameter(raw.float())

    @torch.no_grad()
    def set_sigma(self, sigma: float) -> None:
        """Sets the standard deviation of a pixel, where 1 is white."""
        self.raw.fill_(math.log(sigma) / GAIN)

    @property
    def log_sigma(self) -> Float[Tensor, ""]:
        """Natural logarithm of the standard deviation of a pixel."""
        return GAIN * self.raw

    @property
    def sigma(self) -> float:
        """Standard deviation of a pixel, where 1 is white."""
        return math.exp(float(self.log_sigma.detach()))


class Gaussian(Scaled):
    """A normal distribution around each decoded pixel.

    A learned sigma converges to the root of the mean squared error, which sets the weight of distortion against rate.

    Source:
        Rybkin, Daniilidis & Levine (2021), Simple and effective VAE training with calibrated decoders, ICML, section 3.
    """

    is_density = True

    def draw(self, output: Pixels, generator: torch.Generator, temperature: float) -> Pixels:
        """The mean with normal noise."""
        noise = torch.randn(output.shape, generator=generator, device=generator.device).to(output)
        return (output + temperature * self.sigma * noise).clamp(0.0, 1.0)

    def nll(self, output: Pixels, x: Pixels) -> Nats:
        """Negative log density of each image, in nats."""
        standard = (x - output) * torch.exp(-self.log_sigma)
        return _by_image(0.5 * standard.square() + (self.log_sigma + 0.5 * math.log(2 * math.pi)))

    def bin_nll(self, output: Pixels, x: Pixels) -> Nats:
        """As `Likelihood.bin_nll`, in float64: differences of logs of the distribution function need it."""
        level = level_of(x.double())
        precision = torch.exp(-self.log_sigma.double())
        low = torch.where(level == 0, -math.inf, ((level - 0.5) / STEPS - output) * precision)
        high = torch.where(level == STEPS, math.inf, ((level + 0.5) / STEPS - output) * precision)
        # Bins above the mean are mirrored: the lower tail's log is exact, 1 minus a rounded number is not.
        mirrored = low + high > 0
        low, high = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
        up_to = torch.special.log_ndtr(high)
        return -_by_image(up_to + _log1mexp(up_to - torch.special.log_ndtr(low)))


class DiscretisedLogistic(Scaled):
    """The mass that a logistic distribution around each decoded pixel puts on the pixel's level.

    The scale is s = sigma sqrt(3) / pi.
    """

    def draw(self, output: Pixels, generator: torch.Generator, temperature: float) -> Pixels:
        """The mean with logistic noise."""
        noise = logistic_noise(output, generator)
        return (output + temperature * self.sigma / LOGISTIC_DEVIATION * noise).clamp(0.0, 1.0)

    def nll(self, output: Pixels, x: Pixels) -> Nats:
        """Negative log mass of each image's levels, in nats."""
        return -_by_image(logistic_log_mass(level_of(x), output, torch.exp(-self.log_sigma) * LOGISTIC_DEVIATION))

    def bin_nll(self, output: Pixels, x: Pixels) -> Nats:
        """The same as `nll`."""
        return self.nll(output, x)


def make_likelihood(config: LikelihoodConfig) -> Likelihood:
    """The likelihood that a config names."""
    if config.name == "bernoulli":
        return Bernoulli()
    return DiscretisedLogistic(config) if config.name == "logistic" else Gaussian(config)


def logistic_log_mass(level: Tensor, centre: Tensor, precision: Tensor) -> Tensor:
    """Log of the mass that a logistic distribution puts on a level, from half a level below to half a level above.

    With a and b the edges of a bin in scales from the centre and w = b - a,

        sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(-w)),

    whose factors are all taken as logs: no difference is ever formed. Levels 0 and 255 take the tails.

    Args:
        level: 0 to 255.
        centre: of the distribution, where 1 is level 255.
        precision: 1 / scale.

    Source:
        Salimans, Karpathy, Chen & Kingma (2017), PixelCNN++, ICLR, equation 2 (with one component).
    """
    below = logsigmoid(((level + 0.5) / STEPS - centre) * precision)
    above = logsigmoid((centre - (level - 0.5) / STEPS) * precision)
    inner = below + above + _log1mexp(precision / STEPS)
    return torch.where(level == 0, below, torch.where(level == STEPS, above, inner))


def logistic_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draws of the logistic distribution of scale 1, in the shape and on the device of a tensor."""
    return torch.logit(torch.rand(like.shape, generator=generator, device=generator.device), eps=1e-6).to(like)


def level_of(x: Tensor) -> Tensor:
    """The nearest of the 256 levels, 0 to 255."""
    return (STEPS * x).round().clamp(0, STEPS)


def _by_image(values: Pixels) -> Nats:
    return values.flatten(1).sum(dim=1)


def _log1mexp(a: Tensor) -> Tensor:
    """Log of 1 - exp(-a) for a > 0, exact for a small one too."""
    return torch.log(-torch.expm1(-a))
