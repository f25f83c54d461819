"""Damaged files of the forms that published tables have: each with what it still says, or the words of its refusal.

The counts are kept beside the cells that are written, so that what is expected never comes from the reader.
"""

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter

SEED, EACH = 20201201, 5
REGIONS = ("Altmark", "Bergland", "Côte d'Or", "Dorfen", "Elm, North")
START, LENGTH = date(2020, 3, 2), 21  # a Monday
SUNDAY = START + timedelta(days=6)

Rows = list[list[str]]
Series = dict[str, list[int]]


@dataclass(frozen=True)
class Case:
    """A file and how it is read: the series that it still says by region, or a pattern of the words that refuse it."""

    data: bytes
    says: Series | str
    suffix: str = ".csv"
    config: dict[str, Any] = field(default_factory=dict)
    filled: int = 0
    """Cells that the panel must count as filled in."""
    first: date = START
    step: int = 1


def damaged_forms(folder: Path) -> list[tuple[Path, Case]]:
    """Writes each kind of damage EACH times."""
    rng = np.random.default_rng(SEED)
    cases = []
    for name, damage in DAMAGES.items():
        for i in range(EACH):
            case = damage(rng, i)
            path = folder / f"{name}-{i}{case.suffix}"
            path.write_bytes(case.data)
            cases.append((path, case))
    return cases


def _series(rng: np.random.Generator, low: int = 20, high: int = 900, regions: tuple[str, ...] = REGIONS) -> Series:
    """Counts that fall and rise, so that they are no running totals; each distinct from its neighbours."""
    return {region: rng.integers(low, high, LENGTH).tolist() for region in regions}


def _days(step: int = 1, first: date = START) -> list[date]:
    return [first + timedelta(days=step * t) for t in range(LENGTH)]


def _long(series: Series, header: list[str], row: Callable[[str, date, int], list[str]], step: int = 1) -> Rows:
    first = START if step == 1 else SUNDAY
    return [
        header,
        *(
            row(region, day, n)
            for region, own in series.items()
            for day, n in zip(_days(step, first), own, strict=True)
        ),
    ]


def _plain(series: Series) -> Rows:
    return _long(series, ["region", "date", "value"], lambda region, day, n: [region, str(day), str(n)])


