import math

import pytest

from twofold.page import numbers


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_what_is_missing_is_a_dash(missing: float | None) -> None:
    assert (
        numbers.score(missing) == numbers.percent(missing) == numbers.signed(missing) == numbers.points(missing) == "–"
    )
    assert numbers.with_interval(missing, [0.1, 0.2]) == "–"
    assert numbers.interval([0.1, missing]) == "–"
    assert numbers.count(None) == "–"
    assert numbers.spread([missing]) == "–"


def test_a_score_without_interval_stands_alone() -> None:
    assert numbers.with_interval(0.5, None) == "0.500"
    assert numbers.with_interval(0.5, [None, None]) == "0.500"
    assert numbers.with_interval(-0.5, [-0.75, 0.0]) == "−0.500 [−0.750, 0.000]"


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (-0.0004, "0.000", "0.000"),
        (0.0004, "0.000", "0.000"),
        (-1234.5, "−1,234.500", "−1,234.500"),
        (0.0, "0.000", "0.000"),
    ],
)
def test_zero_has_no_sign(value: float, plain: str, signed: str) -> None:
    assert numbers.score(value) == plain
    assert numbers.signed(value) == signed


def test_spread_is_the_sample_deviation_and_skips_what_is_missing() -> None:
    assert numbers.spread([0.5, 0.7, None]) == "60.0 ± 14.1"
    assert numbers.spread([0.5]) == "50.0"
    assert numbers.spread([10.0, 20.0], scale=1.0) == "15.0 ± 7.1"


def test_points_and_counts() -> None:
    assert numbers.points(0.061) == "+6.1 pp"
    assert numbers.points(-0.001) == "−0.1 pp"
    assert numbers.count(-1500) == "−1,500"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (182.34, 1.213, "182.3 ± 1.2"),
        (-17134.62, 38.4, "−17,135 ± 38"),
        (0.00371, 0.000082, "0.003710 ± 0.000082"),
        (5.3, 0.0, "5.300"),
        (5.3, None, "5.300"),
        (4.043051267804361, 3e-11, "4.043"),
        (0.0, None, "0"),
        (None, None, "–"),
        (float("nan"), 1.0, "–"),
        (5.3, float("inf"), "5.300"),
    ],
)
def test_a_figure_is_rounded_to_what_its_error_allows(value: float | None, error: float | None, text: str) -> None:
    assert numbers.measured(value, error) == text
