"""Start-up time: of every command's help, and of the error for wrong input.

Run by `make bench`. Fails when help of any command takes 0.4 s or more, the overview 0.2 s or more, or the answer to a
missing file, a wrong column or a bad option 1 s or more, or a look at a table of 1 MB 2 s or more; each the best of
five processes.
"""

import random
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from twofold.cli import COMMANDS

OVERVIEW_S, HELP_S, ANSWER_S, LOOK_S = 0.2, 0.4, 1.0, 2.0
TIMES = 5


def seconds(arguments: list[str]) -> float:
    """Wall time of one process of this Python."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _megabyte(folder: Path) -> Path:
    """A long table of 100 regions and 400 days; no region is the sum of others."""
    draw, first = random.Random(0), date(2024, 1, 1)
    days = [first + timedelta(days=j) for j in range(400)]
    rows = [f"region number {i},{day},{draw.randrange(100)}\n" for i in range(100) for day in days]
    path = folder / "long.csv"
    path.write_text("region,date,value\n" + "".join(rows), encoding="utf-8")
    return path


def main() -> int:
    """Prints best and median of five for each command; 1 when one is too slow."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "cases.csv"
        table.write_text("place,day,cases\nA,2024-01-01,1\n", encoding="utf-8")
        missing = str(Path(folder) / "missing")
        waits: dict[str, tuple[list[str], float]] = {
            "python -c pass": (["-c", "pass"], float("inf")),
            "twofold --help": (["-m", "twofold", "--help"], OVERVIEW_S),
        }
        waits |= {f"{' '.join(words)} --help": (["-m", "twofold", *words, "--help"], HELP_S) for words in COMMANDS}
        hub = ["--vintages", missing, "--locations", missing]
        answers = {
            "trend run, a missing file": ["trend", "run", "--data", missing],
            "trend run, a wrong column": ["trend", "run", "--data", str(table)],
            "trend run, a bad option": ["trend", "run", "--train.epochs", "0"],
            "trend backtest, a missing file": ["trend", "backtest", "--data", missing],
            "trend study, a missing file": ["trend", "study", "--data", missing],
            "trend predict, a missing run": ["trend", "predict", missing],
            "hub backtest, a missing file": ["trend", "hub", "backtest", *hub, "--season", "2024-25"],
            "hub validate, a missing file": ["trend", "hub", "validate", missing, "--locations", missing],
            "vae run, a missing folder": ["vae", "run", "--images", missing],
            "vae run, a bad option": ["vae", "run", "--objective.beta", "-1"],
            "vae encode, a missing run": ["vae", "encode", missing],
        }
        waits |= {name: (["-m", "twofold", *words], ANSWER_S) for name, words in answers.items()}
        waits["trend look, 1 MB"] = (["-m", "twofold", "trend", "look", str(_megabyte(Path(folder)))], LOOK_S)
        slow = []
        for name, (arguments, limit) in waits.items():
            taken = sorted(seconds(arguments) for _ in range(TIMES))
            print(f"{name:<34} best {1000 * taken[0]:6.0f} ms   median {1000 * taken[TIMES // 2]:6.0f} ms")
            if taken[0] >= limit:
                slow.append(name)
    if slow:
        print(f"too slow: {'; '.join(slow)}")
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
