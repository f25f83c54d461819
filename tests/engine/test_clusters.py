"""Fits by a real Dask cluster, each part of it a process: the same bytes, and what goes wrong."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("distributed")

from engine import work_tasks
from engine.cluster import Cluster, cluster, environment
from engine.work_tasks import Counted
from twofold.engine import clusters
from twofold.engine.clusters import introduce, objection
from twofold.engine.errors import DataError, InputError
from twofold.engine.work import ALONE, TRIES, Work, Workers

SEEDS = {f"seed {seed}": seed for seed in range(5)}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that no test breaks."""
    with cluster(tmp_path_factory.mktemp("cluster"), "one", "two") as found:
        yield found


def workers(of: Cluster, jobs: int = 0) -> Workers:
    return Workers(jobs=jobs, backend="dask", cluster=of.address)


def made(work: Work, function: Callable[..., Any], tasks: dict[str, Any], shared: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    work.carry_out(function, tasks, shared, found.__setitem__)
    return found


def test_a_cluster_makes_the_same_bytes(two: Cluster, tmp_path: Path) -> None:
    shared = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
    assert made(Work(workers(two)), work_tasks.product, SEEDS, shared) == made(ALONE, work_tasks.product, SEEDS, shared)
    found = made(Work(workers(two)), work_tasks.threads, dict.fromkeys("abcd"), None)
    assert {count for counts in found.values() for count in counts} == {1}


def test_jobs_are_the_workers_that_are_used_and_an_array_of_a_file_is_sent_whole(two: Cluster, tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.arange(1000))
    mapped = np.load(tmp_path / "large.npy", mmap_mode="r")
    for jobs, number in ((0, 2), (1, 1), (5, 2)):
        found = made(Work(workers(two, jobs)), work_tasks.place, dict.fromkeys("abcd"), mapped)
        assert len({pid for pid, _ in found.values()}) == number
        assert os.getpid() not in {pid for pid, _ in found.values()}
        assert {file for _, file in found.values()} == {"None"}, "a worker elsewhere has no such file"


def test_what_is_shared_is_sent_once_to_each_worker(two: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "pickled", 0)
    found = made(Work(workers(two)), work_tasks.counted, dict.fromkeys("abcdefgh"), Counted())
    assert Counted.pickled == 1, "a worker may pass it on to another"
    assert {unpickled for *_, unpickled in found.values()} == {1}
    assert len({pid for pid, *_ in found.values()}) == 2


def test_an_error_of_a_task_is_raised_as_it_is(two: Cluster) -> None:
    with pytest.raises(DataError, match=r"^a: row 3 is wrong$"):
        made(Work(workers(two)), work_tasks.refuse, {"a": "a"}, None)


def test_ctrl_c_ends_what_the_cluster_is_making(two: Cluster, tmp_path: Path) -> None:
    def interrupt() -> None:
        until(lambda: len(list(tmp_path.glob("*-[0-9]*"))) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            made(Work(workers(two)), work_tasks.slow, {name: name for name in "abc"}, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: len(list(tmp_path.glob("*-ended-by-*"))) == 2)
    assert {path.name[0] for path in tmp_path.iterdir()} == {"a", "b"}
    assert made(Work(workers(two)), work_tasks.place, {"a": None}, np.zeros(1)), "the workers are free again"


def test_a_worker_that_dies_is_named_and_costs_its_task_alone(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", "one", "two") as found:
        addresses, told = {about["address"] for about in found.seen().values()}, []
        tasks = {name: (name, int(name == "b")) for name in "abcd"}
        assert made(Work(workers(found), told.append), work_tasks.fragile, tasks, tmp_path) == {n: n for n in "abcd"}
        assert len(told) == 1, told
        address, _, more = told[0].partition(" died while it made ")
        assert address in addresses and more == f"b, which is given to another (try 2 of {TRIES})"
        assert len(found.seen()) == 1


def test_a_task_that_kills_its_workers_again_and_again_is_named(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as found:
        found.worker("again", "--nanny")  # it starts a worker in the place of one that died, without what was shared
        with pytest.raises(InputError, match=f"bad: {TRIES} workers died of it, the last one was tcp://"):
            made(Work(workers(found)), work_tasks.fragile, {"bad": ("bad", 99)}, tmp_path)
        assert len(list(tmp_path.glob("bad-*"))) == TRIES


def test_a_lost_scheduler_is_told_at_once(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", "one") as found:

        def strike() -> None:
            until(lambda: bool(list(tmp_path.glob("a-*"))))
            found.scheduler.kill()

        threading.Thread(target=strike).start()
        begun = time.monotonic()
        with pytest.raises(InputError, match=rf"--cluster {found.address}: the scheduler is lost; .* command goes on"):
            made(Work(workers(found)), work_tasks.slow, {"a": "a"}, tmp_path)
        assert time.monotonic() - begun < 30


OTHER_POLARS = """
from importlib import metadata
version = metadata.version
metadata.version = lambda name: "0.1" if name == "polars" else version(name)
"""


def test_workers_of_other_versions_or_with_threads_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PATIENCE_S", 0.5)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(OTHER_POLARS)
    with cluster(tmp_path / "cluster") as found:
        told: list[str] = []
        with pytest.raises(InputError, match=r"used \(there is none\); start some .* `dask worker tcp"):
            made(Work(workers(found), told.append), work_tasks.place, {"a": None}, np.zeros(1))
        assert told == [f"the cluster {found.address} has no worker to use; waiting for one"]
        found.worker("old", PYTHONPATH=os.pathsep.join([str(tmp_path / "site"), environment()["PYTHONPATH"]]))
        found.worker("many", "--nthreads", "3")
        found.ready("old", "many")
        with pytest.raises(InputError) as refused:
            made(Work(workers(found)), work_tasks.place, {"a": None}, np.zeros(1))
        for reason in ("it has polars 0.1, here", "it makes 3 tasks at the same time; start 3 workers of one thread"):
            assert reason in str(refused.value)
        good = found.worker("good")
        found.ready("old", "many", "good")
        told.clear()
        places = made(Work(workers(found), told.append), work_tasks.place, dict.fromkeys("abc"), np.zeros(1))
        assert {pid for pid, _ in places.values()} == {good.pid}
        assert sorted(sentence.partition(" is not used: it ")[2].split()[0] for sentence in told) == ["has", "makes"]


def test_what_is_no_scheduler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT_S", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(
            InputError, match=f"--cluster {address}: no Dask scheduler answers there .*`dask scheduler`"
        ):
            made(Work(Workers(backend="dask", cluster=address)), work_tasks.place, {"a": None}, np.zeros(1))


def test_a_worker_is_judged_by_its_versions_and_threads() -> None:
    here = introduce()
    assert objection(here, 1) == ""
    assert "Python 3.9, here" in objection(here | {"Python": "3.9"}, 1)
    assert "twofold 9.9.9, here" in objection(here | {"twofold": "9.9.9"}, 1)
    assert "can't be run there (No module named 'twofold')" in objection(ImportError("No module named 'twofold'"), 1)


def until(found: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
