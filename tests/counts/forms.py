"""One true table in many forms, and what each form leaves open: told by how it was written, never by the reader.

A mix is a choice on every axis (separator, encoding, file, lines around, numbers, dates, layout, columns). Its
`open` questions are those to which the written cells have two answers; each has the option that settles it.
"""

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xlsxwriter

Rows = list[list[str]]
REGIONS = ("Côte-d'Or", "Korea, South", "São Tomé", "Zürich (Stadt)", "Ain")


@dataclass(frozen=True)
class Truth:
    """Counts by region and date, as they are meant."""

    regions: tuple[str, ...]
    dates: tuple[date, ...]
    values: tuple[tuple[int, ...], ...]
    kind: str

    def series(self) -> dict[str, list[int]]:
        return {region: list(row) for region, row in zip(self.regions, self.values, strict=True)}


@dataclass(frozen=True)
class Question:
    """What the cells leave open: the option that the refusal must name, and the setting that answers it."""

    option: str
    answer: dict[str, Any]


@dataclass(frozen=True)
class Written:
    """A file, what it means, the settings that its layout needs, and the questions that it leaves open."""

    path: Path
    form: str
    truth: Truth
    config: dict[str, Any]
    open: tuple[Question, ...]


# --- numbers ---


def _grouped(count: int, mark: str) -> str:
    return f"{count:,}".replace(",", mark)


NUMBERS: dict[str, Callable[[int], str]] = {
    "plain": str,
    "one decimal": lambda n: f"{n}.0",
    "two decimals": lambda n: f"{n}.00",
    "three decimals": lambda n: f"{n}.000",
    "decimal comma": lambda n: f"{n},0",
    "three decimals by comma": lambda n: f"{n},000",
    "thousands by comma": lambda n: _grouped(n, ","),
    "thousands by point": lambda n: _grouped(n, "."),
    "thousands by space": lambda n: _grouped(n, " "),
    "thousands by nbsp": lambda n: _grouped(n, "\u00a0"),
    "thousands by apostrophe": lambda n: _grouped(n, "'"),
    "comma and point": lambda n: _grouped(n, ",") + ".00",
    "point and comma": lambda n: _grouped(n, ".") + ",00",
}


def numbers_open(texts: list[str], truth: list[int], sheet: bool) -> tuple[Question, ...]:
    """Whether a column can be read in two ways, by the conventions of writing numbers.

    A cell without any mark beside cells with a group of three says that the group is thousands: one who writes three
    decimals writes them everywhere, and one who parts thousands by points has no bare cell of 1000 or more. In a
    workbook numbers lose the zeros at their end, so bare cells say nothing of a point.
    """
    ways: dict[str, list[float]] = {}
    for mark, thousands in ((".", ","), (",", ".")):
        cell = re.compile(
            rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)(?:{re.escape(mark)}[0-9]+)?"
        )
        if all(map(cell.fullmatch, texts)):
            ways[mark] = [float(text.replace(thousands, "").replace(mark, ".")) for text in texts]
    if len(ways) < 2 or ways["."] == ways[","]:
        return ()
    bare = [int(text) for text in texts if text.isdecimal()]
    if bare and (any("," in text for text in texts) or (max(bare) < 1000 and not sheet)):
        return ()
    right = next(mark for mark, values in ways.items() if values == truth)
    return (Question("--source.decimal", {"decimal": {".": "point", ",": "comma"}[right]}),)


# --- dates ---


@dataclass(frozen=True)
class DateForm:
    """How dates are written.

    Attributes:
        write: a date's cell, or two of year and week.
        headers: names that the column or columns can have; none: any name.
        weeks: the kind of week; None: days.
        named: whether header or cells say which weeks they are.
        orders: formats of both orders of day and month, the true one first; none: the order is plain.
        wide: whether the cells can be headers of a wide table.
        typed: whether a workbook or Parquet file may hold them as dates.
    """

    write: Callable[[date], tuple[str, ...]]
    headers: tuple[tuple[str, ...], ...] = ()
    weeks: str | None = None
    named: bool = True
    orders: tuple[str, ...] = ()
    wide: bool = True
    typed: bool = False


def _strftime(form: str) -> Callable[[date], tuple[str, ...]]:
    return lambda day: (day.strftime(form),)


