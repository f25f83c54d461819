"""A long history of another measure of the same disease, scaled to the counts: training data from many seasons.

Hospital admissions have few seasons, outpatient visits for influenza-like illness have many. Visits have a background
of other illness, which is subtracted, and the rest is scaled, for each location, to the counts of the weeks that both
have. The scaled history is training data only; forecasts are never scored against it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from twofold.counts.panel import counted
from twofold.engine.errors import InputError
from twofold.hub.config import HistoryConfig
from twofold.hub.growth import season_year
from twofold.hub.rules import WEEK
from twofold.hub.tables import Kind, read_sheet
from twofold.hub.vintages import Grid, grid_of

COLUMNS: dict[str, Kind] = {"region": "text", "week_start": "date", "unweighted_ili": "number"}


@dataclass(frozen=True)
class History:
    """Weekly values of another measure.

    Attributes:
        values: target_end_date (last day of the week), location, value (any unit; at least 0).
        notes: sentences on what the reader left out.
    """

    values: pl.DataFrame
    notes: tuple[str, ...] = ()

    def before(self, day: date) -> "History":
        """The weeks that ended before a day: the file does not say when later ones became known."""
        kept = self.values.filter(pl.col("target_end_date") < day)
        lost = self.values.height - kept.height
        note = (
            f"{counted(lost, 'value')} of the history from {day} on left out: the file doesn't tell when it was known."
        )
        return History(kept, (*self.notes, note) if lost else self.notes)


def read_history(path: Path, locations: pl.DataFrame) -> History:
    """Reads the history of a measure by place and week, in the layout of the CDC's ILINet.

    Args:
        path: CSV or Parquet with the columns `region` (a location's name), `week_start` (first day of the week) and
            `unweighted_ili` (per cent of visits; empty or NA: not known).
        locations: of the season; see `read_locations`.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    sheet = read_sheet(path)
    table = sheet.typed(COLUMNS, may_lack=("unweighted_ili",))
    share = table["unweighted_ili"]
    sheet.refuse(
        share.fill_null(0.0) < 0, lambda row: f"must be at least 0, got {share[row]:g}; correct it", "unweighted_ili"
    )
    sheet.refuse(
        table.select("region", "week_start").is_duplicated(),
        lambda _: "this region and week appear more than once; keep one row",
    )
    named = table.join(locations.select("location", region="name"), on="region", how="left", maintain_order="left")
    unknown = named.filter(pl.col("location").is_null())["region"].unique().sort().to_list()
    values = named.drop_nulls(["location", "unweighted_ili"]).select(
        target_end_date=pl.col("week_start") + timedelta(days=6), location="location", value="unweighted_ili"
    )
    note = f"{counted(len(unknown), 'region')} of the history that the hub doesn't have left out: {', '.join(unknown)}."
    return History(values.sort("location", "target_end_date"), (note,) if unknown else ())


def fit_scale(history: History, counts: Grid, aggregate: str | None, config: HistoryConfig) -> Grid:
    """The history scaled to counts, for the weeks before the first of the counts.

    Args:
        history: what is known of it; weeks that end after the newest of the counts are not looked at.
        counts: as they are known; scales are fitted on the weeks of both.
        aggregate: location that is the sum of all others, if there is one; its history is summed from theirs.
        config: background, excluded weeks.

    Returns:
        Locations of the counts, weeks of the history before the counts' first and outside the excluded ones, values
        in cases (NaN where a place has no history or no scale).

    Raises:
        InputError: when its weeks end on another day of the week than those of the counts.
    """
    newest = counts.dates[-1].astype("datetime64[D]").astype(date)
    seen = history.values.filter((pl.col("target_end_date") <= newest) & pl.col("location").is_in(counts.locations))
    if seen.is_empty():
        return Grid(counts.locations, np.zeros(0, "datetime64[D]"), np.zeros((len(counts.locations), 0)))
    grid = grid_of(seen)
    if (grid.dates[0] - counts.dates[0]).astype(int) % WEEK.days:
        raise InputError(
            f"weeks of the history end on the weekday of {grid.dates[0]}, those of the counts on that of "
            f"{counts.dates[0]}; both must be the same"
        )
    excess = np.full((len(counts.locations), grid.values.shape[1]), np.nan)
    rows = [counts.locations.index(name) for name in grid.locations]
    excess[rows] = above_background(grid.values, grid.dates, config)
    first, last = (np.datetime64(day, "D") for day in config.excluded)
    excess[:, (grid.dates >= first) & (grid.dates <= last)] = np.nan
    # Cases for one unit of the history: the ratio of both sums over the weeks that both have.
    _, here, there = np.intersect1d(grid.dates, counts.dates, return_indices=True)
    both = np.isfinite(excess[:, here]) & np.isfinite(counts.values[:, there])
    cases = np.where(both, counts.values[:, there], 0.0).sum(axis=1)
    units = np.where(both, excess[:, here], 0.0).sum(axis=1)
    scale = np.where((units > 0) & (cases > 0), cases / np.where(units > 0, units, 1.0), np.nan)
    scaled = excess * scale[:, None]
    if aggregate is not None:
        own = counts.locations.index(aggregate)
        parts = np.delete(scaled, own, axis=0)
        scaled[own] = np.where(np.isfinite(parts).any(axis=0), np.nansum(parts, axis=0), np.nan)
    return Grid(counts.locations, grid.dates, scaled).part(grid.dates < counts.dates[0])


def above_background(
    values: Float[np.ndarray, "locations weeks"], dates: np.ndarray, config: HistoryConfig
) -> Float[np.ndarray, "locations weeks"]:
    """Each season's values less the season's background, at least 0; NaN for a season of too few weeks."""
    result = np.full_like(values, np.nan)
    seasons = season_year(dates)
    for season in np.unique(seasons):
        within = seasons == season
        part = values[:, within]
        enough = np.isfinite(part).sum(axis=1) >= config.min_weeks
        if enough.any():
            low = np.nanquantile(part[enough], config.background, axis=1, keepdims=True)
            result[np.ix_(enough, within)] = np.maximum(part[enough] - low, 0.0) ** config.power
    return result
