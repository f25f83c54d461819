"""`twofold runs check`, and what lists and pages make of a run that is not what was written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.folders import Client
from runs.every_kind import Made
from twofold.cli import main
from twofold.engine.sound import JOURNAL

Output = pytest.CaptureFixture[str]


@pytest.fixture
def run(made: dict[str, Made], tmp_path: Path) -> Path:
    """A copy of a trend run that a test may damage."""
    return Path(shutil.copytree(made["trend run"].folder, tmp_path / "runs" / "mine"))


def check(capsys: Output, *folders: Path) -> tuple[int, list[dict[str, Any]]]:
    status = main(["runs", "check", *map(str, folders), "--json"])
    return status, json.loads(capsys.readouterr().out)


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_kind_of_folder_is_found_and_fine(made: dict[str, Made], capsys: Output) -> None:
    root = made["trend run"].folder.parent
    status, found = check(capsys, root, root.parent / "cache")
    assert status == 0
    names = {Path(each["folder"]).relative_to(root.parent).as_posix(): each for each in found}
    assert {f"runs/{kind.replace(' ', '-')}" for kind in made} <= set(names)
    assert {f"runs/vae-sweep/runs/beta-{beta}-seed-0" for beta in (0, 1)} <= set(names)
    assert any(name.startswith("cache/entries/") for name in names)
    assert all(each["fine"] and each["sound"] and not each["unknown"] for each in found)
    assert main(["runs", "check", str(root / "hub-fit")]) == 0
    assert capsys.readouterr().out == f"{root / 'hub-fit'}: 3 files are what was written\n"


def test_what_is_wrong_is_named_by_file(run: Path, capsys: Output) -> None:
    change(run / "scores.json")
    figure = min((run / "figures").glob("*.svg"))
    change(figure)
    (run / "panel.parquet").unlink()
    (run / "notes.txt").write_text("mine")
    status, [found] = check(capsys, run)
    assert status == 2
    assert (found["changed"], found["missing"]) == ([f"figures/{figure.name}", "scores.json"], ["panel.parquet"])
    assert (found["unknown"], found["fine"], found["journal"]) == (["notes.txt"], False, True)
    assert main(["runs", "check", str(run)]) == 2
    told = capsys.readouterr().out
    assert "  changed: scores.json\n" in told
    assert "  missing: panel.parquet\n" in told
    assert "  not in the journal: notes.txt\n" in told


def test_a_note_of_ones_own_does_no_harm(run: Path, capsys: Output) -> None:
    (run / "notes.txt").write_text("mine")
    (run / "log.txt").write_text("appended")
    status, [found] = check(capsys, run)
    assert (status, found["fine"], found["unknown"]) == (0, True, ["notes.txt"])


def test_without_a_journal_nothing_is_said_to_be_fine(run: Path, capsys: Output) -> None:
    (run / JOURNAL).unlink()
    status, [found] = check(capsys, run)
    assert (status, found["fine"], found["journal"]) == (2, False, False)
    assert main(["runs", "check", str(run)]) == 2
    assert "can't be checked, since it has no twofold.sha256" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["{none}"], ["{empty}"]])
def test_what_is_no_run_is_refused(words: list[str], tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "empty").mkdir()
    given = [word.format(none=tmp_path / "none", empty=tmp_path / "empty") for word in words]
    assert main(["runs", "check", *given]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: " in shown.err and "Traceback" not in shown.err


@pytest.mark.parametrize("name", ["scores.json", "config.json", "manifest.json"])
def test_a_damaged_run_is_listed_as_damaged_and_opened_by_nobody(
    name: str, run: Path, made: dict[str, Made], capsys: Output
) -> None:
    shutil.copytree(made["vae run"].folder, run.parent / "other")
    change(run / name)
    assert main(["runs", "list", str(run.parent), "--json"]) == 0
    mine, other = json.loads(capsys.readouterr().out)
    assert mine["headline"] is None
    assert name in mine["damaged"]
    assert other["headline"] and other["damaged"] is None
    assert main(["runs", "list", str(run.parent)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "damaged" in told and f"`twofold runs check {run}` reads all of it" in told
    for words in (["runs", "show", str(run)], ["runs", "compare", str(run), str(run)]):
        assert main(words) == 2
        assert f"{name}: its content is not what was written there" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scores.json", "config.json"])
def test_a_damaged_run_is_told_by_the_app(name: str, run: Path, made: dict[str, Made]) -> None:
    shutil.copytree(made["vae run"].folder, run.parent / "other")
    change(run / name)
    client = Client(run.parent)
    listed = {each["id"]: each for each in client.get("/api/runs").json()}
    assert (listed["mine"]["damaged"], listed["mine"]["headline"]) == (True, None)
    assert (listed["other"]["damaged"], listed["other"]["headline"] is None) == (False, False)
    home = client.get("/")
    assert home.status_code == 200 and "damaged" in home.text
    answer = client.get("/runs/mine")
    assert answer.status_code == 409
    assert f"{name}: its content is not what was written there" in answer.text
    assert str(run.parent) not in answer.text


def test_a_damaged_run_can_be_removed(run: Path, capsys: Output) -> None:
    for name in ("config.json", "manifest.json"):
        change(run / name)
    assert main(["runs", "rm", str(run), "--yes"]) == 0
    assert not run.exists()


def test_a_page_shows_no_report_that_has_changed(run: Path) -> None:
    client = Client(run.parent)
    assert client.get("/runs/mine/report").status_code == 200
    change(run / "report.html")
    answer = client.get("/runs/mine/report")
    assert answer.status_code == 409
    assert "report.html: its content is not what was written there" in answer.text
