"""Images from a path to memory: order, digests, the cache under two processes, a kill, an interrupt, a full disk, and
the split: a hash decides, so that files come and go without moving others.
"""

import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from twofold.engine.errors import DataError, InputError
from twofold.vae.config import ImageConfig, SplitConfig
from twofold.vae.images import load as module
from twofold.vae.images.decode import batch_of
from twofold.vae.images.items import Skipped
from twofold.vae.images.load import (
    Images,
    Split,
    cached_images,
    copies_of_test,
    duplicates,
    load_images,
    read_images,
    split_images,
    split_of,
    write_images,
)

PARTS = ("train", "validation", "test")
SIZE = 16
SMALL = ImageConfig(size=SIZE)
PIXELS = np.random.default_rng(8).integers(0, 256, size=(30, SIZE, SIZE, 3), dtype=np.uint8)


def folder_of(folder: Path, pixels: np.ndarray = PIXELS, age: float = 100) -> Path:
    """PNG files that were last changed some seconds ago."""
    (folder / "sub").mkdir(parents=True)
    for i, picture in enumerate(pixels):
        path = folder / (f"{i:03d}.png" if i % 2 else f"sub/{i:03d}.png")
        Image.fromarray(picture).save(path)
        os.utime(path, (time.time() - age,) * 2)
    return folder


def zip_of(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, str(file.relative_to(folder)))
    os.utime(path, (time.time() - 100,) * 2)
    return path


def tar_of(path: Path, folder: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(folder.rglob("*.png"), reverse=True):
            archive.add(file, str(file.relative_to(folder)))
    return path


def load(path: Path, cache: Path, *, strict: bool = True, config: ImageConfig = SMALL) -> tuple[Images, int]:
    """The images, and how many files were decoded."""
    seen = [0]
    images = load_images(path, config, strict=strict, cache=cache, progress=lambda done, _: seen.append(done))
    return images, seen[-1]


def expected_names(count: int = len(PIXELS)) -> list[str]:
    return sorted(f"{i:03d}.png" if i % 2 else f"sub/{i:03d}.png" for i in range(count))


def row_of(name: str) -> int:
    return int(name.removeprefix("sub/").removesuffix(".png"))


def test_folder_zip_and_tar_hold_the_same_images(tmp_path):
    folder = folder_of(tmp_path / "set")
    sources = [folder, zip_of(tmp_path / "a.zip", folder), tar_of(tmp_path / "a.tar.gz", folder)]
    for path in sources:
        images, decoded = load(path, tmp_path / "cache")
        assert decoded == len(PIXELS)
        assert list(images.names) == expected_names()
        np.testing.assert_array_equal(images.pixels, PIXELS[[row_of(name) for name in images.names]])
        assert images.source == path.name
        assert images.skipped == ()
    assert len({load(path, tmp_path / "cache")[0].digest for path in sources}) == 1


def test_an_array_is_a_source_too(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS)
    images, _ = load(tmp_path / "a.npy", tmp_path / "cache")
    assert images.names[:2] == ("00", "01")
    np.testing.assert_array_equal(images.pixels, PIXELS)


def test_pixels_are_mapped_and_can_not_be_changed(tmp_path):
    images, _ = load(folder_of(tmp_path / "set"), tmp_path / "cache")
    assert isinstance(images.pixels, np.memmap)
    assert images.pixels.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        images.pixels[0] = 0


def test_opening_again_reads_no_file(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "set")
    first, decoded = load(folder, tmp_path / "cache")
    assert decoded == len(PIXELS)
    opened = Path.open

    def spy(path, *arguments, **options):
        assert folder not in path.parents
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", spy)
    second, decoded = load(folder, tmp_path / "cache")
    assert decoded == 0
    assert second.digest == first.digest
    np.testing.assert_array_equal(second.pixels, first.pixels)


def test_files_that_changed_a_moment_ago_are_read_but_not_decoded_again(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "set", age=1)
    load(folder, tmp_path / "cache")
    read = []
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *a, **o: (read.append(path), opened(path, *a, **o))[1])
    _, decoded = load(folder, tmp_path / "cache")
    assert decoded == 0
    assert len([path for path in read if folder in path.parents]) == len(PIXELS)


