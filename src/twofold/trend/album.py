"""Figures on their way into a run folder and into its report."""

from pathlib import Path

from matplotlib.figure import Figure

from twofold.engine.run import write_bytes, write_text
from twofold.page import blocks, svg
from twofold.page.drawing import to_png, to_svg
from twofold.page.html import Html


class Album:
    """Writes each figure as figures/NAME.svg and figures/NAME.png and gives it back as a block for the page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        write_text(self.folder / "figures" / f"{name}.svg", drawn)
        write_bytes(self.folder / "figures" / f"{name}.png", to_png(figure))
        return blocks.figure(svg.inline(drawn, name, alt), caption, wide)
