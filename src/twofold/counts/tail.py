"""Last dates that are still being reported: a plain warning, no correction."""

import numpy as np
from jaxtyping import Float64, Int64

from twofold.counts.panel import Panel

WATCHED = 3
"""Last dates that are looked at."""
HISTORY = 14
"""Dates before them that say what is usual."""
EXCESS = 0.15
"""How far the share of regions that fell by half must exceed the history's highest."""
FEWEST = 5
"""Regions below which a share says nothing."""


def incomplete_tail(panel: Panel) -> str | None:
    """Warns when the last dates look incomplete.

    For every date, take the regions that had cases one and two weeks before, and the share of them that now report less
    than half of the week before (weekly data: of the date before). Regions rarely halve all at once, and shares don't
    care how large a region is. A last date looks incomplete when its share exceeds the highest share of the 14 dates
    before the last three by more than 0.15, and so do all dates after it.

    On JHU's series of 1143 days the rule, asked on every day, warns on 2 of 1102; with all counts of the last day
    halved it warns on 93 %.

    Returns:
        One sentence with dates and shares, and the number for `--drop-last`; None when nothing looks odd, or when
        history or regions are too few to tell.
    """
    counts = np.maximum(panel.increments("keep").counts, 0)
    week = 7 // panel.step_days
    shares = _halved_shares(counts[:, -(WATCHED + HISTORY + 2 * week) :], week)
    if len(shares) < WATCHED + HISTORY or np.isnan(shares[:-WATCHED]).all():
        return None
    usual = np.nanmax(shares[:-WATCHED])
    odd = shares[-WATCHED:] > usual + EXCESS
    length = WATCHED if odd.all() else int(np.argmin(odd[::-1]))
    if length == 0:
        return None
    days = f"The last date ({panel.dates[-1]}) looks" if length == 1 else f"The last {length} dates look"
    return (
        f"{days} incomplete: {shares[-1]:.0%} of the regions report less than half of the week before, where at most "
        f"{usual:.0%} did on the {HISTORY} dates before; wait for the data, or leave them out with --drop-last "
        f"{length}."
    )


def _halved_shares(counts: Int64[np.ndarray, "regions dates"], week: int) -> Float64[np.ndarray, "later"]:
    """Share of the regions with recent cases that report less than half of a week before; NaN for too few."""
    now, before, earlier = counts[:, 2 * week :], counts[:, week:-week], counts[:, : -2 * week]
    usual = (before > 0) & (earlier > 0)
    regions = usual.sum(axis=0)
    halved = (usual & (2 * now < before)).sum(axis=0)
    return np.where(regions >= FEWEST, halved / np.maximum(regions, 1), np.nan)
