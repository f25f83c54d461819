"""The commands for a forecast hub: `look`, `backtest`, `fit`, `forecast` and `validate`.

What fits and draws is imported only when that starts, so that a wrong file or option is reported at once.
"""

import contextlib
import functools
import hashlib
import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro
from pydantic import ValidationError

from twofold import __version__
from twofold.engine import files
from twofold.engine.config import canonical, explain
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.flags import AsJson, parse
from twofold.engine.job import Job, fill, outcome
from twofold.engine.run import RunFolder
from twofold.engine.terminal import counting, note, noting, present, render
from twofold.engine.work import HERE, Work, Workers
from twofold.hub.config import POOL, QUANTILE_HEADS, HubConfig
from twofold.hub.inputs import (
    DataFlags,
    LearnFlags,
    data_of,
    holds_shares,
    learned,
    replay_of,
    rounds_of,
    rules_of,
    versions_of,
    words_of,
)
from twofold.hub.rules import WEEK, HubRules, Rules, read_rules

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    from twofold.hub.metadata import Metadata
    from twofold.hub.peers import Outputs
    from twofold.hub.season import Replay
    from twofold.hub.serve import Served
    from twofold.hub.tasks import Hub

DEFAULT = HubConfig()
SHARES = "shares"
"""Folder, in that of a model, of the model of shares."""
UNNAMED = "to be named"
BROKEN = 2
"""Exit status where a submission breaks a rule."""
_SHOWN = 12  # best models of a backtest's table


@dataclass(frozen=True, kw_only=True)
class _SeasonFlags(LearnFlags):
    """Options of `backtest` and `fit`."""

    workers: Annotated[Workers, tyro.conf.arg(name="")] = HERE
    config: Annotated[HubConfig, tyro.conf.arg(name="")] = DEFAULT


@dataclass(frozen=True, kw_only=True)
class LookFlags(LearnFlags):
    """Shows what a hub asks this week: rounds, deadline, targets, the newest version, what is missing, what to run.

    The commands that it prints hold the data options that it was given.
    """

    at: str | None = None
    """Time to look at, such as 2025-11-19T12:00:00-05:00; by default now."""
    json: AsJson = False


def look(argv: list[str]) -> int:
    """`twofold hub look`."""
    flags = parse(LookFlags, argv, "hub look")
    if not Path(flags.hub).is_dir():
        raise InputError(f"--hub {flags.hub}: is no folder; give the folder of a hub, with hub-config/tasks.json in it")

    from twofold.hub.look import about, commands, described, next_round
    from twofold.hub.tables import read_locations
    from twofold.hub.tasks import read_hub
    from twofold.hub.validation import utc

    hub, known = read_hub(Path(flags.hub)), read_rules(rules_of(flags.hub))
    vintages, locations = data_of(flags)
    now = utc(flags.at) if flags.at else datetime.now(UTC)
    versions = versions_of(vintages, known).until(now)
    places = read_locations(locations)
    targets = tuple(name for name in known.targets if name != known.shares or holds_shares(vintages, known))
    found = next_round(hub, versions, places, known, now)
    following: list[list[str]] = []
    if found is not None:
        learned(flags, found.rules, places)  # a file that can't be read is reported now
        following = commands(found.day, *words_of(flags))

    def told() -> str:
        lines = described(hub, found, versions, targets)
        lines += [f"note: {text}" for text in versions.notes]
        lines += ["", "Next:", *(f"  {shlex.join(words)}" for words in following)] if following else []
        if following and not flags.also:
            lines.append(
                "  (--also DIR ... with other hubs' folders, to look and to fit: their counts are learned from, too)"
            )
        return "\n".join(lines) + "\n"

    present(about(hub, found, versions, targets) | {"commands": following}, told, flags.json)
    return 0


