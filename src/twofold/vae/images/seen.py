"""What was seen of a set of images while it was read: formats, sizes, depths, levels, what fitting did to them."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from twofold.engine.errors import DataError
from twofold.vae.config import ImageConfig
from twofold.vae.images.decode import Batch, Facts
from twofold.vae.images.scale import BYTE, MASK, Extent, Range, found_range, joined

LOOKED_AT = 1000
"""Images at most whose levels are counted, evenly spread."""
_SIZES = 5


@dataclass(frozen=True)
class Seen:
    """Facts on a set of images.

    Attributes:
        kinds: images of each format and depth, the commonest first.
        sizes: width, height and number of the commonest sizes.
        different_sizes: number of different sizes.
        zoom: factor by which the image that is enlarged least (or shrunk most) changes its size.
        enlarged: images that were enlarged.
        cropped: mean share of an image's pixels that was cropped away.
        unread: files with pages that were not read, and how many of each.
        eight: images of at most 8 bits.
        whole: extent of the integers of more than 8 bits.
        real: extent of the floats.
        clipped: stored values outside the scale.
        clipped_images: images that hold them.
        coloured: whether the channels of some image differ.
        top: highest level of all pixels.
        levels: number of pixels of each level.
        looked_at: images that these were counted on.
    """

    kinds: dict[str, int]
    sizes: tuple[tuple[int, int, int], ...]
    different_sizes: int
    zoom: float
    enlarged: int
    cropped: float
    unread: tuple[tuple[str, int], ...]
    eight: int
    whole: Extent | None
    real: Extent | None
    clipped: int
    clipped_images: int
    coloured: bool
    top: int
    levels: tuple[int, ...] = ()
    looked_at: int = 0

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Seen":
        """The facts that `as_json` gave, after they were JSON."""
        extents = {name: found[name] and Extent(*found[name]) for name in ("whole", "real")}
        rows = {name: tuple(map(tuple, found[name])) for name in ("sizes", "unread")}
        return cls(**{**found, **extents, **rows, "levels": tuple(found["levels"])})


class Watch:
    """Collects the facts, batch by batch in any order."""

    def __init__(self, config: ImageConfig) -> None:
        self.config = config
        self.kinds: Counter[str] = Counter()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.unread: list[tuple[str, int]] = []
        self.whole: Extent | None = None
        self.real: Extent | None = None
        self.eight = self.clipped = self.clipped_images = self.top = 0
        self.coloured = False

    def add(self, batch: Batch) -> None:
        """Takes a batch into account."""
        for name, facts in zip(batch.names, batch.facts, strict=bool(batch.facts)):
            self._add(name, facts)
        if len(batch.pixels):
            self.top = max(self.top, int(batch.pixels.max()))
        if self.config.channels == 3 and not self.coloured:
            self.coloured = any((image[..., :1] != image[..., 1:]).any() for image in batch.pixels)

    def _add(self, name: str, facts: Facts) -> None:
        self.kinds[facts.kind] += 1
        self.sizes[facts.width, facts.height] += 1
        self.eight += facts.whole is facts.real is None
        self.whole, self.real = joined(self.whole, facts.whole), joined(self.real, facts.real)
        self.clipped += facts.clipped
        self.clipped_images += facts.clipped > 0
        if facts.unread:
            self.unread.append((name, facts.unread))

    def found(self, pixels: UInt8[np.ndarray, "n h w c"]) -> Seen:
        """The facts, and the levels of all pixels written."""
        fit, number = self.config.fit, sum(self.sizes.values())
        zooms = {size: _zoom(*size, self.config) for size in self.sizes}
        shares = {size: _share(*size, self.config) for size in self.sizes}
        whole = sum(n * shares[size] for size, n in self.sizes.items()) / number if number else 1.0
        ordered = sorted(self.sizes.items(), key=lambda pair: (-pair[1], pair[0]))
        some = np.unique(np.linspace(0, len(pixels) - 1, min(LOOKED_AT, len(pixels))).astype(int))
        levels = sum((np.bincount(pixels[row].ravel(), minlength=256) for row in some), np.zeros(256, dtype=np.int64))
        if fit == "pad":  # padding is no pixel of the images
            levels[255] = max(0, levels[255] - round((1 - whole) * levels.sum()))
        return Seen(
            kinds=dict(sorted(self.kinds.items(), key=lambda pair: (-pair[1], pair[0]))),
            sizes=tuple((w, h, n) for (w, h), n in ordered[:_SIZES]),
            different_sizes=len(self.sizes),
            zoom=min(zooms.values(), default=1.0),
            enlarged=sum(n for size, n in self.sizes.items() if zooms[size] > 1),
            cropped=1 - whole if fit == "crop" else 0.0,
            unread=tuple(sorted(self.unread)),
            eight=self.eight,
            whole=self.whole,
            real=self.real,
            clipped=self.clipped,
            clipped_images=self.clipped_images,
            coloured=self.coloured,
            top=self.top,
            levels=tuple(levels.tolist()),
            looked_at=len(some),
        )


def _zoom(width: int, height: int, config: ImageConfig) -> float:
    """The factor by which an image changes its size; of one that is stretched the smaller one."""
    factors = config.width / width, config.height / height
    return max(factors) if config.fit == "crop" else min(factors)


def _share(width: int, height: int, config: ImageConfig) -> float:
    """The share of an image that a crop keeps, or of the padded one that it fills."""
    factors = config.width / width, config.height / height
    return min(factors) / max(factors)


def wanted_range(seen: Seen, where: str) -> Range | None:
    """The scale that the images need and don't have, where they are deeper than 8 bits; None: they have one.

    Raises:
        DataError: when no scale holds for all of them.
    """
    if seen.real and seen.real.shares:
        if seen.whole:
            low, high = found_range(seen.whole)
            raise DataError(
                f"{where}: holds floats in [0, 1] and integers of {seen.whole.low:g} to {seen.whole.high:g}, for which "
                f"no one scale is found; give one with --image.range {low:g} {high:g}, or read them from two folders"
            )
        return None
    found = joined(seen.whole, seen.real)
    if found is None:
        return None
    low, high = found_range(found)
    return (min(low, 0.0), BYTE[1]) if seen.eight and high <= BYTE[1] else (low, high)


def may_be_masks(seen: Seen) -> bool:
    """Whether all images have 8 bits, and after fitting no level above 1."""
    return seen.eight == sum(seen.kinds.values()) > 0 and seen.top <= MASK[1]
