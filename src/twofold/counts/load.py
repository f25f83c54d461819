"""Readers: a panel from a file or a DataFrame, or the simulated one."""

import io
from pathlib import Path

import numpy as np
import polars as pl

from twofold.counts.config import SourceConfig
from twofold.counts.csv import Table, parse_table, read_bytes
from twofold.counts.layouts import is_jhu, is_original, read_jhu, read_long_frame, read_long_table, read_original
from twofold.counts.panel import Kind, Panel, corrections, counted, to_weeks
from twofold.counts.simulate import simulate
from twofold.engine.errors import DataError, InputError

PARQUET = b"PAR1"


def load_panel(source: str | Path | pl.DataFrame | None, config: SourceConfig) -> Panel:
    """The panel of a run, without its last `config.drop_last` dates.

    Its notes name repairs, downward corrections, and last dates that look incomplete.

    Args:
        source: a file, a DataFrame in long form, or None for the embedded simulated epidemic.
        config: settings of the reader.

    Raises:
        DataError: when the data violate a rule; names file, row and column.
        InputError: when `config.drop_last` leaves fewer than 3 dates.
    """
    if source is None:
        panel = simulate(config.simulation_seed)
    elif isinstance(source, str | Path):
        panel = read_panel(source, config)
    else:
        panel = read_frame(source, config)
    panel = panel.drop_last(config.drop_last)
    if config.weekly:
        panel = to_weeks(panel)
    clipped = panel.increments(config.negatives).notes
    return panel.noted(_corrections_note(panel, config), *clipped, _kind_note(panel), incomplete_tail(panel))


def read_panel(path: str | Path, config: SourceConfig) -> Panel:
    """Reads a CSV (also gzipped) in the original study's, JHU's or the long layout, or a Parquet file in the long one.

    Raises:
        DataError: when the file violates a rule; names file, row and column, the rule, and a remedy.
    """
    data = read_bytes(Path(path))
    if data.startswith(PARQUET):
        return _at_least_two(_read_parquet(str(path), data, config), str(path))
    table = parse_table(str(path), data)
    layout = _detect(table, config) if config.layout == "auto" else config.layout
    if layout == "long":
        panel = read_long_table(table, config, _kind(config, "incident"))
    elif layout == "jhu":
        panel = read_jhu(table, _kind(config, "cumulative"), config.negatives)
    else:
        panel = read_original(table, _kind(config, "cumulative"), config.negatives)
    return _at_least_two(panel, str(path))


def read_frame(frame: pl.DataFrame, config: SourceConfig) -> Panel:
    """Reads a DataFrame in long form: one row per region and date, in any order.

    Raises:
        DataError: when the frame breaks a rule; names row and column.
        InputError: when it is no polars DataFrame.
    """
    if not isinstance(frame, pl.DataFrame):
        raise InputError(
            f"frame must be a polars DataFrame, got {type(frame).__name__}; polars.from_pandas converts a pandas one"
        )
    return _at_least_two(read_long_frame(frame, config, _kind(config, "incident"), "frame"), "frame")


def _kind(config: SourceConfig, usual: Kind) -> Kind:
    return usual if config.kind == "auto" else config.kind


def _at_least_two(panel: Panel, name: str) -> Panel:
    if len(panel.regions) == 1:
        raise DataError(f"{name}: only one region, {panel.regions[0]!r}; the study compares regions: give at least 2")
    return panel


def _detect(table: Table, config: SourceConfig) -> str:
    header = table.rows[0]
    if is_original(table):
        return "original"
    if is_jhu(table):
        return "jhu"
    if {config.region, config.date, config.value} & set(header):
        return "long"
    shown = ", ".join(repr(column) for column in header[:8]) + (", …" if len(header) > 8 else "")
    raise DataError(
        f"{table.name}, row {table.numbers[0]}: no known header; found the columns {shown}. Known are JHU's wide table "
        f"(a column 'Country/Region'), the original study's, and long tables with the columns {config.region!r}, "
        f"{config.date!r}, {config.value!r}; name other columns with --source.region, --source.date and --source.value"
    )


def _read_parquet(name: str, data: bytes, config: SourceConfig) -> Panel:
    if config.layout in ("original", "jhu"):
        raise DataError(
            f"{name}: is a Parquet file, and the layout {config.layout!r} is a CSV; give the CSV, or --source.layout "
            "long"
        )
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{name}: the Parquet file is cut or damaged ({error}); write or download it again") from error
    return read_long_frame(frame, config, _kind(config, "incident"), name)


def _corrections_note(panel: Panel, config: SourceConfig) -> str | None:
    found = corrections(panel)
    if not found:
        return None
    largest = max(found, key=lambda correction: correction.size)
    regions = counted(len({correction.region for correction in found}), "region")
    size = f"{counted(largest.size, 'case')} ({largest.region}, {largest.date})"
    treatment = {
        "keep": "kept as negative increments",
        "clip": "clipped to 0",
        "redistribute": "taken off the dates before",
    }[config.negatives]
    return (
        f"{counted(len(found), 'downward correction')} in {regions}, the largest of {size}: {treatment} "
        f"(--negatives {config.negatives})."
    )


def _kind_note(panel: Panel) -> str | None:
    """A note where the kind is doubtful: new cases that never fall, or running totals that often do."""
    falls = np.diff(panel.values, axis=1) < 0
    if panel.kind == "incident" and len(panel.dates) > 7 and not falls.any() and panel.values[:, -1].sum() > 0:
        return (
            "The counts were read as new cases, but no region's count ever falls, so they look like running totals; if "
            "they are, add --source.kind cumulative."
        )
    if panel.kind == "cumulative" and falls.mean() > 0.1:
        return (
            f"The counts were read as running totals, but {falls.mean():.0%} of their steps go down; if they are new "
            "cases, add --source.kind incident."
        )
    return None


WATCHED = 3
"""Last dates that may be found incomplete."""
HISTORY = 14
"""Dates before them for comparison."""
EXCESS = 0.15
"""Margin by which the share of regions that halved must exceed the highest share in the history."""
FEWEST = 5
"""Minimum number of regions for a share."""


def incomplete_tail(panel: Panel) -> str | None:
    """A warning when the last dates look incomplete; None when they don't, or when dates or regions are too few.

    For every date, take the regions that had cases one and two weeks before, and the share of them that now report less
    than half of the week before (weekly data: of the date before). Regions rarely halve all at once, and a share does
    not depend on a region's size. A last date looks incomplete when its share exceeds the highest share of the 14 dates
    before the last three by more than 0.15, and so do all dates after it.

    Applied to every day of JHU's series of 1143 days, the rule warns on 2 of 1102; with all counts of the last day
    halved it warns on 93 %.
    """
    counts = np.maximum(panel.increments("keep").counts, 0)
    week = 7 // panel.step_days
    counts = counts[:, -(WATCHED + HISTORY + 2 * week) :]
    now, before, earlier = counts[:, 2 * week :], counts[:, week:-week], counts[:, : -2 * week]
    reporting = (before > 0) & (earlier > 0)
    regions, halved = reporting.sum(axis=0), (reporting & (2 * now < before)).sum(axis=0)
    shares = np.where(regions >= FEWEST, halved / np.maximum(regions, 1), np.nan)
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
