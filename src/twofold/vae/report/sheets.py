"""Sheets of images on white paper, the same bytes each time, and their layout on a page.

`columns` is the number of images or pairs per row, of which the last may hold fewer; `scale` makes each pixel a square
of that side.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int64, UInt8
from PIL import Image, ImageColor, ImageDraw, ImageFont

from twofold.page.colours import LIGHT

if TYPE_CHECKING:
    from twofold.page.album import Album

Tiles = UInt8[np.ndarray, "n h w c"]
"""Images of one size; c is 1 (grey) or 3 (RGB)."""
Tile = UInt8[np.ndarray, "h w c"]
"""One image."""

GAP = 2
"""Pixels of paper between two images."""
WIDE_GAP = 10
"""Pixels of paper between two pairs."""
LINE = 16
"""Height of a line of text, in pixels."""
PAGE = 1112
"""Width of a report's text on a wide screen, in CSS pixels."""
SMALL = 64
"""Side of a square, in pixels, to about which smaller images are enlarged, by their number of pixels."""
_LETTERS = 12
"""Size of the letters, in pixels."""


def place(album: "Album", name: str, png: bytes) -> None:
    """Places a sheet in the album at its own size, but no wider than the page."""
    from twofold.page.album import size  # which imports matplotlib, and no other sheet needs it

    album.place(name, png, scale=min(1.0, PAGE / size(png)[0]))


@dataclass(frozen=True)
class Layout:
    """Layout of a sheet that fits the page; images after the first `shown` are left out."""

    shown: int
    columns: int
    scale: int


