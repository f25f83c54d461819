"""How fast `twofold app` answers while a slider moves: one client on loopback, 1,000 requests of each kind.

`python bench/app.py` makes run folders of usual size from random numbers (the default network for 64 x 64 pixels with
512 units; 200 regions on 60 dates; 53 places on 31 dates, 12 models), serves them, and prints the median and the 99th
percentile in milliseconds. Fails where the 99th reaches its limit. A table sent for a forecast is timed ten times only.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

REQUESTS, WARM, UPLOADS = 1000, 20, 10
LIMITS_MS = {"decode": 60.0, "trend, a date": 100.0, "hub, a place": 100.0}
UNITS, REGIONS, DAYS = 512, 200, 90
DATES, PEERS = 31, 10
Request = tuple[str, str, bytes]


def folder(path: Path, config: dict[str, Any], command: str) -> Path:
    """A finished run folder without its tables."""
    path.mkdir()
    manifest = {"command": ["twofold", *command.split()], "data_digest": "0", "versions": {}}
    for name, content in (("config", config), ("manifest", manifest)):
        (path / f"{name}.json").write_text(json.dumps(content))
    (path / "DONE").touch()
    return path


def autoencoder(path: Path) -> None:
    """The default network with its first weights: as fast as a trained one."""
    from twofold.vae.model import Vae, save_vae
    from twofold.vae.recipes import default

    config = default()
    image = config.image.model_copy(update={"channels": 3})
    config = config.model_copy(update={"image": image, "model": config.model.model_copy(update={"latent_dim": UNITS})})
    save_vae(Vae.seeded(config, 0), config, folder(path, config.model_dump(mode="json"), "vae run"))


def trend(path: Path, generator: np.random.Generator) -> bytes:
    """A trained run of few steps on random counts; gives its table, as CSV."""
    from twofold.counts.config import SourceConfig
    from twofold.counts.load import read_frame
    from twofold.engine.run import claim
    from twofold.trend.config import TrendConfig
    from twofold.trend.run import execute

    days = [date(2026, 1, 1) + timedelta(day) for day in range(DAYS)]
    table = pl.DataFrame(
        {
            "region": np.repeat([f"region {number}" for number in range(REGIONS)], DAYS),
            "date": days * REGIONS,
            "cases": generator.poisson(60 + 40 * np.sin(np.arange(DAYS) / 9), (REGIONS, DAYS)).ravel(),
        }
    )
    panel = read_frame(table, SourceConfig())
    quick = {
        "window": {"length": 7},
        "model": {"hidden": 4},
        "train": {"epochs": 1, "jobs": 1},
        "ensemble": {"seeds": 1, "partners": ()},
        "score": {"bootstrap": 20},
    }
    config = TrendConfig.model_validate(quick)
    with claim(path, config, panel.digest(), ["twofold", "trend", "run"]) as held:
        execute(panel, "cases.csv", config, held, lambda _: None)
        held.finish()
    return table.write_csv().encode()


def hub(path: Path, generator: np.random.Generator) -> None:
    """A season of quantiles of two models of ours and of peers, with the scores that the page reads."""
    from twofold.hub.distribution import LEVELS
    from twofold.hub.quantile_scores import observations, quantile_board, score_quantiles, sort_out
    from twofold.hub.report.maps import outlines
    from twofold.hub.rules import WEEK, read_rules
    from twofold.hub.run import SHOWN_WEEKS

    rules = read_rules("flusight").season("2024-25")
    places = ["US", "72", *outlines().shapes]
    dates = [rules.first_reference + week * WEEK for week in range(DATES)]
    ends = [dates[0] + week * WEEK for week in range(-SHOWN_WEEKS, DATES + 4)]
    counts = pl.DataFrame(
        [(end, place, float(generator.poisson(200))) for end in ends for place in places],
        ["target_end_date", "location", "value"],
        orient="row",
    )
    back = pl.DataFrame({"reference_date": dates}).join(pl.DataFrame({"weeks": range(1, SHOWN_WEEKS + 1)}), how="cross")
    known = back.with_columns(target_end_date=pl.col("reference_date") - WEEK * pl.col("weeks")).join(
        counts, on="target_end_date"
    )
    units = pl.DataFrame({"reference_date": dates}).join(
        pl.DataFrame({"horizon": rules.horizons}, {"horizon": pl.Int64}), how="cross"
    )
    units = units.join(pl.DataFrame({"location": places}), how="cross")

    def given(model: str) -> pl.DataFrame:
        values = np.sort(generator.gamma(4, 50, (units.height, len(LEVELS))), axis=1)
        wide = units.with_columns(model=pl.lit(model), quantile=pl.lit(list(LEVELS)), value=pl.Series(values.tolist()))
        return wide.explode("quantile", "value").select(
            "model", "reference_date", "horizon", "location", "quantile", "value"
        )

    own, theirs = "twofold-pool", ["FluSight-ensemble", *(f"team-{number}" for number in range(PEERS))]
    tables = {
        "predictions_quantile": given(own),
        "peers_quantile": pl.concat(map(given, theirs)),
        "counts": counts,
        "known": known.select("reference_date", "target_end_date", "location", "value"),
        "locations": pl.DataFrame(
            {
                "location": places,
                "abbreviation": places,
                "name": places,
                "population": [10**9, *([10**6] * (len(places) - 1))],
            }
        ),
    }
    run = folder(path, {"heads": []}, "hub backtest")
    for name, table in tables.items():
        table.write_parquet(run / f"{name}.parquet")
    whole, _ = sort_out(pl.concat([tables["predictions_quantile"], tables["peers_quantile"]]))
    scored = score_quantiles(whole, observations(counts, dates, rules.horizons))
    board = {
        "baseline": theirs[-1],
        "ensemble": theirs[0],
        "default": own,
        "models": {row.pop("model"): row for row in quantile_board(scored, theirs[-1]).iter_rows(named=True)},
        "without_us": {},
        "differences": {},
        "left_out": [],
        "by": {
            column: quantile_board(scored, theirs[-1], (column,)).to_dicts()
            for column in ("reference_date", "horizon", "location")
        },
    }
    scores = {"hub": "flusight", "season": "2024-25", "quantile": board, "weights": []}
    (run / "scores.json").write_text(json.dumps(scores, default=str))
    (run / "rules.json").write_text(rules.to_json())


def measured(port: int, number: int, ask: Callable[[int], Request], kind: str = "application/json") -> np.ndarray:
    """Milliseconds of each request, over one connection that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    found = np.empty(number)
    for index in range(-min(WARM, number), number):
        method, address, body = ask(index)
        began = time.perf_counter()
        connection.request(method, address, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{address}: {answer.status} {content[:300]!r}")
        if index >= 0:
            found[index] = 1000 * (time.perf_counter() - began)
    return found


def main() -> int:
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as root:
        runs = Path(root)
        autoencoder(runs / "vae")
        table = trend(runs / "trend", generator)
        hub(runs / "hub", generator)
        words = [sys.executable, "-m", "twofold", "app", root, "--port", "0", "--open", "no"]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().split("127.0.0.1:")[1].split("/")[0])

            def decode(_: int) -> Request:
                z = generator.normal(size=UNITS).tolist()
                return "POST", "/api/runs/vae/decode", json.dumps({"z": z}).encode()

            kinds: dict[str, Callable[[int], Request]] = {
                "decode": decode,
                "trend, a date": lambda index: ("GET", f"/api/runs/trend/trend/{index % 10}", b""),
                "hub, a place": lambda index: (
                    "GET",
                    f"/api/runs/hub/hub/places/{index % 50}?other={1 + index // 50 % 5}",
                    b"",
                ),
            }
            status = 0
            for name, ask in kinds.items():
                found = measured(port, REQUESTS, ask)
                half, most = np.percentile(found, [50, 99])
                print(
                    f"{name}: p50 {half:.1f} ms, p99 {most:.1f} ms (limit {LIMITS_MS[name]:.0f} ms), "
                    f"{REQUESTS:,} requests, load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
                status |= int(most >= LIMITS_MS[name])
            upload = "POST", "/api/runs/trend/forecast?name=cases.csv", table
            sent = np.median(measured(port, UPLOADS, lambda _: upload, "application/octet-stream")) / 1000
            print(f"a table of {len(table) / 1000:.0f} kB to its forecast: p50 {sent:.2f} s, {UPLOADS} requests")
        finally:
            server.terminate()
            server.wait()
    return status


if __name__ == "__main__":
    sys.exit(main())
