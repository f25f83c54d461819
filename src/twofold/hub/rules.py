"""The rules of a forecast hub: its targets, thresholds, seasons and deadlines, read from a file.

A hub publishes the counts again every week and takes forecasts until a deadline. A forecast belongs to a reference
date, the last day of the week in which it is made; its horizons count weeks from there. The change is measured against
the week that ends 7 days before the reference date, the newest one that is published by the deadline.
"""

import re
import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, ValidationError

from twofold.engine.config import Config, explain
from twofold.engine.errors import DataError, InputError

WEEK = timedelta(days=7)
SHARE_OF = 10_000
"""Visits that a share is counted among: hubs publish shares with four decimals, so these counts are whole."""
_SHIPPED = resources.files("twofold.hub")
KNOWN = tuple(sorted(file.name[: -len(".toml")] for file in _SHIPPED.iterdir() if file.name.endswith(".toml")))
"""Hubs whose rules come with the package."""
Threshold = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_SEASON = re.compile(r"([0-9]{4})-([0-9]{2})")


class Thresholds(Config):
    """Where the categories of the rate change part in one season."""

    stable_below: tuple[Threshold, ...]
    """By horizon: a change in rate smaller than this is stable."""
    large_above: tuple[Threshold, ...] = ()
    """By horizon: a change in rate beyond this is large; empty where the hub has three categories."""


class ChangeTarget(Config):
    """A hub's target of categories of change, in all seasons."""

    target: str
    """Name of the target in a submission."""
    categories: tuple[str, ...]
    """Names of the categories from falling to rising; the middle one is stable."""
    rate_per: int = Field(gt=0)
    """Persons that a rate refers to."""
    stable_count: float = Field(ge=0.0)
    """A change in count smaller than this is stable, whatever the rate."""
    baseline: str
    """The model whose relative skill is 1."""
    ensemble: str
    """The hub's own ensemble of the teams' models."""


class RateChange(ChangeTarget, Thresholds):
    """A hub's target of categories of change, in one season."""

    horizons: tuple[int, ...] = Field(min_length=1)
    """Weeks from the reference date to the end of the target week."""


class HubTarget(Config):
    """Rules that are the same in all seasons and for all targets."""

    hub: str
    """Name of the hub."""
    counts: str | None = None
    """The target of quantiles, and the name that its counts are published under; None: the file of versions holds one
    target only, and no quantiles are submitted."""
    shares: str | None = None
    """The target of quantiles of the share of visits to emergency departments, and the name that it is published under;
    None: none is served."""
    among: int | None = None
    """Visits that the counts are counted among; None: they are of the population."""
    other_targets: tuple[str, ...] = ()
    """Other targets that a submission may contain."""
    horizons: tuple[int, ...] = Field(min_length=1)
    """Weeks from the reference date to the end of the target week."""
    unscored_horizons: tuple[int, ...] = ()
    """Horizons that the hub accepts and does not score."""
    min_locations: int = Field(ge=1)
    """Locations for which the last version before the deadline must have the week before the reference date."""
    deadline_days: int
    """Days from the reference date to the day of the deadline."""
    deadline_utc: time
    """Time of the deadline, UTC."""
    turn_month: int = Field(default=7, ge=1, le=12)
    """Month in which a season begins at the earliest; it is named after the two years that it spans."""
    baseline: str | None = None
    """The model whose relative scores of quantiles are 1; None: our own of the same method."""
    ensemble: str | None = None
    """The hub's own ensemble of the teams' models."""
    calendar: bool = True
    """Whether the time of the year tells how the counts will change: the default of heads that can read it."""
    history: bool = True
    """Whether a long history of visits for influenza-like illness measures this hub's disease."""

    def season_of(self, day: date) -> str:
        """Name of the season that a day belongs to.

        Example:
            >>> read_rules("flusight").season_of(date(2025, 6, 30))
            '2024-25'
        """
        first = day.year if day.month >= self.turn_month else day.year - 1
        return f"{first}-{(first + 1) % 100:02}"