def test_a_file_changed_within_its_time_stamp_is_seen(tmp_path):
    """The race that git calls racy: same name, size and time, other bytes."""
    np.save(tmp_path / "a.npy", PIXELS)
    stamp = (tmp_path / "a.npy").stat()
    load(tmp_path / "a.npy", tmp_path / "cache")
    np.save(tmp_path / "a.npy", PIXELS[::-1])
    os.utime(tmp_path / "a.npy", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    images, _ = load(tmp_path / "a.npy", tmp_path / "cache")
    np.testing.assert_array_equal(images.pixels, PIXELS[::-1])


def test_the_same_content_elsewhere_is_not_decoded_again(tmp_path):
    one = folder_of(tmp_path / "one")
    load(one, tmp_path / "cache")
    one.rename(tmp_path / "two")
    images, decoded = load(tmp_path / "two", tmp_path / "cache")
    assert decoded == 0
    assert images.source == "two"


@pytest.mark.parametrize("change", [{"size": 32}, {"channels": 1}, {"fit": "pad"}])
def test_other_settings_are_another_entry(tmp_path, change):
    folder = folder_of(tmp_path / "set")
    first, _ = load(folder, tmp_path / "cache")
    config = SMALL.model_copy(update=change)
    second, decoded = load(folder, tmp_path / "cache", config=config)
    assert decoded == len(PIXELS)
    assert second.digest != first.digest
    assert second.pixels.shape == (len(PIXELS), config.size, config.size, config.channels)


def test_another_layout_of_the_cache_is_another_entry(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "set")
    load(folder, tmp_path / "cache")
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    assert load(folder, tmp_path / "cache")[1] == len(PIXELS)


def test_the_digest_does_not_know_names(tmp_path):
    folder_of(tmp_path / "one")
    folder_of(tmp_path / "two", PIXELS[::-1])
    folder_of(tmp_path / "three", PIXELS[:-1])
    digests = [load(tmp_path / name, tmp_path / "cache")[0].digest for name in ("one", "two", "three")]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64


def test_duplicates_are_kept_and_found(tmp_path):
    folder = folder_of(tmp_path / "set")
    Image.fromarray(PIXELS[1]).save(folder / "zz-copy.bmp")
    Image.fromarray(PIXELS[1]).save(folder / "zz-second.tiff")
    images, _ = load(folder, tmp_path / "cache")
    assert len(images.names) == len(PIXELS) + 2
    repeated = duplicates(images.hashes)
    assert [images.names[i] for i in np.flatnonzero(repeated)] == ["zz-copy.bmp", "zz-second.tiff"]


def damaged(tmp_path: Path) -> Path:
    folder = folder_of(tmp_path / "set", PIXELS[:3])
    (folder / "b.png").write_bytes((folder / "001.png").read_bytes()[:50])
    (folder / "a.txt").write_bytes(b"text")
    (folder / ".hidden").write_bytes(b"")
    return folder


def test_skipped_files_are_listed_from_the_cache_too(tmp_path):
    folder = damaged(tmp_path)
    expected = (
        Skipped(".hidden", "hidden or system file"),
        Skipped("a.txt", "not an image"),
        Skipped("b.png", "truncated"),
    )
    for _ in range(2):
        images, _ = load(folder, tmp_path / "cache", strict=False)
        assert images.skipped == expected
        assert list(images.names) == expected_names(3)


def test_strict_refuses_the_first_of_them_decoded_or_cached(tmp_path):
    folder = damaged(tmp_path)
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            load(folder, tmp_path / "cache")
        assert str(caught.value) == (
            f"{folder}, a.txt: not an image (2 such files); mend or remove it, or run without --strict to skip it"
        )
    assert load(folder, tmp_path / "cache", strict=False)[1] == 0


def test_strict_is_not_about_hidden_files(tmp_path):
    folder = folder_of(tmp_path / "set", PIXELS[:3])
    (folder / ".DS_Store").write_bytes(b"x")
    assert len(load(folder, tmp_path / "cache")[0].skipped) == 1


def test_a_folder_without_an_image_says_what_was_in_it(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    with pytest.raises(
        DataError, match=r"set: holds no image that can be read; PNG, JPEG, WebP, GIF, BMP and TIFF are read"
    ):
        load(folder, tmp_path / "cache")
    for name in ("a.txt", "b.txt", "c.png"):
        (folder / name).write_bytes(b"" if name == "c.png" else b"text")
    with pytest.raises(DataError, match="can be read; of 3 skipped: 2 not an image, 1 empty file; PNG"):
        load(folder, tmp_path / "cache")


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path):
    folder = folder_of(tmp_path / "set")

    def grow(*_: int) -> None:
        (folder / "new.png").write_bytes(b"")

    with pytest.raises(DataError, match="changed while it was read; run again"):
        load_images(folder, SMALL, strict=True, cache=tmp_path / "cache", progress=grow)
    assert load(folder, tmp_path / "cache", strict=False)[0].skipped == (Skipped("new.png", "empty file"),)


def test_progress_counts_to_the_end(tmp_path):
    folder = folder_of(tmp_path / "set", np.repeat(PIXELS, 5, axis=0))
    message = []
    load_images(folder, SMALL, strict=True, cache=tmp_path / "cache", progress=lambda *count: message.append(count))
    assert message == [(64, 150), (128, 150), (150, 150)]


def test_images_are_written_batch_by_batch_in_any_order(tmp_path, monkeypatch):
    """None of the batches is kept: they may be more than fit into memory."""
    monkeypatch.setattr(module, "_ROWS", 4)
    alive = 0

    class Counted(np.ndarray):
        def __array_finalize__(self, _):
            nonlocal alive
            alive += 1

        def __del__(self):
            nonlocal alive
            alive -= 1

    most = 0

    def batches():
        nonlocal most
        for i in reversed(range(10)):
            rows = slice(3 * i, 3 * i + 3)
            yield batch_of([f"{n:02d}" for n in range(30)[rows]], PIXELS[rows].view(Counted))
            most = max(most, alive)

    write_images(tmp_path, batches(), SMALL)
    images = read_images(tmp_path, "here", SMALL)
    assert most <= 3
    assert images.names == tuple(f"{n:02d}" for n in range(30))
    np.testing.assert_array_equal(images.pixels, PIXELS)
    assert images.hashes[7].tobytes() == batch_of(["x"], PIXELS[7:8]).hashes.tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hashes.npy", "images.json", "pixels.npy"]


def harm_pixels(final: Path) -> None:
    (final / "pixels.npy").write_bytes((final / "pixels.npy").read_bytes()[:-1])


def harm_about(final: Path) -> None:
    (final / "images.json").write_text("{")


def test_images_are_found_by_their_digest_alone(tmp_path):
    folder, cache = folder_of(tmp_path / "set"), tmp_path / "cache"
    other, _ = load(folder_of(tmp_path / "other", PIXELS[:9]), cache)
    images, _ = load(folder, cache)
    found = cached_images(cache, images.digest, "set", SMALL)
    assert found is not None
    np.testing.assert_array_equal(found.pixels, images.pixels)
    assert (found.names, found.source, len(other.names)) == (images.names, "set", 9)
    for about in cache.glob("entries/*/images.json"):
        about.write_text("{")  # such an entry is passed over
    assert cached_images(cache, images.digest, "set", SMALL) is None
    assert cached_images(tmp_path / "none", images.digest, "set", SMALL) is None


@pytest.mark.parametrize("harm", [harm_pixels, harm_about])
def test_a_damaged_entry_is_decoded_again(tmp_path, harm):
    folder = folder_of(tmp_path / "set")
    load(folder, tmp_path / "cache")
    (final,) = (tmp_path / "cache" / "entries").iterdir()
    harm(final)
    images, decoded = load(folder, tmp_path / "cache")
    assert decoded == len(PIXELS)
    assert len(images.pixels) == len(PIXELS)


def test_an_interrupt_leaves_nothing(tmp_path):
    folder = folder_of(tmp_path / "set")

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_images(folder, SMALL, strict=True, cache=tmp_path / "cache", progress=interrupt)

    assert not list((tmp_path / "cache" / "aside").iterdir())
    assert load(folder, tmp_path / "cache")[1] == len(PIXELS)


PROGRAM = """
import os, resource, signal, sys, time
from pathlib import Path
from twofold.vae.config import ImageConfig
from twofold.vae.images.load import load_images

path, cache, start, kind = sys.argv[1:]
if kind == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
seen = 0

def progress(done, total):
    global seen
    seen = done
    if kind == "kill" and done > 64:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)

print("ready", flush=True)
while not Path(start).exists():
    time.sleep(0.01)
try:
    images = load_images(Path(path), ImageConfig(size=16), strict=True, cache=Path(cache), progress=progress)
except ValueError as error:
    sys.exit(str(error))
print(seen, images.digest, len(images.names))
"""


def started(path: Path, folder: Path, kind: str = "") -> subprocess.Popen[str]:
    """A process that waits, ready to load, for the file `start`."""
    arguments = [str(path), str(folder / "cache"), str(folder / "start"), kind]
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_of_two_processes_one_decodes_and_both_agree(tmp_path):
    folder = folder_of(tmp_path / "set", np.repeat(PIXELS, 6, axis=0))
    processes = [started(folder, tmp_path) for _ in range(2)]

    (tmp_path / "start").touch()
    results = sorted(process.communicate()[0].split() for process in processes)

    assert [process.returncode for process in processes] == [0, 0]
    assert [int(seen) for seen, *_ in results] == [0, 180]
    assert results[0][1:] == results[1][1:]


def test_a_process_killed_midway_leaves_nothing_that_looks_whole(tmp_path):
    folder = folder_of(tmp_path / "set", np.repeat(PIXELS, 6, axis=0))
    (tmp_path / "start").touch()
    process = started(folder, tmp_path, "kill")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "cache" / "aside").iterdir())) == 1
    assert not list((tmp_path / "cache" / "entries").iterdir())

    load(folder_of(tmp_path / "other"), tmp_path / "cache")

    assert not list((tmp_path / "cache" / "aside").iterdir())
    images, decoded = load(folder, tmp_path / "cache")
    assert decoded == 180
    np.testing.assert_array_equal(images.pixels[images.names.index("sub/006.png")], PIXELS[1])


