"""The study's commands: words in, an exit status out. Only here do computing and showing meet."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import tyro
from rich.console import Console

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel, read_frame
from twofold.counts.panel import Panel
from twofold.engine.config import short_digest
from twofold.engine.errors import InputError
from twofold.engine.flags import parse, word_after
from twofold.engine.run import claim
from twofold.engine.terminal import deliver, render
from twofold.trend.config import TrendConfig
from twofold.trend.forecast import Forecaster
from twofold.trend.original.study import StudyConfig, check_study, execute_study
from twofold.trend.prepare import prepare
from twofold.trend.recipes import RECIPES, departures, recipe
from twofold.trend.report import original as original_report
from twofold.trend.report import run as run_report
from twofold.trend.rescore import rescore
from twofold.trend.run import execute
from twofold.trend.terminal import format_forecast, progress, score_table, settings_bar, show_scores


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
            with settings_bar(console) as advance:
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
