import base64
import io

import numpy as np
import pytest
from PIL import Image

from page.reading import read
from twofold.page import blocks
from twofold.page.album import Album, inline_png, size

EVIL = "\"'><script>&"


def png(width: int = 6, height: int = 4) -> bytes:
    buffer = io.BytesIO()
    pixels = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def shown(html: str) -> dict[str, str | None]:
    [image] = [named for tag, named in read(html).tags if tag == "img"]
    return image


def test_the_bytes_come_back_and_the_words_are_escaped() -> None:
    image = shown(inline_png(png(), EVIL))
    kind, content = (image["src"] or "").split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content, validate=True) == png()
    assert image["alt"] == EVIL
    assert (image["width"], image["height"], image.get("class")) == ("6", "4", None)


def test_a_given_width_keeps_the_shape() -> None:
    image = shown(inline_png(png(6, 4), "x", width=30, pixelated=True))
    assert (image["width"], image["height"], image["class"]) == ("30", "20", "pixelated")
    assert shown(inline_png(png(200, 1), "x", width=10))["height"] == "1"


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 a JPEG is none", png()[:8]])
def test_only_a_png_is_a_picture(content: bytes) -> None:
    with pytest.raises(ValueError, match="must be a PNG"):
        inline_png(content, "x")


def test_size_is_width_then_height() -> None:
    assert size(png(7, 300)) == (7, 300)


@pytest.mark.parametrize(("scale", "width", "look"), [(1.0, "6", None), (3.0, "18", "pixelated"), (0.5, "3", None)])
def test_an_album_saves_it_and_shows_it(scale: float, width: str, look: str | None) -> None:
    saved: dict[str, bytes] = {}
    block = Album(saved.__setitem__).add_picture("grid", png(), EVIL, EVIL, scale=scale)
    assert saved == {"figures/grid.png": png()}
    image = shown(block)
    assert (image["alt"], image["width"], image.get("class")) == (EVIL, width, look)
    assert EVIL in read(block).text


def test_the_page_styles_it() -> None:
    html = blocks.document(
        "t", blocks.paragraph(""), [blocks.Section("a", "A", inline_png(png(), "x"))], blocks.paragraph("end")
    )
    assert "figure img{display:block;max-width:100%;height:auto}" in html
    assert ".pixelated{image-rendering:pixelated}" in html
