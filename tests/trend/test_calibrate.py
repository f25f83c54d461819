"""Calibration: order kept, right maps recovered, poor slices refused, JSON round trip."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from twofold.engine.errors import InputError
from twofold.scoring.binary import scores
from twofold.trend.calibrate import Calibration, apply_calibration, fit_calibration, identity

METHODS = ("temperature", "isotonic")
GRID = np.linspace(0.0, 1.0, 501)
slices = st.integers(0, 80).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.floats(0, 1) | st.sampled_from([0.0, 0.25, 1.0])), hnp.arrays(bool, n)
    )
)


def miscalibrated(seed: int, windows: int, scale: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities whose log odds need `scale` and `shift` to be right, and labels."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(0.0, 1.5, windows)
    return expit(odds), generator.random(windows) < expit(scale * odds + shift)


@pytest.mark.parametrize(("scale", "shift"), [(0.5, -1.0), (2.0, 0.3), (1.0, 0.0)])
def test_temperature_recovers_scale_and_shift(scale: float, shift: float) -> None:
    calibration = fit_calibration("temperature", *miscalibrated(0, 40_000, scale, shift))
    assert calibration.method == "temperature" and calibration.windows == 40_000 and not calibration.note
    assert calibration.scale == pytest.approx(scale, abs=0.05)
    assert calibration.shift == pytest.approx(shift, abs=0.05)


def test_temperature_solves_platts_equations() -> None:
    p, label = miscalibrated(1, 60, 0.7, 0.4)
    calibration = fit_calibration("temperature", p, label)
    n_up = label.sum()
    target = np.where(label, (n_up + 1) / (n_up + 2), 1 / (60 - n_up + 2))
    residual = apply_calibration(calibration, p) - target
    assert residual.sum() == pytest.approx(0.0, abs=1e-6)  # the gradient of the likelihood vanishes
    assert (residual * logit(p)).sum() == pytest.approx(0.0, abs=1e-6)


def test_temperature_by_hand() -> None:
    # Two probabilities, each with one smoothed share of ups: the curve goes through both points exactly.
    p = np.repeat([0.2, 0.8], 8)
    label = np.repeat([True, False, False, False, True, True, True, False], 2)
    high, low = 9 / 10, 1 / 10  # eight ups, eight not-ups
    shares = [(high + 3 * low) / 4, (3 * high + low) / 4]
    calibration = fit_calibration("temperature", p, label)
    assert apply_calibration(calibration, np.array([0.2, 0.8])) == pytest.approx(shares, abs=1e-9)
    assert calibration.shift == pytest.approx(0.0, abs=1e-9)
    assert calibration.scale == pytest.approx(math.log(shares[1] / shares[0]) / math.log(0.8 / 0.2), abs=1e-9)


def test_a_separable_slice_stays_finite() -> None:
    calibration = fit_calibration("temperature", np.repeat([0.1, 0.2, 0.8, 0.9], 3), np.arange(12) > 5)
    assert 0.0 < calibration.scale < 10.0
    assert 0.01 < apply_calibration(calibration, np.array([0.1]))[0] < 0.5


def test_a_slice_that_turns_the_order_round_is_refused() -> None:
    p, label = miscalibrated(2, 500, 1.0, 0.0)
    calibration = fit_calibration("temperature", 1.0 - p, label)
    assert calibration.method == "identity" and calibration.windows == 500
    assert "would turn the order of the forecasts round (scale -" in calibration.note


@pytest.mark.parametrize("windows", [4, 12])
def test_forecasts_that_say_nothing_of_the_outcomes_are_left_as_they_are(windows: int) -> None:
    p, label = np.repeat([1.0, 0.0], windows // 2), np.tile([False, True], windows // 2)
    calibration = fit_calibration("temperature", p, label)
    assert (calibration.method, calibration.scale) == ("identity", 1.0)
    assert ("fewer than 10" if windows < 10 else "say nothing of the outcomes") in calibration.note


def test_isotonic_on_a_turned_slice_is_flat() -> None:
    p, label = miscalibrated(2, 500, 1.0, 0.0)
    flat = apply_calibration(fit_calibration("isotonic", 1.0 - p, label), GRID)
    assert np.ptp(flat) < 0.4 and np.diff(flat).min() >= 0.0


def test_one_probability_only() -> None:
    p, label = np.full(12, 0.3), np.arange(12) < 6
    temperature = fit_calibration("temperature", p, label)
    assert temperature.method == "identity" and "one probability" in temperature.note
    rounded = fit_calibration("temperature", p + 1e-9 * np.arange(12), label)
    assert rounded.method == "identity" and "one probability" in rounded.note
    assert apply_calibration(fit_calibration("isotonic", p, label), GRID) == pytest.approx(0.5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("label", "note"),
    [
        (np.ones(12, bool), "one class only"),
        (np.zeros(12, bool), "one class only"),
        (np.arange(9) < 4, "9 windows, fewer than 10"),
        (np.zeros(0, bool), "no window"),
    ],
)
def test_without_both_classes_or_with_few_windows_probabilities_stay_the_same(
    method: str, label: np.ndarray, note: str
) -> None:
    calibration = fit_calibration(method, GRID[: len(label)], label)  # pyright: ignore
    assert calibration == identity(len(label), calibration.note) and note in calibration.note
    assert (apply_calibration(calibration, GRID) == GRID).all()


def test_isotonic_is_scikit_learns() -> None:
    p, label = miscalibrated(3, 300, 0.5, -0.5)
    reference = IsotonicRegression(y_min=1 / 302, y_max=301 / 302, out_of_bounds="clip").fit(p, label)
    ours = apply_calibration(fit_calibration("isotonic", p, label), GRID)
    np.testing.assert_allclose(ours, reference.predict(GRID), rtol=1e-12)


def test_isotonic_never_becomes_certain() -> None:
    calibration = fit_calibration("isotonic", np.repeat([0.1, 0.2, 0.8, 0.9], 3), np.arange(12) > 5)
    assert apply_calibration(calibration, np.array([0.0, 0.15, 0.85, 1.0])) == pytest.approx(
        [1 / 14, 1 / 14, 13 / 14, 13 / 14]
    )


@pytest.mark.parametrize("method", METHODS)
def test_calibration_helps_on_new_windows(method: str) -> None:
    calibration = fit_calibration(method, *miscalibrated(4, 4000, 0.4, -1.0))  # pyright: ignore
    p, label = miscalibrated(5, 4000, 0.4, -1.0)
    before, after = scores(p, label), scores(apply_calibration(calibration, p), label)
    assert (after["log_score"] or 9.0) < (before["log_score"] or 0.0) - 0.1
    assert (after["ece"] or 9.0) < 0.05
    assert (before["ece"] or 0.0) > 0.15


@settings(max_examples=60, deadline=None)
@given(data=slices, method=st.sampled_from(METHODS))
@example(data=(np.repeat([1.0, 0.0], 6), np.tile([False, True], 6)), method="temperature")
def test_order_is_kept_and_probabilities_stay_probabilities(data: tuple[np.ndarray, np.ndarray], method: str) -> None:
    calibration = fit_calibration(method, *data)  # pyright: ignore
    calibrated = apply_calibration(calibration, GRID)
    assert calibration.scale > 0.0
    assert ((calibrated >= 0.0) & (calibrated <= 1.0)).all()
    assert (np.diff(calibrated) >= -1e-15).all()


@settings(max_examples=40, deadline=None)
@given(data=slices, method=st.sampled_from(METHODS))
def test_json_round_trip_to_the_last_bit(data: tuple[np.ndarray, np.ndarray], method: str) -> None:
    calibration = fit_calibration(method, *data)  # pyright: ignore
    back = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict(), allow_nan=False)))
    assert back == calibration
    assert (apply_calibration(back, GRID) == apply_calibration(calibration, GRID)).all()


def test_single_precision_is_read_as_double() -> None:
    p, label = miscalibrated(7, 200, 0.6, 0.2)
    single = p.astype(np.float32)
    assert fit_calibration("temperature", single, label) == fit_calibration("temperature", single.astype(float), label)
    assert apply_calibration(identity(), single).dtype == np.float64


def test_a_damaged_dict_is_refused() -> None:
    stored = identity().to_dict()
    with pytest.raises(InputError, match="exactly the keys"):
        Calibration.from_dict({key: value for key, value in stored.items() if key != "scale"})
    with pytest.raises(InputError, match="exactly the keys"):
        Calibration.from_dict(stored | {"slope": 1.0})
    with pytest.raises(InputError, match=r"calibration\.method must be one of .*, got 'spline'"):
        Calibration.from_dict(stored | {"method": "spline"})
