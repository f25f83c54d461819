"""Commands killed with -9 at random times and started again, until they end: their folders are those of whole runs.

`python bench/kills.py OUT [--kills 1000] [--seed 0] [--only run walk season study sweep cache]` makes each job whole,
twice, and then again and again with kills. Each kill falls at a seeded random time on the command (its workers have to
end with it, within seconds) or on one of its worker processes (the command has to go on). Prints a line per job; fails
when a file differs, a worker lived on, or a command did not end well. What `engine.contents` leaves out doesn't
count: `log.txt`, the lock, seconds, and the journal with their digests.

Every command is a process of its own, forked from one that has only imported the package, since half of the kills would
fall on imports else.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from engine.contents import content, differing
from many_fits import words_of, write_inputs

JOBS = "run", "walk", "season", "study", "sweep", "cache"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["twofold.trend.run", "twofold.hub.run", "twofold.vae.sweep", "twofold.vae.look"])


def line_of(job: str, inputs: Path) -> list[str]:
    """The command line of a job, whose folder is `run` in the current folder."""
    if job == "cache":
        return ["vae", "look", str(inputs / "many"), "--cache", "run", "--image.size", "48", "--out", "look.png"]
    two = {"run": ["--train.jobs", "2"]}.get(job, ["--jobs", "2"])
    return [*words_of(job, inputs), *two, *(["--seeds", "0", "1"] if job == "sweep" else [])]


def command(words: list[str], folder: Path, cache: Path) -> None:
    """The process of a command."""
    os.chdir(folder)
    os.environ["TWOFOLD_CACHE"] = str(cache)
    with Path("said.txt").open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from twofold.cli import main

    sys.exit(main(words))


def start(words: list[str], folder: Path, cache: Path) -> BaseProcess:
    folder.mkdir(parents=True, exist_ok=True)
    process = FORKS.Process(target=command, args=(words, folder, cache))
    process.start()
    return process


def children(pid: int) -> list[int]:
    """Worker processes: those that have taken a group of their own."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid and group == stat.parent.name and state != "Z":
            found.append(int(stat.parent.name))
    return sorted(found)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def whole(words: list[str], folder: Path, cache: Path) -> float:
    """Runs a command to its end; seconds."""
    began = time.perf_counter()
    process = start(words, folder, cache)
    process.join()
    if process.exitcode:
        raise SystemExit(f"{' '.join(words)}: ended with {process.exitcode}: {(folder / 'said.txt').read_text()}")
    return time.perf_counter() - began


def killed(job: str, out: Path, kills: int, draw: random.Random) -> Counter[str]:
    """Kills a job so often, each folder until it is finished; counts of what happened."""
    words, cache, counted = line_of(job, out / "inputs"), out / "cache", Counter[str]()
    lasts = whole(words, out / job / "whole", cache)
    expected = content(out / job / "whole" / "run")
    whole(words, out / job / "again", cache)
    if different := differing(expected, content(out / job / "again" / "run")):
        raise SystemExit(f"{job}: two whole runs differ in {different}")
    for number in range(10**6):
        folder, finished = out / job / str(number), False
        while not finished:
            process = start(words, folder, cache)
            if counted["command"] + counted["worker"] < kills:
                process.join(draw.uniform(0.0, lasts))
                _strike(process, draw, lasts, counted)
            process.join(300)
            finished = process.exitcode == 0
            if process.exitcode not in (0, -signal.SIGKILL):
                raise SystemExit(f"{job}: ended with {process.exitcode}, see {folder / 'said.txt'}")
        counted["folders"] += 1
        if different := differing(expected, content(folder / "run")):
            raise SystemExit(f"{job}: {folder} differs from the whole run in {different}")
        shutil.rmtree(folder)
        print(f"{job}: {counted['command'] + counted['worker']} of {kills} kills", file=sys.stderr, flush=True)
        if counted["command"] + counted["worker"] >= kills:
            return counted
    raise AssertionError


def _strike(process: BaseProcess, draw: random.Random, lasts: float, counted: Counter[str]) -> None:
    """Kills a command, or one of its workers and perhaps, later, the command."""
    assert process.pid
    workers = children(process.pid)
    if workers and draw.random() < 0.3:
        counted["worker"] += _kill(draw.choice(workers))
        process.join(draw.uniform(0.0, lasts))
    if process.exitcode is None:
        workers = children(process.pid)
        counted["command"] += _kill(process.pid)
        deadline = time.monotonic() + 5
        while any(alive(pid) for pid in workers):
            if time.monotonic() > deadline:
                raise SystemExit(f"workers {workers} live on without their command")
            time.sleep(0.01)


def _kill(pid: int) -> int:
    """Whether there still was something to kill."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--kills", type=int, default=1000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=JOBS, default=JOBS)
    given = parser.parse_args()
    out = given.out.resolve()
    write_inputs(out / "inputs")
    total = 0
    for job in given.only:
        began = time.perf_counter()
        counted = killed(job, out, -(-given.kills // len(given.only)), random.Random(f"{given.seed} {job}"))
        total += counted["command"] + counted["worker"]
        print(
            f"{job}: {counted['command']} kills of the command, {counted['worker']} of a worker, "
            f"{counted['folders']} folders, all like the whole run; {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    print(f"{total} kills, no file differs")


if __name__ == "__main__":
    main()
