"""The encoder and decoder that start as probabilistic PCA, and the principal components that they start from."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor, nn

from twofold.engine.seed import torch_generator

LEAST_VARIANCE = 1e-9
"""Of a value in [0, 1]: images that are all alike have components without any."""
_PASSES = 2  # of the randomised method; more changed no score by a nat
_INNER_UP_TO, _INNER_VALUES = 2500, 2**25  # images whose inner products are decomposed, and their values, at most
_EXTRA = 10  # directions beyond those wanted, dropped at the end
_VALUES_AT_ONCE = 2**24  # of images as floats

Pictures = Float[Tensor, "batch channels h w"]


@dataclass(frozen=True)
class Principal:
    """Principal components of images in [0, 1], with channels first, the one with the largest variance first.

    Attributes:
        mean: the mean image, flat.
        directions: orthonormal, one row each.
        variances: of the images along each direction.
        total: variance of the images, summed over all values.
    """

    mean: Float[Tensor, " dims"]
    directions: Float[Tensor, "components dims"]
    variances: Float64[Tensor, " components"]
    total: float

    def first(self, components: int) -> "Principal":
        """The same with the first components only."""
        return Principal(self.mean, self.directions[:components], self.variances[:components], self.total)

    @property
    def rest(self) -> float:
        """Mean variance of the other directions: the noise of probabilistic PCA."""
        left = max(self.total - float(self.variances.sum()), 0.0)
        return max(left / max(self.directions.shape[1] - len(self.variances), 1), LEAST_VARIANCE)

    def signal(self) -> Float64[Tensor, " components"]:
        """Variances less the noise that each direction holds, too."""
        return (self.variances - self.rest).clamp(min=0.0)


def principal(
    pixels: UInt8[np.ndarray, "n h w c"], rows: Int64[np.ndarray, " rows"], components: int, seed: int
) -> Principal:
    """The first principal components of some images by a randomised method; deterministic given the seed.

    Goes over the images four times, some as floats at a time, so that the pixels may be mapped from a file.

    Args:
        rows: the images to fit on, at least two.
        components: number of components, at most one less than the images and than the values of an image.

    Source:
        Halko, Martinsson & Tropp (2011), Finding structure with randomness, SIAM Review 53(2), algorithm 4.4.
    """
    dims, count = pixels[0].size, len(rows)
    parts = np.array_split(rows, math.ceil(count * dims / _VALUES_AT_ONCE))
    mean = torch.stack([_flat(pixels[part]).sum(0, dtype=torch.float64) for part in parts]).sum(0).div(count).float()
    total = 0.0
    wanted = min(components + _EXTRA, count, dims)
    basis = torch.randn(dims, wanted, generator=torch_generator(seed, "principal"))
    for _ in range(_PASSES):
        spread, total = torch.zeros_like(basis), 0.0
        for part in parts:
            centred = _flat(pixels[part]).sub_(mean)
            total += float(centred.square().sum(dtype=torch.float64))
            spread += centred.T @ (centred @ basis)
        basis = torch.linalg.qr(spread)[0]
    squares = torch.zeros(wanted, wanted, dtype=torch.float64)
    for part in parts:
        scores = _flat(pixels[part]).sub_(mean) @ basis
        squares += (scores.T @ scores).double()
    variances, turn = torch.linalg.eigh(squares)
    order = variances.argsort(descending=True)[:components]
    directions = (basis @ turn[:, order].float()).T.contiguous()
    return Principal(mean, directions, variances[order].clamp(min=0.0) / (count - 1), total / (count - 1))


def principal_without(
    pixels: UInt8[np.ndarray, "n h w c"],
    rows: Int64[np.ndarray, " rows"],
    components: int,
    fold_of: Int64[np.ndarray, " rows"],
    seed: int,
) -> list[Principal]:
    """The first principal components of some images without each fold of them, one after the other.

    Of a few thousand images those of all folds come from one matrix of inner products, exactly.
    """
    folds = range(int(fold_of.max()) + 1)
    if len(rows) > _INNER_UP_TO or len(rows) * pixels[0].size > _INNER_VALUES:
        return [principal(pixels, rows[fold_of != fold], components, seed) for fold in folds]
    flat = _flat(pixels[rows])
    middle = flat.mean(0)
    flat.sub_(middle)
    products = flat.double() @ flat.double().T  # in float32 the last of many directions would not be orthogonal
    found = []
    for fold in folds:
        kept = torch.from_numpy(np.flatnonzero(fold_of != fold))
        some, inner = flat[kept], products[kept][:, kept]
        shift = inner.mean(0)
        inner += inner.mean() - shift - shift[:, None]
        squares, turn = torch.linalg.eigh(inner)
        order = squares.argsort(descending=True)[:components]
        squares = squares[order].clamp(min=LEAST_VARIANCE)
        weights = (turn[:, order] / squares.sqrt()).float()
        mean = some.mean(0)
        directions = (weights - weights.mean(0)).T @ some
        total = float(inner.diagonal().sum()) / (len(kept) - 1)
        found.append(Principal(mean + middle, directions, squares / (len(kept) - 1), total))
    return found


def _flat(pixels: UInt8[np.ndarray, "n h w c"]) -> Float[Tensor, "n dims"]:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).flatten(1).float().div_(255)


class PrincipalDecoder(nn.Module):
    """The picture m(z) = mean + sum over units of z x scale x direction; all fixed, in [0, 1]."""

    def __init__(self, latent_dim: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        dims = math.prod(shape)
        self.mean = _fixed(dims)
        self.directions = _fixed(latent_dim, dims)
        self.scale = _fixed(latent_dim)

    def forward(self, z: Float[Tensor, "batch latent"]) -> Pictures:
        """The picture of each code; never in lower precision, in which its details would be lost."""
        with torch.autocast(z.device.type, enabled=False):
            return ((z * self.scale) @ self.directions + self.mean).unflatten(1, self.shape)


class PrincipalEncoder(nn.Module):
    """The posterior of probabilistic PCA, and a learned correction of each unit's mean and log variance.

    With signal variance l of a direction and noise v, mean sqrt(l) / (l + v) times the image's coordinate, and log
    variance log v / (l + v).

    Source:
        Tipping & Bishop (1999), Probabilistic principal component analysis, J. R. Stat. Soc. B 61(3), equation 6.
    """

    def __init__(self, latent_dim: int, decoder: PrincipalDecoder) -> None:
        super().__init__()
        self.gain, self.logvar = _fixed(latent_dim), _fixed(latent_dim)
        self.log_gain_change = nn.Parameter(torch.zeros(latent_dim))
        self.logvar_change = nn.Parameter(torch.zeros(latent_dim))
        self._decoder = [decoder]  # in a list, so that its directions are saved and moved once only

    def forward(self, x: Pictures) -> Float[Tensor, "batch twice_latent"]:
        """Means and log variances side by side; never in lower precision."""
        decoder = self._decoder[0]
        with torch.autocast(x.device.type, enabled=False):
            coordinates = (x.flatten(1) - decoder.mean) @ decoder.directions.T
        mu = coordinates * (self.gain * self.log_gain_change.exp())
        return torch.cat([mu, (self.logvar + self.logvar_change).expand_as(mu)], dim=1)


def _fixed(*shape: int) -> nn.Parameter:
    """A weight that no step changes."""
    return nn.Parameter(torch.zeros(*shape), requires_grad=False)


@torch.no_grad()
def put(found: Principal, noise: float, encoder: PrincipalEncoder, decoder: PrincipalDecoder) -> None:
    """Sets both to probabilistic PCA with these components, and its posterior at this noise (variance of a value).

    Units beyond the components, where a fold has fewer, stay at the prior.
    """
    signal, known = found.signal(), len(found.variances)
    for fixed in (decoder.directions, decoder.scale, encoder.gain, encoder.logvar):
        fixed.zero_()
    decoder.mean.copy_(found.mean)
    decoder.directions[:known] = found.directions
    decoder.scale[:known] = signal.sqrt().float()
    encoder.gain[:known] = (signal.sqrt() / (signal + noise)).float()
    encoder.logvar[:known] = torch.log(noise / (signal + noise)).float()
