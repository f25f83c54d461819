"""Layouts: which columns hold regions, dates and counts, told by header and cells, never by a file's name."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twofold.counts.config import SourceConfig, Weeks
from twofold.counts.csv import SEPARATORS, Table, shown
from twofold.counts.dates import is_bare_week, is_date
from twofold.counts.numbers import MISSING
from twofold.counts.panel import MIN_DATES, Kind
from twofold.engine.errors import DataError

COUNTRY = "Country/Region"
SAMPLE = 400
"""Rows whose cells a column's role is found by; every cell is read later."""


class Known(NamedTuple):
    """A published long layout; columns by their plain names (`plain_name`), several parted by blanks."""

    name: str
    """Who publishes it."""
    needs: str
    """Columns that tell it; the first layout whose columns are all there is taken."""
    region: str
    date: str
    value: str
    kind: Kind = "incident"
    weeks: Weeks = "auto"
    where: tuple[tuple[str, str], ...] = ()
    """Rows kept where nothing is said about the column."""
    events: bool = False
    """A row stands for cases that happened, and a date without a row had none; all rows are added up."""


KNOWN = (
    Known("NYT, US counties", "date county state fips cases", "county state", "date", "cases", "cumulative"),
    Known("NYT, US states", "date state fips cases", "state", "date", "cases", "cumulative"),
    Known("OWID", "location date total_cases new_cases", "location", "date", "new_cases"),
    Known("OWID, compact", "country date total_cases new_cases", "country", "date", "new_cases"),
    Known("WHO", "date_reported country new_cases cumulative_cases", "country", "date_reported", "new_cases"),
    Known("ECDC, by day", "daterep countriesandterritories cases", "countriesandterritories", "daterep", "cases"),
    Known(
        "ECDC, by week",
        "country indicator weekly_count year_week",
        "country",
        "year_week",
        "weekly_count",
        weeks="iso",
        where=(("indicator", "cases"),),
    ),
    Known(
        "ERVISS",
        "survtype countryname yearweek value",
        "countryname",
        "yearweek",
        "value",
        weeks="iso",
        where=(("age", "total"),),
    ),
    Known(
        "RKI, cases",
        "idlandkreis altersgruppe meldedatum anzahlfall",
        "idlandkreis",
        "meldedatum",
        "anzahlfall",
        where=(("neuerfall", "0"), ("neuerfall", "1")),
        events=True,
    ),
    Known(
        "RKI, incidence of the states",
        "meldedatum bundesland_id altersgruppe faelle_neu",
        "bundesland_id",
        "meldedatum",
        "faelle_neu",
        where=(("altersgruppe", "00+"),),
    ),
    Known(
        "RKI, incidence of the districts",
        "meldedatum landkreis_id altersgruppe faelle_neu",
        "landkreis_id",
        "meldedatum",
        "faelle_neu",
        where=(("altersgruppe", "00+"),),
    ),
    Known(
        "RKI, by week",
        "meldewoche region altersgruppe fallzahl",
        "region",
        "meldewoche",
        "fallzahl",
        weeks="iso",
        where=(("altersgruppe", "00+"),),
    ),
    Known("FluView, ILINet", "region year week ilitotal", "region", "year week", "ilitotal", weeks="mmwr"),
    Known("hub, time series", "target_end_date location observation", "location", "target_end_date", "observation"),
    Known("hub, target data", "date location location_name value", "location_name", "date", "value"),
    Known("hub, versions", "as_of target_end_date location value", "location", "target_end_date", "value"),
    Known("JHU, daily reports", "province_state date confirmed", "province_state", "date", "confirmed", "cumulative"),
)
"""Published long layouts, the more particular first."""
VERSION = "as_of"
"""Column that says when a row was published; the newest row of each region and date is read."""

