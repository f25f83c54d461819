"""The arrays that a run's report draws: images, codes and distances, computed once and kept in the run folder."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int64, UInt8
from sklearn.decomposition import PCA

from twofold.vae.images.load import Images, Split
from twofold.vae.latent import Autoencoder, to_pixels

SHEET, PAIRS, WAYS, STEPS, SAMPLES, NEAREST, YARDSTICK, ON_MAP, THUMB = 64, 32, 4, 11, 64, 16, 256, 2000, 16
TRAVERSED, VALUES = 10, np.linspace(-3.0, 3.0, 9)
TRAIN_AT_ONCE = 1024
"""Training images compared with at a time: some 50 MB at 64 x 64 x 3."""


def pictures(
    model: Autoencoder,
    images: Images,
    split: Split,
    mu: Float[np.ndarray, "test latent"],
    kl_units: Float[np.ndarray, " latent"],
) -> dict[str, np.ndarray]:
    """All that `arrays.npz` holds.

    Args:
        model: the trained network.
        images: all images.
        split: the parts.
        mu: posterior means of the test images, in the order of `split.test`.
        kl_units: mean KL of each unit on the test images, nats.
    """
    test = split.test[_by_hash(images, split.test)]
    real = images.pixels[test[:PAIRS]]
    prior = to_pixels(model.sample(SAMPLES, model.config.seed))
    units = np.argsort(-kl_units, kind="stable")[:TRAVERSED]
    return {
        "sheet": images.pixels[_by_hash(images, np.arange(len(images.pixels)))[:SHEET]],
        "real": real,
        "reconstruction": to_pixels(model.reconstruct(real)),
        "prior": prior,
        **_ways(model, images.pixels[test[: 2 * WAYS]]),
        "traverse": to_pixels(model.traverse(real[:1], units.tolist(), VALUES)),
        "traverse_units": units,
        "traverse_values": VALUES,
        **_nearest(images, split.train, prior[:NEAREST], images.pixels[test[:YARDSTICK]]),
        **_map(images, split.test, mu),
        "kl_units": kl_units,
        "variance_units": mu.var(axis=0),
    }


def _by_hash(images: Images, rows: Int64[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """An order of the rows that has nothing to do with their names, and stays when images are added."""
    return np.lexsort(images.hashes[rows].T[::-1])


def _ways(model: Autoencoder, chosen: UInt8[np.ndarray, "n h w c"]) -> dict[str, np.ndarray]:
    pairs = len(chosen) // 2
    start, end = chosen[: 2 * pairs : 2], chosen[1 : 2 * pairs : 2]
    ends = np.stack([start, end], axis=1)
    if not pairs:
        nothing = np.zeros((0, STEPS, *chosen.shape[1:]), np.uint8)
        return {"ends": ends, "linear": nothing, "spherical": nothing}
    return {
        "ends": ends,
        "linear": to_pixels(model.interpolate(start, end, STEPS, "linear")),
        "spherical": to_pixels(model.interpolate(start, end, STEPS, "spherical")),
    }


def _nearest(
    images: Images,
    train: Int64[np.ndarray, " train"],
    samples: UInt8[np.ndarray, "n h w c"],
    test: UInt8[np.ndarray, "m h w c"],
) -> dict[str, np.ndarray]:
    """The nearest training image of samples and, as a yardstick, how near test images have theirs."""
    asked = np.concatenate([samples, test]).reshape(len(samples) + len(test), -1).astype(np.float32) / 255
    squares = (asked**2).sum(axis=1)
    best, row = np.full(len(asked), np.inf, np.float32), np.zeros(len(asked), np.int64)
    for start in range(0, len(train), TRAIN_AT_ONCE):
        part = train[start : start + TRAIN_AT_ONCE]
        known = images.pixels[part].reshape(len(part), -1).astype(np.float32) / 255
        squared = squares[:, None] - 2 * asked @ known.T + (known**2).sum(axis=1)
        nearest = squared.argmin(axis=1)
        distance = squared[np.arange(len(asked)), nearest]
        closer = distance < best
        best[closer], row[closer] = distance[closer], part[nearest[closer]]
    distance = np.sqrt(np.maximum(best, 0) / asked.shape[1])
    return {
        "nearest": images.pixels[row[: len(samples)]],
        "nearest_distance": distance[: len(samples)],
        "test_distance": distance[len(samples) :],
    }


def _map(images: Images, test: Int64[np.ndarray, " test"], mu: Float[np.ndarray, "test latent"]) -> dict[str, Any]:
    """The posterior means on their two main directions, with thumbnails."""
    shown = np.sort(_by_hash(images, test)[:ON_MAP])
    if min(mu.shape) < 2 or not mu.var(axis=0).sum():
        flat = np.zeros((len(shown), 2))
        flat[:, 0] = mu[shown, 0]
        xy, explained = flat, np.array([1.0, 0.0])
    else:
        pca = PCA(2, random_state=0).fit(mu)
        xy, explained = pca.transform(mu[shown]), pca.explained_variance_ratio_
    pixels = images.pixels[test[shown]]
    block = pixels.shape[1] // THUMB
    thumbs = pixels.reshape(len(shown), THUMB, block, THUMB, block, -1).mean(axis=(2, 4))
    return {
        "map_xy": xy,
        "map_explained": explained,
        "map_rows": test[shown],
        "map_thumbs": np.rint(thumbs).astype(np.uint8),
    }