@dataclass(frozen=True, kw_only=True)
class BacktestFlags(_SeasonFlags):
    """Replays a season of a forecast hub: each week's forecasts from what was known at its deadline, scored.

    Climatology, logistic regression, heads of quantiles (an autoregression, the renewal model, gradient boosting, an
    RNN) and the pool are refitted every few weeks and compared with the models of other teams, where their forecasts
    are given. --heads names others: trees, RNN, LSTM and GRU that give categories take three times as long. The same
    command resumes an interrupted backtest.
    """

    season: str
    """Season such as 2024-25."""
    target: Literal["counts", "shares"] = "counts"
    """Counts and, where the hub has them, categories of their change; or shares of emergency department visits, which
    the run's files and page hold as visits per 10,000."""
    peers: Path | None = None
    """Forecasts of other models (model, reference_date, horizon, location, category, probability). Without it and
    --peers-quantiles those of the hub folder's model-output are read."""
    peers_quantiles: Path | None = None
    """Quantiles of other models (model, reference_date, horizon, location, quantile, value)."""
    out: Path | None = None
    """Run folder; by default runs/hub/HUB-SEASON-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""
    json: AsJson = False


def backtest(argv: list[str]) -> int:
    """`twofold hub backtest`."""
    flags = parse(BacktestFlags, argv, "hub backtest")
    flags.workers.check()

    known = read_rules(rules_of(flags.hub))
    vintages, locations = data_of(flags)
    if flags.target == "shares":
        known, flags = _for_shares(known, vintages), replace(flags, history=None)
    rules = known.season(flags.season, rounds_of(flags.hub))
    replay = replay_of(versions_of(vintages, known), locations, flags, rules)
    config, said = flags.config.for_hub(rules)
    peers = _peers(flags, rules)

    from twofold.hub.report import view
    from twofold.hub.run import check, execute

    check(replay)  # before any folder is made
    others = (path for folder in flags.also for path in data_of(DataFlags(hub=str(folder))))
    paths = vintages, locations, flags.history, flags.peers, flags.peers_quantiles, *others
    files = ["" if path is None else hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    files += [peers.digest] if peers.digest else []
    digest = hashlib.sha256(canonical([rules.model_dump(mode="json"), *files]).encode()).hexdigest()
    job = Job(
        what="backtest",
        command=["twofold", "hub", "backtest", *argv],
        config=config,
        data_digest=digest,
        name=f"hub/{rules.hub}-{'shares-' if rules.among else ''}{rules.season}",
        out=flags.out,
        overwrite=flags.overwrite,
        notes=[*replay.notes, *said, *peers.notes],
    )

    def compute(folder: RunFolder, console: "Console") -> None:
        with counting(console, "fits", folder.tell) as advance:
            execute(
                replay,
                peers.categories,
                peers.quantiles,
                config,
                folder,
                unread=peers.unread,
                notes=[*said, *peers.notes],
                work=Work(flags.workers, noting(console, folder.tell)),
                progress=advance,
            )

    out = fill(job, compute, view.write)
    found = outcome(out)
    present(found, lambda: f"{render(_table(found['scores']))}Report: {found['report']}\n", flags.json)
    return 0


@dataclass(frozen=True, kw_only=True)
class FitFlags(_SeasonFlags):
    """Fits the heads on what is known for a reference date and saves them for the forecasts of the following weeks.

    Where the hub's versions hold shares of emergency department visits as well, heads are fitted to them too.
    """

    targets: Literal["all", "counts", "shares"] = "all"
    """What to fit; a fit of one target leaves the other's model in the folder as it is."""
    out: Path
    """Folder for the model."""
    reference_date: str | None = None
    """Reference date, YYYY-MM-DD; by default the first one after the newest week of the counts."""
    season: str | None = None
    """Season such as 2025-26; by default that of the reference date."""
    backtest: Path | None = None
    """A finished backtest of this season's data so far, whose last weights the pool takes; without it: equal ones."""


def fit(argv: list[str]) -> int:
    """`twofold hub fit`."""
    flags = parse(FitFlags, argv, "hub fit")
    flags.workers.check()

    known = read_rules(rules_of(flags.hub))
    vintages, _ = data_of(flags)
    day = _reference_date(flags.reference_date, vintages, known)
    if flags.out.exists() and not flags.out.is_dir():
        raise InputError(f"--out {flags.out}: is a file; give a folder")  # before the fit, not after it
    if flags.targets != "shares":
        _fit(flags, known, day, flags.out)
    if flags.targets == "shares" or (flags.targets == "all" and holds_shares(vintages, known)):
        alone = replace(flags, history=None, backtest=None)
        _fit(alone, _for_shares(known, vintages), day, flags.out / SHARES)
    return 0


