"""Damaged files of every kind that the package reads: does any crash, hang, fill the memory, or pass without a word?

`python bench/fuzz.py [--files N] [--seed S] [--only KIND ...] [--out FOLDER]` makes small sound files of each kind,
damages each copy by a rule and a seed (bits, cuts, splices, huge numbers in headers; values of another type, deep
nesting, other codings; members of archives, whose checksums are made right again) and gives it to the function that
the commands call for such a file, in two processes. It prints what became of them, and ends with 1 at a fault:

- accepted: it was read, as what it now says.
- refused: with the user's error (exit status 2), whose message names the file.
- FAULT: another exception, a message without the file's name, words on standard error that nobody chose, more than 10 s
  of a processor, more than 1 GiB, or the death of the process. Such files are kept in FOLDER, with what went wrong.

The same seed and number make the same file; `--first N` goes on from file N of each kind.
"""

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fuzz.seeds import KINDS, Kind
from fuzz.trial import Told, trials

FATES = "accepted", "refused", "FAULT"


def fuzz() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--first", type=int, default=0, help="number of the first file of each kind, to go on from")
    parser.add_argument("--out", type=Path, help="where files of faults are kept")
    parser.add_argument("--minutes", type=float, default=60.0, help="ends earlier, with what was tried by then")
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="twofold-faults-"))
    began, found, faults = time.monotonic(), {kind: Counter[str]() for kind in given.only}, Counter[str]()

    def tasks() -> Iterator[tuple[Kind, int]]:
        for number in range(given.first, given.first - (-given.files // len(given.only))):
            if time.monotonic() - began > 60 * given.minutes:
                print(f"time is up: --first {number} goes on", file=sys.stderr)
                return
            for kind in given.only:
                yield kind, number

    for told, folder in trials(tasks(), given.seed):
        found[told.kind][told.fate] += 1
        if told.fate == "FAULT":
            faults[_sort(told)] += 1
            _keep(told, folder, out)
        _tell(sum(counts.total() for counts in found.values()), sum(faults.values()), began)
    _print(found, faults)
    print(f"\nseed {given.seed}, files {given.first} on, {time.monotonic() - began:.0f} s")
    if faults:
        print(f"kept in {out}")
    return int(bool(faults))


def _tell(done: int, faults: int, began: float) -> None:
    if done % 250 == 0:
        print(f"  {done:,} files, {faults} faults, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _print(found: dict[Kind, Counter[str]], faults: Counter[str]) -> None:
    print("| kind | files | accepted | refused | FAULT |\n|---|---|---|---|---|")
    for name, counts in [*found.items(), ("all", sum(found.values(), Counter()))]:
        print(f"| {name} | {counts.total():,} | {' | '.join(f'{counts[fate]:,}' for fate in FATES)} |")
    for sort, number in faults.most_common():
        print(f"FAULT {number} times: {sort}")


def _sort(told: Told) -> str:
    """Faults of one cause under one name: without numbers and names of files."""
    return f"{told.kind}: {re.sub(r'0x[0-9a-f]+|[0-9]+|/[^ :]+/', '*', told.what)[:160]}"


def _keep(told: Told, folder: Path, out: Path) -> None:
    kept = out / f"{told.kind}-{told.number:05d}"
    if folder.is_dir():
        shutil.copytree(folder, kept, dirs_exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "WHY.txt").write_text(told.what + "\n", encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(fuzz())
