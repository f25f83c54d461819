"""Distances between two sets of images: how well samples are distributed like real images, without any download.

Each has a value above its best even between two sets of real images, which falls with their number. So none means
anything alone: compare sets of equal size, beside the same distance of real images.
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from torch import Tensor, nn
from torch.nn.functional import pad

from twofold.engine.errors import InputError
from twofold.engine.seed import torch_generator

NEIGHBOURS = 5
"""k of precision, recall, density and coverage."""
LEAST_NEIGHBOURHOODS = 20
"""Images below which these four are left out: one image would be more than five points of a hundred."""
LEAST_FRECHET = 100
"""Images below which the Frechet distance is left out: a covariance of fewer is mostly noise."""
DIRECTIONS = 128
"""Random directions of a sliced Wasserstein distance."""
PATCH, PATCHES, COARSEST = 7, 32, 16
"""Side of a patch of a Laplacian pyramid in pixels; patches per image and level; least side of a level."""
WIDTHS = (32, 64, 128)
"""Channels of the random convolutions' layers."""
POOLED, FEATURES = 4, 64
"""Side to which their last layer is pooled; number of features."""
NAME = "random convolutions"
_AT_ONCE = 64  # images through a network of features

Pictures = UInt8[np.ndarray, "n h w c"]
Features = Float64[np.ndarray, "n features"]
FeatureNetwork = Callable[[Tensor], Tensor]
"""Images in [0, 1], [n, c, h, w], to features [n, d]."""


def sliced_wasserstein(
    one: Float32[Tensor, "n dims"], other: Float32[Tensor, "n dims"], directions: int, generator: torch.Generator
) -> float:
    """Mean over random directions of the 1-Wasserstein distance between both sets' projections.

    Lower is better; 0: the sets are equal. In the unit of the values, and for images about the root mean square by
    which a value is displaced.

    Args:
        one: as many points as `other`.
        other: the points to compare with.
        directions: number of directions, drawn uniformly from the unit sphere.
        generator: source of the directions.

    Source:
        Rabin et al. (2011), Wasserstein barycenter and its application to texture mixing, SSVM, equation 4 (order 1).
    """
    drawn = torch.randn(one.shape[1], directions, generator=generator)
    axes = (drawn / drawn.norm(dim=0)).to(one)
    # numpy sorts several times as fast as torch, which keeps the order, too.
    first, second = (np.sort((points @ axes).T.contiguous().numpy(), axis=1) for points in (one, other))
    return float(np.abs(first - second).mean(dtype=np.float64))


def laplacian_distance(
    one: Float32[Tensor, "n c h w"], other: Float32[Tensor, "n c h w"], directions: int, seed: int
) -> float:
    """Sliced Wasserstein distance between 7x7 patches, mean over the levels of a Laplacian pyramid.

    Lower is better; 0: the same patches. Each level holds one band of frequencies, the last one what remains. The unit
    is the standard deviation of a level's values among the reference images: `other`'s patches get mean 0 and deviation
    1 in each channel and both sets are scaled alike, so that missing contrast counts (the paper scales each by itself).

    Args:
        one: images in [0, 1], as many as `other`.
        other: the reference images.
        directions: of each level.
        seed: of the patches' places, which are the same in both sets, and of the directions.

    Source:
        Karras et al. (2018), Progressive growing of GANs, ICLR, section 5; Burt & Adelson (1983), The Laplacian pyramid
        as a compact image code.
    """
    distances = []
    for level, pair in enumerate(zip(laplacian_pyramid(one), laplacian_pyramid(other), strict=True)):
        found, reference = (_patches(images, torch_generator(seed, "patches", level)) for images in pair)
        mean, deviation = reference.mean(dim=(0, 2), keepdim=True), reference.std(dim=(0, 2), keepdim=True)
        scaled = [((each - mean) / deviation.clamp(min=1e-6)).flatten(1) for each in (found, reference)]
        directed = torch_generator(seed, "directions", level)
        distances.append(sliced_wasserstein(scaled[0], scaled[1], directions, directed))
    return sum(distances) / len(distances)