def _fit(flags: FitFlags, known: HubRules, day: date, out: Path) -> None:
    """Fits and saves the model of one target."""
    vintages, locations = data_of(flags)
    rules = known.season(flags.season or known.season_of(day), rounds_of(flags.hub))
    replay = replay_of(versions_of(vintages, known), locations, flags, rules)
    config, said = flags.config.for_hub(rules)
    from rich.console import Console

    console = Console(stderr=True)
    for text in (*replay.notes, *said):
        note(console, text)
    weights = None if flags.backtest is None else _weights(flags.backtest, day, rules, config)

    from twofold.hub.model import fit_model

    with counting(console, "fits") as advance:
        work = Work(flags.workers, functools.partial(note, console))
        model = fit_model(replay, day, config, weights, work=work, progress=advance)
    with _written(flags.out):
        model.save(out)
    of = "" if rules.among is None else f" of {rules.counts!r}"
    sys.stdout.write(f"{out}: model{of} of {', '.join(model.heads)}, fitted on what was known for {day}\n")


def _for_shares(known: HubRules, vintages: Path) -> HubRules:
    """The rules of a hub's shares.

    Raises:
        InputError: when it has none, or its versions don't hold them.
    """
    if known.shares is None:
        raise InputError(f"{known.hub} has no target of shares; leave shares out, or name it in the hub's rules")
    if not holds_shares(vintages, known):
        raise InputError(f"{vintages}: holds no versions of {known.shares!r}; give the hub's own file, or counts")
    return known.for_shares()


def _peers(flags: BacktestFlags, rules: Rules) -> "Outputs":
    """Other models' forecasts: those of the files given, else those of the hub folder's model-output."""
    from twofold.hub.peers import Outputs, read_outputs
    from twofold.hub.quantiles import read_peers_quantiles
    from twofold.hub.tables import read_forecasts

    if flags.peers is not None and rules.rate_change is None:
        raise InputError(f"--peers {flags.peers}: {rules.hub} asks for no categories; give --peers-quantiles FILE")
    outputs = Path(flags.hub) / "model-output"
    if flags.peers is None and flags.peers_quantiles is None and outputs.is_dir():
        found = read_outputs(outputs, rules.reference_dates(), rules)
    else:
        categories = None if flags.peers is None else read_forecasts(flags.peers)
        quantiles = None if flags.peers_quantiles is None else read_peers_quantiles(flags.peers_quantiles)
        found = Outputs(categories, quantiles)
    if rules.among is None or found.quantiles is None:
        return found
    return replace(found, quantiles=found.quantiles.with_columns(value=found.quantiles["value"] * rules.among))


def _reference_date(given: str | None, vintages: Path, known: HubRules) -> date:
    """The reference date of a flag, or the first one after the newest week of the counts."""
    if given is None:
        days = versions_of(vintages, known).latest()["target_end_date"].to_list()
        if not days:
            raise InputError("the newest version of --vintages holds no value; give --reference-date")
        return max(days) + WEEK
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise InputError(f"--reference-date must be a day such as 2025-11-22, got {given!r}") from None


