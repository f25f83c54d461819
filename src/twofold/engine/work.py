"""Many independent fits, made by processes of this machine or by a cluster's; who makes one changes no byte of it.

`Work.carry_out` hands one task at a time to each worker, so that of one that dies it is known which task it had. That
task is given to another. Results are taken in the calling process, which alone writes them.
"""

import contextlib
import ctypes
import io
import mmap
import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar, runtime_checkable

import tyro

from twofold.engine.errors import InputError

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

TRIES = 3
"""Workers that may die on one task."""
TICK_S = 0.2
"""A wait for results; a longer one would not be ended by Ctrl-C, since polars takes the signal, too."""
GRACE_S = 10.0
"""Time that an interrupted task has to save what it has."""
ONE_THREAD: dict[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Variables by which numerical libraries take one thread: with more, sums depend on how many there are."""


@dataclass(frozen=True)
class Workers:
    """Who makes the fits of a command. It changes no result, so it is in no config."""

    jobs: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Fits made at the same time, each by one thread; 0: one for each core, or for each worker of a cluster."""
    backend: Literal["loky", "dask"] = "loky"
    """loky: processes of this machine; dask: workers of the cluster that --cluster names."""
    cluster: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Address of a Dask scheduler, such as tcp://first-machine:8786."""

    @property
    def local(self) -> bool:
        """Whether the workers see the files of this process."""
        return self.backend == "loky"

    @property
    def most(self) -> int:
        """Processes of this machine."""
        return self.jobs or os.cpu_count() or 1

    def check(self) -> None:
        """Refuses options that don't go together, before anything is read or computed.

        Raises:
            InputError: names the options, and what to do.
        """
        if self.jobs < 0:
            raise InputError(f"--jobs: must be 0 (one for each core) or more, got {self.jobs}")
        if self.local and self.cluster:
            raise InputError(f"--cluster {self.cluster}: give --backend dask, too")
        if not self.local and not self.cluster:
            raise InputError("--backend dask: give the scheduler's address, too, with --cluster")
        if not self.local and not find_spec("distributed"):
            raise InputError(
                "--backend dask: distributed is not installed; install it with `pip install 'twofold[dask]'`, here and "
                "where the workers run"
            )


HERE = Workers()
"""A process of this machine for each core: the default."""


@runtime_checkable
class Crew(Protocol):
    """Workers, named as people know them: by process id or address. Each has at most one task."""

    def idle(self, busy: Collection[str]) -> list[str]:
        """Workers that can be given a task; `busy` are those that have one."""
        ...

    def start(self, worker: str, function: Callable[[Any, Any], Any], task: Any) -> Future[Any]:
        """Has a worker call the function with what is shared and a task."""
        ...

    def lost(self, worker: str, future: Future[Any]) -> bool:
        """Whether a worker is gone, and what it had with it."""
        ...

    def stop(self, running: Mapping[Future[Any], str]) -> None:
        """Ends what is running; the values are the workers."""
        ...

    def close(self) -> None:
        """Lets the workers go."""
        ...


def _untold(text: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Work:
    """How a command gets its fits made.

    Attributes:
        workers: who makes them.
        tell: takes a sentence on each worker that died, or that can't be used.
    """

    workers: Workers
    tell: Callable[[str], None] = _untold

    def carry_out(
        self,
        function: Callable[[Shared, Task], Result],
        tasks: Mapping[str, Task],
        shared: Shared,
        take: Callable[[str, Result], None],
    ) -> None:
        """Makes independent tasks, each by one thread of some process; a single one of this machine by this process.

        Args:
            function: of (shared, task); both have to be picklable, the function to be importable where workers run.
            tasks: by name, in the order in which they are begun.
            shared: what all tasks need. It is sent once to each worker, not with each task.
            take: called here with the name and the result of each task, in the order in which they end.

        Raises:
            InputError: when `TRIES` workers died of one task, or the cluster can't be used or is lost.
            KeyboardInterrupt: once what was running has ended.
        """
        if self.workers.local and min(self.workers.most, len(tasks)) <= 1:
            with one_thread():
                for name, task in tasks.items():
                    # As from another process: pickling may change which parts of an object are one and the same.
                    take(name, pickle.loads(pickle.dumps(function(shared, task))))
            return
        waiting, died = deque(tasks), Counter[str]()
        running: dict[Future[Any], tuple[str, str]] = {}
        crew = _crew(self, shared, len(tasks))
        try:
            while waiting or running:
                for worker in crew.idle([worker for worker, _ in running.values()])[: len(waiting)]:
                    name = waiting.popleft()
                    running[crew.start(worker, function, tasks[name])] = worker, name
                wait(running, timeout=TICK_S, return_when=FIRST_COMPLETED)
                for future, (worker, name) in list(running.items()):
                    if crew.lost(worker, future):
                        del running[future]
                        died[name] += 1
                        self.tell(_obituary(worker, name, died[name]))
                        waiting.appendleft(name)
                    elif future.done():
                        del running[future]
                        take(name, future.result())
        finally:
            try:
                if running:
                    crew.stop({future: worker for future, (worker, _) in running.items()})
            finally:
                crew.close()


ALONE = Work(Workers(jobs=1))
"""This process makes every fit itself."""


def _crew(work: Work, shared: object, tasks: int) -> Crew:
    workers = work.workers
    if workers.local:
        return Processes(min(workers.most, tasks), shared)
    from twofold.engine.clusters import DaskCrew

    assert workers.cluster is not None
    return DaskCrew(workers.cluster, workers.jobs, shared, work.tell)


def _obituary(worker: str, name: str, times: int) -> str:
    if times == TRIES:
        raise InputError(
            f"{name}: {TRIES} workers died of it, the last one was {worker}; where they ran out of memory, give fewer "
            "--jobs or more memory. The same command goes on with what is finished"
        )
    return f"{worker} died while it made {name}, which is given to another (try {times + 1} of {TRIES})"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Numerical libraries take one thread inside, as in every worker."""
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    try:
        with threadpool_limits(1):
            if torch:
                torch.set_num_threads(1)
            yield
    finally:
        if torch:
            torch.set_num_threads(threads)


class Processes:
    """Processes of this machine: a pool of one for each, so that one that dies takes no other with it."""

    def __init__(self, number: int, shared: object) -> None:
        self.shared = _pickled(shared)
        self.pools: dict[str, ProcessPoolExecutor] = {}
        for started in [self._start() for _ in range(number)]:  # all before the first is waited for
            self._named(*started)

    def _start(self) -> "tuple[ProcessPoolExecutor, Future[int]]":
        from joblib.externals.loky import ProcessPoolExecutor

        pool = ProcessPoolExecutor(1, initializer=_begin, initargs=(os.getpid(), self.shared), env=ONE_THREAD)
        return pool, pool.submit(os.getpid)

    def _named(self, pool: "ProcessPoolExecutor", pid: "Future[int]") -> None:
        self.pools[f"process {pid.result()}"] = pool

    def idle(self, busy: Collection[str]) -> list[str]:
        """Those without a task."""
        return [name for name in self.pools if name not in busy]

    def start(self, worker: str, function: Callable[[Any, Any], Any], task: Any) -> Future[Any]:
        """Submits a task to the pool of one."""
        return self.pools[worker].submit(_perform, function, task)

    def lost(self, worker: str, future: Future[Any]) -> bool:
        """Whether the process has died; another one takes its place."""
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        if not (future.done() and isinstance(future.exception(), TerminatedWorkerError)):
            return False
        self.pools.pop(worker).shutdown(kill_workers=True)
        self._named(*self._start())
        return True

    def stop(self, running: Mapping[Future[Any], str]) -> None:
        """Interrupts the tasks, which may save what they have."""
        for worker in running.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(worker.split()[1]), signal.SIGINT)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and wait(running, timeout=TICK_S).not_done:
            pass

    def close(self) -> None:
        """Ends the processes."""
        for pool in self.pools.values():
            pool.shutdown(kill_workers=True)


_received: list[Any] = []
"""What a worker process of this machine shares with all: pickled at first, then the object."""


def _begin(parent: int, shared: bytes) -> None:
    """The first that a worker process does."""
    end_with(parent)
    # The terminal's Ctrl-C goes to the group of the process that the user started; it passes the signal on, once.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where psutil is installed, loky ends a worker that has grown by 300 MB, and torch alone does that.
    from joblib.externals.loky import process_executor

    process_executor._USE_PSUTIL = False
    _received[:] = [shared]


def _perform(function: Callable[[Any, Any], Any], task: Any) -> Any:
    """One task in a worker process of this machine."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if isinstance(_received[0], bytes):  # here, where an error is told as the task's own
            _received[0] = pickle.loads(_received[0])
        with one_thread():
            return function(_received[0], task)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_with(parent: int) -> None:
    """Has this process killed when its parent has ended, however that came about."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
    else:
        threading.Thread(target=_outlived, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # before the line above
        os._exit(1)


def _outlived(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


class _Pickler(pickle.Pickler):
    """Pickles an array that is mapped from a file as the file's name: it may be larger than memory."""

    def reducer_override(self, value: Any) -> Any:
        np = sys.modules.get("numpy")
        # The base of a part of such an array is the whole one, and its offset is not the part's.
        if np and type(value) is np.memmap and isinstance(value.base, mmap.mmap) and value.flags.c_contiguous:
            return np.memmap, (str(value.filename), value.dtype, "r", value.offset, value.shape)
        return NotImplemented


def _pickled(value: object) -> bytes:
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()
