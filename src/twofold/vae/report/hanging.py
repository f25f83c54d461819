"""How sheets of images hang on a page: how many stand side by side, how large, and what scrolls on a phone."""

from twofold.page.album import Album, size
from twofold.page.html import Html
from twofold.vae.report.sheets import GAP

PAGE = 1112
"""Width of a report's text on a wide screen, in CSS pixels."""
SMALL = 64
"""Images of fewer pixels are enlarged to about this."""


def enlarged(width: int) -> int:
    """By how much images of a width are enlarged: each pixel becomes a square of that side.

    Example:
        >>> enlarged(16), enlarged(64), enlarged(256)
        (4, 1, 1)
    """
    return max(1, SMALL // width)


def across(width: int, gap: int = GAP) -> int:
    """How many things of a width fit side by side.

    Args:
        width: of each, in pixels of the sheet.
        gap: paper between two.

    Example:
        >>> across(64), across(256), across(2048)
        (16, 4, 1)
    """
    return max(1, (PAGE + gap) // (width + gap))


def many(images: int, height: int, columns: int) -> int:
    """How many images a sheet shows: all, or as many whole rows as leave it no higher than the page is wide.

    Args:
        images: there are.
        height: of each, in pixels of the sheet.
        columns: images in a row.

    Example:
        >>> many(64, 64, 16), many(64, 256, 4)
        (64, 16)
    """
    return min(images, columns * max(1, PAGE // height))


def hang(album: Album, name: str, png: bytes, alt: str, caption: str) -> Html:
    """A sheet at its own size, or as wide as the page where it is wider; on a phone it scrolls in its own box.

    Args:
        album: saves it.
        name: file name without ending, unique in the report.
        png: the sheet.
        alt: what it shows, for those who can't see it.
        caption: what to look for.
    """
    return album.add_picture(name, png, alt, caption, wide=True, scale=min(1.0, PAGE / size(png)[0]))
