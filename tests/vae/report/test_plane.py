import numpy as np
import pytest

from twofold.vae.report import plane
from twofold.vae.report.plane import Secant, Weight, secants, weights
from vae.report.sweep_showing import SEVERAL, scores, weight


def test_runs_are_grouped_by_weight_whatever_their_order() -> None:
    runs = [{"beta": beta, "scores": {"seed": seed}} for seed in (3, 4) for beta in (100.0, 0.0, 1.0)]
    found = weights(runs)
    assert [each.beta for each in found] == [0.0, 1.0, 100.0]
    assert [[run["seed"] for run in each.runs] for each in found] == [[3, 4]] * 3
    assert found[2].name == "beta 100"


def test_an_undefined_score_is_left_out() -> None:
    both = Weight(1.0, (scores(1.0, 2.0, sigma=None), scores(1.0, 2.0, sigma=0.2)))
    assert both.values("sigma") == [0.2]
    assert np.isnan(Weight(1.0, (scores(1.0, 2.0, sigma=None),)).mean("sigma"))


def test_the_bound_is_moved_to_all_test_images() -> None:
    test = {"negative_elbo_nats": 100.0, "iw_negative_elbo_nats": 130.0, "iw_bound_nats": 123.0}
    assert Weight(1.0, ({"test": test},)).bound == pytest.approx(93.0)
    assert plane.best(SEVERAL).beta == 1.0


def test_slopes_are_those_of_the_points() -> None:
    first, second = secants(SEVERAL)
    assert first.slope == pytest.approx((-101.0 + 199.0) / (61.0 - 295.0))
    assert first.slopes == pytest.approx((100 / -230, 96 / -238))
    assert second.slope == pytest.approx(2106.0 / -58.0)
    assert first.inside and second.inside and first.seeds_inside == second.seeds_inside == 2


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


def test_slopes_are_of_the_seeds_that_both_weights_have() -> None:
    first, second = secants([SEVERAL[0], Weight(1.0, SEVERAL[1].runs[1:]), SEVERAL[2]])
    assert first.slopes == pytest.approx((96 / -238,)) and second.slopes == pytest.approx((2112 / -59,))
    assert first.slope == pytest.approx((-102.0 + 199.0) / (62.0 - 295.0)), "of the means of all that there are"


def test_an_unpenalised_rate_may_be_off_scale() -> None:
    far = [weight(0.0, (42_000.0, 6_200.0)), weight(1.0, (156.0, 6_400.0)), weight(100.0, (1.5, 7_400.0))]
    assert [each.beta for each in plane.off_scale(far)] == [0.0]
    assert plane.off_scale(SEVERAL) == plane.off_scale(far[:1]) == []  # alone, it sets the scale
    assert plane.off_scale([weight(0.5, (42_000.0, 6_200.0)), *far[1:]]) == []


def test_a_spread_needs_two_seeds() -> None:
    assert plane.spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert plane.spread([1.0])[0] == 1.0 and np.isnan(plane.spread([1.0])[1])
    assert np.isnan(plane.spread([])).all()
