"""What a run's likelihood and beta are worth, and with what its scores may be compared."""

from twofold.vae.report.wording import Scores, figure, likelihood, plural, setting, values


def density(scores: Scores) -> str:
    """What the likelihood's nats are, and what they compare with."""
    name = scores["likelihood"]["name"]
    if name == "bernoulli":
        return (
            "The Bernoulli likelihood takes a grey value for the probability of white. It is no density on grey "
            "values: the masses of the 256 levels don't add up to 1. Its “nats” are a loss, not a cost, and there are "
            "no bits per dimension."
        )
    if scores["likelihood"]["is_density"]:
        return (
            f"The likelihood ({likelihood(name)}) is a density on pixels scaled to [0,\u00a01]. A density may exceed "
            "1, so distortion and negative ELBO may be below 0. Bits per dimension use the probability of each 8-bit "
            "level instead."
        )
    return (
        f"The likelihood ({likelihood(name)}) gives a probability to each of the 256 levels of a value, so distortion "
        "is a true cost in nats and can't be below 0."
    )


def comparable(scores: Scores) -> str:
    """What the scores may be compared with."""
    name = scores["likelihood"]["name"]
    if name == "bernoulli":
        return (
            "Distortion and negative ELBO compare with those of other Bernoulli runs on the same images and with "
            "nothing else: not with nats of another likelihood, nor with a true cost."
        )
    if scores["likelihood"]["is_density"]:
        return (
            "Distortion and negative ELBO are in nats of a density: only their differences between runs on the same "
            "images, scaled alike, mean something. For other likelihoods or sizes compare bits per dimension."
        )
    return "Nats compare between runs on the same images; for images of another size compare bits per dimension."


def weight(scores: Scores) -> str:
    """What beta is worth, in the one unit that compares between runs."""
    beta, sigma = setting(scores["objective"]["beta"]), scores["test"]["sigma"]
    name = scores["likelihood"]["name"]
    if sigma is None:
        return (
            f"Beta is {beta}, against a cross-entropy summed over {plural(values(scores), 'value')} of an image. A "
            "loss that averages over the values instead would need beta divided by that number for the same network, "
            "so “KL × 100” means nothing until that is told."
        )
    about = "about " if name == "logistic" else ""
    words = (
        f"Up to a constant the loss is {about}squared error / (2 sigma²) + beta × KL, so the KL term weighs "
        f"beta × sigma² = {figure(scores['objective']['effective_weight'], 3)} against half the squared error. “KL × "
        "100” means nothing without sigma: beta = 100 at sigma = 0.1 and beta = 1 at sigma = 1 have the same optimum."
    )
    return words if name == "gaussian_fixed" else f"{words} Here sigma is learned, and it answers to beta."


def other_beta(scores: Scores) -> str:
    """What a beta other than 1 means for the scores; empty at 1."""
    beta = scores["objective"]["beta"]
    if beta == 1:
        return ""
    if beta == 0:
        return (
            "Beta is 0: nothing drew the codes towards the prior, so draws from the prior need not look like anything. "
            "The negative ELBO still counts the rate in full."
        )
    more = "more" if beta > 1 else "less"
    return (
        f"Beta is {setting(beta)}: training paid {more} for the rate than the ELBO does. The negative ELBO here counts "
        "it once, so it is not what training minimised."
    )
