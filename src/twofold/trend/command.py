"""The study's commands: words in, an exit status out. Only here do computing and showing meet."""

import contextlib
import hashlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import tyro
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from twofold.engine.config import Config, canonical
from twofold.engine.errors import InputError
from twofold.engine.loop import Record
from twofold.engine.run import claim, write_text
from twofold.trend import report
from twofold.trend.config import SourceConfig, TrendConfig
from twofold.trend.forecast import Forecaster
from twofold.trend.panel import Panel
from twofold.trend.prepare import prepare
from twofold.trend.recipes import RECIPES, departures, recipe
from twofold.trend.rescore import rescore
from twofold.trend.run import execute
from twofold.trend.sources import load_panel, read_frame
from twofold.trend.study import StudyConfig, execute_study
from twofold.trend.train import Journal


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
    name = _word_after("--recipe", argv) or "default"
    flags = _parse(RunFlags, argv, "trend run", default=RunFlags(recipe(name)), hint=f"Recipes: {', '.join(RECIPES)}.")
    return _run(flags, ["twofold", "trend", "run", *argv])


def demo(argv: list[str]) -> int:
    """`twofold demo`: the default recipe on the embedded epidemic."""
    flags = _parse(DemoFlags, argv, "demo", default=DemoFlags())
    out = flags.out / "trend"
    return _run(RunFlags(recipe("default"), None, out, flags.overwrite), ["twofold", "demo", *argv])


@dataclass(frozen=True)
class DemoFlags:
    """Runs the trend study on an embedded, simulated epidemic: every step and picture, no data needed."""

    out: Path = Path("runs/demo")
    """Folder for the run folders."""
    overwrite: bool = False
    """Empty them first."""


def _run(flags: RunFlags, command: list[str]) -> int:
    panel = load_panel(flags.data, flags.config.source)
    prepare(panel, flags.config)  # a misfit of data and config is told before any folder is made
    source = flags.data.name if flags.data else "simulated"
    out = flags.out or Path("runs/trend") / f"{flags.config.recipe}-{_short_digest(flags.config, panel)}"
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
            report.write(out)
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
    flags = _parse(StudyFlags, argv, "trend study", default=StudyFlags(StudyConfig()))
    panel = load_panel(flags.data, flags.config.source)
    source = flags.data.name if flags.data else "simulated"
    out = flags.out or Path("runs/trend") / f"original-study-{_short_digest(flags.config, panel)}"
    console = Console(stderr=True)
    command = ["twofold", "trend", "study", *argv]
    with claim(out, flags.config, panel.digest(), command, overwrite=flags.overwrite) as folder:
        if folder.done:
            console.print(f"{out} holds this very study, finished; --overwrite runs it again")
        else:
            with _settings_bar(console) as advance:
                execute_study(panel, source, flags.config, folder, advance)
            report.write_study(out)
            folder.finish()
    sys.stdout.write(f"Report: {out / 'report.html'}\n")
    return 0