def test_a_disk_without_room_names_the_way_out(tmp_path):
    """A real failure of a real write: the process may write no file longer than 50 kB."""
    folder = folder_of(tmp_path / "set", np.repeat(PIXELS, 6, axis=0))
    (tmp_path / "start").touch()
    process = started(folder, tmp_path, "full")
    _, message = process.communicate()

    assert process.returncode == 1
    assert message.startswith(f"{tmp_path / 'cache'}: the cache can't be written there (")
    assert message.endswith("make room or give another folder with --cache\n")
    assert not list((tmp_path / "cache" / "aside").iterdir())


@pytest.mark.realdata
def test_all_faces(data_folder, tmp_path):
    images, decoded = load(data_folder / "faces-64.zip", tmp_path, config=ImageConfig())
    assert decoded == 21_551
    assert images.pixels.shape == (21_551, 64, 64, 3)
    assert images.skipped == ()
    assert images.names == tuple(sorted(images.names))
    assert load(data_folder / "faces-64.zip", tmp_path, config=ImageConfig())[1] == 0


def hashes_of(numbers) -> np.ndarray:
    data = b"".join(hashlib.blake2b(str(number).encode(), digest_size=16).digest() for number in numbers)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, 16)


def parts(split: Split, total: int) -> list[str]:
    names = [""] * total
    for part in PARTS:
        for row in getattr(split, part):
            assert not names[row]
            names[row] = part
    assert all(names)
    return names


