"""One cell of a table as a count or a date: strict, and with a reason when it is neither."""

import re
from datetime import date, datetime

LARGEST = 10**12
"""No count of cases comes near this (over a hundred times mankind), and sums of such counts stay exact."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "."})
_PLAIN = re.compile(r"(-?)([0-9]+)(?:\.0*)?")
_THOUSANDS = re.compile(r"(-?)([0-9]{1,3}(?:,[0-9]{3})+)(?:\.0*)?")
_FRACTION = re.compile(r"[-+]?[0-9]*\.[0-9]+")
_EXPONENT = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)

_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_MONTH_FIRST = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{2}|[0-9]{4})")
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0*)?)?(Z|\+00:?00)?$")
_NAMED_MONTH = ("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y", "%Y%m%d")


def parse_count(text: str) -> int:
    """The whole number in a cell: `12`, `-3`, `12.0` or `1,234`; blanks around it don't matter.

    Raises:
        ValueError: with the reason and what to do, to be put behind the cell's place.
    """
    text = text.strip()
    match = _PLAIN.fullmatch(text) or _THOUSANDS.fullmatch(text)
    if match is None:
        raise ValueError(_why_no_count(text))
    digits = match[2].replace(",", "").lstrip("0") or "0"
    if len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
        raise ValueError(f"{shorten(text)} is larger than any count of cases can be ({LARGEST:.0e}); mend the cell")
    return -int(digits) if match[1] else int(digits)


def has_thousands(text: str) -> bool:
    """Whether a cell that `parse_count` takes is written with thousands separators."""
    return "," in text


def _why_no_count(text: str) -> str:
    if text.lower() in MISSING:
        shown = "the cell is empty" if not text else f"{text!r} is no count"
        return f"{shown}; every region needs a count on every date: fill it in, or leave the region out"
    if _INFINITE.fullmatch(text):
        return f"{text!r} is not finite; counts are whole numbers"
    if _FRACTION.fullmatch(text):
        return f"{shorten(text)} is a fraction; counts are whole numbers (give counts, not rates or averages)"
    if _EXPONENT.fullmatch(text):
        return f"{shorten(text)} has an exponent, so digits may be lost; write the count with all its digits"
    return f"{shorten(text)} is not a number; counts are whole numbers such as 1234"


def parse_date(text: str) -> date:
    """A date in a form that can be read in one way only.

    Takes `2020-01-31`, `2020/1/31`, `20200131`, `31.01.2020`, `31 Jan 2020`, `31-Jan-2020`, `Jan 31, 2020`, each also
    with a midnight behind it. `1/2/20` is refused: it is the 2nd of January to some and the 1st of February to others.

    Raises:
        ValueError: with the reason and what to do, to be put behind the cell's place.
    """
    text = _MIDNIGHT.sub("", text.strip())
    if not text:
        raise ValueError("the date is empty; write one such as 2020-01-31")
    if match := _YEAR_FIRST.fullmatch(text):
        return _date(text, int(match[1]), int(match[3]), int(match[4]))
    for form in _NAMED_MONTH:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    if _MONTH_FIRST.fullmatch(text):
        raise ValueError(f"{text!r} can be read month first or day first; write it as 2020-01-31")
    raise ValueError(f"{shorten(text)} is not a date; write it as 2020-01-31")


def parse_month_first(text: str) -> date:
    """A date as JHU writes it, `1/31/20` (month, day, year from 2000), or in a form that `parse_date` takes.

    Raises:
        ValueError: with the reason and what to do, to be put behind the cell's place.
    """
    text = text.strip()
    if match := _MONTH_FIRST.fullmatch(text):
        year = int(match[3])
        return _date(text, year if year >= 100 else 2000 + year, int(match[1]), int(match[2]))
    return parse_date(text)


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


def _date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise ValueError(f"{text!r} is no day of the calendar ({error}); write dates as 2020-01-31") from None


def shorten(text: str, length: int = 40) -> str:
    """A cell for a message: quoted, cut when long."""
    return repr(text if len(text) <= length else text[:length] + "…")
