"""Correlation between regions, and the set C of regions that move with at least one other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from twofold.counts.panel import Increments


@dataclass(frozen=True)
class Screen:
    """The set C and what it was chosen from.

    Attributes:
        correlation: Pearson between regions over the days seen; NaN in rows and columns of constant series.
        selected: which regions are in C.
        constant: names of the regions whose series never changes over those days; never in C under a threshold.
        days: how many of the increments, from the first on, were seen.
    """

    correlation: Float[np.ndarray, "regions regions"]
    selected: Bool[np.ndarray, " regions"]
    constant: tuple[str, ...]
    days: int


def correlate(counts: np.ndarray) -> Float[np.ndarray, "regions regions"]:
    """Pearson correlation between the rows.

    Args:
        counts: increments, shape (regions, days).

    Returns:
        A symmetric matrix; rows and columns of constant series are NaN.
    """
    moving = counts.std(axis=1) > 0
    correlation = np.full((len(counts), len(counts)), np.nan)
    if moving.any():
        correlation[np.ix_(moving, moving)] = np.atleast_2d(np.corrcoef(counts[moving]))
    return correlation


def fit_screen(increments: Increments, days: int, threshold: float | None) -> Screen:
    """Chooses the set C.

    Args:
        increments: of all regions.
        days: how many increments from the first on may be seen; the rest is not touched.
        threshold: a region is in C when its correlation with at least one other exceeds this; None takes every region.

    Returns:
        The screen; C may be empty.
    """
    correlation = correlate(increments.counts[:, :days])
    moving = ~np.isnan(np.diagonal(correlation))
    selected = np.ones(len(moving), dtype=bool)
    if threshold is not None:
        others = np.where(np.eye(len(moving), dtype=bool), -np.inf, correlation)
        selected = np.nan_to_num(others, nan=-np.inf).max(axis=1) > threshold
    constant = tuple(region for region, moves in zip(increments.regions, moving, strict=True) if not moves)
    return Screen(correlation, selected, constant, days)
