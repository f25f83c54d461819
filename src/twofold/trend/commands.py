"""The study's commands: words in, an exit status out. Only here do computing and showing meet."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel, read_frame
from twofold.counts.panel import Panel
from twofold.engine.config import short_digest
from twofold.engine.errors import InputError
from twofold.engine.flags import parse, word_after
from twofold.engine.loop import Record
from twofold.engine.run import claim
from twofold.engine.terminal import deliver, render
from twofold.page import numbers
from twofold.trend.config import TrendConfig
from twofold.trend.forecast import Forecaster
from twofold.trend.judge import rescore
from twofold.trend.original.study import StudyConfig, check_study, execute_study
from twofold.trend.recipes import RECIPES, WALKS, departures, recipe, walk_recipe
from twofold.trend.report import original as original_report
from twofold.trend.report import run as run_report
from twofold.trend.report import walk as walk_report
from twofold.trend.report import wording
from twofold.trend.run import execute
from twofold.trend.train import Journal
from twofold.trend.walk.account import settle
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.schedule import schedule, walk_forward
from twofold.trend.windows import prepare


@dataclass(frozen=True)
class RunFlags:
    """Trains on a table of counts by region and date, and writes scores, predictions, a model and a report.

    The same command goes on where an interrupted one stopped, and ends with the same figures.
    """

    config: Annotated[TrendConfig, tyro.conf.arg(name="")]
    data: Path | None = None
    """Table of counts (CSV, CSV.gz or Parquet); without it the embedded simulated epidemic is used."""
    out: Path | None = None
    """Run folder; by default runs/trend/RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""


def run(argv: list[str]) -> int:
    """`twofold trend run`."""
    name = word_after("--recipe", argv) or "default"
    flags = parse(RunFlags, argv, "trend run", default=RunFlags(recipe(name)), hint=f"Recipes: {', '.join(RECIPES)}.")
    return run_study(flags, ["twofold", "trend", "run", *argv])


def run_study(flags: RunFlags, command: list[str]) -> int:
    """One run, from counts to a report."""
    panel = load_panel(flags.data, flags.config.source)
    prepare(panel, flags.config)  # a misfit of data and config is told before any folder is made
    source = flags.data.name if flags.data else "simulated"
    out = flags.out or Path("runs/trend") / f"{flags.config.recipe}-{short_digest(flags.config, panel.digest())}"
    console = Console(stderr=True)
    for note in (*panel.notes, departures(flags.config)):
        if note:
            console.print(f"note: {note}", style="yellow", markup=False, highlight=False)
    with claim(out, flags.config, panel.digest(), command, overwrite=flags.overwrite) as folder:
        if folder.done:
            console.print(f"{out} holds this very run, finished; --overwrite runs it again")
        else:
            with progress(console, flags.config) as journal:
                execute(panel, source, flags.config, folder, journal)
            run_report.write(out)
            folder.finish()
    show_scores(json.loads((out / "scores.json").read_text()), out)
    return 0


@dataclass(frozen=True)
class StudyFlags:
    """Runs the original study's whole grid and writes one report with its table beside ours.

    RNN with 1 and 2 layers, LSTM and GRU, three window lengths, two starts, several seeds; one window a country; the
    hyper-parameter trials; with and without China; a split in time beside the random one. What an interrupted study
    has done is kept.
    """

    config: Annotated[StudyConfig, tyro.conf.arg(name="")]
    data: Path | None = None
    """Table of counts; the original's is covid_19.csv. Without it the embedded simulated epidemic is used."""
    out: Path | None = None
    """Run folder; by default runs/trend/original-study-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""


def study(argv: list[str]) -> int:
    """`twofold trend study`."""
    flags = parse(StudyFlags, argv, "trend study", default=StudyFlags(StudyConfig()))
    panel = load_panel(flags.data, flags.config.source)
    check_study(panel, flags.config)  # a misfit of data and grid is told before any folder is made
    source = flags.data.name if flags.data else "simulated"
    out = flags.out or Path("runs/trend") / f"original-study-{short_digest(flags.config, panel.digest())}"
    console = Console(stderr=True)
    command = ["twofold", "trend", "study", *argv]
    with claim(out, flags.config, panel.digest(), command, overwrite=flags.overwrite) as folder:
        if folder.done:
            console.print(f"{out} holds this very study, finished; --overwrite runs it again")
        else:
            with count_bar(console, "settings") as advance:
                execute_study(panel, source, flags.config, folder, advance)
            original_report.write(out)
            folder.finish()
    sys.stdout.write(f"Report: {out / 'report.html'}\n")
    return 0


@dataclass(frozen=True)
class PredictFlags:
    """Prints each region's probability of rising on the date after the last."""

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    data: Path | None = None
    """Newer data of the same kind; without it, the data of the run."""
    drop_last: int = 0
    """Number of last dates of the newer data to leave out, for days still being reported."""
    format: Literal["table", "csv", "json"] = "table"
    """How to print."""
    out: Path | None = None
    """File to write instead of printing."""