def _bare(form: str) -> Callable[[date], tuple[str, ...]]:
    """Without leading zeros: {d}, {m}, {Y}, {y}."""
    return lambda day: (form.format(d=day.day, m=day.month, Y=day.year, y=f"{day:%y}"),)


def iso_week(day: date) -> tuple[int, int]:
    return day.isocalendar()[:2]


def mmwr_week(saturday: date) -> tuple[int, int]:
    """Year and number of the week that a Saturday ends: those of its Wednesday's year."""
    wednesday = saturday - timedelta(days=3)
    return wednesday.year, (wednesday.timetuple().tm_yday - 1) // 7 + 1


def _week_form(
    form: str, kind: str, *headers: tuple[str, ...] | str, named: bool = True, wide: bool = False
) -> DateForm:
    """Weeks in one column, or in two where the form has a bar."""
    week = iso_week if kind == "iso" else mmwr_week

    def write(day: date) -> tuple[str, ...]:
        year, number = week(day)
        return tuple(form.format(y=year, w=number).split("|"))

    names = tuple((each,) if isinstance(each, str) else each for each in headers)
    return DateForm(write, names, kind, named, wide=wide)


DATES: dict[str, DateForm] = {
    "ISO": DateForm(_strftime("%Y-%m-%d"), typed=True),
    "ISO with slashes": DateForm(_strftime("%Y/%m/%d")),
    "ISO with points": DateForm(_strftime("%Y.%m.%d")),
    "ISO without zeros": DateForm(_bare("{Y}-{m}-{d}")),
    "ISO in one": DateForm(_strftime("%Y%m%d")),
    "day of the year": DateForm(_strftime("%Y-%j")),
    "midnight T": DateForm(_strftime("%Y-%m-%dT00:00:00")),
    "midnight Z": DateForm(_strftime("%Y-%m-%dT00:00:00.000Z")),
    "midnight": DateForm(_strftime("%Y-%m-%d 00:00"), typed=True),
    "d.m.Y": DateForm(_strftime("%d.%m.%Y")),
    "d.m.y": DateForm(_bare("{d}.{m}.{y}")),
    "m.d.Y": DateForm(_strftime("%m.%d.%Y")),
    "d/m/Y": DateForm(_strftime("%d/%m/%Y"), orders=("%d/%m/%Y", "%m/%d/%Y")),
    "d/m/y": DateForm(_bare("{d}/{m}/{y}"), orders=("%d/%m/%y", "%m/%d/%y")),
    "d-m-Y": DateForm(_strftime("%d-%m-%Y"), orders=("%d-%m-%Y", "%m-%d-%Y")),
    "d-m-y": DateForm(_strftime("%d-%m-%y"), orders=("%d-%m-%y", "%m-%d-%y")),
    "m/d/Y": DateForm(_bare("{m}/{d}/{Y}"), orders=("%m/%d/%Y", "%d/%m/%Y")),
    "m/d/y": DateForm(_bare("{m}/{d}/{y}"), orders=("%m/%d/%y", "%d/%m/%y")),
    "m-d-Y": DateForm(_strftime("%m-%d-%Y"), orders=("%m-%d-%Y", "%d-%m-%Y")),
    "m-d-y": DateForm(_strftime("%m-%d-%y"), orders=("%m-%d-%y", "%d-%m-%y")),
    "d b Y": DateForm(_strftime("%d %b %Y")),
    "d B Y": DateForm(_strftime("%d %B %Y")),
    "d-b-Y": DateForm(_strftime("%d-%b-%Y")),
    "d-b-y": DateForm(_strftime("%d-%b-%y")),
    "dbY": DateForm(lambda day: (f"{day:%d%b%Y}".upper(),)),
    "b d, Y": DateForm(_strftime("%b %d, %Y")),
    "B d, Y": DateForm(_strftime("%B %d, %Y")),
    "b d Y": DateForm(_strftime("%b %d %Y")),
    "ISO week": _week_form("{y}-W{w:02}", "iso", wide=True),
    "ISO week in one": _week_form("{y}W{w:02}", "iso", wide=True),
    "ISO week's day": _week_form("{y}-W{w:02}-7", "iso", wide=True),
    "KW": _week_form("{y}-KW{w:02}", "iso", wide=True),
    "bare ISO week": _week_form("{y}{w:02}", "iso", "iso_week", "Meldewoche", "Kalenderwoche"),
    "bare ISO week, dash": _week_form("{y}-{w:02}", "iso", "year_week", "isoweek"),
    "bare MMWR week": _week_form("{y}{w:02}", "mmwr", "epiweek", "MMWR week"),
    "ISO year and week": _week_form("{y}|{w}", "iso", ("iso_year", "iso_week"), ("Jahr", "KW"), ("Jahr", "Woche")),
    "MMWR year and week": _week_form("{y}|{w}", "mmwr", ("MMWR year", "MMWR week"), ("epi_year", "epi_week")),
    "nobody's week": _week_form("{y} week {w}", "mmwr", "week", "report week", named=False),
    "nobody's bare week": _week_form("{y}{w:02}", "iso", "week", "date", named=False),
    "nobody's year and week": _week_form("{y}|{w}", "iso", ("year", "week"), ("Year", "wk"), named=False),
}


