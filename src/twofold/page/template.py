"""Pages from Jinja2 templates: a typed view in, one self-contained page out.

A template chooses words and computes nothing. Every page extends `page/templates/base.html.j2` and builds on the macros
of `page/templates/blocks.html.j2`; numbers are written by the functions of `page.numbers`, as filters.
"""

import functools
from collections.abc import Callable
from typing import Any

import jinja2
from markupsafe import Markup

from twofold import __version__
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.colours import DARK, LIGHT
from twofold.page.drawing import style


def write_page(
    save: Callable[[str, bytes], None], template: str, draw: Callable[[Album], dict[str, Any] | None], **view: Any
) -> None:
    """Draws a page's figures and writes its report.html; the same files give the same bytes.

    Args:
        save: takes a path within the run folder and the file's content.
        template: path within the package, e.g. `trend/report/walk.html.j2`.
        draw: draws the figures into the page's album; what it returns the template may name, too.
        view: what the template may name; anything else that it names is an error.
    """
    album = Album(save)
    with style():
        drawn = draw(album)
    save("report.html", render(template, album, **view, **(drawn or {})).encode())


def render(template: str, album: Album, **view: Any) -> str:
    """A whole page as one string: nothing in it is loaded from elsewhere.

    Args:
        template: path within the package, e.g. `trend/report/walk.html.j2`.
        album: the page's pictures; the macro `figure` places them by name.
        view: what the template may name; anything else that it names is an error.

    Raises:
        jinja2.UndefinedError: when the template names what the view lacks.
    """
    page = _environment().get_template(template)
    # Filled by the macro `section`, read by the table of contents.
    return page.render(album=album, contents=[], light=LIGHT, dark=DARK, css=_css(), version=__version__, **view)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("twofold", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    written = (
        numbers.count,
        numbers.score,
        numbers.interval,
        numbers.with_interval,
        numbers.signed,
        numbers.signed_with_interval,
        numbers.percent,
        numbers.share,
        numbers.points,
        numbers.spread,
        numbers.settings,
        numbers.date,
        numbers.plural,
        numbers.plain,
        numbers.significant,
        numbers.with_error,
        numbers.measured,
        numbers.listed,
    )
    environment.filters |= {function.__name__: function for function in written}
    return environment


def _css() -> Markup:
    source, _, _ = jinja2.PackageLoader("twofold", "").get_source(_environment(), "page/style.css")
    return Markup(source)
