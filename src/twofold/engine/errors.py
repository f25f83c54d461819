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


class DivergedError(InputError):
    """A training whose loss or weights are no longer finite, or whose loss ran away; see `engine.diagnosis`.

    Attributes:
        how: what became of it, and when.
        who: which of a command's trainings it is, where there are several.
        advice: which option to change, and to what.
    """

    def __init__(self, how: str, who: str = "", advice: str = "lower the learning rate") -> None:
        super().__init__(how, who, advice)  # all of them, since a worker's error is pickled
        self.how, self.who, self.advice = how, who, advice

    @property
    def what(self) -> str:
        """Which training and what became of it, without what to do."""
        return f"the training{f' ({self.who})' if self.who else ''} diverged: {self.how}"

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}"


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names a file in an error of the system that names none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise
