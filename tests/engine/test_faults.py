"""Full disks, folders that go, file systems without locks: a clear word, nothing half, and the same command goes on."""

import errno
import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.faults import Disk, without_locks
from twofold.engine.config import Config
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import text, usable, write_arrays, write_json, write_parquet
from twofold.engine.job import Job, fill
from twofold.engine.run import RunFolder, claim
from twofold.engine.sound import JOURNAL, audit
from twofold.vae.images.cache import entry

NO_LOCKS = errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS


class Settings(Config):
    """A config."""

    seed: int = 0


def compute(folder: RunFolder, _: Any) -> None:
    """Two parts that are made once, and results from them, as every command has."""
    for part in (1, 2):
        if not usable(path := folder.path / "parts" / f"{part}.json"):
            write_json(path, {"part": part, "values": [part] * 50})
        folder.log({"epoch": part, "loss": 1 / part})
    folder.settle_log("epoch")
    values = [json.loads(text(folder.path / "parts", f"{part}.json"))["values"] for part in (1, 2)]
    write_parquet(folder.path / "predictions.parquet", pl.DataFrame({"value": [*values[0], *values[1]]}))
    write_arrays(folder.path / "arrays.npz", values=np.array(values))
    write_json(folder.path / "scores.json", {"score": sum(map(sum, values))})


def job(out: Path) -> Path:
    return fill(Job("run", ["twofold", "x"], Settings(), "d1", "x/y", out), compute, lambda folder: None)


def results(folder: Path) -> dict[str, bytes]:
    names = ("predictions.parquet", "arrays.npz", "scores.json", "metrics.jsonl", "parts/1.json", "parts/2.json")
    return {name: (folder / name).read_bytes() for name in names}


def test_a_disk_that_is_full_at_any_write_is_named_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with Disk(tmp_path, None).used() as disk:
        wanted = results(job(tmp_path / "whole"))
    assert disk.writes > 25
    for n in range(1, disk.writes + 1):
        out = tmp_path / f"full-{n}"
        with Disk(tmp_path, n).used(), pytest.raises(RunFolderError, match="No space left on device") as refused:
            job(out)
        assert str(out) in str(refused.value)
        if (out / "DONE").exists():  # the last write is the log's "finished"
            assert audit(out).fine and n == disk.writes
        elif (out / JOURNAL).exists():
            assert not audit(out).changed
        assert not list(out.rglob(".aside*"))
        assert results(job(out)) == wanted
        assert audit(out).fine


def test_a_folder_that_can_only_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def read_only(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return opened(path, flags, *more, **named)

    (tmp_path / "run").mkdir()
    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(RunFolderError, match=r"run: can't be written as a run folder \(Read-only file system\)"):
        job(tmp_path / "run")


def remove(path: Path) -> None:
    shutil.rmtree(path)


def move(path: Path) -> None:
    path.rename(path.with_name("moved"))


@pytest.mark.parametrize("go", [remove, move])
@pytest.mark.parametrize("when", ["before the log", "before the results"])
def test_a_folder_that_goes_while_it_is_written_is_not_taken_for_whole(
    tmp_path: Path, go: Callable[[Path], None], when: str
) -> None:
    def lose(folder: RunFolder, console: Any) -> None:
        if when == "before the log":
            go(folder.path)
            compute(folder, console)
        else:
            compute(folder, console)
            go(folder.path)
            write_json(folder.path / "scores.json", {})

    with pytest.raises(RunFolderError, match="removed"):
        fill(Job("run", ["twofold"], Settings(), "d1", "x", tmp_path / "run"), lose, lambda folder: None)
    assert not (tmp_path / "run" / "DONE").exists()
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    assert audit(job(tmp_path / "run")).fine


@pytest.mark.parametrize("number", NO_LOCKS)
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(fcntl, "flock", without_locks(number))
    with pytest.raises(RunFolderError, match="its file system has no locks: take a folder on a local disk"):
        job(tmp_path / "run")
    with pytest.raises(InputError, match=r"no locks.*--cache"):
        entry(tmp_path / "cache", "key", lambda aside: None)
    left = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(left)  # no name of a host, as a lock of another kind would hold


def test_a_second_command_on_a_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with claim(tmp_path / "run", Settings(), "d1", ["twofold", "x"]) as folder:
        write_json(folder.path / "parts" / "1.json", {"part": 1, "values": [1] * 50})
        for overwrite in (False, True):
            with (
                pytest.raises(RunFolderError, match="another process writes to this run folder"),
                claim(tmp_path / "run", Settings(), "d1", ["twofold"], overwrite=overwrite),
            ):
                pass
        assert usable(folder.path / "parts" / "1.json")
    assert audit(job(tmp_path / "run")).fine


def test_a_limit_on_the_size_of_files_is_the_users_to_mend(tmp_path: Path) -> None:
    """A real one, of the system, on a real run: its panel has more than 4 kB."""
    from trend.small import epidemic

    epidemic().frame().select("region", "date", "value").write_csv(tmp_path / "cases.csv")
    words = [
        *("trend", "run", "--data", str(tmp_path / "cases.csv"), "--source.kind", "cumulative"),
        *("--window.length", "5", "--model.hidden", "3", "--train.epochs", "1", "--ensemble.seeds", "1"),
        *("--ensemble.partners", "logistic", "--score.bootstrap", "20", "--out", str(tmp_path / "run")),
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "twofold", *words],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
    )
    assert ended.returncode == 2, ended.stderr
    assert "can't be written (File too large); once it can, the same command goes on" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
    assert not audit(tmp_path / "run").changed
