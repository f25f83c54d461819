"""SVG made fit to stand inside a page: named, without clashing ids, coloured by the page."""

import re

from twofold.page.html import Html, escape
from twofold.page.style import LIGHT

_PROLOGUE = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>|<style type=\"text/css\">\*\{[^<]*</style>", re.S
)
_ID = re.compile(r'\s+id="([^"]*)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_ROOT = re.compile(r"<svg\b[^>]*>")
_FONT = "font-family: 'DejaVu Sans', sans-serif"
_BOX = re.compile(r'viewBox="0 0 (\S+) \S+"')
_WIDEST = 1.9
"""Pixels a point of the drawing's own width at most: text must not grow far beyond that of the page."""


def inline(svg: str, name: str, alt: str) -> Html:
    """A drawing's SVG as an element of a page.

    Ids that nothing refers to go, the others are prefixed by `name`, since many drawings share one page. The palette's
    colours become the page's variables, so that the drawing turns dark with it.

    Args:
        svg: a whole SVG file.
        name: unique on the page.
        alt: what the drawing shows, for those who can't see it.
    """
    text = _PROLOGUE.sub("", svg).strip()
    wanted = {match[1] for match in _REFERENCE.findall(text)}
    text = _ID.sub(lambda match: f' id="{name}-{match[1]}"' if match[1] in wanted else "", text)
    text = _REFERENCE.sub(lambda match: f"{match[1]}{name}-{match[2]}", text)
    text = _ROOT.sub(lambda match: _root(match[0], alt), text, count=1)
    return Html(page_colours(text.replace("xlink:href", "href").replace(_FONT, "font-family: var(--sans)")))


def page_colours(svg: str) -> str:
    """The palette's colours as CSS variables of the page, the plain colour as what to fall back on."""
    for name, value in LIGHT.items():
        svg = svg.replace(value, f"var(--{name},{value})")
    return svg


def _root(opening: str, alt: str) -> str:
    box = _BOX.search(opening)
    shape = f' {box[0]} style="max-width:{_WIDEST * float(box[1]):.0f}px"' if box else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{shape} role="img" aria-label="{escape(alt)}" stroke-linejoin="round">'
    )
