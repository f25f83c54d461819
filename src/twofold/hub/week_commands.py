"""The command of every week: a submission to a hub from a saved model. Words in, an exit status out."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from rich.console import Console

from twofold import __version__
from twofold.engine.config import explain
from twofold.engine.errors import InputError
from twofold.engine.flags import parse
from twofold.hub.check import parse_name
from twofold.hub.locations import read_locations
from twofold.hub.model import HubModel
from twofold.hub.pool import POOL
from twofold.hub.rules import WEEK, read_rules, season_of
from twofold.hub.season import Replay
from twofold.hub.season_commands import note, reference_date_of, tell, written
from twofold.hub.submission import Contributor, Metadata, write_metadata, write_submission
from twofold.hub.vintages import read_versions

UNNAMED = "to be named"


@dataclass(frozen=True)
class ForecastFlags:
    """Writes one week's submission to a forecast hub from a saved model, and the metadata of the model beside it."""

    model: Path
    """A model that `twofold trend hub fit` saved."""
    vintages: Path
    """Every version of the counts, up to this week's (CSV or Parquet: as_of, target_end_date, location, value)."""
    locations: Path
    """The hub's table of locations of that season (columns abbreviation, location, location_name, population)."""
    out: Path
    """Folder for the submission."""
    team: str = "twofold"
    """Your team's abbreviation, as in the name of the submission."""
    name: str | None = None
    """Your model's abbreviation, as in the name of the submission; by default that of the head."""
    head: str = POOL
    """Whose forecasts: the pool's, or those of one head."""
    contributor: str = UNNAMED
    """Who is responsible, for the metadata."""
    affiliation: str = UNNAMED
    """Where they work, for the metadata."""
    email: str = "to.be@named"
    """Their address, for the metadata."""
    reference_date: str | None = None
    """Reference date, YYYY-MM-DD; by default the first one after the newest week of the counts."""
    form: Literal["csv", "parquet"] = "csv"
    """Format of the submission."""
    hub: str = "flusight"
    """A known hub, or a file of its rules (TOML)."""
    season: str | None = None
    """Season such as 2025-26; by default that of the reference date."""


def forecast(argv: list[str]) -> int:
    """`twofold trend hub forecast`."""
    flags = parse(ForecastFlags, argv, "trend hub forecast")
    model = HubModel.open(flags.model, flags.head)
    versions = read_versions(flags.vintages)
    day = reference_date_of(flags.reference_date, versions)
    rules = read_rules(flags.hub).season(flags.season or season_of(day))
    locations = read_locations(flags.locations)
    console = Console(stderr=True)
    replay = Replay(versions, locations, rules, None)
    tell(console, replay)
    forecasts = model.forecast(replay.known(day), rules, flags.head)
    path = flags.out / f"{day}-{flags.team}-{flags.name or flags.head}.{flags.form}"
    parse_name(path.name)
    metadata = _metadata(flags, model)
    with written(flags.out):
        write_submission(path, forecasts, rules, locations)
        described = write_metadata(flags.out, metadata)
    missing = sorted(set(locations["location"]) - set(forecasts["location"]))
    if missing:
        note(console, f"no forecast for {', '.join(missing)}: the week ending {day - WEEK} is not known there")
    if UNNAMED in (flags.contributor, flags.affiliation):
        note(console, "the metadata name nobody yet: give --contributor, --affiliation and --email")
    sys.stdout.write(f"{path}: {forecasts.height // len(rules.categories)} forecasts for {day}\n{described}\n")
    return 0


def _metadata(flags: ForecastFlags, model: HubModel) -> Metadata:
    try:
        person = Contributor(name=flags.contributor, affiliation=flags.affiliation, email=flags.email)
    except ValidationError as error:
        raise InputError(f"--{explain(error)}") from error
    heads = ", ".join(model.weights) if flags.head == POOL else flags.head
    return Metadata(
        team_name=flags.team,
        team_abbr=flags.team,
        model_name=f"twofold {flags.head}",
        model_abbr=flags.name or flags.head,
        model_version=__version__,
        model_contributors=(person,),
        license="CC-BY-4.0",
        designated_model=True,
        data_inputs="Weekly counts of the hub's target data, all published versions; a history, if one was given",
        methods=f"Log growth of the counts by {heads}; P(change > threshold) gives the categories.",
        methods_long=(
            "Inputs of all locations: recent growth and level, national and mean growth, weeks since the peak, week of "
            "the season, population; the last weeks' counts are first scaled by the revisions that past versions "
            "showed. Recurrent networks give a mixture of logistics on the log growth of each horizon, gradient "
            "boosting a probability for every threshold; the pool is linear, its weights are learned from past weeks."
        ),
        ensemble_of_models=flags.head == POOL,
        ensemble_of_hub_models=False,
    )
