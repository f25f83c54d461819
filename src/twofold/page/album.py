"""Figures on their way into a run folder and into its report."""

from collections.abc import Callable

from matplotlib.figure import Figure

from twofold.page import blocks, svg
from twofold.page.drawing import to_png, to_svg
from twofold.page.html import Html
from twofold.page.picture import picture, size


class Album:
    """Saves each figure in figures/ and gives it back as a block for the page.

    A drawing is saved as NAME.svg and NAME.png, a raster picture as NAME.png.
    """

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

    def add_picture(
        self, name: str, png: bytes, alt: str, caption: str, *, wide: bool = False, scale: float = 1.0
    ) -> Html:
        """Saves one raster picture.

        Args:
            name: file name without ending, unique in the report.
            png: the picture.
            alt: what it shows, for those who can't see it.
            caption: what to look for.
            wide: too wide for a phone; it then scrolls in its own box instead of shrinking.
            scale: CSS pixels of the page a pixel of the picture; above 1 each stays a sharp square.
        """
        self.save(f"figures/{name}.png", png)
        width = round(scale * size(png)[0])
        return blocks.figure(picture(png, alt, width, pixelated=scale > 1), caption, wide)
