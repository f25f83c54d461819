"""Which images train, validate and test: a hash of the pixels alone decides on each.

So adding files moves none of the others to another part, and images with the same pixels are always in the same part.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from twofold.engine.errors import InputError
from twofold.vae.config import SplitConfig

_SALT = b"twofold split"


@dataclass(frozen=True)
class Split:
    """Rows of the images, ascending, disjoint, together all.

    Attributes:
        train: what the weights are fitted on.
        validation: what stops the training.
        test: what is scored.
    """

    train: Int64[np.ndarray, " train"]
    validation: Int64[np.ndarray, " validation"]
    test: Int64[np.ndarray, " test"]


def split_images(hashes: UInt8[np.ndarray, "n 16"], config: SplitConfig) -> Split:
    """Divides the images.

    Args:
        hashes: one an image; see `images.Images`.
        config: expected shares of the parts.

    Returns:
        The split; the shares it has are near to those expected, the nearer the more images there are.

    Raises:
        InputError: when a part is empty.
    """
    u = _uniform(hashes)
    held_out = config.test_fraction + config.validation_fraction
    test, validation = u < config.test_fraction, (u >= config.test_fraction) & (u < held_out)
    split = Split(np.flatnonzero(u >= held_out), np.flatnonzero(validation), np.flatnonzero(test))
    for part, rows in vars(split).items():
        if not len(rows):
            raise InputError(
                f"the {part} part of the split is empty: there are {len(hashes)} images, "
                f"{len(np.unique(hashes, axis=0))} of them different; give more images, or raise "
                "--split.validation-fraction or --split.test-fraction"
            )
    return split


def _uniform(hashes: UInt8[np.ndarray, "n 16"]) -> Float64[np.ndarray, " n"]:
    """A number in [0, 1] for each hash; salted, since the hash itself may have served to choose or sort the files."""
    digests = b"".join(hashlib.blake2b(_SALT + row.tobytes()).digest()[:8] for row in hashes)
    return np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2**64
