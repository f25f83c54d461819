"""Formats of numbers in a report; every public function is a filter of the templates. A missing value is a dash."""

import math
from collections.abc import Sequence
from typing import Any

DASH = "–"
MINUS = "−"


def count(value: int | None) -> str:
    """A whole number with thousands separators.

    Example:
        >>> count(10582)
        '10,582'
    """
    return DASH if value is None else f"{value:,}".replace("-", MINUS)


def score(value: float | None, digits: int = 3) -> str:
    """A score with fixed digits.

    Example:
        >>> score(0.71349), score(-0.02), score(None)
        ('0.713', '−0.020', '–')
    """
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", MINUS)


def interval(bounds: list[float | None] | tuple[float, float] | None, digits: int = 3, *, missing: str = DASH) -> str:
    """Both ends of an interval, or `missing` if one is unknown.

    Example:
        >>> interval([0.701, 0.726])
        '[0.701, 0.726]'
    """
    if bounds is None or any(end is None or not math.isfinite(end) for end in bounds):
        return missing
    return f"[{score(bounds[0], digits)}, {score(bounds[1], digits)}]"


def with_interval(value: float | None, bounds: list[float | None] | tuple[float, float] | None, digits: int = 3) -> str:
    """A score and its interval.

    Example:
        >>> with_interval(0.713, [0.701, 0.726])
        '0.713 [0.701, 0.726]'
    """
    if score(value, digits) == DASH:
        return DASH
    ends = interval(bounds, digits)
    return score(value, digits) if ends == DASH else f"{score(value, digits)} {ends}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, always with its sign.

    Example:
        >>> signed(0.0123), signed(-0.5, 1)
        ('+0.012', '−0.5')
    """
    text = score(value, digits)
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0 and text.strip("0.,") else text


def signed_with_interval(
    value: float | None, bounds: list[float | None] | tuple[float, float] | None, digits: int = 3
) -> str:
    """A difference with its sign, and its interval if known.

    Example:
        >>> signed_with_interval(-0.012, [-0.02, -0.004]), signed_with_interval(0.012, [None, None])
        ('−0.012 [−0.020, −0.004]', '+0.012')
    """
    return f"{signed(value, digits)} {interval(bounds, digits, missing='')}".rstrip()


def percent(share: float | None, digits: int = 1) -> str:
    r"""A share in [0, 1] as a percentage, with a no-break space before the sign.

    Example:
        >>> percent(0.4771)
        '47.7\xa0%'
    """
    text = score(None if share is None else 100 * share, digits)
    return text if text == DASH else f"{text}\u00a0%"


def share(part: int, whole: int) -> str:
    r"""A part of a whole as a percentage, a dash if the whole is 0.

    Example:
        >>> share(1, 3), share(0, 0)
        ('33.3\xa0%', '–')
    """
    return percent(part / whole if whole else None)


def points(difference: float | None, digits: int = 1) -> str:
    """A difference of two shares, in percentage points.

    Example:
        >>> points(0.061)
        '+6.1 pp'
    """
    text = signed(None if difference is None else 100 * difference, digits)
    return text if text == DASH else f"{text} pp"


def spread(values: Sequence[float | None], digits: int = 1, scale: float = 100.0) -> str:
    """Mean and sample standard deviation of several runs (`scale` 100 writes shares as percentages).

    Example:
        >>> spread([0.75, 0.77])
        '76.0 ± 1.4'
    """
    known = [scale * value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return DASH
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return score(mean, digits)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1))
    return f"{score(mean, digits)} ± {score(deviation, digits)}"


def settings(config: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """All settings of a config by their dotted names.

    Example:
        >>> settings({"seed": 0, "train": {"epochs": 20, "betas": [0.9, 0.99], "note": None}})
        [('seed', '0'), ('train.epochs', '20'), ('train.betas', '0.9, 0.99'), ('train.note', '–')]
    """
    pairs: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, dict):
            pairs += settings(value, f"{prefix}{key}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            pairs.append((f"{prefix}{key}", DASH if value is None or shown == "" else shown))
    return pairs


def date(iso: str) -> str:
    """An ISO date with non-breaking hyphens.

    Example:
        >>> date("2020-03-01") == "2020\N{NON-BREAKING HYPHEN}03\N{NON-BREAKING HYPHEN}01"
        True
    """
    return iso.replace("-", "\N{NON-BREAKING HYPHEN}")


def plural(number: int, one: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "unit"), plural(2000, "unit")
        ('1 unit', '2,000 units')
    """
    return f"{count(number)} {one if number == 1 else one + 's'}"


def plain(value: float) -> str:
    """A setting without trailing zeros.

    Example:
        >>> plain(1.0), plain(0.25)
        ('1', '0.25')
    """
    return f"{value:g}".replace("-", MINUS)


HUGE = 1e9
"""From here on a value is written by its power of ten."""
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: float | None, digits: int = 4) -> str:
    """A value with some significant digits.

    Example:
        >>> significant(-17134.6), significant(5.3181), significant(0.00376, 2), significant(8.82202e11)
        ('−17,135', '5.318', '0.0038', '8.822 × 10¹¹')
    """
    if value is None or not math.isfinite(value) or value == 0:
        return score(value, 0)
    if abs(value) >= HUGE:
        mantissa, exponent = f"{value:.{digits - 1}e}".replace("-", MINUS).split("e+")
        return f"{mantissa} × 10{exponent.lstrip('0').translate(_RAISED)}"
    return score(value, _decimals(value, digits))


UNSEEN = 1e-5
"""Share of a value below which its standard error is left out."""


def with_error(value: float | None, error: float | None) -> tuple[str, str]:
    """A value and "± its standard error", both to the error's second significant digit.

    The second is empty if the error is unknown or negligible (as that of an information at its cap).

    Example:
        >>> with_error(-17134.62, 38.4), with_error(0.47, None)
        (('−17,135', '± 38'), ('0.4700', ''))
    """
    if value is None or error is None or not math.isfinite(value) or not UNSEEN * abs(value) < error < math.inf:
        return significant(value), ""
    digits = _decimals(error, 2)
    return score(value, digits), f"± {score(error, digits)}"


def measured(value: float | None, error: float | None) -> str:
    """A value with its standard error as one text.

    Example:
        >>> measured(182.34, 1.213)
        '182.3 ± 1.2'
    """
    return " ".join(with_error(value, error)).strip()


def _decimals(value: float, digits: int) -> int:
    """Decimal places for some significant digits, seven at most."""
    return min(max(digits - 1 - math.floor(math.log10(abs(value))), 0), 7)


def listed(names: Sequence[str]) -> str:
    """Names joined by commas and "and".

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def sortable(value: float | int) -> str:
    """A number as a script reads it.

    Example:
        >>> sortable(0.123456), sortable(1234567)
        ('0.1235', '1234567')
    """
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
