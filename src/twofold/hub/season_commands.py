"""Commands that fit a hub's models: a season replayed, a model saved. Words in, an exit status out."""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from twofold.engine.config import canonical, short_digest
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import required
from twofold.engine.flags import parse
from twofold.engine.run import claim
from twofold.engine.terminal import render
from twofold.hub.config import HubConfig
from twofold.hub.history import read_history
from twofold.hub.locations import read_locations
from twofold.hub.report import view as hub_report
from twofold.hub.rules import WEEK, Rules, read_rules, season_of
from twofold.hub.run import check, execute
from twofold.hub.scores import read_forecasts
from twofold.hub.season import Replay, fit_model
from twofold.hub.terminal import blocks_bar, scores_table
from twofold.hub.vintages import Versions, read_versions

Jobs = Annotated[int, tyro.conf.arg(help="Processes; 0: one for each core. Changes no result.")]


@dataclass(frozen=True)
class BacktestFlags:
    """Replays a season of a forecast hub: each week's forecasts from what was known at its deadline, scored.

    Climatology, logistic regression, gradient boosting, RNN, LSTM, GRU and their pool are fitted again every few weeks.
    Beside them stand the models of other teams, where their forecasts are given. What an interrupted backtest has done
    is kept: the same command goes on.
    """

    config: Annotated[HubConfig, tyro.conf.arg(name="")]
    vintages: Path
    """Every version of the counts (CSV or Parquet: as_of, target_end_date, location, value)."""
    locations: Path
    """The hub's table of locations of that season (columns abbreviation, location, location_name, population)."""
    season: str
    """Season such as 2024-25."""
    history: Path | None = None
    """Long history of another measure to learn from (the CDC's ILINet: region, week_start, unweighted_ili)."""
    peers: Path | None = None
    """Forecasts of other models (model, reference_date, horizon, location, category, probability)."""
    hub: str = "flusight"
    """A known hub, or a file of its rules (TOML)."""
    out: Path | None = None
    """Run folder; by default runs/trend/HUB-SEASON-DIGEST."""
    jobs: Jobs = 0
    overwrite: bool = False
    """Empty the run folder first."""


def backtest(argv: list[str]) -> int:
    """`twofold trend hub backtest`."""
    flags = parse(BacktestFlags, argv, "trend hub backtest", default=_defaults(BacktestFlags))
    rules = read_rules(flags.hub).season(flags.season)
    replay = _replay(flags.vintages, flags.locations, flags.history, rules)
    peers = None if flags.peers is None else read_forecasts(flags.peers)
    check(replay, peers)  # before any folder is made
    digest = _digest(rules, flags.vintages, flags.locations, flags.history, flags.peers)
    out = flags.out or Path("runs/trend") / f"{rules.hub}-{rules.season}-{short_digest(flags.config, digest)}"
    console = Console(stderr=True)
    tell(console, replay)
    with claim(
        out, flags.config, digest, ["twofold", "trend", "hub", "backtest", *argv], overwrite=flags.overwrite
    ) as folder:
        if folder.done:
            console.print(f"{out} holds this very backtest, finished; --overwrite runs it again")
        else:
            with blocks_bar(console) as advance:
                execute(replay, peers, flags.config, folder, jobs=_jobs(flags.jobs), progress=advance)
            hub_report.write(out)
            folder.finish()
    sys.stdout.write(render(scores_table(json.loads((out / "scores.json").read_text()))))
    sys.stdout.write(f"Report: {out / 'report.html'}\n")
    return 0


@dataclass(frozen=True)
class FitFlags:
    """Fits the heads on what is known for a reference date and saves them, to be used for the weeks that follow."""

    config: Annotated[HubConfig, tyro.conf.arg(name="")]
    vintages: Path
    """Every version of the counts (CSV or Parquet: as_of, target_end_date, location, value)."""
    locations: Path
    """The hub's table of locations of that season (columns abbreviation, location, location_name, population)."""
    out: Path
    """Folder for the model."""
    reference_date: str | None = None
    """Reference date, YYYY-MM-DD; by default the first one after the newest week of the counts."""
    history: Path | None = None
    """Long history of another measure to learn from (the CDC's ILINet: region, week_start, unweighted_ili)."""
    backtest: Path | None = None
    """A finished backtest of this season's data so far, whose last weights the pool takes; without it: equal ones."""
    hub: str = "flusight"
    """A known hub, or a file of its rules (TOML)."""
    season: str | None = None
    """Season such as 2025-26; by default that of the reference date."""
    jobs: Jobs = 0


