import json
import math
from pathlib import Path
from typing import Any

import pytest

from twofold.vae import account
from twofold.vae.report import findings
from vae.report.showing import run_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("runs"), size=16, latent=8, test=20)


@pytest.fixture
def scores(made: Path) -> dict[str, Any]:
    return json.loads((made / "scores.json").read_text())


def _with(scores: dict[str, Any], block: str, **changes: Any) -> dict[str, Any]:
    return scores | {block: scores[block] | changes}


def test_the_verdict_is_made_from_the_figures(scores: dict[str, Any]) -> None:
    text = findings.verdict(_with(scores, "test", bits_per_dim=3.21, active_units=5, mi_at_cap=True))
    assert "costs 3.2100 ± 0.0046 bits per dimension" in text
    assert "5 of its 8 units are active" in text and "at least" in text and "the most that 20 images can show" in text
    below = findings.verdict(_with(scores, "test", mutual_information_nats=1.5, mi_at_cap=False, active_units=1))
    assert "1 of its 8 units is active" in below and "tells 1.500 nats about the image." in below
    assert "at least" not in below


def test_a_verdict_without_bits_gives_both_terms(scores: dict[str, Any]) -> None:
    text = findings.verdict(_with(scores, "test", bits_per_dim=None))
    assert "the rate is" in text and "the distortion" in text and "bits per dimension" not in text


@pytest.mark.parametrize(
    ("active", "rate", "collapsed", "words"),
    [
        (0, 30.0, True, "Posterior collapse: none of the 8 units"),
        (3, 0.5, True, "no more than 1.6 images apart"),
        (3, 30.0, False, "4 of 8 units (50\u00a0%) have collapsed"),
    ],
)
def test_collapse_is_told_by_active_units_and_rate(
    scores: dict[str, Any], active: int, rate: float, collapsed: bool, words: str
) -> None:
    changed = _with(scores, "test", active_units=active, rate_nats=rate) | {"kl_units_collapsed": 4}
    assert findings.collapsed(changed) == collapsed
    assert words in findings.collapse(changed)
    assert (words in findings.verdict(changed)) == collapsed


def test_no_collapsed_unit_is_said_too(scores: dict[str, Any]) -> None:
    assert findings.collapse(scores | {"kl_units_collapsed": 0}).startswith("No unit of the code has collapsed")


@pytest.mark.parametrize(
    ("gap", "error", "told"),
    [
        (100.0, 30.0, "Over-fitting: test images cost 100 ± 42 nats an image more"),
        (80.0, 30.0, "No over-fitting shown: test images cost 80 ± 42 nats an image more"),
        (-80.0, 30.0, "No over-fitting shown: test images cost 80 ± 42 nats an image less"),
        (-100.0, 30.0, "No over-fitting: test images even cost 100 ± 42 nats an image less"),
        (100.0, None, "without standard errors"),
    ],
)
def test_over_fitting_needs_two_standard_errors(
    scores: dict[str, Any], gap: float, error: float | None, told: str
) -> None:
    errors = scores["test"]["standard_errors"] | {"negative_elbo_nats": error}
    changed = _with(scores, "test", negative_elbo_nats=-500 + gap, standard_errors=errors)
    changed = _with(changed, "train_sample", negative_elbo_nats=-500.0, standard_errors=errors)
    assert told in findings.overfitting(changed)
    assert findings.overfitted(changed) == told.startswith("Over-fitting")
    assert (findings.overfitting(changed) in findings.warnings(changed)) == findings.overfitted(changed)


def test_information_at_its_cap_is_no_measurement(scores: dict[str, Any]) -> None:
    cap = math.log(20)
    at = _with(scores, "test", mutual_information_nats=cap, mi_cap_nats=cap, mi_images=20, mi_at_cap=True)
    assert "at the cap" in findings.information(at) and "log 20 = 2.996" in findings.information(at)
    assert findings.marginal(at).startswith("At most")
    below = _with(at, "test", mutual_information_nats=cap - math.log(4), mi_at_cap=False)
    assert "narrows 20 images down to about 4.00" in findings.information(below)
    assert not findings.marginal(below).startswith("At most")
    nothing = _with(at, "test", mutual_information_nats=-0.001, mi_at_cap=False)
    assert "not clearly above 0" in findings.information(nothing) and "narrows" not in findings.information(nothing)


