"""What a reader should be told of a set of images: how it was read, and what looks like a mistake."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from twofold.vae.config import LEAST_SIDE, MOST_SIDE, ImageConfig
from twofold.vae.images.load import Images, own_parts
from twofold.vae.images.scale import BYTE, MASK, Range, concerns_bytes, joined
from twofold.vae.images.seen import Seen

DARK = 16
"""Images are called dark where 99 % of their pixels lie below this level."""
BRIGHT_ENOUGH = 128
"""But not where a thousandth of them reach this level: stars on a night sky."""
NARROW = 32
"""Images are called flat where 99.8 % of their pixels lie within fewer levels than this."""
FEW_LEVELS = 16
ENLARGED = 1.5
"""Factor by which images may be enlarged without a word where no smaller size is allowed."""
CROPPED = 1 / 3
"""Mean share of an image's pixels that may be cropped away without a word."""
_SHOWN = 3
_TAIL = 0.001


@dataclass(frozen=True)
class Remark:
    """A sentence on a set of images, and the option that changes what it says.

    Attributes:
        text: what was found.
        option: what to give, such as ("--image.range", "0", "255"); empty: nothing.
        why: what the option does.
        proposed: whether what was found is probably a mistake, which the option mends.
    """

    text: str
    option: tuple[str, ...] = ()
    why: str = ""
    proposed: bool = False

    def sentence(self, options: Sequence[str] | None = None) -> str:
        """The text, with the option where the command has it.

        Args:
            options: names of the command's options; None: it has all.
        """
        if not self.option or (options is not None and self.option[0] not in options):
            return self.text
        return f"{self.text}; {' '.join(self.option)} {self.why}"


def remarks(images: Images, given: ImageConfig) -> list[Remark]:
    """How the images were read, and what looks odd about them.

    Args:
        images: as read.
        given: the settings that were asked for; those of `images.config` also hold what was found.
    """
    return [*reading_remarks(images, given), *fitting_remarks(images, given)]


def reading_remarks(images: Images, given: ImageConfig) -> list[Remark]:
    """How stored values became levels, and what of the source was not read."""
    seen = images.seen
    return [*_arrays(images, given), *_scale(seen, images.config.range, given.range), *_pages(seen), *_levels(images)]


def fitting_remarks(images: Images, given: ImageConfig) -> list[Remark]:
    """What the size, the channels and the fit do to the images; and parts that the set has of its own."""
    seen, config, found = images.seen, images.config, []
    if config.channels == 3 and not seen.coloured:
        why = "trains on one channel instead of three"
        found.append(
            Remark("all images are grey: their three channels are equal", ("--image.channels", "1"), why, True)
        )
    if given.channels == 0:
        found.append(Remark(f"--image.channels auto: {'grey' if config.channels == 1 else 'RGB'}"))
    if seen.cropped > CROPPED:
        text = f"{seen.cropped:.0%} of an image's pixels are cropped away on average".replace("%", " %", 1)
        shape = _own_shape(seen, config)
        option, why = (
            (("--fit", "pad"), "keeps them and fills up with white") if shape is None else (shape, "keeps them")
        )
        found.append(Remark(text, option, why, True))
    elif seen.enlarged == sum(seen.kinds.values()) > 0:
        width, height, _ = seen.sizes[0]
        text = (
            f"all images are smaller than {config.height} x {config.width} (most {height} x {width}) and were enlarged"
        )
        sides = [max(LEAST_SIDE, round(side / seen.zoom)) for side in (config.height, config.width)]
        if sides != [config.height, config.width]:
            found.append(Remark(text, _size(*sides), "invents no pixels", True))
        elif seen.zoom >= ENLARGED:
            found.append(Remark(text))
    parts = {part for part, _ in own_parts(images.names)}
    if images.choice is None and None not in parts and {"train", "test"} <= parts:
        found.append(
            Remark("the folders train and test look like the set's own", ("--split.own",), "keeps these parts")
        )
    return found


def _arrays(images: Images, given: ImageConfig) -> list[Remark]:
    choice = images.choice
    if choice is None:
        return []
    names = ", ".join(f"{name} ({part})" if part else name for part, name in choice.images.items())
    labels = f", its labels from {', '.join(choice.labels.values())}" if choice.labels else ""
    others = ", ".join(f"{name} {shape}" for name, shape in choice.others.items())
    found = []
    if choice.others or choice.labels:
        text = f"{images.source}: the images are the array{'s' if len(choice.images) > 1 else ''} {names}{labels}" + (
            f"; not read: {others}" if others else ""
        )
        likely = [name for name, shape in choice.others.items() if len(shape) > 2]
        option = ("--image.key", likely[0]) if likely and "" in choice.images and not given.key else ()
        found.append(Remark(text, option, "reads another array"))
    if choice.own:
        text = f"{choice.own} looks like the set's own test images"
        found.append(Remark(text, ("--split.own",), "takes them for the test"))
    return found


