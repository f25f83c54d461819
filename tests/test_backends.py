"""Every command that makes many fits writes the same files whoever makes them, also when a worker dies."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from engine.cluster import Cluster, cluster
from engine.contents import content, differing
from many_fits import words_of, write_inputs
from twofold.cli import main
from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.engine.work import ALONE, Work, Workers
from twofold.trend.config import StudyConfig
from twofold.trend.original import run as study
from twofold.trend.original.study import all_settings

JOBS = "walk", "season", "fit", "sweep"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "inputs"
    write_inputs(folder)
    return folder


@pytest.fixture(autouse=True)
def _no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command draws its page itself, whoever makes the fits; that takes most of the time of small ones."""
    for room in ("hub.report.view", "trend.report.walk", "vae.report.sweep"):
        monkeypatch.setattr(f"twofold.{room}.write", lambda folder: None)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), "one", "two") as found:
        yield found


@pytest.mark.parametrize("job", JOBS)
def test_one_process_two_and_a_cluster_write_the_same_files(
    job: str, inputs: Path, two: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_CACHE", str(tmp_path / "cache"))
    found = {}
    for name, workers in (("one", ["--jobs", "1"]), ("two", ["--jobs", "2"]), ("cluster", on(two))):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert main([*words_of(job, inputs), *workers]) == 0
        found[name] = content(tmp_path / name / "run")
        for file in ("manifest.json", "config.json"):  # the command differs
            assert (file in found[name]) == (job != "fit")
    for name in ("two", "cluster"):
        assert [file for file in differing(found["one"], found[name]) if not drawn(file)] == [], name
    assert len(found["one"]) > 1


def drawn(file: str) -> bool:
    """Whether it tells the command, or is a page or a figure of a sweep's run: only worker processes draw bitmaps."""
    path = Path(file)
    return path.name in ("manifest.json", "report.html") or "figures" in path.parts


def test_settings_of_a_study_are_the_same_whoever_makes_them(inputs: Path, two: Cluster, tmp_path: Path) -> None:
    """Four of them: all, of which some train for forty epochs, take too long."""
    config = StudyConfig(epochs=1, seeds=1, lengths=(7,), starts=(0,))
    panel = load_panel(inputs / "cases.csv", SourceConfig(kind="cumulative"))
    workers = {"one": ALONE.workers, "two": Workers(jobs=2), "cluster": Workers(backend="dask", cluster=two.address)}
    for name, each in workers.items():
        study.make_settings(panel, all_settings(config)[:4], tmp_path / name, Work(each), lambda *_: None)
    found = {name: content(tmp_path / name) for name in workers}
    assert len(found["one"]) == 4, "no training states are left"
    assert differing(found["one"], found["two"]) == differing(found["one"], found["cluster"]) == []


def on(cluster: Cluster) -> list[str]:
    return ["--backend", "dask", "--cluster", cluster.address]


def test_a_season_goes_on_when_a_worker_of_its_cluster_is_killed(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "cut"
    assert main([*words_of("season", inputs, str(whole)), "--jobs", "1"]) == 0
    capsys.readouterr()
    with cluster(tmp_path / "cluster", "one", "two") as found:
        addresses = {name: about["address"] for name, about in found.seen().items()}

        def strike() -> None:
            while not list(out.glob("parts/*.parquet")):
                time.sleep(0.005)
            found.processes["two"].kill()

        threading.Thread(target=strike).start()
        assert main([*words_of("season", inputs, str(out)), *on(found)]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"note: {addresses['two']} died while it made " in said
    assert f"note: {addresses['two']} died while it made " in (out / "log.txt").read_text()
    assert [file for file in differing(content(whole), content(out)) if not drawn(file)] == []


def test_a_scheduler_that_is_not_there_is_told_before_anything_is_made(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twofold.engine.clusters.CONNECT_S", 0.5)
    words = words_of("walk", inputs, str(tmp_path / "run"))
    assert main([*words, "--backend", "dask", "--cluster", "tcp://127.0.0.1:9"]) == 2
    assert "no Dask scheduler answers there" in capsys.readouterr().err
    assert main([*words, "--cluster", "tcp://127.0.0.1:9"]) == 2
    assert "give --backend dask" in capsys.readouterr().err
    assert main([*words, "--jobs", "1"]) == 0, "the same command goes on without the cluster"
    assert (tmp_path / "run" / "DONE").exists()
