"""Figures of a report: each is saved in the run folder and embedded in the page.

A drawing is embedded as SVG in the colours of the page, a raster picture as PNG, or as WebP where the PNG is heavy.
"""

import base64
import io
import re
import struct
from collections.abc import Callable

from markupsafe import Markup, escape
from matplotlib.figure import Figure
from PIL import Image

from twofold.page.colours import LIGHT
from twofold.page.drawing import to_png, to_svg


class Album:
    """The figures of one report, by name.

    Drawings are saved as figures/NAME.svg and NAME.png, raster pictures as NAME.png; names are unique in a report.
    """

    def __init__(self, save: Callable[[str, bytes], None]) -> None:
        """An album that saves by `save`, which takes a path within the run folder and the file's content."""
        self.save = save
        self._shown: dict[str, Callable[[str], Markup]] = {}

    def draw(self, name: str, figure: Figure) -> None:
        """Saves a drawing."""
        drawn = to_svg(figure)
        self.save(f"figures/{name}.svg", drawn.encode())
        self.save(f"figures/{name}.png", to_png(figure))
        self._shown[name] = lambda alt: inline_svg(drawn, name, alt)

    def place(self, name: str, png: bytes, scale: float = 1.0) -> None:
        """Saves a raster picture, shown with `scale` CSS pixels per pixel; above 1 its pixels stay sharp squares."""
        self.save(f"figures/{name}.png", png)
        width = round(scale * size(png)[0])
        self._shown[name] = lambda alt: inline_png(png, alt, width, pixelated=scale > 1)

    def keep(self, name: str, svg: str) -> None:
        """Adds a drawing whose file is saved elsewhere."""
        self._shown[name] = lambda alt: inline_svg(svg, name, alt)

    def show(self, name: str, alt: str) -> Markup:
        """A figure as an element of the page, with its alternative text."""
        return self._shown[name](alt)

    def __contains__(self, name: str) -> bool:
        return name in self._shown


HEAVY = 150_000
"""Bytes above which a picture is embedded compressed, so that a page stays small; the file beside it is exact."""
_QUALITIES = (90, 75, 60, 45, 30)
"""Of WebP; the first that makes a picture light enough is taken, else the last."""
_HEADER = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
"""First bytes of a PNG; width and height follow, 4 bytes each, big-endian."""


def inline_png(png: bytes, alt: str, width: int | None = None, pixelated: bool = False) -> Markup:
    """A PNG as an element of a page; one of more than `HEAVY` bytes is compressed.

    Args:
        png: content of the file.
        alt: alternative text.
        width: largest width on the page in CSS pixels; None: that of the picture.
        pixelated: keeps pixels sharp squares when the picture is enlarged.

    Raises:
        ValueError: when the bytes are no PNG.
    """
    own_width, own_height = size(png)
    shown = own_width if width is None else width
    # Width and height are both given, so that the page does not jump while it loads.
    shape = f'width="{shown}" height="{max(round(shown * own_height / own_width), 1)}"'
    look = ' class="pixelated"' if pixelated else ""
    kind, content = ("png", png) if len(png) <= HEAVY else ("webp", _compressed(png))
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Markup(f'<img src="{source}" alt="{escape(alt)}" {shape}{look}>')


def _compressed(png: bytes) -> bytes:
    content = b""
    with Image.open(io.BytesIO(png)) as picture:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=quality, method=4)
            content = buffer.getvalue()
            if len(content) <= HEAVY:
                break
    return content


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, in pixels.

    Raises:
        ValueError: when the bytes are no PNG.
    """
    if not png.startswith(_HEADER):
        raise ValueError(f"a picture must be a PNG, got {len(png)} bytes that begin with {png[:8]!r}")
    width, height = struct.unpack_from(">II", png, len(_HEADER))
    return width, height


_PROLOGUE = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>|<style type=\"text/css\">\*\{[^<]*</style>", re.S
)
_ID = re.compile(r'\s+id="([^"]*)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_ROOT = re.compile(r"<svg\b[^>]*>")
_FONT = "font-family: 'DejaVu Sans', sans-serif"
_BOX = re.compile(r'viewBox="0 0 (\S+) \S+"')
_WIDEST = 1.9
"""Maximum number of pixels per point of the drawing's width, so that its text is not much larger than the page's."""


def inline_svg(svg: str, name: str, alt: str) -> Markup:
    """A drawing's SVG as an element of a page.

    Unused ids are removed, the others are prefixed by `name`, since many drawings share one page. The palette's colours
    become the page's CSS variables, so that the drawing follows its light or dark theme.

    Args:
        svg: content of the file.
        name: unique on the page.
        alt: alternative text.
    """
    text = _PROLOGUE.sub("", svg).strip()
    wanted = {match[1] for match in _REFERENCE.findall(text)}
    text = _ID.sub(lambda match: f' id="{name}-{match[1]}"' if match[1] in wanted else "", text)
    text = _REFERENCE.sub(lambda match: f"{match[1]}{name}-{match[2]}", text)
    text = _ROOT.sub(lambda match: _root(match[0], alt), text, count=1)
    return Markup(page_colours(text.replace("xlink:href", "href").replace(_FONT, "font-family: var(--sans)")))


def page_colours(svg: str) -> str:
    """Replaces the palette's colours by CSS variables of the page, with the colour itself as fallback."""
    for name, value in LIGHT.items():
        svg = svg.replace(value, f"var(--{name},{value})")
    return svg


def _root(opening: str, alt: str) -> str:
    box = _BOX.search(opening)
    shape = f' {box[0]} style="max-width:{_WIDEST * float(box[1]):.0f}px"' if box else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{shape} role="img" aria-label="{escape(alt)}" stroke-linejoin="round">'
    )
