"""Entries to a panel: the step of the dates, weeks of several weekdays, and what happens to cells without a count."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64

from twofold.counts.config import Missing, SourceConfig
from twofold.counts.csv import shorten
from twofold.counts.entries import Entries
from twofold.counts.panel import MIN_DATES, WEEK, Kind, Panel, counted, drop_last_note
from twofold.engine.errors import DataError

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STEPS = {1: "daily", 7: "weekly", 14: "every second week", 365: "yearly", 366: "yearly"}
FALLS = 0.02
"""Share of falling steps below which a wide table without a known header is taken for running totals."""


@dataclass(frozen=True)
class _Grid:
    """Counts on a calendar.

    Attributes:
        name: the file, for messages.
        regions: their names.
        dates: one step apart.
        values: 0 where unknown.
        known: cells with a count.
        filled: cells whose count was given for a mark, or filled in.
        kind: running totals or new cases.
    """

    name: str
    regions: tuple[str, ...]
    dates: np.ndarray
    values: Int64[np.ndarray, "regions dates"]
    known: Bool[np.ndarray, "regions dates"]
    filled: Bool[np.ndarray, "regions dates"]
    kind: Kind

    def cut(self, regions: np.ndarray | None = None, dates: slice | None = None) -> "_Grid":
        """The grid of some regions (indices) or dates."""
        rows = np.arange(len(self.regions)) if regions is None else regions
        columns = slice(None) if dates is None else dates
        return replace(
            self,
            regions=tuple(self.regions[i] for i in rows.tolist()),
            dates=self.dates[columns],
            values=self.values[rows][:, columns],
            known=self.known[rows][:, columns],
            filled=self.filled[rows][:, columns],
        )


def make_panel(entries: Entries, config: SourceConfig) -> Panel:
    """Puts the entries on a calendar of equal steps, without the last `config.drop_last` dates.

    Raises:
        DataError: when the dates have no step of a day or a week, two entries fall in one week, or cells hold no count
            and `config.missing` does not say what to do.
    """
    day, notes = _weeks_of_weekdays(entries)
    dates = np.unique(day)
    if len(dates) < MIN_DATES:
        found = f"{len(dates)} ({', '.join(dates.astype(str))})"
        raise DataError(f"{entries.name}: at least {MIN_DATES} dates are needed, found {found}")
    step = _step(entries, day)
    calendar = np.arange(dates[0], dates[-1] + 1, step)
    off = ~np.isin(dates, calendar)
    if off.any():
        raise _uneven(entries, dates, step)
    cell = entries.region, (day - dates[0]).astype(np.int64) // step
    shape = len(entries.regions), len(calendar)
    values, known, filled = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    values[cell], known[cell], filled[cell] = entries.value, ~entries.missing, entries.stood_in
    if entries.events:
        known[:] = True
    if not known.any():
        raise DataError(f"{entries.name}: no cell of the counts holds a number; name another column, or mend the table")
    grid = _Grid(entries.name, entries.regions, calendar, values, known, filled, entries.kind or "incident")
    if config.drop_last:
        if shape[1] - config.drop_last < MIN_DATES:
            raise DataError(
                f"{entries.name}: --drop-last must lie in [0, {shape[1] - MIN_DATES}] so that {MIN_DATES} of the "
                f"{shape[1]} dates remain, got {config.drop_last}"
            )
        notes += (drop_last_note(calendar, config.drop_last),)
        grid = grid.cut(dates=slice(0, shape[1] - config.drop_last))
    if entries.kind is None and config.kind == "auto":
        grid, said = _kind_by_values(grid)
        notes += (said,)
    grid, said = _without_gaps(grid, config, dates)
    gaps = bool(grid.filled.any())
    panel = Panel(grid.regions, grid.dates, grid.values, grid.kind, filled=grid.filled if gaps else None)
    return panel.noted(*entries.notes, *notes, *said)


def _kind_by_values(grid: _Grid) -> tuple[_Grid, str | None]:
    """Whether a wide table holds running totals, by how often its counts fall."""
    both = grid.known[:, 1:] & grid.known[:, :-1]
    steps = np.diff(grid.values, axis=1)[both]
    falls, rises = float((steps < 0).mean()) if len(steps) else 0.0, bool((steps > 0).any())
    if falls < FALLS and rises and len(grid.dates) > WEEK:
        said = f"Read as running totals: {falls:.1%} of the steps go down; --source.kind incident reads new cases."
        return replace(grid, kind="cumulative"), said
    return grid, None


def _weeks_of_weekdays(entries: Entries) -> tuple[np.ndarray, tuple[str, ...]]:
    """Dates of weekly reports that fall on several weekdays, each moved to the last such weekday of its week.

    A week begins after the longest run of weekdays without a report. Other dates are left as they are.
    """
    day = entries.day
    steps = _own_steps(entries, day)
    if not len(steps) or np.median(steps) != WEEK or ((steps % WEEK == 0).all() and len(np.unique(_weekday(day))) == 1):
        return day, ()
    if (steps < WEEK - 3).mean() > 0.01:  # daily in part: no weekly reports
        return day, ()
    used = np.unique(_weekday(day))
    gaps = np.diff(np.append(used, used[0] + WEEK))
    last = int(used[np.argmax(gaps)])  # the weekday before the longest run without reports
    moved = day + (last - _weekday(day)) % WEEK
    key = entries.region * (2 * 10**6) + moved.astype(np.int64)
    if len(np.unique(key)) < len(key):
        return day, ()
    counts = np.bincount(_weekday(day), minlength=WEEK)
    days = ", ".join(f"{_WEEKDAYS[each]} {int(counts[each])}" for each in used.tolist())
    return moved, (
        f"Weekly reports fall on several weekdays ({days}); reports of one week were taken together, dated by its "
        f"{_WEEKDAYS[last]}.",
    )


def _weekday(day: np.ndarray) -> np.ndarray:
    return (day.astype(np.int64) + 3) % WEEK  # 1970-01-01 was a Thursday: 0 is a Monday


def _own_steps(entries: Entries, day: np.ndarray) -> Int64[np.ndarray, " steps"]:
    """Days between consecutive entries of each region."""
    order = np.lexsort((day, entries.region))
    region, sorted_days = entries.region[order], day[order].astype(np.int64)
    return np.diff(sorted_days)[np.diff(region) == 0]


def _step(entries: Entries, day: np.ndarray) -> int:
    """Days between two dates by most regions' own steps: 1 or 7.

    Raises:
        DataError: for monthly and other data.
    """
    steps = _own_steps(entries, day)
    if not len(steps):
        return 1
    lengths, counts = np.unique(steps, return_counts=True)
    usual = int(lengths[np.argmax(counts)])
    if usual in (1, WEEK):
        return usual
    monthly = bool(((steps >= 28) & (steps <= 31)).mean() > 0.5)
    if monthly:
        problem = "the data is monthly, and months have no equal step (28 to 31 days), so their counts don't compare"
    else:
        problem = f"most dates lie {usual} days apart{f' ({_STEPS[usual]})' if usual in _STEPS else ''}"
    raise DataError(f"{entries.name}: {problem}; give daily or weekly counts of the same cases")


def _uneven(entries: Entries, dates: np.ndarray, step: int) -> DataError:
    steps = np.diff(dates).astype(int)
    i = int(np.argmax(steps % step != 0))
    return DataError(
        f"{entries.name}: the dates jump from {dates[i]} to {dates[i + 1]}, {steps[i]} days where {step} is the step "
        "(1: "
        "daily, 7: weekly); mend a mistyped date, or leave its rows out"
    )


def _without_gaps(grid: _Grid, config: SourceConfig, dates: np.ndarray) -> tuple[_Grid, tuple[str, ...]]:
    """Treats the cells without a count as `config.missing` says."""
    if grid.known.all():
        return grid, ()
    before = f"{counted(int((~grid.known).sum()), 'cell')} of {grid.known.size} had no count"
    if config.missing == "refuse":
        raise _gaps(grid, dates)
    treated = _POLICIES[config.missing](grid)
    if isinstance(treated, str):
        raise DataError(f"{grid.name}: --source.missing {config.missing}: {treated}. {_choices(grid, config.missing)}")
    new, said = treated
    return new, (f"{before}: {said} (--source.missing {config.missing}).",)


_Treated = tuple[_Grid, str] | str
"""The grid without gaps and what was done, or why it can't be done."""


