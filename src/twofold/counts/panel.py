"""Panel: the counts of all regions over all dates, and their increments."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from twofold.engine.errors import InputError

Kind = Literal["cumulative", "incident"]
Negatives = Literal["keep", "clip", "redistribute"]
MIN_DATES = 3
WEEK = 7
SATURDAY = 5  # counted from Monday


class Suspicion(NamedTuple):
    """Something in the data that may spoil a study.

    Attributes:
        text: in a sentence or two.
        change: settings of the reader that would answer it, by name; empty where the data must be looked at.
    """

    text: str
    change: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Panel:
    """Counts by region and date, without gaps.

    Attributes:
        regions: names, unique, in the order of the rows.
        dates: `datetime64[D]`, strictly increasing, one step (1 or 7 days) apart; at least 3.
        values: counts as published, one row per region.
        kind: whether `values` are running totals or new cases.
        notes: changes of the reader, in sentences, for the report.
        filled: cells whose count is not the table's own: filled in, or given for a suppressed one. None: there is none.
        suspicions: doubts of the reader.

    Raises:
        InputError: when an attribute violates its rule.
    """

    regions: tuple[str, ...]
    dates: np.ndarray
    values: Int64[np.ndarray, "regions dates"]
    kind: Kind
    notes: tuple[str, ...] = ()
    filled: Bool[np.ndarray, "regions dates"] | None = None
    suspicions: tuple[Suspicion, ...] = ()

    def __post_init__(self) -> None:
        _check_axes(self.regions, self.dates, self.values.shape)
        if len(self.dates) < MIN_DATES:
            raise InputError(f"a panel needs at least {MIN_DATES} dates, got {len(self.dates)}")
        steps = np.unique(np.diff(self.dates).astype(int))
        if len(steps) != 1 or steps[0] not in (1, 7):
            raise InputError(f"dates must be one step of 1 or 7 days apart, got steps of {steps.tolist()} days")

    @property
    def step_days(self) -> int:
        """Days between two dates: 1 (daily) or 7 (weekly)."""
        return int((self.dates[1] - self.dates[0]).astype(int))

    def increments(self, negatives: Negatives) -> "Increments":
        """New cases by region and date.

        Args:
            negatives: treatment of negative increments (downward corrections). `keep` leaves them, `clip` sets them to
                0, `redistribute` subtracts them from the dates before, nearest first, none below 0, so that a region's
                sum stays the same; what the region's history can't absorb is clipped and reported in the notes.

        Returns:
            For running totals their differences, so one date fewer (the first date's increment is unknown); for new
            cases the values.
        """
        dates, counts, notes, filled = self.dates, self.values, (), self.filled
        if self.kind == "cumulative":
            dates, counts = dates[1:], np.diff(counts, axis=1)
            filled = None if filled is None else filled[:, 1:] | filled[:, :-1]
        if negatives == "clip":
            counts = np.maximum(counts, 0)
        elif negatives == "redistribute":
            counts, left = redistribute(counts)
            if left.any():
                cases, regions = counted(int(left.sum()), "case"), counted(int(np.count_nonzero(left)), "region")
                exceeding = f"Downward corrections exceed all cases before them by {cases} in {regions}"
                notes = (f"{exceeding}; that part was clipped.",)
        return Increments(self.regions, dates, counts, notes, filled)

    def part(self, rows: "slice | np.ndarray" = slice(None), dates: slice = slice(None)) -> "Panel":
        """The panel of some regions (indices) and dates, with its notes."""
        names = tuple(np.array(self.regions, dtype=object)[rows].tolist())
        filled = None if self.filled is None else self.filled[rows][:, dates]
        values = self.values[rows][:, dates]
        return replace(self, regions=names, dates=self.dates[dates], values=values, filled=filled)

    def drop_last(self, n: int) -> "Panel":
        """The panel without its last `n` dates; notes say so.

        Raises:
            InputError: when `n` is negative or fewer than 3 dates would remain.
        """
        if n < 0 or len(self.dates) - n < MIN_DATES:
            raise InputError(
                f"drop_last must lie in [0, {len(self.dates) - MIN_DATES}] so that {MIN_DATES} of the "
                f"{len(self.dates)} dates remain, got {n}"
            )
        if n == 0:
            return self
        return self.part(dates=slice(-n)).noted(drop_last_note(self.dates, n))

    def noted(self, *notes: str | None) -> "Panel":
        """The panel with further notes; None is skipped."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note)))

    def suspected(self, *suspicions: Suspicion | None) -> "Panel":
        """The panel with further suspicions; None is skipped."""
        return replace(self, suspicions=(*self.suspicions, *(each for each in suspicions if each)))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes and suspicions, in sentences."""
        return (*self.notes, *(each.text for each in self.suspicions))

    def digest(self) -> str:
        """SHA-256 in hex of regions, dates, kind, values and what was filled in; the notes don't count."""
        head = json.dumps([self.regions, self.dates.astype(str).tolist(), self.kind])
        filled = b"" if self.filled is None else np.packbits(self.filled).tobytes()
        return hashlib.sha256(head.encode() + self.values.astype("<i8").tobytes() + filled).hexdigest()

    def frame(self) -> pl.DataFrame:
        """The panel in long form: region, date, value, and increment as published (null on a running total's first).

        A panel with filled cells has a further column, `filled`.
        """
        counts = self.increments("keep").counts
        undefined = len(self.dates) - counts.shape[1]
        return pl.DataFrame(
            {
                "region": np.repeat(np.array(self.regions), len(self.dates)),
                "date": np.tile(self.dates, len(self.regions)),
                "value": self.values.ravel(),
                "increment": pl.Series([[None] * undefined + row for row in counts.tolist()]).explode().cast(pl.Int64),
            }
            | ({} if self.filled is None else {"filled": self.filled.ravel()})
        )


def panel_of_frame(frame: pl.DataFrame, kind: Kind) -> Panel:
    """The panel that `Panel.frame` put into long form; its notes are lost.

    Args:
        frame: columns `region`, `date`, `value`, and `filled` where cells were filled; rows by region, then date.
        kind: running totals or new cases.
    """
    regions = tuple(frame["region"].unique(maintain_order=True).to_list())
    shape = len(regions), frame.height // len(regions)
    dates = frame["date"][: shape[1]].to_numpy().astype("datetime64[D]")
    filled = frame["filled"].to_numpy().reshape(shape) if "filled" in frame.columns else None
    return Panel(regions, dates, frame["value"].to_numpy().reshape(shape), kind, filled=filled)


@dataclass(frozen=True)
class Increments:
    """New cases by region and date.

    Attributes:
        regions: names, in the order of the rows.
        dates: `datetime64[D]`, the day (or the week's date) on which the cases were new.
        counts: new cases; negative only where downward corrections were kept.
        notes: losses in the treatment of negative increments, in sentences.
        filled: new cases that depend on a filled cell; None: there is none.
    """

    regions: tuple[str, ...]
    dates: np.ndarray
    counts: Int64[np.ndarray, "regions dates"]
    notes: tuple[str, ...] = ()
    filled: Bool[np.ndarray, "regions dates"] | None = None

    def __post_init__(self) -> None:
        _check_axes(self.regions, self.dates, self.counts.shape)

    @property
    def step_days(self) -> int:
        """Days between two dates: 1 (daily) or 7 (weekly)."""
        return int((self.dates[1] - self.dates[0]).astype(int))


class Correction(NamedTuple):
    """A downward correction: on `date` the region's count was set back by `size` (> 0) cases."""

    region: str
    date: np.datetime64
    size: int


def corrections(panel: Panel) -> list[Correction]:
    """All downward corrections of a panel, that is its negative increments, by region and then date."""
    published = panel.increments("keep")
    cells = np.argwhere(published.counts < 0)
    return [Correction(panel.regions[r], published.dates[int(t)], int(-published.counts[r, t])) for r, t in cells]


def redistribute(
    counts: Int64[np.ndarray, "regions dates"],
) -> tuple[Int64[np.ndarray, "regions dates"], Int64[np.ndarray, "regions"]]:
    """Subtracts every negative count from the counts before it, nearest first, none below 0.

    Returns:
        Counts without negatives, and what each region's history could not absorb. For every region
        `new.sum() - unabsorbed == counts.sum()`.
    """
    result = np.empty_like(counts)
    debt = np.zeros(len(counts), dtype=np.int64)
    for t in range(counts.shape[1] - 1, -1, -1):
        left = counts[:, t] - debt
        result[:, t] = np.maximum(left, 0)
        debt = np.maximum(-left, 0)
    return result, debt


def counted(n: int, noun: str) -> str:
    """A number with its noun for a sentence: `1 date`, `2 dates`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def drop_last_note(dates: np.ndarray, n: int) -> str:
    """The note on last dates left out; `dates` includes them."""
    return f"Left out on request: the last {counted(n, 'date')}, {dates[-n]} to {dates[-1]} (--drop-last {n})."


def usual_step(dates: np.ndarray) -> int:
    """The most common step of sorted dates in days when that is 1 or 7, else 1; other steps are gaps."""
    steps, counts = np.unique(np.diff(dates).astype(int), return_counts=True)
    step = int(steps[np.argmax(counts)])
    return step if step in (1, 7) else 1


def _check_axes(regions: tuple[str, ...], dates: np.ndarray, shape: tuple[int, ...]) -> None:
    if not regions:
        raise InputError("a panel needs at least one region, got none")
    if len(set(regions)) != len(regions):
        twice = next(name for i, name in enumerate(regions) if name in regions[:i])
        raise InputError(f"regions must be unique, got {twice!r} twice")
    if dates.dtype != np.dtype("datetime64[D]"):
        raise InputError(f"dates must be datetime64[D], got {dates.dtype}")
    if shape != (len(regions), len(dates)):
        raise InputError(f"counts must have shape (regions, dates) = {(len(regions), len(dates))}, got {shape}")


def to_weeks(panel: Panel) -> Panel:
    """The panel by epidemiological weeks (Sunday to Saturday), each dated by its Saturday; a weekly panel unchanged.

    Running totals are those of the Saturdays, new cases are summed over whole weeks; the notes name the number of days
    at either end that belong to no whole week.

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
    values, filled = panel.values[:, ends], None if panel.filled is None else panel.filled[:, ends]
    if panel.kind == "incident":
        weeks = [slice(end - WEEK + 1, end + 1) for end in ends]
        values = np.stack([panel.values[:, week].sum(axis=1) for week in weeks], axis=1)
        if panel.filled is not None:
            filled = np.stack([panel.filled[:, week].any(axis=1) for week in weeks], axis=1)
    early, late = ends[0] - (WEEK - 1 if panel.kind == "incident" else 0), len(panel.dates) - 1 - ends[-1]
    cut = f", {counted(int(early), 'day')} at the beginning and {counted(int(late), 'day')} at the end in no whole week"
    note = f"Daily counts were summed to {len(ends)} weeks that end on Saturdays{cut if early or late else ''}."
    return replace(panel, dates=panel.dates[ends], values=values, filled=filled).noted(note)
