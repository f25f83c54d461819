"""The skeleton of every command that fills a run folder: claim it, compute, report, finish."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from twofold.engine.config import Config, short_digest
from twofold.engine.run import RunFolder, claim
from twofold.engine.terminal import note


@dataclass(frozen=True)
class Job:
    """What is to be computed, and where to.

    Attributes:
        what: what the folder holds, for messages: "run", "study".
        command: words of the command line, for the manifest.
        config: of the computation.
        data_digest: of the data that it sees.
        name: begins the name of a folder that nobody chose: `runs/NAME-DIGEST`.
        out: the folder that was chosen, if any.
        overwrite: empties the folder first.
        notes: told before anything is computed; empty ones are left out.
        device: where it computes, for the manifest.
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


def fill(job: Job, compute: Callable[[RunFolder, Console], None], report: Callable[[Path], object]) -> Path:
    """Does a job unless its folder holds it finished, and goes on where an interrupted one stopped.

    Args:
        job: what to do.
        compute: fills the folder; shows its progress on the console.
        report: draws the page of a folder whose computation is complete.

    Returns:
        The run folder.

    Raises:
        RunFolderError: when the folder can't be claimed; see `engine.run.claim`.
    """
    out = job.out or Path("runs") / f"{job.name}-{short_digest(job.config, job.data_digest)}"
    console = Console(stderr=True)
    for text in job.notes:
        if text:
            note(console, text)
    claimed = claim(out, job.config, job.data_digest, job.command, overwrite=job.overwrite, device=job.device)
    with claimed as folder:
        if folder.done:
            console.print(f"{out} holds this very {job.what}, finished; --overwrite runs it again")
        else:
            compute(folder, console)
            report(out)
            folder.finish()
    return out
