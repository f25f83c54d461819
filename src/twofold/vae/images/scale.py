"""From stored values to levels 0 to 255: the one scale of a set of images deeper than 8 bits, given or found."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from twofold.vae.images.items import Damage

Range = tuple[float, float]
"""The values that become black (0) and white (255)."""
BYTE = 0.0, 255.0
MASK = 0.0, 1.0
_LARGEST = 1e30
_AT_ONCE = 2**20  # values
_DIGITS = 6


class Extent(NamedTuple):
    """Lowest and highest of some stored values, and whether all of them are whole numbers."""

    low: float
    high: float
    whole: bool

    @property
    def shares(self) -> bool:
        """Whether all lie in [0, 1]."""
        return self.low >= 0 and self.high <= 1


def extent(values: np.ndarray) -> Extent:
    """The extent of an image's stored values.

    Raises:
        Damage: when one is not finite, or so large that it must stand for something else.
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise Damage("values that are not finite")
    if max(-low, high) > _LARGEST:
        raise Damage(f"values beyond {_LARGEST:g}, which may mark missing ones")
    return Extent(low, high, values.dtype.kind in "iub" or bool((values == np.rint(values)).all()))


def joined(one: Extent | None, other: Extent | None) -> Extent | None:
    """The extent of the values of both."""
    if one is None or other is None:
        return one or other
    return Extent(min(one.low, other.low), max(one.high, other.high), one.whole and other.whole)


def found_range(found: Extent) -> Range:
    """The scale of values whose range is not known.

    Whole numbers from 0 on: 0 to 1 where there are no others (masks), else 0 to the smallest 2^k - 1 from 255 on that
    holds them, as a camera of k bits counts. Others: the lowest to the highest, outwards at their sixth digit.

    Example:
        >>> found_range(Extent(96, 3600, True)), found_range(Extent(-1000, 2976.123, False))
        ((0.0, 4095.0), (-1000.0, 2976.13))
    """
    low, high, whole = found
    if whole and low >= 0:
        return MASK if high == 1 else (0.0, float(2 ** max(8, int(high).bit_length()) - 1))
    low, high = (
        float(Context(_DIGITS, rounding).plus(Decimal(value)))
        for value, rounding in ((low, ROUND_FLOOR), (high, ROUND_CEILING))
    )
    return (low, high) if low < high else (min(low, 0.0), max(high, 0.0))


def assumed_range(values: np.ndarray) -> Range:
    """The scale of an image that stands alone: 16 bits and floats up to 1 have one of their own."""
    found = extent(values)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return 0.0, 65535.0
    return (0.0, 1.0) if values.dtype.kind == "f" and found.shares else found_range(found)


def to_levels(values: np.ndarray, scale: Range) -> tuple[UInt8[np.ndarray, "..."], int]:
    """The nearest levels, and how many values lie outside the scale and were clipped."""
    (low, high), outside, levels = scale, 0, np.empty(values.shape, np.uint8)
    # By blocks of rows: all at once in float64, a large image of 16 bits would take gigabytes.
    rows = max(1, _AT_ONCE * len(values) // max(values.size, 1))
    for first in range(0, len(values), rows):
        part = values[first : first + rows].astype(np.float64)
        outside += int(((part < low) | (part > high)).sum())
        levels[first : first + rows] = np.rint(((part - low) * 255.0 / (high - low)).clip(0.0, 255.0))
    return levels, outside


def concerns_bytes(scale: Range | None) -> bool:
    """Whether a scale changes 8-bit images: those of deeper images, which reach further, leave them as they are."""
    return scale is not None and scale[1] <= BYTE[1] and scale != BYTE
