"""Readers: a panel from a file or a DataFrame, or the simulated one."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from twofold.counts.config import SourceConfig
from twofold.counts.csv import Table, bare_table, find_table
from twofold.counts.entries import read_entries
from twofold.counts.files import PARQUET, is_workbook, read_bytes, sheet_rows, unzipped
from twofold.counts.grid import make_panel
from twofold.counts.layouts import Roles, find_roles
from twofold.counts.panel import Panel, corrections, counted, to_weeks
from twofold.counts.simulate import simulate
from twofold.counts.suspicions import (
    check_redistribution,
    incomplete_tail,
    kind_doubt,
    level_jump,
    weekly_dump,
    without_sums,
)
from twofold.engine.errors import DataError, InputError
from twofold.engine.parquet import read_parquet


def load_panel(source: str | Path | pl.DataFrame | None, config: SourceConfig) -> Panel:
    """The panel of a run, without its last `config.drop_last` dates.

    Its notes name what the reader decided and changed, its suspicions what may spoil a study.

    Args:
        source: a file, a DataFrame in long form, or None for the embedded simulated epidemic.
        config: settings of the reader.

    Raises:
        DataError: when the data violate a rule; names file, row and column.
        InputError: when `config.drop_last` leaves fewer than 3 dates.
    """
    if source is None:
        panel, name = simulate(config.simulation_seed).drop_last(config.drop_last), "the simulated epidemic"
    elif isinstance(source, str | Path):
        panel, name = read_panel(source, config), str(source)
    else:
        panel, name = read_frame(source, config), "frame"
    return examined(panel, config, name)


def examined(panel: Panel, config: SourceConfig, name: str) -> Panel:
    """The panel by weeks where that is asked for, without sums of regions, and with suspicions.

    Raises:
        DataError: when the treatment of negative counts would wipe a region's history.
        InputError: when fewer than 3 weeks remain.
    """
    panel = without_sums(panel, config, name)
    dump, dates = weekly_dump(panel), panel.dates
    if config.weekly:
        panel = to_weeks(panel)
    if config.negatives == "redistribute":
        check_redistribution(panel, name)
    clipped = panel.increments(config.negatives).notes
    panel = panel.noted(_corrections_note(panel, config), *clipped)
    tail = incomplete_tail(panel, dates, config.drop_last)
    return panel.suspected(kind_doubt(panel), None if config.weekly else dump, level_jump(panel), tail)


def read_panel(path: str | Path, config: SourceConfig) -> Panel:
    """Reads a table of counts: CSV with any usual separator (also gzipped or zipped), an Excel workbook, or Parquet.

    Raises:
        DataError: when the file violates a rule; names file, row and column, the rule, and a remedy.
    """
    table = read_table(path, config)
    return panel_of(table, find_roles(table, config), config)


def read_table(path: str | Path, config: SourceConfig) -> Table:
    """The table in a file, as rows of cells.

    Raises:
        DataError: when the file can't be read, or holds no table.
    """
    path = Path(path)
    data, member = unzipped(path, read_bytes(path))
    name = str(path)
    said = () if member is None else (f"Read from {member} in the zip.",)
    if config.sheet is not None and not is_workbook(data):
        raise DataError(f"{name}: --source.sheet is for Excel workbooks, and this is none; leave it out")
    if data.startswith(PARQUET):
        table = table_of_frame(name, read_parquet(name, data))
    elif is_workbook(data):
        rows, sheet = sheet_rows(name, data, config.sheet)
        numbered = [(row, i) for i, row in enumerate(rows, start=1) if any(row)]
        if not numbered:
            raise DataError(f"{name}: the sheet {sheet!r} is empty; it needs a header and rows of counts")
        said = (*said, f"Read from the sheet {sheet!r}.")
        return bare_table(Table(name, [row for row, _ in numbered], [i for _, i in numbered], said, separator="sheet"))
    else:
        table = find_table(name, data)
    return replace(table, notes=(*said, *table.notes))


def read_frame(frame: pl.DataFrame, config: SourceConfig) -> Panel:
    """Reads a DataFrame in any layout; row 1 is its first row.

    Args:
        frame: dates as Date, midnight Datetime or text, counts as numbers or text.
        config: settings of the reader.

    Raises:
        DataError: when the frame breaks a rule; names row and column.
        InputError: when it is no polars DataFrame.
    """
    if not isinstance(frame, pl.DataFrame):
        raise InputError(
            f"frame must be a polars DataFrame, got {type(frame).__name__}; polars.from_pandas converts a pandas one"
        )
    table = table_of_frame("frame", frame)
    return panel_of(table, find_roles(table, config), config)


def panel_of(table: Table, roles: Roles, config: SourceConfig) -> Panel:
    """The panel in a table; see `read_panel`."""
    return make_panel(read_entries(table, roles, config), config)


def table_of_frame(name: str, frame: pl.DataFrame) -> Table:
    """A DataFrame as rows of text cells below a header; the first row of data is row 1.

    Raises:
        DataError: when it is empty, or a column holds lists, structures or binary data.
    """
    if frame.is_empty():
        raise DataError(f"{name}: there are columns but no row")
    columns = [_as_text(name, column) for column in frame.get_columns()]
    rows = [list(frame.columns), *map(list, zip(*columns, strict=True))]
    typed = frozenset(j for j, dtype in enumerate(frame.dtypes) if dtype.is_numeric())
    return Table(name, rows, list(range(len(rows))), separator="", typed=typed)


def _as_text(name: str, column: pl.Series) -> list[str]:
    """A column's cells as in a CSV; None becomes the empty cell."""
    if isinstance(column.dtype, pl.List | pl.Struct | pl.Array | pl.Object | pl.Binary):
        raise DataError(f"{name}, column {column.name!r}: holds {column.dtype}; text, dates or numbers are needed")

    def written(cell: object) -> str:
        if isinstance(cell, datetime):
            return cell.isoformat(sep=" ").removesuffix("+00:00")
        if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))  # a float column of whole numbers, as pandas makes of counts with gaps
        return "" if cell is None else str(cell).strip()

    return [written(cell) for cell in column.to_list()]


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
