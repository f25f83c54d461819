"""What a run's figures come to, one small function a judgement; pages choose the words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CERTAIN = 2.0
"""Standard errors that a difference must exceed before it is called one."""
COLLAPSED_RATE = 1.0
"""Nats: by I(x;z) <= R, a code of a lower rate tells fewer than e = 2.7 images apart."""
UNIT_FLOOR = 0.01
"""Nats: a unit of the code with a lower mean KL counts as collapsed."""
MANY_CLOSE = 0.25
"""Share of 16 samples that lie closer to a training image than 95 % of test images do: 7 in 1,000 by chance."""
FEW_DRAWS = 0.1
"""Share of the importance weights' draws that must count, or few of them decide on the bound."""

Scores = Mapping[str, Any]
"""A run's scores.json."""
Block = Mapping[str, Any]
"""The scores of one set of images, such as `test` of scores.json."""


@dataclass(frozen=True)
class Gap:
    """A difference of two measured figures.

    Attributes:
        value: the one minus the other.
        error: standard error of that, None where it is not known.
    """

    value: float
    error: float | None

    @property
    def judged(self) -> Literal["more", "less", "unclear", "unknown"]:
        """Which way the figures clearly differ; `unclear` within the noise, `unknown` without a standard error."""
        if self.error is None:
            return "unknown"
        if abs(self.value) <= CERTAIN * self.error:
            return "unclear"
        return "more" if self.value > 0 else "less"


def against_linear(scores: Scores) -> Gap:
    """Network minus linear model, in bits per dimension, or in squared error where there are no bits.

    The standard error is that of two models scored on different images, which is too large.
    """
    key = "mse" if scores["test"]["bits_per_dim"] is None else "bits_per_dim"
    return _gap(scores["test"], scores["linear"], key)


def overfitting(scores: Scores) -> Gap:
    """Negative ELBO of test images minus that of images trained on, nats."""
    return _gap(scores["test"], scores["train_sample"], "negative_elbo_nats")


def _gap(one: Block, other: Block, key: str) -> Gap:
    errors = [block["standard_errors"][key] for block in (one, other)]
    return Gap(one[key] - other[key], None if None in errors else math.hypot(*errors))


def collapse(scores: Scores) -> Literal["whole", "nearly", "units", "none"]:
    """How far the posterior has collapsed onto the prior.

    Returns:
        `whole`: no unit of the code is active; `nearly`: its rate is next to nothing; `units`: some units have
        collapsed; `none`: none has.
    """
    if scores["test"]["active_units"] == 0:
        return "whole"
    if scores["test"]["rate_nats"] < COLLAPSED_RATE:
        return "nearly"
    return "units" if scores["kl_units_collapsed"] else "none"


def collapsed(scores: Scores) -> bool:
    """Whether the code says next to nothing of the image."""
    return collapse(scores) in ("whole", "nearly")


def memorised(scores: Scores) -> bool:
    """Whether more samples lie close to a training image than chance has it."""
    return scores["memorisation"]["closer_than_test"] >= MANY_CLOSE


def information(test: Block) -> Literal["capped", "nothing", "measured"]:
    """Whether I(x;z) is at the most that so few images can show, or not clearly above 0."""
    if test["mi_at_cap"]:
        return "capped"
    error = test["standard_errors"]["mutual_information_nats"] or 0.0
    return "nothing" if test["mutual_information_nats"] <= CERTAIN * error else "measured"


def inequality(test: Block) -> Literal["holds", "within the noise", "broken"]:
    """Whether I(x;z) <= R, both on the same images; `within the noise`: broken by no more than the estimate's error."""
    excess = test["mutual_information_nats"] - test["mi_rate_nats"]
    if excess <= 0:
        return "holds"
    error = test["standard_errors"].get("mutual_information_nats") or 0.0
    return "within the noise" if excess <= CERTAIN * error else "broken"


def few_draws(test: Block) -> bool:
    """Whether so few of the importance-weighted draws count that the bound may lie far above the truth."""
    return test["iw_effective_samples"] < FEW_DRAWS * test["iw_samples"]
