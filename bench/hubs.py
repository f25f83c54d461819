"""Replays a season of a CDC hub by the command line: quantiles and categories beside the teams', and wall times.

`TWOFOLD_DATA=FOLDER python bench/hubs.py [flusight|covid|rsv] [--season 2024-25] [--alone] [--out FOLDER]` lays out
the hub's folder from its published files and runs one command: WIS relative to the hub's baseline on all forecasts and
without the country, coverage, the difference to the hub's ensemble with its interval, and, where the hub asks for them,
RPS of the categories; then the wall time of the backtest, of a fit, and of one week's submission from the saved model.
COVID-19 and RSV learn from the other hubs as well, or, by `--alone`, from themselves. It fails when a backtest takes 20
minutes, a fit 5 minutes or a submission 10 seconds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BACKTEST_LIMIT_S, FIT_LIMIT_S, FORECAST_LIMIT_S = 1200, 300, 10
FOLDERS = {"flusight": "flusight", "covid": "covid-hub", "rsv": "rsv-hub"}
VERSIONS = {"flusight": "vintages.parquet", "covid": "versions.parquet", "rsv": "versions.parquet"}


def lay_out(data: Path, name: str, season: str, out: Path) -> Path:
    """A hub's folder as its repository has it, but for the teams' submissions."""
    own, hub = data / FOLDERS[name], out / name
    if hub.exists():
        shutil.rmtree(hub)
    shutil.copytree(own / "hub-config", hub / "hub-config")
    locations = own / f"locations_{season}.csv" if name == "flusight" else own / "locations.csv"
    for source, path in (
        (own / VERSIONS[name], "target-data/time-series.parquet"),
        (locations, "auxiliary-data/locations.csv"),
    ):
        (hub / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(source, hub / path)
    return hub


def run(*words: str | Path) -> float:
    """Runs a command of twofold; its wall time in seconds."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "twofold", "hub", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def show(scores: dict[str, Any]) -> None:
    """Prints the figures that docs/measurements.md and docs/log.md quote."""
    quantile = scores["quantile"]
    print(
        f"{scores['hub']} {scores['season']}: {len(scores['dates'])} reference dates, truth of {scores['truth_as_of']}"
    )
    for part in ("models", "without_us"):
        print(f"WIS relative to {quantile['baseline']}, {part}")
        for name, row in quantile[part].items():
            figures = ("relative_wis", "relative_log_wis", "coverage_50", "coverage_95")
            print(f"  {name:28} n {row['n']:5}", " ".join(f"{key} {row[key]:.4f}" for key in figures if row[key]))
    against(quantile, "WIS")
    if "models" not in scores:
        return
    print(f"RPS of the categories, relative to {scores['baseline']}")
    for name, row in scores["models"].items():
        print(
            f"  {name:38} n {row['n']:5} RPS {row['rps']:.4f} relative {row['relative_rps']:.4f} ECE {row['ece']:.4f}"
        )
    against(scores, "RPS")


def against(scores: dict[str, Any], score: str) -> None:
    """Prints the difference of the default to the hub's ensemble."""
    found = scores["differences"].get(scores["ensemble"])
    if found:
        interval = f"[{found['low']:+.4f}, {found['high']:+.4f}]"
        print(f"{scores['default']} minus {scores['ensemble']}: {found['mean']:+.4f} {interval} {score}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hub", nargs="?", choices=FOLDERS, default="flusight")
    parser.add_argument("--season", default="2024-25")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--out", type=Path, default=None)
    chosen = parser.parse_args()
    data, out = Path(os.environ["TWOFOLD_DATA"]), chosen.out or Path(tempfile.mkdtemp())
    hubs = {
        name: lay_out(data, name, chosen.season, out / "hubs") for name in FOLDERS if (data / FOLDERS[name]).is_dir()
    }
    learned: list[str | Path] = []
    if chosen.hub != "flusight" and not chosen.alone:
        learned = ["--also", *(path for name, path in hubs.items() if name != chosen.hub)]
    if chosen.hub == "flusight" or learned:
        learned += ["--history", data / "flusight" / "ilinet_state.csv"]
    own = data / FOLDERS[chosen.hub]
    peers: list[str | Path] = []
    for option, path in (
        ("--peers", own / "peers_rate_change.parquet"),
        ("--peers-quantiles", own / f"peers_quantiles_{chosen.season}.parquet"),
    ):
        peers += [option, path] if path.exists() else []
    hub = "--hub", hubs[chosen.hub]
    took_s = run("backtest", *hub, *learned, "--season", chosen.season, *peers, "--out", out / "backtest")
    scores = json.loads((out / "backtest" / "scores.json").read_text())
    show(scores)
    print(f"backtest: {took_s:.0f} s")
    day = "--reference-date", scores["dates"][-1]
    fit_s = run("fit", *hub, *learned, *day, "--out", out / "model")
    week_s = run("forecast", "--model", out / "model", *hub, *day, "--out", out / "submission")
    print(f"one fit of all models: {fit_s:.0f} s; one week's submission from the saved model: {week_s:.1f} s")
    return int(took_s >= BACKTEST_LIMIT_S or fit_s >= FIT_LIMIT_S or week_s >= FORECAST_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
