"""What a sweep's figures say of theory: the slopes in the plane, and H - D <= I(x;z) <= R."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twofold.vae.report.claims import listed
from twofold.vae.report.findings import CERTAIN
from twofold.vae.report.plane import Weight, best, secants
from twofold.vae.report.wording import figure, plural

EQUAL = 1e-6
"""Nats below which two exact figures count as one."""

Row = Mapping[str, Any]


def slopes(grid: Sequence[Weight]) -> str:
    """How many secants have the slope that optimal runs would give them."""
    found = [secant.inside for secant in secants(grid)]
    known = [inside for inside in found if inside is not None]
    if not known:
        return "No two neighbouring weights differ enough in rate for a slope."
    lie = "lies" if sum(known) == 1 else "lie"
    words = f"{sum(known)} of {plural(len(known), 'secant')} {lie} where the best runs' would."
    if all(known):
        return words
    return (
        f"{words} One outside means that one of its two runs is not the best for its weight on test images: it is "
        "trained too little, over-fitted, or unlucky in its seed."
    )


def inequality(grid: Sequence[Weight]) -> str:
    """Whether I <= R holds in every run, as far as I could be measured."""
    runs = [run["test"] for weight in grid for run in weight.runs]
    held = sum(test["mutual_information_nats"] <= test["mi_rate_nats"] for test in runs)
    close = sum(within_noise(test) for test in runs)
    capped = sum(test["mi_at_cap"] for test in runs)
    words = f"I ≤ R holds in {held} of {plural(len(runs), 'run')}"
    if close:
        words += f", in {close} more within {CERTAIN:g} standard errors of the estimate"
    words += "."
    if capped:
        words += (
            f" In {capped} of them I is at its cap, so that the true one may be larger, up to the "
            "rate: there the check is weak."
        )
    return words


def within_noise(test: Row) -> bool:
    """Whether I exceeds R, but by no more than the estimate's noise."""
    error = test["standard_errors"].get("mutual_information_nats") or 0.0
    return 0 < test["mutual_information_nats"] - test["mi_rate_nats"] <= CERTAIN * error


def exact(rows: Sequence[Row]) -> str:
    """What the rows of the exact case show of H - D <= I <= R.

    Args:
        rows: those of `sandwich` in sweep.json that have figures.
    """
    broken = [f"beta {row['beta']:g}" for row in rows if not row["holds"]]
    if broken:
        return f"The inequality is broken at {listed(broken)}, which can't be: something here computes wrongly."
    if not rows:
        return ""
    lost = [row["rate_nats"] - row["mutual_information_nats"] for row in rows]
    gaps = [row["mutual_information_nats"] - row["entropy_minus_distortion_nats"] for row in rows]
    at = rows[int(np.argmin(gaps))]["beta"]
    words = f"The inequality holds at {'the weight' if len(rows) == 1 else 'every weight'}."
    if max(lost) < EQUAL:
        words += " I and R are equal: all codes together are distributed as the prior, so no nat of the rate is wasted."
    near = "meets them" if min(gaps) < EQUAL else f"comes nearest to I, within {figure(min(gaps))} nats,"
    return f"{words} H − D {near} at beta {at:g}."


def implied(grid: Sequence[Weight], proper: bool) -> str:
    """What the best importance-weighted bound says of the unknown entropy.

    Args:
        grid: the weights, smallest first.
        proper: whether the likelihood is a density or a mass, so that its nats are a cost.
    """
    first = best(grid)
    bound = f"The best importance-weighted bound, {figure(first.bound)} nats of {first.name},"
    if not proper:
        return f"{bound} says nothing of an entropy: the Bernoulli's nats are a loss, not a cost."
    return (
        f"{bound} is at least H, so that it less D is a ceiling to H − D. How far below the ceiling H − D lies nobody "
        "knows, for there is no lower bound on H."
    )
