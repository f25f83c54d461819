"""Commands for forecast hubs: words in, an exit status out."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from twofold.counts.panel import counted
from twofold.engine.flags import parse
from twofold.hub.check import parse_name
from twofold.hub.check import validate as check
from twofold.hub.locations import read_locations
from twofold.hub.rules import rules, season_of

BROKEN = 2


@dataclass(frozen=True)
class ValidateFlags:
    """Checks a submission to a forecast hub and names each broken row; the exit status is 2 where there is one.

    Rows of other targets in the same file are counted and not checked.
    """

    file: tyro.conf.Positional[Path]
    """The submission, YYYY-MM-DD-team-model.csv or .parquet."""
    locations: Path
    """The hub's table of locations of that season (columns abbreviation, location, location_name, population)."""
    hub: str = "flusight"
    """A known hub, or a file of its rules (TOML)."""
    season: str | None = None
    """Season such as 2024-25; by default that of the file's name."""


def validate(argv: list[str]) -> int:
    """`twofold trend hub validate`."""
    flags = parse(ValidateFlags, argv, "trend hub validate")
    season = flags.season or season_of(parse_name(flags.file.name).reference_date)
    known = rules(flags.hub, season)
    if known.note:
        sys.stderr.write(f"note: {known.note}\n")
    found = check(flags.file, known, read_locations(flags.locations))
    for problem in found.problems:
        sys.stdout.write(f"{flags.file.name}: {problem.rule}: {problem}\n")
    told = f"{counted(found.forecasts, 'forecast')} of {known.target!r}"
    if found.unscored:
        told += f" ({found.unscored:,} at horizons that are not scored)"
    if found.other_rows:
        told += f"; {counted(found.other_rows, 'row')} of other targets not checked"
    verdict = f"{counted(len(found.problems), 'problem')} found" if found.problems else "valid"
    sys.stdout.write(f"{flags.file.name}: {verdict}; {told}\n")
    return BROKEN if found.problems else 0
