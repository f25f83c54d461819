from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from twofold.page.drawing import style, to_svg
from twofold.vae.report import plane
from twofold.vae.report.plane import Secant, Weight, secants, weights


def run(rate: float, distortion: float, **test: Any) -> dict[str, Any]:
    elbo = rate + distortion
    bound = {"iw_negative_elbo_nats": elbo, "iw_bound_nats": elbo - 5.0}
    block = {"rate_nats": rate, "distortion_nats": distortion, "negative_elbo_nats": elbo}
    return {"seed": 0, "test": block | bound | test}


def weight(beta: float, *points: tuple[float, float]) -> Weight:
    return Weight(beta, tuple(run(*point) for point in points))


GRID = [
    weight(0.0, (290.0, -200.0), (300.0, -198.0)),
    weight(1.0, (60.0, -100.0), (62.0, -102.0)),
    weight(100.0, (3.0, 2000.0), (3.0, 2010.0)),
]


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_runs_are_grouped_by_weight_whatever_their_order() -> None:
    runs = [{"beta": beta, "scores": {"seed": seed}} for seed in (3, 4) for beta in (100.0, 0.0, 1.0)]
    found = weights(runs)
    assert [each.beta for each in found] == [0.0, 1.0, 100.0]
    assert [[run["seed"] for run in each.runs] for each in found] == [[3, 4]] * 3
    assert found[2].name == "beta 100"


def test_an_undefined_score_is_left_out() -> None:
    both = Weight(1.0, (run(1.0, 2.0, sigma=None), run(1.0, 2.0, sigma=0.2)))
    assert both.each("sigma") == [0.2]
    assert np.isnan(Weight(1.0, (run(1.0, 2.0, sigma=None),)).mean("sigma"))


def test_the_bound_is_moved_to_all_test_images() -> None:
    test = {"negative_elbo_nats": 100.0, "iw_negative_elbo_nats": 130.0, "iw_bound_nats": 123.0}
    assert Weight(1.0, ({"test": test},)).bound == pytest.approx(93.0)
    assert plane.best(GRID).beta == 1.0


def test_slopes_are_those_of_the_points() -> None:
    first, second = secants(GRID)
    assert first.slope == pytest.approx((-101.0 + 199.0) / (61.0 - 295.0))
    assert first.slopes == pytest.approx((100 / -230, 96 / -238))
    assert second.slope == pytest.approx(2106.0 / -58.0)
    assert first.inside and second.inside


@pytest.mark.parametrize(("slope", "inside"), [(-1.0, True), (-2.0, True), (-1.5, True), (-0.9, False), (-2.1, False)])
def test_a_slope_lies_between_minus_both_weights(slope: float, inside: bool) -> None:
    assert Secant(1.0, 2.0, (slope,), slope).inside is inside


def test_optimal_runs_of_the_linear_case_lie_inside() -> None:
    variances = np.array([4.0, 1.0, 0.2])
    water = [np.minimum(variances, beta * 0.01) for beta in (0.5, 1.0, 2.0, 50.0)]
    points = [(float(0.5 * np.log(variances / each).sum()), float(each.sum() / 0.02)) for each in water]
    grid = [weight(beta, point) for beta, point in zip((0.5, 1.0, 2.0, 50.0), points, strict=True)]
    assert [secant.inside for secant in secants(grid)] == [True] * 3


def test_equal_rates_have_no_slope() -> None:
    (secant,) = secants([weight(50.0, (0.02, 10.0)), weight(100.0, (0.01, 10.1))])
    assert secant.slope is None and secant.inside is None


@pytest.mark.parametrize("draw", [plane.rate_distortion, plane.height])
@pytest.mark.parametrize("grid", [GRID, GRID[1:2], [weight(1.0, (0.0, 5.0)), weight(2.0, (0.0, 5.0))]])
def test_every_weight_is_named(draw: Any, grid: Sequence[Weight]) -> None:
    with style():
        figure = draw(grid, True)
        assert {each.name for each in grid} <= set(_texts(figure))
        assert "nan" not in to_svg(figure).lower()


def test_long_secants_have_their_slope_beside_them() -> None:
    with style():
        texts = _texts(plane.rate_distortion(GRID, True))
    assert "−0.42" in texts and "−36.31" in texts


def test_what_the_bound_leaves_out_is_shaded_only_where_it_means_something() -> None:
    with style():
        shaded, plain = (plane.rate_distortion(GRID, each).axes[0].collections for each in (True, False))
    assert len(shaded) == 1 and not plain


def test_names_never_cover_one_another() -> None:
    crowd = [weight(float(beta), (50.0 + beta / 10, -100.0)) for beta in range(5)] + [weight(9.0, (900.0, 900.0))]
    with style():
        figure = plane.rate_distortion(crowd, True)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 2 <= len(boxes) <= 6
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_a_rate_without_a_price_that_runs_away_does_not_press_the_others_together() -> None:
    far = [weight(0.0, (42_000.0, 6_200.0)), weight(1.0, (156.0, 6_400.0)), weight(100.0, (1.5, 7_400.0))]
    assert [each.beta for each in plane.runaways(far)] == [0.0]
    assert plane.runaways(GRID) == plane.runaways(far[:1]) == []  # alone, it has all the room
    with style():
        figure = plane.rate_distortion(far, True)
        assert set(_texts(figure)) >= {"beta 1", "beta 100"}
        assert "beta 0" not in _texts(figure)
        assert figure.axes[0].get_xlim()[1] < 300
        assert {"beta 0", "beta 1", "beta 100"} <= set(_texts(plane.height(far, True)))
    priced = [weight(0.5, (42_000.0, 6_200.0)), *far[1:]]
    assert plane.runaways(priced) == []


def test_a_name_stands_beside_its_own_point() -> None:
    near = [weight(1.0, (156.0, 6_400.0)), weight(2.0, (150.0, 6_500.0)), weight(100.0, (1.5, 7_400.0))]
    with style():
        figure = plane.rate_distortion(near, True)
        axes = figure.axes[0]
        places = {
            each.name: axes.transData.transform((each.mean("rate_nats"), each.mean("distortion_nats"))) for each in near
        }
        for text in axes.texts:
            if text.get_text() in places:
                corner = axes.transData.transform(text.xy) + np.array(text.xyann) * figure.dpi / 72
                nearest = min(places, key=lambda name: float(np.hypot(*(places[name] - corner))))
                assert nearest == text.get_text()
