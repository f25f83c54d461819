"""Judgements of a run's and a sweep's scores, one function each, which return values; the templates word them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from twofold.vae.report.plane import Scores, Weight, deviations, means

CERTAIN = 2.0
"""Standard errors (or deviations over seeds) that a significant difference exceeds."""
UNIT_FLOOR = 0.01
"""Nats: a unit of the code with a lower mean KL counts as collapsed."""
ALIKE = 0.1
"""Share of the floor's distance by which distances of samples may differ by chance."""
EQUAL = 1e-6
"""Nats below which two exact values count as equal."""

Block = Mapping[str, Any]
"""The scores of one set of images, such as `test` of scores.json."""


@dataclass(frozen=True)
class Gap:
    """A difference of two scores, and its standard error where that is known."""

    value: float
    error: float | None

    @property
    def judged(self) -> Literal["more", "less", "unclear", "unknown"]:
        """Direction of a significant difference; `unclear` within the noise, `unknown` without a standard error."""
        if self.error is None:
            return "unknown"
        if abs(self.value) <= CERTAIN * self.error:
            return "unclear"
        return "more" if self.value > 0 else "less"


def against_linear(scores: Scores) -> Gap:
    """Network minus linear model, in bits per dimension, or in squared error where there are no bits.

    Its standard error takes the two as independent, which is too large: both are scored on the same images.
    """
    key = "mse" if scores["test"]["bits_per_dim"] is None else "bits_per_dim"
    return _gap(scores["test"], scores["linear"], key)


def overfitting(scores: Scores) -> Gap:
    """Negative ELBO of test images minus that of training images, nats."""
    return _gap(scores["test"], scores["train_sample"], "negative_elbo_nats")


def _gap(one: Block, other: Block, key: str) -> Gap:
    errors = [block["standard_errors"][key] for block in (one, other)]
    return Gap(one[key] - other[key], None if None in errors else math.hypot(*errors))


def collapse(scores: Scores) -> Literal["whole", "nearly", "units", "none"]:
    """How far the posterior has collapsed onto the prior.

    Returns:
        `whole`: no unit of the code is active; `nearly`: its rate is below 1 nat; `units`: some units have collapsed;
        `none`: none has.
    """
    if scores["test"]["active_units"] == 0:
        return "whole"
    if scores["test"]["rate_nats"] < 1:  # since I(x;z) <= R, it distinguishes fewer than e = 2.7 images
        return "nearly"
    return "units" if scores["kl_units_collapsed"] else "none"


def collapsed(scores: Scores) -> bool:
    """Whether the code carries almost no information about the image."""
    return collapse(scores) in ("whole", "nearly")


def memorised(scores: Scores) -> bool:
    """Whether significantly many samples lie close to a training image."""
    # 4 of 16 samples are closer than 95 % of the test images by chance in 7 of 1,000 cases.
    return scores["memorisation"]["closer_than_test"] >= 0.25


class Closest(NamedTuple):
    """The temperature at which samples are closest to test images, their distance, and how many times the floor's."""

    heat: str | None
    """None: the temperatures differ by less than `ALIKE` of the floor."""
    distance: float
    times: float


def closest(samples: Block) -> Closest | None:
    """Compares the temperatures by the distance of patches; None without several or without a floor above 0."""
    by_heat = {heat: block["swd_laplacian"] for heat, block in samples["temperatures"].items()}
    floor = (samples["floor"] or {}).get("swd_laplacian")
    if len(by_heat) < 2 or not floor:
        return None
    heat = min(by_heat, key=by_heat.__getitem__)
    differ = max(by_heat.values()) - by_heat[heat] >= ALIKE * floor
    return Closest(heat if differ else None, by_heat[heat], by_heat[heat] / floor)


def read(factors: Sequence[Block]) -> list[Block]:
    """The factors of categories that a linear probe reads significantly better than by guessing."""
    return [each for each in factors if Gap(each["probe"] - each["baseline"], each["probe_error"]).judged == "more"]


def best_read(factors: Sequence[Block]) -> Block:
    """The factor on which the probe gains most over a guess."""
    return max(factors, key=lambda each: each["probe"] - each["baseline"])


def information(test: Block) -> Literal["capped", "nothing", "measured"]:
    """Whether the estimate of I(x;z) is at its cap, or not significantly above 0."""
    if test["mi_at_cap"]:
        return "capped"
    error = test["standard_errors"]["mutual_information_nats"] or 0.0
    return "nothing" if test["mutual_information_nats"] <= CERTAIN * error else "measured"


