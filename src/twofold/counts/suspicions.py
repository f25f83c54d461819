"""What in the counts may spoil a study: doubts that are said, and treatments that would destroy data."""

import numpy as np

from twofold.counts.aggregates import shown_sums, summed_regions
from twofold.counts.config import SourceConfig
from twofold.counts.panel import WEEK, Panel, Suspicion, counted
from twofold.engine.errors import DataError

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def without_sums(panel: Panel, config: SourceConfig, name: str) -> Panel:
    """The panel without regions that are sums of others by their counts; a note names them.

    Raises:
        DataError: when fewer than two regions would be left.
    """
    sums = summed_regions(panel.regions, panel.increments("keep").counts)
    if not sums:
        return panel
    some = "1 region is a sum" if len(sums) == 1 else f"{len(sums)} regions are sums"
    found = f"{some} of others by its counts: {shown_sums(sums)}"
    if config.aggregates == "keep":
        text = f"{found}; kept on request, so the same cases are counted twice."
        return panel.suspected(Suspicion(text, (("aggregates", "drop"),)))
    kept = np.array([i for i, region in enumerate(panel.regions) if region not in sums])
    if len(kept) < 2:
        raise DataError(
            f"{name}: {found}; without it fewer than two regions are left: --source.aggregates keep keeps all"
        )
    return panel.part(kept).noted(f"{found}; left out (--source.aggregates keep keeps it).")


WIPED = 0.9
"""Share of a region's cases that a single correction may take off the dates before it."""
WIPED_CASES = 50
"""Smallest correction that is refused."""


def check_redistribution(panel: Panel, name: str) -> None:
    """Refuses to redistribute a correction that would take most of a region's history.

    Such a fall is rarely a correction: the last date may be unreported, or the count may have begun anew.

    Raises:
        DataError: names region and date, and what to do instead.
    """
    published = panel.increments("keep")
    counts = published.counts
    before = np.cumsum(np.maximum(counts, 0), axis=1) - np.maximum(counts, 0)
    if panel.kind == "cumulative":
        before = before + np.maximum(panel.values[:, :1], 0)
    wiping = (counts < -WIPED * before) & (counts <= -WIPED_CASES)
    if not wiping.any():
        return
    region, date = np.argwhere(wiping)[0].tolist()
    others = int(wiping.any(axis=1).sum()) - 1
    more = f" (and {counted(others, 'other region')})" if others else ""
    last = ""
    if date == counts.shape[1] - 1:
        last = "--drop-last 1 leaves that date out, which looks unreported; "
    raise DataError(
        f"{name}: --negatives redistribute would take {-counts[region, date]} of {before[region, date]} cases off the "
        f"history of {panel.regions[region]!r} for its fall on {published.dates[date]}{more}; "
        f"{last}--negatives clip makes "
        "the fall 0 "
        "and leaves the history as it is"
    )


def kind_doubt(panel: Panel) -> Suspicion | None:
    """Where the kind is doubtful: new cases that never fall, or running totals that often do."""
    falls = np.diff(panel.values, axis=1) < 0
    if panel.kind == "incident" and len(panel.dates) > 7 and not falls.any() and panel.values[:, -1].sum() > 0:
        return Suspicion(
            "The counts were read as new cases, but no region's count ever falls, so they look like running totals; if "
            "they are, add --source.kind cumulative.",
            (("kind", "cumulative"),),
        )
    if panel.kind == "cumulative" and falls.mean() > 0.1:
        return Suspicion(
            f"The counts were read as running totals, but {falls.mean():.0%} of their steps go down; if they are new "
            "cases, add --source.kind incident.",
            (("kind", "incident"),),
        )
    return None


DUMPED = 0.8
"""Share of cases on one weekday from which a daily table looks like weekly reports."""
LEAST_WEEKS = 3


def weekly_dump(panel: Panel) -> Suspicion | None:
    """Whether nearly all new cases of a daily table fall on one weekday."""
    published = panel.increments("keep")
    counts = np.maximum(published.counts, 0)
    if panel.step_days != 1 or counts.shape[1] < LEAST_WEEKS * WEEK or not counts.any():
        return None
    weekday = (published.dates.astype(np.int64) + 3) % WEEK
    # By region: each is dumped on a weekday of its own.
    each = np.stack([counts[:, weekday == day].sum(axis=1) for day in range(WEEK)])
    share = float(each.max(axis=0).sum() / counts.sum())
    if share < DUMPED:
        return None
    day = _WEEKDAYS[int(np.argmax(each.sum(axis=1)))]
    return Suspicion(
        f"{share:.0%} of the new cases fall on one weekday of each region ({day} for most), so these are weekly "
        "reports in a "
        "daily table: next to every other day the count falls to 0, and a model learns the calendar; add --weekly.",
        (("weekly", True),),
    )


JUMP = 4.0
"""Ratio of the weeks after and before a date that looks like a change of definition."""
STEADY = 1.3
"""Largest ratio of two neighbouring weeks on one side of it."""
JUMP_CASES = 200
"""Cases in a week of the higher side, at least."""


