"""Cells to dates: days in any form that can be read one way only, and weeks; one decision for the whole column."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise

from twofold.counts.config import Weeks
from twofold.counts.csv import shorten
from twofold.engine.errors import DataError

_IN_ONE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_TWO_WAYS = re.compile(r"([0-9]{1,2})([-/. ])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
_ORDINAL = re.compile(r"([0-9]{4})-([0-9]{3})")
_WEEK = re.compile(r"([0-9]{4})[-_ /]?(?:W|KW|EW|week)[-_ ]?([0-9]{1,2})(?:-?([1-7]))?", re.IGNORECASE)
_BARE_WEEK = re.compile(r"([0-9]{4})[-_/ ]?([0-9]{2})")
_MIDNIGHT = re.compile(r"[T ]00:?00(:?00([.,]0*)?)?(Z|[+-]00(:?00)?| UTC| GMT)?$")
_NAMED_MONTH = (
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d%b%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
)
_WITH_LETTERS = re.compile(r"[0-9].*[A-Za-z]{3}|[A-Za-z]{3}.*[0-9]")
_WEEK_WORDS = re.compile(r"week|woche|\bkw\b|semaine|semana|settimana", re.IGNORECASE)
_MMWR_WORDS = re.compile(r"mmwr|epi[ _-]?(week|year)|cdc|morbidity", re.IGNORECASE)
_ISO_WORDS = re.compile(r"iso|woche|jahr|\bkw\b|semaine|settimana|year_?week", re.IGNORECASE)  # semana: whose?
_ISO_TEXT = re.compile(r"[0-9][-_ /]?(W|KW)[-_ ]?[0-9]", re.IGNORECASE)
_STEPS = {1, 7}


def parse_day(text: str) -> date:
    """A day in a form that can be read in one way only.

    Takes `2020-01-31`, `2020/1/31`, `20200131`, `2020-031` (day of the year), `31.01.2020`, `31 Jan 2020`, `31-Jan-20`,
    `Jan 31, 2020`, each also with a midnight behind it. `1/2/20` is refused: it is the 2nd of January to some and the
    1st of February to others.

    Raises:
        ValueError: with the reason and a remedy, to follow the place of the cell.
    """
    text = _MIDNIGHT.sub("", text.strip())
    if not text:
        raise ValueError("the date is empty; write one such as 2020-01-31")
    if match := _YEAR_FIRST.fullmatch(text):
        return _date(text, int(match[1]), int(match[3]), int(match[4]))
    if match := _IN_ONE.fullmatch(text):
        return _date(text, int(match[1]), int(match[2]), int(match[3]))
    if match := _ORDINAL.fullmatch(text):
        first = date(max(1, int(match[1])), 1, 1)
        day = first + timedelta(days=int(match[2]) - 1)
        if day.year != first.year or not int(match[2]):
            raise ValueError(f"{text!r} is no day of the calendar; write dates as 2020-01-31")
        return day
    for form in _NAMED_MONTH if _WITH_LETTERS.search(text) else ():
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    if (match := _TWO_WAYS.fullmatch(text)) and match[2] == ".":
        return _ordered(text, match, month_first=False)
    if match:
        raise ValueError(f"{text!r} can be read month first or day first; write it as 2020-01-31")
    raise ValueError(f"{shorten(text)} is not a date; write it as 2020-01-31")


def parse_month_first(text: str) -> date:
    """A date as JHU writes it, `1/31/20` (month, day, year from 2000), or in a form that `parse_day` takes.

    Raises:
        ValueError: with the reason and a remedy, to follow the place of the cell.
    """
    text = text.strip()
    if (match := _TWO_WAYS.fullmatch(text)) and match[2] == "/":
        return _ordered(text, match, month_first=True)
    return parse_day(text)


def is_date(text: str) -> bool:
    """Whether a cell is a day or a week in any of the forms, also in one that two orders of day and month fit."""
    text = _MIDNIGHT.sub("", text.strip())
    if match := _TWO_WAYS.fullmatch(text):
        return _fits(match, month_first=True) or _fits(match, month_first=False)
    try:
        return bool(_week(text, "iso") or parse_day(text))
    except ValueError:
        return False


def is_bare_week(text: str, header: str) -> bool:
    """Whether a cell is a year and week in digits alone, under a header that speaks of weeks."""
    return bool((_WEEK_WORDS.search(header) or _MMWR_WORDS.search(header)) and _BARE_WEEK.fullmatch(text))


def parse_dates(
    texts: Iterable[str], place: Callable[[str], str], *, column: str, form: str | None = None, weeks: Weeks = "auto"
) -> tuple[dict[str, date], tuple[str, ...]]:
    """Reads all the dates of a column in one way.

    Days and months that could change places are told apart by the whole column: by a number above 12, or because
    only one order gives days or weeks in an even step. Weeks are dated by their last day: an ISO week (Monday to
    Sunday) by its Sunday, an MMWR week (Sunday to Saturday, as CDC counts) by its Saturday.

    Args:
        texts: the column's cells, each once, stripped.
        place: file, row and column of the first cell with a text, for messages.
        column: its header, whose words may say that it holds weeks, and whose.
        form: a `strptime` format for every cell, where one was given.
        weeks: which weeks, where that was said.

    Returns:
        Each text's date, and notes.

    Raises:
        DataError: for the first cell that is no date, or a column that can be read in two ways.
    """
    texts = list(texts)
    if form is not None:
        return {text: _by_format(text, form, place) for text in texts}, (f"Dates were read by the format {form}.",)
    found: dict[str, date] = {}
    two_ways: dict[str, re.Match[str]] = {}
    dotted: dict[str, re.Match[str]] = {}
    weekly = bool(_WEEK_WORDS.search(column) or _MMWR_WORDS.search(column) or weeks != "auto")
    of_weeks: dict[str, tuple[int, int, int | None]] = {}
    for text in texts:
        stripped = _MIDNIGHT.sub("", text)
        if match := _WEEK.fullmatch(stripped):
            of_weeks[text] = int(match[1]), int(match[2]), int(match[3]) if match[3] else None
        elif weekly and (match := _BARE_WEEK.fullmatch(stripped)):
            of_weeks[text] = int(match[1]), int(match[2]), None
        elif match := _TWO_WAYS.fullmatch(stripped):
            (dotted if match[2] == "." else two_ways)[text] = match
        else:
            try:
                found[text] = parse_day(text)
            except ValueError as error:
                raise DataError(f"{place(text)}: {_with_week_hint(text, error)}") from None
    notes: list[str] = []
    if of_weeks:
        found |= _weeks_to_days(of_weeks, place, column, weeks)
        notes.append(_week_note(of_weeks, column, weeks))
    if dotted:
        # Points mean day first, unless a number above 12 shows that it can't be.
        by_day, by_month = (all(_fits(match, order) for match in dotted.values()) for order in (False, True))
        month_first = by_month and not by_day
        found |= {text: _placed(text, match, month_first, place) for text, match in dotted.items()}
        text = next(iter(dotted))
        why = "month first, as the whole column shows" if month_first else "day first, as dates with points are"
        notes.append(f"Dates were read {why}: {text!r} is {found[text]}.")
    if two_ways:
        month_first = _month_first(two_ways, found, place)
        found |= {text: _placed(text, match, month_first, place) for text, match in two_ways.items()}
        text = next(iter(two_ways))
        order = "month first" if month_first else "day first"
        notes.append(f"Dates were read {order}, as the whole column shows: {text!r} is {found[text]}.")
    return {text: found[text] for text in texts}, tuple(notes)


def repair_mangled(text: str) -> date | None:
    """The date that a spreadsheet turned into `2002/1/20`: it took `2/1/20` (month/day/year) for year/month/day.

    Returns:
        The date meant (month from the year's last digits, day from the month, year from the day), or None when `text`
        can't come from that mistake.
    """
    match = _YEAR_FIRST.fullmatch(text.strip())
    if match is None or match[2] != "/":
        return None
    try:
        return date(2000 + int(match[4]), int(match[1]) - 2000, int(match[3]))
    except ValueError:
        return None


def mmwr_saturday(year: int, week: int) -> date:
    """The Saturday that ends an MMWR week (CDC's: Sunday to Saturday, week 1 holds January 4th).

    Raises:
        ValueError: when the year has no such week.
    """
    fourth = date(year, 1, 4)
    day = fourth + timedelta(days=(5 - fourth.weekday()) % 7 + 7 * (week - 1))
    following = date(year + 1, 1, 4)
    if week < 1 or day >= following + timedelta(days=(5 - following.weekday()) % 7):
        raise ValueError(f"MMWR year {year} has no week {week}")
    return day


def _by_format(text: str, form: str, place: Callable[[str], str]) -> date:
    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        raise DataError(
            f"{place(text)}: {shorten(text)} does not fit --source.date-format {form!r}; mend the cell, or the format"
        ) from None


def _with_week_hint(text: str, error: ValueError) -> str:
    if _BARE_WEEK.fullmatch(text):
        return (
            f"{text!r} may be a year and week, or a year and month; for weeks give --source.weeks iso or "
            "--source.weeks "
            "mmwr; months have no equal step"
        )
    return str(error)


def _week(text: str, weeks: Weeks) -> date | None:
    match = _WEEK.fullmatch(text)
    return _week_day(int(match[1]), int(match[2]), int(match[3] or 7), weeks) if match else None


def _week_day(year: int, week: int, day: int, weeks: Weeks) -> date:
    if weeks == "mmwr":
        return mmwr_saturday(year, week)
    return date.fromisocalendar(year, week, day)


def _which_weeks(of_weeks: dict[str, tuple[int, int, int | None]], column: str, weeks: Weeks) -> Weeks:
    """ISO or MMWR by the option, the column's words, or the text itself; auto when neither says it."""
    if weeks != "auto":
        return weeks
    if _MMWR_WORDS.search(column):
        return "mmwr"
    if _ISO_WORDS.search(column) or all(map(_ISO_TEXT.search, of_weeks)):
        return "iso"
    return "auto"


def _weeks_to_days(
    of_weeks: dict[str, tuple[int, int, int | None]], place: Callable[[str], str], column: str, weeks: Weeks
) -> dict[str, date]:
    which, first = _which_weeks(of_weeks, column, weeks), next(iter(of_weeks))
    if which == "auto":
        raise DataError(
            f"{place(first)}: {first!r} is a week, but nothing says whose weeks they are; give --source.weeks iso "
            "(Monday to "
            "Sunday, as in Europe) or --source.weeks mmwr (Sunday to Saturday, as CDC counts)"
        )
    days = {}
    for text, (year, week, day) in of_weeks.items():
        try:
            days[text] = _week_day(year, week, day or 7, which)
        except ValueError as error:
            raise DataError(f"{place(text)}: {text!r} is no week of the calendar ({error}); mend the cell") from None
    return days


def _week_note(of_weeks: dict[str, tuple[int, int, int | None]], column: str, weeks: Weeks) -> str:
    mmwr = _which_weeks(of_weeks, column, weeks) == "mmwr"
    if not mmwr and any(day for _, _, day in of_weeks.values()):
        return "Dates are days of ISO weeks."
    kind = "MMWR weeks (Sunday to Saturday)" if mmwr else "ISO weeks (Monday to Sunday)"
    return f"Weeks were read as {kind}, each dated by its {'Saturday' if mmwr else 'Sunday'}."


def _ordered(text: str, match: re.Match[str], month_first: bool) -> date:
    year = int(match[4]) if len(match[4]) == 4 else 2000 + int(match[4])
    first, second = int(match[1]), int(match[3])
    return _date(text, year, *((first, second) if month_first else (second, first)))


def _fits(match: re.Match[str], month_first: bool) -> bool:
    try:
        _ordered(match[0], match, month_first)
    except ValueError:
        return False
    return True


def _month_first(two_ways: dict[str, re.Match[str]], others: dict[str, date], place: Callable[[str], str]) -> bool:
    """Whether month comes before day; by numbers above 12, else by an even step of 1 or 7 days."""
    orders = [order for order in (True, False) if all(_fits(match, order) for match in two_ways.values())]
    first = next(iter(two_ways))
    if not orders:
        by_month = next((text for text, match in two_ways.items() if not _fits(match, True)), first)
        by_day = next((text for text, match in two_ways.items() if not _fits(match, False)), first)
        raise DataError(
            f"{place(by_month)}: {by_month!r} can't be read month first, and {by_day!r} can't be read day first; mend "
            "the one that is wrong"
        )
    if len(orders) == 2:
        even = []
        for order in orders:
            days = sorted({*(_ordered(text, match, order) for text, match in two_ways.items()), *others.values()})
            steps = {(after - before).days for before, after in pairwise(days)}
            if len(steps) == 1 and steps <= _STEPS:
                even.append(order)
        orders = even if len(even) == 1 else orders
    if len(orders) == 2:
        separator = two_ways[first][2]
        year = "%Y" if len(two_ways[first][4]) == 4 else "%y"
        forms = [separator.join(parts) for parts in (("%m", "%d", year), ("%d", "%m", year))]
        months = ", or ".join(
            f"{_ordered(first, two_ways[first], order)} (--source.date-format '{form}')"
            for order, form in zip((True, False), forms, strict=True)
        )
        raise DataError(
            f"{place(first)}: {first!r} can be read month first or day first, as {months}; no date of the column "
            "settles it"
        )
    return orders[0]


def _placed(text: str, match: re.Match[str], month_first: bool, place: Callable[[str], str]) -> date:
    try:
        return _ordered(text, match, month_first)
    except ValueError as error:
        raise DataError(f"{place(text)}: {error}") from None


def _date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise ValueError(f"{text!r} is no day of the calendar ({error}); write dates as 2020-01-31") from None
