"""What the same images cost in the lossless formats that anyone would use: PNG and WebP."""

import io
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

CODECS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "optimize": True},
    # Method 6 takes 25 times as long; its files were 1.4 % larger on faces and 0.3 % smaller on avatars.
    "webp": {"format": "WEBP", "lossless": True, "quality": 100, "method": 4},
}
"""Pillow's options for each format's smallest files in reasonable time."""
MOST, LEAST = 2048, 64
"""Images that are encoded, at most and (where there are so many) at least."""
MAX_VALUES = 2**24
"""Pixels times channels that are encoded, where that leaves LEAST images; some 15 s at a few milliseconds an image."""


def at_most(values: int) -> int:
    """Number of images of so many values (pixels times channels) that are encoded.

    Example:
        >>> at_most(28 * 28), at_most(64 * 64 * 3), at_most(512 * 512 * 3)
        (2048, 1365, 64)
    """
    return min(MOST, max(LEAST, MAX_VALUES // values))


def codec_bits(pixels: UInt8[np.ndarray, "n h w c"]) -> dict[str, Float64[np.ndarray, " n"]]:
    """Bits per pixel and channel of each image as a file of its own, headers included, by format.

    Images of one channel are stored as grey.
    """
    values = pixels[0].size
    images = [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in pixels]
    return {
        name: np.array([8 * _size(image, options) / values for image in images]) for name, options in CODECS.items()
    }


def _size(image: Image.Image, options: dict[str, Any]) -> int:
    file = io.BytesIO()
    image.save(file, **options)
    return file.tell()
