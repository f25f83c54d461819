"""Renders a page from a Jinja2 template and a typed view: one self-contained HTML file.

Templates hold the texts and compute nothing. Every page extends `page/templates/base.html.j2` and builds on the macros
of `page/templates/blocks.html.j2`; the functions of `page.numbers` are their filters.
"""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from twofold import __version__
from twofold.page import numbers
from twofold.page.colours import DARK, LIGHT

if TYPE_CHECKING:  # it imports matplotlib, which a page without figures can do without
    from twofold.page.album import Album


def write_page(
    save: Callable[[str, bytes], None], template: str, draw: "Callable[[Album], dict[str, Any] | None]", **view: Any
) -> None:
    """Draws a page's figures and writes its report.html; the same files give the same bytes.

    Args:
        save: takes a path within the run folder and the file's content.
        template: path within the package, e.g. `trend/report/walk.html.j2`.
        draw: draws the figures into the page's album; may return further variables of the template.
        view: variables of the template; any other is an error.
    """
    from twofold.page.album import Album
    from twofold.page.drawing import style

    album = Album(save)
    with style():
        drawn = draw(album)
    save("report.html", render(template, album, **view, **(drawn or {})).encode())


def render(template: str, album: "Album | None" = None, **view: Any) -> str:
    """A page as text; the macro `figure` places the album's figures by name.

    Raises:
        jinja2.UndefinedError: when the template uses a variable that the view lacks.
    """
    environment = _environment()
    page = environment.get_template(template)
    # Filled by the macro `section`, read by the table of contents.
    return page.render(album=album, contents=[], light=LIGHT, dark=DARK, version=__version__, **view)


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("twofold", "")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    environment.filters |= {
        name: function for name, function in inspect.getmembers(numbers, inspect.isfunction) if not name.startswith("_")
    }
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}

    def source(path: str) -> Markup:
        """A style sheet or a script of the package, to stand in the page as it is."""
        return Markup(loader.get_source(environment, path)[0])

    environment.globals["source"] = source
    return environment
