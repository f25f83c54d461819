"""Shares of emergency department visits, whose versions begin in June 2025: a season made up from one of them.

`TWOFOLD_DATA=FOLDER python bench/development/hub_shares.py OUT [--season 2024-25] [option of hub backtest ...]` lays
out the COVID-19 and the RSV hub in the folder OUT, with the last version of each before August 2025 cut at every week,
and replays the season by the command line: by each disease's own shares, and with the other's. So revisions have no
part here, and the scores are too good by what they cost. It prints WIS relative to the last value's, and coverage.
"""

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl

HUBS = {"covid": "covid-hub", "rsv": "rsv-hub"}
PUBLISHED = timedelta(days=4)
"""After the end of a week: Wednesday."""


def lay_out(data: Path, disease: str, out: Path) -> Path:
    """A hub's folder in which each week of the last version is published once."""
    own, hub = data / HUBS[disease], out / disease
    shutil.copytree(own / "hub-config", hub / "hub-config", dirs_exist_ok=True)
    for name in ("target-data", "auxiliary-data"):
        (hub / name).mkdir(exist_ok=True)
    shutil.copyfile(own / "locations.csv", hub / "auxiliary-data/locations.csv")
    table = pl.read_parquet(own / "versions.parquet").filter(pl.col("target") == f"wk inc {disease} prop ed visits")
    last = table.filter(pl.col("as_of") == table["as_of"].max())
    weekly = last.with_columns(as_of=pl.col("target_end_date") + PUBLISHED)
    weekly.write_parquet(hub / "target-data/time-series.parquet")
    return hub


def main() -> int:
    """Lays out both hubs, replays the season four times and prints the scores."""
    out, options = Path(sys.argv[1]), sys.argv[2:]
    if "--season" not in options:
        options += ["--season", "2024-25"]
    hubs = {disease: lay_out(Path(os.environ["TWOFOLD_DATA"]), disease, out) for disease in HUBS}
    for disease, hub in hubs.items():
        other = next(folder for name, folder in hubs.items() if name != disease)
        for what, also in (("alone", []), ("with the other's", ["--also", str(other)])):
            folder = out / f"{disease}-{what.split()[0]}"
            words = ["--hub", str(hub), *also, "--target", "shares", "--out", str(folder), *options]
            subprocess.run(
                [sys.executable, "-m", "twofold", "hub", "backtest", *words], check=True, stdout=subprocess.DEVNULL
            )
            for name, row in json.loads((folder / "scores.json").read_text())["quantile"]["models"].items():
                figures = ("relative_wis", "relative_log_wis", "coverage_50", "coverage_95")
                print(f"{disease} {what:16} {name:24} n {row['n']}", *(f"{key} {row[key]:.3f}" for key in figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