def _weights(folder: Path, day: date, rules: Rules, config: HubConfig) -> dict[str, float]:
    """The pool's last weights of a finished backtest, none of a date after the forecast's."""
    held = files.text(folder, "scores.json")
    try:
        scores = json.loads(held)
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
def _written(folder: Path) -> Iterator[None]:
    """Names the option where a folder can't be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"--out {folder}: can't be written ({error.strerror}); give another folder") from error


@dataclass(frozen=True, kw_only=True)
class ForecastFlags(DataFlags):
    """Writes one week's submission to a forecast hub from a saved model, and the metadata of the model.

    The submission holds every target that the head serves: the rate change, and by heads of quantiles the counts, both
    from one distribution. With --hub DIR it is checked as `hub validate` does.
    """

    model: Path
    """A model that `twofold hub fit` saved."""
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
    website_url: str = "https://to.be.named"
    """Where the model or the team is described, for the metadata."""
    reference_date: str | None = None
    """Reference date, YYYY-MM-DD; by default the first one after the newest week of the counts."""
    form: Literal["csv", "parquet"] = "csv"
    """Format of the submission."""
    season: str | None = None
    """Season such as 2025-26; by default that of the reference date."""


def forecast(argv: list[str]) -> int:
    """`twofold hub forecast`."""
    flags = parse(ForecastFlags, argv, "hub forecast")
    if not (flags.model / "model.safetensors").is_file():
        raise RunFolderError(
            f"{flags.model}: holds no model (model.safetensors is missing); make one with `twofold hub fit`"
        )

    from twofold.hub.metadata import write_metadata
    from twofold.hub.serve import Served
    from twofold.hub.submission import parse_name, write_submission
    from twofold.hub.tables import UNIT
    from twofold.hub.tasks import read_hub

    known = read_rules(rules_of(flags.hub))
    vintages, _ = data_of(flags)
    day = _reference_date(flags.reference_date, vintages, known)
    hub = read_hub(Path(flags.hub)) if Path(flags.hub).is_dir() else None
    from rich.console import Console

    console = Console(stderr=True)
    week = _Week(flags, day, hub, console)
    own, replay, pooled = _serve(week, known, flags.model)
    served, rules = Served(own.categories, own.quantiles | _shares(week, known)), replay.rules
    path = flags.out / f"{day}-{flags.team}-{flags.name or flags.head}.{flags.form}"
    parse_name(path.name)
    metadata = _metadata(flags, pooled, rules)
    with _written(flags.out):
        write_submission(path, served.categories, rules, replay.locations, served.quantiles)
        described = write_metadata(flags.out, metadata)
    tables = served.by_target(rules)
    for target, table in tables.items():
        missing = sorted(set(replay.locations["location"]) - set(table["location"]))
        if missing:
            note(console, f"{target}: no forecast for {', '.join(missing)}, whose week to {day - WEEK} is not known")
    if hub is not None:
        _refuse_invalid(path, hub)
        _note_metadata(console, described, hub)
    if UNNAMED in (flags.contributor, flags.affiliation):
        note(console, "the metadata name nobody yet: give --contributor, --affiliation, --email and --website-url")
    held = ", ".join(f"{table.select(UNIT).n_unique()} of {target!r}" for target, table in tables.items())
    sys.stdout.write(f"{path}: forecasts for {day}: {held}\n{described}\n")
    return 0


class _Week(NamedTuple):
    """Whose forecasts are made: the options, the reference date, the hub where its folder is at hand."""

    flags: ForecastFlags
    day: date
    hub: "Hub | None"
    console: "Console"


def _serve(week: _Week, known: HubRules, folder: Path) -> tuple["Served", "Replay", list[str]]:
    """What a model forecasts of what the hub asks, the season that it saw, and the heads of its pool."""
    from twofold.hub.model import HubModel
    from twofold.hub.newest import newest_week
    from twofold.hub.serve import asked_of, serve

    flags, day, hub, console = week
    vintages, locations = data_of(flags)
    versions = versions_of(vintages, known)
    rules = known.season(flags.season or known.season_of(day), hub.rounds if hub else ())
    replay = replay_of(versions, locations, flags, rules)
    for text in replay.notes:
        note(console, text)
    model = HubModel.open(folder, flags.head)
    known_now = replay.known(day)
    found = model.forecast(known_now, rules, flags.head)
    asked = None if hub is None else asked_of(hub, day, rules)
    return serve(found, rules, asked, newest_week(versions, known_now, rules)), replay, list(model.weights)


def _shares(week: _Week, known: HubRules) -> dict[str, "pl.DataFrame"]:
    """The quantiles of shares, where the hub asks for them; none, and a note why, where model or versions lack them."""
    if week.hub is None or known.shares is None or week.hub.asked(week.day, known.shares, "quantile") is None:
        return {}
    folder, (vintages, _) = week.flags.model / SHARES, data_of(week.flags)
    if not (folder / "model.safetensors").is_file():
        why = f"{week.flags.model} holds no model of it; `twofold hub fit` makes one where the versions hold the target"
    elif not holds_shares(vintages, known):
        why = f"{vintages} holds no versions of it"
    elif week.flags.head not in (POOL, *QUANTILE_HEADS):
        why = f"{week.flags.head} gives categories, and shares are asked in quantiles"
    else:
        return _serve(week, known.for_shares(), folder)[0].quantiles
    note(week.console, f"no forecast of {known.shares!r}: {why}")
    return {}


def _refuse_invalid(path: Path, hub: "Hub") -> None:
    """Takes back a submission that the hub would refuse.

    Raises:
        InputError: with the first reason.
    """
    from twofold.hub.validation import validate

    problems = [each for each in validate(path, hub).problems if not each.rule.startswith("metadata")]
    if problems:
        path.unlink()
        raise InputError(f"{path.name}: the hub would refuse these forecasts, the first reason: {problems[0]}")


def _note_metadata(console: "Console", path: Path, hub: "Hub") -> None:
    """Says what of the metadata the hub would refuse: the submission itself is not at fault."""
    from twofold.hub.metadata import SCHEMA, check_metadata

    schema = hub.folder / "hub-config" / SCHEMA
    for problem in check_metadata(path, schema) if schema.is_file() else ():
        note(console, f"the hub would refuse the metadata: {problem}")


def _metadata(flags: ForecastFlags, pooled: list[str], rules: Rules) -> "Metadata":
    from twofold.hub.metadata import Contributor, Metadata

    heads = ", ".join(pooled) if flags.head == POOL else flags.head
    categories = "" if rules.rate_change is None else "; P(change > threshold) gives the categories"
    try:
        person = Contributor(name=flags.contributor, affiliation=flags.affiliation, email=flags.email)
        return Metadata(
            team_name=flags.team,
            team_abbr=flags.team,
            model_name=f"twofold {flags.head}",
            model_abbr=flags.name or flags.head,
            model_version=__version__,
            model_contributors=(person,),
            license="CC-BY-4.0",
            designated_model=True,
            website_url=flags.website_url,
            data_inputs="Weekly counts of the hub's target data, all published versions; a history, if one was given",
            methods=f"Change of the counts by {heads}{categories}.",
            methods_long=(
                "Inputs of all locations: recent growth and level, national and mean growth, weeks since the peak, "
                "week of the season, population; the last weeks' counts are first scaled by the revisions that past "
                "versions showed. Gradient boosting and recurrent networks give quantiles of the change of the rate's "
                "fourth root, or probabilities for every threshold; the pool is linear, its weights are learned from "
                "past weeks."
            ),
            ensemble_of_models=flags.head == POOL,
            ensemble_of_hub_models=False,
        )
    except ValidationError as error:
        raise InputError(f"--{explain(error).replace('_', '-', 1)}") from error


@dataclass(frozen=True)
class ValidateFlags:
    """Checks a submission to a forecast hub and names each broken row; the exit status is 2 where there is one.

    With --hub DIR, the folder of any hub, the checks are those of the hubverse's validator, by its names, over all
    targets; what can't be checked is named. With a known hub's rules alone, only the rate change is checked, and rows
    of other targets are counted.
    """

    file: tyro.conf.Positional[Path]
    """The submission, YYYY-MM-DD-team-model.csv or .parquet."""
    hub: str = "flusight"
    """A hub's folder or clone (hub-config in it), a known hub, or a file of its rules (TOML)."""
    locations: Path | None = None
    """Locations of the season, for a hub that is no folder (abbreviation, location, location_name, population)."""
    season: str | None = None
    """Season such as 2024-25, for a hub that is no folder; by default that of the file's name."""
    at: str | None = None
    """Time of submission, such as 2025-02-19T22:30:00-05:00, to check the submission window by."""
    json: AsJson = False


