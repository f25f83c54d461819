"""Commands of the trend study: each parses its arguments, computes, writes a report and prints the main results.

Modules that fit, score or draw are imported by the function that needs them, so that help and messages about wrong
options or data come quickly.
"""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro

from twofold.counts.config import REPEATED, SourceConfig
from twofold.engine.errors import DataError, InputError
from twofold.engine.files import table, text
from twofold.engine.flags import AsJson, ConfigFile, parse, starting_config, word_after
from twofold.engine.job import Job, fill, outcome
from twofold.engine.run import RunFolder, require_done
from twofold.engine.terminal import counting, noting, present, render
from twofold.engine.track import Track
from twofold.engine.work import HERE, Work, Workers
from twofold.page import numbers
from twofold.trend.config import ScoreConfig, StudyConfig, TrendConfig, TrendTuneConfig
from twofold.trend.recipes import RECIPES, WALKS, departures, recipe, walk_recipe
from twofold.trend.report import wording
from twofold.trend.walk.config import BacktestConfig
from twofold.tune.config import TuneConfig, Tuning

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    from twofold.counts.panel import Panel
    from twofold.trend.forecast import Forecaster


@dataclass(frozen=True)
class LookFlags:
    """Shows how a table of counts is read, without training: layout, columns, dates, regions, notes and suspicions.

    Ends with the commands to run next, whose options answer what was found. A table that a run would refuse is refused
    here with the same message, below its columns.
    """

    data: tyro.conf.Positional[Path]
    """Table of counts (CSV, also gzipped or zipped, Excel workbook, or Parquet)."""
    source: SourceConfig = field(default_factory=SourceConfig)
    json: AsJson = False
    out: Path | None = None
    """File to write instead of printing."""


def look(argv: list[str]) -> int:
    """`twofold trend look`."""
    flags = parse(LookFlags, argv, "trend look")

    from twofold.counts.load import load_panel, read_table
    from twofold.counts.look import about, columns_of, described, picture
    from twofold.counts.look import look as look_at

    try:
        found = look_at(flags.data, flags.source)
    except DataError:
        with contextlib.suppress(DataError):
            columns = columns_of(read_table(flags.data, flags.source))
            sys.stderr.write("".join(f"{name!r:<28} {examples}\n" for name, examples in columns[:40]))
        raise
    panel = found.panel if found.proposed == flags.source else load_panel(flags.data, found.proposed)
    commands, problems = _next_commands(flags.data, found.proposed, panel)

    def told() -> str:
        unicode = flags.out is not None or (sys.stdout.encoding or "").lower().startswith("utf")
        lines = [f"{label:<10} {text}" for label, text in described(found)]
        lines += [f"{'total':<10} {picture(found.panel, unicode)}"]
        lines += [f"note: {text}" for text in found.panel.notes]
        lines += [f"SUSPICION: {suspicion.text}" for suspicion in found.panel.suspicions]
        lines += [f"`twofold trend {name}` would refuse it, {problem}" for name, problem in problems.items()]
        lines += ["", "Next:", *(f"  {shlex.join(words)}" for words in commands.values())] if commands else []
        return "\n".join(lines) + "\n"

    present(about(found, commands, problems), told, flags.json, flags.out)
    return 0


_SHORTER = ({}, {"window.length": 7}, {"window.length": 4}, {"window.length": 4, "split.validation_fraction": 0.0})
"""Settings of a run that data of few dates may need, the mildest first."""
_FEWER = ({}, {"walk.last": 8}, {"walk.last": 4}, {"walk.last": 4, "window.length": 4})
"""The same of a backtest."""


