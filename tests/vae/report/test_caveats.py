import json
from typing import Any

import pytest

from twofold.vae.report import caveats
from vae.report.showing import run_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = run_folder(tmp_path_factory.mktemp("runs"), size=16, latent=8, test=20)
    return (folder / "scores.json").read_text()


def _scores(made: str, name: str, beta: float, sigma: float | None = 0.1) -> dict[str, Any]:
    scores = json.loads(made)
    scores["likelihood"] = {"name": name, "is_density": name.startswith("gaussian"), "sigma": sigma}
    scores["test"]["sigma"] = sigma
    scores["objective"] |= {"beta": beta, "effective_weight": None if sigma is None else beta * sigma**2}
    return scores


@pytest.mark.parametrize(
    ("name", "density", "comparable"),
    [
        ("bernoulli", "no density on grey values", "with nothing else"),
        ("gaussian", "may be below 0", "nats of a density"),
        ("gaussian_fixed", "may be below 0", "nats of a density"),
        ("logistic", "can't be below 0", "images of another size"),
    ],
)
def test_nats_are_told_by_likelihood(made: str, name: str, density: str, comparable: str) -> None:
    scores = _scores(made, name, 1.0)
    assert density in caveats.density(scores)
    assert comparable in caveats.comparable(scores)


@pytest.mark.parametrize(
    ("name", "about", "learned"),
    [("gaussian_fixed", False, False), ("gaussian", False, True), ("logistic", True, True)],
)
def test_beta_is_told_by_what_it_weighs(made: str, name: str, about: bool, learned: bool) -> None:
    text = caveats.weight(_scores(made, name, 100.0))
    assert "beta × sigma² = 1.00 " in text
    assert ("about squared error" in text) == about
    assert ("sigma is learned" in text) == learned


def test_without_sigma_beta_is_told_by_the_sum_of_the_values(made: str) -> None:
    text = caveats.weight(_scores(made, "bernoulli", 100.0, sigma=None))
    assert "Beta is 100" in text and "summed over 768 values" in text


@pytest.mark.parametrize(
    ("beta", "words"),
    [(0.0, "Beta is 0: nothing drew"), (0.5, "paid less"), (100.0, "Beta is 100: training paid more")],
)
def test_another_beta_than_1_is_named(made: str, beta: float, words: str) -> None:
    assert words in caveats.other_beta(_scores(made, "gaussian", beta))


def test_a_beta_of_1_needs_no_word(made: str) -> None:
    assert caveats.other_beta(_scores(made, "gaussian", 1.0)) == ""
