"""What scores, terms, likelihoods and parts are called in a report, and how a measured figure is written."""

import math
from collections.abc import Mapping
from typing import Any

from twofold.page import numbers
from twofold.page.words import ScoreWords

Scores = Mapping[str, Any]
"""A run's scores.json."""


SCORES: dict[str, ScoreWords] = {
    "negative_elbo_nats": ScoreWords(
        "Negative ELBO, nats an image",
        False,
        "Rate + distortion, each counted once whatever beta was trained with. It is never below what the best code "
        "for these images would cost (minus their log likelihood under the model).",
    ),
    "rate_nats": ScoreWords(
        "Rate R, nats an image",
        None,
        "KL divergence of the code's distribution q(z|x) from the prior p(z): what it costs to tell the code. Low is "
        "cheap and says little of the image, high is dear and may say much.",
    ),
    "distortion_nats": ScoreWords(
        "Distortion D, nats an image",
        None,
        "Minus the log likelihood of the pixels given the code: what it costs to tell what the decoded image leaves "
        "open. Of two models with the same rate and likelihood, the one with less is better.",
    ),
    "bits_per_dim": ScoreWords(
        "Bits per dimension",
        False,
        "The negative ELBO of the 8-bit image, in bits, over its number of values (pixels × channels). An image "
        "stored as it is takes 8. The one figure here that compares across likelihoods and image sizes.",
    ),
    "iw_bound_nats": ScoreWords(
        "Importance-weighted bound, nats an image",
        False,
        "As the negative ELBO, but tighter: K draws of the code are weighted by how well they explain the image "
        "(Burda et al. 2016). The gap between the two is what the encoder's simple shape costs.",
    ),
    "mutual_information_nats": ScoreWords(
        "Information I(x;z), nats",
        None,
        "How much a draw of the code tells about which image it came from. At most the rate, and at most the "
        "logarithm of the number of images it is measured on: e^I images can be told apart.",
    ),
    "marginal_kl_nats": ScoreWords(
        "Marginal KL, nats",
        False,
        "Rate minus information: how far the codes of all images together are from the prior. Where it is large, "
        "draws from the prior fall where no image's code lies.",
    ),
    "active_units": ScoreWords(
        "Active units",
        None,
        "Units of the code whose mean moves by more than a variance of 0.01 from image to image (Burda et al. 2016).",
    ),
    "mse": ScoreWords(
        "Squared error",
        False,
        "Mean squared difference between the values of an image's pixels, in [0,\u00a01], and those decoded.",
    ),
}
"""The scores in the order of the table's rows."""

UNSEEN = 1e-5
"""Share of a figure below which its standard error is not written."""
TERMS = (
    ("Code, latent z", "the few numbers that the encoder squeezes an image into and the decoder draws it from."),
    ("Posterior q(z|x)", "the encoder's answer to an image: a normal distribution of codes, not one code."),
    ("Prior p(z)", "the standard normal distribution, which the codes of all images together should resemble."),
    ("Nat", "a unit of information, like the bit, by the natural logarithm: 1 nat is 1.44 bits."),
    ("Rate R", "what it costs to tell the code: the KL divergence of q(z|x) from p(z)."),
    ("Distortion D", "what it costs to tell the pixels once the code is known: minus log p(x|z)."),
    ("Negative ELBO", "rate + distortion: never below the cost of the image under the model, minus log p(x)."),
    ("Bits per dimension", "the cost of the 8-bit image in bits, over its number of values (pixels × channels)."),
    ("Beta", "how often training counts the rate; at 1 it minimises the negative ELBO."),
    ("Sigma", "standard deviation that the model gives a value around the decoded one, with 1 for white."),
    ("Information I(x;z)", "how much a draw of the code tells about which image it came from."),
    ("Active unit", "a number of the code that changes with the image; the others tell nothing."),
)
"""Each term that a reader new to the subject needs, in a line."""

LIKELIHOODS = {
    "gaussian": "normal, one learned sigma for all pixels",
    "gaussian_fixed": "normal, fixed sigma",
    "logistic": "discretised logistic, one learned scale for all pixels",
    "bernoulli": "Bernoulli",
}
BLOCKS = {"test": "Test", "validation": "Validation", "train_sample": "Trained on", "linear": "Linear model, test"}
"""The sets of images that scores.json holds scores of."""
PARTS = {"train": "training", "validation": "validation", "test": "test"}


def likelihood(name: str) -> str:
    """A likelihood's name in words."""
    return LIKELIHOODS.get(name, name)


def part(name: str) -> str:
    """A part of the split in words.

    Example:
        >>> part("train")
        'training'
    """
    return PARTS.get(name, name.replace("_", " "))


def shape(sizes: list[int]) -> str:
    """The shape of an array.

    Example:
        >>> shape([3, 64, 64])
        '3 × 64 × 64'
    """
    return " × ".join(f"{size:,}" for size in sizes)


def plural(number: int, one: str, many: str | None = None) -> str:
    """A count and what it counts.

    Example:
        >>> plural(1, "unit"), plural(2000, "unit")
        ('1 unit', '2,000 units')
    """
    return f"{numbers.count(number)} {one if number == 1 else many or one + 's'}"


def setting(value: float) -> str:
    """A figure that was chosen, as it was chosen.

    Example:
        >>> setting(1.0), setting(0.25)
        ('1', '0.25')
    """
    return f"{value:g}".replace("-", numbers.MINUS)


def figure(value: float | None, digits: int = 4) -> str:
    """A figure without a standard error, to some significant digits.

    Example:
        >>> figure(-17134.6), figure(5.3181), figure(0.00376, 2)
        ('−17,135', '5.318', '0.0038')
    """
    if value is None or not math.isfinite(value) or value == 0:
        return numbers.score(value, 0)
    return numbers.score(value, _clamped(digits - 1 - math.floor(math.log10(abs(value)))))


def with_error(value: float | None, error: float | None) -> tuple[str, str]:
    """A figure and "± its standard error", both to the error's second significant digit.

    Returns:
        The figure, and what follows it: empty where the error is unknown, or nothing beside the figure (as that of an
        information at its cap).

    Example:
        >>> with_error(-17134.62, 38.4), with_error(0.47, None)
        (('−17,135', '± 38'), ('0.4700', ''))
    """
    if value is None or error is None or not math.isfinite(value) or not UNSEEN * abs(value) < error < math.inf:
        return figure(value), ""
    digits = _clamped(1 - math.floor(math.log10(error)))
    return numbers.score(value, digits), f"± {numbers.score(error, digits)}"


def _clamped(digits: int) -> int:
    return min(max(digits, 0), 7)


def measured(value: float | None, error: float | None) -> str:
    """A figure with its standard error, in one piece.

    Example:
        >>> measured(182.34, 1.213)
        '182.3 ± 1.2'
    """
    return " ".join(with_error(value, error)).strip()


def score(block: Mapping[str, Any], key: str) -> str:
    """One score of a block of scores.json with its standard error; a count stands alone."""
    value = block.get(key)
    return numbers.count(value) if isinstance(value, int) else measured(value, block["standard_errors"].get(key))


def values(scores: Scores) -> int:
    """Values of one image: channels x height x width."""
    return math.prod(scores["data"]["shape"][1:])


def no_bits(scores: Scores) -> str:
    """Why there are no bits per dimension; empty where there are."""
    if scores["test"]["bits_per_dim"] is not None:
        return ""
    return f"the {likelihood(scores['likelihood']['name'])} likelihood gives no probability to grey values"