def _csv(rows: Rows, separator: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def _sheets(**sheets: Rows) -> bytes:
    """A workbook; cells of digits are numbers."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if cell.isdecimal():
                        sheet.write_number(i, j, int(cell))
                    elif cell:
                        sheet.write_string(i, j, cell)
    return out.getvalue()


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.csv"), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _some(rng: np.random.Generator, series: Series) -> tuple[str, int]:
    return str(rng.choice(list(series))), int(rng.integers(1, LENGTH - 1))


def _at(region: str, t: int) -> int:
    """Row of a count in a long table."""
    return 1 + list(REGIONS).index(region) * LENGTH + t


# --- dialects ---


def _decimal_commas(rng: np.random.Generator, i: int) -> Case:
    """Semicolons and decimal commas; one count is a fraction, or has another mark, or thousands."""
    series = _series(rng)
    rows = _long(series, ["Kreis", "Datum", "Fälle"], lambda r, d, n: [r, f"{d:%d.%m.%Y}", f"{n},0"])
    region, t = _some(rng, series)
    cell = ["12,5", "1.234,0", "3 7", "12,0.0", "1.234.567,0"][i]
    rows[_at(region, t)][2] = cell
    if i in (1, 4):
        series[region][t] = {1: 1234, 4: 1234567}[i]
        return Case(_csv(rows, ";"), series)
    return Case(_csv(rows, ";"), f"row {_at(region, t) + 1}, .*(is a fraction|is not a number)")


def _loose_separator(rng: np.random.Generator, i: int) -> Case:
    """A region's name holds the separator, without quotes."""
    separator = ";|\t;|"[i]
    data = _csv(_plain(_series(rng)), separator).decode().replace("Dorfen", f"Dor{separator}fen")
    return Case(data.encode(), r"row 65: the row has 4 cells but the header has 3")


def _two_readings(rng: np.random.Generator, i: int) -> Case:
    """Thousands by points beside bare counts above 1000: thousands or three decimals."""
    series = _series(rng, 1001, 90_000)
    rows = _plain(series)
    for row in rows[1::3]:
        row[2] = f"{int(row[2]):,}".replace(",", ".")
    says = series if i > 2 else "--source.decimal comma takes the first"
    return Case(_csv(rows), says, config={"decimal": "comma"} if i > 2 else {})


def _around(rng: np.random.Generator, i: int) -> Case:
    """Lines above and below; the last row of the table may be cut."""
    series = _series(rng)
    lines = _csv(_plain(series)).decode().splitlines()
    above = ["Cases by district;exported 2020-04-01", "", "Cases of the week (provisional)"][: 1 + i % 3]
    below = ["", "Source: the ministry, retrieved on 2020-04-01", "* revised"]
    if i < 3:
        return Case("\n".join([*above, *lines, *below]).encode(), series)
    cut = '"Elm, North"' if i == 3 else "Elm"
    return Case("\n".join([*above, *lines[:-1], cut]).encode(), "the row is cut|1 cell has no count")


# --- files ---


def _sheet_cell(rng: np.random.Generator, i: int) -> Case:
    """A workbook with one cell changed."""
    series = _series(rng)
    rows = _plain(series)
    region, t = _some(rng, series)
    rows[_at(region, t)][2] = ["", "see below", "12.5", "1e5", "77"][i]
    says = "1 cell has no count" if i == 0 else f"row {_at(region, t) + 1}, column 3"
    if i == 4:
        series[region][t] = 77
        says = series
    return Case(_sheets(Cases=rows), says, ".xlsx")


def _sheet_names(rng: np.random.Generator, i: int) -> Case:
    """Two sheets are filled; naming one settles it."""
    series, other = _series(rng), _series(rng)
    config = [{}, {}, {"sheet": "Deaths"}, {"sheet": "Cases"}, {"sheet": "cases"}][i]
    says = {3: series, 2: other}.get(i, "no sheet 'cases'" if i == 4 else "2 sheets hold cells .*--source.sheet")
    return Case(_sheets(Cases=_plain(series), Deaths=_plain(other)), says, ".xlsx", config)


def _sheet_cut(rng: np.random.Generator, i: int) -> Case:
    data = _sheets(Cases=_plain(_series(rng)))
    return Case(data[: int(len(data) * (0.1 + 0.17 * i))], "cut or damaged|can't be read|Excel workbook", ".xlsx")


def _zip_members(rng: np.random.Generator, i: int) -> Case:
    """Several members, one, none, or one that is no table."""
    series = _series(rng)
    data = _csv(_plain(series))
    members = [{"a": data, "b": data}, {"a": data}, {}, {"a": b"  \n"}, {"a": b"\0\1\2" * 99}][i]
    says: list[Series | str] = [
        "the zip holds 2 files \\('a.csv', 'b.csv'\\)",
        series,
        "holds 0 files",
        "is empty",
        "NUL",
    ]
    packed = _zip(**members)
    return Case(
        packed if members else packed.ljust(22, b"\0"), says[i] if members else "cut or damaged|holds 0|NUL", ".zip"
    )


def _zip_encrypted(rng: np.random.Generator, i: int) -> Case:
    """The flag of encryption set in both headers of the member."""
    data = bytearray(_zip(cases=_csv(_plain(_series(rng)))))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return Case(bytes(data), "'cases.csv' is encrypted; unpack it", ".zip")


def _zip_damaged(rng: np.random.Generator, i: int) -> Case:
    data = bytearray(_zip(cases=_csv(_plain(_series(rng)))))
    at = int(rng.integers(60, data.index(b"PK\1\2") - 20))
    data[at] ^= 0x5A
    return Case(bytes(data[: at + 40] if i == 0 else data), "the zip file is cut or damaged", ".zip")


# --- weeks, marks, wide tables ---


def _weeks(rng: np.random.Generator, i: int) -> Case:
    """ISO weeks of 2020; one is no week, or stands twice, or is gone."""
    series = _series(rng)

    def row(region: str, day: date, n: int) -> list[str]:
        year, week, _ = day.isocalendar()
        return [region, f"{year}-W{week:02}", str(n)]

    rows = _long(series, ["region", "week", "cases"], row, 7)
    region, t = _some(rng, series)
    if i == 3:
        del rows[_at(region, t)]
        return Case(_csv(rows), "1 cell has no count")
    if i == 4:
        return Case(_csv(rows), series, first=SUNDAY, step=7)
    rows[_at(region, t)][1] = ["2020-W54", "2021-W53", rows[_at(region, t + 1)][1]][i]
    return Case(_csv(rows), ["is no week of the calendar", "is no week of the calendar", "already stands in row"][i])


def _suppressed(rng: np.random.Generator, i: int) -> Case:
    """Marks of small counts: refused, one number, missing and then refused, missing and taken as no cases."""
    series = _series(rng)
    rows, mark = _plain(series), ["<5", "*", "1-4", "<10", "suppressed"][i]
    hidden = {_some(rng, series) for _ in range(6)}
    for region, t in hidden:
        rows[_at(region, t)][2] = mark
    config = [{}, {"suppressed": 2}, {"suppressed": "missing"}, {"suppressed": "missing", "missing": "zero"}, {}][i]
    if i in (1, 3):
        for region, t in hidden:
            series[region][t] = config["suppressed"] if i == 1 else 0
        return Case(_csv(rows), series, config=config, filled=len(hidden))
    says = (
        f"{len(hidden)} cells have no count"
        if i == 2
        else f"{len(hidden)} cells of 105 hold a mark .*suppressed NUMBER"
    )
    return Case(_csv(rows), says, config=config)


def _wide(rng: np.random.Generator, i: int) -> Case:
    """A generic wide table; a date is no date, or out of order, or twice, or a count is gone."""
    series = _series(rng)
    rows = [["district", *map(str, _days())], *([region, *map(str, own)] for region, own in series.items())]
    t = int(rng.integers(2, LENGTH - 1))
    says: Series | str = series
    if i == 0:
        rows[0][t], says = "2020-02-30", "'2020-02-30' is not a date"
    elif i == 1:
        rows[0][t], rows[0][t + 1], says = rows[0][t + 1], rows[0][t], "comes after .*sort the columns"
    elif i == 2:
        rows[0][t], says = rows[0][t + 1], "stands twice"
    elif i == 3:
        rows[2][t], says = "", "1 cell has no count"
    return Case(_csv(rows), says)


def _monthly(rng: np.random.Generator, i: int) -> Case:
    """Months, quarters, fortnights, hours: no equal step of a day or a week."""
    series = _series(rng)
    months = [date(2018 + m // 12, m % 12 + 1, 1) for m in range(3 * LENGTH)]
    days = [months[:LENGTH], months[::3], _days(14), _days(28), months[:LENGTH]][i]
    form = "%b %d, %Y" if i == 4 else "%Y-%m-%d"
    rows = [
        [region, day.strftime(form), str(n)] for region, own in series.items() for day, n in zip(days, own, strict=True)
    ]
    return Case(
        _csv([["region", "date", "value"], *rows]),
        ["monthly", "days apart", "days apart", "monthly|days apart", "monthly"][i],
    )


# --- published layouts ---


def _nyt(rng: np.random.Generator, i: int) -> Case:
    """Running totals of the states; a row is gone, twice, or negative."""
    series = {region: np.cumsum(own).tolist() for region, own in _series(rng).items()}
    rows = _long(
        series, ["date", "state", "fips", "cases", "deaths"], lambda r, d, n: [str(d), r, str(len(r)), str(n), "1"]
    )
    region, t = _some(rng, series)
    k = _at(region, t)
    if i == 0:
        del rows[k]
        return Case(_csv(rows), "1 cell has no count")
    if i == 1:
        return Case(_csv([*rows, rows[k]]), "already stands in row .*remove one of the two rows")
    if i == 2:
        rows[k][3] = "-4"
        return Case(_csv(rows), "a running total can't be negative")
    if i == 3:
        rows[k][3] = str(series[region][t - 1])
        series[region][t] = series[region][t - 1]
    return Case(_csv(rows), series)


def _owid(rng: np.random.Generator, i: int) -> Case:
    """Countries with the world and a continent among them, told by name or code; a count may be gone."""
    series = _series(rng)
    own = dict(series) | {"World": [sum(day) for day in zip(*series.values(), strict=True)], "Asia": series["Dorfen"]}
    codes = {"World": "OWID_WRL", "Asia": "OWID_ASI"}
    header = ["iso_code", "continent", "location", "date", "total_cases", "new_cases", "new_cases_smoothed"]
    rows = _long(own, header, lambda r, d, n: [codes.get(r, r[:3].upper()), "X", r, str(d), "0", f"{n}.0", "1.5"])
    says: Series | str = series
    if i == 1:
        rows[30][5], says = "", "1 cell has no count"
    elif i == 2:
        rows = [[cell.replace("World", "Low income") for cell in row] for row in rows]
    elif i == 3:
        rows[30][5], says = "13.7", "'13.7' is a fraction"
    elif i == 4:
        rows[-1][5], says = "", series  # of a region that is left out
    return Case(_csv(rows), says)


def _who(rng: np.random.Generator, i: int) -> Case:
    """Weekly new cases with empty cells and a negative one."""
    series = _series(rng)
    header = ["Date_reported", "Country_code", "Country", "WHO_region", "New_cases", "Cumulative_cases", "New_deaths"]
    rows = _long(series, header, lambda r, d, n: [str(d), r[:2], r, "EURO", str(n), "0", ""], 7)
    region, t = _some(rng, series)
    rows[_at(region, t)][4] = ["", "-40", "-40", "", str(series[region][t])][i]
    config: dict[str, Any] = [{}, {}, {"negatives": "clip"}, {"missing": "zero"}, {}][i]
    if i < 2:
        return Case(_csv(rows), ["1 cell has no count", "-40 new cases is negative.*--negatives clip"][i])
    series[region][t] = [0, 0, -40, 0, series[region][t]][i]
    return Case(_csv(rows), series, config=config, filled=int(i == 3), first=SUNDAY, step=7)


def _ages(rng: np.random.Generator, i: int) -> Case:
    """Age groups: refused, summed, with their total, with a count gone, one group kept."""
    young, old = _series(rng), _series(rng)
    both = {region: [a + b for a, b in zip(young[region], old[region], strict=True)] for region in REGIONS}
    groups = {"0-17": young, "18+": old} | ({"total": both} if i == 2 else {})
    rows = [["region", "date", "age_group", "cases"]]
    for age, series in groups.items():
        rows += _long(series, [], lambda r, d, n, age=age: [r, str(d), age, str(n)])[1:]
    if i == 3:
        rows[40][3] = ""
    says: list[Series | str] = [
        "differ in 'age_group' .*--source.sum-over age_group",
        both,
        both,
        "1 cell has no count",
        old,
    ]
    config: list[dict[str, Any]] = [
        {},
        {"sum_over": ("age_group",)},
        {"sum_over": ("age_group",)},
        {"sum_over": ("age_group",)},
    ]
    return Case(_csv(rows), says[i], config=[*config, {"where": ("age_group=18+",)}][i])


def _versions(rng: np.random.Generator, i: int) -> Case:
    """Two versions: the newest count of each region and date is read, however the date of publication is written."""
    old, new = _series(rng), _series(rng)
    published = [("2020-03-30", "2020-04-06"), ("2020-4-9", "2020-4-13"), ("31.03.2020", "01.04.2020"),
                 ("2020-03-30T18:00:00Z", "2020-03-31T09:00:00Z"), ("2020-03-30", "soon")][i]  # fmt: skip
    rows = [["as_of", "location", "target_end_date", "observation"]]
    for when, series in zip(published[::-1], (new, old), strict=True):
        rows += _long(series, [], lambda r, d, n, when=when: [when, r, str(d), str(n)])[1:]
    gone = 1 + int(rng.integers(len(REGIONS) * LENGTH))  # of the newer version: the older count stands
    region, day = rows[gone][1], rows[gone][2]
    del rows[gone]
    t = (date.fromisoformat(day) - START).days
    new[region][t] = old[region][t]
    return Case(_csv(rows), "'soon' is not a date" if i == 4 else new)


def _totals(rng: np.random.Generator, i: int) -> Case:
    """A total in another row, by name: left out or kept; in a sheet, in a wide table, below the table."""
    series = _series(rng)
    total = [sum(day) for day in zip(*series.values(), strict=True)]
    name = ["Total", "Insgesamt", "World", "TOTAL", "All"][i]
    both = series | {name: total}
    config = {"aggregates": "keep"} if i == 4 else {}
    wide = [["district", *map(str, _days())], *([region, *map(str, own)] for region, own in both.items())]
    data = _sheets(Cases=wide) if i == 1 else _csv(wide if i == 3 else _plain(both))
    return Case(data, both if i == 4 else series, ".xlsx" if i == 1 else ".csv", config)


def _two_counts(rng: np.random.Generator, i: int) -> Case:
    """Columns that nothing tells apart, or rates alone."""
    series = _series(rng)
    names = [("A", "B"), ("A", "B"), ("incidence", "x_rate"), ("rate", "cases"), ("cases", "count")][i]
    rows = _long(series, ["Ort", "Tag", *names], lambda r, d, n: [r, str(d), str(n) if i != 3 else "0.5", str(n + 1)])
    if i in (1, 3):
        says: Series | str = {r: [n + (i == 3) for n in own] for r, own in series.items()}
        return Case(_csv(rows), says, config={"value": "A"} if i == 1 else {})
    return Case(
        _csv(rows),
        [
            "'A', 'B' could hold",
            "",
            "rates or smoothed values|could hold the counts",
            "",
            "'cases', 'count' could hold",
        ][i],
    )


DAMAGES: dict[str, Callable[[np.random.Generator, int], Case]] = {
    "decimal-commas": _decimal_commas,
    "loose-separator": _loose_separator,
    "two-readings": _two_readings,
    "around": _around,
    "sheet-cell": _sheet_cell,
    "sheet-names": _sheet_names,
    "sheet-cut": _sheet_cut,
    "zip-members": _zip_members,
    "zip-encrypted": _zip_encrypted,
    "zip-damaged": _zip_damaged,
    "weeks": _weeks,
    "suppressed": _suppressed,
    "wide": _wide,
    "monthly": _monthly,
    "nyt": _nyt,
    "owid": _owid,
    "who": _who,
    "ages": _ages,
    "versions": _versions,
    "totals": _totals,
    "two-counts": _two_counts,
}
