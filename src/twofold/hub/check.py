"""Checks a submission to a hub, ours or another team's: every broken rule with the rows that break it.

A submission is one table for one reference date. Rows of the hub's other targets may stand in it; they are counted and
left alone.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from twofold.engine.errors import DataError, InputError
from twofold.hub.row_rules import COLUMNS, FORECAST, Problem, broken_forecasts, broken_rows, unknown_targets
from twofold.hub.rules import Rules
from twofold.hub.tables import Sheet, parse, read_sheet

_NAME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})-([A-Za-z0-9_]{1,16})-([A-Za-z0-9_]{1,16})\.(csv|parquet)")


class FileName(NamedTuple):
    """What the name of a submission says."""

    reference_date: date
    team: str
    model: str
    form: str


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        problems: broken rules; none when the submission is valid.
        forecasts: forecasts (locations times horizons) of the target.
        unscored: those of them at horizons that the hub doesn't score.
        other_rows: rows of other targets, not checked.
    """

    problems: tuple[Problem, ...]
    forecasts: int = 0
    unscored: int = 0
    other_rows: int = 0


def parse_name(name: str) -> FileName:
    """Takes a submission's file name apart.

    Raises:
        InputError: when it breaks the hub's rule.

    Example:
        >>> parse_name("2024-11-23-PSI-PROF.csv").model
        'PROF'
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(
            f"{name!r} must be named YYYY-MM-DD-team-model.csv or .parquet, team and model of 1 to 16 letters, digits "
            "and underscores"
        )
    try:
        return FileName(date.fromisoformat(match[1]), match[2], match[3], match[4])
    except ValueError:
        raise InputError(f"{name!r} begins with {match[1]}, which is no day of the calendar") from None


def validate(path: Path, rules: Rules, locations: pl.DataFrame) -> Checked:
    """Checks a submission file.

    Args:
        path: CSV or Parquet.
        rules: of the season that the submission belongs to.
        locations: of that season; see `read_locations`.

    Raises:
        DataError: when the file is not there.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    problems: list[Problem] = []
    name = None
    try:
        name = parse_name(path.name)
    except InputError as error:
        problems.append(Problem("file_name", str(error)))
    try:
        sheet = read_sheet(path)
    except DataError as error:
        return Checked((*problems, Problem("file", str(error))))
    checked = check_sheet(sheet, name, rules, locations)
    return Checked((*problems, *checked.problems), checked.forecasts, checked.unscored, checked.other_rows)


def check_sheet(sheet: Sheet, name: FileName | None, rules: Rules, locations: pl.DataFrame) -> Checked:
    """Checks a submission's table.

    Args:
        sheet: the table; see `read_sheet`.
        name: of its file; None where there is none: the first row's date then stands for all.
        rules: of the season.
        locations: of that season.
    """
    misshapen = _check_columns(sheet) or _check_types(sheet, name)
    if misshapen:
        return Checked(tuple(misshapen))
    cells = pl.DataFrame([parse(sheet.frame[column], kind) for column, kind in COLUMNS.items()])
    raw = sheet.frame.select(pl.col(column).cast(pl.String).alias(f"raw {column}") for column in COLUMNS)
    every = cells.hstack(raw).with_columns(row=pl.Series(list(sheet.numbers), dtype=pl.Int64))
    strange = unknown_targets(every, rules)
    rows = every.filter(pl.col("target") == rules.target)
    other_rows = every.filter(pl.col("target").is_in(rules.other_targets)).height
    if rows.is_empty():
        empty = Problem("empty", f"no row has the target {rules.target!r}; a submission needs forecasts of it")
        return Checked((*strange, empty), other_rows=other_rows)
    day = name.reference_date if name else next(iter(rows["reference_date"].drop_nulls().to_list()), None)
    in_rows = broken_rows(rows, day, rules, locations)
    bad = sorted({row for problem in in_rows for row in problem.rows})
    problems = (*strange, *in_rows, *broken_forecasts(rows, rows["row"].is_in(bad), rules))
    forecasts = rows.select(FORECAST).unique()
    unscored = forecasts.filter(pl.col("horizon").is_in(rules.unscored_horizons)).height
    return Checked(problems, forecasts.height, unscored, other_rows)


def _check_columns(sheet: Sheet) -> list[Problem]:
    found = sheet.frame.columns
    lacking, extra = [c for c in COLUMNS if c not in found], [c for c in found if c not in COLUMNS]
    problems = [Problem("columns", "is missing; a submission has it", column=column) for column in lacking]
    return problems + [Problem("columns", "is no column of a submission; drop it", column=column) for column in extra]


def _check_types(sheet: Sheet, name: FileName | None) -> list[Problem]:
    """Parquet columns that don't hold their kind; in a CSV all is text."""
    problems = []
    for column, kind in COLUMNS.items():
        cells = sheet.frame[column]
        if name and name.form == "parquet" and kind != "text" and cells.dtype == pl.String:
            problems.append(Problem("types", "holds text; dates and numbers have types of their own", column=column))
            continue
        try:
            parse(cells, kind)
        except ValueError as error:
            problems.append(Problem("types", str(error), column=column))
    return problems
