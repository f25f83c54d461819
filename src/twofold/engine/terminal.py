"""What a command hands to a person: a table as wide as the terminal, or a text on paper."""

import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from twofold.engine.errors import InputError
from twofold.engine.files import write_text


def render(table: Table) -> str:
    """The table as text, as wide as the terminal."""
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
