"""The exception tree: what the user can correct exits with 2, everything else with 1."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


class TwofoldError(Exception):
    """Base of every error that twofold raises on purpose."""


class InputError(TwofoldError, ValueError):
    """Something the user gave breaks a rule; the message names what, where, which rule, and what to do (exit 2)."""


class DataError(InputError):
    """A data file that can't be read as what it claims to be; the message names file, row and column."""


class RunFolderError(InputError):
    """A run folder that is locked, unfinished, or made from another config or other data."""


class DamagedError(RunFolderError):
    """A file that is not what was written there, or is missing; see `engine.sound`.

    Attributes:
        what: the file and what is wrong, without what to do.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what}; restore it from a copy, or make it again (a run: its command with --overwrite)"


class NonFiniteLossError(TwofoldError):
    """The training loss became NaN or infinite; the message names epoch and step."""


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names a file in an error of the system that names none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise
