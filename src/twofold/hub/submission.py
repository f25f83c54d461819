"""Submissions to a hub, ours or another team's: checked and written, with the metadata of the model.

A submission is one table for one reference date. It may have rows of the hub's other targets; they are counted and not
checked. A check reports every broken rule with the rows that break it.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple

import polars as pl
from pydantic import Field

from twofold.counts.panel import counted
from twofold.engine.errors import DataError, InputError
from twofold.engine.files import write_bytes
from twofold.hub.rules import WEEK, RateChange, Rules
from twofold.hub.tables import WANTED, Kind, Sheet, parse, read_sheet, sheet_of
from twofold.hub.tasks import as_text

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
"""Tolerance of the sum of a forecast's probabilities: that of R's `all.equal`, which the hubverse checks with."""
_FORECAST = ["location", "horizon"]  # key of one forecast; the reference date is the same for all
_NAME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})-([A-Za-z0-9_]{1,16})-([A-Za-z0-9_]{1,16})\.(csv|parquet)")
Abbreviation = Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,16}$")]


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
        place = [] if self.column is None else [f"column {self.column!r}"]
        if self.rows:
            spans: list[list[int]] = []  # such as: rows 2 to 6, 9
            for row in self.rows:
                if spans and row == spans[-1][1] + 1:
                    spans[-1][1] = row
                else:
                    spans.append([row, row])
            shown = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in spans[:10])
            left = sum(b - a + 1 for a, b in spans[10:])
            more = f" and {counted(left, 'row')} more" if left else ""
            place.insert(0, f"{'row' if len(self.rows) == 1 else 'rows'} {shown}{more}")
        return f"{', '.join(place)}: {self.message}" if place else self.message


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


class FileName(NamedTuple):
    """Parts of the file name of a submission."""

    reference_date: date
    team: str
    model: str
    form: str


def parse_name(name: str) -> FileName:
    """Parses the file name of a submission.

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