_NAMES = {
    "region": """region location state country county district province area territory jurisdiction place municipality
        city department departement canton kanton kreis landkreis bundesland pais estado provincia land nation
        location_name region_name name""",
    "date": """date day week_ending week_end week_end_date week_start week_ending_date target_end_date report_date
        date_reported reporting_date datum meldedatum fecha data date_of_report epiweek epi_week year_week yearweek
        week_date""",
    "value": """value new_cases cases count counts n observation admissions confirmed_cases anzahl faelle fälle casos
        cas""",
    "year": "year yr jahr meldejahr iso_year isoyear mmwr_year mmwryear epi_year epiyear annee ano",
    "week": """week wk woche kw meldewoche iso_week isoweek mmwr_week mmwrweek epi_week epiweek week_number weeknum
        semaine semana""",
    "descriptive": "lat long latitude longitude population pop_est fips uid iso2 iso3 code3 combined_key",
}
_REGIONS, _DATES, _VALUES, _YEARS, _WEEKS, DESCRIPTIVE = (tuple(names.split()) for names in _NAMES.values())
"""Plain names of columns by what they hold, the likelier first; DESCRIPTIVE ones hold nothing that is read."""
_RATE = re.compile(
    r"%|percent|per_?(100|1000|million|capita)|\brate\b|_rate|rate_|proportion|_share|incidence|inzidenz|_ratio|smoothed|"
    r"positivity|prevalence",
    re.IGNORECASE,
)
_CUMULATIVE = re.compile(r"cumul|kumul|_total$|^total_cases|confirmed$|running", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9][0-9.,'\u00a0\u202f ]*|[<>≤≥]=?\s*[0-9]+|\*+")


@dataclass(frozen=True)
class Roles:
    """What the columns of a table hold, by their indices.

    Attributes:
        layout: `original`, `jhu`, `wide`, `transposed`, or `long` with the publisher where it is known.
        first_row: index of the first row of counts.
        region: columns whose cells name the region, joined.
        date: column of dates, or of year and week; empty in a wide table.
        value: column of counts; None in a wide table.
        dates: columns of a wide table that are dates (transposed: regions).
        sum_over: columns in which rows may differ that are added up.
        version: column of the date of publication.
        where: values kept, by column, where the layout says so.
        kind: running totals or new cases, where the layout says so.
        weeks: kind of weeks, where the layout says so.
        events: a date without a row had no case.
        notes: what was found by the cells, in sentences.
    """

    layout: str
    first_row: int
    region: tuple[int, ...]
    date: tuple[int, ...] = ()
    value: int | None = None
    dates: tuple[int, ...] = ()
    sum_over: tuple[int, ...] = ()
    version: int | None = None
    where: tuple[tuple[int, str], ...] = ()
    kind: Kind | None = None
    weeks: Weeks = "auto"
    events: bool = False
    notes: tuple[str, ...] = ()


def plain_name(header: str) -> str:
    """A column's name without case, punctuation and accents of spelling: `Country/Region` is `country_region`."""
    return re.sub(r"[^0-9a-zäöüßéèêáíóúñç]+", "_", header.lower()).strip("_")


def find_roles(table: Table, config: SourceConfig) -> Roles:
    """Tells the layout of a table, and what its columns hold.

    Raises:
        DataError: when the layout that is asked for isn't there, or header and cells leave a role open; lists the
            columns that could have it, and the option that names one.
    """
    layout = config.layout if config.layout != "auto" else _detect(table)
    if layout == "original":
        return _original(table)
    if len(table.rows) == 1:
        raise DataError(f"{table.name}: there is a header but no row of counts below it")
    if layout in ("jhu", "wide"):
        return _wide(table, config, layout)
    if layout == "transposed":
        return _transposed(table, config)
    return _long(table, config)


def _detect(table: Table) -> str:
    header = table.rows[0]
    if header[0] == "" and any(row[0] == COUNTRY or "sum" in row[1:] for row in table.rows[1:3]):
        return "original"
    dates = [i for i, cell in enumerate(header) if is_date(cell)]
    if "country_region" in map(plain_name, header) and "date" not in map(plain_name, header):
        return "jhu"
    return "wide" if len(dates) >= MIN_DATES else "long"


def _original(table: Table) -> Roles:
    """The original study's table: three header rows (dates; `sum`; `Country/Region`), then one row per region."""
    header = table.rows[0]
    for i, wanted in ((1, "sum"), (2, "")):
        if i >= len(table.rows) or any(cell != wanted for cell in table.rows[i][1:]):
            raise DataError(
                f"{table.name}: the layout `original` has three header rows (dates; 'sum'; 'Country/Region'), but row "
                f"{i + 1} isn't one; restore it, or name another layout with --source.layout"
            )
    if header[0] or header[1:3] != ["Lat", "Long"] or table.rows[1][0] or table.rows[2][0] != COUNTRY:
        raise DataError(
            f"{table.name}: the layout `original` begins with an empty cell, 'Lat' and 'Long' in row 1 and "
            f"{COUNTRY!r} in row 3; got {header[:3]} and {table.rows[2][:1]}"
        )
    if len(table.rows) == 3:
        raise DataError(f"{table.name}: there is a header but no row of counts below it")
    return Roles("original", 3, (0,), dates=tuple(range(3, len(header))), kind="cumulative")


def _wide(table: Table, config: SourceConfig, layout: str) -> Roles:
    header, plain = table.rows[0], [plain_name(cell) for cell in table.rows[0]]
    if layout == "jhu" and "country_region" not in plain:
        raise DataError(
            f"{table.name}, row 1: the layout `jhu` needs a column {COUNTRY!r}, found {shown(header, 6)}; mend the "
            "header, "
            "or name another layout with --source.layout"
        )
    described = [i for i, cell in enumerate(header) if not is_date(cell)]
    dates = tuple(i for i in range(len(header)) if i not in set(described))
    if len(dates) < MIN_DATES:
        raise DataError(f"{table.name}: at least {MIN_DATES} date columns are needed, found {len(dates)}")
    if strays := [header[i] for i in described if i > dates[0]]:
        where = f"column {header.index(strays[0]) + 1}"
        raise DataError(
            f"{table.place(0)}, {where}: {strays[0]!r} is not a date; every header from column {dates[0] + 1} on must "
            "be one: mend it, or remove the column"
        )
    _check_once(table, described)
    if config.region:
        region = tuple(_named(table, name, "region") for name in config.region)
    elif layout == "jhu":
        counties = "admin2" in plain and "province_state" in plain
        region = (plain.index("province_state" if counties else "country_region"),)
    else:
        region = (_wide_region(table, described),)
    parts = [plain.index(name) for name in ("country_region", "province_state", "admin2") if name in plain]
    sums = tuple(i for i in parts if i not in region) if layout == "jhu" else ()
    return Roles(layout, 1, region, dates=dates, sum_over=sums, kind="cumulative" if layout == "jhu" else None)


def _wide_region(table: Table, described: list[int]) -> int:
    """The column that names the rows of a wide table: the only one, or the only one of words."""
    if not described:
        raise DataError(
            f"{table.name}, row 1: every column is a date, so no column names the regions; add one before the dates"
        )
    words = [
        i
        for i in described
        if plain_name(table.rows[0][i]) not in DESCRIPTIVE and len(described) > 1 and _is_words(_cells(table, i))
    ]
    named = [i for i in words if plain_name(table.rows[0][i]) in _REGIONS]
    candidates = described if len(described) == 1 else named or words
    if len(candidates) != 1:
        names = shown(table.rows[0][i] for i in candidates or described)
        raise DataError(
            f"{table.name}, row 1: the columns {names} could name the regions; choose with --source.region NAME "
            "(several "
            "names are joined)"
        )
    return candidates[0]


def _transposed(table: Table, config: SourceConfig) -> Roles:
    """A row per date, a column per region."""
    date = tuple(_named(table, name, "date") for name in config.date) or _date(table)
    _check_once(table, range(len(table.rows[0])))
    regions = tuple(i for i in range(len(table.rows[0])) if i not in date)
    return Roles("transposed", 1, (), date=date, dates=regions)


def _long(table: Table, config: SourceConfig) -> Roles:
    header, plain = table.rows[0], [plain_name(cell) for cell in table.rows[0]]
    data = [cell for cell in header if is_date(cell) or _NUMBER.fullmatch(cell)]
    if data:
        raise DataError(
            f"{table.place(0)}: {data[0]!r} is no name of a column, so the header is missing or the table has another "
            f"layout (a wide one needs {MIN_DATES} columns of dates); add a row with the columns' names"
        )
    known = next((layout for layout in KNOWN if set(layout.needs.split()) <= set(plain)), None)
    asked = bool(config.region or config.date or config.value)

    def at(names: str) -> tuple[int, ...]:
        return tuple(plain.index(name) for name in names.split())

    date = tuple(_named(table, name, "date") for name in config.date) or (at(known.date) if known else _date(table))
    taken = set(date)
    given = (_named(table, config.value, "value"),) if config.value else ()
    region = tuple(_named(table, name, "region") for name in config.region) or (
        at(known.region) if known else _region(table, taken | set(given))
    )
    taken |= set(region)
    value = given[0] if given else (at(known.value)[0] if known else _value(table, taken))
    _check_rate(table, value, taken)
    for i in {*date, *region, value}:
        if header.count(header[i]) > 1:
            raise DataError(
                f"{table.name}: the column {header[i]!r} stands {header.count(header[i])} times; rename all but one"
            )
    version = plain.index(VERSION) if VERSION in plain and plain.index(VERSION) not in {*date, *region, value} else None
    kind = known.kind if known and (not config.value or plain[value] == known.value) else None
    if kind is None and _CUMULATIVE.search(plain[value]):
        kind = "cumulative"
    where = tuple((plain.index(column), wanted) for column, wanted in known.where if column in plain) if known else ()
    names = ", ".join(
        f"{role} {' and '.join(repr(header[i]) for i in columns)}"
        for role, columns in (("region", region), ("date", date), ("count", (value,)))
    )
    plainest = plain_tuple(header, (*region, *date, value)) == ("region", "date", "value")
    found = () if asked or plainest else (f"Columns: {names}{f' (layout of {known.name})' if known else ''}.",)
    return Roles(
        f"long ({known.name})" if known else "long",
        1,
        region,
        date,
        value,
        version=version,
        where=where,
        kind=kind,
        weeks=known.weeks if known and config.weeks == "auto" else config.weeks,
        events=bool(known and known.events),
        notes=found,
    )


def plain_tuple(header: list[str], columns: Sequence[int]) -> tuple[str, ...]:
    """Names of columns as they stand."""
    return tuple(header[i] for i in columns)


def _check_once(table: Table, columns: Sequence[int]) -> None:
    for column, count in Counter(table.rows[0][i] for i in columns).items():
        if count > 1 and column:
            raise DataError(f"{table.name}, row 1: the column {column!r} stands {count} times; remove one")


def _named(table: Table, name: str, role: str) -> int:
    """Index of a column that an option names."""
    header = table.rows[0]
    found = [i for i, cell in enumerate(header) if cell == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{table.name}: the column {name!r} stands {len(found)} times; rename all but one")
    raise DataError(
        f"{table.name}: no column {name!r}; found {shown(header, 12)}. Name the {role} column with --source.{role} NAME"
    )


def column_of(table: Table, name: str, option: str) -> int:
    """Index of a column named by `--source.where` or `--source.sum-over`, also in another spelling.

    Raises:
        DataError: when there is none.
    """
    header = table.rows[0]
    if name in header:
        return header.index(name)
    plain = [plain_name(cell) for cell in header]
    if plain.count(plain_name(name)) == 1:
        return plain.index(plain_name(name))
    raise DataError(f"{table.name}: {option} {name}: no such column; found {shown(header, 12)}")


def _cells(table: Table, column: int, rows: int = SAMPLE) -> list[str]:
    """The filled cells of a column's first rows, each once."""
    return list(
        dict.fromkeys(
            row[column] for row in table.rows[1 : rows + 1] if column < len(row) and row[column].lower() not in MISSING
        )
    )


def _is_words(cells: list[str]) -> bool:
    return bool(cells) and not all(_NUMBER.fullmatch(cell) for cell in cells) and not all(map(is_date, cells))


def _by_name(table: Table, names: Sequence[str], taken: set[int], suits: Callable[[list[str]], bool]) -> list[int]:
    """Columns with one of the names, in the names' order, whose cells suit."""
    plain = [plain_name(cell) for cell in table.rows[0]]
    found = [i for name in names for i, each in enumerate(plain) if each == name and i not in taken]
    return [i for i in found if suits(_cells(table, i))]


def _date(table: Table) -> tuple[int, ...]:
    header, plain = table.rows[0], [plain_name(cell) for cell in table.rows[0]]
    if found := _by_name(table, ("date",), set(), bool):
        return (found[0],)  # whatever its cells hold: what is wrong with them is said later
    days = [
        i
        for i in range(len(header))
        if (cells := _cells(table, i)) and all(map(is_date, cells)) and plain[i] != VERSION
    ]
    named = [i for i in days if plain[i] in _DATES]
    if len(days) == 1 or named:
        return (days[0] if len(days) == 1 else named[0],)
    years = [i for i, name in enumerate(plain) if name in _YEARS]
    weeks = [i for i, name in enumerate(plain) if name in _WEEKS]
    if len(years) == 1 and len(weeks) == 1:
        return years[0], weeks[0]
    bare = [
        i for i, name in enumerate(header) if (cells := _cells(table, i)) and all(is_bare_week(c, name) for c in cells)
    ]
    worded = bare or [i for i, name in enumerate(plain) if name in _DATES or name in _WEEKS]
    if len(worded) == 1 and not days:
        return (worded[0],)
    raise _open(table, "date", days or worded, "the dates")


def _region(table: Table, taken: set[int]) -> tuple[int, ...]:
    header, plain = table.rows[0], [plain_name(cell) for cell in table.rows[0]]
    if found := _by_name(table, ("region",), taken, bool):
        return (found[0],)
    named = _by_name(table, _REGIONS, taken, _is_words)
    words = [i for i in range(len(header)) if i not in taken and plain[i] != VERSION and _is_words(_cells(table, i))]
    candidates = named or words
    candidates = [i for i in candidates if len(_cells(table, i)) > 1] or candidates  # regions differ
    if len(candidates) > 1 and all(_paired(table, candidates[0], other) for other in candidates[1:]):
        # A name and its codes, which are shorter.
        candidates = [max(candidates, key=lambda i: sum(map(len, _cells(table, i))))]
    if len(candidates) != 1:
        raise _open(table, "region", candidates, "the regions (several names are joined)")
    return (candidates[0],)


def _paired(table: Table, one: int, other: int) -> bool:
    """Whether two columns name the same things: each cell of one goes with one cell of the other."""
    pairs = {(row[one], row[other]) for row in table.rows[1 : 20 * SAMPLE] if max(one, other) < len(row)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _value(table: Table, taken: set[int]) -> int:
    header, plain = table.rows[0], [plain_name(cell) for cell in table.rows[0]]
    if found := _by_name(table, ("value",), taken, lambda cells: True):
        return found[0]

    def numeric(cells: list[str]) -> bool:
        return bool(cells) and sum(bool(_NUMBER.fullmatch(cell)) for cell in cells) > len(cells) / 2

    numbers = [i for i in range(len(header)) if i not in taken and header[i] and numeric(_cells(table, i))]
    counts = [
        i for i in numbers if not _RATE.search(header[i]) and not _RATE.search(plain[i]) and plain[i] not in DESCRIPTIVE
    ]
    named = [i for i in counts if plain[i] in _VALUES]
    candidates = named or counts
    if not candidates and len(numbers) == 1:
        return numbers[0]  # a rate, which is said later
    if len(candidates) != 1:
        raise _open(table, "value", candidates or numbers, "the counts")
    return candidates[0]


def _check_rate(table: Table, value: int, taken: set[int]) -> None:
    name = table.rows[0][value]
    if _RATE.search(name) or _RATE.search(plain_name(name)):
        others = [
            cell for i, cell in enumerate(table.rows[0]) if i not in taken and i != value and not _RATE.search(cell)
        ]
        raise DataError(
            f"{table.name}, column {name!r}: by its name it holds rates or smoothed values; counts of cases are "
            "needed: name "
            f"their column with --source.value (there are {shown(others) if others else 'no others'}), or rename the "
            "column"
        )


def _open(table: Table, role: str, candidates: list[int], what: str) -> DataError:
    """The error where a role is left open."""
    header = table.rows[0]
    if len(header) == 1:
        known = ", ".join(SEPARATORS.values())
        return DataError(f"{table.place(0)}: there is one column only ({header[0][:40]!r}); separators can be {known}")
    found = (
        f"the columns {shown((header[i] for i in candidates), 12)} could hold {what}"
        if candidates
        else (f"no column holds {what}; found {shown(header, 12)}")
    )
    across = ""
    if role in ("region", "value") and any(
        all(map(is_date, _cells(table, i))) for i in range(len(header)) if _cells(table, i)
    ):
        across = "; if every other column is a region, give --source.layout transposed"
    return DataError(f"{table.place(0)}: {found}; name the column with --source.{role} NAME{across}")