def dates_open(form: DateForm, dates: tuple[date, ...]) -> tuple[Question, ...]:
    """Whether the dates can be read in two ways: weeks of no name, or two orders that both give a calendar."""
    if not form.named:
        return (Question("--source.weeks", {"weeks": form.weeks}),)
    if not form.orders:
        return ()
    even: dict[str, bool] = {}
    for order in form.orders:
        try:
            days = sorted({datetime.strptime(form.write(day)[0], order).date() for day in dates})
        except ValueError:
            continue
        steps = {(after - before).days for before, after in pairwise(days)}
        even[order] = steps in ({1}, {7})
    if len(even) == 1 or sum(even.values()) == 1:
        return ()
    return (Question("--source.date-format", {"date_format": form.orders[0]}),)


# --- columns ---


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a long table, and further ones.

    Attributes:
        region: header.
        date: header, where the form of the dates has none of its own.
        value: header.
        more: headers of further columns, with the cell of region i in row r.
        open: what the headers and cells leave open.
        kind: what the name of the counts says.
    """

    region: str
    date: str
    value: str
    more: dict[str, Callable[[int, int], str]] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    kind: str = "incident"


CODE = {"code": lambda i, r: f"X{i}"}
"""A code for each region."""
STATE = {"state": lambda i, r: ("Nord", "Süd")[i % 2]}
POPULATION = {"population": lambda i, r: str(1000 * i + 7)}
CONSTANT = {"Status": lambda i, r: "final", "Notes": lambda i, r: ""}
DEATHS = {"deaths": lambda i, r: str(r % 7)}
RATE = {"incidence_7d": lambda i, r: f"{r % 90}.{r % 10}", "share %": lambda i, r: f"{r % 50}"}

COLUMNS: dict[str, Columns] = {
    "plain": Columns("region", "date", "value"),
    "known": Columns("Location", "Report date", "New cases", POPULATION | RATE),
    "German": Columns("Bundesland", "Meldedatum", "Fälle", CONSTANT | RATE),
    "Spanish": Columns("Provincia", "Fecha", "Casos", CODE),
    "unknown": Columns("Ort", "Wann", "Leute"),
    "unknown with codes": Columns("Ort", "Wann", "Leute", CODE | POPULATION),
    "unknown with constants": Columns("Ort", "Wann", "Leute", CONSTANT),
    "cases and deaths": Columns("county", "day", "cases", DEATHS | CODE),
    "totals by name": Columns("jurisdiction", "Date", "cumulative cases", CODE, kind="cumulative"),
    "confirmed": Columns("Country", "Date", "Confirmed", DEATHS, open=("value",), kind="cumulative"),
    "a frame's index": Columns("state", "date", "n_cases", {"": lambda i, r: str(r)} | POPULATION),
    "two counts": Columns("region", "when", "Leute", DEATHS, open=("value",)),
    "two known counts": Columns("country", "date", "cases", {"count": lambda i, r: str(r + 1)}, open=("value",)),
    "two regions": Columns("county", "date", "cases", STATE, open=("region",)),
    "two unknown regions": Columns("Ort", "date", "n", {"Seite": STATE["state"]}, open=("region",)),
}

ABOVE: tuple[Rows, ...] = (
    [],
    [["Cases by district, exported 2020-07-01"]],
    [["Cases of the disease"], [], ["Source:", "the ministry"]],
)
BELOW: tuple[Rows, ...] = (
    [],
    [[], ["Source: the ministry, as of July"]],
    [["* figures of the last week are provisional"]],
)
LAYOUTS = ("long", "long", "long", "long", "long", "wide", "wide", "transposed", "jhu", "original")
FILES = ("csv", "csv", "csv", "csv", "csv.gz", "zip", "xlsx", "parquet")
SIZES = ("mixed", "small", "thousands", "millions")
STEPS = ("daily", "daily", "gap", "weekly", "weekly", "mixed weekdays")


def draw_truth(rng: np.random.Generator, size: str, kind: str, step: str, saturday: bool) -> Truth:
    """Random counts; in a short table without its date GAP both orders of day and month have no even step.

    Weekly dates are Sundays (the ends of ISO weeks), or Saturdays (of MMWR weeks).
    """
    length = {"daily": 34, "gap": 6}.get(step, 15)
    low, high = {"mixed": (0, 60_000), "small": (0, 90), "thousands": (1000, 90_000), "millions": (0, 9_000_000)}[size]
    values = rng.integers(low, high, size=(len(REGIONS), length))
    if size != "thousands":
        values[rng.random(values.shape) < 0.3] = 0
        values = np.where(rng.random(values.shape) < 0.3, values % 100, values)
        values[0, 0], values[1, 1] = 0, max(high // 2, 1)
    if step == "gap":
        values[:, GAP] = 0
    if kind == "cumulative":
        values = np.cumsum(values, axis=1)
    start = date(2020, int(rng.integers(1, 12)), int(rng.integers(1, 7)))
    gap = 1
    if step not in ("daily", "gap"):
        gap, start = 7, start + timedelta(days=((5 if saturday else 6) - start.weekday()) % 7)
    dates = tuple(start + timedelta(days=gap * t) for t in range(length))
    return Truth(REGIONS, dates, tuple(map(tuple, values.tolist())), kind)


def write_mix(rng: np.random.Generator, choice: dict[str, Any], path: Path) -> Written:
    """Writes the table of one mix."""
    choice = _joined(choice)
    layout, step, form, columns = choice["layout"], choice["step"], DATES[choice["date"]], COLUMNS[choice["columns"]]
    kind, config = choice["kind"], {}
    if layout == "long":
        kind = columns.kind if columns.kind == "cumulative" else kind
        config = {"kind": kind} if kind != columns.kind else {}
    elif layout in ("jhu", "original"):
        kind = "cumulative"
    elif layout == "transposed":
        config = {"kind": kind, "layout": "transposed"}
    elif step == "gap":
        config = {"kind": kind}  # too short to tell by the counts
    if step == "gap":
        config["missing"] = "zero"
    truth = draw_truth(rng, choice["size"], kind, step, form.weeks == "mmwr")
    make = {"long": _long, "wide": _wide, "transposed": _transposed, "jhu": _jhu, "original": _original}[layout]
    made = make(_Plan(rng, truth, form, columns, NUMBERS[choice["number"]], step))
    questions = [*made.open]
    if layout not in ("jhu", "original"):
        days = {"mixed weekdays": own_days(truth), "gap": without_gap(truth.dates)}.get(step, truth.dates)
        questions += dates_open(form, days)
    path = path.with_name(f"{path.name}.{choice['file']}")
    if not _save(path, made, choice):  # text, not numbers
        texts = [row[j] for row in made.rows for j in made.counts if row[j] in made.meant]
        questions += numbers_open(texts, [made.meant[text] for text in texts], choice["file"] == "xlsx")
    return Written(path, ", ".join(map(str, choice.values())), made.truth, config, tuple(questions))


def _joined(choice: dict[str, Any]) -> dict[str, Any]:
    """The choices, those that don't go together replaced by the nearest that does."""
    new, form = dict(choice), DATES[choice["date"]]
    if not form.wide and choice["layout"] != "long":
        one = form.named and len(form.write(date(2020, 1, 1))) == 1
        new["layout"] = "transposed" if one and choice["layout"] == "transposed" else "long"
    if new["layout"] in ("jhu", "original"):
        new["date"], new["step"] = "m/d/y", "daily"
    elif form.weeks or (new["step"] == "mixed weekdays" and new["layout"] != "long"):
        new["step"] = "weekly"
    elif choice["date"] == "m.d.Y" and choice["step"] == "gap":
        new["step"] = "daily"  # points without a number above 12 mean day first
    nameless = new["layout"] == "original" or choice["columns"] == "a frame's index"
    if choice["file"] == "parquet" and nameless:
        new["file"] = "csv"
    return new


