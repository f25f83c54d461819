"""A raster picture made fit to stand inside a page: its bytes lie in the page itself."""

import base64
import struct

from twofold.page.html import Html, escape

_HEADER = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
"""What a PNG begins with; width and height come next, 4 bytes each, the high one first."""


def picture(png: bytes, alt: str, width: int | None = None, pixelated: bool = False) -> Html:
    """A PNG as an element of a page.

    Args:
        png: the whole file.
        alt: what the picture shows, for those who can't see it.
        width: width on the page in CSS pixels, where there is room; None: that of the picture.
        pixelated: each pixel stays a sharp square where the picture is shown larger than it is.

    Raises:
        ValueError: when the bytes are no PNG.
    """
    own_width, own_height = size(png)
    shown = own_width if width is None else width
    # Width and height are both given, so that the page does not jump while it loads.
    shape = f'width="{shown}" height="{max(round(shown * own_height / own_width), 1)}"'
    look = ' class="pixelated"' if pixelated else ""
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return Html(f'<img src="{source}" alt="{escape(alt)}" {shape}{look}>')


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, in pixels.

    Raises:
        ValueError: when the bytes are no PNG.
    """
    if not png.startswith(_HEADER):
        raise ValueError(f"a picture must be a PNG, got {len(png)} bytes that begin with {png[:8]!r}")
    width, height = struct.unpack_from(">II", png, len(_HEADER))
    return width, height
