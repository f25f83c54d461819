"""Jobs: each step runs once and in order; finished folders are left alone."""

import re
from pathlib import Path

import pytest

from twofold.engine.config import Config
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.job import Job, fill
from twofold.engine.terminal import counting


class Settings(Config):
    seed: int = 0


def job(out: Path | None, **changes) -> Job:
    given = {"what": "trial", "command": ["twofold", "trial"], "config": Settings(), "data_digest": "ab" * 32}
    return Job(**given | {"name": "trial/x", "out": out} | changes)


@pytest.fixture
def steps() -> list[str]:
    return []


def compute_into(steps: list[str]):
    def compute(folder, console) -> None:
        assert not folder.done
        steps.append("compute")

    return compute


def report_into(steps: list[str]):
    def report(path: Path) -> None:
        assert not (path / "DONE").exists()
        steps.append("report")

    return report


def test_a_folder_is_computed_then_reported_then_finished(tmp_path: Path, steps: list[str]) -> None:
    out = fill(job(tmp_path / "run"), compute_into(steps), report_into(steps))
    assert out == tmp_path / "run"
    assert steps == ["compute", "report"]
    assert (out / "DONE").exists()


def test_a_finished_folder_is_left_alone_unless_it_is_overwritten(
    tmp_path: Path, steps: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for overwrite in (False, False, True):
        fill(job(tmp_path / "run", overwrite=overwrite), compute_into(steps), report_into(steps))
    assert steps == ["compute", "report"] * 2
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.count("holds this very trial, finished; --overwrite runs it again") == 1


def test_what_ends_early_is_not_finished_and_goes_on(tmp_path: Path, steps: list[str]) -> None:
    def interrupted(folder, console) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(job(tmp_path / "run"), interrupted, report_into(steps))
    assert not (tmp_path / "run" / "DONE").exists()
    fill(job(tmp_path / "run"), compute_into(steps), report_into(steps))
    assert steps == ["compute", "report"]


def test_the_default_folder_is_named_by_config_and_data(
    tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = {
        fill(job(None, **changes), compute_into(steps), report_into(steps))
        for changes in ({}, {"config": Settings(seed=1)}, {"data_digest": "cd" * 32})
    }
    assert len(found) == 3
    assert all(str(out).startswith("runs/trial/x-") for out in found)


def test_notes_are_printed_before_anything_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(RunFolderError):
        fill(job(tmp_path / "run", notes=["36 dates were mangled", None, ""]), compute_into([]), report_into([]))
    assert capsys.readouterr().err.splitlines() == ["note: 36 dates were mangled"]


def test_the_log_tells_how_a_run_began_and_ended(tmp_path: Path) -> None:
    def interrupted(folder, console) -> None:
        with counting(console, "fits", folder.tell) as advance:
            for done in (0, 1, 1, 2):
                advance(done, 4)
        raise KeyboardInterrupt

    given = job(tmp_path / "run", notes=["36 dates were mangled", None], said=["1 file was skipped"], device="cpu")
    with pytest.raises(KeyboardInterrupt):
        fill(given, interrupted, report_into([]))
    fill(given, compute_into([]), report_into([]))
    log = tmp_path / "run" / "log.txt"
    before = log.read_text()
    begins = ["trial of trial/x, twofold *, cpu", "note: 1 file was skipped", "note: 36 dates were mangled"]
    told = [re.sub(r"twofold [\d.]+", "twofold *", line.partition(" ")[2]) for line in before.splitlines()]
    assert told == [
        *(*begins, "fits: 1 of 4", "fits: 2 of 4", "stopped by KeyboardInterrupt"),
        *(*begins, "finished"),
    ]
    fill(given, compute_into([]), report_into([]))  # finished: nothing to tell
    assert log.read_text() == before
    with pytest.raises(ZeroDivisionError):
        fill(job(tmp_path / "other"), lambda folder, console: 1 // 0, report_into([]))
    assert (
        (tmp_path / "other" / "log.txt")
        .read_text()
        .splitlines()[-1]
        .endswith("stopped by ZeroDivisionError: integer division or modulo by zero")
    )


def test_a_tracker_that_is_not_installed_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twofold.engine.track.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'twofold\[mlflow\]'"):
        fill(job(tmp_path / "run", track="mlflow"), compute_into([]), report_into([]))
    assert not (tmp_path / "run").exists()
