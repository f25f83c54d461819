"""What a person sees in the terminal: bars while it works, tables when it is done."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from twofold.engine.loop import Record
from twofold.engine.terminal import render
from twofold.trend.config import TrendConfig
from twofold.trend.train import Journal

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
def settings_bar(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar of settings done, for the study."""
    columns = TextColumn("settings"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("settings", total=None)
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
