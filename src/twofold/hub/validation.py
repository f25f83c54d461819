"""A submission checked against the hub's own configuration, as the hubverse's validator does.

Each check has the name that `hubValidations` (hubverse) gives it; `horizon_timediff` is one that hubs add in their
`validations.yml`. What can't be checked is named, too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from twofold.counts.csv import parse_table, shown
from twofold.counts.files import PARQUET, read_bytes
from twofold.counts.panel import counted
from twofold.engine.errors import DataError, InputError
from twofold.engine.parquet import read_parquet
from twofold.hub.metadata import CHECK, SCHEMA, check_metadata
from twofold.hub.submission import Problem, parse_name
from twofold.hub.tasks import Hub, Output, Task, as_text

SUM_TOLERANCE = 1.5e-8
"""Tolerance of the sum of a forecast's probabilities: that of R's `all.equal`, which the hubverse checks with."""
_EMPTY = ("", "NA")
_FIXED = ("output_type", "output_type_id", "value")


@dataclass
class Report:
    """What the checks of a submission found.

    Attributes:
        passed: names of the checks that found nothing.
        problems: broken rules, each with the name of its check.
        unchecked: names of checks that were not made, and why.
        targets: rows of each target.
    """

    passed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unchecked: dict[str, str] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)

    def check(self, name: str, problems: Iterator[Problem] | list[Problem]) -> bool:
        """Notes what a check found; whether it passed."""
        found = list(problems)
        self.problems += found
        if not found:
            self.passed.append(name)
        return not found


def validate(path: Path, hub: Hub, now: datetime | None = None) -> Report:
    """Makes all checks of a submission file; like the hubverse's, it stops after some that the later ones build on.

    Args:
        path: the file.
        hub: the hub's configuration.
        now: the time of submission, for the submission window; None leaves that check out.
    """
    report = Report()
    report.check("valid_config", [])
    if not report.check("file_exists", [] if path.is_file() else [Problem("file_exists", f"{path}: no such file")]):
        return report
    try:
        name = parse_name(path.name)
    except InputError as error:
        report.check("file_name", [Problem("file_name", str(error))])
        return report
    report.check("file_name", [])
    model = f"{name.team}-{name.model}"
    _check_place(report, path, hub, model)
    known = name.reference_date in hub.rounds
    message = f"{name.reference_date} is no round of {hub.name}; the nearest are {_nearest(name.reference_date, hub)}"
    if not report.check("round_id_valid", [] if known else [Problem("round_id_valid", message)]):
        return report
    accepted = f"{hub.name} takes {' and '.join(hub.formats)}, got {name.form}"
    if not report.check("file_format", [] if name.form in hub.formats else [Problem("file_format", accepted)]):
        return report
    _check_window(report, hub, name.reference_date, now)
    try:
        sheet = _read(path)
    except DataError as error:
        report.check("file_read", [Problem("file_read", str(error))])
        return report
    _check_table(report, sheet, hub, str(name.reference_date))
    return report


def _nearest(day: date, hub: Hub) -> str:
    near = sorted(hub.rounds, key=lambda each: abs((each - day).days))[:2]
    return " and ".join(map(str, sorted(near)))


def _check_place(report: Report, path: Path, hub: Hub, model: str) -> None:
    """Checks on the folders that the file lies in, where it lies in the hub's."""
    outputs = (hub.folder / "model-output").resolve()
    if outputs not in path.resolve().parents:
        for check in ("file_location", "file_n"):
            report.unchecked[check] = "the file does not lie in the hub's model-output"
    else:
        folder = path.resolve().parent.name
        message = f"must lie in the folder {model!r}, lies in {folder!r}"
        report.check("file_location", [] if folder == model else [Problem("file_location", message)])
        same = sorted(path.parent.glob(f"{path.stem}.*"))
        message = f"one file a round and model is taken, there are {shown(each.name for each in same)}"
        report.check("file_n", [] if len(same) == 1 else [Problem("file_n", message)])
    described = hub.folder / "model-metadata"
    if not described.is_dir():
        report.unchecked["metadata_exists"] = "the hub's folder has no model-metadata"
    else:
        files = [described / f"{model}.{ending}" for ending in ("yml", "yaml")]
        message = f"there is no {files[0].name} in model-metadata"
        there = [each for each in files if each.is_file()]
        report.check("metadata_exists", [] if there else [Problem("metadata_exists", message)])
        schema = hub.folder / "hub-config" / SCHEMA
        if there and schema.is_file():
            report.check(CHECK, check_metadata(there[0], schema))
        elif there:
            report.unchecked[CHECK] = f"the hub's folder has no hub-config/{SCHEMA}"


