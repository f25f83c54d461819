"""The embedded data set: drawn faces with eight known attributes; no real person is shown.

The drawings are composed by python_avatars and rendered by resvg, without system fonts or libraries, so that equal
attributes give equal bytes. Options that would hide another attribute are left out: hats, hair over the eyes or the
clothes, hair with a fixed colour, dark glasses, beards.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import python_avatars as pa
import resvg_py
from jaxtyping import UInt8
from PIL import Image

from twofold.engine.files import table, write_parquet
from twofold.engine.seed import numpy_generator
from twofold.vae.config import ImageConfig
from twofold.vae.images.cache import entry
from twofold.vae.images.decode import Batch, batch_of
from twofold.vae.images.items import fingerprint
from twofold.vae.images.load import FORMAT, LAYOUT, Images, read_images, write_images

# python_avatars registers SVG as the default namespace of all XML that this process writes; pygal, which writes its own
# declaration, would then declare it twice (the world map of the trend study).
ElementTree.register_namespace("svg", "http://www.w3.org/2000/svg")

# fmt: off
FACTORS: dict[str, dict[str, Any]] = {
    "skin": {
        "pale": pa.SkinColor.PALE, "light": pa.SkinColor.LIGHT, "yellow": pa.SkinColor.YELLOW,
        "tanned": pa.SkinColor.TANNED, "brown": pa.SkinColor.BROWN, "dark brown": pa.SkinColor.DARK_BROWN,
        "black": pa.SkinColor.BLACK,
    },
    "hair": {
        "bob": pa.HairType.BOB, "fringe": pa.HairType.MIA_WALLACE, "long": pa.HairType.LONG_NOT_TOO_LONG,
        "straight": pa.HairType.STRAIGHT_STRAND, "curls": pa.HairType.CURLY, "spikes": pa.HairType.SHORT_DREADS_2,
        "bunches": pa.HairType.DREADLOCKS, "braids": pa.HairType.TWIST_LONG_HAIR, "cornrows": pa.HairType.CORNROWS,
        "short flat": pa.HairType.SHORT_FLAT, "short round": pa.HairType.SHORT_ROUND,
        "short curly": pa.HairType.SHORT_CURLY, "short waved": pa.HairType.SHORT_WAVED,
        "short dreads": pa.HairType.SHORT_DREADS_1, "tuft": pa.HairType.FRIZZLE, "cropped": pa.HairType.CAESAR,
    },
    "hair_colour": {
        "black": pa.HairColor.BLACK, "dark brown": pa.HairColor.BROWN_DARK, "brown": pa.HairColor.BROWN,
        "auburn": pa.HairColor.AUBURN, "red": pa.HairColor.RED, "blonde": pa.HairColor.BLONDE,
        "golden": pa.HairColor.BLONDE_GOLDEN, "platinum": pa.HairColor.PLATINUM, "silver": pa.HairColor.SILVER_GRAY,
        "pink": pa.HairColor.PASTEL_PINK,
    },
    "eyes": {
        "plain": pa.EyeType.DEFAULT, "closed": pa.EyeType.CLOSED, "crying": pa.EyeType.CRY,
        "rolling": pa.EyeType.EYE_ROLL, "happy": pa.EyeType.HAPPY, "hearts": pa.EyeType.HEART,
        "sideways": pa.EyeType.SIDE, "squinting": pa.EyeType.SQUINT, "wide": pa.EyeType.SURPRISED,
        "winking": pa.EyeType.WINK, "winking wide": pa.EyeType.WINK_WACKY, "crossed out": pa.EyeType.X_DIZZY,
    },
    "brows": {
        "plain": pa.EyebrowType.DEFAULT_NATURAL, "angry": pa.EyebrowType.ANGRY_NATURAL,
        "flat": pa.EyebrowType.FLAT_NATURAL, "frowning": pa.EyebrowType.FROWN_NATURAL,
        "raised": pa.EyebrowType.RAISED_EXCITED_NATURAL, "sad": pa.EyebrowType.SAD_CONCERNED_NATURAL,
        "joined": pa.EyebrowType.UNIBROW_NATURAL, "uneven": pa.EyebrowType.UP_DOWN_NATURAL,
    },
    "mouth": {
        "open": pa.MouthType.DEFAULT, "smiling": pa.MouthType.SMILE, "slightly smiling": pa.MouthType.TWINKLE,
        "laughing": pa.MouthType.BIG_SMILE, "serious": pa.MouthType.SERIOUS, "sad": pa.MouthType.SAD,
        "doubting": pa.MouthType.DISBELIEF, "concerned": pa.MouthType.CONCERNED,
        "screaming": pa.MouthType.SCREAM_OPEN, "teeth": pa.MouthType.GRIMACE, "tongue": pa.MouthType.TONGUE,
        "eating": pa.MouthType.EATING,
    },
    "accessory": {
        "none": pa.AccessoryType.NONE, "light frames": pa.AccessoryType.PRESCRIPTION_1,
        "dark frames": pa.AccessoryType.PRESCRIPTION_2, "round frames": pa.AccessoryType.ROUND,
    },
    "clothing_colour": {
        "black": pa.ClothingColor.BLACK, "grey": pa.ClothingColor.GRAY_02, "navy": pa.ClothingColor.BLUE_03,
        "blue": pa.ClothingColor.BLUE_02, "sky blue": pa.ClothingColor.BLUE_01,
        "pale blue": pa.ClothingColor.PASTEL_BLUE, "pale green": pa.ClothingColor.PASTEL_GREEN,
        "pale yellow": pa.ClothingColor.PASTEL_YELLOW, "pink": pa.ClothingColor.PINK, "red": pa.ClothingColor.RED,
    },
}
# fmt: on
"""Attribute -> name of an option -> the drawing library's option."""

