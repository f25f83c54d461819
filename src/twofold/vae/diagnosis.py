"""What became of a training: hardly trained, collapsed, over-fitted or fine, by a run's scores; or diverged.

Each is a rule with stated thresholds, which returns a value; the page and the terminal have the words.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from twofold.engine.diagnosis import ran_away

Scores = Mapping[str, Any]
"""A run's scores.json."""
CERTAIN = 2.0
"""Standard errors (or deviations over seeds) that a significant difference exceeds."""
MIN_IMAGES = 30
"""With fewer images nothing is claimed from them: two standard errors, themselves estimated from n images, cover 70 %
of the cases at n = 2, 91 % at 8, 94.5 % at 30 (Student's t)."""
STEEP = 0.05
"""Bits per dimension: a validation loss that falls by more in the last tenth of the epochs has not come to its end."""
ALIKE = 0.02
"""Reconstructions with a smaller share of the images' variance look all alike."""


@dataclass(frozen=True)
class Gap:
    """A difference of two scores, its standard error where that is known, and the number of images behind it."""

    value: float
    error: float | None
    images: int

    @property
    def judged(self) -> Literal["more", "less", "unclear", "few"]:
        """Direction of a significant difference; `unclear` within the noise, `few`: too few images to say."""
        if self.images < MIN_IMAGES or self.error is None:
            return "few"
        if abs(self.value) <= CERTAIN * self.error:
            return "unclear"
        return "more" if self.value > 0 else "less"


def overfitting(scores: Scores) -> Gap:
    """Negative ELBO of test images minus that of training images, nats."""
    key, blocks = "negative_elbo_nats", (scores["test"], scores["train_sample"])
    errors = [block["standard_errors"][key] for block in blocks]
    error = None if None in errors else math.hypot(*errors)
    return Gap(blocks[0][key] - blocks[1][key], error, min(block["images"] for block in blocks))


def collapse(scores: Scores) -> Literal["whole", "nearly", "units", "none"]:
    """How far the posterior has collapsed onto the prior.

    Returns:
        `whole`: no unit of the code is in use: it varies with the image and changes the picture; `nearly`: the rate is
        below 1 nat, or the reconstructions of different images hardly differ; `units`: some units have collapsed;
        `none`: none has.
    """
    test = scores["test"]
    if test["used_units"] == 0:
        return "whole"
    share = test["reconstruction_variance_share"]
    # A rate below 1: since I(x;z) <= R, the code distinguishes fewer than e = 2.7 images.
    if test["rate_nats"] < 1 or (share is not None and share < ALIKE):
        return "nearly"
    return "units" if scores["kl_units_collapsed"] else "none"


def collapsed(scores: Scores) -> bool:
    """Whether the code carries almost no information about the image, or none that the picture shows."""
    return collapse(scores) in ("whole", "nearly")


def learned_nothing(scores: Scores) -> bool:
    """Whether one Gaussian around the mean image, without a network, is better on the test images."""
    test, plain = scores["test"], scores["mean_image"]
    if test["bits_per_dim"] is None:
        return test["mse"] > plain["mse"]
    return _trained_bits(scores) > plain["bits_per_dim"]


def still_falling(scores: Scores) -> bool:
    """Whether the validation loss still fell steeply in the last tenth of the epochs, to its lowest in the last.

    Of a beta above 1 the loss is taken in units of beta: a nat of rate is a thousand of the loss at beta 1,000.
    """
    training, weight = scores["training"], max(scores["objective"]["beta"], 1.0)
    fall, lowest = training["last_fall_nats"], training["best_epoch"] == training["epochs"]
    return lowest and fall is not None and fall / weight / _bit(scores) > STEEP


def _trained_bits(scores: Scores) -> float:
    """Bits per dimension as the training weighed them: a beta below 1 counts the rate by as much less."""
    test, beta = scores["test"], scores["objective"]["beta"]
    return test["bits_per_dim"] - (1 - min(beta, 1.0)) * test["rate_nats"] / _bit(scores)


def _bit(scores: Scores) -> float:
    """Nats per image of one bit per dimension."""
    return math.prod(scores["data"]["shape"][1:]) * math.log(2.0)


State = Literal["hardly trained", "collapsed", "over-fitted", "fine"]


def state(scores: Scores) -> State:
    """What became of the training.

    Returns:
        The first of these that holds. `hardly trained`: the validation loss still fell steeply at the end, or the mean
        image is better though the code has not collapsed; `collapsed`; `over-fitted`: test images cost significantly
        more than training images; `fine`.
    """
    if still_falling(scores) or (learned_nothing(scores) and not collapsed(scores)):
        return "hardly trained"
    if collapsed(scores):
        return "collapsed"
    return "over-fitted" if overfitting(scores).judged == "more" else "fine"


def diverged(scores: Scores) -> bool:
    """Whether the loss of an epoch ran away from that of the untrained network, and what was kept is worthless.

    A peak from which the training came back is none: then the kept weights are better than the mean image.
    """
    training = scores["training"]
    return ran_away(training["highest_loss_nats"], training["untrained_loss_nats"]) and learned_nothing(scores)