class Season(Config):
    """Rules of one season."""

    first_reference: date
    """First reference date."""
    last_reference: date
    """Last reference date."""
    moved_deadlines: dict[date, AwareDatetime] = Field(default_factory=dict)
    """Reference date -> its deadline, where it is not the usual one."""


class ListedSeason(Season):
    """Rules of one season, as a file lists them."""

    rate_change: Thresholds | None = None
    """Of the categories of change, where the hub has them."""


class Rules(HubTarget, Season):
    """A hub's rules in one season."""

    season: str
    """Name of the season, such as 2024-25."""
    rate_change: RateChange | None = None
    """Rules of the categories of change; None where the hub asks for quantiles only."""
    note: str | None = None
    """Where the season is not listed: whose rules are used instead."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets that we forecast; that of shares has a model of its own."""
        change = None if self.rate_change is None else self.rate_change.target
        return tuple(name for name in (change, self.counts, self.shares) if name is not None)

    @property
    def asks_only(self) -> str:
        """That there are no categories, as the beginning of a sentence."""
        return (
            f"{self.hub} asks for quantiles only" if self.among is None else f"{self.counts} is asked in quantiles only"
        )

    def deadline(self, reference_date: date) -> datetime:
        """Time (UTC) before which a version must be published, and a forecast made, for this reference date."""
        if reference_date in self.moved_deadlines:
            return self.moved_deadlines[reference_date].astimezone(UTC)
        return datetime.combine(reference_date + timedelta(days=self.deadline_days), self.deadline_utc, UTC)

    def reference_dates(self) -> list[date]:
        """All reference dates of the season, a week apart."""
        weeks = (self.last_reference - self.first_reference) // WEEK
        return [self.first_reference + week * WEEK for week in range(weeks + 1)]


class HubRules(HubTarget):
    """A hub's rules in all seasons that its file lists."""

    rate_change: ChangeTarget | None = None
    """The categories of change; None where the hub asks for quantiles only."""
    seasons: dict[str, ListedSeason] = Field(min_length=1)
    """Name, such as 2024-25 -> rules of that season."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets that we forecast."""
        return self.season(min(self.seasons)).targets

    def for_shares(self) -> "HubRules":
        """The rules of the target of shares alone, which are counts among `SHARE_OF` visits then."""
        only = {"counts": self.shares, "shares": None, "among": SHARE_OF, "history": False, "rate_change": None}
        return self.model_copy(update=only)

    def season(self, name: str, rounds: Iterable[date] = ()) -> Rules:
        """The rules of one season.

        A season later than all that are listed gets the rules of the newest. Its dates are those of the hub's rounds in
        it, where there are any; else they are moved by 52 weeks a year, and a note says so.

        Args:
            name: of the season.
            rounds: dates of all rounds, where the hub's own configuration is at hand.

        Raises:
            InputError: when the name is no season's, or an earlier season is not listed.
        """
        if name in self.seasons:
            return self._rules(name, self.seasons[name])
        newest = max(self.seasons)
        base = self.seasons[newest]
        if not _is_season(name) or name < newest:
            raise InputError(
                f"season must be one of {', '.join(sorted(self.seasons))} or a later one such as "
                f"{self.season_of(base.first_reference + 52 * WEEK)}, got {name!r}; list it in a rules file"
            )
        own = [day for day in rounds if self.season_of(day) == name]
        moved = 52 * (int(name[:4]) - int(newest[:4])) * WEEK
        first, last = (min(own), max(own)) if own else (base.first_reference + moved, base.last_reference + moved)
        note = (
            f"Season {name} of {self.hub} is not listed: it has the rules of {newest}, reference dates {first} to "
            f"{last}{', which are the rounds of the hub,' if own else ''} and no moved deadline; list it in a rules "
            "file where that is wrong."
        )
        dates = {"first_reference": first, "last_reference": last, "moved_deadlines": {}}
        return self._rules(name, base.model_copy(update=dates), note)

    def _rules(self, name: str, season: ListedSeason, note: str | None = None) -> Rules:
        shared = {key: getattr(self, key) for key in HubTarget.model_fields}
        dates = {key: getattr(season, key) for key in Season.model_fields}
        change = None
        if self.rate_change is not None and season.rate_change is not None:
            change = RateChange(horizons=self.horizons, **dict(self.rate_change), **dict(season.rate_change))
        return Rules(season=name, note=note, rate_change=change, **shared, **dates)


