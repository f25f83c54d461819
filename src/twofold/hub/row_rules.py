"""The rules that a row of a submission, and the rows of one forecast together, keep or break."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from twofold.counts.panel import counted
from twofold.hub.rules import WEEK, Rules, season_of
from twofold.hub.tables import Kind, wanted

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
FORECAST = ["location", "horizon"]
"""What one forecast of a submission is for; its reference date is one for all."""


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
        place = ", ".join([_spans(self.rows)] * bool(self.rows) + [f"column {self.column!r}"] * bool(self.column))
        return f"{place}: {self.message}" if place else self.message


def broken_rows(
    rows: pl.DataFrame, reference_date: date | None, rules: Rules, locations: pl.DataFrame
) -> list[Problem]:
    """Rules that a row keeps or breaks by itself.

    Args:
        rows: of the target: the columns of `COLUMNS` read as their kinds, those as they stand in the file with `raw `
            before their names, and row, the number in the file.
        reference_date: the submission's; None where neither its file's name nor any row tells it.
        rules: of the season.
        locations: of the season.
    """
    tests = [
        ("output_type", "output_type", _one_of("output_type", ["pmf"])),
        *_date_tests(reference_date, rules),
        *_week_tests(reference_date, rules),
        ("location", "location", _one_of("location", locations["location"].to_list(), shown=False)),
        ("category", "output_type_id", _one_of("output_type_id", list(rules.categories))),
        ("value", "value", _readable("value")),
        ("value", "value", _unless(pl.col("value").is_between(0.0, 1.0), "must lie in [0, 1], got {}", "value")),
    ]
    return [problem for rule, column, test in tests for problem in _broken(rows, rule, column, test)]


def unknown_targets(rows: pl.DataFrame, rules: Rules) -> list[Problem]:
    """Rows whose target the hub doesn't know; `rows` as for `broken_rows`, of all targets."""
    return _broken(rows, "target", "target", _one_of("target", [rules.target, *rules.other_targets]))


def broken_forecasts(rows: pl.DataFrame, bad: pl.Series, rules: Rules) -> list[Problem]:
    """Rules on the categories of one location and horizon together; a forecast with a broken row is passed over."""
    grouped = rows.with_columns(bad=bad).group_by(FORECAST, maintain_order=True)
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


def _date_tests(named: date | None, rules: Rules) -> list[tuple[str, str, pl.Expr]]:
    """Tests of the reference date, made so that one wrong date is told once."""
    day, column, weekday = pl.col("reference_date"), "reference_date", rules.first_reference.isoweekday()
    season = day.map_elements(season_of, return_dtype=pl.String)
    right_day, as_named = day.dt.weekday() == weekday, day == (day if named is None else named)
    must = f"must be a {rules.first_reference:%A}; {{}} is a {{}}"
    return [
        (column, column, _readable(column)),
        (column, column, _unless(right_day, must, day, day.dt.strftime("%A"))),
        (column, column, _unless(as_named | ~right_day, f"must be {named}, the submission's own, got {{}}", day)),
        ("season", column, _unless((season == rules.season) | ~as_named, f"must lie in {rules.season}, got {{}}", day)),
    ]


def _week_tests(named: date | None, rules: Rules) -> list[tuple[str, str, pl.Expr]]:
    """Tests of horizon and target week; that may fit the row's reference date or the submission's."""
    day, horizon, end = (pl.col(name) for name in ("reference_date", "horizon", "target_end_date"))
    asked = sorted((*rules.unscored_horizons, *rules.horizons))
    fits = [end == start + WEEK * horizon for start in ([day] if named is None else [day, pl.lit(named)])]
    due = "must be {} weeks after the reference date {}, got {}"
    known, listed = horizon.is_in(asked), f"must be one of {', '.join(map(str, asked))}, got {{}}"
    return [
        ("horizon", "horizon", _readable("horizon")),
        ("horizon", "horizon", _unless(known, listed, horizon)),
        ("target_end_date", "target_end_date", _readable("target_end_date")),
        ("target_end_date", "target_end_date", _unless(pl.any_horizontal(fits) | ~known, due, horizon, day, end)),
    ]


def _unless(keeps: pl.Expr, message: str, *shown: pl.Expr | str) -> pl.Expr:
    """The message where a rule is broken; null where it is kept, or can't be judged since a cell can't be read."""
    return pl.when(~keeps).then(pl.format(message, *shown))


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