def fit(argv: list[str]) -> int:
    """`twofold trend hub fit`."""
    flags = parse(FitFlags, argv, "trend hub fit", default=_defaults(FitFlags))
    versions = read_versions(flags.vintages)
    day = reference_date_of(flags.reference_date, versions)
    rules = read_rules(flags.hub).season(flags.season or season_of(day))
    replay = _replay(flags.vintages, flags.locations, flags.history, rules)
    console = Console(stderr=True)
    tell(console, replay)
    weights = None if flags.backtest is None else _weights(flags.backtest, day, rules, flags.config)
    if flags.out.exists() and not flags.out.is_dir():
        raise InputError(f"--out {flags.out}: is a file; give a folder")  # told before the fit, not after it
    with blocks_bar(console) as advance:
        model = fit_model(replay, day, flags.config, weights, jobs=_jobs(flags.jobs), progress=advance)
    with written(flags.out):
        model.save(flags.out)
    sys.stdout.write(f"{flags.out}: model of {', '.join(model.heads)}, fitted on what was known for {day}\n")
    return 0


def _defaults(flags: type[Any]) -> Any:
    """Flags with the default config, so that a broken rule names its flag; what must be given is still missing."""
    default = object.__new__(flags)  # its __init__ takes a path for a path, and tyro.MISSING is none
    for field in fields(flags):
        value = tyro.MISSING if field.default is MISSING else field.default
        object.__setattr__(default, field.name, HubConfig() if field.name == "config" else value)
    return default


def _replay(vintages: Path, locations: Path, history: Path | None, rules: Rules) -> Replay:
    places = read_locations(locations)
    past = None if history is None else read_history(history, places).before(rules.first_reference)
    return Replay(read_versions(vintages), places, rules, past)


def _digest(rules: Rules, *paths: Path | None) -> str:
    """Digest of all that a backtest reads."""
    files = ["" if path is None else hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return hashlib.sha256(canonical([rules.model_dump(mode="json"), *files]).encode()).hexdigest()


def tell(console: Console, replay: Replay) -> None:
    """What the readers left out, and whose rules are used."""
    history = replay.history.notes if replay.history else ()
    for text in (*replay.versions.notes, *history, replay.rules.note):
        if text:
            note(console, text)


def note(console: Console, text: str) -> None:
    """One note to a person."""
    console.print(f"note: {text}", style="yellow", markup=False, highlight=False)


def _jobs(jobs: int) -> int:
    return jobs or os.cpu_count() or 1


def reference_date_of(given: str | None, versions: Versions) -> date:
    """The reference date of a flag, or the first one after the newest week of the counts."""
    if given is None:
        days = versions.latest()["target_end_date"].to_list()
        if not days:
            raise InputError("the newest version of --vintages holds no value; give --reference-date")
        return max(days) + WEEK
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise InputError(f"--reference-date must be a day such as 2025-11-22, got {given!r}") from None


def _weights(folder: Path, day: date, rules: Rules, config: HubConfig) -> dict[str, float]:
    """The pool's last weights of a finished backtest, none of a date after the forecast's."""
    path = required(folder, "scores.json")
    try:
        scores = json.loads(path.read_text())
        entries, season = scores["weights"], (scores["hub"], scores["season"])
        known = [entry["weights"] for entry in entries if date.fromisoformat(entry["reference_date"]) <= day]
    except (ValueError, LookupError, TypeError) as error:
        raise RunFolderError(f"--backtest {folder}: scores.json holds no hub's weights ({error})") from error
    if season != (rules.hub, rules.season):
        raise InputError(
            f"--backtest {folder}: is of {' '.join(season)}, and the fit of {rules.hub} {rules.season}; weights are "
            "learned within a season, so leave it out"
        )
    if not known:
        raise InputError(f"--backtest {folder}: its first weights are of a date after {day}; leave it out")
    if set(known[-1]) != set(config.pooled):
        raise InputError(
            f"--backtest {folder}: its pool is of {', '.join(known[-1])}, and --pooled names "
            f"{', '.join(config.pooled)}; they must be the same"
        )
    return known[-1]


@contextlib.contextmanager
def written(folder: Path) -> Iterator[None]:
    """Says whose fault it is where a folder can't be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"--out {folder}: can't be written ({error.strerror}); give another folder") from error
