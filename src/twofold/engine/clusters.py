"""Workers of a Dask cluster, for `work.Work`. They need no disk in common with this process."""

import contextlib
import ctypes
import itertools
import logging
import os
import platform
import threading
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from importlib import metadata
from typing import Any

from twofold import __version__
from twofold.engine.errors import InputError
from twofold.engine.work import ONE_THREAD, one_thread

CONNECT_S = 10.0
"""Time for a scheduler to answer."""
PATIENCE_S = 60.0
"""Time for a cluster without a worker to get one."""
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "lightgbm", "polars", "pillow", "matplotlib")
"""Packages whose version may change a result."""
_RESUMES = "the same command goes on with what is finished"


def introduce() -> dict[str, str]:
    """What a worker is: the versions that have to be those of the calling process. It takes one thread from now on."""
    os.environ.update(ONE_THREAD)
    own = {"Python": ".".join(platform.python_version_tuple()[:2]), "twofold": __version__}
    return own | {name: metadata.version(name) for name in PACKAGES}


def objection(about: dict[str, str] | BaseException, threads: int) -> str:
    """Why a worker can't be used; empty where it can."""
    if isinstance(about, BaseException):
        return f"twofold can't be run there ({about})"
    here = introduce()
    others = [f"{name} {version}, here {here[name]}" for name, version in about.items() if version != here[name]]
    if others:
        return f"it has {'; '.join(others)}; install the same versions there"
    if threads > 1:
        return f"it makes {threads} tasks at the same time; start {threads} workers of one thread in its place"
    return ""


class DaskCrew:
    """Workers of a Dask cluster, each asked for by its address, so that a lost one is known with its task."""

    def __init__(self, address: str, jobs: int, shared: object, tell: Callable[[str], None]) -> None:
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it would log is told or raised here
        self.address, self.jobs, self.shared, self.tell = address, jobs, shared, tell
        try:
            with warnings.catch_warnings(action="ignore"):  # versions are compared by `objection`
                # Any: by its type each method may be a coroutine, as those of an asynchronous client are.
                self.client: Any = Client(address, timeout=CONNECT_S, set_as_default=False, name="twofold")
        except (OSError, ValueError) as error:
            raise InputError(
                f"--cluster {address}: no Dask scheduler answers there ({error}); start one with `dask scheduler`, and "
                "give the address that it prints"
            ) from error
        self.data: Any = None
        self.objections: dict[str, str] = {}
        self.present: set[str] = set()
        self.alone_since: float | None = None
        self.numbers = itertools.count()
        self.names: dict[Future[Any], str] = {}

    def idle(self, busy: Collection[str]) -> list[str]:
        """Workers of now without a task, as many as --jobs allows. New ones are looked at; some may be refused.

        Raises:
            InputError: when the scheduler is lost, or there is no worker for a minute.
        """
        threads = self._threads()
        new = [address for address in threads if address not in self.objections]
        if new:
            found = self.client.run(introduce, workers=new, on_error="return")
            for address, about in found.items():
                self.objections[address] = objection(about, threads[address])
                if self.objections[address]:
                    self.tell(f"{address} is not used: {self.objections[address]}")
        self.present = {address for address in threads if not self.objections.get(address, "not asked yet")}
        self._be_patient(threads)
        free = [address for address in threads if address in self.present and address not in busy]
        return free[: max(self.jobs - len(busy), 0)] if self.jobs else free

    def _threads(self) -> dict[str, int]:
        """Threads of each worker, by its address."""
        if self.client.status == "running":
            with contextlib.suppress(OSError):
                return self.client.nthreads()
        raise InputError(f"--cluster {self.address}: the scheduler is lost; start it again, {_RESUMES}")

    def _be_patient(self, threads: Collection[str]) -> None:
        """Waits for a first or a new worker for some time, and says so."""
        if self.present:
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = time.monotonic()
            self.tell(f"the cluster {self.address} has no worker to use; waiting for one")
        elif time.monotonic() - self.alone_since > PATIENCE_S:
            reasons = "; ".join(f"{address}: {self.objections[address]}" for address in threads)
            raise InputError(
                f"--cluster {self.address}: no worker can be used ({reasons or 'there is none'}); start some of one "
                f"thread each by `dask worker {self.address}`; {_RESUMES}"
            )

    def start(self, worker: str, function: Callable[[Any, Any], Any], task: Any) -> Future[Any]:
        """Submits a task to one worker; what is shared is sent to all when the first one is."""
        if self.data is None:
            self.data = self.client.scatter([self.shared], broadcast=True, hash=False)[0]
        name = f"{self.client.id}-{next(self.numbers)}"
        pool = self.client.get_executor(workers=[worker], allow_other_workers=False, pure=False)
        future: Future[Any] = pool.submit(_perform, name, function, self.data, task)
        self.names[future] = name
        return future

    def lost(self, worker: str, future: Future[Any]) -> bool:
        """Whether the worker has left the cluster without the result, or what is shared was lost with another one."""
        from distributed.scheduler import KilledWorker

        if future.done() and not future.cancelled():
            return isinstance(future.exception(), KilledWorker)
        if future.cancelled():
            self._threads()  # raises where the scheduler is what was lost
            self.data = None
            return True
        if worker in self.present:
            return False
        future.cancel()
        return True

    def stop(self, running: Mapping[Future[Any], str]) -> None:
        """Ends tasks where they are, not only those that wait."""
        with contextlib.suppress(OSError, ValueError):  # of a cluster that is lost, or has just lost a worker
            if self.client.status == "running":
                workers = [worker for worker in running.values() if worker in self.present]
                self.client.run(_end, [self.names[future] for future in running], workers=workers, on_error="ignore")
        for future in running:
            future.cancel()

    def close(self) -> None:
        """Leaves the cluster."""
        with contextlib.suppress(OSError):
            self.client.close(timeout=CONNECT_S)


class _EndedError(BaseException):
    """Ends a task whose command was ended."""


_running: dict[str, int] = {}
"""The thread of each task that a worker of a cluster makes."""


def _perform(name: str, function: Callable[[Any, Any], Any], shared: Any, task: Any) -> Any:
    """One task in a thread of a worker."""
    _running[name] = threading.get_ident()
    try:
        with one_thread():
            return function(shared, task)
    finally:
        del _running[name]


def _end(names: Collection[str]) -> None:
    """Raises an exception in the threads of some tasks, as Ctrl-C would in that of a program."""
    for name in names:
        if name in _running:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(_running[name]), ctypes.py_object(_EndedError))