def laplacian_pyramid(images: Float32[Tensor, "n c h w"]) -> list[Tensor]:
    """Bands of an image, the finest first, each of half the size of the one before, and what remains as the last.

    A band is the image less what its half-sized version gives when enlarged again, so that enlarging and adding all
    bands gives the image back. The last level has at least `COARSEST` pixels on a side.
    """
    levels, now = [], images
    while min(now.shape[2:]) >= 2 * COARSEST and not now.shape[2] % 2 and not now.shape[3] % 2:
        half = _blurred(now)[:, :, ::2, ::2]
        levels.append(now - _doubled(half))
        now = half
    return [*levels, now]


def _doubled(images: Float32[Tensor, "n c h w"]) -> Float32[Tensor, "n c 2*h 2*w"]:
    """Images of twice the size: zeros between the pixels, then the blur times 4."""
    n, c, h, w = images.shape
    spread = images.new_zeros(n, c, 2 * h, 2 * w)
    spread[:, :, ::2, ::2] = images
    return 4 * _blurred(spread)


def _blurred(images: Float32[Tensor, "n c h w"]) -> Float32[Tensor, "n c h w"]:
    """Burt & Adelson's kernel [1 4 6 4 1] / 16 along both axes, mirrored at the border."""
    blurred = pad(images, (2, 2, 2, 2), mode="reflect")
    for axis in (2, 3):  # by sums of shifted images, some ten times as fast here as a convolution of one channel
        size = images.shape[axis]
        shifted = [blurred.narrow(axis, start, size) for start in range(5)]
        blurred = (shifted[0] + shifted[4] + 4 * (shifted[1] + shifted[3]) + 6 * shifted[2]) / 16
    return blurred


def _patches(images: Float32[Tensor, "n c h w"], generator: torch.Generator) -> Float32[Tensor, "patches c 49"]:
    """`PATCHES` patches of each image at random places."""
    n, c, height, width = images.shape
    y = torch.randint(height - PATCH + 1, (n, PATCHES, 1, 1), generator=generator) + torch.arange(PATCH)[:, None]
    x = torch.randint(width - PATCH + 1, (n, PATCHES, 1, 1), generator=generator) + torch.arange(PATCH)
    places = (y * width + x).flatten(1)[:, None].expand(n, c, -1)
    values = images.flatten(2).gather(2, places).view(n, c, PATCHES, PATCH**2)
    return values.transpose(1, 2).flatten(0, 1)


def frechet(one: Features, other: Float64[np.ndarray, "m features"]) -> float:
    """Frechet distance between normal distributions with both sets' means and covariances.

    |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2)). With C = A'A for centred features A over the root of n - 1, the
    last trace is the sum of the singular values of A1 A2', and so of R1 R2' where A = QR: no matrix root is taken.

    Lower is better; 0: equal means and covariances. In the features' unit, squared. Biased upwards, the more so the
    fewer images there are for a feature.

    Source:
        Heusel et al. (2017), GANs trained by a two time-scale update rule, NeurIPS, section 2 (FID); Dowson & Landau
        (1982), The Frechet distance between multivariate normal distributions, equation 16.
    """
    means = [features.mean(axis=0) for features in (one, other)]
    roots = [
        np.asarray(np.linalg.qr((features - mean) / math.sqrt(len(features) - 1), mode="r"))
        for features, mean in zip((one, other), means, strict=True)
    ]
    shared = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    total = sum(float((root**2).sum()) for root in roots)
    return max(float(((means[0] - means[1]) ** 2).sum()) + total - 2 * shared, 0.0)


def neighbourhoods(fake: Features, real: Float64[np.ndarray, "m features"], k: int) -> dict[str, float]:
    """Precision, recall, density and coverage by balls that reach to each point's k-th neighbour in its own set.

    Higher is better but for density. `precision`: share of the samples within a real image's ball, best 1; `recall`:
    share of the real images within a sample's ball, best 1; `density`: number of real balls a sample lies in over k, 1
    in expectation for equal distributions, above it where samples crowd where real images do; `coverage`: share of the
    real images whose ball holds a sample, best 1.

    Args:
        fake: features of the samples.
        real: features of real images.
        k: below the number of points in either set.

    Source:
        Kynkaanniemi et al. (2019), Improved precision and recall metric, NeurIPS, equations 1 and 2; Naeem et al.
        (2020), Reliable fidelity and diversity metrics, ICML, equations 3 and 4.
    """
    between = _distances(real, fake)
    # The 0-th neighbour is the point itself.
    real_radius, fake_radius = (np.partition(_distances(each, each), k, axis=1)[:, k] for each in (real, fake))
    inside = between <= real_radius[:, None]
    return {
        "precision": float(inside.any(axis=0).mean()),
        "recall": float((between <= fake_radius).any(axis=1).mean()),
        "density": float(inside.sum(axis=0).mean() / k),
        "coverage": float(inside.any(axis=1).mean()),
    }


