from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from twofold.page.drawing import style, to_svg
from twofold.vae.report import figures
from twofold.vae.report.plane import Weight
from vae.report.sweep_showing import SEVERAL, exact, weight

RANDOM = np.random.default_rng(5)


def _records(epochs: int, scale: float = 1.0) -> list[dict[str, float | None]]:
    return [
        {
            "epoch": epoch,
            "images": 3000 * epoch,
            **{f"{part}_{term}": scale * (k - 16000.0 + 40000 / epoch**3) for k, (part, term) in enumerate(PAIRS)},
            "sigma": 0.05 + 0.1 / epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


PAIRS = [(part, term) for part in ("train", "validation") for term in ("rate", "distortion", "loss")]
KL = np.concatenate([RANDOM.gamma(0.5, 5, 60), np.full(68, 1e-7)])
ROWS = [("Information I", 5.318, 0.012), ("Rate R", 182.3, None), ("Cap of I, log N", 5.318, None)]
LINES = {"R": [[900.0, 910.0], [60.0, 61.0], [3.0, 3.1]], "I(x;z)": [[4.9, 4.8], [4.5, 4.6], [2.0, 2.1]]}
DRAWN = {
    "negative_elbo": lambda: figures.learning_curve(_records(40), "negative_elbo", 33),
    "one_epoch": lambda: figures.learning_curve(_records(1), "loss", 1),
    "large": lambda: figures.learning_curve(_records(12, 1e4), "distortion", 12),
    "sigma": lambda: figures.learning_curve(_records(12), "sigma", 4),
    "kl": lambda: figures.kl_by_unit(KL, 0.01),
    "kl_one": lambda: figures.kl_by_unit(np.array([0.0]), 0.01),
    "bars": lambda: figures.bars(ROWS, "nats"),
    "bars_negative": lambda: figures.bars([("Information I", -0.02, 0.01), ("Rate R", 0.3, None)], "nats"),
    "dots": lambda: figures.dots([("Training", -16806.2, 39.0), ("Test", -16676.0, None)], "negative ELBO, nats"),
    "distances": lambda: figures.distances(RANDOM.gamma(30, 0.004, 256), RANDOM.gamma(30, 0.004, 16), 0.09),
    "distances_same": lambda: figures.distances(np.full(3, 0.1), np.full(2, 0.1), 0.1),
    "by_beta": lambda: figures.by_beta([0.0, 1.0, 100.0], LINES, "nats per image", cap=5.0),
    "by_beta_one": lambda: figures.by_beta([1.0], {"active units": [[9.0]]}, "active units", top=16.0),
    "sandwich": lambda: figures.sandwich(exact([0.5, 1.0, 8.0, 100.0])["rows"]),
    "loss_curves_one": lambda: figures.loss_curves(_records(1), "beta 0.5"),
    "elbo_curves_one": lambda: figures.elbo_curves({f"beta {k}": _records(1, 1 + k) for k in range(3)}, "training"),
    "loss_curves": lambda: figures.loss_curves(_records(40), "beta 0.5"),
    "elbo_curves": lambda: figures.elbo_curves({f"beta {k}": _records(12, 1 + k) for k in range(7)}, "training"),
    "plane": lambda: figures.rate_distortion(SEVERAL, True),
    "height": lambda: figures.height(SEVERAL, True),
}


def _drawn(name: str) -> Figure:
    with style():
        return DRAWN[name]()


def _boxes(figure: Figure) -> list[tuple[str, np.ndarray]]:
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    hidden = [text for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for text in _out_of_range(axis)]
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer).get_points()) for text in shown if text not in hidden]


def _out_of_range(axis: Axis) -> list[Text]:
    """A tick outside its axis' range keeps its label but isn't drawn."""
    drawn = axis._update_ticks()
    return [tick.label1 for tick in axis.get_major_ticks() if tick not in drawn]