def predict(argv: list[str]) -> int:
    """`twofold trend predict`."""
    flags = parse(PredictFlags, argv, "trend predict")
    forecaster = Forecaster.open(flags.run)
    if flags.data:
        panel = load_panel(flags.data, forecaster.source.model_copy(update={"drop_last": flags.drop_last}))
    else:
        panel = _panel_of(flags.run, forecaster)
    with _naming(flags.data):
        forecast = forecaster.forecast(panel)
    for note in panel.notes:
        sys.stderr.write(f"note: {note}\n")
    for note in forecast.notes:
        sys.stderr.write(f"warning: {note}\n")
    ranked = forecast.table.sort("probability", descending=True)
    deliver(format_forecast(ranked, flags.format), flags.out)
    return 0


@dataclass(frozen=True)
class ScoreFlags:
    """Prints the scores of a finished run, or scores its model on newer data that it has never seen."""

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    data: Path | None = None
    """Newer data of the same kind; only windows after the run's last date are scored."""
    format: Literal["table", "json"] = "table"
    """How to print."""
    out: Path | None = None
    """File to write instead of printing."""


def score(argv: list[str]) -> int:
    """`twofold trend score`."""
    flags = parse(ScoreFlags, argv, "trend score")
    forecaster = Forecaster.open(flags.run)
    if flags.data is None:
        found = json.loads((flags.run / "scores.json").read_text())
        title = f"{flags.run}: test origins {found['split']['test_first']} to {found['split']['test_last']}"
        blocks = {"ensemble": found, **found["models"], **found["baselines"]}
    else:
        panel = load_panel(flags.data, forecaster.source)
        with _naming(flags.data):
            found = rescore(forecaster, _panel_of(flags.run, forecaster), panel)
        for note in forecaster.notes(panel):
            sys.stderr.write(f"warning: {note}\n")
        title = (
            f"{flags.data}: {found['windows']} windows new to the model, origins {found['first']} to {found['last']}; "
            f"{found['seen']} left out, since it was trained on them"
        )
        blocks = found["models"]
    text = json.dumps(found, indent=2) + "\n" if flags.format == "json" else render(score_table(title, blocks))
    deliver(text, flags.out)
    return 0


def _panel_of(run: Path, forecaster: Forecaster) -> Panel:
    frame = pl.read_parquet(run / "panel.parquet").select("region", "date", "value")
    return read_frame(frame, SourceConfig(kind=forecaster.kind))


@contextlib.contextmanager
def _naming(data: Path | None) -> Iterator[None]:
    """Puts the file's name before what is wrong with its content."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{data}: {error}" if data else str(error)) from error


DEFAULT_WALK = "walk-next-day"
WALK_SCORES = "log_score", "brier_skill", "roc_auc"


@dataclass(frozen=True)
class BacktestFlags:
    """Walks forward through a table of counts: refits on a schedule, and forecasts from what was known at each origin.

    A forecast's origin is the last date that it may see; its target date lies --window.horizon dates later. So
    `--last 15` on 81 days of new cases (counted from 0) asks about days 66 to 80, from origins 65 to 79: what is
    asked about day 66 is answered from days 0 to 65. The outcome of a window is learned from once it is known.

    Each refit is saved when it is finished; the same command goes on where an interrupted one stopped, and ends with
    the same figures.
    """

    config: Annotated[BacktestConfig, tyro.conf.arg(name="")]
    data: Path | None = None
    """Table of counts (CSV, CSV.gz or Parquet); without it the embedded simulated epidemic is used."""
    out: Path | None = None
    """Run folder; by default runs/trend/RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""


