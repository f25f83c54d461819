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
from twofold.trend.hub_rules import WEEK, Rules, season_of
from twofold.trend.hub_table import Kind, Sheet, parse, read_sheet, wanted
from twofold.trend.panel import counted

COLUMNS: dict[str, Kind] = {
    "reference_date": "date",
    "target": "text",
    "horizon": "integer",
    "target_end_date": "date",
    "location": "text",
    "output_type": "text",
    "output_type_id": "text",
    "value": "number",
}
"""Columns of a submission, in the order in which we write them."""
SUM_TOLERANCE = 1.5e-8
"""Probabilities of a forecast may miss 1 by this much: what R's `all.equal`, the hubverse's own check, lets pass."""
_NAME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})-([A-Za-z0-9_]{1,16})-([A-Za-z0-9_]{1,16})\.(csv|parquet)")
_FORECAST = ["reference_date", "location", "horizon"]


class FileName(NamedTuple):
    """What the name of a submission says."""

    reference_date: date
    team: str
    model: str
    form: str


@dataclass(frozen=True)
class Problem:
    """A broken rule.

    Attributes:
        rule: its name: file, file_name, columns, types, empty, target, output_type, reference_date, season, horizon,
            target_end_date, location, category, value, duplicate, complete or sum.
        message: what is wrong, and what would be right.
        rows: numbers of the rows that break it, as in the file (a CSV's header is row 1); none where it is the file.
        column: the column in question, if there is one.
    """

    rule: str
    message: str
    rows: tuple[int, ...] = ()
    column: str | None = None

    def __str__(self) -> str:
        place = [_spans(self.rows)] if self.rows else []
        return ": ".join([", ".join(place + ([f"column {self.column!r}"] if self.column else [])), self.message][-2:])


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
    if not path.exists():
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
        name: of its file; None where there is none: its date and form are then not compared.
        rules: of the season.
        locations: of that season.
    """
    misshapen = _check_columns(sheet) or _check_types(sheet, name)
    if misshapen:
        return Checked(tuple(misshapen))
    cells = pl.DataFrame([parse(sheet.frame[column], kind) for column, kind in COLUMNS.items()])
    raw = sheet.frame.select(pl.col(column).cast(pl.String).alias(f"raw {column}") for column in COLUMNS)
    every = cells.hstack(raw).with_columns(row=pl.Series(list(sheet.numbers), dtype=pl.Int64))
    known = {"target": [rules.target, *rules.other_targets]}
    strange = _broken(every, "target", "target", _one_of("target", known["target"]))
    rows = every.filter(pl.col("target") == rules.target)
    other_rows = every.filter(pl.col("target").is_in(rules.other_targets)).height
    if rows.is_empty():
        empty = Problem("empty", f"no row has the target {rules.target!r}; a submission needs forecasts of it")
        return Checked((*strange, empty), other_rows=other_rows)
    in_rows = _check_rows(rows, name, rules, locations)
    bad = sorted({row for problem in in_rows for row in problem.rows})
    problems = (*strange, *in_rows, *_check_forecasts(rows, rows["row"].is_in(bad), rules))
    forecasts = rows.select(_FORECAST).unique()
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


def _check_rows(rows: pl.DataFrame, name: FileName | None, rules: Rules, locations: pl.DataFrame) -> list[Problem]:
    """Rules that a row keeps or breaks by itself."""
    day, weekday = pl.col("reference_date"), rules.first_reference.isoweekday()
    end = day + WEEK * pl.col("horizon")
    horizons = [*rules.unscored_horizons, *rules.horizons]
    season = day.map_elements(season_of, return_dtype=pl.String)
    value = pl.col("value")
    unnamed = pl.lit(False) if name is None else day != name.reference_date
    tests: list[tuple[str, str, pl.Expr]] = [
        ("output_type", "output_type", _one_of("output_type", ["pmf"])),
        ("reference_date", "reference_date", _readable("reference_date")),
        (
            "reference_date",
            "reference_date",
            pl.when(day.dt.weekday() != weekday).then(
                pl.format(f"{{}} is a {{}}; must be a {rules.first_reference:%A}", day, day.dt.strftime("%A"))
            ),
        ),
        (
            "reference_date",
            "reference_date",
            pl.when(unnamed).then(pl.format(f"{{}} is not the file name's {name and name.reference_date}", day)),
        ),
        (
            "season",
            "reference_date",
            pl.when(season != rules.season).then(
                pl.format(f"{{}} lies in season {{}}, not {rules.season}", day, season)
            ),
        ),
        ("horizon", "horizon", _readable("horizon")),
        (
            "horizon",
            "horizon",
            pl.when(~pl.col("horizon").is_in(horizons)).then(
                pl.format(f"must be one of {', '.join(map(str, sorted(horizons)))}, got {{}}", "horizon")
            ),
        ),
        ("target_end_date", "target_end_date", _readable("target_end_date")),
        (
            "target_end_date",
            "target_end_date",
            pl.when(pl.col("target_end_date") != end).then(
                pl.format("must be {} weeks after {}, {}, got {}", "horizon", day, end, "target_end_date")
            ),
        ),
        ("location", "location", _one_of("location", locations["location"].to_list(), shown=False)),
        ("category", "output_type_id", _one_of("output_type_id", list(rules.categories))),
        ("value", "value", _readable("value")),
        (
            "value",
            "value",
            pl.when(~value.is_between(0.0, 1.0)).then(pl.format("a probability lies in [0, 1], got {}", value)),
        ),
    ]
    return [problem for rule, column, test in tests for problem in _broken(rows, rule, column, test)]


def _check_forecasts(rows: pl.DataFrame, bad: pl.Series, rules: Rules) -> list[Problem]:
    """Rules on the categories of one location and horizon together; a forecast with a broken row is passed over."""
    grouped = rows.with_columns(bad=bad).group_by(_FORECAST, maintain_order=True)
    whole = grouped.agg(
        "row", pl.col("output_type_id").alias("got"), pl.col("value").sum().alias("total"), pl.col("bad").any()
    ).filter(~pl.col("bad"))
    problems = []
    for forecast in whole.iter_rows(named=True):
        got, numbers = forecast["got"], tuple(forecast["row"])
        where = f"location {forecast['location']!r}, horizon {forecast['horizon']}"
        missing = [category for category in rules.categories if category not in got]
        for category in sorted({category for category in got if got.count(category) > 1}):
            twice = tuple(row for row, name in zip(numbers, got, strict=True) if name == category)
            problems.append(Problem("duplicate", f"{where}: {category!r} stands {len(twice)} times", twice))
        if missing:
            lacking = ", ".join(missing)
            problems.append(
                Problem("complete", f"{where}: every category needs a row; there is none for {lacking}", numbers)
            )
        elif len(got) == len(rules.categories) and abs(forecast["total"] - 1.0) > SUM_TOLERANCE:
            problems.append(Problem("sum", f"{where}: must add up to 1, got {forecast['total']:.9g}", numbers, "value"))
    return problems


def _broken(rows: pl.DataFrame, rule: str, column: str, test: pl.Expr) -> list[Problem]:
    """One problem for every different message of a test; the test is null in a row that passes."""
    found = rows.select("row", message=test).drop_nulls().group_by("message", maintain_order=True).agg("row")
    return [Problem(rule, message, tuple(numbers), column) for message, numbers in found.iter_rows()]


def _readable(column: str) -> pl.Expr:
    raw = pl.col(f"raw {column}")
    wrong = pl.format(f"'{{}}' is not {wanted(COLUMNS[column])}", raw)
    return pl.when(pl.col(column).is_null()).then(pl.when(raw.is_null()).then(pl.lit("is empty")).otherwise(wrong))


def _one_of(column: str, names: list[str], *, shown: bool = True) -> pl.Expr:
    cell = pl.col(column)
    known = ", ".join(names) if shown else "the hub's locations (text: FIPS codes keep their zeros)"
    got = pl.format("'{}'", cell).fill_null("an empty cell")
    return pl.when(~cell.is_in(names).fill_null(False)).then(pl.format(f"must be one of {known}, got {{}}", got))


def _spans(rows: tuple[int, ...]) -> str:
    """Row numbers for a message: `rows 2 to 6, 9`."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    shown = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in spans[:10])
    left = sum(b - a + 1 for a, b in spans[10:])
    more = f" and {counted(left, 'row')} more" if left else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"