def _next_commands(data: Path, source: SourceConfig, panel: "Panel") -> tuple[dict[str, list[str]], dict[str, str]]:
    """The command lines that suit a panel, by command, and why one would refuse it whatever is tried."""
    from twofold.trend.walk.schedule import make_schedule
    from twofold.trend.windows import prepare

    commands: dict[str, list[str]] = {}
    problems: dict[str, str] = {}

    weeks = panel.step_days == 7
    run, walk = recipe("weekly" if weeks else "default"), walk_recipe("walk-next-week" if weeks else "walk-next-day")

    def suit(name: str, tries: Iterable[dict[str, Any]], check: Callable[[dict[str, Any]], object]) -> None:
        chosen = ["--recipe", (run if name == "run" else walk).recipe] if weeks else []
        # Without the screen only where no region passes it.
        for settings in (each | screen for screen in ({}, {"screen.threshold": None}) for each in tries):
            options = [word for key, value in settings.items() for word in (_option(key), str(value))]
            try:
                check(settings)
            except InputError as error:
                problems[name] = f"even with {' '.join(options)}: {error}"  # that of the last try stays
                continue
            problems.pop(name, None)
            commands[name] = ["twofold", "trend", name, "--data", str(data), *source.flags(), *chosen, *options]
            return

    suit("run", _SHORTER, lambda settings: prepare(panel, _with(run, source, settings)))
    suit("backtest", _FEWER, lambda settings: make_schedule(panel, _with(walk, source, settings)))
    return commands, problems


_Recipe = TypeVar("_Recipe", TrendConfig, BacktestConfig)


def _with(config: _Recipe, source: SourceConfig, settings: dict[str, Any]) -> _Recipe:
    """A recipe with other settings, given by their dotted names."""
    groups: dict[str, Any] = {"source": source}
    for key, value in settings.items():
        group, _, name = key.partition(".")
        groups[group] = groups.get(group, getattr(config, group)).model_copy(update={name: value})
    return config.model_copy(update=groups)


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


@dataclass(frozen=True)
class RunFlags:
    """Trains on a table of counts by region and date, and writes scores, predictions, a model and a report.

    The same command resumes an interrupted run, and ends with the same figures.
    """

    config: Annotated[TrendConfig, tyro.conf.arg(name="")]
    file: ConfigFile = None
    """Settings that the others are given to, instead of a recipe: best.json of `trend tune`, a run's config.json."""
    data: Path | None = None
    """Table of counts (CSV, CSV.gz or Parquet); without it the embedded simulated epidemic is used."""
    out: Path | None = None
    """Run folder; by default runs/trend/RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""
    track: Track = None
    json: AsJson = False


def run(argv: list[str]) -> int:
    """`twofold trend run`."""
    default = RunFlags(starting_config(argv, recipe, "trend run"))
    flags = parse(RunFlags, argv, "trend run", default=default, hint=f"Recipes: {', '.join(RECIPES)}.")
    return run_with(flags, ["twofold", "trend", "run", *argv])


def run_with(flags: RunFlags, command: list[str]) -> int:
    """One run, from counts to a report."""
    from twofold.counts.load import load_panel
    from twofold.trend.windows import prepare

    panel = load_panel(flags.data, flags.config.source)
    prepare(panel, flags.config)  # rejects data that does not suit the config before a folder is made

    def compute(folder: RunFolder, console: "Console") -> None:
        from twofold.trend.run import execute

        with progress(console, flags.config.train.epochs) as advance:
            execute(panel, _source(flags.data), flags.config, folder, advance)

    def report(folder: Path) -> None:
        from twofold.trend.report import run

        run.write(folder)

    departed = departures(flags.config)
    weekly = _weekly_note(panel, command, "weekly")
    notes = *panel.remarks, *([wording.departures(departed)] if departed else []), weekly
    out = fill(replace(_job(flags, "run", command, panel, notes), track=flags.track), compute, report)
    found = outcome(out)
    present(found, lambda: _told(found, flags.config, panel.step_days), flags.json)
    return 0


def _told(found: dict[str, Any], run: TrendConfig, step_days: int) -> str:
    """A run's scores, what they amount to, and what became of the networks."""
    from twofold.trend.diagnosis import states

    folder, config = Path(found["folder"]), run.score
    metrics = [json.loads(line) for line in text(folder, "metrics.jsonl").splitlines()]
    ended = states(metrics, table(folder, "predictions.parquet"), run.model.class_weight)
    notes = "".join(f"Note: {line}\n" for line in wording.states(ended))
    scores = found["scores"]
    split, windows = scores["split"], scores["windows"]
    title = (
        f"{split['kind']} split: {windows['test']} test windows, origins {split['test_first']} to {split['test_last']}"
    )
    blocks = {"ensemble": scores, "network": scores["models"]["network"], **scores["baselines"]}
    few = _too_few(scores["verdict"]["dates"], config, step_days)
    verdict = wording.verdict(scores["verdict"], config.level)
    return f"{render(score_table(title, blocks))}{few}{verdict}\n{notes}Report: {found['report']}\n"


