"""The linear baseline: probabilistic PCA, whose optimum is in closed form, scored as the networks are."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from sklearn.decomposition import PCA
from torch import Tensor

from twofold.engine.seed import seed_for
from twofold.vae.config import LikelihoodConfig
from twofold.vae.likelihood import Likelihood, make_likelihood
from twofold.vae.score import evaluate

MAX_VALUES = 10**8
"""Images times pixels times channels that it should be fitted on, at most: 400 MB in float32."""
_PASSES = 2  # of the randomised solver; more changed no score by a nat
_VALIDATION_IMAGES = 256
MIN_SIGMA = 1e-4
"""Least standard deviation of a pixel in [0, 1]: for images that are all alike."""


@dataclass(frozen=True)
class LinearModel:
    """p(x|z) = N(Wz + mean, sigma^2 I) with its exact posterior, so that its ELBO is its log likelihood.

    The directions are orthonormal, the one with the largest variance first; the variances are the images' along them.
    """

    mean: Float[Tensor, " dims"]
    directions: Float[Tensor, "components dims"]
    variances: Float[Tensor, " components"]
    likelihood: Likelihood
    shape: tuple[int, int, int]

    @property
    def sigma2(self) -> float:
        """Variance of the noise."""
        sigma = self.likelihood.sigma
        assert sigma is not None
        return sigma**2

    def encode(self, x: Float[Tensor, "batch channels h w"]) -> tuple[Tensor, Tensor]:
        """Mean and log variance of p(z|x), which has independent components.

        Source:
            Tipping & Bishop (1999), Probabilistic principal component analysis, J. R. Stat. Soc. B 61(3), equation 6,
            at the optimum of equation 7.
        """
        gain = (self.variances - self.sigma2).clamp(min=0).sqrt() / self.variances
        mu = (x.flatten(1) - self.mean) @ self.directions.T * gain
        return mu, (self.sigma2 / self.variances).clamp(max=1).log().expand_as(mu)

    def decode(self, z: Float[Tensor, "batch components"]) -> Float[Tensor, "batch channels h w"]:
        """Mean of p(x|z)."""
        scale = (self.variances - self.sigma2).clamp(min=0).sqrt()
        return ((z * scale) @ self.directions + self.mean).unflatten(1, self.shape)


def fit_linear(
    train: Float[Tensor, "n channels h w"],
    validation: Float[Tensor, "m channels h w"],
    components: int,
    seed: int,
) -> LinearModel:
    """Maximum-likelihood probabilistic PCA; the number of components is chosen on validation images.

    As many components as training images leave no residual variance, and the likelihood is unbounded; so half, a
    quarter and so on of the components are tried, too.

    Args:
        train: images in [0, 1].
        validation: images in [0, 1] that choose the number of components.
        components: largest number of components.

    Source:
        Tipping & Bishop (1999), equations 7 and 8; Halko, Martinsson & Tropp (2011), Finding structure with randomness,
        SIAM Review 53(2).
    """
    flat = train.flatten(1).numpy()
    most = min(components, len(flat) - 1, flat.shape[1] - 1)
    solver = {"svd_solver": "randomized", "iterated_power": _PASSES, "random_state": seed_for(seed, "pca") % 2**32}
    with np.errstate(invalid="ignore"):  # images that are all alike have shares of no variance
        pca = PCA(most, **solver).fit(flat)
    total = float(flat.var(axis=0, ddof=1, dtype=np.float64).sum())
    directions, mean = np.asarray(pca.components_), np.asarray(pca.mean_)
    channels, height, width = train.shape[1:]

    def model(components: int) -> LinearModel:
        variances = pca.explained_variance_[:components].astype(np.float64)
        left = (total - variances.sum()) / (directions.shape[1] - components)
        sigma = max(float(np.sqrt(max(left, 0.0))), MIN_SIGMA)
        return LinearModel(
            torch.from_numpy(mean).float(),
            torch.from_numpy(directions[:components]).float(),
            torch.from_numpy(np.maximum(variances, sigma**2)).float(),
            make_likelihood(LikelihoodConfig(name="gaussian_fixed", sigma=sigma)),
            (channels, height, width),
        )

    def cost(model: LinearModel) -> float:
        found = evaluate(model, [validation[:_VALIDATION_IMAGES]], 1, torch.Generator().manual_seed(0))
        return float(found.negative_elbo.mean())

    return min((model(most // 2**halving) for halving in range(most.bit_length())), key=cost)