def _drop_regions(grid: _Grid) -> _Treated:
    whole = grid.known.all(axis=1)
    if not whole.any():
        return "every region lacks a count on some date"
    gone = [name for name, kept in zip(grid.regions, np.ravel(whole).tolist(), strict=True) if not kept]
    shown = ", ".join(gone[:10]) + (", …" if len(gone) > 10 else "")
    return grid.cut(regions=np.flatnonzero(whole)), f"{counted(len(gone), 'region')} left out: {shown}"


def _common_dates(grid: _Grid) -> _Treated:
    whole = np.append(grid.known.all(axis=0), False)
    best, start = (0, 0), None
    for i, each in enumerate(whole.tolist()):
        if each and start is None:
            start = i
        elif not each and start is not None:
            best, start = max(best, (i - start, start)), None
    length, first = best
    if length < MIN_DATES:
        return f"no {MIN_DATES} dates in a row have a count of every region"
    cut = grid.cut(dates=slice(first, first + length))
    return cut, f"the longest run of dates on which every region has one was kept, {cut.dates[0]} to {cut.dates[-1]}"


def _no_cases(grid: _Grid) -> _Treated:
    values = grid.values.copy()
    if grid.kind == "cumulative":  # no new cases: the total of the date before
        for t in range(1, values.shape[1]):
            values[:, t] = np.where(grid.known[:, t], values[:, t], values[:, t - 1])
    return _filled(grid, values), "taken as no new cases"