def test_every_image_is_in_the_part_that_its_hash_says():
    hashes = hashes_of(range(500))
    found = parts(split_images(hashes, SplitConfig(test_fraction=0.2, validation_fraction=0.3)), 500)
    for row, part in zip(hashes, found, strict=True):
        u = int.from_bytes(hashlib.blake2b(b"twofold split" + row.tobytes()).digest()[:8], "big") / 2**64
        assert part == ("test" if u < 0.2 else "validation" if u < 0.5 else "train")


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 10_000), min_size=120, max_size=200), st.sets(st.integers(10_001, 20_000), max_size=100))
def test_adding_files_moves_none(old, new):
    before, after = sorted(old), sorted(old | new, key=lambda number: number % 977)
    first = dict(zip(before, parts(split_images(hashes_of(before), SplitConfig()), len(before)), strict=True))
    second = dict(zip(after, parts(split_images(hashes_of(after), SplitConfig()), len(after)), strict=True))
    assert first == {number: second[number] for number in before}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=300, max_size=400))
def test_duplicates_share_a_part(numbers):
    numbers = [*numbers, *range(100)]
    found = parts(split_images(hashes_of(numbers), SplitConfig()), len(numbers))
    assert len({(number, part) for number, part in zip(numbers, found, strict=True)}) == len(set(numbers))


def test_shares_are_about_those_of_the_config():
    split = split_images(hashes_of(range(20_000)), SplitConfig(validation_fraction=0.05, test_fraction=0.15))
    assert len(split.test) == pytest.approx(3000, rel=0.06)
    assert len(split.validation) == pytest.approx(1000, rel=0.1)


