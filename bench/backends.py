"""A hub's season and a sweep by one process, by two, and by two workers of a Dask cluster: seconds and bytes.

`TWOFOLD_DATA=FOLDER python bench/backends.py [--only season|sweep] [--epochs 40]` replays RSV 2024-25 with the trees of
quantiles, a fit for every second week, and a sweep of four betas on rendered avatars of 32 x 32, so many epochs each.
For each it prints the seconds of the fits (with the start of the workers, without reading), the efficiency of two
(seconds of one by twice those of two), the bytes that are sent once to each worker and, at most, with a task, and a
digest of all files. Two cores that work at the same time are slower than one alone; what two processes that know
nothing of each other reach is printed, too. Then each is made once more while a worker is killed in the middle. Fails
when a digest differs, or an efficiency is below .85 of what two separate processes reach, which means something on a
quiet machine only.
"""

import argparse
import hashlib
import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine.cluster import Cluster, cluster
from engine.contents import content
from hubs import lay_out
from twofold.engine.run import claim
from twofold.engine.work import Work, Workers
from twofold.hub.config import HubConfig, QuantileTreesConfig
from twofold.hub.inputs import LearnFlags, data_of, replay_of, rounds_of, rules_of, versions_of
from twofold.hub.rules import read_rules
from twofold.hub.run import replay_heads
from twofold.hub.season import Replay
from twofold.vae.config import SweepConfig
from twofold.vae.images.avatars import load_avatars
from twofold.vae.recipes import recipe
from twofold.vae.report import run as report
from twofold.vae.sweep import execute_runs

LIMIT = 0.85
Job = Callable[[Path, Work, Callable[[int, int], None]], None]


class Measured(Work):
    """Notes the seconds of the work and the bytes of what it sends."""

    noted: dict[str, Any] = {}  # noqa: RUF012  (of the last one)

    def carry_out(self, function: Any, tasks: Any, shared: Any, take: Any) -> None:
        """As `Work.carry_out`."""
        self.noted["task"] = max(len(pickle.dumps(task)) for task in tasks.values())
        self.noted["shared"] = len(pickle.dumps(shared))
        began = time.perf_counter()
        super().carry_out(function, tasks, shared, take)
        self.noted["seconds"] = time.perf_counter() - began


def season(scratch: Path, _: int) -> Job:
    """The fits of a season of RSV."""
    data = Path(os.environ["TWOFOLD_DATA"])
    hubs = {name: lay_out(data, name, "2024-25", scratch) for name in ("rsv", "flusight", "covid")}
    flags = LearnFlags(hub=str(hubs.pop("rsv")), also=tuple(hubs.values()))
    vintages, locations = data_of(flags)
    known = read_rules(rules_of(flags.hub))
    rules = known.season("2024-25", rounds_of(flags.hub))
    replay: Replay = replay_of(versions_of(vintages, known), locations, flags, rules)
    trees = QuantileTreesConfig(bags=1, iterations=50)
    asked = HubConfig(heads=("quantile_trees",), pooled=("quantile_trees",), refit_weeks=2, quantile_trees=trees)
    config = asked.for_hub(rules)[0]
    return lambda out, work, progress: void(replay_heads(replay, config, out, work, progress))


def void(value: object) -> None:
    """Nothing of a value."""


def sweep(scratch: Path, epochs: int) -> Job:
    """The runs of a sweep, of so many epochs each."""
    base = recipe("plain")
    image = base.image.model_copy(update={"size": (32, 32), "avatars": 400})
    groups = {
        "image": image,
        "train": base.train.model_copy(
            update={"epochs": epochs, "patience": epochs, "device": "cpu", "precision": "fp32"}
        ),
        "score": base.score.model_copy(update={"iw_images": 20, "sample_images": 0}),
    }
    images, _ = load_avatars(image, cache=scratch / "cache", progress=lambda *_: None)
    base = base.model_copy(update=groups | {"image": images.config})
    config = SweepConfig(base=base, betas=(0.5, 1.0, 2.0, 4.0), seeds=(0,))

    def job(out: Path, work: Work, progress: Callable[[int, int], None]) -> None:
        with claim(out, config, images.digest, ["bench"]) as folder:
            execute_runs(images, config, folder, labels=None, report=report.write, work=work, progress=progress)

    return job


