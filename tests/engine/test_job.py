"""Jobs: each step runs once and in order; finished folders are left alone."""

from pathlib import Path

import pytest

from twofold.engine.config import Config
from twofold.engine.errors import RunFolderError
from twofold.engine.job import Job, fill


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
