from twofold.vae import score
from twofold.vae.report import wording


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