@pytest.mark.parametrize(
    ("told", "rate", "words"),
    [
        (2.0, 3.0, "I ≤ R holds on the same 20 images: 2.000 ≤ 3.000"),
        (2.01, 2.0, "does not hold on the same 20 images: 2.010 > 2.000 nats, within 2 standard errors"),
        (3.0, 2.0, "by more than the estimate's noise"),
    ],
)
def test_the_sandwich_is_checked_on_the_same_images(
    scores: dict[str, Any], told: float, rate: float, words: str
) -> None:
    changed = _with(scores, "test", mutual_information_nats=told, mi_rate_nats=rate, rate_nats=99.0)
    assert words in findings.sandwich(changed)


def test_the_tighter_bound_is_compared_on_its_own_images(scores: dict[str, Any]) -> None:
    changed = _with(
        scores, "test", negative_elbo_nats=0.0, iw_negative_elbo_nats=-100.0, iw_bound_nats=-112.5,
        iw_effective_samples=2.04,
    )  # fmt: skip
    assert "lowers the bound by 12.50 nats" in findings.tighter(changed)
    assert "2.0 count" in findings.tighter(changed) and "So few draws" in findings.tighter(changed)
    assert "So few draws" not in findings.tighter(_with(changed, "test", iw_effective_samples=40.0))


def test_many_close_samples_are_a_warning_and_few_are_not(scores: dict[str, Any]) -> None:
    few = _with(scores, "memorisation", closer_than_test=3 / 16)
    many = _with(scores, "memorisation", closer_than_test=4 / 16)
    assert "no sign of copying" in findings.memorisation(few)
    assert findings.memorisation(_with(scores, "memorisation", closer_than_test=0.0)).startswith(
        "No sample lies closer"
    )
    assert "more than chance" in findings.memorisation(many)
    assert findings.memorisation(many) in findings.warnings(many)
    assert findings.memorisation(few) not in findings.warnings(few)


def test_errors_are_told_in_levels(scores: dict[str, Any]) -> None:
    assert "off by 25.5 of 255 levels" in findings.error(_with(scores, "test", mse=0.01))
    assert "sigma = 0.200 (51.0 of 255 levels)" in findings.blur(_with(scores, "test", sigma=0.2))
    assert "sigma" not in findings.blur(_with(scores, "test", sigma=None))


def test_the_end_of_training_is_told(scores: dict[str, Any]) -> None:
    assert "30 epochs and stopped early" in findings.ended(_with(scores, "training", stopped_early=True))
    assert "stopped" not in findings.ended(scores)


def test_thresholds_are_those_that_the_run_counted_with() -> None:
    assert findings.UNIT_FLOOR == account.COLLAPSED_NATS


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (3.0, "The network beats probabilistic PCA"),
        (3.9, "can't be told apart"),
        (4.2, "The network loses to probabilistic PCA"),
    ],
)
def test_the_linear_model_is_told_whoever_wins(scores: dict[str, Any], bits: float, words: str) -> None:
    errors = scores["test"]["standard_errors"] | {"bits_per_dim": 0.01}
    changed = _with(scores, "test", bits_per_dim=bits, standard_errors=errors)
    linear = changed["linear"] | {"bits_per_dim": 3.9, "standard_errors": errors}
    changed = changed | {"linear": linear}
    assert words in findings.linear(changed)
    assert (findings.linear(changed) in findings.warnings(changed)) == (bits > 3.9)


def test_without_bits_the_squared_error_is_compared(scores: dict[str, Any]) -> None:
    told = findings.linear(_with(scores, "test", bits_per_dim=None))
    assert "in squared error" in told
