"""Output of the commands: notes, progress bars, tables, and text on the terminal or in a file."""

import contextlib
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.engine.errors import InputError
from twofold.engine.files import write_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def note(console: "Console", text: str) -> None:
    """Prints a note."""
    console.print(f"note: {text}", style="yellow", markup=False, highlight=False)


def noting(console: "Console", tell: Callable[[str], None]) -> Callable[[str], None]:
    """A function that prints a note and has it in a run's log, which `tell` writes, as well."""

    def both(text: str) -> None:
        note(console, text)
        tell(f"note: {text}")

    return both


@contextlib.contextmanager
def counting(
    console: "Console", what: str, tell: Callable[[str], None] | None = None
) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; nothing elsewhere.

    Args:
        what: is counted.
        tell: takes a line whenever the count has changed.

    Yields:
        A function of (items done, items in all).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task, told = bar.add_task(what, total=None), 0

        def advance(done: int, total: int) -> None:
            nonlocal told
            bar.update(task, completed=done, total=total)
            if tell and done != told:
                told = done
                tell(f"{what}: {done:,} of {total:,}")

        yield advance


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


def present(found: Any, told: Callable[[], str], as_json: bool, out: Path | None = None) -> None:
    """Prints a command's result, or writes it to a file: for people, or as one JSON document for programs.

    Args:
        found: the result, of JSON's types; a number that is not finite becomes null, a date or a path its text.
        told: makes the text for people.

    Raises:
        InputError: as `deliver`.
    """
    deliver(json.dumps(_finite(found), indent=2, ensure_ascii=False, default=str) + "\n" if as_json else told(), out)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