def validate(argv: list[str]) -> int:
    """`twofold hub validate`."""
    flags = parse(ValidateFlags, argv, "hub validate")
    if Path(flags.hub).is_dir():
        return _validate_by_tasks(flags)
    if flags.locations is None:
        raise InputError("--locations FILE is needed, or --hub with the folder of the hub")
    if flags.at:
        raise InputError("--at needs --hub with the folder of the hub")

    from twofold.counts.panel import counted
    from twofold.hub.submission import check_file, parse_name
    from twofold.hub.tables import read_locations

    day, hub = parse_name(flags.file.name).reference_date, read_rules(flags.hub)
    known = hub.season(flags.season or hub.season_of(day))
    if known.rate_change is None:
        raise InputError(
            f"{known.hub} asks for no categories of change: give --hub the hub's folder to check its targets"
        )
    if known.note:
        sys.stderr.write(f"note: {known.note}\n")
    found = check_file(flags.file, known, read_locations(flags.locations))
    contents = f"{counted(found.forecasts, 'forecast')} of {known.rate_change.target!r}"
    if found.unscored:
        contents += f" ({found.unscored:,} at horizons that are not scored)"
    if found.other_rows:
        contents += f"; {counted(found.other_rows, 'row')} of other targets not checked (--hub DIR checks them)"
    verdict = f"{counted(len(found.problems), 'problem')} found" if found.problems else "valid"
    lines = [f"{problem.rule}: {problem}" for problem in found.problems] + [f"{verdict}; {contents}"]
    about = {
        "file": flags.file.name,
        "hub": known.hub,
        "valid": not found.problems,
        "forecasts": found.forecasts,
        "unscored": found.unscored,
        "unchecked_rows": found.other_rows,
        "problems": [asdict(problem) for problem in found.problems],
    }
    return _verdict(flags, about, lines)