GAP = 3
"""Index of the date that a table with a gap does not have."""
OFFSETS = (0, 1, 1, 2, 0)
"""Days before the last weekday on which the regions report, where their weekdays differ."""


def own_days(truth: Truth) -> tuple[date, ...]:
    return tuple(sorted({day - timedelta(days=off) for day in truth.dates for off in OFFSETS}))


def without_gap(dates: tuple[date, ...]) -> tuple[date, ...]:
    return dates[:GAP] + dates[GAP + 1 :]


@dataclass(frozen=True)
class _Plan:
    """What a layout is written from."""

    rng: np.random.Generator
    truth: Truth
    form: DateForm
    columns: Columns
    number: Callable[[int], str]
    step: str


@dataclass(frozen=True)
class _Made:
    """A table as text: its rows, columns of counts, what they mean, the count of each text, and open questions."""

    rows: Rows
    counts: list[int]
    truth: Truth
    meant: dict[str, int]
    open: tuple[Question, ...] = ()


def _long(plan: _Plan) -> _Made:
    names = plan.form.headers or ((plan.columns.date,),)
    dates = names[int(plan.rng.integers(len(names)))]
    header = [plan.columns.region, *dates, plan.columns.value, *plan.columns.more]
    body, meant = [], {}
    for i, region in enumerate(plan.truth.regions):
        for t, day in enumerate(plan.truth.dates):
            if plan.step == "gap" and t == GAP:
                continue
            own = day - timedelta(days=OFFSETS[i]) if plan.step == "mixed weekdays" else day
            text = plan.number(plan.truth.values[i][t])
            meant[text] = plan.truth.values[i][t]
            more = [cell(i, len(body)) for cell in plan.columns.more.values()]
            body.append([region, *plan.form.write(own), text, *more])
    body = [body[k] for k in plan.rng.permutation(len(body))]
    order = plan.rng.permutation(len(header)).tolist()
    rows = [[row[j] for j in order] for row in [header, *body]]
    answers = {"value": {"value": plan.columns.value}, "region": {"region": (plan.columns.region,)}}
    questions = tuple(Question(f"--source.{role}", answers[role]) for role in plan.columns.open)
    return _Made(rows, [order.index(header.index(plan.columns.value))], plan.truth, meant, questions)


