"""A Dask cluster of separate processes on this machine, as a user would start one by hand."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def environment(**more: str) -> dict[str, str]:
    """That of another process which imports what this one can."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | more


class Cluster:
    """A scheduler and its workers; files of theirs go to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        file = folder / "scheduler.json"
        words = "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)
        self.scheduler = self._start(*words)
        self.address = _within(lambda: file.exists() and _json(file)["address"])

    def _start(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        log = (self.folder / "cluster.log").open("ab")
        command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]]
        with log:
            return subprocess.Popen(command, env=environment(**more), stdout=log, stderr=log, cwd=self.folder)

    def worker(self, name: str, *options: str, **more: str) -> subprocess.Popen[bytes]:
        """A worker of one thread, which is not started again when it dies."""
        words = "worker", self.address, "--name", name, "--no-dashboard", "--no-nanny", "--nthreads", "1", *options
        self.processes[name] = self._start(*words, "--local-directory", str(self.folder), **more)
        return self.processes[name]

    def seen(self) -> dict[str, dict[str, Any]]:
        """What the scheduler knows of each worker, by its name."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            workers = client.scheduler_info(n_workers=-1)["workers"]
        return {about["name"]: about | {"address": address} for address, about in workers.items()}

    def ready(self, *names: str) -> None:
        """Waits until these are the workers."""
        _within(lambda: set(self.seen()) == set(names))

    def close(self) -> None:
        """Ends every process."""
        for process in (*self.processes.values(), self.scheduler):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, *names: str) -> Iterator[Cluster]:
    """A cluster with some workers."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Cluster(folder)
    try:
        for name in names:
            found.worker(name)
        found.ready(*names)
        yield found
    finally:
        found.close()


def _json(file: Path) -> Any:
    import json

    try:
        return json.loads(file.read_text())
    except ValueError:  # half written
        return {"address": None}


def _within(found: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return value
