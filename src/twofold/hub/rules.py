"""The rules of a forecast hub: its target, thresholds, seasons and deadlines, read from a file.

A hub publishes the counts again every week and takes forecasts until a deadline. A forecast belongs to a reference
date, the last day of the week in which it is made; its horizons count weeks from there. The change is measured against
the week that ends 7 days before the reference date, the newest one that is published by the deadline.
"""

import re
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, ValidationError

from twofold.engine.config import Config, explain
from twofold.engine.errors import DataError, InputError

WEEK = timedelta(days=7)
_SHIPPED = resources.files("twofold.hub")
KNOWN = tuple(sorted(file.name[: -len(".toml")] for file in _SHIPPED.iterdir() if file.name.endswith(".toml")))
"""Hubs whose rules come with the package."""
Threshold = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_SEASON = re.compile(r"([0-9]{4})-([0-9]{2})")
_TURN_MONTH = 7  # a northern season is named after the two years that it spans, and begins in July at the earliest


class HubTarget(Config):
    """Rules that are the same in all seasons."""

    hub: str
    """Name of the hub."""
    target: str
    """Name of the target in a submission."""
    other_targets: tuple[str, ...] = ()
    """Other targets that a submission may contain."""
    counts: str | None = None
    """Name of the target that the counts are published under; None where the file of versions holds one only."""
    categories: tuple[str, ...]
    """Names of the categories from falling to rising; the middle one is stable."""
    horizons: tuple[int, ...] = Field(min_length=1)
    """Weeks from the reference date to the end of the target week."""
    unscored_horizons: tuple[int, ...] = ()
    """Horizons that the hub accepts and does not score."""
    rate_per: int = Field(gt=0)
    """Persons that a rate refers to."""
    stable_count: float = Field(ge=0.0)
    """A change in count smaller than this is stable, whatever the rate."""
    min_locations: int = Field(ge=1)
    """Locations for which the last version before the deadline must have the week before the reference date."""
    deadline_days: int
    """Days from the reference date to the day of the deadline."""
    deadline_utc: time
    """Time of the deadline, UTC."""
    baseline: str
    """The model whose relative skill is 1."""
    ensemble: str
    """The hub's own ensemble of the teams' models."""
    quantile_baseline: str | None = None
    """The model of quantiles whose relative scores are 1; None: our own of the same method."""


class Season(Config):
    """Rules of one season."""

    first_reference: date
    """First reference date."""
    last_reference: date
    """Last reference date."""
    stable_below: tuple[Threshold, ...]
    """By horizon: a change in rate smaller than this is stable."""
    large_above: tuple[Threshold, ...] = ()
    """By horizon: a change in rate beyond this is large; empty where the hub has three categories."""
    moved_deadlines: dict[date, AwareDatetime] = Field(default_factory=dict)
    """Reference date -> its deadline, where it is not the usual one."""


class Rules(HubTarget, Season):
    """A hub's rules in one season."""

    season: str
    """Name of the season, such as 2024-25."""
    note: str | None = None
    """Where the season is not listed: whose rules are used instead."""

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

    seasons: dict[str, Season] = Field(min_length=1)
    """Name, such as 2024-25 -> rules of that season."""

    def season(self, name: str) -> Rules:
        """The rules of one season.

        A season later than all that are listed gets the rules of the newest, its dates moved by 52 weeks a year, and a
        note that says so.

        Raises:
            InputError: when the name is no season's, or an earlier season is not listed.
        """
        shared = {key: getattr(self, key) for key in HubTarget.model_fields}
        if name in self.seasons:
            return Rules(season=name, **shared, **dict(self.seasons[name]))
        newest = max(self.seasons)
        base = self.seasons[newest]
        if not _is_season(name) or name < newest:
            raise InputError(
                f"season must be one of {', '.join(sorted(self.seasons))} or a later one such as "
                f"{season_of(base.first_reference + 52 * WEEK)}, got {name!r}; list it in a rules file"
            )
        moved = 52 * (int(name[:4]) - int(newest[:4])) * WEEK
        first, last = base.first_reference + moved, base.last_reference + moved
        note = (
            f"Season {name} of {self.hub} is not listed: it has the rules of {newest}, reference dates {first} to "
            f"{last} and no moved deadline; list it in a rules file where that is wrong."
        )
        dates = {"first_reference": first, "last_reference": last, "moved_deadlines": {}}
        return Rules(season=name, note=note, **shared, **dict(base.model_copy(update=dates)))


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
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{name}: is no TOML file ({error}); see hub/flusight.toml for the layout") from error
    except ValidationError as error:
        raise DataError(f"{name}: {explain(error)}") from error
    _check(found, name)
    return found


def season_of(day: date) -> str:
    """Name of the season that a day belongs to: 2024-25 from July 2024 to June 2025."""
    first = day.year if day.month >= _TURN_MONTH else day.year - 1
    return f"{first}-{(first + 1) % 100:02}"


def _is_season(name: str) -> bool:
    match = _SEASON.fullmatch(name)
    return match is not None and (int(match[1]) + 1) % 100 == int(match[2])


def _check(found: HubRules, name: str) -> None:
    """Refuses keys that contradict each other; single values are validated by their fields."""
    if len(set(found.horizons + found.unscored_horizons)) < len(found.horizons + found.unscored_horizons):
        raise DataError(f"{name}, horizons: a horizon appears twice; list each once, scored or unscored")
    for season, sets in found.seasons.items():
        place = f"{name}, seasons.{season}"
        if not _is_season(season):
            raise DataError(f"{place}: a season is named after its two years, such as 2024-25")
        if sets.last_reference < sets.first_reference or (sets.last_reference - sets.first_reference) % WEEK:
            raise DataError(f"{place}, last_reference: must lie whole weeks after {sets.first_reference}, the first")
        for key in ("stable_below", "large_above") if sets.large_above else ("stable_below",):
            if len(getattr(sets, key)) != len(found.horizons):
                raise DataError(
                    f"{place}, {key}: needs one threshold for each of the {len(found.horizons)} horizons, got "
                    f"{list(getattr(sets, key))}"
                )
        if any(large <= stable for large, stable in zip(sets.large_above, sets.stable_below, strict=False)):
            raise DataError(f"{place}, large_above: must exceed stable_below at every horizon")
        wanted = 5 if sets.large_above else 3
        if len(set(found.categories)) != wanted or len(found.categories) != wanted:
            raise DataError(
                f"{name}, categories: {wanted} different names are needed, since season {season} sets "
                f"{'both thresholds' if wanted == 5 else 'stable_below only'}, got {list(found.categories)}"
            )