def check_file(path: Path, rules: Rules, locations: pl.DataFrame) -> Checked:
    """Checks a submission file, CSV or Parquet.

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
    """Checks a submission's table; without a valid file name the reference date is that of the first row.

    Raises:
        InputError: when the hub asks for no categories.
    """
    change = rules.rate_change
    if change is None:
        raise InputError(
            f"{rules.hub} asks for no categories of change; --hub with the hub's folder checks its targets"
        )
    found = sheet.frame.columns
    misshapen = [Problem("columns", "is missing; a submission has it", column=c) for c in COLUMNS if c not in found]
    misshapen += [
        Problem("columns", "is no column of a submission; drop it", column=c) for c in found if c not in COLUMNS
    ]
    cells: list[pl.Series] = []
    for column, kind in () if misshapen else COLUMNS.items():
        if name and name.form == "parquet" and kind != "text" and sheet.frame[column].dtype == pl.String:
            misshapen.append(Problem("types", "holds text; dates and numbers have types of their own", column=column))
            continue
        try:
            cells.append(parse(sheet.frame[column], kind))
        except ValueError as error:
            misshapen.append(Problem("types", str(error), column=column))
    if misshapen:
        return Checked(tuple(misshapen))
    raw = sheet.frame.select(pl.col(column).cast(pl.String).alias(f"raw {column}") for column in COLUMNS)
    every = pl.DataFrame(cells).hstack(raw).with_columns(row=pl.Series(list(sheet.numbers), dtype=pl.Int64))
    others = [name for name in (rules.counts, rules.shares, *rules.other_targets) if name is not None]
    strange = _broken(every, "target", "target", _one_of("target", [change.target, *others]))
    rows = every.filter(pl.col("target") == change.target)
    other_rows = every.filter(pl.col("target").is_in(others)).height
    if rows.is_empty():  # the target is optional: a submission may hold other targets only
        empty = (
            [] if other_rows else [Problem("empty", f"no row has the target {change.target!r} or another of the hub")]
        )
        return Checked((*strange, *empty), other_rows=other_rows)
    day = name.reference_date if name else next(iter(rows["reference_date"].drop_nulls().to_list()), None)
    in_rows = [
        problem
        for rule, column, test in _row_tests(day, rules, change, locations)
        for problem in _broken(rows, rule, column, test)
    ]
    bad = sorted({row for problem in in_rows for row in problem.rows})
    whole = rows.with_columns(bad=pl.col("row").is_in(bad))
    forecasts = rows.select(_FORECAST).unique()
    unscored = forecasts.filter(pl.col("horizon").is_in(rules.unscored_horizons)).height
    problems = (*strange, *in_rows, *_broken_forecasts(whole, change))
    return Checked(problems, forecasts.height, unscored, other_rows)


def _row_tests(
    named: date | None, rules: Rules, change: RateChange, locations: pl.DataFrame
) -> list[tuple[str, str, pl.Expr]]:
    """Rules on single rows: (rule, column, message where it is broken).

    One wrong date is reported once, since a target week may fit the row's date or the submission's (None where neither
    the file name nor any row gives it).
    """
    day, horizon, end = (pl.col(name) for name in ("reference_date", "horizon", "target_end_date"))
    right_day = day.dt.weekday() == rules.first_reference.isoweekday()
    as_named = day == (day if named is None else named)
    in_season = day.map_elements(rules.season_of, return_dtype=pl.String) == rules.season
    must = f"must be a {rules.first_reference:%A}; {{}} is a {{}}"
    allowed = sorted((*rules.unscored_horizons, *rules.horizons))
    known = horizon.is_in(allowed)
    fits = [end == start + WEEK * horizon for start in ([day] if named is None else [day, pl.lit(named)])]
    due = "must be {} weeks after the reference date {}, got {}"
    return [
        ("output_type", "output_type", _one_of("output_type", ["pmf"])),
        ("reference_date", "reference_date", _readable("reference_date")),
        ("reference_date", "reference_date", _unless(right_day, must, day, day.dt.strftime("%A"))),
        (
            "reference_date",
            "reference_date",
            _unless(as_named | ~right_day, f"must be {named}, the submission's own, got {{}}", day),
        ),
        ("season", "reference_date", _unless(in_season | ~as_named, f"must lie in {rules.season}, got {{}}", day)),
        ("horizon", "horizon", _readable("horizon")),
        ("horizon", "horizon", _unless(known, f"must be one of {', '.join(map(str, allowed))}, got {{}}", horizon)),
        ("target_end_date", "target_end_date", _readable("target_end_date")),
        ("target_end_date", "target_end_date", _unless(pl.any_horizontal(fits) | ~known, due, horizon, day, end)),
        ("location", "location", _one_of("location", locations["location"].to_list(), shown=False)),
        ("category", "output_type_id", _one_of("output_type_id", list(change.categories))),
        ("value", "value", _readable("value")),
        ("value", "value", _unless(pl.col("value").is_between(0.0, 1.0), "must lie in [0, 1], got {}", "value")),
    ]


def _broken(rows: pl.DataFrame, rule: str, column: str, test: pl.Expr) -> list[Problem]:
    """One problem per different message of a test; the test is null in a row that passes."""
    found = rows.select("row", message=test).drop_nulls().group_by("message", maintain_order=True).agg("row")
    return [Problem(rule, message, tuple(numbers), column) for message, numbers in found.iter_rows()]


def _unless(keeps: pl.Expr, message: str, *shown: pl.Expr | str) -> pl.Expr:
    """The message where a rule is broken; null where it is kept, or can't be judged since a cell can't be read."""
    return pl.when(~keeps).then(pl.format(message, *shown))


def _readable(column: str) -> pl.Expr:
    raw = pl.col(f"raw {column}")
    wrong = pl.format(f"'{{}}' is not {WANTED[COLUMNS[column]]}", raw)
    return pl.when(pl.col(column).is_null()).then(pl.when(raw.is_null()).then(pl.lit("is empty")).otherwise(wrong))


def _one_of(column: str, names: list[str], *, shown: bool = True) -> pl.Expr:
    cell = pl.col(column)
    known = ", ".join(names) if shown else "the hub's locations (text: FIPS codes keep their zeros)"
    got = pl.format("'{}'", cell).fill_null("an empty cell")
    return pl.when(~cell.is_in(names).fill_null(False)).then(pl.format(f"must be one of {known}, got {{}}", got))


def _broken_forecasts(rows: pl.DataFrame, rules: RateChange) -> list[Problem]:
    """Rules on the categories of one location and horizon together; forecasts with a broken row are skipped."""
    grouped = rows.group_by(_FORECAST, maintain_order=True).agg(
        "row", pl.col("output_type_id").alias("got"), pl.col("value").sum().alias("total"), pl.col("bad").any()
    )
    problems = []
    for forecast in grouped.filter(~pl.col("bad")).iter_rows(named=True):
        got, numbers = forecast["got"], tuple(forecast["row"])
        where = f"location {forecast['location']!r}, horizon {forecast['horizon']}"
        for category in sorted({category for category in got if got.count(category) > 1}):
            twice = tuple(row for row, name in zip(numbers, got, strict=True) if name == category)
            problems.append(Problem("duplicate", f"{where}: {category!r} appears {len(twice)} times", twice))
        missing = ", ".join(category for category in rules.categories if category not in got)
        if missing:
            message = f"{where}: every category needs a row; there is none for {missing}"
            problems.append(Problem("complete", message, numbers))
        elif len(got) == len(rules.categories) and abs(forecast["total"] - 1.0) > SUM_TOLERANCE:
            problems.append(Problem("sum", f"{where}: must add up to 1, got {forecast['total']:.9g}", numbers, "value"))
    return problems


def submission(
    categories: pl.DataFrame | None, rules: Rules, quantiles: Mapping[str, pl.DataFrame] | None = None
) -> pl.DataFrame:
    """Forecasts in the columns of a submission.

    Args:
        categories: columns reference_date, horizon, location, category, probability; None: none are submitted.
        rules: of the season.
        quantiles: by target: reference_date, horizon, location, quantile, value; None: none are submitted.

    Returns:
        Columns of `COLUMNS`, sorted by location and horizon, categories from falling to rising; then the quantiles
        of each target, levels rising.

    Raises:
        InputError: when there is nothing to submit.
    """
    end = pl.col("reference_date") + WEEK * pl.col("horizon")
    parts, change = [], rules.rate_change
    if categories is not None and change is not None:
        order = pl.col("category").replace_strict(list(change.categories), range(len(change.categories)), default=None)
        parts.append(
            categories.sort("reference_date", "location", "horizon", order)
            .with_columns(target=pl.lit(change.target), output_type=pl.lit("pmf"))
            .rename({"category": "output_type_id", "probability": "value"})
        )
    level = pl.col("quantile").map_elements(as_text, return_dtype=pl.String)
    for target, table in (quantiles or {}).items():
        parts.append(
            table.sort("reference_date", "location", "horizon", "quantile").with_columns(
                target=pl.lit(target), output_type=pl.lit("quantile"), output_type_id=level
            )
        )
    if not parts:
        raise InputError(f"there is no forecast that {rules.hub} asks for in this round; give another date or head")
    whole = (part.with_columns(pl.col("horizon").cast(pl.Int64), target_end_date=end) for part in parts)
    return pl.concat([part.select(*COLUMNS) for part in whole])


def write_submission(
    path: Path,
    categories: pl.DataFrame | None,
    rules: Rules,
    locations: pl.DataFrame,
    quantiles: Mapping[str, pl.DataFrame] | None = None,
) -> None:
    """Writes a submission of one reference date as `YYYY-MM-DD-team-model.csv` or `.parquet`; see `submission`.

    Its categories are checked here; all of it is by `validation.validate`, where the hub's folder is at hand.

    Raises:
        InputError: when the name or the forecasts break a rule of the hub; nothing is written then.
    """
    name, table = parse_name(path.name), submission(categories, rules, quantiles)
    checked = check_sheet(sheet_of(path.name, table), name, rules, locations) if rules.rate_change else Checked(())
    for problem in checked.problems:
        raise InputError(f"{path.name}: the hub would refuse these forecasts, the first reason: {problem}")
    buffer = io.BytesIO()
    if name.form == "csv":
        table.write_csv(buffer)
    else:
        table.write_parquet(buffer)
    write_bytes(path, buffer.getvalue())