@dataclass(frozen=True)
class TuneFlags:
    """Looks for better settings by trials under a budget of time, chosen on validation windows alone.

    The first trial has the settings given, so the best is never worse by the measured figure: the log score of the
    pooled members on the validation windows, before calibration. The dates of the test are left out. An interrupted
    search goes on where it stopped, and a finished one with a larger --budget. The first lines printed show what
    varies. The folder holds the best config, best.json, to be run by `twofold trend run --config`, all trials
    (tune.json) and a page that shows what mattered.
    """

    config: Annotated[TrendConfig, tyro.conf.arg(name="")]
    data: Path | None = None
    """Table of counts (CSV, CSV.gz or Parquet); without it the embedded simulated epidemic is used."""
    tuning: Annotated[Tuning, tyro.conf.arg(name="")] = Tuning()  # noqa: RUF009  (it is frozen)
    out: Path | None = None
    """Folder; by default runs/trend/tune-RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the folder first."""
    json: AsJson = False


def tune(argv: list[str]) -> int:
    """`twofold trend tune`."""
    default = TuneFlags(recipe(word_after("--recipe", argv) or "default"))
    flags = parse(TuneFlags, argv, "trend tune", default=default, hint=f"Recipes: {', '.join(RECIPES)}.")
    flags.tuning.check()

    from twofold.counts.load import load_panel
    from twofold.trend.tune import material, objective, space
    from twofold.tune.commands import Task, carry_out
    from twofold.tune.space import around

    config, panel = flags.config, load_panel(flags.data, flags.config.source)
    data = material(panel, config)
    limits = TuneConfig(budget_s=flags.tuning.budget, trials=flags.tuning.trials)
    knobs, fixed = around(space(config, data), config)
    digest = panel.digest()
    about = {
        "study": "trend tune",
        "figure": "log_score",
        "data": {"source": _source(flags.data), "digest": digest, "validation_dates": len(data.validation)},
        "fixed": fixed,
    }
    following = ["twofold", "trend", "run", *(["--data", str(flags.data)] if flags.data else [])]
    task = Task(config, limits, knobs, data, objective, about, following)
    command = ["twofold", "trend", "tune", *argv]
    whole, name = TrendTuneConfig(trend=config, tune=limits), f"trend/tune-{config.recipe}"
    job = Job("tune", command, whole, digest, name, flags.out, flags.overwrite, panel.remarks)
    return carry_out(task, job, flags.tuning, alone=False, as_json=flags.json)


