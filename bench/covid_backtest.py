"""Walk-forward evaluation on the COVID table: scores of recurrent networks and of logistic regression.

`TWOFOLD_DATA=FOLDER python bench/covid_backtest.py [OUT]` walks over the development days, target increments 51 to 65
(the last 15 dates are dropped from the file before anything else); with `--test` over the test days, increments 66 to
80. C is chosen once, on the increments before the first of them; everything is refitted daily. Prints, for the next
day and for the 7-day mean, Brier skill and ROC AUC of every model on active windows with 90 % intervals of a bootstrap
over blocks of days, paired differences to logistic regression, and the time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPES = "walk-next-day", "walk-mean7"
DEVELOPMENT = "--drop-last", "15"
SHOWN = "brier_skill", "roc_auc", "log_score"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, help="folder for the run folders; a temporary one by default")
    parser.add_argument("--test", action="store_true", help="walk over the test days instead of the development days")
    parser.add_argument("--jobs", default="0", help="refits at the same time; 0: one for each core")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp())
    for recipe in RECIPES:
        folder = out / f"{recipe}-{'test' if arguments.test else 'development'}"
        began = time.perf_counter()
        command = [
            *(sys.executable, "-m", "twofold", "trend", "backtest", "--recipe", recipe, "--last", "15"),
            *("--screen.fixed", "--data", str(Path(os.environ["TWOFOLD_DATA"]) / "covid_19.csv")),
            *(() if arguments.test else DEVELOPMENT),
            *("--out", str(folder), "--jobs", arguments.jobs),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        show(json.loads((folder / "scores.json").read_text()), time.perf_counter() - began)
    return 0


def show(found: dict[str, Any], seconds: float) -> None:
    walk, windows = found["walk"], found["windows"]["active"]
    print(
        f"\n{found['recipe']}, target dates {walk['first_target']} to {walk['last_target']}: {windows['windows']} "
        f"active windows, {windows['up']} up; {seconds:.0f} s"
    )
    for name, model in sorted(found["models"].items(), key=lambda item: item[1]["active"]["log_score"]):
        figures = (with_interval(model["active"][s], model["intervals"]["active"][s], s) for s in SHOWN)
        print(f"  {name:15s} {'  '.join(figures)}")
    for pair in found["comparisons"]:
        if pair["against"] == "logistic" and pair["score"] in ("brier_score", "roc_auc", "log_score"):
            ends = [pair["low"], pair["high"]]
            print(f"  {pair['model']} minus logistic: {with_interval(pair['difference'], ends, pair['score'], '+.4f')}")


def with_interval(value: float, ends: list[float], name: str, form: str = ".3f") -> str:
    return f"{name} {value:{form}} [{ends[0]:{form}}, {ends[1]:{form}}]"


if __name__ == "__main__":
    sys.exit(main())