def read_rules(hub: str | Path) -> HubRules:
    """Reads the rules of a known hub, or those in a TOML file of the layout of `flusight.toml`.

    Raises:
        InputError: when neither a known hub nor a file has that name.
        DataError: when the file breaks a rule; names file and key.

    Example:
        >>> read_rules("flusight").season("2024-25").deadline(date(2024, 12, 28)).isoformat()
        '2024-12-27T04:00:00+00:00'
    """
    if hub in KNOWN:
        content, name = (_SHIPPED / f"{hub}.toml").read_bytes(), f"{hub}.toml"
    elif Path(hub).is_file():
        content, name = Path(hub).read_bytes(), str(hub)
    else:
        raise InputError(f"hub must be one of {', '.join(KNOWN)} or a rules file (TOML), got {str(hub)!r}")
    try:
        found = HubRules.model_validate(tomllib.loads(content.decode()))
    except ValidationError as error:
        raise DataError(f"{name}: {explain(error)}") from error
    except (ValueError, RecursionError) as error:  # of the coding, of TOML, of a number of thousands of digits
        raise DataError(f"{name}: is no TOML file ({error}); see hub/flusight.toml for the layout") from error
    _check(found, name)
    return found


def _is_season(name: str) -> bool:
    match = _SEASON.fullmatch(name)
    return match is not None and (int(match[1]) + 1) % 100 == int(match[2])


def _check(found: HubRules, name: str) -> None:
    """Refuses keys that contradict each other; single values are validated by their fields."""
    if len(set(found.horizons + found.unscored_horizons)) < len(found.horizons + found.unscored_horizons):
        raise DataError(f"{name}, horizons: a horizon appears twice; list each once, scored or unscored")
    if found.rate_change is None and found.counts is None:
        raise DataError(f"{name}: needs a target: counts for quantiles, rate_change for categories, or both")
    for season, sets in found.seasons.items():
        place = f"{name}, seasons.{season}"
        if not _is_season(season):
            raise DataError(f"{place}: a season is named after its two years, such as 2024-25")
        if sets.last_reference < sets.first_reference or (sets.last_reference - sets.first_reference) % WEEK:
            raise DataError(f"{place}, last_reference: must lie whole weeks after {sets.first_reference}, the first")
        if (found.rate_change is None) != (sets.rate_change is None):
            raise DataError(f"{place}, rate_change: the hub and each of its seasons have it, or none of them")
        if found.rate_change is not None and sets.rate_change is not None:
            _check_categories(found.rate_change, sets.rate_change, found.horizons, name, season)


def _check_categories(
    target: ChangeTarget, sets: Thresholds, horizons: tuple[int, ...], name: str, season: str
) -> None:
    place = f"{name}, seasons.{season}.rate_change"
    for key in ("stable_below", "large_above") if sets.large_above else ("stable_below",):
        if len(getattr(sets, key)) != len(horizons):
            raise DataError(
                f"{place}, {key}: needs one threshold for each of the {len(horizons)} horizons, got "
                f"{list(getattr(sets, key))}"
            )
    if any(large <= stable for large, stable in zip(sets.large_above, sets.stable_below, strict=False)):
        raise DataError(f"{place}, large_above: must exceed stable_below at every horizon")
    wanted = 5 if sets.large_above else 3
    if len(set(target.categories)) != wanted or len(target.categories) != wanted:
        raise DataError(
            f"{name}, rate_change.categories: {wanted} different names are needed, since season {season} sets "
            f"{'both thresholds' if wanted == 5 else 'stable_below only'}, got {list(target.categories)}"
        )
