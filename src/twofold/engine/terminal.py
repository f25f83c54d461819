"""Output of the commands: notes, progress bars, tables, and text on the terminal or in a file."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from twofold.engine.errors import InputError
from twofold.engine.files import write_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def note(console: "Console", text: str) -> None:
    """Prints a note."""
    console.print(f"note: {text}", style="yellow", markup=False, highlight=False)


@contextlib.contextmanager
def counting(console: "Console", what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; nothing elsewhere.

    Yields:
        A function of (items done, items in all).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def render(table: "Table") -> str:
    """The table as text, as wide as the terminal and at least 100 columns."""
    from rich.console import Console

    console = Console(width=max(100, shutil.get_terminal_size().columns), color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def deliver(text: str, out: Path | None) -> None:
    """Prints a text, or writes it to a file.

    Raises:
        InputError: when the file can't be written.
    """
    if out is None:
        sys.stdout.write(text)
        return
    try:
        write_text(out, text)
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from error
