"""Single bits flipped in the files of run folders, models and the cache of images: is any of them used?

`python bench/flips.py [--flips N] [--seed S] [--out FOLDER]` makes a finished folder of every kind by its own command
(kept in FOLDER, where one is named), flips a bit of a file of it, gives the folder to one of the commands that open
this file, and puts the bit back; then the same for unfinished folders, which the same command goes on with. It prints
what became of the flips, by kind, and ends with 1 when one was used:

- named: the command ended with an error (in the app: 409) that names the file.
- made again: a note named the file; the part was computed again, and the results were the same bytes.
- not read: no command but `runs check` opens the file, which named it.
- written anew: of an unfinished folder; the command does not read the file before it writes it.
- journal: the bit was one of `twofold.sha256`; `runs check` named the file whose line it was.

Logs (`log.txt`, `.lock`) are outside. It ends after an hour (`--minutes`), with what was tried by then.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from runs.every_kind import Made, commands, inputs
from runs.flips import Reader, command, files, flipped, readers, tidy, trial, tried, who_opens
from twofold.cli import main
from twofold.engine.sound import JOURNAL

CACHED, RESUMED = 20, 61
"""One of so many flips is tried on the cache of images, and on an unfinished folder, where a whole command runs."""
RESULTS = ".parquet", ".safetensors", ".skops", ".npz", ".svg"
"""Files that are the same bytes after any interruption, whatever the clock said."""


def flips() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0, help="ends earlier, with what was tried by then")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return _flips(given.out or Path(folder), given.flips, random.Random(given.seed), 60 * given.minutes)


def _flips(root: Path, number: int, chance: random.Random, seconds: float) -> int:
    began, data = time.monotonic(), inputs(root / "data")
    (root / "other").mkdir(exist_ok=True)
    made = list(commands(data, root / "runs", root / "cache"))
    for each in made:
        if main(each.words):
            return 1
    tables = {each.kind: who_opens(readers(each, data, root / "other")) for each in made}
    tidy(root / "runs")
    print(f"{len(made)} folders and their readers: {time.monotonic() - began:.0f} s", flush=True)

    found: dict[str, Counter[str]] = {}
    used: list[str] = []
    for done in range(number):
        each = made[done % len(made)]
        if time.monotonic() - began > seconds:
            break
        if done % CACHED == 0:
            what, where = _cached(data, root, chance)
            _count(found, used, "cache of images", what, where)
        elif done % RESUMED == 1 and each.kind != "hub fit":
            what, where = _resumed(each, root / "half", chance)
            _count(found, used, f"{each.kind}, unfinished", what, where)
        else:
            path = chance.choice(files(each.folder))
            what, reader, place = trial(path, each.folder, tables[each.kind], chance)
            _count(found, used, each.kind, what, f"{path}, {place}: {reader}")
        _tell(done, began)
    _print(found, time.monotonic() - began)
    for where in used:
        print(f"USED: {where}")
    return int(bool(used))


def _count(found: dict[str, Counter[str]], used: list[str], kind: str, what: str, where: str) -> None:
    found.setdefault(kind, Counter())[what] += 1
    if what == "USED":
        used.append(where)


def _cached(data: dict[str, Path], root: Path, chance: random.Random) -> tuple[str, str]:
    """A flip in the cache of images."""
    cache = root / "looked"
    words = ("vae", "look", str(data["discs"]), "--cache", str(cache), "--out", str(root / "other" / "look.png"))
    look = Reader("vae look", command(*words))
    if not cache.is_dir():
        look.read()
    tidy(cache)
    path = chance.choice(files(cache))
    with flipped(path, chance) as place:
        if path.name == JOURNAL:
            refused, _ = command("runs", "check", str(path.parent))()
            return "journal, named by runs check" if refused else "USED", f"{path}, {place}"
        return tried(path, look), f"{path}, {place}: vae look"


def _resumed(each: Made, half: Path, chance: random.Random) -> tuple[str, str]:
    """A flip in a folder that is finished but for its last file, and the command that finishes it."""
    shutil.rmtree(half, ignore_errors=True)
    begun = each.copied(half)
    (half / "DONE").unlink()
    path = chance.choice(files(half))
    content = bytearray(path.read_bytes())
    place, bit = chance.randrange(len(content)), chance.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    where = f"{path}, byte {place}, bit {bit}: the same command"
    refused, said = command(*begun.words)()
    if refused:
        return ("named" if path.name in said else "USED"), where
    if _results(half) != _results(each.folder):
        return "USED", where
    return ("made again" if "made again" in said else "written anew"), where


def _results(folder: Path) -> dict[str, bytes]:
    same = (path for path in files(folder) if path.suffix in RESULTS and path.parent.name != "checkpoint")
    return {str(path.relative_to(folder)): path.read_bytes() for path in same}


def _tell(done: int, began: float) -> None:
    if done % 500 == 499:
        print(f"  {done + 1:,} flips, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _print(found: dict[str, Counter[str]], seconds: float) -> None:
    columns = sorted({what for each in found.values() for what in each})
    print(f"\n| folder | flips | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}")
    for kind, each in found.items():
        print(f"| {kind} | {each.total():,} | {' | '.join(f'{each[what]:,}' for what in columns)} |")
    whole = sum(found.values(), Counter())
    print(f"| all | {whole.total():,} | {' | '.join(f'{whole[what]:,}' for what in columns)} |")
    print(f"\n{seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(flips())