def _across(plan: _Plan) -> tuple[Rows, dict[str, int]]:
    cells = [[plan.number(count) for count in row] for row in plan.truth.values]
    return cells, {
        text: n for row, own in zip(cells, plan.truth.values, strict=True) for text, n in zip(row, own, strict=True)
    }


def _wide(plan: _Plan) -> _Made:
    cells, meant = _across(plan)
    described = [plan.columns.region, *(["population"] if plan.rng.random() < 0.5 else [])]
    shown = [t for t in range(len(plan.truth.dates)) if plan.step != "gap" or t != GAP]
    header = [*described, *(plan.form.write(plan.truth.dates[t])[0] for t in shown)]
    cells = [[row[t] for t in shown] for row in cells]
    more = ["1234"] * (len(described) - 1)
    body = [[region, *more, *row] for region, row in zip(plan.truth.regions, cells, strict=True)]
    body = [body[k] for k in plan.rng.permutation(len(body))]
    return _Made([header, *body], list(range(len(described), len(header))), plan.truth, meant)


def _transposed(plan: _Plan) -> _Made:
    cells, meant = _across(plan)
    header = plan.form.headers[0][0] if plan.form.headers else plan.columns.date
    body = [[plan.form.write(day)[0], *(row[t] for row in cells)] for t, day in enumerate(plan.truth.dates)]
    body = body[:GAP] + body[GAP + 1 :] if plan.step == "gap" else body
    body = [body[k] for k in plan.rng.permutation(len(body))]
    return _Made([[header, *plan.truth.regions], *body], list(range(1, len(plan.truth.regions) + 1)), plan.truth, meant)


