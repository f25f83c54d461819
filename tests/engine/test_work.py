"""Many fits by many processes: the same bytes whoever makes them, and nothing is lost with a worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import work_tasks
from engine.cluster import environment
from engine.work_tasks import Counted
from twofold.engine import work
from twofold.engine.errors import DataError, InputError
from twofold.engine.work import ALONE, TRIES, Work, Workers, one_thread

TWO = Workers(jobs=2)
SEEDS = {f"seed {seed}": seed for seed in range(5)}


def made(workers: Workers, function: Callable[..., Any], tasks: dict[str, Any], shared: Any) -> dict[str, Any]:
    """The results by name, whatever their order."""
    found: dict[str, Any] = {}
    Work(workers).carry_out(function, tasks, shared, found.__setitem__)
    return found


def test_results_do_not_depend_on_who_makes_them() -> None:
    shared = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
    alone = made(Workers(jobs=1), work_tasks.product, SEEDS, shared)
    assert list(alone) == list(SEEDS)
    assert made(TWO, work_tasks.product, SEEDS, shared) == alone


def test_each_worker_has_one_thread_and_this_process_gets_its_own_back() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert set(work_tasks.threads(None, None)) == {1}
        assert torch.get_num_threads() == 2
        found = made(TWO, work_tasks.threads, {"a": None, "b": None}, None) | made(
            Workers(jobs=1), work_tasks.threads, {"c": None}, None
        )
    finally:
        torch.set_num_threads(before)
    assert {count for counts in found.values() for count in counts} == {1}


def test_a_mapped_array_is_sent_as_its_name_and_a_part_of_one_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.arange(10**6))
    mapped = np.load(tmp_path / "large.npy", mmap_mode="r")
    assert len(work._pickled(mapped)) < 1000
    assert len(work._pickled(mapped[1:])) > 8 * 10**6 - 100
    found = made(TWO, work_tasks.place, {"a": None, "b": None}, mapped)
    assert {file for _, file in found.values()} == {str(tmp_path / "large.npy")}
    assert os.getpid() not in {pid for pid, _ in found.values()}


def test_what_is_shared_is_pickled_once_and_unpickled_once_by_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "pickled", 0)
    found = made(TWO, work_tasks.counted, dict.fromkeys("abcdefgh"), Counted())
    assert Counted.pickled == 1 and {counts[1:] for counts in found.values()} == {(0, 1)}


def test_one_task_or_one_job_needs_no_other_process() -> None:
    for workers, tasks in ((TWO, {"a": None}), (Workers(jobs=1), {"a": None, "b": None})):
        assert {pid for pid, _ in made(workers, work_tasks.place, tasks, np.zeros(1)).values()} == {os.getpid()}
    assert made(TWO, work_tasks.place, {}, None) == {}


def test_a_worker_that_dies_is_named_and_costs_its_task_alone(tmp_path: Path) -> None:
    found, told = {}, []
    tasks = {name: (name, times) for name, times in (("a", 0), ("b", TRIES - 1), ("c", 0), ("d", 1))}
    Work(TWO, told.append).carry_out(work_tasks.fragile, tasks, tmp_path, found.__setitem__)
    assert found == {name: name for name in tasks}
    died = sorted(path.name.split("-") for path in tmp_path.iterdir())
    assert sorted(told) == sorted(
        f"process {pid} died while it made {name}, which is given to another (try {int(time) + 2} of {TRIES})"
        for name, time, pid in died
    )
    assert [name for name, *_ in died] == ["b"] * (TRIES - 1) + ["d"]


def test_a_task_that_kills_its_workers_again_and_again_is_named(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    tasks = {name: (name, times) for name, times in (("good", 0), ("bad", 99), ("later", 0))}
    with pytest.raises(InputError, match=f"bad: {TRIES} workers died of it, the last one was process .*memory"):
        Work(TWO).carry_out(work_tasks.fragile, tasks, tmp_path, found.__setitem__)
    assert len(list(tmp_path.glob("bad-*"))) == TRIES and "good" in found


def test_an_error_of_a_task_is_raised_as_it_is() -> None:
    with pytest.raises(DataError, match=r"^[ab]: row 3 is wrong$"):
        made(TWO, work_tasks.refuse, {"a": "a", "b": "b"}, None)


def test_what_is_being_made_is_interrupted_when_a_result_cannot_be_taken(tmp_path: Path) -> None:
    def full(name: str, result: str) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        Work(TWO).carry_out(work_tasks.slow_or_not, {"slow": "slow", "quick": "quick"}, tmp_path, full)
    assert (tmp_path / "slow-ended-by-KeyboardInterrupt").exists()


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(blow: signal.Signals, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    try:
        command = [sys.executable, work_tasks.__file__, str(tmp_path)]
        parent = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with parent:
        until(lambda: len(list(tmp_path.glob("*-[0-9]*"))) == 2)
        workers = [int(path.name.split("-")[1]) for path in tmp_path.glob("*-[0-9]*")]
        assert all(alive(pid) for pid in workers)
        parent.send_signal(blow)
        until(lambda: not any(alive(pid) for pid in workers), seconds=5)
        said = parent.communicate(timeout=20)[1]
    if blow == signal.SIGINT:
        ended = {path.name for path in tmp_path.glob("*Interrupt")}
        assert ended == {f"{name}-ended-by-KeyboardInterrupt" for name in "ab"}
        assert said.count("Traceback") == 1, "that of the parent, which catches nothing"


@pytest.mark.parametrize(("parent", "ends"), [("os.getppid() + 1", True), ("os.getppid()", False)])
def test_where_the_system_does_not_tell_a_worker_looks_after_its_parent(parent: str, ends: bool) -> None:
    code = f"import os; from twofold.engine.work import _outlived; _outlived({parent})"
    with subprocess.Popen([sys.executable, "-c", code], env=environment()) as process:
        try:
            assert ends == (process.wait(timeout=20 if ends else 2) == 1)
        except subprocess.TimeoutExpired:
            assert not ends
        process.kill()


def until(found: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs: a zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"jobs": -1}, "--jobs: must be 0 .* got -1"),
        ({"cluster": "tcp://x:1"}, "--cluster tcp://x:1: give --backend dask"),
        ({"backend": "dask"}, "--backend dask: give the scheduler's address, too"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Workers(**given).check()


def test_a_backend_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"distributed is not installed; .* `pip install 'twofold\[dask\]'`"):
        Workers(backend="dask", cluster="tcp://x:1").check()


def test_alone_is_this_process() -> None:
    assert ALONE.workers.most == 1 and ALONE.workers.local and Workers().most == (os.cpu_count() or 1)
