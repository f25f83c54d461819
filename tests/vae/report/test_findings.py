"""The words of findings.html.j2, which are made from figures and judgements."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from page.reading import read as read_html
from twofold.page import template
from twofold.vae.report import judgements, run, wording
from vae.report.showing import run_folder

Scores = dict[str, Any]
Say = Callable[[str, Scores], str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("runs"), size=16, latent=8, test=20)


@pytest.fixture
def scores(made: Path) -> Scores:
    return json.loads((made / "scores.json").read_text())


@pytest.fixture(scope="module")
def say(made: Path) -> Say:
    """One finding's text, as a browser shows it."""
    view = run.read(made)
    macros = template._environment().get_template("vae/report/findings.html.j2")

    def said(finding: str, scores: Scores) -> str:
        names = {"view": replace(view, scores=scores), "scores": scores, "test": scores["test"]}
        found = macros.make_module(names | {"words": wording, "judge": judgements})
        return re.sub(r"[ \n]+", " ", read_html(getattr(found, finding)()).text)

    return said


def _with(scores: Scores, block: str, **changes: Any) -> Scores:
    return scores | {block: scores[block] | changes}


def _flaws(made: Path, scores: Scores) -> list[str]:
    return replace(run.read(made), scores=scores).flaws


def test_the_verdict_is_made_from_the_figures(say: Say, scores: Scores) -> None:
    text = say("verdict", _with(scores, "test", bits_per_dim=3.21, active_units=5, mi_at_cap=True))
    assert text.startswith("A test image costs 3.2100 ± 0.0046 bits per dimension, with a rate of ")
    assert "nats. The code is in use: 5 of its 8 units are active, and it tells at least" in text
    assert text.endswith("nats about the image, the most that 20 images can show.")
    below = say("verdict", _with(scores, "test", mutual_information_nats=1.5, mi_at_cap=False, active_units=1))
    assert "1 of its 8 units is active" in below and "tells 1.500 nats about the image." in below
    assert "at least" not in below


def test_a_verdict_without_bits_gives_both_terms(say: Say, scores: Scores) -> None:
    text = say("verdict", _with(scores, "test", bits_per_dim=None))
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
    *, say: Say, scores: Scores, active: int, rate: float, collapsed: bool, words: str
) -> None:
    changed = _with(scores, "test", active_units=active, rate_nats=rate) | {"kl_units_collapsed": 4}
    assert words in say("collapse", changed)
    assert (words in say("verdict", changed)) == collapsed


def test_no_collapsed_unit_is_said_too(say: Say, scores: Scores) -> None:
    assert say("collapse", scores | {"kl_units_collapsed": 0}).startswith("No unit of the code has collapsed")


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
    *, say: Say, made: Path, scores: Scores, gap: float, error: float | None, told: str
) -> None:
    errors = scores["test"]["standard_errors"] | {"negative_elbo_nats": error}
    changed = _with(scores, "test", negative_elbo_nats=-500 + gap, standard_errors=errors)
    changed = _with(changed, "train_sample", negative_elbo_nats=-500.0, standard_errors=errors)
    assert told in say("overfitting", changed)
    assert ("overfitting" in _flaws(made, changed)) == told.startswith("Over-fitting")


def test_information_at_its_cap_is_no_measurement(say: Say, scores: Scores) -> None:
    cap = math.log(20)
    at = _with(scores, "test", mutual_information_nats=cap, mi_cap_nats=cap, mi_images=20, mi_at_cap=True)
    assert "at the cap" in say("information", at) and "log 20 = 2.996" in say("information", at)
    assert say("marginal", at).startswith("At most")
    below = _with(at, "test", mutual_information_nats=cap - math.log(4), mi_at_cap=False)
    assert "narrows 20 images down to about 4.00" in say("information", below)
    assert not say("marginal", below).startswith("At most")
    nothing = _with(at, "test", mutual_information_nats=-0.001, mi_at_cap=False)
    assert "not clearly above 0" in say("information", nothing) and "narrows" not in say("information", nothing)


@pytest.mark.parametrize(
    ("told", "rate", "words"),
    [
        (2.0, 3.0, "I ≤ R holds on the same 20 images: 2.000 ≤ 3.000"),
        (2.01, 2.0, "does not hold on the same 20 images: 2.010 > 2.000 nats, within 2 standard errors"),
        (3.0, 2.0, "by more than the estimate's noise"),
    ],
)
def test_the_sandwich_is_checked_on_the_same_images(
    say: Say, scores: Scores, told: float, rate: float, words: str
) -> None:
    changed = _with(scores, "test", mutual_information_nats=told, mi_rate_nats=rate, rate_nats=99.0)
    assert words in say("inequality", changed)


