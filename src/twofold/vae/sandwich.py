"""H - D <= I(x;z) <= R in closed form: a linear encoder and decoder on normally distributed data.

The data set is eight independent normal variables with the eigenvalues below. Nothing is estimated, so the inequalities
hold up to rounding, and a wrong sign or factor shows.

Source:
    Alemi, Poole, Fischer, Dillon, Saurous & Murphy (2018), Fixing a broken ELBO, ICML, section 2 (the inequalities).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from twofold.engine.errors import InputError

EIGENVALUES = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
"""Variances of the data set's eight variables."""
NOISE = 0.01
"""sigma^2 of its decoder: below every eigenvalue, so that at beta = 1 no direction collapses."""
TOLERANCE = 1e-9
"""Nats by which rounding may break an inequality."""

Matrix = Float64[np.ndarray, "rows columns"]


@dataclass(frozen=True)
class Linear:
    """Encoder q(z|x) = N(V x, diag(s)) and decoder p(x|z) = N(W z, sigma^2 I): V, s (above 0) and W."""

    encoder: Float64[np.ndarray, "latent dims"]
    noise: Float64[np.ndarray, " latent"]
    decoder: Float64[np.ndarray, "dims latent"]


@dataclass(frozen=True)
class Terms:
    """Nats per data point: H of the data, D = E[-log p(x|z)], I(x;z) of the encoder, R = E[KL(q(z|x) || N(0, I))]."""

    entropy: float
    distortion: float
    information: float
    rate: float

    @property
    def holds(self) -> bool:
        """Whether H - D <= I <= R, but for rounding."""
        lower = self.entropy - self.distortion
        return lower <= self.information + TOLERANCE and self.information <= self.rate + TOLERANCE


def terms(covariance: Matrix, linear: Linear, sigma2: float) -> Terms:
    """Exact H, D, I and R of any linear encoder and decoder, optimal or not.

    The data's mean is 0 and sigma2 the variance of the decoder, in squared units of the data.

    Raises:
        InputError: when a variance is not above 0 or the covariance is not positive definite: H, I or R is infinite.
    """
    if sigma2 <= 0 or (linear.noise <= 0).any():
        raise InputError(f"variances must be above 0, got sigma2={sigma2}, smallest noise={linear.noise.min()}")
    encoder, noise, decoder = linear.encoder, linear.noise, linear.decoder
    dims = len(covariance)
    signal = encoder @ covariance @ encoder.T
    left = np.eye(dims) - decoder @ encoder
    squared_error = np.trace(left @ covariance @ left.T) + np.square(decoder).sum(axis=0) @ noise
    whitened = signal / np.sqrt(np.outer(noise, noise))
    return Terms(
        entropy=entropy(covariance),
        distortion=0.5 * dims * math.log(2 * math.pi * sigma2) + float(squared_error) / (2 * sigma2),
        information=0.5 * _log_det(np.eye(len(noise)) + whitened),
        rate=0.5 * float((np.diag(signal) + noise - 1 - np.log(noise)).sum()),
    )


def entropy(covariance: Matrix) -> float:
    """Differential entropy of a normal distribution, in nats.

    Raises:
        InputError: when the covariance is not positive definite.
    """
    return 0.5 * (len(covariance) * math.log(2 * math.pi * math.e) + _log_det(covariance))


def optimum(eigenvalues: Sequence[float], sigma2: float, beta: float) -> Linear:
    """Encoder and decoder of the smallest D + beta R for independent variables and a fixed sigma^2.

    D + beta R is, but for a constant and a factor beta, the negative ELBO of a decoder of variance tau = beta sigma^2,
    whose optimum is probabilistic PCA with that noise. A direction of variance lambda > tau has w^2 = lambda - tau, v =
    w / lambda and s = tau / lambda, and costs 1/2 log(lambda / tau) nats; one of lambda <= tau collapses to the prior.
    This is reverse water-filling, so (R, D) lies on the data's rate-distortion function, whose slope is dD/dR = -beta;
    and the aggregated posterior is the prior, so that I = R at every optimum.

    Raises:
        InputError: when beta is not above 0: then the best encoder has no noise, and R and I are infinite.

    Source:
        Tipping & Bishop (1999), Probabilistic principal component analysis, J. R. Stat. Soc. B 61(3), equation 7;
        Lucas, Tucker, Grosse & Norouzi (2019), Don't blame the ELBO!, NeurIPS (it is the linear VAE's optimum);
        Cover & Thomas (2006), Elements of information theory, theorem 10.3.3 (reverse water-filling).
    """
    if beta <= 0:
        raise InputError(f"beta must be above 0, got {beta}: at 0 the best encoder has no noise and an infinite rate")
    variances = np.array(eigenvalues, dtype=np.float64)
    water = np.minimum(variances, beta * sigma2)
    w = np.sqrt(variances - water)
    return Linear(np.diag(w / variances), water / variances, np.diag(w))


def optima(betas: Sequence[float]) -> list[dict[str, Any]]:
    """The optimum on the embedded data set for each beta.

    The row of a beta of 0 holds no values: no encoder attains its infimum, and R and I are unbounded.
    """
    rows = []
    for beta in betas:
        found = terms(np.diag(EIGENVALUES), optimum(EIGENVALUES, NOISE, beta), NOISE) if beta else None
        rows.append(
            {
                "beta": beta,
                "distortion_nats": found and found.distortion,
                "rate_nats": found and found.rate,
                "mutual_information_nats": found and found.information,
                "entropy_minus_distortion_nats": found and found.entropy - found.distortion,
                "holds": found and found.holds,
            }
        )
    return rows


def _log_det(matrix: Matrix) -> float:
    try:
        return 2.0 * float(np.log(np.diag(np.linalg.cholesky(matrix))).sum())
    except np.linalg.LinAlgError:
        raise InputError(
            "the covariance must be symmetric and positive definite, or the data has no entropy; add variance to it"
        ) from None
