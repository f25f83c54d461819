"""Figures on their way into a run folder and into its report."""

from collections.abc import Callable

from matplotlib.figure import Figure

from twofold.page import blocks, svg
from twofold.page.drawing import to_png, to_svg
from twofold.page.html import Html


class Album:
    """Saves each figure as figures/NAME.svg and figures/NAME.png and gives it back as a block for the page."""

    def __init__(self, save: Callable[[str, bytes], None]) -> None:
        """An album that saves by `save`, which takes a path within the run folder and the file's content."""
        self.save = save

    def add(self, name: str, figure: Figure, alt: str, caption: str, wide: bool = False) -> Html:
        """Saves one figure.

        Args:
            name: file name without ending, unique in the report.
            figure: what was drawn.
            alt: what it shows, for those who can't see it.
            caption: what to look for.
            wide: too wide for a phone; it then scrolls in its own box.
        """
        drawn = to_svg(figure)
        self.save(f"figures/{name}.svg", drawn.encode())
        self.save(f"figures/{name}.png", to_png(figure))
        return blocks.figure(svg.inline(drawn, name, alt), caption, wide)