@contextlib.contextmanager
def _settings_bar(console: Console) -> Iterator[Callable[[int, int], None]]:
    columns = TextColumn("settings"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("settings", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@dataclass(frozen=True)
class PredictFlags:
    """Prints each region's probability of rising on the date after the last."""

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    data: Path | None = None
    """Newer data of the same kind; without it, the data of the run."""
    format: Literal["table", "csv", "json"] = "table"
    """How to print."""
    out: Path | None = None
    """File to write instead of printing."""


def predict(argv: list[str]) -> int:
    """`twofold trend predict`."""
    flags = _parse(PredictFlags, argv, "trend predict")
    forecaster = Forecaster.open(flags.run)
    panel = load_panel(flags.data, forecaster.source) if flags.data else _panel_of(flags.run, forecaster)
    with _naming(flags.data):
        forecast = forecaster.forecast(panel)
    for note in forecast.notes:
        sys.stderr.write(f"warning: {note}\n")
    ranked = forecast.table.sort("probability", descending=True)
    _deliver(_format(ranked, flags.format), flags.out)
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
    flags = _parse(ScoreFlags, argv, "trend score")
    forecaster = Forecaster.open(flags.run)
    if flags.data is None:
        found = json.loads((flags.run / "scores.json").read_text())
        title = f"{flags.run}: test origins {found['split']['test_first']} to {found['split']['test_last']}"
        blocks = {"ensemble": found, **found["models"], **found["baselines"]}
    else:
        panel = load_panel(flags.data, forecaster.source)
        with _naming(flags.data):
            found = rescore(forecaster, _panel_of(flags.run, forecaster), panel)
        title = (
            f"{flags.data}: {found['windows']} windows new to the model, origins {found['first']} to {found['last']}; "
            f"{found['seen']} left out, since it was trained on them"
        )
        blocks = found["models"]
    text = json.dumps(found, indent=2) + "\n" if flags.format == "json" else _render(_score_table(title, blocks))
    _deliver(text, flags.out)
    return 0


def _parse(flags: type[Any], argv: list[str], words: str, *, default: Any = None, hint: str = "") -> Any:
    description = f"{flags.__doc__}\n\n{hint}" if hint else flags.__doc__
    known = {} if default is None else {"default": default}
    cli = partial(tyro.cli, flags, args=argv, prog=f"twofold {words}", description=description, **known)
    unheard = io.StringIO()
    try:
        with contextlib.redirect_stdout(unheard), contextlib.redirect_stderr(unheard):
            return cli()
    except (SystemExit, ValidationError) as ended:
        _refuse_broken_rule(ended, words)
        return cli()  # once more, to be heard: the help, or what is wrong with the words


def _refuse_broken_rule(ended: BaseException, words: str) -> None:
    """Says which flag breaks a rule of the config, where that is what ended the parsing."""
    error: BaseException | None = ended
    while error is not None and not isinstance(error, ValidationError):
        error = error.__context__
    if error is None:
        return
    groups = {type(value).__name__: f"{name}." for name, value in TrendConfig() if isinstance(value, Config)}
    rules = [
        f"--{groups.get(error.title, '')}{'.'.join(map(str, item['loc'])).replace('_', '-') or '*'}: {item['msg']}"
        + (f", got {item['input']!r}" if item["loc"] else "")
        for item in error.errors()
    ]
    raise InputError(f"{'; '.join(rules)}; see `twofold {words} --help`") from ended


def _word_after(flag: str, argv: list[str]) -> str | None:
    """The recipe must be known before the flags that change it are read."""
    for index, word in enumerate(argv):
        if word == flag and index + 1 < len(argv):
            return argv[index + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def _short_digest(config: Config, panel: Panel) -> str:
    return hashlib.sha256(canonical([config.digest(), panel.digest()]).encode()).hexdigest()[:10]


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


def _format(table: pl.DataFrame, form: str) -> str:
    if form == "csv":
        return table.write_csv()
    if form == "json":
        return table.write_json() + "\n"
    rows = Table("region", "P(up)", "in C", "last date", "target date", "last count", title="Probability of rising")
    for row in table.iter_rows(named=True):
        cells = row["region"], f"{row['probability']:.3f}", "yes" if row["in_c"] else "no"
        rows.add_row(*cells, str(row["origin"]), str(row["target_date"]), str(row["last_value"]))
    return _render(rows)


def _score_table(title: str, blocks: dict[str, Any]) -> Table:
    keys = "accuracy", "roc_auc", "brier_skill", "log_score", "ece"
    table = Table("model", "windows", *(key.replace("_", " ") for key in keys), title=title)
    for part in ("test", "test_active"):
        for name, block in blocks.items():
            cells = [_cell(block[part][key], (block["intervals"][part] or {}).get(key)) for key in keys]
            table.add_row(name, "all" if part == "test" else "active", *cells)
        table.add_section()
    return table


def _cell(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _render(table: Table) -> str:
    console = Console(width=max(140, shutil.get_terminal_size().columns), color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _deliver(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        write_text(out, text)
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from error


def show_scores(scores: dict[str, Any], out: Path) -> None:
    """Prints the verdict, the headline beside the baselines, and where the report lies."""
    blocks = {"ensemble": scores, "network": scores["models"]["network"], **scores["baselines"]}
    split, windows = scores["split"], scores["windows"]
    title = (
        f"{split['kind']} split: {windows['test']} test windows, origins {split['test_first']} to {split['test_last']}"
    )
    sys.stdout.write(_render(_score_table(title, blocks)))
    sys.stdout.write(f"{scores['verdict']['sentence']}\nReport: {out / 'report.html'}\n")