def test_rows_are_ascending():
    split = split_images(hashes_of(range(300)), SplitConfig())
    assert all((np.diff(getattr(split, part)) > 0).all() for part in PARTS)


@pytest.mark.parametrize("images", [0, 1, 3])
def test_an_empty_part_says_how_many_images_there_are(images):
    with pytest.raises(InputError, match=rf"part of the split is empty: there are {images} images, .*give more images"):
        split_images(hashes_of(range(images)), SplitConfig())


def test_many_copies_of_one_image_are_one_image():
    with pytest.raises(InputError, match="there are 500 images, 1 of them different"):
        split_images(np.repeat(hashes_of([1]), 500, axis=0), SplitConfig())


def images_named(names: list[str], tmp_path: Path, numbers: list[int] | None = None) -> Images:
    """Images of one colour each, the same where their numbers are."""
    order = np.argsort(names)
    numbers = numbers or list(range(len(names)))
    pixels = np.zeros((len(names), SIZE, SIZE, 3), dtype=np.uint8)
    for row, number in enumerate(numbers):
        pixels[row, 0, 0, :2] = number % 256, number // 256
    tmp_path.mkdir(exist_ok=True)
    write_images(tmp_path, [batch_of([names[i] for i in order], pixels[order])], SMALL)
    return read_images(tmp_path, "here", SMALL)


@pytest.mark.parametrize("folders", [("train", "val", "test"), ("set/Training", "set/valid", "set/testing")])
def test_the_sets_own_parts(tmp_path, folders):
    train, val, test = folders
    names = [f"{train}/cat/{i}.png" for i in range(5)] + [f"{val}/{i}.png" for i in range(3)] + [f"{test}/a.png"]
    images = images_named(names, tmp_path / "cache")
    split = split_of(images, SplitConfig(own=True))
    found = {part: {images.names[row] for row in getattr(split, part)} for part in PARTS}
    assert found == {"train": set(names[:5]), "validation": set(names[5:8]), "test": {names[8]}}


def test_without_validation_images_a_hash_takes_them_from_training_alone(tmp_path):
    names = [f"train/{i:03d}.png" for i in range(400)] + [f"test/{i:03d}.png" for i in range(50)]
    images = images_named(names, tmp_path / "cache", [*range(400), *range(395, 445)])
    split = split_of(images, SplitConfig(own=True, validation_fraction=0.25))
    assert [images.names[row] for row in split.test] == names[400:]
    assert 60 < len(split.validation) < 140
    assert len(split.train) + len(split.validation) == 400
    assert copies_of_test(images, split) == 5
    fewer = images_named(names[10:], tmp_path / "fewer", [*range(10, 400), *range(395, 445)])
    kept = {fewer.names[row] for row in split_of(fewer, SplitConfig(own=True, validation_fraction=0.25)).validation}
    assert kept == {images.names[row] for row in split.validation} - set(names[:10])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/a", "test/b", "c"], r"1 of 3 images lie in no folder of a part \(c\); .*leave --split.own out"),
        (["a", "b"], r"2 of 2 images lie in no folder of a part"),
        (["test/a", "test/b"], "there are no train images in here; leave --split.own out"),
        (["train/a", "train/b", "val/c"], "there are no test images in here; leave --split.own out"),
    ],
)
def test_a_set_without_parts_of_its_own_is_refused(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        split_of(images_named(names, tmp_path / "cache"), SplitConfig(own=True))


def test_without_own_the_hash_decides_whatever_the_folders(tmp_path):
    images = images_named([f"{'train' if i % 2 else 'test'}/{i:03d}" for i in range(200)], tmp_path / "cache")
    one, other = split_of(images, SplitConfig()), split_images(images.hashes, SplitConfig())
    for part in PARTS:
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_the_advice_on_an_empty_part_can_be_followed(tmp_path):
    hashes = hashes_of(range(12))
    with pytest.raises(InputError, match=r"the train part .* or lower --split.validation-fraction or"):
        split_images(hashes, SplitConfig(validation_fraction=0.49, test_fraction=0.499))
    with pytest.raises(InputError, match=r"the test part .* or raise --split.test-fraction"):
        split_images(hashes, SplitConfig(test_fraction=0.001, validation_fraction=0.3))
    assert len(split_images(hashes, SplitConfig(test_fraction=0.3, validation_fraction=0.3)).test)
    with pytest.raises(InputError, match=r"give more images$"):
        split_images(hashes[:1], SplitConfig())