@dataclass(frozen=True)
class StudyFlags:
    """Repeats the original study's whole grid and writes a report that compares its results with ours.

    RNN with 1 and 2 layers, LSTM and GRU, three window lengths, two starts, several seeds; one window per country;
    hyperparameter trials; with and without China; a random and a temporal split. The same command resumes an
    interrupted study.
    """

    config: Annotated[StudyConfig, tyro.conf.arg(name="")]
    data: Path | None = None
    """Table of counts; the original's is covid_19.csv. Without it the embedded simulated epidemic is used."""
    workers: Annotated[Workers, tyro.conf.arg(name="")] = HERE
    out: Path | None = None
    """Run folder; by default runs/trend/original-study-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""
    json: AsJson = False


def study(argv: list[str]) -> int:
    """`twofold trend study`."""
    flags = parse(StudyFlags, argv, "trend study", default=StudyFlags(StudyConfig()))
    flags.workers.check()

    from twofold.counts.load import load_panel
    from twofold.trend.original.study import check_study

    panel = load_panel(flags.data, flags.config.source)
    check_study(panel, flags.config)  # rejects data that does not suit the grid before a folder is made

    def compute(folder: RunFolder, console: "Console") -> None:
        from twofold.trend.original.run import execute_study

        with counting(console, "settings", folder.tell) as advance:
            work = Work(flags.workers, noting(console, folder.tell))
            execute_study(panel, _source(flags.data), flags.config, folder, work=work, progress=advance)

    def report(folder: Path) -> None:
        from twofold.trend.report import original

        original.write(folder)

    out = fill(_job(flags, "study", ["twofold", "trend", "study", *argv], panel, panel.remarks), compute, report)
    found = outcome(out, "study.json")
    present(found, lambda: f"Report: {found['report']}\n", flags.json)
    return 0


@dataclass(frozen=True)
class BacktestFlags:
    """Backtests on a table of counts: refits on a schedule, and forecasts from what was known at each origin.

    A forecast's origin is the last date that it may see; its target date lies --window.horizon dates later. So
    `--last 15` on 81 days of new cases (counted from 0) forecasts days 66 to 80, from origins 65 to 79: the forecast
    of day 66 uses days 0 to 65. A window is trained on once its outcome is known.

    Each refit is saved when it is finished; the same command resumes an interrupted backtest, and ends with the same
    figures.
    """

    config: Annotated[BacktestConfig, tyro.conf.arg(name="")]
    data: Path | None = None
    """Table of counts (CSV, CSV.gz or Parquet); without it the embedded simulated epidemic is used."""
    workers: Annotated[Workers, tyro.conf.arg(name="")] = HERE
    out: Path | None = None
    """Run folder; by default runs/trend/RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""
    json: AsJson = False


def backtest(argv: list[str]) -> int:
    """`twofold trend backtest`."""
    start = BacktestFlags(walk_recipe(word_after("--recipe", argv) or "walk-next-day"))
    flags = parse(BacktestFlags, argv, "trend backtest", default=start, hint=f"Recipes: {', '.join(WALKS)}.")
    flags.workers.check()

    from twofold.counts.load import load_panel
    from twofold.trend.walk.schedule import make_schedule

    panel = load_panel(flags.data, flags.config.source)
    plan = make_schedule(panel, flags.config)  # rejects data that does not suit the config before a folder is made

    def compute(folder: RunFolder, console: "Console") -> None:
        from twofold.trend.walk.account import save_scores
        from twofold.trend.walk.models import walk_forward

        with counting(console, "refits", folder.tell) as advance:
            work = Work(flags.workers, noting(console, folder.tell))
            walk_forward(panel, plan, flags.config, folder.path, work=work, advance=advance)
        save_scores(panel, _source(flags.data), plan, flags.config, folder)

    def report(folder: Path) -> None:
        from twofold.trend.report import walk

        walk.write(folder)

    command = ["twofold", "trend", "backtest", *argv]
    notes = *panel.remarks, _weekly_note(panel, command, "walk-next-week")
    out = fill(_job(flags, "walk", command, panel, notes), compute, report)
    found = outcome(out)
    present(found, lambda: _walked(found, flags.config.score, panel.step_days), flags.json)
    return 0


def _walked(found: dict[str, Any], config: ScoreConfig, step_days: int) -> str:
    """A backtest's scores, the best model first."""
    scores = found["scores"]
    walked, windows = scores["walk"], scores["windows"]["active"]
    title = (
        f"{windows['windows']} active windows, target dates {walked['first_target']} to {walked['last_target']} "
        f"({len(scores['skipped'])} origins skipped)"
    )
    shown = "log_score", "brier_skill", "roc_auc"
    from rich.table import Table

    table = Table("model", *(wording.SCORES[score].label for score in shown), title=title)
    for name, model in sorted(scores["models"].items(), key=lambda item: item[1]["active"]["log_score"] or 0.0):
        ends = model["intervals"]["active"]
        cells = (numbers.with_interval(model["active"][score], ends.get(score)) for score in shown)
        table.add_row(wording.model(name), *cells)
    return f"{render(table)}{_too_few(windows['days'], config, step_days)}Report: {found['report']}\n"


