import re

import numpy as np

from page.reading import read
from twofold.page.album import inline_svg
from twofold.page.colours import DARK, LIGHT
from twofold.page.drawing import HUES, canvas, style, to_png, to_svg


def _drawn() -> str:
    with style():
        figure, axes = canvas(3.0, 2.0, (0.5, 0.1, 0.4, 0.2))
        axes.plot(np.arange(5), color=HUES[0])
        axes.set_title("a $b$ <c> 漢")
        return to_svg(figure)


def test_the_same_drawing_gives_the_same_bytes() -> None:
    assert _drawn() == _drawn()
    assert "2026" not in _drawn()
    with style():
        figures = [canvas(2.0, 2.0, (0.5, 0.1, 0.4, 0.2))[0] for _ in range(2)]
        assert to_png(figures[0]) == to_png(figures[1])


def test_two_drawings_share_a_page_without_sharing_ids() -> None:
    both = inline_svg(_drawn(), "one", "first") + inline_svg(_drawn(), "two", "second")
    page = read(both)
    assert len(page.ids) == len(set(page.ids)) > 0
    assert set(page.targets) <= set(page.ids)
    assert {load[1:] for load in page.loads} <= set(page.ids)
    assert [named["aria-label"] for name, named in page.tags if name == "svg"] == ["first", "second"]
    assert "a $b$ <c> 漢" in page.text


def test_an_inlined_drawing_takes_the_colours_of_its_page() -> None:
    inlined = inline_svg(_drawn(), "one", 'say "it"')
    assert f"var(--blue,{LIGHT['blue']})" in inlined
    assert not re.search(rf"[^,]{LIGHT['ink']}", inlined)
    assert "<?xml" not in inlined and "DOCTYPE" not in inlined and "metadata" not in inlined and "<style" not in inlined


def test_both_grounds_have_every_colour_and_enough_contrast() -> None:
    assert LIGHT.keys() == DARK.keys()
    for palette in (LIGHT, DARK):
        for name in ("ink", "muted", "blue", "orange", "green", "purple", "gold"):
            assert _contrast(palette[name], palette["paper"]) >= 4.5, name


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, success criterion 1.4.3."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