@pytest.mark.parametrize("name", DRAWN)
def test_every_text_lies_in_the_figure_and_on_no_other(name: str) -> None:
    with style():
        figure = DRAWN[name]()
        boxes = _boxes(figure)
    width, height = figure.bbox.size
    for text, ((left, bottom), (right, top)) in boxes:
        assert left >= -1 and bottom >= -1 and right <= width + 1 and top <= height + 1, text
    for (one, ((l1, b1), (r1, t1))), (other, ((l2, b2), (r2, t2))) in combinations(boxes, 2):
        assert min(r1, r2) - max(l1, l2) < 1 or min(t1, t2) - max(b1, b2) < 1.5, (one, other)


@pytest.mark.parametrize("name", DRAWN)
def test_every_axis_is_labelled(name: str) -> None:
    axes = _drawn(name).axes
    assert axes[-1].get_xlabel() and all(each.get_ylabel() or each.get_yticklabels()[0].get_text() for each in axes)


def test_the_negative_elbo_is_rate_and_distortion_whatever_the_loss_was() -> None:
    records = [
        {"train_rate": 3.0, "train_distortion": -10.0, "train_loss": 290.0, "validation_rate": 4.0,
         "validation_distortion": -9.0, "validation_loss": 391.0}
    ]  # fmt: skip
    assert figures.by_part(records, "negative_elbo") == {"training": [-7.0], "validation": [-5.0]}
    assert figures.by_part(records, "loss") == {"training": [290.0], "validation": [391.0]}


def test_training_and_validation_differ_by_more_than_colour_and_the_epoch_kept_is_marked() -> None:
    training, validation, kept = _drawn("negative_elbo").axes[0].get_lines()
    assert (training.get_label(), validation.get_label()) == ("training", "validation")
    assert training._dash_pattern != validation._dash_pattern
    assert set(kept.get_xdata()) == {33}


@pytest.mark.parametrize(("epochs", "marked"), [(1, True), (30, True), (31, False)])
def test_points_are_marked_where_they_are_few(epochs: int, marked: bool) -> None:
    records = _records(epochs)
    with style():
        drawn = figures.loss_curves(records, "beta 1"), figures.elbo_curves({"beta 1": records}, "training")
    lines = [line for figure in drawn for axes in figure.axes for line in axes.get_lines()]
    assert len(lines) == 7
    assert all((line.get_marker() in ("o", "s")) == marked for line in lines)


def test_a_run_of_few_epochs_is_drawn_by_images_seen_and_epochs_are_whole_numbers() -> None:
    for epochs, label, places in ((1, "images seen", [3000]), (4, "epoch", [1, 2, 3, 4])):
        records = _records(epochs)
        with style():
            drawn = (
                figures.learning_curve(records, "loss", epochs),
                figures.loss_curves(records, "beta 1"),
                figures.elbo_curves({"beta 1": records, "beta 2": records[:1]}, "training"),
            )
        for axes in (figure.axes[-1] for figure in drawn):
            assert axes.get_xlabel() == label
            assert list(axes.get_lines()[0].get_xdata()) == places
            assert all(tick == int(tick) for tick in axes.get_xticks())
        assert drawn[0].axes[0].get_lines()[-1].get_xdata()[0] == places[-1]  # the epoch kept


def test_a_steep_start_does_not_flatten_what_comes_later() -> None:
    records = _records(40)
    low, high = _drawn("negative_elbo").axes[0].get_ylim()
    lines = figures.by_part(records, "negative_elbo")
    assert figures.framed_from(records) == 5
    assert all(low <= value <= high for values in lines.values() for value in values[4:])
    assert lines["training"][0] > high
    assert [figures.framed_from(records[:epochs]) for epochs in (1, 3, 4, 19, 20)] == [1, 1, 2, 2, 3]