JOBS = {"season": season, "sweep": sweep}


def alone(name: str, epochs: int, scratch: Path, begin: Any) -> float:
    """Seconds of a job's fits by one process, which begins when another one is as far."""
    scratch.mkdir()
    job = JOBS[name](scratch, epochs)
    begin.wait()
    job(scratch / "out", Measured(Workers(jobs=1)), lambda *_: None)
    return Measured.noted["seconds"]


def at_once(name: str, epochs: int, scratch: Path) -> float:
    """Mean seconds of two processes that make the same at the same time."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(2) as pool:
        begin = manager.Barrier(2)
        tasks = [(name, epochs, scratch / f"{name}-{number}", begin) for number in (1, 2)]
        both = pool.starmap(alone, tasks, chunksize=1)
    return sum(both) / 2


def digest(folder: Path) -> str:
    """Of all that counts in a folder."""
    return hashlib.sha256(repr(sorted(content(folder).items())).encode()).hexdigest()[:16]


def workers_of(pid: int) -> list[int]:
    """Processes of this machine that make fits: children in a group of their own."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with stat.open() as file:
            parents[int(stat.parent.name)] = [int(word) for word in file.read().rpartition(")")[2].split()[1:3]]
    return [each for each, (parent, group) in parents.items() if parent == pid and group == each]


def measure(name: str, epochs: int, dask: Cluster, scratch: Path) -> list[str]:
    """Prints a job's figures; what is wrong with them."""
    job, noted, wrong = JOBS[name](scratch, epochs), Measured.noted, []
    two = Workers(backend="dask", cluster=dask.address)
    seconds, digests = {}, {}
    for way, workers in (("loky 1", Workers(jobs=1)), ("loky 2", Workers(jobs=2)), ("dask 2", two)):
        out = scratch / f"{name}-{way}".replace(" ", "-")
        job(out, Measured(workers), lambda *_: None)
        seconds[way], digests[way] = noted["seconds"], digest(out)
        print(f"{name}, {way}: {seconds[way]:.1f} s, {digests[way]}", flush=True)
    best = seconds["loky 1"] / at_once(name, epochs, scratch)
    print(f"{name}: efficiency of two separate processes {best:.3f}")
    for way in ("loky 2", "dask 2"):
        gained = seconds["loky 1"] / 2 / seconds[way]
        print(f"{name}, {way}: efficiency {gained:.3f}, {gained / best:.3f} of that", flush=True)
        if gained < LIMIT * best:
            wrong.append(f"{name}, {way}: efficiency {gained:.3f} is below {LIMIT} of {best:.3f}")
    print(f"{name}: {noted['shared']:,} bytes to each worker once, at most {noted['task']:,} with a task", flush=True)
    for way, workers, victim in (
        ("loky 2", Workers(jobs=2), lambda: workers_of(os.getpid())[-1]),
        ("dask 2", two, lambda: dask.processes.popitem()[1].pid),
    ):
        told: list[str] = []
        out, struck = scratch / f"{name}-{way}-killed".replace(" ", "-"), False

        def strike(done: int, total: int) -> None:
            nonlocal struck
            if 0 < done < total and not struck:
                struck = True
                os.kill(victim(), 9)  # noqa: B023  (called in this turn of the loop)

        job(out, Measured(workers, told.append), strike)
        digests[f"{way}, killed"] = digest(out)
        print(
            f"{name}, {way}, a worker killed: {noted['seconds']:.1f} s, {digests[f'{way}, killed']}; {told}", flush=True
        )
        if len(told) != 1 or not struck:
            wrong.append(f"{name}, {way}: a worker was killed, and told was {told}")
    if len(set(digests.values())) > 1:
        wrong.append(f"{name}: digests differ: {digests}")
    return wrong


def main() -> int:
    """Runs all; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=tuple(JOBS))
    parser.add_argument("--epochs", type=int, default=40, help="of each run of the sweep")
    given, wrong = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name in (given.only,) if given.only else JOBS:
            with cluster(scratch / f"cluster-{name}", "one", "two") as dask:
                wrong += measure(name, given.epochs, dask, scratch)
    print("\n".join(wrong) or "the same bytes everywhere")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
