"""The weekly recipes on ILINet by state and on JHU's weeks: runs and walks forward, beside every baseline.

`TWOFOLD_DATA=FOLDER python bench/weekly.py [OUT]` runs on the development data: ILINet before the season 2017-18, the
last two seasons held out, and JHU until 2021, the last 26 weeks held out. With `--test` on all data: ILINet's seasons
from 2017-18 on and JHU's weeks from 2022 on are held out. Walks are refitted every 13 weeks; those of the test go over
the seasons 2017-18 and 2018-19, and over the same weeks of JHU. `--only NAME` makes only those named. Prints
log score, Brier skill and ROC AUC on active windows with 90 % intervals over blocks of 4 weeks, and the headline's
paired differences of log score to each baseline.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

LENGTH = 8  # weeks in a window of the recipes
SEASONS = date(2017, 10, 1)  # the first Sunday of ILINet's test
SHOWN = "log_score", "brier_skill", "roc_auc"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, help="folder for the run folders; a temporary one by default")
    parser.add_argument("--test", action="store_true", help="the test in place of the development data")
    parser.add_argument("--jobs", default="0", help="networks or refits at the same time; 0: one for each core")
    parser.add_argument("--only", nargs="+", help="names of what is to be run, such as walk-jhu")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    data = Path(os.environ["TWOFOLD_DATA"])
    for name, words in jobs(data, out, arguments.test):
        if not arguments.only or name in arguments.only:
            folder, began = out / f"{name}-{'test' if arguments.test else 'development'}", time.perf_counter()
            parallel = "--train.jobs" if words[0] == "run" else "--jobs"
            command = [sys.executable, "-m", "twofold", "trend", *words, "--out", str(folder), parallel, arguments.jobs]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            show(name, json.loads((folder / "scores.json").read_text()), time.perf_counter() - began)
    return 0


def jobs(data: Path, out: Path, test: bool) -> list[tuple[str, list[str]]]:
    """What is run: a name, and the words of its command."""
    flu = ilinet(data / "flusight" / "ilinet_state.csv", date(9999, 1, 1) if test else SEASONS)
    flu_path = out / f"ilinet-{'all' if test else 'development'}.csv"
    flu.write_csv(flu_path)
    weeks = flu["date"].n_unique()
    flu_held = flu.filter(pl.col("date") > SEASONS)["date"].n_unique() if test else 104
    # JHU's daily table ends on 2023-03-09; its weeks end on Saturdays, the last on 2023-03-04.
    jhu = ["--data", str(data / "time_series_covid19_confirmed_global.csv")]
    jhu_weeks, jhu_held = (162, 62) if test else (100, 26)
    jhu += [] if test else ["--drop-last", str((date(2023, 3, 9) - date(2021, 12, 31)).days)]
    flu_words = ["--data", str(flu_path)]
    walked = ["--first", "2017-10-07", "--until", "2019-09-28"] if test else ["--last", "52"]
    return [
        ("run-ilinet-weekly", ["run", "--recipe", "weekly", *flu_words, *held_out(flu_held, weeks)]),
        ("run-ilinet-weekly-seasonal", ["run", "--recipe", "weekly-seasonal", *flu_words, *held_out(flu_held, weeks)]),
        ("run-ilinet-default", ["run", *flu_words, *held_out(flu_held, weeks, 14), "--score.block-days", "4"]),
        ("run-jhu-weekly", ["run", "--recipe", "weekly", *jhu, *held_out(jhu_held, jhu_weeks)]),
        ("run-jhu-weekly-seasonal", ["run", "--recipe", "weekly-seasonal", *jhu, *held_out(jhu_held, jhu_weeks)]),
        ("run-jhu-default", ["run", "--weekly", *jhu, *held_out(jhu_held, jhu_weeks, 14), "--score.block-days", "4"]),
        ("walk-ilinet", ["backtest", "--recipe", "walk-next-week-seasonal", *flu_words, *walked, "--every", "13"]),
        ("walk-jhu", ["backtest", "--recipe", "walk-next-week", *jhu, "--last", str(jhu_held), "--every", "13"]),
    ]


def ilinet(path: Path, before: date) -> pl.DataFrame:
    """Visits for influenza-like illness by region and week's Saturday, of the regions that reported every week."""
    table = pl.read_csv(path, null_values=["NA"], try_parse_dates=True).filter(pl.col("week_start") < before)
    weeks = table["week_start"].n_unique()
    whole = table.group_by("region").agg(pl.col("ilitotal").count()).filter(pl.col("ilitotal") == weeks)["region"]
    print(f"ILINet: {len(whole)} of {table['region'].n_unique()} regions reported in all {weeks} weeks")
    saturday = pl.col("week_start") + pl.duration(days=6)
    kept = table.filter(pl.col("region").is_in(whole.implode()))
    return kept.select("region", date=saturday, value="ilitotal").sort("region", "date")


def held_out(held: int, weeks: int, length: int = LENGTH) -> list[str]:
    """The share of origins that makes the last `held` weeks the test; the first `length` - 1 and the last are none."""
    return ["--split.test-fraction", repr(held / (weeks - length))]


def show(name: str, found: dict[str, Any], seconds: float) -> None:
    if "walk" in found:
        part, models, head = "active", found["models"], "pool"
        span = f"target dates {found['walk']['first_target']} to {found['walk']['last_target']}"
        pairs = found["comparisons"]
    else:
        part, head = "test_active", "ensemble"
        models = {"ensemble": found, **found["models"], **found["baselines"]}
        span = f"origins {found['split']['test_first']} to {found['split']['test_last']}"
        pairs = found["comparisons"][part]
    print(f"\n{name}, {span}; {seconds:.0f} s", flush=True)
    for model, block in sorted(models.items(), key=lambda item: item[1][part]["log_score"]):
        ends = block["intervals"][part]
        print(f"  {model:15s} {'  '.join(with_interval(block[part][s], ends[s], s) for s in SHOWN)}")
    for pair in pairs:
        if pair["model"] == head and pair["score"] == "log_score":
            ends = [pair["low"], pair["high"]]
            print(f"  {head} minus {pair['against']}: {with_interval(pair['difference'], ends, 'log_score', '+.4f')}")


def with_interval(value: float, ends: list[float], name: str, form: str = ".3f") -> str:
    return f"{name} {value:{form}} [{ends[0]:{form}}, {ends[1]:{form}}]"


if __name__ == "__main__":
    sys.exit(main())
