"""Days to weeks: a daily panel summed to weeks that end on Saturdays."""

from dataclasses import replace

import numpy as np

from twofold.counts.panel import MIN_DATES, Panel, counted
from twofold.engine.errors import InputError

WEEK = 7
SATURDAY = 5  # counted from Monday


def to_weeks(panel: Panel) -> Panel:
    """The panel by epidemiological weeks (Sunday to Saturday), each dated by its Saturday.

    Args:
        panel: daily or weekly.

    Returns:
        A weekly panel as it is. Of a daily one, running totals as they stood on Saturdays, or new cases summed over
        whole weeks; notes tell how many days at either end belong to no whole week.

    Raises:
        InputError: when fewer than 3 dates remain.
    """
    if panel.step_days == WEEK:
        return panel
    weekday = (panel.dates.astype(int) + 3) % WEEK  # 1970-01-01 was a Thursday: 0 is a Monday
    ends = np.flatnonzero(weekday == SATURDAY)
    if panel.kind == "incident":
        ends = ends[ends >= WEEK - 1]  # the first week is a whole one
    if len(ends) < MIN_DATES:
        raise InputError(
            f"--source.weekly needs at least {MIN_DATES} weeks that end on a Saturday, the data has {len(ends)}"
        )
    values = panel.values[:, ends]
    if panel.kind == "incident":
        values = np.stack([panel.values[:, end - WEEK + 1 : end + 1].sum(axis=1) for end in ends], axis=1)
    early, late = ends[0] - (WEEK - 1 if panel.kind == "incident" else 0), len(panel.dates) - 1 - ends[-1]
    cut = f", {counted(int(early), 'day')} at the beginning and {counted(int(late), 'day')} at the end in no whole week"
    note = f"Daily counts were summed to {len(ends)} weeks that end on Saturdays{cut if early or late else ''}."
    return replace(panel, dates=panel.dates[ends], values=values).noted(note)
