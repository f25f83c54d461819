"""Replays a FluSight season by the command line: the default model compared with the teams, and wall times.

`TWOFOLD_DATA=FOLDER python bench/flusight.py [--season 2024-25] [--out FOLDER]` prints RPS on all forecasts and on
those that every well-covered model made, the interval of the difference to the hub's ensemble, the rank by relative
RPS, the calibration of P(rise), the best recurrent model, the wall time of the backtest, and that of one week's
submission from a saved model. It fails when a backtest takes 15 minutes or more, or a submission 5 s or more.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BACKTEST_LIMIT_S, FORECAST_LIMIT_S = 900, 5
RECURRENT = "twofold-rnn", "twofold-lstm", "twofold-gru"


def run(*words: str | Path) -> float:
    """Runs a command of twofold; its wall time in seconds."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "twofold", "trend", "hub", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def show(scores: dict) -> None:
    """Prints the figures that README.md and docs/log.md quote."""
    default, ensemble = scores["default"], scores["ensemble"]
    print(f"{scores['season']}: {len(scores['dates'])} reference dates, {scores['models'][default]['n']} forecasts")
    covered = [name for name, row in scores["models"].items() if row["coverage"] >= 0.9]
    for name in scores["models"]:
        row, shared = scores["models"][name], scores["common"].get(name, {})
        on_common = f"{shared['rps']:.4f}" if shared else "-"
        print(
            f"  {name:28} n {row['n']:5} RPS {row['rps']:.4f} common {on_common:6} relative {row['relative_rps']:.4f} "
            f"Brier {row['brier_score']:.4f} log {row['log_score']:.4f} ECE {row['ece']:.4f}"
        )
    print(f"{default}: rank {covered.index(default) + 1} of {len(covered)} models with 90 % coverage by relative RPS")
    against = scores["differences"].get(ensemble)
    if against:
        print(f"{default} minus {ensemble}: {against['mean']:+.4f} [{against['low']:+.4f}, {against['high']:+.4f}]")
    best = min((name for name in RECURRENT if name in scores["models"]), key=lambda name: scores["models"][name]["rps"])
    print(f"best recurrent: {best}, RPS {scores['models'][best]['rps']:.4f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--season", default="2024-25")
    parser.add_argument("--out", type=Path, default=None)
    chosen = parser.parse_args()
    data = Path(os.environ["TWOFOLD_DATA"]) / "flusight"
    out = chosen.out or Path(tempfile.mkdtemp())
    common = "--vintages", data / "vintages.parquet", "--locations", data / f"locations_{chosen.season}.csv"
    history, season = ("--history", data / "ilinet_state.csv"), ("--season", chosen.season)
    peers = "--peers", data / "peers_rate_change.parquet"
    quantiles = "--peers-quantiles", data / f"peers_quantiles_{chosen.season}.parquet"
    took_s = run("backtest", *common, *history, *season, *peers, *quantiles, "--out", out / "backtest")
    show(json.loads((out / "backtest" / "scores.json").read_text()))
    print(f"backtest: {took_s:.0f} s")
    last = json.loads((out / "backtest" / "scores.json").read_text())["dates"][-1]
    fit_s = run("fit", *common, *history, "--reference-date", last, "--out", out / "model")
    week_s = run("forecast", "--model", out / "model", *common, "--reference-date", last, "--out", out / "submission")
    print(f"one fit of all models: {fit_s:.0f} s; one week's submission from the saved model: {week_s:.1f} s")
    return int(took_s >= BACKTEST_LIMIT_S or week_s >= FORECAST_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
