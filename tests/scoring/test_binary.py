"""Scores against hand-worked values, the reliability table against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import calibration_curve

from twofold.engine.errors import InputError
from twofold.scoring import binary as score
from twofold.scoring.bootstrap import SCORES
from twofold.trend.report import wording

# Four windows: true positive, false positive, false negative, true negative; each in a bin of its own.
P = np.array([0.9, 0.6, 0.4, 0.2])
UP = np.array([True, False, True, False])


def test_scores_by_hand() -> None:
    values = score.scores(P, UP)
    brier = (0.1**2 + 0.6**2 + 0.6**2 + 0.2**2) / 4
    assert values == pytest.approx(
        {
            "accuracy": 0.5,
            "balanced_accuracy": 0.5,
            "mcc": 0.0,
            "roc_auc": 3 / 4,  # 0.9 above both, 0.4 above 0.2 only
            "pr_auc": (1 + 2 / 3) / 2,  # the ups are first and third
            "brier_score": brier,
            "brier_skill": 1 - brier / 0.25,
            "log_score": -(math.log(0.9) + math.log(0.4) + math.log(0.4) + math.log(0.8)) / 4,
            "ece": (0.1 + 0.6 + 0.6 + 0.2) / 4,
        }
    )


def test_unbalanced_classes_by_hand() -> None:
    label = np.array([True, True, True, False, False])
    values = score.scores(np.array([0.7, 0.8, 0.3, 0.1, 0.6]), label)  # TP 2, FN 1, TN 1, FP 1
    assert values["accuracy"] == pytest.approx(3 / 5)
    assert values["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert values["mcc"] == pytest.approx((2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2))


def test_a_half_is_classified_as_not_up() -> None:
    assert score.scores(np.array([0.5, 0.5]), np.array([True, False]))["accuracy"] == 0.5
    assert score.scores(np.array([0.5, 0.5]), np.array([False, False]))["accuracy"] == 1.0


def test_tied_probabilities_count_half_in_auc() -> None:
    assert score.scores(np.array([0.4, 0.4, 0.4]), np.array([True, False, False]))["roc_auc"] == 0.5


def test_a_constant_forecast_has_no_skill() -> None:
    values = score.scores(np.full(10, 0.3), np.arange(10) < 3)
    assert values["mcc"] == 0.0
    assert values["balanced_accuracy"] == 0.5
    assert values["roc_auc"] == 0.5
    assert values["pr_auc"] == pytest.approx(0.3)
    assert values["brier_skill"] == pytest.approx(0.0)
    assert values["ece"] == pytest.approx(0.0)


def test_certainty_is_clipped_in_the_log_score_only() -> None:
    values = score.scores(np.array([0.0, 1.0]), np.array([True, False]))
    assert values["log_score"] == pytest.approx(-math.log(1e-6))
    assert values["brier_score"] == 1.0
    assert score.scores(np.array([1.0, 0.0]), np.array([True, False]))["log_score"] == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("label", [np.ones(4, bool), np.zeros(4, bool)])
def test_one_class_leaves_scores_that_need_two_undefined(label: np.ndarray) -> None:
    values = score.scores(P, label)
    undefined = {name for name, value in values.items() if value is None}
    assert undefined == {"balanced_accuracy", "mcc", "roc_auc", "pr_auc", "brier_skill"}


def test_empty_set_has_no_scores() -> None:
    assert score.scores(P[:0], UP[:0]) == dict.fromkeys(SCORES)
    assert score.reliability(P[:0], UP[:0]) == []


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan, np.inf])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match=r"probability must lie in \[0, 1\], got .* in window 1"):
        score.scores(np.array([0.2, wrong]), np.array([True, False]))


def test_direction_names_every_score_and_points_to_the_better_forecast() -> None:
    good, bad = score.scores(np.array([0.9, 0.2, 0.8, 0.1]), UP), score.scores(np.array([0.3, 0.6, 0.2, 0.9]), UP)
    assert tuple(score.DIRECTION) == SCORES == tuple(good)
    for name, direction in score.DIRECTION.items():
        a, b = good[name], bad[name]
        assert a is not None and b is not None
        assert direction * (a - b) > 0, name


def test_single_precision_scores_as_its_double() -> None:
    p = np.random.default_rng(0).random(50).astype(np.float32)
    label = np.arange(50) % 3 == 0
    assert score.scores(p, label) == score.scores(p.astype(np.float64), label)


def test_ece_of_a_calibrated_simulation_is_near_zero_and_of_a_shifted_one_is_the_shift() -> None:
    generator = np.random.default_rng(1)
    p = 0.1 + 0.7 * generator.random(40_000)
    label = generator.random(p.size) < p
    near, shifted = score.scores(p, label)["ece"], score.scores(p + 0.2, label)["ece"]
    assert near is not None and near < 0.01
    assert shifted == pytest.approx(0.2, abs=0.01)


def test_log_and_brier_scores_are_proper() -> None:
    generator = np.random.default_rng(2)
    truth = generator.random(20_000)
    label = generator.random(truth.size) < truth
    calibrated = score.scores(truth, label)
    for distorted in (truth**2, np.sqrt(truth), np.clip(1.5 * truth - 0.25, 0.01, 0.99)):
        values = score.scores(distorted, label)
        assert all((values[name] or 0.0) > (calibrated[name] or 0.0) for name in ("log_score", "brier_score"))


def test_reliability_by_hand() -> None:
    rows = score.reliability(np.array([0.0, 0.1, 0.15, 1.0]), np.array([False, True, True, False]))
    assert [row["windows"] for row in rows] == [2, 1, 1]  # an edge belongs to the bin below it
    assert rows[0] == {"low": 0.0, "high": 0.1, "mean_probability": 0.05, "share_up": 0.5, "windows": 2}
    assert (rows[2]["low"], rows[2]["high"], rows[2]["share_up"]) == (0.9, 1.0, 0.0)


@given(p=hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)), bins=st.integers(1, 12))
def test_reliability_agrees_with_scikit_learn_and_with_ece(p: np.ndarray, bins: int) -> None:
    label = np.arange(p.size) % 3 == 0
    rows = score.reliability(p, label, bins)
    if label.any() and not label.all():
        share, mean = calibration_curve(label, p, n_bins=bins)
        np.testing.assert_allclose([row["share_up"] for row in rows], share)
        np.testing.assert_allclose([row["mean_probability"] for row in rows], mean)
    tens = score.reliability(p, label)
    assert sum(row["windows"] for row in tens) == p.size
    by_table = sum(row["windows"] * abs(row["mean_probability"] - row["share_up"]) for row in tens) / p.size
    assert score.scores(p, label)["ece"] == pytest.approx(by_table, abs=1e-12)


def test_the_report_agrees_on_the_better_direction() -> None:
    assert {name: words.higher for name, words in wording.SCORES.items()} == {
        name: direction == 1 for name, direction in score.DIRECTION.items()
    }