_WINDOW = (28.7, 18.0, 206.6, 206.6)
"""Left, top, width and height of the visible part of a drawing of 264 x 280 units: a square of 72/92 of its width with
the face in its middle, all hair except some tips, and the shoulders."""
_ASPECTS = {"crop": "xMidYMid slice", "pad": "xMidYMid meet", "stretch": "none"}
"""SVG's words for what `image.fit` asks."""
_AT_ONCE = 64


def load_avatars(
    config: ImageConfig, *, cache: Path, progress: Callable[[int, int], None] | None = None
) -> tuple[Images, pl.DataFrame]:
    """The avatars of a config, rendered now or read from the cache, and a table of their attributes.

    Returns:
        The images, as `load_images` returns them, and one row per image: `name` and the eight attributes.
    """
    options = {factor: {word: option.name for word, option in words.items()} for factor, words in FACTORS.items()}
    # One drawing represents all that is fixed: window, clothes, and the library's own files.
    fixed = _drawing({factor: next(iter(words)) for factor, words in FACTORS.items()}, config)
    made_by = pa.__version__, resvg_py.__resvg_version__
    config = config.model_copy(update={"channels": config.channels or 3})
    key = fingerprint(["avatars", FORMAT, LAYOUT, config.model_dump(), made_by, options, fixed])

    def build(aside: Path) -> None:
        drawn = draw(config.avatar_seed, config.avatars)
        names = [f"avatar-{index:05}" for index in range(len(drawn))]

        def batches() -> Iterator[Batch]:
            for start in range(0, len(drawn), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                pixels = [render(each, config) for each in drawn[part]]
                yield batch_of(names[part], np.stack(pixels))
                if progress:
                    progress(min(start + _AT_ONCE, len(drawn)), len(drawn))

        write_images(aside, batches(), config)
        write_parquet(aside / "labels.parquet", pl.DataFrame({"name": names}).hstack(pl.DataFrame(drawn)))

    folder = entry(cache, key, build)
    return read_images(folder, "avatars", config), table(folder, "labels.parquet")


def draw(seed: int, count: int) -> list[dict[str, str]]:
    """Attributes drawn independently and uniformly; those of an avatar do not depend on `count`."""
    chances = numpy_generator(seed, "avatars").random((count, len(FACTORS)))
    options = [list(words) for words in FACTORS.values()]
    return [
        {factor: words[int(chance * len(words))] for factor, words, chance in zip(FACTORS, options, row, strict=True)}
        for row in chances
    ]


def render(attributes: Mapping[str, str], config: ImageConfig) -> UInt8[np.ndarray, "h w channels"]:
    """Pixels of one avatar on white, grey (1 channel) or RGB (3).

    Raises:
        KeyError: when a factor is missing or has no such option.
    """
    png = resvg_py.svg_to_bytes(svg_string=_drawing(attributes, config), background="white", skip_system_fonts=True)
    with Image.open(io.BytesIO(png)) as picture:
        pixels = np.asarray(picture.convert("L" if config.channels == 1 else "RGB"))
    return pixels.reshape(config.height, config.width, config.channels)


def _drawing(attributes: Mapping[str, str], config: ImageConfig) -> str:
    """The avatar as SVG, clipped to the window, so that it is rendered at its final size and never resized."""
    chosen = {factor: words[attributes[factor]] for factor, words in FACTORS.items()}
    avatar = pa.Avatar(
        style=pa.AvatarStyle.TRANSPARENT,
        skin_color=chosen["skin"],
        top=chosen["hair"],
        hair_color=chosen["hair_colour"],
        eyes=chosen["eyes"],
        eyebrows=chosen["brows"],
        mouth=chosen["mouth"],
        accessory=chosen["accessory"],
        clothing_color=chosen["clothing_colour"],
        clothing=pa.ClothingType.SHIRT_CREW_NECK,
        facial_hair=pa.FacialHairType.NONE,
        nose=pa.NoseType.DEFAULT,
    )
    root = ElementTree.fromstring(avatar.render())
    root.attrib |= {"width": str(config.width), "height": str(config.height), "viewBox": " ".join(map(str, _WINDOW))}
    if config.width != config.height:
        root.attrib["preserveAspectRatio"] = _ASPECTS[config.fit]
    return ElementTree.tostring(root, encoding="unicode")