def layout(images: Tiles, beside: int = 1, above: int = 1, gap: int = GAP) -> Layout:
    """Layout of all images, or of as many whole rows as leave the sheet no higher than the page is wide.

    Args:
        images: of this size, at least one.
        beside: images side by side in each cell.
        above: images one above the other in each cell.
        gap: pixels of paper between two columns of cells.

    Example:
        >>> layout(np.zeros((64, 64, 64, 3), np.uint8)), layout(np.zeros((64, 256, 256, 3), np.uint8))
        (Layout(shown=64, columns=16, scale=1), Layout(shown=16, columns=4, scale=1))
    """
    scale = enlarged(*images.shape[1:3])
    width = beside * (scale * images.shape[2] + GAP) - GAP
    columns = max(1, (PAGE + gap) // (width + gap))
    rows_ = max(1, PAGE // (above * scale * images.shape[1]))
    return Layout(min(len(images), columns * rows_), columns, scale)


def enlarged(height: int, width: int) -> int:
    """Factor by which images of a size are enlarged.

    Example:
        >>> enlarged(16, 16), enlarged(64, 48), enlarged(256, 256)
        (4, 1, 1)
    """
    return max(1, SMALL // math.isqrt(height * width))


def grid(images: Tiles, columns: int, scale: int = 1, gap: int = GAP) -> bytes:
    """Images in reading order, with `gap` pixels of paper between two columns."""
    paper = _Paper()
    for index, tile in enumerate(_enlarged(images, scale)):
        height, width = tile.shape[:2]
        paper.place(tile, index % columns * (width + gap), index // columns * (height + GAP))
    return paper.png()


def pairs(real: Tiles, reconstruction: Tiles, columns: int, scale: int = 1) -> bytes:
    """Each original with its reconstruction on its right."""
    left, right = _enlarged(real, scale), _enlarged(reconstruction, scale)
    white = np.full_like(left[:, :, :1], 255).repeat(GAP, axis=2)
    return grid(np.concatenate([left, white, right], axis=2), columns, gap=WIDE_GAP)


def strip_pairs(top: Tiles, bottom: Tiles, labels: Sequence[str], columns: int, scale: int = 1) -> bytes:
    """Each image, such as a sample, above the one it is compared with, and a short text below both."""
    paper = _Paper()
    pairs_ = zip(_enlarged(top, scale), _enlarged(bottom, scale), labels, strict=True)
    for index, (upper, lower, text) in enumerate(pairs_):
        height, width = upper.shape[:2]
        x = index % columns * (max(width, _widest(labels)) + WIDE_GAP // 2)
        y = index // columns * (2 * height + GAP + WIDE_GAP + LINE)
        paper.place(upper, x, y)
        paper.place(lower, x, y + height + GAP)
        paper.write(text, x + _indent(text, width), y + 2 * height + GAP)
    return paper.png()


def rows(
    images: UInt8[np.ndarray, "k t h w c"],
    labels: Sequence[str] | None = None,
    heads: Sequence[str] | None = None,
    scale: int = 1,
) -> bytes:
    """One strip of images per row, such as a path through the latent space, with row labels and column heads."""
    paper = _Paper()
    count, steps, height, width = (*images.shape[:2], scale * images.shape[2], scale * images.shape[3])
    row_texts, column_texts = labels or [""] * count, heads or [""] * steps
    left = _widest(row_texts) + 2 * GAP if labels else 0
    top = LINE if heads else 0
    pitch = max(width + GAP, _widest(column_texts) + 3 * GAP)
    for step, text in zip(range(steps), column_texts, strict=True):
        paper.write(text, left + step * pitch + _indent(text, width), 0)
    for index, (strip, text) in enumerate(zip(images, row_texts, strict=True)):
        y = top + index * (max(height, LINE if labels else 0) + GAP)
        paper.write(text, 0, y + max(height - LINE, 0) // 2)
        for step, tile in enumerate(_enlarged(strip, scale)):
            paper.place(tile, left + step * pitch, y)
    return paper.png()


def paths(
    ends: UInt8[np.ndarray, "k 2 h w c"], between: UInt8[np.ndarray, "k t h w c"], labels: Sequence[str]
) -> bytes:
    """Interpolations: on each row the decoded images between two real ones."""
    heads = ["real", *(f"{share:.0%}".replace("%", " %") for share in np.linspace(0, 1, between.shape[1])), "real"]
    return rows(np.concatenate([ends[:, :1], between, ends[:, 1:]], axis=1), labels, heads, enlarged(*ends.shape[2:4]))


def scatter(
    thumbs: Tiles, xy: Float[np.ndarray, "n 2"], size: int = 960, scale: int = 2, labels: tuple[str, str] = ("", "")
) -> bytes:
    """Thumbnails on a plane, each centred on its point, both directions on one scale, with thin lines through 0.

    A thumbnail that would overlap an earlier one is left out.

    Args:
        thumbs: small images.
        xy: a point for each; y points upwards.
        size: width of the plane in pixels, or its height where the points reach further up than across.
        scale: see above.
        labels: what x and y are, written under the plane on the right and above it on the left.
    """
    paper = _Paper()
    tiles = _enlarged(thumbs, scale)
    height, width = tiles.shape[1:3]
    # The origin belongs to the plane, so that the lines through it always show.
    low, high = np.minimum(xy.min(axis=0), 0.0), np.maximum(xy.max(axis=0), 0.0)
    zoom = (size - max(height, width)) / (float((high - low).max()) or 1.0)

    def corners(points: np.ndarray) -> np.ndarray:
        return np.rint((points - [low[0], high[1]]) * [zoom, -zoom]).astype(np.int64)

    (x, y), (right, bottom) = corners(np.array([[0.0, 0.0], [high[0], low[1]]])).tolist()
    paper.rule(0, LINE + y + height // 2, right + width, 1)
    paper.rule(x + width // 2, LINE, 1, bottom + height)
    where = corners(xy)
    for index in apart(where, width, height):
        x, y = where[index].tolist()
        paper.place(tiles[index], x, LINE + y)
    paper.write(labels[1], 0, 0)
    paper.write(labels[0], max(right + width - _widest(labels[:1]), 0), LINE + bottom + height)
    return paper.png()


def apart(corners: Int64[np.ndarray, "n 2"], width: int, height: int) -> list[int]:
    """Which boxes to keep so that no two overlap: each, in order, that overlaps none kept before it.

    Args:
        corners: left and top of each box, in pixels.
        width: of every box.
        height: of every box.
    """
    kept: list[int] = []
    for index, corner in enumerate(corners):
        distance = np.abs(corners[kept] - corner)
        if not ((distance[:, 0] < width) & (distance[:, 1] < height)).any():
            kept.append(index)
    return kept


class _Paper:
    """White paper that grows with what is put on it."""

    def __init__(self) -> None:
        self.tiles: list[tuple[Tile, int, int]] = []
        self.texts: list[tuple[str, int, int]] = []

    def place(self, tile: Tile, x: int, y: int) -> None:
        """Puts an image with its upper left corner at (x, y), over what is there."""
        self.tiles.append((tile, x, y))

    def rule(self, x: int, y: int, width: int, height: int) -> None:
        """Draws a thin bar."""
        colour = np.array(ImageColor.getrgb(LIGHT["line"]), dtype=np.uint8)
        self.place(np.broadcast_to(colour, (height, width, 3)), x, y)

    def write(self, text: str, x: int, y: int) -> None:
        """Writes one line of text whose box has its upper left corner at (x, y)."""
        if text:
            self.texts.append((text, x, y))

    def png(self) -> bytes:
        """The sheet as a PNG file, just large enough for all that is on it."""
        width = max([x + tile.shape[1] for tile, x, _ in self.tiles] + [x + _widest([t]) for t, x, _ in self.texts])
        height = max([y + tile.shape[0] for tile, _, y in self.tiles] + [y + LINE for _, _, y in self.texts])
        pixels = np.full((height, width, 3), 255, dtype=np.uint8)
        for tile, x, y in self.tiles:
            pixels[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        sheet = Image.fromarray(pixels)
        pen = ImageDraw.Draw(sheet)
        for text, x, y in self.texts:
            pen.text((x, y + LINE // 2), text, fill=LIGHT["ink"], font=_font(), anchor="lm")
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG")
        return buffer.getvalue()


def _enlarged(images: Tiles, scale: int) -> UInt8[np.ndarray, "n h*{scale} w*{scale} c"]:
    return images.repeat(scale, axis=1).repeat(scale, axis=2)


def _indent(text: str, width: int) -> int:
    """Where a text begins that is centred on an image, or at its left edge where it is wider."""
    return max(width - _widest([text]), 0) // 2


def _widest(texts: Sequence[str]) -> int:
    """Width of the longest of some texts, in pixels."""
    return max((math.ceil(_font().getlength(text)) for text in texts), default=0)


@cache
def _font() -> ImageFont.FreeTypeFont:
    # Matplotlib brings it along, so that a sheet looks the same on every machine; its import takes longer than a sheet
    # without text, which does not need it.
    import matplotlib as mpl

    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), _LETTERS, layout_engine=ImageFont.Layout.BASIC)