def backtest(argv: list[str]) -> int:
    """`twofold trend backtest`."""
    start = walk_recipe(word_after("--recipe", argv) or DEFAULT_WALK)
    hint = f"Recipes: {', '.join(WALKS)}."
    flags = parse(BacktestFlags, argv, "trend backtest", default=BacktestFlags(start), hint=hint)
    panel = load_panel(flags.data, flags.config.source)
    plan = schedule(panel, flags.config)  # a misfit of data and config is told before any folder is made
    source = flags.data.name if flags.data else "simulated"
    out = flags.out or Path("runs/trend") / f"{flags.config.recipe}-{short_digest(flags.config, panel.digest())}"
    console = Console(stderr=True)
    for note in panel.notes:
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False)
    command = ["twofold", "trend", "backtest", *argv]
    with claim(out, flags.config, panel.digest(), command, overwrite=flags.overwrite) as folder:
        if folder.done:
            console.print(f"{out} holds this very walk, finished; --overwrite walks it again")
        else:
            with count_bar(console, "refits") as advance:
                walk_forward(panel, plan, flags.config, out, advance)
            settle(panel, source, plan, flags.config, folder)
            walk_report.write(out)
            folder.finish()
    found = json.loads((out / "scores.json").read_text())
    sys.stdout.write(f"{render(_walk_table(found))}Report: {out / 'report.html'}\n")
    return 0


def _walk_table(found: dict[str, Any]) -> Table:
    """Every model on active windows, best log score first."""
    walk, windows = found["walk"], found["windows"]["active"]
    title = (
        f"{windows['windows']} active windows, target dates {walk['first_target']} to {walk['last_target']} "
        f"({len(found['skipped'])} origins skipped)"
    )
    table = Table("model", *(wording.SCORES[score].label for score in WALK_SCORES), title=title)
    for name, model in sorted(found["models"].items(), key=lambda item: item[1]["active"]["log_score"] or 0.0):
        ends = model["intervals"]["active"]
        table.add_row(
            wording.model(name),
            *(numbers.with_interval(model["active"][score], ends.get(score)) for score in WALK_SCORES),
        )
    return table


_KEYS = "accuracy", "roc_auc", "brier_skill", "log_score", "ece"


@contextlib.contextmanager
def progress(console: Console, config: TrendConfig) -> Iterator[Journal]:
    """A bar for each network, filled epoch by epoch; nothing where nobody watches."""
    shown = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    columns = *shown, TextColumn("{task.fields[loss]}")
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def journal(record: Record) -> None:
            name = f"{record['stage']} {record['member']}"
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=config.train.epochs, loss="")
            loss = f"loss {record.get('validation_loss', record['train_loss']):.4f}"
            bars.update(tasks[name], completed=record["epoch"], loss=loss)

        yield journal


@contextlib.contextmanager
def count_bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of settings or refits done; nothing where nobody watches."""
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def format_forecast(table: pl.DataFrame, form: Literal["table", "csv", "json"]) -> str:
    """A forecast's table as text."""
    if form == "csv":
        return table.write_csv()
    if form == "json":
        return table.write_json() + "\n"
    rows = Table("region", "P(up)", "in C", "last date", "target date", "last count", title="Probability of rising")
    for row in table.iter_rows(named=True):
        cells = row["region"], f"{row['probability']:.3f}", "yes" if row["in_c"] else "no"
        rows.add_row(*cells, str(row["origin"]), str(row["target_date"]), str(row["last_value"]))
    return render(rows)


def score_table(title: str, blocks: dict[str, Any]) -> Table:
    """The main scores of several models, the log score with its interval; all others' stand in the report.

    Args:
        title: of the table.
        blocks: by model, blocks of `scores.json`'s form.
    """
    table = Table("model", "windows", "accuracy", "ROC AUC", "Brier skill", "log score", "interval", "ECE", title=title)
    for part in ("test", "test_active"):
        for name, block in blocks.items():
            accuracy, auc, skill, log, ece = (_figure(block[part][key]) for key in _KEYS)
            interval = (block["intervals"][part] or {}).get("log_score")
            between = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"
            table.add_row(name, "all" if part == "test" else "active", accuracy, auc, skill, log, between, ece)
        table.add_section()
    return table


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def show_scores(scores: dict[str, Any], out: Path) -> None:
    """Prints the verdict, the headline beside the baselines, and where the report lies."""
    blocks = {"ensemble": scores, "network": scores["models"]["network"], **scores["baselines"]}
    split, windows = scores["split"], scores["windows"]
    title = (
        f"{split['kind']} split: {windows['test']} test windows, origins {split['test_first']} to {split['test_last']}"
    )
    sys.stdout.write(render(score_table(title, blocks)))
    sys.stdout.write(f"{scores['verdict']['sentence']}\nReport: {out / 'report.html'}\n")