def _verdict(flags: ValidateFlags, about: dict[str, Any], lines: list[str]) -> int:
    """Prints what was found, each line with the file's name before it."""
    present(about, lambda: "".join(f"{flags.file.name}: {line}\n" for line in lines), flags.json)
    return 0 if about["valid"] else BROKEN


def _validate_by_tasks(flags: ValidateFlags) -> int:
    from twofold.counts.panel import counted
    from twofold.hub.tasks import read_hub
    from twofold.hub.validation import utc, validate

    hub = read_hub(Path(flags.hub))
    report = validate(flags.file, hub, utc(flags.at) if flags.at else None)
    about = {
        "file": flags.file.name,
        "hub": hub.name,
        "valid": not report.problems,
        "passed": report.passed,
        "unchecked": report.unchecked,
        "targets": report.targets,
        "problems": [asdict(problem) for problem in report.problems],
    }
    lines = [f"{problem.rule}: {problem}" for problem in report.problems]
    lines += [f"{check}: not checked, {why}" for check, why in report.unchecked.items()]
    absent = [target for target in hub.targets if target not in report.targets]
    if report.targets and absent:
        lines.append(f"note: no rows of {', '.join(map(repr, absent))}")
    held = "; ".join(f"{rows:,} rows of {target!r}" for target, rows in sorted(report.targets.items()))
    passed = f"{counted(len(report.passed), 'check')} passed"
    verdict = f"{counted(len(report.problems), 'problem')} found" if report.problems else "valid"
    lines.append(f"{verdict}, {passed}{f'; {held}' if held else ''}")
    return _verdict(flags, about, lines)


def _table(scores: dict[str, Any]) -> "Table":
    """The ranking of a backtest: by categories, or by quantiles where the hub asks for no categories."""
    return _by_categories(scores) if "models" in scores else _by_quantiles(scores)


def _by_quantiles(scores: dict[str, Any]) -> "Table":
    """Our models, the baseline, the hub's ensemble and the best of the others, by relative WIS: from `scores.json`."""
    from rich.table import Column, Table

    found, dates = scores["quantile"], len(scores["dates"])
    named = {*found["ours"], found["baseline"], found["ensemble"]}
    title = f"{scores['hub']} {scores['season']}: {dates} reference dates; default {found['default']}"
    columns = "forecasts", "WIS", "relative WIS", "log WIS", "relative log WIS", "50 %", "95 %"
    table = Table(Column("model", no_wrap=True), *columns, title=title)
    for index, (name, row) in enumerate(found["models"].items()):
        if index < _SHOWN or name in named:
            keys = ("wis", ".1f"), ("relative_wis", ".3f"), ("log_wis", ".3f"), ("relative_log_wis", ".3f")
            keys += ("coverage_50", ".0%"), ("coverage_95", ".0%")
            figures = ("-" if row[key] is None else format(row[key], form) for key, form in keys)
            table.add_row(name, f"{row['n']:,}", *figures)
    return table


def _by_categories(scores: dict[str, Any]) -> "Table":
    """Our models, the baseline, the hub's ensemble and the best of the others, by relative RPS: from `scores.json`."""
    models, shared = scores["models"], scores["common"]
    named = {*scores["ours"], scores["baseline"], scores["ensemble"]}
    title = f"{scores['hub']} {scores['season']}: {len(scores['dates'])} reference dates; default {scores['default']}"
    columns = "forecasts", "coverage", "RPS", "RPS, common", "relative RPS", "log score", "ECE"
    from rich.table import Column, Table

    table = Table(Column("model", no_wrap=True), *columns, title=title)
    for index, (name, row) in enumerate(models.items()):
        if index < _SHOWN or name in named:
            values = row["rps"], shared.get(name, {}).get("rps"), row["relative_rps"], row["log_score"], row["ece"]
            figures = ("-" if value is None else f"{value:.3f}" for value in values)
            table.add_row(name, f"{row['n']:,}", f"{row['coverage']:.0%}", *figures)
    return table
