"""What the commands for a hub read: its rules, versions, locations, and the counts of other hubs.

What reads tables is imported only when that starts, so that a wrong file or option is reported at once.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from twofold.engine.errors import InputError
from twofold.hub.rules import KNOWN, HubRules, HubTarget, Rules, read_rules

if TYPE_CHECKING:
    import polars as pl

    from twofold.hub.history import History
    from twofold.hub.season import Replay, Source
    from twofold.hub.vintages import Versions

VERSIONS = tuple(f"target-data/time-series.{form}" for form in ("parquet", "csv"))


@dataclass(frozen=True, kw_only=True)
class DataFlags:
    """Where a hub's rules and data are."""

    hub: str = "flusight"
    """A hub's folder or clone (hub-config, target-data, auxiliary-data), a known hub, or a file of its rules (TOML)."""
    vintages: Path | None = None
    """Every version of the counts (CSV or Parquet); by default the hub folder's target-data/time-series."""
    locations: Path | None = None
    """Locations of the season (abbreviation, location, location_name, population); by default the hub folder's."""


@dataclass(frozen=True, kw_only=True)
class LearnFlags(DataFlags):
    """What heads learn from beside the hub's own counts."""

    also: tuple[Path, ...] = ()
    """Folders of other hubs, such as those of COVID-19 and RSV, from whose counts the heads learn as well."""
    history: Path | None = None
    """Long history of visits for influenza-like illness, for training (the CDC's ILINet: region, week_start,
    unweighted_ili): of --hub, or of the folder of --also whose disease it measures."""


def data_of(flags: DataFlags) -> tuple[Path, Path]:
    """The files of versions and of locations: those given, or those of the hub's folder.

    Raises:
        InputError: when a file is neither given nor in the hub's folder.
    """
    folder = Path(flags.hub) if Path(flags.hub).is_dir() else None
    found: list[Path] = []
    for option, given, names in (
        ("--vintages", flags.vintages, VERSIONS),
        ("--locations", flags.locations, ("auxiliary-data/locations.csv",)),
    ):
        there = [folder / name for name in names if (folder / name).is_file()] if folder and given is None else []
        if given is None and not there:
            where = f"{folder} has no {names[0]}" if folder else "--hub names no hub's folder"
            raise InputError(f"{option} FILE is needed: {where}")
        found.append(given or there[0])
    return found[0], found[1]


def rules_of(hub: str) -> str:
    """The known hub, or the rules file, of `--hub`; a hub's folder is told by its targets.

    Raises:
        InputError: when no rules are known for the folder's targets.
    """
    if not Path(hub).is_dir():
        return hub
    from twofold.hub.tasks import read_hub

    targets = read_hub(Path(hub)).targets
    for name in KNOWN:
        if set(read_rules(name).targets) & set(targets):
            return name
    raise InputError(
        f"--hub {hub}: no rules are known for its targets ({', '.join(targets)}); known hubs are {', '.join(KNOWN)}, "
        "and --hub FILE.toml gives rules of your own"
    )


def versions_of(path: Path, known: HubRules) -> "Versions":
    """The versions of a hub's counts, or of shares as counts; those of a day came just before the deadline.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    from twofold.hub.vintages import read_versions

    closing = (datetime.combine(date.min, known.deadline_utc) + timedelta(days=1, seconds=-1)).time()
    found = read_versions(path, known.counts, closing)
    return found if known.among is None else found.times_as_many(known.among)


def holds_shares(path: Path, known: HubRules) -> bool:
    """Whether a hub's versions are also of the target of shares."""
    from twofold.hub.vintages import targets_in

    return known.shares is not None and known.shares in targets_in(path)


def rounds_of(hub: str) -> tuple[date, ...]:
    """The rounds of a hub's folder; none where `--hub` is no folder."""
    from twofold.hub.tasks import read_hub

    return read_hub(Path(hub)).rounds if Path(hub).is_dir() else ()


def replay_of(versions: "Versions", locations: Path, flags: DataFlags, rules: Rules) -> "Replay":
    """The season as a fit sees it, or, of options that hold nothing to learn from, as a forecast does.

    Shares are learned from the other hubs' shares, where their versions hold them.
    """
    from twofold.hub.season import Replay
    from twofold.hub.tables import read_locations
    from twofold.hub.vintages import check_codes

    places = read_locations(locations)
    check_codes(versions, places)
    if not isinstance(flags, LearnFlags):
        return Replay(versions, places, rules, None)
    history, others = learned(flags, rules, places)
    return Replay(versions, places, rules, history, others)


def learned(flags: LearnFlags, rules: Rules, places: "pl.DataFrame") -> tuple["History | None", tuple["Source", ...]]:
    """The long history of the hub's own disease, and the other hubs' counts; the history may belong to one of those.

    Raises:
        InputError: when a hub is named twice, or the history measures the disease of none.
    """
    from twofold.hub.history import read_history
    from twofold.hub.season import Source
    from twofold.hub.tables import read_locations
    from twofold.hub.vintages import check_codes

    def past(of: HubTarget, where: "pl.DataFrame") -> "History | None":
        """The history, if this is the first hub whose disease it measures."""
        if flags.history is None or not of.history or told:
            return None
        told.append(of.hub)
        return read_history(flags.history, where).before(rules.first_reference)

    told: list[str] = []
    own, names, others = past(rules, places), {rules.hub}, []
    for folder in flags.also:
        if not folder.is_dir():
            raise InputError(f"--also {folder}: is no folder; give the folder of a hub, with hub-config in it")
        known = read_rules(rules_of(str(folder)))
        if known.hub in names:
            raise InputError(f"--also {folder}: is of the hub {known.hub}, which is there already; name each hub once")
        names.add(known.hub)
        vintages, locations = data_of(DataFlags(hub=str(folder)))
        if rules.among is not None:
            if not holds_shares(vintages, known):
                continue
            known = known.for_shares()
        versions, where = versions_of(vintages, known), read_locations(locations)
        check_codes(versions, where)
        others.append(Source(versions, where, past(known, where), known.among))
    if flags.history is not None and not told:
        raise InputError(
            f"--history {flags.history}: measures the disease of none of the hubs {', '.join(sorted(names))}; leave it "
            "out, or name FluSight's folder with --also"
        )
    return own, tuple(others)


def words_of(flags: LearnFlags) -> tuple[list[str], list[str]]:
    """The options of the data, and of what a fit learns from, as they were given."""
    data = {"--hub": flags.hub, "--vintages": flags.vintages, "--locations": flags.locations}
    words = [word for option, given in data.items() if given is not None for word in (option, str(given))]
    learn = [] if flags.history is None else ["--history", str(flags.history)]
    return words, [*learn, *(["--also", *map(str, flags.also)] if flags.also else [])]