def _check_window(report: Report, hub: Hub, day: date, now: datetime | None) -> None:
    opening, deadline = hub.opening(day), hub.deadline(day)
    if opening is None or deadline is None:
        report.unchecked["submission_time"] = "the hub's window is not relative to the round's date"
    elif now is None:
        report.unchecked["submission_time"] = f"the window is {opening} to {deadline}; --at TIME checks it"
    else:
        message = f"must be submitted between {opening} and {deadline}, the time is {now.astimezone(hub.zone)}"
        inside = opening <= now <= deadline
        report.check("submission_time", [] if inside else [Problem("submission_time", message)])


@dataclass(frozen=True)
class _Sheet:
    """A submission: cells as text (empty: null), their numbers in the file, and the types that a Parquet file has."""

    cells: pl.DataFrame
    numbers: list[int]
    types: dict[str, Any] | None

    def problems(
        self, check: str, broken: pl.Series, say: Callable[[dict[str, Any]], str], column: str | None = None
    ) -> Iterator[Problem]:
        """One problem per different message over the broken rows."""
        rows: dict[str, list[int]] = {}
        for i in broken.fill_null(False).arg_true().to_list():
            rows.setdefault(say(self.cells.row(i, named=True)), []).append(self.numbers[i])
        for message, numbers in rows.items():
            yield Problem(check, message, tuple(numbers), column)


def _read(path: Path) -> _Sheet:
    data = read_bytes(path)
    if data.startswith(PARQUET):
        frame = read_parquet(path.name, data)
        texts = [
            pl.Series(name, [None if cell is None else as_text(cell) for cell in frame[name].to_list()], pl.String)
            for name in frame.columns
        ]
        return _Sheet(pl.DataFrame(texts), list(range(1, frame.height + 1)), dict(frame.schema))
    if path.suffix == ".parquet":
        raise DataError("is named .parquet but is no Parquet file")
    table = parse_table(path.name, data)
    table.check_rectangular(1)
    header = table.rows[0]
    twice = next((column for i, column in enumerate(header) if column in header[:i]), None)
    if twice is not None:
        raise DataError(f"the column {twice!r} stands {header.count(twice)} times")
    rows = [[None if cell in _EMPTY else cell for cell in row] for row in table.rows[1:]]
    return _Sheet(pl.DataFrame(rows, dict.fromkeys(header, pl.String), orient="row"), table.numbers[1:], None)


def _check_table(report: Report, sheet: _Sheet, hub: Hub, day: str) -> None:
    found, wanted, column = sheet.cells.columns, hub.columns, hub.round_column
    missing = [name for name in wanted if name not in found]
    strange = [name for name in found if name not in wanted]
    there = [] if column in found else [Problem("valid_round_id_col", f"there is no column {column!r}", column=column)]
    if report.check("valid_round_id_col", there):
        days = sheet.cells[column].unique().to_list()
        message = f"one round a file is taken, found {shown(str(each) for each in days)}"
        if not report.check(
            "unique_round_id", [] if len(days) == 1 else [Problem("unique_round_id", message, column=column)]
        ):
            return
        message = f"must be {day}, as in the file's name, got {days[0]}"
        if not report.check(
            "match_round_id", [] if days == [day] else [Problem("match_round_id", message, column=column)]
        ):
            return
    names = [Problem("colnames", "is missing; a submission has it", column=name) for name in missing]
    names += [
        Problem("colnames", "is no column of a submission; leave it out", column=name or '""') for name in strange
    ]
    if not report.check("colnames", names):
        return
    if not report.check("file_read", _unreadable(sheet)):
        return
    report.check("col_types", _types(sheet, hub))
    counts = sheet.cells["target"].value_counts() if "target" in found else pl.DataFrame()
    report.targets = dict(counts.iter_rows()) if counts.height else {}
    cells = _canonical(sheet.cells, hub).with_row_index("row")
    parts = list(_parts(cells, hub))
    if not report.check("valid_vals", _invalid(sheet, cells, parts, hub)):
        return
    report.check("derived_task_id_vals", _derived(sheet, cells, hub))
    keys = [name for name in cells.columns if name not in ("row", "value", *hub.derived)]
    double = cells.select(keys).is_duplicated()
    report.check(
        "rows_unique", sheet.problems("rows_unique", double, lambda row: f"{_unit(row, keys)} appears more than once")
    )
    report.check("req_vals", [problem for part in parts for problem in _incomplete(sheet, part, hub)])
    report.check("value_col_valid", [problem for part in parts for problem in _values(sheet, part)])
    report.check("value_col_non_desc", [problem for part in parts for problem in _descending(sheet, part, hub)])
    report.check("value_col_sum1", [problem for part in parts for problem in _sums(sheet, part, hub)])
    if any(part.output.samples for part in parts):
        for check, rule in _SAMPLE_RULES.items():
            report.check(check, [problem for part in parts for problem in rule(sheet, part, hub)])
    if {"horizon", "target_end_date"} <= set(found):
        report.check("horizon_timediff", _horizons(sheet, cells, hub))