def level_jump(panel: Panel) -> Suspicion | None:
    """Whether a region's level changes at once between steady weeks, as when a definition changes.

    The two weeks (weekly data: two pairs of weeks) before a date are alike and so are those after it, but the level of
    these is another, and every date of the week with the higher level has twice the cases of every date of the other.
    A wave rises over weeks; a fall to 0 is an end of reporting.
    """
    published = panel.increments("keep")
    width = WEEK if panel.step_days == 1 else 2  # dates on each side that are compared as a whole
    counts = np.maximum(published.counts, 0)
    if counts.shape[1] < 4 * width:
        return None
    weeks = np.lib.stride_tricks.sliding_window_view(counts, width, axis=1)
    shifts = (slice(k * width, weeks.shape[1] - (3 - k) * width) for k in range(4))
    first, second, third, fourth = (weeks[:, shift] for shift in shifts)
    sums = [week.sum(axis=2) for week in (first, second, third, fourth)]

    def steady(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.maximum(a, b) <= STEADY * np.minimum(a, b)

    ratio = np.maximum(sums[1], sums[2]) / np.maximum(np.minimum(sums[1], sums[2]), 1)
    apart = (third.min(axis=2) > 2 * second.max(axis=2)) | (second.min(axis=2) > 2 * third.max(axis=2))
    high = (np.maximum(sums[1], sums[2]) >= JUMP_CASES) & (np.minimum(sums[1], sums[2]) > 0)
    found = steady(sums[0], sums[1]) & steady(sums[2], sums[3]) & apart & high & (ratio >= JUMP)
    regions = np.flatnonzero(found.any(axis=1)).tolist()
    if not regions:
        return None
    strength = np.where(found, ratio, 0)
    shown, span = [], "week" if panel.step_days == 1 else "two weeks"
    for i in sorted(regions, key=lambda i: -strength[i].max())[:3]:
        at = int(np.argmax(strength[i]))
        day = published.dates[at + 2 * width]
        shown.append(
            f"{panel.regions[i]} on {day} ({sums[1][i, at]} cases in the {span} before, {sums[2][i, at]} after)"
        )
    more = f" and {counted(len(regions) - 3, 'more region')}" if len(regions) > 3 else ""
    return Suspicion(
        "The level changes at once between steady weeks, as when a definition or a source changes: "
        f"{'; '.join(shown)}{more}; check what changed, and leave such a region out with --source.exclude NAME if its "
        "counts don't compare."
    )


WATCHED = 3
"""Last dates that may be found incomplete."""
HISTORY = 14
"""Dates before them for comparison."""
EXCESS = 0.15
"""Margin by which the share of regions that halved must exceed the highest share in the history."""
FEWEST, HALVED = 5, 3
"""Minimum numbers of regions for a share, and of those that halved."""


def incomplete_tail(panel: Panel, dates: np.ndarray | None = None, left_out: int = 0) -> Suspicion | None:
    """Whether the last dates look incomplete; None when they don't, or when dates or regions are too few.

    The answer is the number of dates to leave out of the table: `dates` are its own where the panel holds sums of
    weeks, and `left_out` are gone already.

    For every date, take the regions that had cases one and two weeks before, and the share of them that now report less
    than half of the week before (weekly data: of the date before). Regions rarely halve all at once, and a share does
    not depend on a region's size. A last date looks incomplete when its share exceeds the highest share of the 14 dates
    before the last three by more than 0.15, and so do all dates after it.

    Applied to every day of JHU's series of 1143 days, the rule warns on 2 of 1102; with all counts of the last day
    halved it warns on 93 %.
    """
    counts = np.maximum(panel.increments("keep").counts, 0)
    week = WEEK // panel.step_days
    counts = counts[:, -(WATCHED + HISTORY + 2 * week) :]
    now, before, earlier = counts[:, 2 * week :], counts[:, week:-week], counts[:, : -2 * week]
    reporting = (before > 0) & (earlier > 0)
    regions, halved = reporting.sum(axis=0), (reporting & (2 * now < before)).sum(axis=0)
    shares = np.where(regions >= FEWEST, halved / np.maximum(regions, 1), np.nan)
    if len(shares) < WATCHED + HISTORY or np.isnan(shares[:-WATCHED]).all():
        return None
    usual = np.nanmax(shares[:-WATCHED])
    odd = (shares[-WATCHED:] > usual + EXCESS) & (halved[-WATCHED:] >= HALVED)
    length = WATCHED if odd.all() else int(np.argmin(odd[::-1]))
    if length == 0:
        return None
    table = panel.dates if dates is None else dates
    drop = left_out + int((table > panel.dates[-1 - length]).sum())
    days = f"The last date ({panel.dates[-1]}) looks" if length == 1 else f"The last {length} dates look"
    return Suspicion(
        f"{days} incomplete: {shares[-1]:.0%} of the regions report less than half of the week before, where at most "
        f"{usual:.0%} did on the {HISTORY} dates before; wait for the data, or leave them out with --drop-last "
        f"{drop}.",
        (("drop_last", drop),),
    )
