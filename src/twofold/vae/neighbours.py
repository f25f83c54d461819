"""The nearest of the known images to each of some others, such as training images to samples."""

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

AT_ONCE = 1024
"""Most images on each side that are compared at a time."""
_VALUES = 2**24
"""Most values of pixels on each side that are compared at a time: 64 MB in float32."""


def nearest(
    queries: UInt8[np.ndarray, "n h w c"],
    pixels: UInt8[np.ndarray, "m h w c"],
    rows: Int64[np.ndarray, " known"],
) -> tuple[Int64[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """The nearest of `pixels[rows]` to each query: its row and its distance.

    The distance is the root of the mean squared difference of pixels in [0, 1]: 0 for the same image, at most 1. Both
    sides may be larger than memory.

    Args:
        rows: rows of `pixels` that may be found, at least one.

    Example:
        >>> images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
        >>> nearest(images[:1], images, np.array([1, 2]))
        (array([1]), array([0.2], dtype=float32))
    """
    at_once = max(1, min(AT_ONCE, _VALUES // queries[0].size)) if len(queries) else 1
    found = np.zeros(len(queries), np.int64)
    distance = np.zeros(len(queries), np.float32)
    for start in range(0, len(queries), at_once):
        part = slice(start, start + at_once)
        some = _flat(queries[part])
        squares = (some**2).sum(axis=1)
        best = np.full(len(some), np.inf, np.float32)
        for first in range(0, len(rows), at_once):
            block = rows[first : first + at_once]
            known = _flat(pixels[block])
            squared = squares[:, None] - 2 * some @ known.T + (known**2).sum(axis=1)
            closest = squared.argmin(axis=1)
            value = squared[np.arange(len(some)), closest]
            closer = value < best
            best[closer], found[part][closer] = value[closer], block[closest[closer]]
        distance[part] = np.sqrt(np.maximum(best, 0) / some.shape[1])
    return found, distance


def closest(
    query: UInt8[np.ndarray, "h w c"],
    pixels: UInt8[np.ndarray, "m h w c"],
    rows: Int64[np.ndarray, " known"],
    number: int,
) -> tuple[Int64[np.ndarray, " found"], Float64[np.ndarray, " found"]]:
    """The `number` of `pixels[rows]` that are closest to one image, the closest first: their rows and distances.

    Distances are those of `nearest`, formed from differences: exactly 0 for the same image.

    Example:
        >>> images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
        >>> closest(images[0], images, np.array([0, 1, 2]), 2)
        (array([0, 1]), array([0. , 0.2]))
    """
    at_once = max(1, min(AT_ONCE, _VALUES // query.size))
    squared = np.empty(len(rows))
    for first in range(0, len(rows), at_once):
        part = slice(first, first + at_once)
        gaps = (pixels[rows[part]] - query.astype(np.float32)).reshape(-1, query.size)
        squared[part] = np.einsum("ij,ij->i", gaps, gaps)
    order = np.argsort(squared, kind="stable")[:number]
    return rows[order], np.sqrt(squared[order] / query.size) / 255


def _flat(pixels: UInt8[np.ndarray, "n h w c"]) -> Float32[np.ndarray, "n values"]:
    return pixels.reshape(len(pixels), -1).astype(np.float32) / 255