def inequality(test: Block) -> Literal["holds", "within the noise", "broken"]:
    """Whether I(x;z) <= R on the same images; `within the noise`: exceeded, but not significantly."""
    excess = test["mutual_information_nats"] - test["mi_rate_nats"]
    if excess <= 0:
        return "holds"
    error = test["standard_errors"].get("mutual_information_nats") or 0.0
    return "within the noise" if excess <= CERTAIN * error else "broken"


def few_draws(test: Block) -> bool:
    """Whether the effective number of importance-weighted draws is so low that the bound may be loose."""
    return test["iw_effective_samples"] < 0.1 * test["iw_samples"]


def trend(values: Sequence[float]) -> Literal["falls", "rises", "turns", "stays"]:
    """Direction of a score from each weight of a sweep to the next.

    Args:
        values: means over seeds, by weight.

    Example:
        >>> trend([1.0, 1.0, 3.0]), trend([1.0, 3.0, 2.0]), trend([2.0, 2.0])
        ('rises', 'turns', 'stays')
    """
    # A smaller step is none: it is little of the whole range, or does not show in four digits.
    least = max(0.01 * (max(values) - min(values)), 1e-4 * max(map(abs, values)))
    steps = [after - before for before, after in pairwise(values) if abs(after - before) > least]
    if not steps:
        return "stays"
    return "rises" if min(steps) > 0 else "falls" if max(steps) < 0 else "turns"


class Lead(NamedTuple):
    """The weight of a sweep with the lowest negative ELBO (beta = 1), and its lead."""

    first: Weight
    other: Weight | None
    """Beta 1 where that is among the others, else the second; None where there is no other."""
    nats: float
    """By how much the other's negative ELBO is larger; NaN without another."""


def lead(grid: Sequence[Weight]) -> Lead:
    """Best weight by negative ELBO, compared with beta 1 or with the second best."""
    first, *others = sorted(grid, key=lambda weight: weight.mean("negative_elbo_nats"))
    if not others:
        return Lead(first, None, math.nan)
    other = next((weight for weight in others if weight.beta == 1), others[0])
    return Lead(first, other, other.mean("negative_elbo_nats") - first.mean("negative_elbo_nats"))


def collapses(grid: Sequence[Weight]) -> list[tuple[Weight, int]]:
    """The weights at which the code has collapsed, with the number of such seeds."""
    found = [(weight, sum(map(collapsed, weight.runs))) for weight in grid]
    return [(weight, seeds) for weight, seeds in found if seeds]


class WeightGap(NamedTuple):
    """A gap at one weight of a sweep."""

    weight: Weight
    gap: Gap


def overfitting_by_weight(grid: Sequence[Weight]) -> list[WeightGap]:
    """As `overfitting`, mean over seeds; the error is that of one seed, since all are scored on the same images."""
    found = []
    for weight in grid:
        errors = [overfitting(run).error for run in weight.runs]
        gap = weight.mean("negative_elbo_nats") - weight.mean("negative_elbo_nats", "train_sample")
        found.append(WeightGap(weight, Gap(gap, None if None in errors else float(np.mean(np.array(errors))))))
    return found


def inseparable(grid: Sequence[Weight]) -> list[tuple[Weight, Weight]]:
    """Neighbouring weights whose negative ELBO differs by at most `CERTAIN` standard deviations over seeds."""
    costs = zip(grid, means(grid, "negative_elbo_nats"), deviations(grid, "negative_elbo_nats"), strict=True)
    return [
        (low, high)
        for (low, less, before), (high, more, after) in pairwise(costs)
        if abs(more - less) <= CERTAIN * math.hypot(before, after)
    ]


def inequalities(runs: Sequence[Scores]) -> list[str]:
    """`inequality` of each run's test images."""
    return [inequality(run["test"]) for run in runs]


class Exact(NamedTuple):
    """Largest R - I, the weight at which H - D is closest to I, and I - (H - D) there, nats."""

    excess_rate: float
    nearest: float
    gap: float


def exact(rows: Sequence[Block]) -> Exact:
    """Compares I with both its bounds; `rows`: those of `sandwich` in sweep.json that have values, at least one."""
    gaps = [row["mutual_information_nats"] - row["entropy_minus_distortion_nats"] for row in rows]
    excess = max(row["rate_nats"] - row["mutual_information_nats"] for row in rows)
    return Exact(excess, rows[int(np.argmin(gaps))]["beta"], min(gaps))
