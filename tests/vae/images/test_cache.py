"""The cache: whole or not there, one writer at a time, nothing left of the dead."""

import json
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from twofold.engine.errors import DataError, InputError
from twofold.engine.sound import JOURNAL
from twofold.vae.images.cache import default_folder, entry, recall, remember
from twofold.vae.images.files import Stamp

DATA = b"x" * (18 * 2**20)


def build(aside: Path) -> None:
    (aside / "data").write_bytes(DATA)
    (aside / "about.json").write_text("{}")


def never(_: Path) -> None:
    raise AssertionError("built again")


def test_an_entry_is_built_once(tmp_path):
    first = entry(tmp_path, "key", build)
    assert (first / "data").read_bytes() == DATA
    assert entry(tmp_path, "key", never) == first
    assert not list((tmp_path / "aside").iterdir())


def test_another_key_is_another_entry(tmp_path):
    assert entry(tmp_path, "one", build) != entry(tmp_path, "two", build)


def cut(final: Path) -> None:
    (final / "data").write_bytes(DATA[:-1])


def flipped(final: Path) -> None:
    (final / "about.json").write_text("[]")


def gone(final: Path) -> None:
    (final / "data").unlink()


def late(final: Path) -> None:
    """Beyond the first 16 MiB, where a checksum ended once."""
    with (final / "data").open("r+b") as file:
        file.seek(17 * 2**20)
        file.write(b"y")


def more(final: Path) -> None:
    (final / "more").write_bytes(b"")


def no_journal(final: Path) -> None:
    (final / JOURNAL).unlink()


def empty_journal(final: Path) -> None:
    (final / JOURNAL).write_bytes(b"")


def bad_journal(final: Path) -> None:
    (final / JOURNAL).write_bytes(b"\xff  data\n")


def other_journal(final: Path) -> None:
    (final / JOURNAL).write_text((final / JOURNAL).read_text().replace("about.json", "about.jsom"))


HARMS = [cut, flipped, gone, late, more, no_journal, empty_journal, bad_journal, other_journal]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_entry_is_made_again(tmp_path, harm):
    harm(entry(tmp_path, "key", build))
    again = entry(tmp_path, "key", build)
    assert (again / "data").read_bytes() == DATA
    assert (again / "about.json").read_text() == "{}"
    assert entry(tmp_path, "key", never) == again


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, DataError])
def test_a_build_that_ends_early_leaves_nothing(tmp_path, error):
    def ends(aside: Path) -> None:
        build(aside)
        raise error("early")

    with pytest.raises(error):
        entry(tmp_path, "key", ends)

    assert not list((tmp_path / "aside").iterdir())
    assert not (tmp_path / "entries" / "key").exists()
    assert entry(tmp_path, "key", build).is_dir()


def test_leftovers_of_dead_writers_are_removed_and_those_of_living_ones_stay(tmp_path):
    entry(tmp_path, "first", build)
    for key in ("dead", "living", "wanted"):
        (tmp_path / "aside" / key).mkdir()
        (tmp_path / "aside" / key / "data").write_bytes(b"half")
    with FileLock(tmp_path / "locks" / "living.lock"):
        final = entry(tmp_path, "wanted", build)

        assert [path.name for path in (tmp_path / "aside").iterdir()] == ["living"]
    assert (final / "data").read_bytes() == DATA


def test_a_second_writer_waits_and_takes_what_the_first_built(tmp_path):
    built, found = [], []

    def slow(aside: Path) -> None:
        built.append(1)
        time.sleep(0.3)
        build(aside)

    threads = [threading.Thread(target=lambda: found.append(entry(tmp_path, "key", slow))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(built) == 1
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_cache_that_can_only_be_read_still_serves_what_it_has(tmp_path, monkeypatch):
    final = entry(tmp_path, "key", build)

    def read_only(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert entry(tmp_path, "key", never) == final
    with pytest.raises(InputError, match="the cache can't be written there"):
        entry(tmp_path, "other", build)


def test_a_cache_that_is_a_file_names_the_way_out(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"file: the cache can't be written there \(.*\); make room or .* with --cache"
    ):
        entry(tmp_path / "file", "key", build)


def test_a_full_disk_names_the_way_out(tmp_path):
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"can't be written there \(No space left on device\).*--cache"):
        entry(tmp_path, "key", full)
    assert not list((tmp_path / "aside").iterdir())


def test_the_default_folder(monkeypatch):
    monkeypatch.setenv("TWOFOLD_CACHE", "/mine")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_folder() == Path("/mine")
    monkeypatch.setenv("TWOFOLD_CACHE", "")
    assert default_folder() == Path("/xdg/twofold")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path("/home/me/.cache/twofold")


SECOND = 10**9
OLD = Stamp("/a/b.zip", "print", newest=100 * SECOND, taken=102 * SECOND)


def test_a_source_is_recalled_while_its_stamp_stays(tmp_path):
    remember(tmp_path, OLD, "content")
    assert recall(tmp_path, OLD) == "content"
    assert recall(tmp_path, OLD._replace(fingerprint="other")) is None
    assert recall(tmp_path, OLD._replace(place="/a/c.zip")) is None
    remember(tmp_path, OLD._replace(fingerprint="other"), "new")
    assert recall(tmp_path, OLD._replace(fingerprint="other")) == "new"
    assert recall(tmp_path, OLD) is None


def test_what_changed_a_moment_ago_is_not_trusted(tmp_path):
    for taken in (102 * SECOND - 1, 100 * SECOND, 50 * SECOND):
        remember(tmp_path, OLD._replace(taken=taken), "content")
        assert recall(tmp_path, OLD) is None


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"fingerprint": "print"}', "\xff"])
def test_a_damaged_note_is_no_note(tmp_path, text):
    remember(tmp_path, OLD, "content")
    (note,) = (tmp_path / "index").glob("*.json")
    assert json.loads(note.read_text())["content"] == "content"
    note.write_text(text, encoding="latin-1")
    assert recall(tmp_path, OLD) is None


def test_notes_that_can_not_be_written_are_left_out(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    remember(tmp_path / "file", OLD, "content")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