def _weekly_note(panel: "Panel", command: list[str], name: str) -> str | None:
    """That a recipe for weekly data exists, where the data is weekly and no recipe was named."""
    if panel.step_days == 1 or word_after("--recipe", command):
        return None
    return (
        f"The data is weekly, and this recipe was chosen on days: --recipe {name} was chosen on weeks; for three years "
        f"or more of a disease with a season there is {name}-seasonal."
    )


def _too_few(dates: int | None, score: ScoreConfig, step_days: int) -> str:
    """A line on too few dates for intervals or claims; empty where there are enough, or an older run counted none."""
    return (
        ""
        if dates is None or dates >= score.claimed_from
        else wording.intervals(dates, score, wording.unit(step_days)) + "\n"
    )


def _job(
    flags: RunFlags | StudyFlags | BacktestFlags,
    what: str,
    command: list[str],
    panel: "Panel",
    notes: tuple[str | None, ...] = (),
) -> Job:
    name, digest = f"trend/{flags.config.recipe}", panel.digest()
    return Job(what, command, flags.config, digest, name, flags.out, flags.overwrite, notes)


def _source(data: Path | None) -> str:
    return data.name if data else "simulated"


@dataclass(frozen=True)
class PredictFlags:
    """Prints each region's probability of rising on the date after the last.

    Newer data is read by the settings of the run, unless options such as --source.kind say otherwise.
    """

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    source: SourceConfig = field(default_factory=SourceConfig)
    data: Path | None = None
    """Newer data of the same kind; without it, the data of the run."""
    format: Literal["table", "csv", "json"] = "table"
    """How to print."""
    json: AsJson = False
    out: Path | None = None
    """File to write instead of printing."""


def predict(argv: list[str]) -> int:
    """`twofold trend predict`."""
    flags, forecaster = _open(PredictFlags, argv, "trend predict")

    from twofold.counts.load import load_panel

    panel = load_panel(flags.data, flags.source) if flags.data else _panel_of(flags.run, forecaster)
    with _naming(flags.data):
        forecast = forecaster.forecast(panel, flags.source.negatives)
    for note in panel.remarks:
        sys.stderr.write(f"note: {note}\n")
    for note in forecast.notes:
        sys.stderr.write(f"warning: {note}\n")
    ranked = forecast.table.sort("probability", descending=True)
    told = ranked.write_csv if flags.format == "csv" else lambda: render(_forecasts(ranked))
    present(ranked.to_dicts(), told, flags.json or flags.format == "json", flags.out)
    return 0


def _forecasts(ranked: "pl.DataFrame") -> "Table":
    from rich.table import Table

    table = Table(*("region", "P(up)", "in C", "last date", "target date", "last count"), title="Probability of rising")
    for row in ranked.iter_rows(named=True):
        cells = row["region"], f"{row['probability']:.3f}", "yes" if row["in_c"] else "no"
        table.add_row(*cells, str(row["origin"]), str(row["target_date"]), str(row["last_value"]))
    return table


@dataclass(frozen=True)
class ScoreFlags:
    """Prints the scores of a finished run, or scores its model on newer data.

    Newer data is read by the settings of the run, unless options such as --source.kind say otherwise.
    """

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    source: SourceConfig = field(default_factory=SourceConfig)
    data: Path | None = None
    """Newer data of the same kind; only windows after the run's last date are scored."""
    format: Literal["table", "json"] = "table"
    """How to print."""
    json: AsJson = False
    out: Path | None = None
    """File to write instead of printing."""