def _unreadable(sheet: _Sheet) -> Iterator[Problem]:
    """Cells of a CSV that are not what their column holds."""
    patterns = {
        "value": (r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$", "a number"),
        "horizon": (r"^-?[0-9]+$", "a whole number"),
    }
    for name, (pattern, what) in patterns.items():
        if name in sheet.cells.columns and sheet.types is None:
            cells = sheet.cells[name]
            broken = cells.is_not_null() & ~cells.fill_null("0").str.contains(pattern)
            yield from sheet.problems("file_read", broken, lambda row, n=name, w=what: f"{row[n]!r} is not {w}", name)


def _types(sheet: _Sheet, hub: Hub) -> Iterator[Problem]:
    """Exact types of a Parquet file; a CSV has none."""
    for name, dtype in (sheet.types or {}).items():
        wanted, good = "text", dtype == pl.String
        if name == "value":
            wanted, good = "a number", dtype.is_numeric()
        elif name == "horizon":
            wanted, good = "an integer", dtype.is_integer()
        elif name.endswith("date"):
            wanted, good = "a date", dtype == pl.Date
        if not good:
            yield Problem("col_types", f"must be {wanted}, is {dtype}", column=name)


def _canonical(cells: pl.DataFrame, hub: Hub) -> pl.DataFrame:
    """Ids of quantiles in their shortest form, so that 0.10 is 0.1; values as numbers."""
    ids = cells["output_type_id"].to_list()
    kinds = cells["output_type"].to_list()
    clean = [_shortest(each) if kind in ("quantile", "cdf") else each for each, kind in zip(ids, kinds, strict=True)]
    return cells.with_columns(
        pl.Series("output_type_id", clean, pl.String), pl.col("value").cast(pl.Float64, strict=False)
    )


def _shortest(text: str | None) -> str | None:
    try:
        return None if text is None else as_text(float(text))
    except ValueError:
        return text


@dataclass(frozen=True)
class _Part:
    """The rows of one output type of a task."""

    task: Task
    kind: str
    output: Output
    rows: pl.DataFrame


def _parts(cells: pl.DataFrame, hub: Hub) -> Iterator[_Part]:
    for task in hub.tasks:
        fits = pl.lit(True)
        for name, allowed in task.columns.items():
            if name not in hub.derived:
                fits &= pl.col(name).is_in(list(allowed.values)) if allowed.values else pl.col(name).is_null()
        for kind, output in task.outputs.items():
            ids = pl.col("output_type_id").is_not_null()
            if output.ids is not None:
                ids = pl.col("output_type_id").is_in(list(output.ids.values)) if output.ids.values else ~ids
            rows = cells.filter(fits.fill_null(False) & (pl.col("output_type") == kind) & ids)
            if rows.height:
                yield _Part(task, kind, output, rows)


def _invalid(sheet: _Sheet, cells: pl.DataFrame, parts: list[_Part], hub: Hub) -> Iterator[Problem]:
    """Rows that fit no task; the message names the column that no task allows, where it is one."""
    fitting = {row for part in parts for row in part.rows["row"].to_list()}
    broken = pl.Series([row not in fitting for row in range(cells.height)], dtype=pl.Boolean)
    free = [name for name in hub.columns if name not in (*hub.derived, "value")]
    known: dict[str, set[str | None]] = {name: set() for name in free}
    open_ids = any(output.ids is None for task in hub.tasks for output in task.outputs.values())
    for task in hub.tasks:
        for name in free:
            if name in task.columns:
                known[name] |= set(task.columns[name].values) or {None}
        for kind, output in task.outputs.items():
            known["output_type"].add(kind)
            known["output_type_id"] |= set(output.ids.values) if output.ids else set()

    def say(row: dict[str, Any]) -> str:
        for name in free:
            cell = _shortest(row[name]) if name == "output_type_id" and row["output_type"] == "quantile" else row[name]
            if cell not in known[name] and not (
                name == "output_type_id" and open_ids and row["output_type"] == "sample"
            ):
                got = "an empty cell" if cell is None else repr(cell)
                return f"column {name!r}: must be one of {shown(sorted(map(str, known[name])), 6)}, got {got}"
        return f"the combination {_unit(row, free)} belongs to no task of the hub"

    yield from sheet.problems("valid_vals", broken, say)


def _unit(row: dict[str, Any], names: list[str]) -> str:
    return ", ".join(str(row[name]) for name in names if row.get(name) is not None)


def _derived(sheet: _Sheet, cells: pl.DataFrame, hub: Hub) -> Iterator[Problem]:
    for name in hub.derived:
        allowed = {value for task in hub.tasks if name in task.columns for value in task.columns[name].values}
        broken = ~cells[name].is_in(list(allowed))
        yield from sheet.problems(
            "derived_task_id_vals", broken, lambda row, n=name: f"{row[n]!r} is none of the hub's", name
        )


def _ids(part: _Part, hub: Hub) -> list[str]:
    return [name for name in part.task.columns if name not in hub.derived]


def _incomplete(sheet: _Sheet, part: _Part, hub: Hub) -> Iterator[Problem]:
    """Forecasts that lack ids, or an output type, that the hub requires."""
    names = _ids(part, hub)
    for name in names:
        present = set(part.rows[name].to_list())
        lacking = [value for value in part.task.columns[name].required or () if value not in present]
        if lacking:
            yield Problem("req_vals", f"{part.kind}: rows for {shown(lacking)} are required", column=name)
    if part.output.ids is None:
        return
    wanted = list(part.output.ids.required or ())
    grouped = part.rows.group_by(names, maintain_order=True).agg("row", "output_type_id")
    for row in grouped.iter_rows(named=True):
        lacking = [value for value in wanted if value not in row["output_type_id"]]
        if lacking:
            numbers = tuple(sheet.numbers[i] for i in row["row"])
            yield Problem("req_vals", f"{_unit(row, names)}: {part.kind} needs rows for {shown(lacking)}", numbers)


def _values(sheet: _Sheet, part: _Part) -> Iterator[Problem]:
    value, low, high = pl.col("value"), part.output.minimum, part.output.maximum
    whole = (value == value.round()) if part.output.integer else pl.lit(True)
    inside = value.is_finite() & whole & (value >= (low if low is not None else float("-inf")))
    inside &= value <= (high if high is not None else float("inf"))
    broken = part.rows.filter(~inside.fill_null(False))
    bounds = f"{'a whole number' if part.output.integer else 'a number'} in [{low}, {high}]"
    for row in broken.iter_rows(named=True):
        yield Problem("value_col_valid", f"must be {bounds}, got {row['value']}", (sheet.numbers[row["row"]],), "value")


def _descending(sheet: _Sheet, part: _Part, hub: Hub) -> Iterator[Problem]:
    if part.kind not in ("quantile", "cdf"):
        return
    names = _ids(part, hub)
    ordered = part.rows.with_columns(level=pl.col("output_type_id").cast(pl.Float64, strict=False)).sort("level")
    grouped = ordered.group_by(names, maintain_order=True).agg("row", "value", "output_type_id")
    for row in grouped.iter_rows(named=True):
        for i in range(1, len(row["value"])):
            before, after = row["value"][i - 1], row["value"][i]
            if before is not None and after is not None and after < before:
                numbers = tuple(sheet.numbers[j] for j in row["row"][i - 1 : i + 1])
                levels = " to ".join(row["output_type_id"][i - 1 : i + 1])
                yield Problem("value_col_non_desc", f"{_unit(row, names)}: falls from level {levels}", numbers, "value")
                break


def _sums(sheet: _Sheet, part: _Part, hub: Hub) -> Iterator[Problem]:
    if part.kind != "pmf":
        return
    names = _ids(part, hub)
    for row in part.rows.group_by(names, maintain_order=True).agg("row", "value").iter_rows(named=True):
        total = sum(value or 0.0 for value in row["value"])
        if abs(total - 1) > SUM_TOLERANCE:
            numbers = tuple(sheet.numbers[i] for i in row["row"])
            yield Problem("value_col_sum1", f"{_unit(row, names)}: must add up to 1, got {total:.9g}", numbers, "value")


def _compound(part: _Part, hub: Hub) -> list[str]:
    return [name for name in part.output.samples.compound if name in _ids(part, hub)] if part.output.samples else []


def _sample_sets(sheet: _Sheet, part: _Part, hub: Hub) -> Iterator[Problem]:
    """Samples may be coarser than the hub's units, not finer: what varies between rows of a unit varies in a sample."""
    if part.output.samples is None:
        return
    others = [name for name in _ids(part, hub) if name not in _compound(part, hub)]
    within = part.rows.group_by("output_type_id").agg(pl.col(others).n_unique())
    for name in others:
        if part.rows[name].n_unique() > 1 and within[name].max() == 1:
            message = f"each sample holds one {name} only; samples must run over all of a unit's"
            yield Problem("spl_compound_taskid_set", message, column=name)


def _sample_units(sheet: _Sheet, part: _Part, hub: Hub) -> Iterator[Problem]:
    if part.output.samples is None:
        return
    names = _compound(part, hub)
    within = part.rows.group_by("output_type_id", maintain_order=True).agg("row", pl.col(names).n_unique())
    several = within.filter(pl.any_horizontal(pl.col(names) > 1)) if names else within.clear()
    if 0 < several.height < within.height:
        for row in several.iter_rows(named=True):
            numbers = tuple(sheet.numbers[i] for i in row["row"])
            message = f"sample {row['output_type_id']!r} spans several of {', '.join(names)}, others one"
            yield Problem("spl_compound_tid", message, numbers)


def _sample_rows(sheet: _Sheet, part: _Part, hub: Hub) -> Iterator[Problem]:
    if part.output.samples is None:
        return
    others = [name for name in _ids(part, hub) if name not in _compound(part, hub)]
    sets = (
        part.rows.with_columns(key=pl.concat_str(others, separator=" | ", ignore_nulls=True))
        .group_by("output_type_id", maintain_order=True)
        .agg("row", pl.col("key").sort())
    )
    usual = sets.group_by("key").len().sort("len", descending=True)["key"][0].to_list()
    for row in sets.iter_rows(named=True):
        if row["key"] != usual:
            numbers = tuple(sheet.numbers[i] for i in row["row"])
            message = f"sample {row['output_type_id']!r} has other {', '.join(others)} than most samples"
            yield Problem("spl_non_compound_tid", message, numbers)


def _sample_numbers(sheet: _Sheet, part: _Part, hub: Hub) -> Iterator[Problem]:
    rules = part.output.samples
    if rules is None:
        return
    names = _compound(part, hub)
    grouped = part.rows.group_by(names, maintain_order=True).agg(pl.col("output_type_id").n_unique().alias("n"))
    for row in grouped.iter_rows(named=True):
        if not rules.least <= row["n"] <= rules.most:
            message = f"{_unit(row, names)}: {counted(row['n'], 'sample')}, {rules.least} to {rules.most} are wanted"
            yield Problem("spl_n", message)


_SAMPLE_RULES = {
    "spl_compound_taskid_set": _sample_sets,
    "spl_compound_tid": _sample_units,
    "spl_non_compound_tid": _sample_rows,
    "spl_n": _sample_numbers,
}


def _horizons(sheet: _Sheet, cells: pl.DataFrame, hub: Hub) -> Iterator[Problem]:
    """The target week ends as many weeks after the round's date as the horizon says."""
    due = pl.col(hub.round_column).str.to_date(strict=False) + pl.duration(weeks=pl.col("horizon").cast(pl.Int64))
    end = pl.col("target_end_date").str.to_date(strict=False)
    asked = pl.col("horizon").is_not_null() & pl.col("target_end_date").is_not_null()
    broken = cells.select(asked & (end != due).fill_null(True)).to_series()

    def say(row: dict[str, Any]) -> str:
        return f"must be {row['horizon']} weeks after {row[hub.round_column]}, got {row['target_end_date']}"

    yield from sheet.problems("horizon_timediff", broken, say, "target_end_date")


def utc(text: str) -> datetime:
    """A time for the submission window; UTC where it names no zone.

    Raises:
        InputError: when it is no time.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--at {text}: is no time such as 2025-02-19T22:30:00-05:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
