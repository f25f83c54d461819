"""Damaged files given to their readers, in processes of their own: what became of each, and which one it died of.

A fault is whatever a command must never make of a file: an exception that is no InputError, a message without the
file's name, words on standard error that nobody chose, more memory or time than allowed, the death of the process.
"""

import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Literal, NamedTuple

from fuzz.seeds import Kind, Seed, damaged, seeds

SECONDS = 10.0
"""Of the processor's time, for one file."""
_HUNG = 6 * SECONDS
"""By the clock, also on a busy machine."""
MEMORY_BYTES = 2**30
"""For one file, beyond what the process holds before."""
LONGEST = 20_000
"""Characters of a message."""
_PREPARED = 300.0  # seconds, to import everything and to make the sound files
_CACHED = 50  # files after which the cache of images is emptied


class Told(NamedTuple):
    """What became of a file: read, refused as it should be, or neither; and the refusal, or what went wrong."""

    kind: Kind
    number: int
    fate: Literal["accepted", "refused", "FAULT"]
    what: str = ""


def tell(seed: Seed, content: bytes, folder: Path, cache: Path, said: Callable[[], str]) -> tuple[str, str]:
    """What becomes of one file; `said` returns what was written to standard error since it was last called."""
    from twofold.engine.errors import InputError

    shutil.rmtree(folder, ignore_errors=True)
    for name, other in seed.beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(other)
    path = folder / seed.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    said()
    began = time.process_time()
    try:
        refusal = seed.read(path, cache)
    except InputError as error:
        refusal = str(error)
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is to be told)
        return "FAULT", f"{type(error).__name__}: {str(error)[:300]} ({_where(error)})"
    seconds, text = time.process_time() - began, said()
    faults = {
        f"took {seconds:.0f} s": seconds > SECONDS,
        f"on standard error: {text[:300]}": bool(text),
        f"a message without the file: {(refusal or '')[:300]}": bool(refusal)
        and (seed.told or path.name) not in (refusal or ""),
        f"a message of {len(refusal or ''):,} characters": len(refusal or "") > LONGEST,
    }
    if found := [what for what, is_one in faults.items() if is_one]:
        return "FAULT", "; ".join(found)
    return ("accepted", "") if refusal is None else ("refused", refusal)


def _where(error: BaseException) -> str:
    """The last line of the package, and the last of all, that an exception came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = next((each for each in reversed(frames) if "/twofold/" in each.filename), frames[-1])
    last = frames[-1]
    return f"{Path(ours.filename).name}, line {ours.lineno}; {Path(last.filename).name}, {last.name}"


def work(tasks: Connection, folder: str, seed: int) -> None:
    """A process that takes (kind, number) until None, and answers what it begins and what became of it."""
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    warnings.simplefilter("always")
    root, heard = Path(folder), tempfile.TemporaryFile()  # noqa: SIM115  (until the process ends)
    cache = root / "cache"
    os.dup2(heard.fileno(), 2)

    def said() -> str:
        sys.stderr.flush()
        heard.seek(0)
        text = heard.read().decode(errors="replace")
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
        return text

    limited = False
    for done, (kind, number) in enumerate(iter(tasks.recv, None)):
        if done % _CACHED == 0:
            shutil.rmtree(cache, ignore_errors=True)
        if kind not in _WARM:
            try:
                _warm(kind, root / "warm", cache, said)
            except Exception:  # noqa: BLE001  (the other process raises it)
                tasks.send(traceback.format_exc())
                return
        if not limited or done % 20 == 0:
            limit()
            limited = True
        chosen, content = damaged(kind, seed, number)
        tasks.send("begun")
        try:
            fate = tell(chosen, content, root / "case", cache, said)
        except MemoryError:
            fate = "FAULT", "MemoryError"
        tasks.send(fate)


_WARM: set[Kind] = set()


def _warm(kind: Kind, folder: Path, cache: Path, said: Callable[[], str]) -> None:
    """Reads the sound files, which must be accepted, and imports whatever their readers need."""
    limit(0)
    for seed in seeds(kind):
        tell(seed, seed.content, folder, cache, said)  # imports
        fate, what = tell(seed, seed.content, folder, cache, said)
        if fate != "accepted":
            raise AssertionError(f"the sound file {seed.name} is {fate}: {what}")
    _WARM.add(kind)


def limit(more: int = MEMORY_BYTES) -> None:
    """Lets the process have so much more memory for data than it has now; 0: any."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if not more:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        return
    with Path("/proc/self/status").open() as status:
        held = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (held + more, hard))


@dataclass
class _Worker:
    """A process, its folder, and the file that it has."""

    process: SpawnProcess
    pipe: Connection
    folder: str
    task: tuple[Kind, int] | None = None
    since: float = 0.0
    begun: bool = False


def trials(tasks: Iterable[tuple[Kind, int]], seed: int, workers: int = 2) -> Iterator[tuple[Told, Path]]:
    """Gives each file to its reader.

    Yields:
        What became of it, and the folder that it lies in until the next is asked for.
    """
    todo, running = iter(tasks), []
    try:
        running = [_start(seed) for _ in range(workers)]
        for worker in running:
            _next(worker, todo)
        while any(worker.task for worker in running):
            ready = wait([worker.pipe for worker in running if worker.task], timeout=1.0)
            for index, worker in enumerate(running):
                if worker.task is None:
                    continue
                found: tuple[str, str] | None = None
                if worker.pipe in ready:
                    found = _heard(worker)
                elif time.monotonic() - worker.since > (_HUNG if worker.begun else _PREPARED):
                    found = "FAULT", f"hung: no answer after {time.monotonic() - worker.since:.0f} s"
                if found is None:
                    continue
                kind, number = worker.task
                yield Told(kind, number, *found), Path(worker.folder) / "case"  # pyright: ignore
                if not worker.process.is_alive() or found[1].startswith(("hung", "died")):
                    _stop(worker)
                    running[index] = _start(seed)
                _next(running[index], todo)
    finally:
        for worker in running:
            _stop(worker)


def _heard(worker: _Worker) -> tuple[str, str] | None:
    try:
        answer = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(10)
        if not worker.begun:
            raise RuntimeError(f"a process died before it began, exit code {worker.process.exitcode}") from None
        return "FAULT", f"died: exit code {worker.process.exitcode}"
    if answer == "begun":
        worker.begun, worker.since = True, time.monotonic()
        return None
    if isinstance(answer, str):
        raise RuntimeError(f"the sound files can't be read:\n{answer}")
    return answer


def _start(seed: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    folder = tempfile.mkdtemp(prefix="twofold-fuzz-")
    process = context.Process(target=work, args=(theirs, folder, seed), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, folder)


def _next(worker: _Worker, todo: Iterator[tuple[Kind, int]]) -> None:
    worker.task, worker.begun, worker.since = next(todo, None), False, time.monotonic()
    with contextlib.suppress(OSError):
        worker.pipe.send(worker.task)


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.kill()
    worker.process.join()
    shutil.rmtree(worker.folder, ignore_errors=True)
