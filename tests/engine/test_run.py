"""The run folder: one writer, one config, one data set, and no files of other programs."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from twofold.engine.config import Config
from twofold.engine.errors import DamagedError, RunFolderError
from twofold.engine.files import write_bytes, write_json, write_text
from twofold.engine.run import RunFolder, claim


class Inner(Config):
    """A group."""

    length: int = 3
    width: int = 4


class Settings(Config):
    """A config."""

    seed: int = 0
    inner: Inner = Inner()


def start(path: Path, config: Config | None = None, digest: str = "d1", overwrite: bool = False, finish: bool = False):
    with claim(path, config or Settings(), digest, ["twofold", "x"], overwrite=overwrite) as folder:
        done = folder.done
        if finish:
            folder.finish()
    return done


def content(path: Path) -> dict[str, bytes]:
    """Every file but the lock."""
    found = (item for item in path.rglob("*") if item.is_file() and item.name != ".lock")
    return {str(item.relative_to(path)): item.read_bytes() for item in found}


def test_a_fresh_folder_is_started(tmp_path: Path) -> None:
    assert not start(tmp_path / "a" / "run")

    files = content(tmp_path / "a" / "run")
    assert set(files) == {"config.json", "manifest.json", "twofold.sha256"}
    assert Settings.from_json(files["config.json"].decode(), "x") == Settings()
    manifest = json.loads(files["manifest.json"])
    assert manifest["data_digest"] == "d1"
    assert manifest["command"] == ["twofold", "x"]
    assert {"device", "python", "platform", "versions"} < set(manifest)


def test_the_same_run_goes_on_and_a_finished_one_stays_as_it_is(tmp_path: Path) -> None:
    start(tmp_path)
    write_text(tmp_path / "checkpoint" / "state", "half")
    assert not start(tmp_path, finish=True)
    before = content(tmp_path)
    assert "checkpoint/state" in before

    assert start(tmp_path)
    assert content(tmp_path) == before


def test_done_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    replace = Path.replace

    def spy(self: Path, target: Path) -> Path:
        written.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    start(tmp_path, finish=True)

    assert written[-1] == "DONE"
    assert written.count("DONE") == 1
    assert json.loads((tmp_path / "manifest.json").read_text())["wall_time_s"] >= 0


@pytest.mark.parametrize("finish", [False, True])
def test_another_config_is_refused_and_its_keys_are_named(tmp_path: Path, finish: bool) -> None:
    start(tmp_path, finish=finish)
    before = content(tmp_path)

    with pytest.raises(RunFolderError) as refused:
        start(tmp_path, Settings(seed=9, inner=Inner(length=7)))
    said = str(refused.value)
    assert "seed 0 -> 9" in said
    assert "inner.length 3 -> 7" in said
    assert "width" not in said
    assert "--overwrite" in said
    assert content(tmp_path) == before


def test_a_raised_budget_goes_on_and_is_no_longer_finished(tmp_path: Path) -> None:
    start(tmp_path, finish=True)
    write_text(tmp_path / "checkpoint" / "state", "kept")
    longer = Settings(inner=Inner(length=5))
    with claim(tmp_path, longer, "d1", ["twofold", "y"], budget="inner.length") as folder:
        assert (folder.done, folder.raised) == (False, "inner.length 3 -> 5")
    files = content(tmp_path)
    assert files["checkpoint/state"] == b"kept"
    assert Settings.from_json(files["config.json"].decode(), "x") == longer
    assert json.loads(files["manifest.json"])["command"] == ["twofold", "y"]
    with claim(tmp_path, longer, "d1", ["twofold", "y"], budget="inner.length") as folder:
        assert (folder.done, folder.raised) == (False, "")


@pytest.mark.parametrize(
    ("before", "after", "digest"),
    [
        (Settings(), Settings(inner=Inner(length=2)), "d1"),
        (Settings(), Settings(inner=Inner(length=5, width=5)), "d1"),
        (Settings(inner=Inner(length=0)), Settings(inner=Inner(length=5)), "d1"),
        (Settings(), Settings(inner=Inner(length=5)), "d2"),
        (Settings(), Settings(inner=Inner(width=5)), "d1"),
    ],
)
def test_nothing_but_a_raised_budget_changes_a_run(
    tmp_path: Path, before: Settings, after: Settings, digest: str
) -> None:
    start(tmp_path, before, finish=True)
    held = content(tmp_path)
    said = "only inner.length may be raised" if digest == "d1" else "other data"
    with pytest.raises(RunFolderError, match=said), claim(tmp_path, after, digest, [], budget="inner.length"):
        pass
    assert content(tmp_path) == held


def test_a_budget_that_is_no_number_is_refused(tmp_path: Path) -> None:
    start(tmp_path)
    write_text(tmp_path / "config.json", '{"seed": 0, "inner": {"length": "3", "width": 4}}')
    longer = Settings(inner=Inner(length=5))
    with (
        pytest.raises(RunFolderError, match="another config"),
        claim(tmp_path, longer, "d1", [], budget="inner.length"),
    ):
        pass


def test_other_data_is_refused(tmp_path: Path) -> None:
    start(tmp_path, finish=True)
    before = content(tmp_path)

    with pytest.raises(RunFolderError, match="other data; give another --out, or --overwrite"):
        start(tmp_path, digest="d2")
    assert content(tmp_path) == before


STRANGERS = {
    "notes.txt": "mine",
    "manifest.json": '{"name": "a web app", "icons": []}',
    "config.json": '{"seed": 0}',
    "DONE": "",
}


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_not_touched(tmp_path: Path, name: str, overwrite: bool) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "thesis.tex").write_text("years of work")
    (tmp_path / name).write_text(STRANGERS[name])

    with pytest.raises(RunFolderError, match=r"holds files but no run.*nothing was touched"):
        start(tmp_path, overwrite=overwrite)
    assert content(tmp_path) == {"sub/thesis.tex": b"years of work", name: STRANGERS[name].encode()}
    assert not (tmp_path / ".lock").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("region,date,value\n")
    with pytest.raises(RunFolderError, match="is a file; --out takes a folder"):
        start(tmp_path / "cases.csv")
    with pytest.raises(RunFolderError, match="can't be written as a run folder"):
        start(tmp_path / "cases.csv" / "run")
    assert content(tmp_path) == {"cases.csv": b"region,date,value\n"}


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_damaged_config_is_refused(tmp_path: Path, text: str) -> None:
    start(tmp_path)
    write_text(tmp_path / "config.json", text)
    with pytest.raises(RunFolderError, match="another config"):
        start(tmp_path)
    (tmp_path / "config.json").write_text(text + " ")
    with pytest.raises(DamagedError, match=r"config\.json: its content is not what was written there"):
        start(tmp_path)


def test_a_config_that_is_gone_is_not_taken_for_a_run_that_has_not_begun(tmp_path: Path) -> None:
    start(tmp_path)
    (tmp_path / "config.json").unlink()
    assert not start(tmp_path)
    write_text(tmp_path / "parts" / "1.json", "{}")
    (tmp_path / "config.json").unlink()
    with pytest.raises(DamagedError, match=r"config\.json: was written there and is missing"):
        start(tmp_path, Settings(seed=9))
    assert not start(tmp_path, Settings(seed=9), overwrite=True)


def test_overwrite_empties_a_run_of_another_config(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    write_text(elsewhere / "kept.txt", "kept")
    start(run, finish=True)
    write_text(run / "figures" / "one.svg", "<svg/>")
    (run / "link").symlink_to(elsewhere)

    assert not start(run, Settings(seed=9), "d2", overwrite=True)
    assert set(content(run)) == {"config.json", "manifest.json", "twofold.sha256"}
    assert (elsewhere / "kept.txt").exists()


@pytest.mark.parametrize("left", ["manifest.json only", "half emptied", "lock only", "aside only"])
def test_a_start_or_an_overwrite_that_was_cut_short_can_be_repeated(tmp_path: Path, left: str) -> None:
    if left == "aside only":
        (tmp_path / ".aside-1-manifest.json").write_text("{")
    elif left == "lock only":
        (tmp_path / ".lock").touch()
    else:
        start(tmp_path, Settings(seed=9), "d2")
        if left == "half emptied":
            write_text(tmp_path / "figures" / "one.svg", "<svg/>")
        else:
            (tmp_path / "config.json").unlink()

    assert not start(tmp_path, overwrite=True)
    assert set(content(tmp_path)) == {"config.json", "manifest.json", "twofold.sha256"}


def test_what_a_killed_writer_left_aside_is_removed(tmp_path: Path) -> None:
    start(tmp_path)
    for where in (tmp_path, tmp_path / "checkpoint", tmp_path / "figures"):
        where.mkdir(exist_ok=True)
        (where / ".aside-12345-half.bin").write_bytes(b"half")
    start(tmp_path)
    assert set(content(tmp_path)) == {"config.json", "manifest.json", "twofold.sha256"}


HOLDER = """
import sys
from pathlib import Path
from twofold.engine.config import Config
from twofold.engine.run import claim
with claim(Path(sys.argv[1]), Config(), "d", []):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_kept_out_until_the_first_ends_or_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = content(tmp_path)
        for overwrite in (False, True):
            with pytest.raises(RunFolderError, match="another process writes to this run folder"):
                start(tmp_path, Config(), "d", overwrite=overwrite)
        assert content(tmp_path) == before
        holder.kill()
    assert not start(tmp_path, Config(), "d")