def _interpolated(grid: _Grid) -> _Treated:
    values, at = grid.values.copy(), np.arange(len(grid.dates))
    for i, known in enumerate(grid.known):
        if known.all():
            continue
        if not (known[0] and known[-1]):
            where = "begins late" if not known[0] else "ends early"
            beyond = "and beyond its first and last count there is nothing to interpolate"
            return f"{shorten(grid.regions[i])} {where}, {beyond}"
        values[i] = np.floor(np.interp(at, at[known], values[i, known].astype(float)) + 0.5).astype(np.int64)
        values[i, known] = grid.values[i, known]
    return _filled(grid, values), "interpolated linearly between their neighbours"


def _filled(grid: _Grid, values: np.ndarray) -> _Grid:
    return replace(grid, values=values, filled=grid.filled | ~grid.known, known=np.ones_like(grid.known))


_POLICIES: dict[Missing, Callable[[_Grid], _Treated]] = {
    "drop-regions": _drop_regions,
    "common-dates": _common_dates,
    "zero": _no_cases,
    "interpolate": _interpolated,
}


def _gaps(grid: _Grid, dates: np.ndarray) -> DataError:
    """The error that counts the cells without a count, and says what each policy would cost."""
    gone = ~grid.known
    region, date = np.argwhere(gone)[0].tolist()
    cells = "1 cell has" if gone.sum() == 1 else f"{gone.sum()} cells have"
    where = f"{counted(int(gone.any(axis=1).sum()), 'region')} and {counted(int(gone.any(axis=0).sum()), 'date')}"
    absent = grid.dates[~np.isin(grid.dates, dates)]
    jump = ""
    if len(absent):
        i = int(np.searchsorted(dates, absent[0]))
        step = (dates[i] - dates[i - 1]).astype(int)
        jump = f"; the dates jump from {dates[i - 1]} to {dates[i]}, {step} days"
    return DataError(
        f"{grid.name}: {cells} no count, of {grid.known.size} ({where}), the first for {grid.regions[region]!r} on "
        f"{grid.dates[date]}{jump}; every region needs a count on every date. {_choices(grid)}"
    )


def _choices(grid: _Grid, tried: Missing | None = None) -> str:
    """What each policy would cost, for those that can be followed."""
    gone, choices = ~grid.known, []
    for name, policy in _POLICIES.items():
        treated = policy(grid) if name != tried else ""
        if isinstance(treated, str):
            continue
        new, _ = treated
        cost = {
            "drop-regions": f"leaves {len(new.regions)} of {len(grid.regions)} regions",
            "common-dates": f"leaves {len(new.dates)} of {len(grid.dates)} dates, {new.dates[0]} to {new.dates[-1]}",
            "zero": f"takes {counted(int(gone.sum()), 'cell')} as no new cases",
            "interpolate": f"fills {counted(int(gone.sum()), 'cell')} between neighbours",
        }[name]
        choices.append(f"--source.missing {name} {cost}")
    last = int(np.argmin(np.flip(np.any(gone, axis=0))))
    if 0 < last < len(grid.dates) - MIN_DATES:
        rest = int(np.sum(gone[:, : len(grid.dates) - last]))
        remaining = f"; {counted(rest, 'cell')} without a count remain" if rest else ""
        choices.append(f"--drop-last {last} leaves out the last {counted(last, 'date')}{remaining}")
    return "Choose: " + "; ".join(choices) if choices else "No policy helps: mend the table"