def test_units_stand_in_order_and_none_falls_off_the_logarithmic_axis() -> None:
    axes = _drawn("kl").axes[0]
    heights = axes.patches[0].get_data().values
    assert len(heights) == 128 and (np.diff(heights) <= 0).all()
    assert heights[0] == KL.max() and heights[-1] == figures.KL_SHOWN > axes.get_ylim()[0]
    assert axes.get_ylim()[1] > KL.max()
    assert set(axes.get_lines()[0].get_ydata()) == {0.01}
    assert list(_drawn("kl_one").axes[0].get_xticks()) == [1]


def test_bars_start_at_0_and_the_first_stands_on_top() -> None:
    axes = _drawn("bars").axes[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, value) for _, value, _ in ROWS]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    low, high = axes.get_lines()[0].get_xdata()
    assert (low, high) == pytest.approx((5.318 - 0.024, 5.318 + 0.024))


def test_every_test_image_and_every_sample_is_in_the_picture_of_distances() -> None:
    test, samples = RANDOM.gamma(30, 0.004, 256), RANDOM.gamma(30, 0.002, 16)
    with style():
        axes = figures.distances(test, samples, 0.09).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 256
    marks, line = axes.get_lines()
    assert list(marks.get_xdata()) == list(samples) and set(line.get_xdata()) == {0.09}
    assert axes.get_xlim()[0] <= samples.min()


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("draw", [figures.rate_distortion, figures.height])
@pytest.mark.parametrize("grid", [SEVERAL, SEVERAL[1:2], [weight(1.0, (0.0, 5.0)), weight(2.0, (0.0, 5.0))]])
def test_every_weight_is_named(draw: Any, grid: Sequence[Weight]) -> None:
    with style():
        figure = draw(grid, True)
        assert {each.name for each in grid} <= set(_texts(figure))
        assert "nan" not in to_svg(figure).lower()


def test_long_secants_have_their_slope_beside_them() -> None:
    with style():
        texts = _texts(figures.rate_distortion(SEVERAL, True))
    assert "−0.42" in texts and "−36.31" in texts


def test_the_region_below_the_bound_is_shaded_only_where_it_means_something() -> None:
    with style():
        shaded, plain = (figures.rate_distortion(SEVERAL, each).axes[0].collections for each in (True, False))
    assert len(shaded) == 1 and not plain


def test_names_never_cover_one_another() -> None:
    crowd = [weight(float(beta), (50.0 + beta / 10, -100.0)) for beta in range(5)] + [weight(9.0, (900.0, 900.0))]
    with style():
        figure = figures.rate_distortion(crowd, True)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 2 <= len(boxes) <= 6
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_a_weight_off_scale_does_not_press_the_others_together() -> None:
    far = [weight(0.0, (42_000.0, 6_200.0)), weight(1.0, (156.0, 6_400.0)), weight(100.0, (1.5, 7_400.0))]
    with style():
        figure = figures.rate_distortion(far, True)
        assert set(_texts(figure)) >= {"beta 1", "beta 100"}
        assert "beta 0" not in _texts(figure)
        assert figure.axes[0].get_xlim()[1] < 300
        assert {"beta 0", "beta 1", "beta 100"} <= set(_texts(figures.height(far, True)))


def test_a_name_stands_beside_its_own_point() -> None:
    near = [weight(1.0, (156.0, 6_400.0)), weight(2.0, (150.0, 6_500.0)), weight(100.0, (1.5, 7_400.0))]
    with style():
        figure = figures.rate_distortion(near, True)
        axes = figure.axes[0]
        places = {
            each.name: axes.transData.transform((each.mean("rate_nats"), each.mean("distortion_nats"))) for each in near
        }
        for text in axes.texts:
            if text.get_text() in places:
                corner = axes.transData.transform(text.xy) + np.array(text.xyann) * figure.dpi / 72
                nearest = min(places, key=lambda name: float(np.hypot(*(places[name] - corner))))
                assert nearest == text.get_text()
