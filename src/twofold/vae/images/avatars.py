"""The embedded default: drawn faces whose eight attributes are known. No face is of anyone.

The drawings are put together by python_avatars and made pixels by resvg, both without a system's fonts or libraries, so
that equal attributes give equal bytes. Left out are options that would hide another attribute: hats, hair over the eyes
or over the clothes, hair with a colour of its own, dark glasses, beards.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import python_avatars
import resvg_py
from jaxtyping import UInt8
from PIL import Image
from python_avatars import (
    AccessoryType,
    Avatar,
    AvatarStyle,
    ClothingColor,
    ClothingType,
    EyebrowType,
    EyeType,
    FacialHairType,
    HairColor,
    HairType,
    MouthType,
    NoseType,
    SkinColor,
)

from twofold.engine.files import write_parquet
from twofold.engine.seed import numpy_generator
from twofold.vae.config import ImageConfig
from twofold.vae.images.cache import entry
from twofold.vae.images.decode import Batch, batch_of
from twofold.vae.images.items import fingerprint
from twofold.vae.images.load import FORMAT, Images, read_images, write_images

# python_avatars makes SVG the nameless namespace of everything that this process will ever write as XML; pygal, which
# writes its own declaration, would then declare it twice (the world map of the trend study).
ElementTree.register_namespace("svg", "http://www.w3.org/2000/svg")

FACTORS: dict[str, dict[str, Any]] = {
    "skin": {
        "pale": SkinColor.PALE,
        "light": SkinColor.LIGHT,
        "yellow": SkinColor.YELLOW,
        "tanned": SkinColor.TANNED,
        "brown": SkinColor.BROWN,
        "dark brown": SkinColor.DARK_BROWN,
        "black": SkinColor.BLACK,
    },
    "hair": {
        "bob": HairType.BOB,
        "fringe": HairType.MIA_WALLACE,
        "long": HairType.LONG_NOT_TOO_LONG,
        "straight": HairType.STRAIGHT_STRAND,
        "curls": HairType.CURLY,
        "spikes": HairType.SHORT_DREADS_2,
        "bunches": HairType.DREADLOCKS,
        "braids": HairType.TWIST_LONG_HAIR,
        "cornrows": HairType.CORNROWS,
        "short flat": HairType.SHORT_FLAT,
        "short round": HairType.SHORT_ROUND,
        "short curly": HairType.SHORT_CURLY,
        "short waved": HairType.SHORT_WAVED,
        "short dreads": HairType.SHORT_DREADS_1,
        "tuft": HairType.FRIZZLE,
        "cropped": HairType.CAESAR,
    },
    "hair_colour": {
        "black": HairColor.BLACK,
        "dark brown": HairColor.BROWN_DARK,
        "brown": HairColor.BROWN,
        "auburn": HairColor.AUBURN,
        "red": HairColor.RED,
        "blonde": HairColor.BLONDE,
        "golden": HairColor.BLONDE_GOLDEN,
        "platinum": HairColor.PLATINUM,
        "silver": HairColor.SILVER_GRAY,
        "pink": HairColor.PASTEL_PINK,
    },
    "eyes": {
        "plain": EyeType.DEFAULT,
        "closed": EyeType.CLOSED,
        "crying": EyeType.CRY,
        "rolling": EyeType.EYE_ROLL,
        "happy": EyeType.HAPPY,
        "hearts": EyeType.HEART,
        "sideways": EyeType.SIDE,
        "squinting": EyeType.SQUINT,
        "wide": EyeType.SURPRISED,
        "winking": EyeType.WINK,
        "winking wide": EyeType.WINK_WACKY,
        "crossed out": EyeType.X_DIZZY,
    },
    "brows": {
        "plain": EyebrowType.DEFAULT_NATURAL,
        "angry": EyebrowType.ANGRY_NATURAL,
        "flat": EyebrowType.FLAT_NATURAL,
        "frowning": EyebrowType.FROWN_NATURAL,
        "raised": EyebrowType.RAISED_EXCITED_NATURAL,
        "sad": EyebrowType.SAD_CONCERNED_NATURAL,
        "joined": EyebrowType.UNIBROW_NATURAL,
        "uneven": EyebrowType.UP_DOWN_NATURAL,
    },
    "mouth": {
        "open": MouthType.DEFAULT,
        "smiling": MouthType.SMILE,
        "slightly smiling": MouthType.TWINKLE,
        "laughing": MouthType.BIG_SMILE,
        "serious": MouthType.SERIOUS,
        "sad": MouthType.SAD,
        "doubting": MouthType.DISBELIEF,
        "concerned": MouthType.CONCERNED,
        "screaming": MouthType.SCREAM_OPEN,
        "teeth": MouthType.GRIMACE,
        "tongue": MouthType.TONGUE,
        "eating": MouthType.EATING,
    },
    "accessory": {
        "none": AccessoryType.NONE,
        "light frames": AccessoryType.PRESCRIPTION_1,
        "dark frames": AccessoryType.PRESCRIPTION_2,
        "round frames": AccessoryType.ROUND,
    },
    "clothing_colour": {
        "black": ClothingColor.BLACK,
        "grey": ClothingColor.GRAY_02,
        "navy": ClothingColor.BLUE_03,
        "blue": ClothingColor.BLUE_02,
        "sky blue": ClothingColor.BLUE_01,
        "pale blue": ClothingColor.PASTEL_BLUE,
        "pale green": ClothingColor.PASTEL_GREEN,
        "pale yellow": ClothingColor.PASTEL_YELLOW,
        "pink": ClothingColor.PINK,
        "red": ClothingColor.RED,
    },
}
"""Attribute -> its options in plain words -> what the drawing library calls them."""

Attributes = Mapping[str, str]
"""One option of each factor."""

_WINDOW = (28.7, 18.0, 206.6, 206.6)
"""Left, top, width and height of what is shown of a drawing of 264 x 280 units: a square as wide as 72 of 92 parts of
it, with the face in its middle, all hair but some tips, and the shoulders."""
_AT_ONCE = 64


def load_avatars(
    config: ImageConfig, *, cache: Path, progress: Callable[[int, int], None] | None = None
) -> tuple[Images, pl.DataFrame]:
    """The avatars that a config asks for, rendered now or taken from the cache.

    Args:
        config: how many, their seed, size and channels.
        cache: folder that rendered avatars are kept in.
        progress: told, while rendering, how many are done, and of how many.

    Returns:
        The images, and a row for each in the same order: `name` and the eight attributes.

    Raises:
        InputError: when the cache can't be written.
    """
    options = {factor: {word: option.name for word, option in words.items()} for factor, words in FACTORS.items()}
    # One drawing stands for what is fixed: window, clothes, and the library's own files.
    fixed = _drawing({factor: next(iter(words)) for factor, words in FACTORS.items()}, config.size)
    made_by = python_avatars.__version__, resvg_py.__resvg_version__
    key = fingerprint(["avatars", FORMAT, config.model_dump(), made_by, options, fixed])
    folder = entry(cache, key, lambda aside: _build(aside, config, progress))
    return read_images(folder, "avatars"), pl.read_parquet(folder / "labels.parquet")


def _build(aside: Path, config: ImageConfig, progress: Callable[[int, int], None] | None) -> None:
    drawn = draw(config.avatar_seed, config.avatars)
    names = [f"avatar-{index:05}" for index in range(len(drawn))]
    write_images(aside, _batches(names, drawn, config, progress), config)
    write_parquet(aside / "labels.parquet", pl.DataFrame({"name": names}).hstack(pl.DataFrame(drawn)))


def _batches(
    names: list[str], drawn: list[dict[str, str]], config: ImageConfig, progress: Callable[[int, int], None] | None
) -> Iterator[Batch]:
    for start in range(0, len(drawn), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        yield batch_of(names[part], np.stack([render(each, config.size, config.channels) for each in drawn[part]]))
        if progress:
            progress(min(start + _AT_ONCE, len(drawn)), len(drawn))


def draw(seed: int, count: int) -> list[dict[str, str]]:
    """Attributes drawn independently and uniformly; those of an avatar do not depend on how many are asked for.

    Args:
        seed: equal seeds give equal avatars.
        count: how many.
    """
    chances = numpy_generator(seed, "avatars").random((count, len(FACTORS)))
    options = [list(words) for words in FACTORS.values()]
    return [
        {factor: words[int(chance * len(words))] for factor, words, chance in zip(FACTORS, options, row, strict=True)}
        for row in chances
    ]


def render(attributes: Attributes, size: int, channels: int) -> UInt8[np.ndarray, "size size channels"]:
    """Pixels of one avatar on white.

    Args:
        attributes: one option of each factor.
        size: height and width in pixels.
        channels: 1 (grey) or 3 (RGB).

    Raises:
        KeyError: when a factor is missing or has no such option.
    """
    png = resvg_py.svg_to_bytes(svg_string=_drawing(attributes, size), background="white", skip_system_fonts=True)
    with Image.open(io.BytesIO(png)) as picture:
        pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(size, size, channels)


def _drawing(attributes: Attributes, size: int) -> str:
    """The avatar as SVG that shows the window only, so that it is drawn at its final size and never resized."""
    chosen = {factor: words[attributes[factor]] for factor, words in FACTORS.items()}
    avatar = Avatar(
        style=AvatarStyle.TRANSPARENT,
        skin_color=chosen["skin"],
        top=chosen["hair"],
        hair_color=chosen["hair_colour"],
        eyes=chosen["eyes"],
        eyebrows=chosen["brows"],
        mouth=chosen["mouth"],
        accessory=chosen["accessory"],
        clothing_color=chosen["clothing_colour"],
        clothing=ClothingType.SHIRT_CREW_NECK,
        facial_hair=FacialHairType.NONE,
        nose=NoseType.DEFAULT,
    )
    root = ElementTree.fromstring(avatar.render())
    root.attrib |= {"width": str(size), "height": str(size), "viewBox": " ".join(map(str, _WINDOW))}
    return ElementTree.tostring(root, encoding="unicode")