def test_the_lock_is_released_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claim(tmp_path, Settings(), "d1", []):
        raise ZeroDivisionError
    assert not start(tmp_path)


def test_the_log_starts_anew_and_is_sorted(tmp_path: Path) -> None:
    write_text(tmp_path / "metrics.jsonl", '{"of": "the run before"}\n')
    folder = RunFolder(tmp_path, {})

    def write(member: str) -> None:
        for epoch in range(20):
            folder.log({"member": member, "epoch": epoch})

    threads = [threading.Thread(target=write, args=(f"m{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wild = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    folder.settle_log("member", "epoch")
    settled = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]

    expected = [{"member": f"m{i}", "epoch": epoch} for i in range(4) for epoch in range(20)]
    assert settled == expected
    assert sorted(wild, key=lambda record: (record["member"], record["epoch"])) == expected


STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")


def told(path: Path) -> list[str]:
    """The lines of a run's log without their times, which all have."""
    lines = (path / "log.txt").read_text().splitlines()
    assert all(STAMP.match(line) for line in lines)
    return [STAMP.sub("", line) for line in lines]


def test_the_log_tells_each_record_once_and_goes_on_when_the_run_does(tmp_path: Path) -> None:
    records = [{"stage": "final", "member": "gru-0", "epoch": epoch, "loss": 1 / 3} for epoch in (1, 2, 3)]
    for known in (2, 3):  # the second command logs the checkpoint's two records again
        with claim(tmp_path, Settings(), "d", []) as folder:
            folder.tell("begins")
            for record in records[:known]:
                folder.log(record)
    assert [json.loads(line)["epoch"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [1, 2, 3]
    lines = [f"final gru-0, epoch {epoch}, loss 0.333333" for epoch in (1, 2, 3)]
    assert told(tmp_path) == ["begins", *lines[:2], "begins", lines[2]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/me/my data/x.csv: 3 names", "x.csv: 3 names"),
        ("see `/srv/a/b.csv` and /data", "see `b.csv` and data"),
        (r"C:\Users\Jane Doe\x.csv", "x.csv"),
        ("runs/a goes on: 2 / 3 nats/image, https://a.b/c", "runs/a goes on: 2 / 3 nats/image, https://a.b/c"),
        ("two\nlines", "two lines"),
    ],
)
def test_the_log_holds_no_folder_of_an_absolute_path(text: str, expected: str, tmp_path: Path) -> None:
    RunFolder(tmp_path, {}).tell(text)
    assert told(tmp_path) == [expected]


def test_json_holds_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "scores.json", {"auc": float("nan")})
    assert content(tmp_path) == {}


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new" / "file", b"one")
    write_bytes(tmp_path / "new" / "file", b"two")
    assert content(tmp_path) == {"new/file": b"two"}
