from twofold.vae import score
from twofold.vae.report import wording


def test_directions_are_those_of_the_scores() -> None:
    lower = {key for key, words in wording.SCORES.items() if words.arrow == "↓"}
    assert lower == {"negative_elbo_nats", "bits_per_dim", "iw_bound_nats", "marginal_kl_nats", "mse"}
    assert not [key for key, words in wording.SCORES.items() if words.higher]


def test_the_variance_of_an_active_unit_is_that_of_the_scores() -> None:
    assert f"variance above {score.ACTIVE_VARIANCE}" in wording.SCORES["active_units"].meaning