def test_the_tighter_bound_is_compared_on_its_own_images(say: Say, scores: Scores) -> None:
    changed = _with(
        scores, "test", negative_elbo_nats=0.0, iw_negative_elbo_nats=-100.0, iw_bound_nats=-112.5,
        iw_effective_samples=2.04,
    )  # fmt: skip
    assert "lowers the bound by 12.50 nats" in say("tighter", changed)
    assert "2.0 count" in say("tighter", changed) and "So few draws" in say("tighter", changed)
    assert "So few draws" not in say("tighter", _with(changed, "test", iw_effective_samples=40.0))


def test_many_close_samples_are_a_warning_and_few_are_not(say: Say, made: Path, scores: Scores) -> None:
    few = _with(scores, "memorisation", closer_than_test=3 / 16)
    many = _with(scores, "memorisation", closer_than_test=4 / 16)
    none = _with(scores, "memorisation", closer_than_test=0.0)
    assert "no sign of copying" in say("memorisation", few) and "more than chance" in say("memorisation", many)
    assert say("memorisation", none).startswith("No sample lies closer")
    assert "memorisation" in _flaws(made, many) and "memorisation" not in _flaws(made, few)


def test_what_a_pixel_leaves_open_is_told_in_levels(say: Say, scores: Scores) -> None:
    assert "sigma = 0.200 (51.0 of 255 levels)" in say("blur", _with(scores, "test", sigma=0.2))
    assert "sigma" not in say("blur", _with(scores, "test", sigma=None))


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (3.0, "The network beats probabilistic PCA"),
        (3.9, "can't be told apart"),
        (4.2, "The network loses to probabilistic PCA"),
    ],
)
def test_the_linear_model_is_told_whoever_wins(say: Say, made: Path, scores: Scores, bits: float, words: str) -> None:
    errors = scores["test"]["standard_errors"] | {"bits_per_dim": 0.01}
    changed = _with(scores, "test", bits_per_dim=bits, standard_errors=errors)
    changed = _with(changed, "linear", bits_per_dim=3.9, standard_errors=errors)
    assert words in say("linear", changed)
    assert ("linear" in _flaws(made, changed)) == (bits > 3.9)


def test_without_bits_the_squared_error_is_compared(say: Say, scores: Scores) -> None:
    assert "in squared error" in say("linear", _with(scores, "test", bits_per_dim=None))


def _trained(scores: Scores, name: str, beta: float, sigma: float | None = 0.1) -> Scores:
    likelihood = {"name": name, "is_density": name.startswith("gaussian"), "sigma": sigma}
    weight = None if sigma is None else beta * sigma**2
    changed = _with(scores, "objective", beta=beta, effective_weight=weight) | {"likelihood": likelihood}
    return _with(changed, "test", sigma=sigma)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bernoulli", "with nothing else"),
        ("gaussian", "nats of a density"),
        ("gaussian_fixed", "nats of a density"),
        ("logistic", "images of another size"),
    ],
)
def test_what_compares_is_told_by_likelihood(say: Say, scores: Scores, name: str, words: str) -> None:
    assert words in say("comparable", _trained(scores, name, 1.0))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bernoulli", "no density on grey values"),
        ("gaussian", "may be below 0"),
        ("gaussian_fixed", "may be below 0"),
        ("logistic", "can't be below 0"),
    ],
)
def test_nats_are_told_by_likelihood(scores: Scores, name: str, words: str) -> None:
    macros = template._environment().get_template("vae/report/blocks.html.j2").make_module({"words": wording})
    assert words in read_html(macros.density(_trained(scores, name, 1.0)["likelihood"])).text


@pytest.mark.parametrize(
    ("name", "about", "learned"),
    [("gaussian_fixed", False, False), ("gaussian", False, True), ("logistic", True, True)],
)
def test_beta_is_told_by_what_it_weighs(say: Say, scores: Scores, name: str, about: bool, learned: bool) -> None:
    text = say("weight", _trained(scores, name, 100.0))
    assert "beta × sigma² = 1.00 " in text
    assert ("about squared error" in text) == about
    assert ("sigma is learned" in text) == learned


def test_without_sigma_beta_is_told_by_the_sum_of_the_values(say: Say, scores: Scores) -> None:
    text = say("weight", _trained(scores, "bernoulli", 100.0, sigma=None))
    assert "Beta is 100" in text and "summed over 768 values" in text


@pytest.mark.parametrize(
    ("beta", "words"),
    [(0.0, "Beta is 0: nothing drew"), (0.5, "paid less"), (100.0, "Beta is 100: training paid more")],
)
def test_another_beta_than_1_is_named(say: Say, scores: Scores, beta: float, words: str) -> None:
    assert words in say("other_beta", _trained(scores, "gaussian", beta))


def test_a_beta_of_1_needs_no_word(say: Say, scores: Scores) -> None:
    assert say("other_beta", _trained(scores, "gaussian", 1.0)) == ""


def test_no_bits_have_a_reason(say: Say, scores: Scores) -> None:
    assert "Bernoulli" in say("no_bits", _trained(scores, "bernoulli", 1.0))
