import pytest

from twofold.vae import score
from twofold.vae.report import wording

KEYS = {"rate_nats": (182.34, 1.213), "distortion_nats": (-17134.62, 38.4), "bits_per_dim": (None, None)}
BLOCK = {name: value for name, (value, _) in KEYS.items()} | {
    "active_units": 54,
    "standard_errors": {name: error for name, (_, error) in KEYS.items()},
}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("rate_nats", "182.3 ± 1.2"),
        ("distortion_nats", "−17,135 ± 38"),
        ("bits_per_dim", "–"),
        ("active_units", "54"),
        ("marginal_kl_nats", "–"),
    ],
)
def test_a_score_is_rounded_to_what_its_error_allows(key: str, text: str) -> None:
    assert wording.score(BLOCK, key) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.00371, 0.000082, "0.003710 ± 0.000082"),
        (5.3, 0.0, "5.300"),
        (5.3, None, "5.300"),
        (4.043051267804361, 3e-11, "4.043"),
        (0.0, None, "0"),
        (float("nan"), 1.0, "–"),
        (5.3, float("inf"), "5.300"),
    ],
)
def test_a_missing_or_odd_error_leaves_the_figure_alone(value: float, error: float | None, text: str) -> None:
    assert wording.measured(value, error) == text


def test_directions_are_those_of_the_scores() -> None:
    assert {key for key, words in wording.SCORES.items() if words.arrow == "↓"} == {
        "negative_elbo_nats",
        "bits_per_dim",
        "iw_bound_nats",
        "marginal_kl_nats",
        "mse",
    }
    assert not [key for key, words in wording.SCORES.items() if words.higher]


def test_the_variance_of_an_active_unit_is_the_one_that_is_counted_with() -> None:
    assert f"variance of {score.ACTIVE_VARIANCE}" in wording.SCORES["active_units"].meaning


def test_every_term_is_one_line() -> None:
    assert len(dict(wording.TERMS)) == len(wording.TERMS)
    assert all(len(text) < 110 and text.endswith(".") for _, text in wording.TERMS)


def test_no_bits_have_a_reason() -> None:
    scores = {"test": {"bits_per_dim": None}, "likelihood": {"name": "bernoulli"}}
    assert "Bernoulli" in wording.no_bits(scores)
    assert wording.no_bits({"test": {"bits_per_dim": 4.2}, "likelihood": {"name": "gaussian"}}) == ""
