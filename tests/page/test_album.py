import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from page.reading import read
from page.test_drawing import drawn
from twofold.page.album import HEAVY, Album, inline_png, inline_svg, size
from twofold.page.colours import LIGHT

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


def test_a_heavy_picture_is_embedded_lighter_at_the_same_size_and_saved_as_it_is() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    saved: dict[str, bytes] = {}
    album = Album(saved.__setitem__)
    album.place("sheet", buffer.getvalue())
    assert saved == {"figures/sheet.png": buffer.getvalue()}
    image = shown(album.show("sheet", "x"))
    kind, content = (image["src"] or "").split(",")
    assert kind == "data:image/webp;base64"
    light = base64.b64decode(content, validate=True)
    assert len(light) <= HEAVY < len(buffer.getvalue())
    with Image.open(io.BytesIO(light)) as picture:
        assert picture.size == (400, 300)
        assert abs(np.asarray(picture.convert("L"), float) - noise.mean(axis=2)).mean() < 64
    assert (image["width"], image["height"]) == ("400", "300")


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
def test_an_album_saves_a_picture_and_shows_it(scale: float, width: str, look: str | None) -> None:
    saved: dict[str, bytes] = {}
    album = Album(saved.__setitem__)
    album.place("grid", png(), scale)
    assert saved == {"figures/grid.png": png()}
    image = shown(album.show("grid", EVIL))
    assert (image["alt"], image["width"], image.get("class")) == (EVIL, width, look)


def test_two_drawings_share_a_page_without_sharing_ids() -> None:
    both = inline_svg(drawn(), "one", "first") + inline_svg(drawn(), "two", "second")
    page = read(both)
    assert len(page.ids) == len(set(page.ids)) > 0
    assert set(page.targets) <= set(page.ids)
    assert {load[1:] for load in page.loads} <= set(page.ids)
    assert [named["aria-label"] for name, named in page.tags if name == "svg"] == ["first", "second"]
    assert "a $b$ <c> 漢" in page.text


def test_an_inlined_drawing_takes_the_colours_of_its_page() -> None:
    inlined = inline_svg(drawn(), "one", 'say "it"')
    assert f"var(--blue,{LIGHT['blue']})" in inlined
    assert not re.search(rf"[^,]{LIGHT['ink']}", inlined)
    assert "<?xml" not in inlined and "DOCTYPE" not in inlined and "metadata" not in inlined and "<style" not in inlined
