"""Matplotlib figures in the palette of the page, saved reproducibly and without global state."""

import datetime as dt
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from twofold.page.colours import LIGHT

INK, MUTED, LINE, PAPER = LIGHT["ink"], LIGHT["muted"], LIGHT["line"], LIGHT["paper"]
ON_DARK, ON_LIGHT = "#fefefe", "#010101"
"""Text on a coloured cell; none of the palette's colours, so that it is the same in the dark theme."""
HUES = tuple(LIGHT[name] for name in ("blue", "orange", "green", "purple", "gold", "sky"))
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (9, 3)))
"""Line styles in the order of `HUES`, so that lines differ without colour."""
MARKS = ("o", "s", "^", "D", "v", "P")
PNG_DPI = 110

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "twofold",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titley": 1.02,  # a fixed height saves a layout pass per figure
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "path.simplify": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Applies the common style to all figures made and saved inside."""
    with mpl.rc_context(cast(Any, _STYLE)), warnings.catch_warnings():
        # A region's name may have letters that the figure's font lacks; in SVG the reader's fonts show them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def canvas(width: float, height: float, margins: tuple[float, float, float, float]) -> tuple[Figure, Axes]:
    """A figure with one pair of axes.

    Args:
        width: inches.
        height: inches.
        margins: left, right, bottom, top around the axes, in inches.
    """
    figure = Figure(figsize=(width, height))
    left, right, bottom, top = margins
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    return figure, figure.add_axes(box)


def to_svg(figure: Figure) -> str:
    """The figure as SVG without date or random ids."""
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes on white paper."""
    buffer = io.BytesIO()
    figure.set_dpi(PNG_DPI)
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    return buffer.getvalue()


def day_numbers(dates: Sequence[dt.date]) -> Float[np.ndarray, " n"]:
    """Dates as matplotlib's day numbers."""
    return np.asarray(dates, dtype="datetime64[D]").astype(float)
