"""The command that walks forward through time: words in, an exit status out."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from twofold.counts.load import load_panel
from twofold.engine.config import short_digest
from twofold.engine.flags import parse, word_after
from twofold.engine.run import claim
from twofold.engine.terminal import render
from twofold.page import numbers
from twofold.trend.recipes import WALKS, walk_recipe
from twofold.trend.report import walk as backtest_report
from twofold.trend.report import wording
from twofold.trend.walk.account import settle
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.schedule import schedule, walk_forward

DEFAULT = "walk-next-day"
SCORES = "log_score", "brier_skill", "roc_auc"


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
    start = walk_recipe(word_after("--recipe", argv) or DEFAULT)
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
            with _bar(console) as advance:
                walk_forward(panel, plan, flags.config, out, advance)
            settle(panel, source, plan, flags.config, folder)
            backtest_report.write(out)
            folder.finish()
    found = json.loads((out / "scores.json").read_text())
    sys.stdout.write(f"{render(_score_table(found))}Report: {out / 'report.html'}\n")
    return 0


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar of refits done; nothing where nobody watches."""
    columns = TextColumn("refits"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("refits", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _score_table(found: dict[str, Any]) -> Table:
    """Every model on active windows, best log score first."""
    walk, windows = found["walk"], found["windows"]["active"]
    title = (
        f"{windows['windows']} active windows, target dates {walk['first_target']} to {walk['last_target']} "
        f"({len(found['skipped'])} origins skipped)"
    )
    table = Table("model", *(wording.SCORES[score].label for score in SCORES), title=title)
    for name, model in sorted(found["models"].items(), key=lambda item: item[1]["active"]["log_score"] or 0.0):
        ends = model["intervals"]["active"]
        table.add_row(
            wording.model(name),
            *(numbers.with_interval(model["active"][score], ends.get(score)) for score in SCORES),
        )
    return table
