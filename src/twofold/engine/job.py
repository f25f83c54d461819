"""What every command does that fills a run folder: claim it, compute, report, finish."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold import __version__
from twofold.engine import files
from twofold.engine.config import Config, short_digest
from twofold.engine.errors import DivergedError, RunFolderError
from twofold.engine.run import RunFolder, claim
from twofold.engine.terminal import note
from twofold.engine.track import TrackerName, require

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Job:
    """What is to be computed, and the folder for it.

    Attributes:
        what: what the folder holds, for messages: "run", "study".
        command: words of the command line, for the manifest.
        name: start of the default folder's name, `runs/NAME-DIGEST`.
        out: the folder; None: the default one.
        overwrite: empties the folder first.
        notes: printed before anything is computed; empty ones are left out.
        said: notes that were printed before, for the run's log.
        track: the tracker that gets the records of the epochs, too.
        device: for the manifest.
        budget: setting that may be raised on the same folder; see `engine.run.claim`.
    """

    what: str
    command: list[str]
    config: Config
    data_digest: str
    name: str
    out: Path | None = None
    overwrite: bool = False
    notes: Iterable[str | None] = ()
    device: str = "cpu"
    budget: str | None = None
    said: Iterable[str] = ()
    track: TrackerName | None = None


def fill(job: Job, compute: "Callable[[RunFolder, Console], None]", report: Callable[[Path], object]) -> Path:
    """Runs a job unless its folder holds it finished; one that was interrupted, or whose budget is raised, is resumed.

    Args:
        compute: fills the folder; shows its progress on the console.
        report: writes the page of a folder whose computation is complete.

    Returns:
        The run folder.

    Raises:
        RunFolderError: when the folder can't be claimed (see `engine.run.claim`), or can't be written to.
        InputError: when the tracker isn't installed.
        DivergedError: when what was to be trained diverged; the folder stays unfinished.
    """
    require(job.track)
    from rich.console import Console

    out = job.out or Path("runs") / f"{job.name}-{short_digest(job.config, job.data_digest)}"
    console = Console(stderr=True)
    notes = [text for text in job.notes if text]
    for text in notes:
        note(console, text)
    how = {"overwrite": job.overwrite, "device": job.device, "budget": job.budget, "track": job.track}
    with _writing(out), claim(out, job.config, job.data_digest, job.command, **how) as folder:
        if folder.raised:
            note(console, f"{out} goes on: {folder.raised}")
        if folder.done:
            console.print(f"{out} holds this very {job.what}, finished; --overwrite runs it again")
        else:
            with _telling(folder, job, [*job.said, *notes, *([folder.raised] if folder.raised else [])]):
                try:
                    compute(folder, console)
                except DivergedError as error:  # another learning rate is another config, and has another folder
                    if job.out is None:
                        raise
                    advice = f"{error.advice}; --out {out} then takes --overwrite, too"
                    raise DivergedError(error.how, error.who, advice) from error
                report(out)
                folder.finish()
    return out


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Takes an error of a file in the run folder for what it is: a full disk, a folder that was removed."""
    try:
        yield
    except OSError as error:
        if not str(error.filename or "").startswith(str(out)):
            raise
        gone = "" if out.is_dir() else "the folder was removed; "
        raise RunFolderError(
            f"{error.filename}: can't be written ({gone}{error.strerror}); once it can, the same command goes on"
        ) from error


class _Told(logging.Handler):
    """Puts what the package has to say while it works into the run's log, too."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder

    def emit(self, record: logging.LogRecord) -> None:
        """Tells one note."""
        self.folder.tell(f"note: {record.getMessage()}")


@contextlib.contextmanager
def _telling(folder: RunFolder, job: Job, notes: Iterable[str]) -> Iterator[None]:
    """Writes into the run's log how it began and how it ended."""
    folder.tell(f"{job.what} of {job.name}, twofold {__version__}, {job.device}")
    for text in notes:
        folder.tell(f"note: {text}")
    logger, told = logging.getLogger("twofold"), _Told(folder)
    logger.addHandler(told)
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):  # of the same full disk
            folder.tell(f"stopped by {type(error).__name__}{f': {error}' if str(error) else ''}")
        raise
    finally:
        logger.removeHandler(told)
    folder.tell("finished")


def outcome(folder: Path, scores: str = "scores.json") -> dict[str, Any]:
    """What a command that filled a folder prints with --json: the folder, its page, and the file of its scores.

    Raises:
        DamagedError: when these are not what was written.
    """
    found = json.loads(files.text(folder, scores))
    return {"folder": str(folder), "report": str(folder / "report.html"), "scores": found}
