"""What a person sees in the terminal of a hub's commands."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

_SHOWN = 12


@contextlib.contextmanager
def blocks_bar(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar of fits done; nothing where nobody watches."""
    columns = TextColumn("fits"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("fits", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def scores_table(scores: dict[str, Any]) -> Table:
    """Our models, the baseline, the hub's ensemble and the best of the others, by relative RPS.

    Args:
        scores: of `scores.json`.
    """
    models, shared = scores["models"], scores["common"]
    named = {*scores["ours"], scores["baseline"], scores["ensemble"]}
    shown = [name for index, name in enumerate(models) if index < _SHOWN or name in named]
    title = f"{scores['hub']} {scores['season']}: {len(scores['dates'])} reference dates; default {scores['default']}"
    columns = "forecasts", "coverage", "RPS", "RPS, common", "relative RPS", "log score", "ECE"
    table = Table(Column("model", no_wrap=True), *columns, title=title)
    for name in shown:
        row = models[name]
        table.add_row(
            name,
            f"{row['n']:,}",
            f"{row['coverage']:.0%}",
            _figure(row["rps"]),
            _figure(shared.get(name, {}).get("rps")),
            _figure(row["relative_rps"]),
            _figure(row["log_score"]),
            _figure(row["ece"]),
        )
    return table


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
