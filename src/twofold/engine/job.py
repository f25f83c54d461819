"""What every command does that fills a run folder: claim it, compute, report, finish."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twofold.engine.config import Config, short_digest
from twofold.engine.run import RunFolder, claim
from twofold.engine.terminal import note

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


def fill(job: Job, compute: "Callable[[RunFolder, Console], None]", report: Callable[[Path], object]) -> Path:
    """Runs a job unless its folder holds it finished; one that was interrupted, or whose budget is raised, is resumed.

    Args:
        compute: fills the folder; shows its progress on the console.
        report: writes the page of a folder whose computation is complete.

    Returns:
        The run folder.

    Raises:
        RunFolderError: when the folder can't be claimed; see `engine.run.claim`.
    """
    from rich.console import Console

    out = job.out or Path("runs") / f"{job.name}-{short_digest(job.config, job.data_digest)}"
    console = Console(stderr=True)
    for text in job.notes:
        if text:
            note(console, text)
    how = {"overwrite": job.overwrite, "device": job.device, "budget": job.budget}
    with claim(out, job.config, job.data_digest, job.command, **how) as folder:
        if folder.raised:
            note(console, f"{out} goes on: {folder.raised}")
        if folder.done:
            console.print(f"{out} holds this very {job.what}, finished; --overwrite runs it again")
        else:
            compute(folder, console)
            report(out)
            folder.finish()
    return out
