"""Sources: folders with everything that a file system can hold, and what a path is taken for."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twofold.engine.errors import DataError
from twofold.vae.images import items
from twofold.vae.images.files import Source, open_source
from twofold.vae.images.items import Damage, Item, Skipped


def png(path: Path, value: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, dtype=np.uint8)).save(path, "PNG")
    return path


def read(source: Source) -> dict[str, bytes | str]:
    """Name -> bytes, or the reason why there are none."""
    found: dict[str, bytes | str] = {}
    with source.items() as (total, entries):
        for entry in entries:
            try:
                found[entry.name] = entry.reason if isinstance(entry, Skipped) else bytes(entry.read())
            except Damage as damage:
                found[entry.name] = str(damage)
    assert total == len(found)
    return found


def test_a_folder_is_read_to_any_depth_in_the_order_of_names(tmp_path):
    for name in ("b.png", "a/z/1.png", "a.png", "A.png"):
        png(tmp_path / name)
    found = read(open_source(tmp_path))
    assert list(found) == ["A.png", "a.png", "a/z/1.png", "b.png"]
    assert found["b.png"] == (tmp_path / "b.png").read_bytes()


def test_hidden_and_system_files_are_listed(tmp_path):
    for name in (".hidden.png", ".git/a.png", "__MACOSX/b.png", "deep/Thumbs.db", "deep/c.png"):
        png(tmp_path / name)
    found = read(open_source(tmp_path))
    assert found.pop("deep/c.png") == (tmp_path / "deep/c.png").read_bytes()
    assert len(found) == 4
    assert set(found.values()) == {"hidden or system file"}


def test_links_are_followed_to_files_and_never_in_circles(tmp_path):
    real = png(tmp_path / "real.png")
    (tmp_path / "link.png").symlink_to(real)
    (tmp_path / "broken.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "round").symlink_to(tmp_path)
    assert read(open_source(tmp_path)) == {
        "broken.png": "broken link",
        "link.png": real.read_bytes(),
        "loop.png": "broken link",
        "real.png": real.read_bytes(),
        "round": "link to a folder",
    }


def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    png(tmp_path / "a.png")
    found = {}
    reading = threading.Thread(target=lambda: found.update(read(open_source(tmp_path))), daemon=True)
    reading.start()
    reading.join(timeout=10)
    assert found["pipe.png"] == "not a regular file"
    with pytest.raises(DataError, match="neither a file nor a folder"):
        open_source(tmp_path / "pipe.png")


def test_files_and_folders_without_permission_are_listed(tmp_path, monkeypatch):
    """Simulated, since the superuser, whom tests may run as, is kept out of nothing."""
    png(tmp_path / "secret.png")
    png(tmp_path / "closed/a.png")
    png(tmp_path / "open.png")
    opened, scanned = Path.open, os.scandir

    def refuse(path, *arguments):
        if path.name == "secret.png":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    def refuse_folder(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scanned(path)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    found = read(open_source(tmp_path))
    assert found.pop("open.png").startswith(b"\x89PNG")
    assert found == {"closed/": "no permission to read it", "secret.png": "no permission to read it"}


def test_a_file_that_goes_away_is_skipped(tmp_path):
    png(tmp_path / "a.png")
    source = open_source(tmp_path)
    (tmp_path / "a.png").unlink()
    assert read(source) == {"a.png": "can't be read (No such file or directory)"}


def test_a_file_longer_than_any_image_is_not_even_opened(tmp_path, monkeypatch):
    with (tmp_path / "long.png").open("wb") as file:
        file.truncate(items.MAX_BYTES + 1)
    source = open_source(tmp_path)
    monkeypatch.setattr(Path, "open", None)
    assert read(source) == {"long.png": "too large: more than 256 MiB"}


def test_a_file_that_grows_is_not_read_to_its_end(tmp_path, monkeypatch):
    path = png(tmp_path / "a.png")
    source = open_source(tmp_path)
    path.write_bytes(b"x" * 2000)
    monkeypatch.setattr(items, "MAX_BYTES", 1024)
    assert read(source) == {"a.png": "too large: more than 0 MiB"}


def test_names_of_no_encoding_can_be_written_down(tmp_path):
    path = png(tmp_path / "a.png")
    path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    (name,) = read(open_source(tmp_path))
    assert name == "caf\\udce9.png"
    assert name.encode("utf-8")


def test_many_open_files_are_not_needed(tmp_path):
    for i in range(50):
        png(tmp_path / f"{i}.png")
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    read(open_source(tmp_path))
    assert before == (len(list(Path("/proc/self/fd").iterdir())) if before else 0)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.zip", b"", "the file is empty; copy or download it again"),
        ("a.txt", b"hello", "is no folder, zip, tar, npy, npz or image; put the images into a folder"),
    ],
)
def test_other_files_are_refused_with_a_way_out(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("name", ["a.png", "a", "a.webp"])
def test_one_image_file_is_a_source_of_one(tmp_path, name):
    kind = {"a.png": "PNG", "a": "JPEG", "a.webp": "WEBP"}[name]
    Image.new("RGB", (5, 5), "red").save(tmp_path / name, kind)
    assert read(open_source(tmp_path / name)) == {name: (tmp_path / name).read_bytes()}


def test_the_name_of_an_image_file_is_part_of_its_content(tmp_path):
    png(tmp_path / "a.png", 1)
    png(tmp_path / "b.png", 1)
    assert open_source(tmp_path / "a.png").content() != open_source(tmp_path / "b.png").content()


def test_a_key_is_for_an_npz_and_parts_are_for_several_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 3), dtype=np.uint8))
    png(tmp_path / "a.png")
    for path in (tmp_path, tmp_path / "a.npy", tmp_path / "a.png"):
        with pytest.raises(DataError, match=r"--image.key x names an array of an .npz, which this is not; leave it"):
            open_source(path, key="x")
    with pytest.raises(DataError, match=r"is one array, with no parts of its own; leave --split.own out"):
        open_source(tmp_path / "a.npy", own=True)


def test_a_path_that_is_not_there_names_the_flag(tmp_path):
    with pytest.raises(DataError, match=r"no-such: no such file or folder; check the path given with --images"):
        open_source(tmp_path / "no-such")


def test_a_path_through_a_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="can't be read"):
        open_source(png(tmp_path / "a.png") / "b")


def change_time(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: png(folder / "new.png"),
        lambda folder: (folder / "a.png").unlink(),
        lambda folder: (folder / "a.png").rename(folder / "c.png"),
        lambda folder: (folder / "a.png").write_bytes(b"longer than it was" * 100),
        lambda folder: change_time(folder / "a.png"),
        lambda folder: (folder / "a.png").chmod(0o600),
        lambda folder: (folder / ".hidden").write_bytes(b""),
    ],
)
def test_every_change_in_a_folder_changes_its_stamp(tmp_path, change):
    png(tmp_path / "a.png")
    png(tmp_path / "b.png")
    (tmp_path / "a.png").chmod(0o640)
    before = open_source(tmp_path).stamp
    assert open_source(tmp_path).stamp.fingerprint == before.fingerprint
    change(tmp_path)
    assert open_source(tmp_path).stamp.fingerprint != before.fingerprint


def test_stamps_of_files_tell_their_time_and_size(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 3, 3), dtype=np.uint8))
    before = open_source(path).stamp
    assert before.newest == path.stat().st_mtime_ns
    assert before.place == str(path.resolve())
    change_time(path)
    assert open_source(path).stamp.fingerprint != before.fingerprint


def test_content_depends_on_names_and_bytes_and_nothing_else(tmp_path):
    png(tmp_path / "one/a.png", 1)
    png(tmp_path / "two/a.png", 1)
    png(tmp_path / "other-name/b.png", 1)
    png(tmp_path / "other-bytes/a.png", 2)
    change_time(tmp_path / "two/a.png")
    contents = {name: open_source(tmp_path / name).content() for name in ("one", "two", "other-name", "other-bytes")}
    assert contents["one"] == contents["two"]
    assert len(set(contents.values())) == 3


def test_items_say_their_size(tmp_path):
    path = png(tmp_path / "a.png")
    with open_source(tmp_path).items() as (_, entries):
        (entry,) = entries
    assert isinstance(entry, Item)
    assert entry.size == path.stat().st_size
