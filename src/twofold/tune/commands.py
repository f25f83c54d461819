"""What the tune commands of all studies do: claim the folder, make trials, write the page, say what to run."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.engine.config import Config
from twofold.engine.files import text
from twofold.engine.job import Job, fill
from twofold.engine.run import RunFolder, word_without_folders
from twofold.engine.terminal import noting, present
from twofold.engine.work import Work, Workers
from twofold.page.numbers import significant
from twofold.tune.config import TuneConfig, Tuning
from twofold.tune.search import BEST, RESULT, Objective, refuse_foreign_storage, search
from twofold.tune.space import Knob, lines
from twofold.tune.store import Store, without_password

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Task:
    """What is tuned.

    Attributes:
        base: the settings given.
        limits: how long.
        space: what varies; it holds the base's own values.
        data: what `objective` takes, which holds no test data.
        about: what the result tells of study, figure and data.
        following: the words that run a config, but for `--config`.
    """

    base: Config
    limits: TuneConfig
    space: list[Knob]
    data: Any
    objective: Objective
    about: Mapping[str, Any]
    following: list[str]


def carry_out(task: Task, job: Job, tuning: Tuning, *, alone: bool, as_json: bool) -> int:
    """Tunes in the job's folder, unless it holds the result; returns the exit status.

    Args:
        job: whose config holds the limits as `tune`; the command line may hold a password.
        tuning: who makes the trials.
        alone: by default one trial at a time, as where they would share a GPU.

    Raises:
        InputError: see `search`.
    """
    jobs = tuning.jobs or (1 if alone else 0)

    def compute(folder: RunFolder, console: "Console") -> None:
        store = Store(folder.path, tuning.storage)
        refuse_foreign_storage(folder.path, store)
        sys.stderr.write(f"What varies:\n{lines(task.space)}\n")
        about = {**task.about, "next": [word_without_folders(word) for word in task.following]}
        work = Work(Workers(jobs), noting(console, folder.tell))
        search(
            task.data,
            task.objective,
            task.base,
            task.limits,
            task.space,
            folder=folder,
            store=store,
            work=work,
            about=about,
        )

    def report(folder: Path) -> None:
        from twofold.tune.report import page

        page.write(folder)

    Store(Path(), tuning.storage).check()
    out = fill(replace(job, command=without_password(job.command), budget="tune.budget_s"), compute, report)
    found = {
        "folder": str(out),
        "report": str(out / "report.html"),
        "command": [*task.following, "--config", str(out / BEST)],
        "scores": json.loads(text(out, RESULT)),
    }
    present(found, lambda: _told(found), as_json)
    return 0


def _told(found: dict[str, Any]) -> str:
    """The best trial beside the settings given, and what to run."""
    scores = found["scores"]
    best, given, counts = scores["best"], scores["default"], scores["counts"]
    own = significant(given["value"], 5) if given else "none"
    states = ", ".join(f"{number} {state}" for state, number in counts.items())
    return (
        f"{scores['figure']} on validation data: best {significant(best['value'], 5)} (trial {best['number']}), "
        f"settings given {own}; trials: {states}\n"
        f"Run the best, which scores the test data once:\n  {shlex.join(found['command'])}\n"
        f"Report: {found['report']}\n"
    )
