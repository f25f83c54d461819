"""ISO country codes of regions by name."""

from functools import cache

import pycountry

SHIPS = frozenset({"Diamond Princess", "MS Zaandam"})
"""Cruise ships that JHU lists as places of their own."""

_ALIASES = {
    "Brunei": "bn",
    "Burma": "mm",
    "Congo (Brazzaville)": "cg",
    "Congo (Kinshasa)": "cd",
    "Cote d'Ivoire": "ci",
    "Holy See": "va",
    "Korea South": "kr",  # the original study's file, which has no commas in names
    "Korea, North": "kp",
    "Korea, South": "kr",
    "Kosovo": "xk",  # user-assigned, as ISO 3166-1 has none
    "Micronesia": "fm",
    "Russia": "ru",
    "Taiwan*": "tw",
    "Turkey": "tr",
    "West Bank and Gaza": "ps",
}


@cache
def iso2(region: str) -> str | None:
    """The two-letter code of a country or territory.

    Args:
        region: a name as JHU writes it, or any name or code that pycountry's exact lookup knows.

    Returns:
        The ISO 3166-1 alpha-2 code in lower case (`xk` for Kosovo), or None for ships, events and unknown names. Names
        are never guessed: a fuzzy search would take Niger for Nigeria.

    Example:
        >>> iso2("Korea, South"), iso2("Diamond Princess")
        ('kr', None)
    """
    if region in _ALIASES:
        return _ALIASES[region]
    try:
        return pycountry.countries.lookup(region).alpha_2.lower()
    except LookupError:
        return None


def ship(region: str) -> bool:
    """Whether a region is a ship, which has no place on a map."""
    return region in SHIPS