def _jhu(plan: _Plan) -> _Made:
    """Two provinces of one country are summed."""
    cells, meant = _across(plan)
    underscore = plan.rng.random() < 0.5
    names = (
        ["Province_State", "Country_Region", "Lat", "Long_"]
        if underscore
        else ["Province/State", "Country/Region", "Lat", "Long"]
    )
    countries = [*plan.truth.regions[:-1], plan.truth.regions[0]]
    body = [
        [f"P{i}", country, "1.5", "-2.5", *row] for i, (country, row) in enumerate(zip(countries, cells, strict=True))
    ]
    both = tuple(a + b for a, b in zip(plan.truth.values[0], plan.truth.values[-1], strict=True))
    truth = Truth(plan.truth.regions[:-1], plan.truth.dates, (both, *plan.truth.values[1:-1]), "cumulative")
    header = [*names, *(plan.form.write(day)[0] for day in truth.dates)]
    return _Made([header, *body], list(range(4, len(header))), truth, meant)


def _original(plan: _Plan) -> _Made:
    """The original study's three header rows, with the dates that its spreadsheet mangled."""
    cells, meant = _across(plan)
    mangled = [
        f"{2000 + d.month}/{d.day}/{d:%y}" if d.month > 1 and d.day <= 12 and d.year == 2020 else plan.form.write(d)[0]
        for d in plan.truth.dates
    ]
    head = [
        ["", "Lat", "Long", *mangled],
        ["", *["sum"] * (len(mangled) + 2)],
        ["Country/Region", *[""] * (len(mangled) + 2)],
    ]
    body = [[region, "1.5", "-2.5", *row] for region, row in zip(plan.truth.regions, cells, strict=True)]
    return _Made([*head, *body], list(range(3, len(head[0]))), plan.truth, meant)


# --- files ---


def _text(rows: Rows, separator: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _save(path: Path, made: _Made, choice: dict[str, Any]) -> bool:
    """Writes the rows; whether the counts are held as numbers, not as text."""
    typed = choice["number"] in ("plain", "one decimal") and choice["layout"] == "long"
    rows, numeric = made.rows, made.counts
    above, below = ABOVE[choice["above"]], BELOW[choice["below"]]
    if choice["file"] == "parquet":
        frame = {name: [row[j] for row in rows[1:]] for j, name in enumerate(rows[0])}
        columns = [pl.Series(name, cells) for name, cells in frame.items()]
        if typed:
            columns[numeric[0]] = columns[numeric[0]].cast(pl.Float64 if choice["number"] != "plain" else pl.Int64)
        pl.DataFrame(columns).write_parquet(path)
        return typed
    if choice["file"] == "xlsx":
        with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy", "in_memory": True}) as book:
            sheet = book.add_worksheet("Cases")
            book.add_worksheet("empty")
            for i, row in enumerate([*above, *rows, *below]):
                for j, cell in enumerate(row):
                    at_count = typed and j in numeric and len(above) < i < len(above) + len(rows)
                    if at_count:
                        sheet.write_number(i, j, float(cell))
                    elif DATES[choice["date"]].typed and re.fullmatch(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", cell):
                        sheet.write_datetime(i, j, datetime.fromisoformat(cell))
                    elif cell:
                        sheet.write_string(i, j, cell)
        return typed
    data = _text([*above, *rows, *below], choice["separator"]).encode(choice["encoding"])
    if choice["file"] == "csv.gz":
        data = gzip.compress(data, mtime=0)
    if choice["file"] == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("cases/cases.csv"), data)
            archive.writestr(zipfile.ZipInfo("__MACOSX/._cases.csv"), b"\0\5\26\7")
        data = packed.getvalue()
    path.write_bytes(data)
    return False


AXES: dict[str, tuple[Any, ...]] = {
    "separator": (",", ";", "\t", "|"),
    "encoding": ("utf-8", "utf-8-sig", "utf-16", "cp1252"),
    "file": FILES,
    "above": tuple(range(len(ABOVE))),
    "below": tuple(range(len(BELOW))),
    "number": tuple(NUMBERS),
    "date": tuple(DATES),
    "layout": LAYOUTS,
    "columns": tuple(COLUMNS),
    "kind": ("incident", "incident", "cumulative"),
    "size": SIZES,
    "step": STEPS,
}


def draw_mixes(seed: int, n: int) -> list[dict[str, Any]]:
    """Choices on all axes; each axis runs through its values equally often, in an order of its own."""
    rng = np.random.default_rng(seed)
    axes = {name: rng.permutation(np.resize(np.arange(len(values)), n)) for name, values in AXES.items()}
    return [{name: AXES[name][axes[name][i]] for name in AXES} for i in range(n)]
