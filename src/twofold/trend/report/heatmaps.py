"""Pictures of the correlation between regions."""

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from twofold.page.drawing import HUES, INK, LINE, MUTED, ON_DARK, ON_LIGHT, canvas

_FAST_ENOUGH = 400
"""Up to so many regions the best order of the leaves is searched for; it takes a cubic time."""


def clustered(correlation: Float[np.ndarray, "R R"]) -> Int[np.ndarray, " R"]:
    """An order of the regions that sets alike ones side by side: average linkage on 1 - r.

    Regions without a correlation (constant series) come last, in their own order.

    Args:
        correlation: Pearson's r, NaN rows and columns where undefined.
    """
    defined = np.flatnonzero(~np.isnan(np.diag(correlation)))
    undefined = np.flatnonzero(np.isnan(np.diag(correlation)))
    if len(defined) < 3:
        return np.concatenate([defined, undefined])
    distance = np.clip(1.0 - np.nan_to_num(correlation[np.ix_(defined, defined)]), 0.0, 2.0)
    np.fill_diagonal(distance, 0.0)
    pairs = squareform((distance + distance.T) / 2, checks=False)
    tree = linkage(pairs, method="average", optimal_ordering=len(defined) <= _FAST_ENOUGH)
    return np.concatenate([defined[leaves_list(tree)], undefined])


def heatmap(correlation: Float[np.ndarray, "R R"], in_c: Bool[np.ndarray, " R"], order: str) -> Figure:
    """All regions against all, with a strip along the left side that marks the set C.

    Args:
        correlation: Pearson's r in the order to draw, NaN where undefined (grey).
        in_c: which regions are in C, in the same order.
        order: names the order, for the axes.
    """
    figure, axes = canvas(4.7, 4.15, (0.72, 0.88, 0.5, 0.15))
    image = _image(axes, correlation)
    axes.set_xlabel(f"region, {order}")
    axes.set_ylabel(f"region, {order}", labelpad=11)
    box = axes.get_position()
    strip = figure.add_axes((box.x0 - 0.026, box.y0, 0.018, box.height))
    marks = np.where(in_c, 1.0, np.nan)[:, None]
    strip.imshow(marks, aspect="auto", cmap=ListedColormap([HUES[3]]), interpolation="none")
    strip.set_axis_off()
    axes.tick_params(axis="y", pad=11)
    _bar(figure, axes, image)
    return figure


def heatmap_named(correlation: Float[np.ndarray, "R R"], names: list[str]) -> Figure:
    """A few regions against each other, with names and numbers."""
    figure, axes = canvas(6.4, 5.4, (1.75, 1.05, 1.35, 0.15))
    image = _image(axes, correlation)
    short = [name if len(name) <= 20 else name[:19] + "…" for name in names]
    axes.set_xticks(range(len(names)), short, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), short)
    for row, column in np.ndindex(correlation.shape):
        value = correlation[row, column]
        dark = not np.isnan(value) and abs(value) > 0.65
        text = "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=ON_DARK if dark else ON_LIGHT)
    _bar(figure, axes, image)
    return figure


def _image(axes: Axes, correlation: np.ndarray):
    colours = colormaps["RdBu_r"].with_extremes(bad="#8c959f")
    axes.grid(False)
    return axes.imshow(correlation, vmin=-1, vmax=1, cmap=colours, interpolation="none")


def _bar(figure: Figure, axes: Axes, image) -> None:
    box = axes.get_position()
    side = figure.add_axes((box.x1 + 0.03, box.y0, 0.03, box.height))
    bar = figure.colorbar(image, cax=side, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("Pearson correlation of increments", color=INK)
    bar.outline.set_edgecolor(LINE)  # pyright: ignore[reportCallIssue]
    side.tick_params(color=MUTED)
