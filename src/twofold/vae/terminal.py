"""What a person sees in the terminal: bars while it works, tables when it is done."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from twofold.engine.loop import Record
from twofold.engine.terminal import render
from twofold.vae.config import VaeConfig
from twofold.vae.train import Journal

Advance = Callable[[int, int], None]

_ROWS = (
    ("rate_nats", "rate (KL), nats an image", 2),
    ("distortion_nats", "distortion, nats an image", 1),
    ("negative_elbo_nats", "negative ELBO, nats an image", 1),
    ("bits_per_dim", "bits per dim", 4),
    ("iw_bound_nats", "importance-weighted bound, nats", 1),
    ("mutual_information_nats", "I(x;z), nats", 2),
    ("mse", "mean squared error", 5),
)


@contextlib.contextmanager
def counting(console: Console, what: str) -> Iterator[Advance]:
    """A bar of things done out of all; nothing where nobody watches."""
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


@contextlib.contextmanager
def training(console: Console) -> Iterator[Callable[[VaeConfig], tuple[Journal, Advance]]]:
    """A bar for each training, filled step by step, with the validation's loss after each epoch."""
    shown = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*shown, TextColumn("{task.fields[loss]}"), console=console, disable=not console.is_terminal) as bars:

        def watch(config: VaeConfig) -> tuple[Journal, Advance]:
            name = f"beta {config.objective.beta:g}, seed {config.seed}: steps"
            task = bars.add_task(name, total=None, loss="")

            def journal(record: Record) -> None:
                bars.update(
                    task, loss=f"epoch {record['epoch']}, validation loss {record['validation_loss']:,.1f} nats"
                )

            return journal, lambda done, whole: bars.update(task, completed=done, total=whole)

        yield watch


def score_table(title: str, blocks: dict[str, dict[str, Any]]) -> Table:
    """The scores of one or several models, each with its standard error.

    Args:
        title: of the table.
        blocks: name -> a block of `scores.json` such as its `test`.
    """
    table = Table("score", *blocks, title=title)
    for key, label, digits in _ROWS:
        table.add_row(label, *(_with_error(block, key, digits) for block in blocks.values()))
    table.add_row("active units", *(str(block.get("active_units", "-")) for block in blocks.values()))
    table.add_row("sigma", *(_figure(block.get("sigma"), 4) for block in blocks.values()))
    return table


def sweep_table(runs: list[dict[str, Any]]) -> Table:
    """A row a run of a sweep; the negative ELBO is that of beta = 1 in each.

    Args:
        runs: the `runs` of `sweep.json`.
    """
    heads = "rate", "distortion", "negative ELBO", "bits per dim", "I(x;z)", "active units", "sigma"
    table = Table("beta", "seed", *heads, title="test images, nats; every run on the same ELBO (beta = 1)")
    shown = ("rate_nats", 2), ("distortion_nats", 1), ("negative_elbo_nats", 1), ("bits_per_dim", 4)
    for run in runs:
        test = run["scores"]["test"]
        cells = [_figure(test[key], digits) for key, digits in (*shown, ("mutual_information_nats", 2))]
        table.add_row(
            f"{run['beta']:g}", str(run["seed"]), *cells, str(test["active_units"]), _figure(test["sigma"], 4)
        )
    return table


def _with_error(block: dict[str, Any], key: str, digits: int) -> str:
    error = block["standard_errors"].get(key)
    return _figure(block.get(key), digits) + ("" if error is None else f" ± {_figure(error, digits)}")


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def show_scores(scores: dict[str, Any], out: Path) -> None:
    """Prints the scores of the test, and where the report lies."""
    test, data, objective = scores["test"], scores["data"], scores["objective"]
    title = f"{test['images']:,} test images of {data['images']:,} ({data['source']}), beta {objective['beta']:g}"
    sys.stdout.write(render(score_table(title, {"test": test, "linear model (PCA)": scores["linear"]})))
    sys.stdout.write(f"Report: {out / 'report.html'}\n")
