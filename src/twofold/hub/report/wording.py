"""Names of scores, categories and horizons on a hub's page, and colours."""

from collections.abc import Sequence

from twofold.page.words import ScoreWords

SCORES: dict[str, ScoreWords] = {
    "relative_rps": ScoreWords(
        "Relative RPS",
        False,
        "The RPS relative to all other models', each pair on what both forecast, as a geometric mean; the hub's "
        "baseline has 1. 0 is perfect.",
    ),
    "rps": ScoreWords(
        "RPS",
        False,
        "Ranked probability score: squared differences of the cumulative probabilities, summed. 0 is perfect, and the "
        "worst is the number of categories less 1; proper, and sensitive to the order of the categories.",
    ),
    "log_score": ScoreWords(
        "Log score",
        False,
        "Mean of minus the natural logarithm of the probability given to what happened, in nats. 0 is perfect, 10 the "
        "most that one forecast can cost; proper.",
    ),
    "brier_score": ScoreWords(
        "Brier",
        False,
        "Squared differences of probability and outcome (0 or 1), summed over the categories. 0 is perfect, 2 the "
        "worst; proper, but insensitive to the order of the categories.",
    ),
    "accuracy": ScoreWords(
        "Accuracy",
        True,
        "Share of forecasts whose most probable category happened. Not proper: in a mild season “stable” is right "
        "most of the time.",
    ),
    "ece": ScoreWords(
        "ECE",
        False,
        "Expected calibration error of P(rise): mean gap between the probability given and the share that rose, over "
        "ten bins. 0 is perfect.",
    ),
}
"""The scores in the order of a table's columns."""

DIVERGING = ("#2166ac", "#92c5de", "#ececec", "#f4a582", "#b2182b")
"""Falling to rising: ColorBrewer's RdBu, which colour-blind readers can tell apart; its middle shows on white."""
RISING = ("#fff5f0", "#fcbba1", "#fb6a4a", "#cb181d", "#67000d")
"""A probability of rising, low to high: ColorBrewer's Reds."""
FALLING = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
"""A probability of falling, low to high: ColorBrewer's Blues."""
SKILL = ("#5e3c99", "#b2abd2", "#ececec", "#fdb863", "#e66101")
"""Better to worse: ColorBrewer's PuOr, so that nobody takes it for falling and rising."""


def shades(categories: Sequence[str]) -> list[str]:
    """The colour of each category, from falling to rising; the middle one is pale.

    Example:
        >>> shades(["decrease", "stable", "increase"])
        ['#2166ac', '#ececec', '#b2182b']
    """
    return list(DIVERGING if len(categories) == len(DIVERGING) else DIVERGING[::2])


def category(name: str) -> str:
    """A category in words.

    Example:
        >>> category("large_increase")
        'large increase'
    """
    return name.replace("_", " ")


def unit(among: int | None) -> str:
    """What a week's figure counts, for an axis: cases, or visits among so many.

    Example:
        >>> unit(10_000)
        'visits per 10,000'
    """
    return "count a week" if among is None else f"visits per {among:,}"


def horizon(weeks: int) -> str:
    """How far ahead a forecast looks.

    Example:
        >>> horizon(0), horizon(1), horizon(3)
        ('the week of the reference date', '1 week ahead', '3 weeks ahead')
    """
    return "the week of the reference date" if weeks == 0 else f"{weeks} week{'' if weeks == 1 else 's'} ahead"


def shortened(name: str, length: int = 26) -> str:
    """A model's or place's name for a figure: cut where it is too long.

    Example:
        >>> shortened("a-very-long-name-of-a-model", 12)
        'a-very-long…'
    """
    return name if len(name) <= length else name[: length - 1] + "…"


def ordinal(number: int) -> str:
    """A place in a ranking.

    Example:
        >>> [ordinal(number) for number in (1, 2, 3, 11, 22)]
        ['1st', '2nd', '3rd', '11th', '22nd']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
