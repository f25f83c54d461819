import numpy as np

from twofold.page.drawing import HUES, canvas, style, to_png, to_svg


def drawn() -> str:
    with style():
        figure, axes = canvas(3.0, 2.0, (0.5, 0.1, 0.4, 0.2))
        axes.plot(np.arange(5), color=HUES[0])
        axes.set_title("a $b$ <c> 漢")
        return to_svg(figure)


def test_the_same_drawing_gives_the_same_bytes() -> None:
    assert drawn() == drawn()
    assert "2026" not in drawn()
    with style():
        figures = [canvas(2.0, 2.0, (0.5, 0.1, 0.4, 0.2))[0] for _ in range(2)]
        assert to_png(figures[0]) == to_png(figures[1])
