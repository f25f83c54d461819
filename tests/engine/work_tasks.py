"""Tasks for workers in other processes, which import this module by name."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def product(shared: np.ndarray, seed: int) -> bytes:
    """Sums whose last bits depend on their order, and so on the number of threads."""
    drawn = np.random.default_rng(seed).normal(size=shared.shape).astype(np.float32)
    return (drawn @ shared).tobytes()


def threads(shared: object, task: object) -> list[int]:
    """Threads that the numerical libraries would take."""
    import torch
    from threadpoolctl import threadpool_info

    return [torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())]


def place(shared: np.ndarray, task: object) -> tuple[int, str]:
    """The process, and the file that the shared array is mapped from."""
    return os.getpid(), str(getattr(shared, "filename", None))


class Counted:
    """Counts how often it was pickled and unpickled, in each process."""

    pickled = unpickled = 0

    def __reduce__(self) -> tuple[Any, ...]:
        Counted.pickled += 1
        return _unpickle, ()


def _unpickle() -> Counted:
    Counted.unpickled += 1
    return Counted()


def counted(shared: Counted, task: object) -> tuple[int, int, int]:
    """The process, and what has been counted there."""
    return os.getpid(), shared.pickled, shared.unpickled


def fragile(folder: Path, task: tuple[str, int]) -> str:
    """Kills its process the first so many times; a file a time tells that it has done so."""
    name, times = task
    died = len(list(folder.glob(f"{name}-*")))
    if died < times:
        (folder / f"{name}-{died}-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def slow(folder: Path, name: str) -> str:
    """Takes a minute; files tell when it has begun, and when it was interrupted."""
    (folder / f"{name}-{os.getpid()}").touch()
    try:
        for _ in range(6000):
            time.sleep(0.01)
    except BaseException as error:
        (folder / f"{name}-ended-by-{type(error).__name__}").touch()
        raise
    return name


def slow_or_not(folder: Path, name: str) -> str:
    """Takes a minute if it is named slow; others end once that has begun."""
    if name == "slow":
        return slow(folder, name)
    while not list(folder.glob("slow-*")):
        time.sleep(0.01)
    return name


def refuse(shared: object, task: str) -> Any:
    """Raises an error of ours."""
    from twofold.engine.errors import DataError

    raise DataError(f"{task}: row 3 is wrong")


def main(folder: Path) -> None:
    """A command that has slow tasks made by two processes."""
    from twofold.engine.work import Work, Workers

    Work(Workers(jobs=2)).carry_out(slow, {name: name for name in "abc"}, folder, lambda *_: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