def _distances(one: Features, other: Float64[np.ndarray, "m features"]) -> Float64[np.ndarray, "n m"]:
    """Euclidean distance between every two points."""
    # scipy forms each difference, so that equal points have distance 0 exactly, which products of norms do not give.
    from scipy.spatial.distance import cdist

    return cdist(one, other)


class RandomConvolutions(nn.Module):
    """Features of images by convolutions with random weights that no data has shaped, the same in every run.

    Layers of 4x4 convolutions of stride 2 with orthogonal weights and leaky ReLUs, pooled to 4 x 4 and projected to 64
    numbers. They see colours, edges and their rough places, but know no objects.

    Source:
        Naeem et al. (2020), section 5.2 (embeddings with random weights, of 64 dimensions).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((channels, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        layers += [nn.AdaptiveAvgPool2d(POOLED), nn.Flatten(), nn.Linear(WIDTHS[-1] * POOLED**2, FEATURES, bias=False)]
        self.layers = nn.Sequential(*layers)
        generator = torch_generator(0, "random convolutions")
        for layer in layers:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.orthogonal_(layer.weight, math.sqrt(2 / 1.04), generator=generator)
        self.requires_grad_(False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        """Features of images in [0, 1]."""
        return self.layers(2 * x - 1)


def load_features(path: Path) -> FeatureNetwork:
    """A user's network of features from a TorchScript file: images [n, c, h, w] in [0, 1] to features [n, d].

    Such a file holds tensors and a program in TorchScript's own language, so that opening it runs no Python.

    Raises:
        InputError: when the file is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.export's files need Python to be run
            return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"--features {path}: can't be opened as a TorchScript file; give one that "
            "torch.jit.save(torch.jit.script(network), FILE) wrote"
        ) from error


@torch.no_grad()
def features_of(images: Pictures, network: FeatureNetwork) -> Features:
    """Features of images by a network.

    Raises:
        InputError: when the network fails on them or gives something else than finite features [n, d].
    """
    parts = []
    for start in range(0, len(images), _AT_ONCE):
        x = as_tensor(images[start : start + _AT_ONCE])
        try:
            found = network(x)
        except RuntimeError as error:
            reason = (str(error).strip() or "RuntimeError").splitlines()[-1]
            raise InputError(f"the network of --features fails on images {list(x.shape)}: {reason}") from error
        if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(x) or not found.isfinite().all():
            given = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise InputError(
                f"the network of --features must give finite features [n, d] for images {list(x.shape)}, got {given}"
            )
        parts.append(found.double().numpy())
    return np.concatenate(parts)


def as_tensor(images: Pictures) -> Float32[Tensor, "n c h w"]:
    """Images as [n, c, h, w] in [0, 1]."""
    return torch.tensor(images).permute(0, 3, 1, 2).float().div_(255).contiguous()


def compare(samples: Pictures, reference: Pictures, network: FeatureNetwork) -> dict[str, float | None]:
    """All distances of samples to as many reference images; None where they are too few.

    The places of patches and all directions are drawn by a fixed seed, so that runs and models compare.
    """
    n = len(reference)
    one, other = as_tensor(samples), as_tensor(reference)
    directions = torch_generator(0, "directions of images")
    found: dict[str, float | None] = {
        "swd_pixels": sliced_wasserstein(one.flatten(1), other.flatten(1), DIRECTIONS, directions),
        "swd_laplacian": laplacian_distance(one, other, DIRECTIONS, 0),
        "frechet": None,
        **dict.fromkeys(("precision", "recall", "density", "coverage")),
    }
    features = features_of(samples, network), features_of(reference, network)
    if n >= LEAST_FRECHET:
        found["frechet"] = frechet(*features)
    if n >= LEAST_NEIGHBOURHOODS:
        found |= neighbourhoods(*features, NEIGHBOURS)
    return found