def _scale(seen: Seen, scale: Range | None, given: Range | None) -> list[Remark]:
    found, deep = [], joined(seen.whole, seen.real)
    images = sum(seen.kinds.values())
    if scale is not None and scale != given:
        shown = f"{scale[0]:g} is black and {scale[1]:g} white"
        if deep is None:
            text = f"no pixel holds another value than 0 and 1: {shown}"
            found.append(Remark(text, ("--image.range", "0", "255"), "takes them as levels of 255"))
        else:
            few = f"{images - seen.eight:,} of {images:,} images" if seen.eight else "the images"
            option = ("--image.range", f"{scale[0]:g}", f"{scale[1]:g}")
            text = f"{few} hold values of {deep.low:g} to {deep.high:g}: {shown}"
            found.append(Remark(text, option, "keeps this scale whatever is added"))
    if deep and seen.eight and scale is not None and not concerns_bytes(scale):
        found.append(Remark(f"{seen.eight:,} images of 8 bits or fewer keep their levels of 0 to 255"))
    if seen.clipped:
        assert scale is not None
        text = (
            f"{seen.clipped:,} values in {seen.clipped_images:,} images lie outside the scale of {scale[0]:g} to "
            f"{scale[1]:g} and were clipped"
        )
        found.append(Remark(text))
    return found


def _pages(seen: Seen) -> list[Remark]:
    if not seen.unread:
        return []
    count = sum(pages for _, pages in seen.unread)
    some = ", ".join(f"{name}: {pages:,}" for name, pages in seen.unread[:_SHOWN])
    more = f" and {len(seen.unread) - _SHOWN:,} more files" if len(seen.unread) > _SHOWN else ""
    text = f"{count:,} more page{'s' if count > 1 else ''} not read ({some}{more})"
    return [Remark(text, ("--image.pages",), "takes each page as an image", True)]


def _levels(images: Images) -> list[Remark]:
    """Whether the pixels use but a small part of the levels."""
    seen, scale = images.seen, images.config.range
    used = [level for level, count in enumerate(seen.levels) if count]
    if not used:
        return []
    of = f" of the {seen.looked_at:,} images looked at" if seen.looked_at < len(images.names) else ""
    if len(used) == 1:
        return [Remark(f"all pixels{of} have the level {used[0]} of 255")]
    few = len(used) <= FEW_LEVELS
    lowest, low, typical, high = (_quantile(seen.levels, share) for share in (0.0, _TAIL, 0.99, 1 - _TAIL))
    if few and used[-1] < BRIGHT_ENOUGH:
        text = f"the pixels{of} have {len(used)} levels only, {used[0]} to {used[-1]} of 255"
        ends, why = (used[0], used[-1]), "spreads them from black to white"
    elif typical < DARK and high < BRIGHT_ENOUGH:
        text = f"99 % of pixels{of} lie below level {typical + 1} of 255"
        ends, why = (lowest, high), "makes the brightest 0.1 % white"
    elif high - low < NARROW and not few:
        text = f"99.8 % of pixels{of} lie in the levels {low} to {high} of 255"
        ends, why = (low, high), "spreads them from black to white"
    elif few and (used != [0, 255] or scale != MASK):
        text = f"the pixels{of} have {len(used)} levels only: {', '.join(map(str, used))} of 255"
        ends, why = None, ""
    else:
        return []
    return [Remark(text, _stretched(images, *ends) if ends else (), why, ends is not None)]


def _quantile(levels: Sequence[int], share: float) -> int:
    """The lowest level that more than a share of the pixels don't exceed."""
    total = sum(levels)
    return next(level for level, count in enumerate(accumulate(levels)) if count > share * total)


def _stretched(images: Images, low: int, high: int) -> tuple[str, ...]:
    """The option that makes the values of two levels black and white."""
    seen, scale = images.seen, images.config.range
    deep = joined(seen.whole, seen.real)
    if deep and deep.shares and scale is None:
        black, white = MASK
    else:
        black, white = scale or BYTE
    step = (white - black) / 255
    ends = [black + low * step, black + max(high, low + 1) * step]
    return "--image.range", *(f"{value:.6g}" for value in ends)


def _own_shape(seen: Seen, config: ImageConfig) -> tuple[str, ...] | None:
    """The option for the shape that all images have, with no more pixels than now; None where it is not allowed."""
    width, height, _ = seen.sizes[0]
    scale = min(1.0, MOST_SIDE / max(width, height), math.sqrt(config.width * config.height / (width * height)))
    sides = round(height * scale), round(width * scale)
    return _size(*sides) if seen.different_sizes == 1 and min(sides) >= LEAST_SIDE else None


def _size(height: int, width: int) -> tuple[str, ...]:
    return "--image.size", *map(str, (height,) if height == width else (height, width))
