"""No file of any kind of folder is used when a bit of it has changed."""

import collections
import random
from pathlib import Path

import pytest

from runs.every_kind import Made
from runs.flips import command, files, flipped, readers, tidy, trial, who_opens
from twofold.cli import main
from twofold.engine.sound import JOURNAL

SOME = 12
"""Flips in each folder."""


@pytest.mark.parametrize(
    "kind", ["trend run", "trend backtest", "vae run", "vae sweep", "vae tune", "hub backtest", "hub fit"]
)
def test_no_flipped_bit_is_used(kind: str, made: dict[str, Made], given: dict[str, Path], tmp_path: Path) -> None:
    own = made[kind].copied(tmp_path / "runs" / "own")
    table = who_opens(readers(own, given, tmp_path))
    tidy(own.folder)
    chance, found = random.Random(kind), collections.Counter[str]()
    for path in chance.choices(files(own.folder), k=SOME):
        what, reader, place = trial(path, own.folder, table, chance)
        assert what != "USED", f"{path}, {place}: {reader}"
        found[what] += 1
    assert found["named"]
    assert main(["runs", "check", str(own.folder)]) == 0


def begun(finished: Made, folder: Path) -> Made:
    """A copy of a finished folder as it was before the last file was written."""
    half = finished.copied(folder)
    (folder / "DONE").unlink()
    return half


def results(folder: Path) -> dict[str, bytes]:
    """The files that are the same after any interruption; a checkpoint holds seconds."""
    kinds = ".parquet", ".safetensors", ".skops", ".npz", ".svg"
    same = [path for path in files(folder) if path.suffix in kinds and path.parent.name != "checkpoint"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in same}


PARTS = {
    "trend run": "checkpoint/*.safetensors",
    "trend backtest": "origins/*",
    "vae run": "checkpoint/*",
    "vae sweep": "runs/*/checkpoint/*.safetensors",
    "hub backtest": "parts/*",
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_with_a_flipped_bit_is_made_again(kind: str, made: dict[str, Made], tmp_path: Path) -> None:
    wanted = results(made[kind].folder)
    chance = random.Random(kind)
    half = begun(made[kind], tmp_path / "half")
    path = chance.choice([path for path in sorted(half.folder.glob(PARTS[kind])) if path.name != "precision.json"])
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    refused, said = command(*half.words)()
    assert not refused, said
    assert path.name in said and "made again" in said
    assert results(half.folder) == wanted
    assert main(["runs", "check", str(half.folder)]) == 0


def test_a_sweep_makes_a_run_again_that_is_no_longer_whole(made: dict[str, Made], tmp_path: Path) -> None:
    wanted = results(made["vae sweep"].folder)
    half = begun(made["vae sweep"], tmp_path / "half")
    scores = half.folder / "runs" / "beta-1-seed-0" / "scores.json"
    scores.write_text(scores.read_text().replace('"recipe"', '"Recipe"', 1))
    refused, said = command(*half.words)()
    assert not refused, said
    assert "scores.json: not what was written there; it is made again" in said
    assert results(half.folder) == wanted
    assert main(["runs", "check", str(half.folder)]) == 0


def test_a_damaged_cache_of_images_is_read_again(made: dict[str, Made], given: dict[str, Path], tmp_path: Path) -> None:
    cache, chance = tmp_path / "cache", random.Random(0)
    look = command("vae", "look", str(given["discs"]), "--cache", str(cache), "--out", str(tmp_path / "look.png"))
    assert not look()[0]
    picture = (tmp_path / "look.png").read_bytes()
    entries = files(cache)
    assert {"pixels.npy", "hashes.npy", "images.json", JOURNAL} <= {path.name for path in entries}
    for path in entries:
        with flipped(path, chance):
            refused, said = look()
            assert not refused
            assert path.name == JOURNAL or "read again" in said, path
            assert (tmp_path / "look.png").read_bytes() == picture
    assert not look()[0]
    assert main(["runs", "check", str(cache)]) == 0
