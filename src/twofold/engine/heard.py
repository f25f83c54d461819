"""What libraries in other languages print to the process's standard error, behind Python's back."""

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass

_STANDARD_ERROR = threading.Lock()  # of the whole process


@dataclass
class Said:
    """The words, once they have been heard."""

    text: str = ""


@contextlib.contextmanager
def heard(said: Said) -> Iterator[None]:
    """Keeps standard error from the terminal meanwhile, and gives its words to `said`; one thread at a time."""
    with _STANDARD_ERROR, tempfile.TemporaryFile() as kept:
        _flush()
        try:
            terminal = os.dup(2)
        except OSError:  # a process without one
            yield
            return
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            kept.seek(0)
            said.text = kept.read().decode(errors="replace")


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
