"""The journal: every file is what was written there, or an error says that it is not."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from twofold.engine import sound
from twofold.engine.config import Config
from twofold.engine.errors import DamagedError, RunFolderError
from twofold.engine.files import arrays, mapped, read_bytes, text, there, usable, write_arrays, write_bytes, write_text
from twofold.engine.run import claim, is_run
from twofold.engine.sound import JOURNAL, audit, begin


class Settings(Config):
    """A config."""

    seed: int = 0


def run(path: Path, *, finish: bool = True) -> Path:
    """A run folder with a file, and one in a folder."""
    with claim(path, Settings(), "d1", ["twofold", "x"]) as folder:
        write_text(path / "scores.json", '{"score": 1.5}')
        write_text(path / "parts" / "a.json", "[1]")
        if finish:
            folder.finish()
    return path


def lines(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (path / JOURNAL).read_text().splitlines():
        digest, name = line.split("  ", 1)
        found.setdefault(name, []).append(digest)
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def test_a_finished_run_has_one_line_for_each_of_its_files(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    files = [item for item in path.rglob("*") if item.is_file() and item.name not in (".lock", JOURNAL)]
    assert lines(path) == {item.relative_to(path).as_posix(): [digest(item)] for item in files}
    assert {"manifest.json", "config.json", "parts/a.json", "DONE"} < set(lines(path))


def test_the_journal_is_one_that_sha256sum_reads(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    checked = subprocess.run(["sha256sum", "-c", "--quiet", JOURNAL], cwd=path, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, b"")
    flip(path / "scores.json", 3)
    assert subprocess.run(["sha256sum", "-c", JOURNAL], cwd=path, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("name", ["scores.json", "parts/a.json"])
def test_every_flipped_bit_is_found_when_the_file_is_read(tmp_path: Path, name: str) -> None:
    path = run(tmp_path / "run")
    for place in range(len((path / name).read_bytes())):
        for bit in range(8):
            flip(path / name, place, bit)
            with pytest.raises(DamagedError, match=f"{Path(name).name}: its content is not what was written there"):
                read_bytes(path / name)
            flip(path / name, place, bit)
    assert read_bytes(path / name)


def test_every_flipped_bit_of_the_journal_is_found_or_harmless(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    names = [name for name in lines(path) if name != "DONE"]
    found = harmless = 0
    for place in range(len((path / JOURNAL).read_bytes())):
        flip(path / JOURNAL, place, place % 8)
        refused = 0
        for name in names:
            try:
                read_bytes(path / name)
            except DamagedError:
                refused += 1
        found, harmless = found + bool(refused), harmless + (not refused)
        flip(path / JOURNAL, place, place % 8)
    of_done = len(f"{digest(path / 'DONE')}  DONE\n")
    assert found > 200
    assert harmless <= of_done


def test_a_file_that_is_not_in_the_journal_is_refused(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    (path / "extra.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"extra\.json: has no line in twofold\.sha256.*--overwrite"):
        read_bytes(path / "extra.json")


def test_a_missing_file_is_told_from_one_that_never_was(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    assert not there(path, "peers.parquet")
    (path / "scores.json").unlink()
    with pytest.raises(DamagedError, match=r"scores\.json: was written there and is missing"):
        there(path, "scores.json")
    with pytest.raises(DamagedError, match="was written there and is missing"):
        text(path, "scores.json")
    with pytest.raises(RunFolderError, match=r"peers\.parquet is missing; run the command that writes it again"):
        read_bytes(path / "peers.parquet")


def test_a_lost_journal_is_named_and_an_old_folder_is_read_as_it_is(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    old = tmp_path / "old"
    old.mkdir()
    (old / "manifest.json").write_text('{"data_digest": "d1"}')
    (old / "scores.json").write_text("{}")
    assert read_bytes(old / "scores.json") == b"{}"

    (path / JOURNAL).unlink()
    for name in ("scores.json", "parts/a.json"):
        with pytest.raises(DamagedError, match=r"run: twofold\.sha256 is missing"):
            read_bytes(path / name)


def test_an_unfinished_run_of_an_older_version_goes_on(tmp_path: Path) -> None:
    path = run(tmp_path / "run", finish=False)
    manifest = (path / "manifest.json").read_text().replace(f'"digests": "{JOURNAL}",', "")
    (path / "manifest.json").write_text(manifest)
    (path / JOURNAL).unlink()
    with claim(path, Settings(), "d1", ["twofold", "x"]) as folder:
        assert not folder.done
        assert usable(path / "parts" / "a.json")
        folder.finish()
    assert audit(path).fine


def test_a_kill_between_line_and_file_leaves_the_old_file_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run(tmp_path / "run", finish=False)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_text(path / "scores.json", "new")
        with pytest.raises(KeyboardInterrupt):
            write_text(path / "first.json", "new")
    assert len(lines(path)["scores.json"]) == 2
    assert text(path, "scores.json") == '{"score": 1.5}'
    assert audit(path).fine

    with claim(path, Settings(), "d1", ["twofold", "x"]) as folder:
        assert lines(path)["scores.json"] == [digest(path / "scores.json")]
        assert "first.json" not in lines(path)
        folder.finish()
    assert audit(path).fine


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    path = run(tmp_path / "run", finish=False)
    with (path / JOURNAL).open("ab") as file:
        file.write(f"{'0' * 64}  sco".encode())
    write_text(path / "scores.json", "new")
    write_text(path / "parts" / "b.json", "[2]")
    assert text(path, "scores.json") == "new"
    assert text(path / "parts", "b.json") == "[2]"


def test_a_part_that_was_changed_is_not_used_and_a_note_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = run(tmp_path / "run", finish=False)
    assert usable(path / "parts" / "a.json")
    assert not usable(path / "parts" / "a.json", path / "parts" / "never.json")
    assert not caplog.records
    flip(path / "parts" / "a.json", 1)
    assert not usable(path / "parts" / "a.json")
    assert "a.json: its content is not what was written there" in caplog.text
    assert "it is made again" in caplog.text


def test_arrays_are_checked_mapped_or_not(tmp_path: Path) -> None:
    folder = tmp_path / "entry"
    folder.mkdir()
    np.save(folder / "pixels.npy", np.arange(5000, dtype=np.int64))
    begin(folder)
    write_arrays(folder / "arrays.npz", z=np.arange(3))
    assert mapped(folder / "pixels.npy").tolist() == list(range(5000))
    assert arrays(folder, "arrays.npz")["z"].tolist() == [0, 1, 2]
    flip(folder / "pixels.npy", 30_000, 7)
    flip(folder / "arrays.npz", 60)
    with pytest.raises(DamagedError, match=r"pixels\.npy"):
        mapped(folder / "pixels.npy")
    with pytest.raises(DamagedError, match=r"arrays\.npz"):
        arrays(folder, "arrays.npz")


def test_a_large_file_is_read_once_while_it_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "pixels.npy", np.zeros(10))
    begin(tmp_path)
    monkeypatch.setattr(sound, "RACY_NS", -(10**18))  # as if the file were old
    read: list[Path] = []
    real = sound._digest
    monkeypatch.setattr(sound, "_digest", lambda path: (read.append(path), real(path))[1])
    for _ in range(3):
        mapped(tmp_path / "pixels.npy")
    assert len(read) == 1
    np.save(tmp_path / "pixels.npy", np.ones(10))
    with pytest.raises(DamagedError):
        mapped(tmp_path / "pixels.npy")


def test_a_clock_that_was_set_back_lets_no_changed_file_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pixels.npy"
    np.save(file, np.zeros(10))
    begin(tmp_path)
    monkeypatch.setattr("time.time_ns", lambda: 10**9)
    mapped(file)
    before = file.stat()
    flip(file, 140)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DamagedError):
        mapped(file)


def test_files_outside_of_run_folders_have_no_journal(tmp_path: Path) -> None:
    run(tmp_path / "run")
    write_bytes(tmp_path / "submission.csv", b"a,b\n")
    write_bytes(tmp_path / "new" / "page.html", b"<p>")
    assert not (tmp_path / JOURNAL).exists()
    assert not (tmp_path / "new" / JOURNAL).exists()


def test_a_model_in_a_folder_among_others_speaks_for_its_own_files_only(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    begin(tmp_path, adopt=False)
    write_bytes(tmp_path / "model", b"m")
    below = tmp_path / "below"
    below.mkdir()
    (below / "old").write_text("of an older version")
    assert read_bytes(below / "old")
    assert set(lines(tmp_path)) == {"model"}
    assert audit(tmp_path).unknown == ("notes.txt",)
    assert audit(tmp_path).fine


def test_a_run_within_a_run_has_its_own_journal(tmp_path: Path) -> None:
    with claim(tmp_path / "sweep", Settings(), "d1", ["twofold", "x"]) as folder:
        inner = run(tmp_path / "sweep" / "runs" / "a")
        folder.finish()
    assert set(lines(tmp_path / "sweep")) == {"manifest.json", "config.json", "DONE"}
    flip(inner / "scores.json", 2)
    assert audit(tmp_path / "sweep").fine
    assert audit(inner).changed == ("scores.json",)


def test_an_audit_names_what_changed_is_missing_or_unknown(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    (path / "log.txt").write_text("appended\n")
    assert audit(path) == sound.Audit(5, (), (), ())
    flip(path / "parts" / "a.json", 0)
    (path / "scores.json").unlink()
    (path / "parts" / "mine.txt").write_text("x")
    found = audit(path)
    assert (found.changed, found.missing, found.unknown) == (("parts/a.json",), ("scores.json",), ("parts/mine.txt",))
    assert not found.fine


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("manifest.json", lambda content: content.replace(b"data_digest", b"data_digesu")),
        ("manifest.json", lambda content: content.replace(b"{", b"z", 1)),
        ("config.json", lambda content: content.replace(b'"seed": 0', b'"seed": 1')),
    ],
)
def test_a_run_whose_config_or_manifest_changed_is_still_a_run_and_is_refused(
    tmp_path: Path, name: str, harm: Callable[[bytes], bytes]
) -> None:
    path = run(tmp_path / "run")
    (path / name).write_bytes(harm((path / name).read_bytes()))
    assert is_run(path)
    with pytest.raises(DamagedError, match=name), claim(path, Settings(), "d1", ["twofold", "x"]):
        pass
    with claim(path, Settings(), "d1", ["twofold", "x"], overwrite=True) as folder:
        assert not folder.done
        assert not (path / "scores.json").exists()
        folder.finish()
    assert audit(path).fine


def test_the_only_line_of_a_folder_that_is_no_run_is_named_when_it_is_none(tmp_path: Path) -> None:
    begin(tmp_path)
    write_bytes(tmp_path / "note.json", b"{}")
    assert audit(tmp_path).fine
    line = (tmp_path / JOURNAL).read_bytes()
    for place in range(len(line) - 1):
        (tmp_path / JOURNAL).write_bytes(line[:place] + bytes([line[place] ^ 0x80]) + line[place + 1 :])
        assert not audit(tmp_path).fine


def test_a_line_that_is_none_is_named_by_an_audit(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    flip(path / JOURNAL, 65, 3)  # one of the two blanks
    found = audit(path)
    assert found.changed == (JOURNAL,)
    assert found.unknown == ("manifest.json",) and not found.fine


def test_many_processes_write_one_journal(tmp_path: Path) -> None:
    with claim(tmp_path / "run", Settings(), "d1", ["twofold", "x"]) as folder:
        script = (
            "import sys; from pathlib import Path; from twofold.engine.files import write_text\n"
            "for n in range(40): write_text(Path(sys.argv[1]) / 'parts' / f'{sys.argv[2]}-{n}', sys.argv[2] * n)"
        )
        working = [subprocess.Popen([sys.executable, "-c", script, str(folder.path), name]) for name in "abc"]
        assert [each.wait(60) for each in working] == [0, 0, 0]
        assert len(lines(folder.path)) == 122
        folder.finish()
    assert audit(tmp_path / "run").sound == 123
