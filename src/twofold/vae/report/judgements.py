"""Judgements of a run's and a sweep's scores, one function each, which return values; the templates word them."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from twofold.vae.diagnosis import CERTAIN, MIN_IMAGES, Gap, Scores, State, overfitting, state
from twofold.vae.report.plane import Weight, deviations, means

RAW_BITS = 8
"""Bits per dimension of an image stored as it is, which are also those of a uniform distribution over the levels."""
RIVALS = ("linear", "webp", "png")
"""What the network's cost is set beside: probabilistic PCA, lossless WebP and PNG."""
CHEAP = 0.1
"""Share of its cost below which a model hardly misses its code."""
UNIT_FLOOR = 0.01
"""Nats: a unit of the code with a lower mean KL counts as collapsed."""
CLOSE = 0.1
"""Share of the floor's distance by which distances of samples may differ by chance."""
EQUAL = 1e-6
"""Nats below which two exact values count as equal."""

Block = Mapping[str, Any]
"""The scores of one set of images, such as `test` of scores.json."""


def against(scores: Scores) -> dict[str, Gap]:
    """Network minus each of what anyone would use (`linear`, `webp`, `png`), on the same images.

    In bits per dimension; where the network has none, in squared error, and against the linear model only.
    """
    found = scores["differences"]
    return {
        rival: Gap(found[rival]["mean"], found[rival]["standard_error"], found[rival]["images"])
        for rival in RIVALS
        if rival in found
    }


def against_linear(scores: Scores) -> Gap:
    """Network minus linear model, in bits per dimension, or in squared error where there are no bits."""
    return against(scores)["linear"]


def cheapest(scores: Scores) -> str | None:
    """Who wins: `network` where it is significantly below all others; the best of those that it is above; else None."""
    gaps = against(scores)
    if all(gap.judged == "less" for gap in gaps.values()):
        return "network"
    better = {rival: gap.value for rival, gap in gaps.items() if gap.judged == "more"}
    return max(better, key=better.__getitem__) if better else None


def raw_is_cheaper(scores: Scores) -> bool:
    """Whether an image stored as it is, without any model, takes fewer bits."""
    bits = scores["test"]["bits_per_dim"]
    return bits is not None and bits > RAW_BITS


def copying(scores: Scores) -> Gap:
    """Share of samples nearest to a training image minus the share expected if none were copied."""
    memory = scores["memorisation"]
    excess = memory["nearest_in_training"] - memory["expected"]
    return Gap(excess, memory["standard_error"], min(memory["samples"], memory["held_out"]))


def memorised(scores: Scores) -> bool:
    """Whether the samples lie significantly more often nearest to a training image than images that it never saw."""
    return copying(scores).judged == "more"


class Closest(NamedTuple):
    """The temperature at which samples are closest to test images, their distance, and how many times the floor's."""

    heat: str | None
    """None: the temperatures differ by less than `CLOSE` of the floor."""
    distance: float
    times: float


def closest(samples: Block) -> Closest | None:
    """Compares the temperatures by the distance of patches; None without several or without a floor above 0."""
    by_heat = {heat: block["swd_laplacian"] for heat, block in samples["temperatures"].items()}
    floor = (samples["floor"] or {}).get("swd_laplacian")
    if len(by_heat) < 2 or not floor:
        return None
    heat = min(by_heat, key=by_heat.__getitem__)
    differ = max(by_heat.values()) - by_heat[heat] >= CLOSE * floor
    return Closest(heat if differ else None, by_heat[heat], by_heat[heat] / floor)


def read(factors: Sequence[Block]) -> list[Block]:
    """The factors of categories that a linear probe reads significantly better than by guessing."""
    gaps = [(each, Gap(each["probe"] - each["baseline"], each["probe_error"], each["test"])) for each in factors]
    return [each for each, gap in gaps if gap.judged == "more"]


def best_read(factors: Sequence[Block]) -> Block:
    """The factor on which the probe gains most over a guess."""
    return max(factors, key=lambda each: each["probe"] - each["baseline"])


def information(test: Block) -> Literal["capped", "nothing", "measured"]:
    """Whether the estimate of I(x;z) is at its cap, or not significantly above 0."""
    if test["mi_at_cap"]:
        return "capped"
    error = test["standard_errors"]["mutual_information_nats"] or 0.0
    return "nothing" if test["mutual_information_nats"] <= CERTAIN * error else "measured"


def inequality(test: Block) -> Literal["holds", "within the noise", "too few images", "estimate in error"]:
    """Whether the estimate of I(x;z) is at most R on the same images.

    I <= R is a theorem, so no estimate refutes it. `within the noise`: exceeded, but not significantly; `estimate in
    error`: exceeded by more than its noise, which is an error of the estimate or a fault of this program; `too few
    images`: neither the estimate, at most the logarithm of their number, nor its standard error means much.
    """
    if test["mi_images"] < MIN_IMAGES:
        return "too few images"
    excess = test["mutual_information_nats"] - test["mi_rate_nats"]
    if excess <= 0:
        return "holds"
    error = test["standard_errors"]["mutual_information_nats"]
    return "within the noise" if excess <= CERTAIN * error else "estimate in error"


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
    """The weights at which the code has collapsed, with the number of such seeds; one hardly trained may change yet."""
    found = [(weight, sum(state(run) == "collapsed" for run in weight.runs)) for weight in grid]
    return [(weight, seeds) for weight, seeds in found if seeds]


def unsettled(grid: Sequence[Weight]) -> list[Weight]:
    """The weights that tell nothing of collapse yet: each seed is hardly trained, or saw one epoch at most."""
    return [
        weight
        for weight in grid
        if all(run["training"]["epochs"] <= 1 or state(run) == "hardly trained" for run in weight.runs)
    ]


def price_of_code(grid: Sequence[Weight]) -> float:
    """By what share of the lowest negative ELBO the largest weight costs more; only where costs are code lengths."""
    best = lead(grid).first.mean("negative_elbo_nats")
    return grid[-1].mean("negative_elbo_nats") / best - 1


class WeightGap(NamedTuple):
    """A gap at one weight of a sweep."""

    weight: Weight
    gap: Gap


def overfitting_by_weight(grid: Sequence[Weight]) -> list[WeightGap]:
    """As `overfitting`, mean over seeds."""
    return [WeightGap(weight, _over_seeds([overfitting(run) for run in weight.runs])) for weight in grid]


def against_by_weight(grid: Sequence[Weight], rival: str) -> list[WeightGap]:
    """As `against` one of the others, mean over seeds; empty where it can't be compared."""
    if rival not in against(grid[0].runs[0]):
        return []
    return [WeightGap(weight, _over_seeds([against(run)[rival] for run in weight.runs])) for weight in grid]


def _over_seeds(gaps: Sequence[Gap]) -> Gap:
    """Their mean, with the error of one seed: all are scored on the same images."""
    errors = [gap.error for gap in gaps if gap.error is not None]
    error = float(np.mean(errors)) if errors else None
    return Gap(float(np.mean([gap.value for gap in gaps])), error, gaps[0].images)


def ended(weight: Weight) -> list[State]:
    """The states in which the seeds of a weight ended, each once."""
    found: list[State] = [state(run) for run in weight.runs]
    return list(dict.fromkeys(found))


def states(grid: Sequence[Weight]) -> list[tuple[State, list[Weight]]]:
    """The states of training but `fine`, each with the weights at which a seed ended in it."""
    found: dict[State, list[Weight]] = {}
    for weight in grid:
        for each in ended(weight):
            if each != "fine":
                found.setdefault(each, []).append(weight)
    return list(found.items())


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
