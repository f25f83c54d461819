"""The arrays behind a run's report (`arrays.npz`): images, latent codes and distances to training images."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, UInt8
from sklearn.decomposition import PCA

from twofold.vae.config import PathName
from twofold.vae.images.load import Images, Split, by_hash
from twofold.vae.images.shrink import shrunk
from twofold.vae.latent import Autoencoder, to_pixels
from twofold.vae.neighbours import nearest

SHEET, PAIRS, PATHS, STEPS, SAMPLES, NEAREST, REFERENCE, ON_MAP, THUMB = 64, 32, 4, 11, 64, 16, 256, 2000, 16
TRAVERSED, VALUES = 10, np.linspace(-3.0, 3.0, 9)
COMPARED = 256
"""Samples that are compared with all images, so that a quarter of copies among them shows."""


def pictures(
    model: Autoencoder,
    images: Images,
    split: Split,
    mu: Float[np.ndarray, "test latent"],
    *,
    kl_units: Float[np.ndarray, " latent"],
    effect_units: Float[np.ndarray, " latent"],
) -> dict[str, np.ndarray]:
    """The arrays of `arrays.npz`.

    Args:
        mu: posterior means of the test images, in the order of `split.test`.
        kl_units: mean KL of each unit on the test images, nats.
        effect_units: effect of each unit on the picture, levels of 255; the units with the largest are traversed.
    """
    test = split.test[by_hash(images, split.test)]
    real = images.pixels[test[:PAIRS]]
    prior, half, one = (to_pixels(model.sample(SAMPLES, model.config.seed, heat)) for heat in (0.0, 0.5, 1.0))
    noisy = {} if np.array_equal(prior, one) else {"prior_half": half, "prior_one": one}
    more = to_pixels(model.sample(COMPARED - SAMPLES, model.config.seed + 1))
    units = np.argsort(-effect_units, kind="stable")[:TRAVERSED]
    return {
        "sheet": images.pixels[by_hash(images, np.arange(len(images.pixels)))[:SHEET]],
        "real": real,
        "reconstruction": to_pixels(model.reconstruct(real)),
        "prior": prior,
        **noisy,
        **_interpolations(model, images.pixels[test[: 2 * PATHS]]),
        "traverse": to_pixels(model.traverse(real[:1], units.tolist(), VALUES)),
        "traverse_units": units,
        "traverse_values": VALUES,
        **_nearest(images, split, np.concatenate([prior, more]), images.pixels[test[:REFERENCE]]),
        **_map(images, split.test, mu * effect_units),
        "kl_units": kl_units,
        "effect_units": effect_units,
        "variance_units": mu.var(axis=0),
    }


def _interpolations(model: Autoencoder, chosen: UInt8[np.ndarray, "n h w c"]) -> dict[str, np.ndarray]:
    pairs = len(chosen) // 2
    start, end = chosen[: 2 * pairs : 2], chosen[1 : 2 * pairs : 2]
    paths: tuple[PathName, ...] = ("linear", "spherical")
    empty = np.zeros((0, STEPS, *chosen.shape[1:]), np.uint8)
    found = {path: to_pixels(model.interpolate(start, end, STEPS, path)) if pairs else empty for path in paths}
    return {"ends": np.stack([start, end], axis=1), **found}


def _nearest(
    images: Images, split: Split, samples: UInt8[np.ndarray, "n h w c"], test: UInt8[np.ndarray, "m h w c"]
) -> dict[str, np.ndarray]:
    """The nearest training image of some samples and, as a reference, the distance of each test image to its own.

    And of every sample the nearest of all images, with whether that is a training image.
    """
    row, distance = nearest(np.concatenate([samples, test]), images.pixels, split.train)
    other, apart = nearest(samples, images.pixels, np.r_[split.validation, split.test])
    in_train = distance[: len(samples)] < apart
    return {
        "nearest": images.pixels[row[:NEAREST]],
        "nearest_distance": distance[:NEAREST],
        "test_distance": distance[len(samples) :],
        "copy_rows": np.where(in_train, row[: len(samples)], other),
        "copy_in_train": in_train,
    }


def _map(images: Images, test: Int64[np.ndarray, " test"], mu: Float[np.ndarray, "test latent"]) -> dict[str, Any]:
    """Codes on their first two principal components, with thumbnails.

    Args:
        mu: posterior means times each unit's effect on the picture: a code may have as much variance in units that
            hardly show as in those that make the picture.
    """
    shown = np.sort(by_hash(images, test)[:ON_MAP])
    if min(mu.shape) < 2 or not mu.var(axis=0).sum():
        xy, explained = np.zeros((len(shown), 2)), np.array([1.0, 0.0])
        xy[:, 0] = mu[shown, 0]
    else:
        pca = PCA(2, random_state=0).fit(mu)
        xy, explained = pca.transform(mu[shown]), pca.explained_variance_ratio_
    pixels = images.pixels[test[shown]]
    block = max(1, math.isqrt(math.prod(pixels.shape[1:3])) // THUMB)
    return {
        "map_xy": xy,
        "map_explained": explained,
        "map_rows": test[shown],
        "map_thumbs": shrunk(pixels, block),
    }
