"""Readers: from a file, a DataFrame or nothing at all to a Panel."""

import io
from pathlib import Path

import numpy as np
import polars as pl

from twofold.counts.config import SourceConfig
from twofold.counts.long import read_long_frame, read_long_table
from twofold.counts.panel import Kind, Panel, corrections, counted
from twofold.counts.simulate import simulate
from twofold.counts.table import Table, parse_table, read_bytes
from twofold.counts.tail import incomplete_tail
from twofold.counts.weekly import to_weeks
from twofold.counts.wide import is_jhu, is_original, read_jhu, read_original
from twofold.engine.errors import DataError, InputError

PARQUET = b"PAR1"


def load_panel(source: str | Path | pl.DataFrame | None, config: SourceConfig) -> Panel:
    """The panel that a run works on: read (or simulated), cut as asked, with notes on what looks odd.

    Args:
        source: a file, a DataFrame in long form, or None for the embedded simulated epidemic.
        config: how to read it.

    Returns:
        The panel without its last `config.drop_last` dates. Its notes tell of repairs, of downward corrections, and of
        last dates that look incomplete.

    Raises:
        DataError: when the data break a rule; names file, row and column.
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
    """Reads a table of counts.

    Args:
        path: a CSV (also gzipped) in the original study's, JHU's or the long layout, or a Parquet file in the
            long layout.
        config: layout, kind and column names; `auto` finds the layout by the header.

    Raises:
        DataError: when the file breaks a rule; names file, row and column, the rule, and what to do.
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
    """Reads a DataFrame in long form: region, date and count, a row each, in any order.

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
    regions = len({correction.region for correction in found})
    largest = max(found, key=lambda correction: correction.size)
    treatment = {
        "keep": "kept as negative increments",
        "clip": "clipped to 0",
        "redistribute": "taken off the dates before",
    }[config.negatives]
    size = f"{counted(largest.size, 'case')} ({largest.region}, {largest.date})"
    return (
        f"{counted(len(found), 'downward correction')} in {counted(regions, 'region')}, the largest of {size}: "
        f"{treatment} (--negatives {config.negatives})."
    )


def _kind_note(panel: Panel) -> str | None:
    """A doubt about the kind: new cases that never fall, or running totals that often do."""
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