def score(argv: list[str]) -> int:
    """`twofold trend score`."""
    flags, forecaster = _open(ScoreFlags, argv, "trend score")
    if flags.data is None:
        found = json.loads(text(flags.run, "scores.json"))
        title = f"{flags.run}: test origins {found['split']['test_first']} to {found['split']['test_last']}"
        blocks, dates = {"ensemble": found, **found["models"], **found["baselines"]}, found["verdict"].get("dates")
    else:
        from twofold.counts.load import load_panel
        from twofold.trend.judge import rescore

        panel = load_panel(flags.data, flags.source)
        with _naming(flags.data):
            found = rescore(forecaster, _panel_of(flags.run, forecaster), panel, flags.source.negatives)
        for note in panel.remarks:
            sys.stderr.write(f"note: {note}\n")
        for note in forecaster.notes(panel):
            sys.stderr.write(f"warning: {note}\n")
        title = (
            f"{flags.data}: {found['windows']} windows new to the model, origins {found['first']} to {found['last']}; "
            f"{found['seen']} left out, since it was trained on them"
        )
        blocks, dates = found["models"], found["dates"]
    few = _too_few(dates, forecaster.config.score, forecaster.step_days)
    as_json = flags.json or flags.format == "json"
    present(found, lambda: render(score_table(title, blocks)) + few, as_json, flags.out)
    return 0


_Flags = TypeVar("_Flags", PredictFlags, ScoreFlags)


def _open(flags: type[_Flags], argv: list[str], words: str) -> "tuple[_Flags, Forecaster]":
    """The options, those of the reader by default the run's, and the forecaster of the run that they name.

    Unreadable files are reported before the model's libraries are loaded.
    """
    plain = parse(flags, argv, words)
    require_done(plain.run, "twofold trend run")
    if plain.data:
        from twofold.counts.files import read_bytes

        read_bytes(plain.data)
    elif given := plain.source.flags():
        raise InputError(f"{given[0]}: says how newer data is read; give it with --data FILE")

    from twofold.trend.forecast import Forecaster

    forecaster = Forecaster.open(plain.run)
    given = {name: () for name in REPEATED if getattr(plain.source, name)}  # replaces the run's, as any option does
    default = flags(plain.run, forecaster.source.model_copy(update=given))
    return parse(flags, argv, words, default=default), forecaster


def _panel_of(run: Path, forecaster: "Forecaster") -> "Panel":
    from twofold.counts.panel import panel_of_frame

    return panel_of_frame(table(run, "panel.parquet"), forecaster.kind)


@contextlib.contextmanager
def _naming(data: Path | None) -> Iterator[None]:
    """Puts the data file's name before an error in its content."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{data}: {error}" if data else str(error)) from error


def score_table(title: str, blocks: dict[str, Any]) -> "Table":
    """The main scores of several models, the log score with its interval, from blocks like those of `scores.json`."""
    from rich.table import Table

    table = Table("model", "windows", "accuracy", "ROC AUC", "Brier skill", "log score", "interval", "ECE", title=title)
    same = all(block["test"] == block["test_active"] for block in blocks.values())  # there is a case in every window
    for part in ("test_active",) if same else ("test", "test_active"):
        for name, block in blocks.items():
            keys = "accuracy", "roc_auc", "brier_skill", "log_score", "ece"
            cells = ["-" if block[part][key] is None else f"{block[part][key]:.3f}" for key in keys]
            interval = (block["intervals"][part] or {}).get("log_score")
            cells.insert(4, f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-")
            table.add_row(name, "all" if part == "test" else "active", *cells)
        table.add_section()
    return table


@contextlib.contextmanager
def progress(console: "Console", epochs: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A progress bar for each network, in epochs; none where the output is not a terminal.

    Yields:
        A function of an epoch's record.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    shown = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    columns = *shown, TextColumn("{task.fields[loss]}")
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(record: dict[str, Any]) -> None:
            name = f"{record['stage']} {record['member']}"
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=epochs, loss="")
            loss = f"loss {record.get('validation_loss', record['train_loss']):.4f}"
            bars.update(tasks[name], completed=record["epoch"], loss=loss)

        yield advance
