"""Makes run folders and study folders by the contract, without training: realistic, with every awkward case."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pycountry

from twofold.scoring import binary as score
from twofold.trend.config import TrendConfig

ODD_NAMES = [
    "Cote d'Ivoire",
    "<script>alert(1)</script>",
    "Saint " + "very " * 20 + "long & far",
    "Diamond Princess",
    "A$b$",
]
MODELS = ["network", "gru", "lstm", "base_rate", "all_zero", "mean_reversion", "baseline_logistic", "baseline_boosting"]
KEYS = list(score.scores(np.array([0.2, 0.7]), np.array([False, True])))


def run_folder(folder: Path, *, regions: int = 185, days: int = 82, simulated: bool = True, step: int = 1) -> Path:
    """Writes a run folder of the whole contract, all but manifest and model."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    names, codes = _regions(regions)
    dates = [dt.date(2020, 1, 22) + dt.timedelta(step * day) for day in range(days)]
    increments = _epidemic(random, regions, days - 1)
    correlation = _correlation(increments)
    chosen = np.nanmax(np.where(np.eye(regions, dtype=bool), np.nan, np.nan_to_num(correlation)), axis=1) > 0.7
    predictions = _predictions(random, increments, chosen, names, dates)
    _panel(names, dates, increments).write_parquet(folder / "panel.parquet")
    predictions.write_parquet(folder / "predictions.parquet")
    np.savez_compressed(folder / "arrays.npz", correlation=correlation)
    _tomorrow(random, names=names, codes=codes, chosen=chosen, dates=dates, increments=increments).write_parquet(
        folder / "tomorrow.parquet"
    )
    scores = _scores(predictions, names=names, chosen=chosen, dates=dates, simulated=simulated, step=step)
    (folder / "scores.json").write_text(json.dumps(scores))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _metrics()))
    (folder / "config.json").write_text(TrendConfig().to_json())
    return folder


def _regions(number: int) -> tuple[list[str], list[str | None]]:
    known = sorted((country.name, country.alpha_2.lower()) for country in pycountry.countries)
    chosen = known[:: max(1, len(known) // number)][: number - len(ODD_NAMES)]
    extra = [pair for pair in known if pair not in chosen][: number - len(ODD_NAMES) - len(chosen)]
    codes: list[str | None] = ["ci", None, "lc", None, None]
    return ODD_NAMES + [name for name, _ in chosen + extra], codes + [code for _, code in chosen + extra]


def _epidemic(random: np.random.Generator, regions: int, steps: int) -> np.ndarray:
    start = random.uniform(0, steps * 0.75, regions)
    growth = 1 / (1 + np.exp(-(np.arange(steps)[None] - start[:, None] - 14) / 5))
    size = np.exp(random.normal(3.5, 1.8, regions))
    weekday = 1 - 0.35 * (np.arange(steps) % 7 == 5)
    started = np.arange(steps)[None] > start[:, None]
    counts = (
        random.poisson(size[:, None] * growth * weekday * np.exp(random.normal(0, 0.25, (regions, steps)))) * started
    )
    counts[3] = 0
    counts[5, steps // 2] = -7
    return counts.astype(np.int64)


def _correlation(increments: np.ndarray) -> np.ndarray:
    constant = increments.std(axis=1) == 0
    correlation = np.full((len(increments), len(increments)), np.nan)
    correlation[np.ix_(~constant, ~constant)] = np.corrcoef(increments[~constant])
    return correlation


def _panel(names: list[str], dates: list[dt.date], increments: np.ndarray) -> pl.DataFrame:
    values = np.concatenate([np.zeros((len(names), 1), int), increments.cumsum(axis=1)], axis=1)
    steps = [None, *range(len(dates) - 1)]
    return pl.DataFrame(
        {
            "region": np.repeat(names, len(dates)).tolist(),
            "date": dates * len(names),
            "value": values.reshape(-1),
            "increment": [None if t is None else int(row[t]) for row in increments for t in steps],
        }
    )


def _predictions(
    random: np.random.Generator, increments: np.ndarray, chosen: np.ndarray, names: list[str], dates: list[dt.date]
) -> pl.DataFrame:
    steps, length = increments.shape[1], 14
    test, calibration, validation = int(steps * 0.8), int(steps * 0.72), int(steps * 0.64)
    rows = []
    for index in np.flatnonzero(chosen):
        for origin in range(length - 1, steps - 1):
            last, following = increments[index, origin], increments[index, origin + 1]
            target = origin + 1
            split = "test" if target >= test else "calibration" if target >= calibration else "train"
            split = "validation" if split == "train" and target >= validation else split
            active = bool(increments[index, origin - length + 1 : origin + 1].any())
            rows.append(
                (
                    names[index],
                    dates[origin + 1],
                    dates[origin + 2],
                    split,
                    active,
                    bool(last == following),
                    bool(following > last),
                )
            )
    schema = ["region", "origin", "target_date", "split", "active", "tie", "label"]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    label, active = frame["label"].to_numpy(), frame["active"].to_numpy()
    columns = {"p_ensemble": _guess(random, label, active, 1.0)}
    columns |= {f"p_{name}": _guess(random, label, active, 0.5 + 0.08 * k) for k, name in enumerate(MODELS)}
    columns["p_base_rate"] = np.full(len(label), 0.31)
    return frame.with_columns(pl.Series(name, column) for name, column in columns.items())


def _guess(random: np.random.Generator, label: np.ndarray, active: np.ndarray, skill: float) -> np.ndarray:
    odds = skill * (label - 0.45) + random.normal(0, 0.8, len(label)) - np.where(active, 0.0, 3.0)
    return 1 / (1 + np.exp(-odds))


def _tomorrow(
    random: np.random.Generator,
    *,
    names: list[str],
    codes: list[str | None],
    chosen: np.ndarray,
    dates: list[dt.date],
    increments: np.ndarray,
) -> pl.DataFrame:
    step = dates[1] - dates[0]
    return pl.DataFrame(
        {
            "region": names,
            "iso2": codes,
            "probability": random.beta(2, 3, len(names)),
            "in_c": chosen,
            "origin": [dates[-1]] * len(names),
            "target_date": [dates[-1] + step] * len(names),
            "last_value": increments[:, -1],
        }
    )


def _block(frame: pl.DataFrame, column: str) -> tuple[dict[str, Any], dict[str, Any]]:
    values = score.scores(frame[column].to_numpy(), frame["label"].to_numpy())
    return values, {key: None if value is None else [value - 0.02, value + 0.025] for key, value in values.items()}


def _both(predictions: pl.DataFrame, column: str) -> dict[str, Any]:
    test = predictions.filter(split="test")
    whole, whole_ends = _block(test, column)
    active, active_ends = _block(test.filter("active"), column)
    return {"test": whole, "test_active": active, "intervals": {"test": whole_ends, "test_active": active_ends}}


def _reliability(predictions: pl.DataFrame, column: str) -> dict[str, Any]:
    test = predictions.filter(split="test")
    sets = {"test": test, "test_active": test.filter("active")}
    return {name: score.reliability(f[column].to_numpy(), f["label"].to_numpy()) for name, f in sets.items()}


def _table(predictions: pl.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for split in predictions["split"].unique(maintain_order=True):
        part = predictions.filter(split=split)
        for name, windows in (
            ("all", part),
            ("active", part.filter("active")),
            ("all_zero", part.filter(~pl.col("active"))),
        ):
            up = int(windows["label"].sum())
            share = up / len(windows) if len(windows) else None
            counts = {"windows": len(windows), "up": up, "not_up": len(windows) - up, "ties": int(windows["tie"].sum())}
            rows.append({"split": split, "set": name, **counts, "up_share": share})
    return rows


def _scores(predictions, *, names, chosen, dates, simulated, step) -> dict[str, Any]:
    sizes = {
        part: predictions.filter(split=part).height for part in ("train", "validation", "calibration", "test", "purged")
    }
    headline = _both(predictions, "p_ensemble")
    train, train_ends = _block(predictions.filter(split="train"), "p_ensemble")
    models = {name: _both(predictions, f"p_{name}") for name in ("network", "gru", "lstm")}
    models["gru"]["test"]["mcc"] = None
    models["gru"]["intervals"]["test"]["mcc"] = None
    baselines = {name: _both(predictions, f"p_{name}") for name in ("base_rate", "all_zero", "mean_reversion")}
    baselines |= {name: _both(predictions, f"p_baseline_{name}") for name in ("logistic", "boosting")}
    baselines["base_rate"]["test_active"]["roc_auc"] = None
    pairs = [("network", name) for name in baselines] + [("ensemble", name) for name in baselines]
    compared = [
        {"model": a, "against": b, "score": key, "difference": d, "low": d - 0.008, "high": d + 0.007}
        for (a, b), d in zip(pairs, np.linspace(-0.05, 0.012, len(pairs)).tolist(), strict=True)
        for key in ("log_score", "brier_score")
    ]
    compared[0] |= {"low": None, "high": None}
    days = {"first": str(dates[0]), "last": str(dates[-1])}
    return {
        "recipe": "default",
        "departures": "The original study trained for 1000 epochs, this run for 20.",
        "seed": 0,
        "simulated": simulated,
        "data": {
            "regions": len(names), "dates": len(dates), **days, "step_days": step, "kind": "cumulative",
            "source": "simulated" if simulated else "covid_19.csv", "corrections": 3, "negatives": "keep",
            "notes": ["3 downward corrections were kept.", "The last day of <Peru> looks incomplete."],
            "digest": "ab12" * 16,
        },
        "screen": {
            "threshold": 0.7, "days": "train", **days, "selected": int(chosen.sum()),
            "names": [name for name, kept in zip(names, chosen, strict=True) if kept], "constant": [names[3]],
        },
        "windows": {
            "length": 14, "target": "next_day", "horizon": 1, "total": predictions.height,
            "positive": int(predictions["label"].sum()), "ties": int(predictions["tie"].sum()), **sizes,
            "table": _table(predictions),
        },
        "split": {
            "kind": "temporal", "train_first": str(dates[15]), "train_last": str(dates[int(0.64 * len(dates))]),
            "test_first": str(dates[int(0.8 * len(dates))]), "test_last": str(dates[-1]),
            "leaks": {"overlap": 812, "share_day": 0, "share_region": sizes["train"], "train": sizes["train"],
                      "ahead": 0},
        },
        "model": {
            "inputs": ["log1p", "change", "weekday"], "members": ["gru-0", "gru-1", "lstm-0"], "parameters": 4321,
            "epochs": {"gru-0": 9, "gru-1": 7, "lstm-0": 11},
            "calibration": {"method": "temperature", "windows": sizes["calibration"]},
        },
        "train": train, "test": headline["test"], "test_active": headline["test_active"],
        "intervals": {"train": train_ends, **headline["intervals"]},
        "models": models, "baselines": baselines,
        "comparisons": {"test": compared, "test_active": compared},
        "reliability": {name: _reliability(predictions, f"p_{column}") for name, column in
                        (("ensemble", "ensemble"), ("network", "network"), ("boosting", "baseline_boosting"))},
        "importance": [{"group": group, "log_score_increase": d, "low": d - 0.004, "high": d + 0.006}
                       for group, d in (("log1p", 0.031), ("change", 0.052), ("weekday", -0.001), ("history", 0.008))],
        "verdict": {
            "best_baseline": "boosting", "score": "log_score", "set": "test_active", "difference": -0.011, "low": -0.02,
            "high": -0.003, "significant": True,
            "sentence": "On test windows with at least one case, the network beats the best baseline, "
            "gradient boosting: its log score is 0.011 nats better (90 % interval 0.003 to 0.020), which is "
            "significant.",
        },
    }  # fmt: skip


def _metrics() -> list[dict[str, Any]]:
    lines = []
    for member, epochs in (("gru-0", 9), ("gru-1", 7), ("lstm-0", 11)):
        for stage in ("select", "evaluate", "final"):
            for epoch in range(1, epochs + 1):
                fit = 0.55 + 0.14 * np.exp(-epoch / 4)
                line = {
                    "stage": stage,
                    "member": member,
                    "epoch": epoch,
                    "train_loss": fit,
                    "train_accuracy": 1.25 - fit,
                }
                if stage == "select":
                    line |= {"validation_loss": fit + 0.02, "validation_accuracy": 1.22 - fit}
                    line |= {"test_loss": fit + 0.04, "test_accuracy": 1.2 - fit}
                lines.append(line | {"learning_rate": 0.002, "seconds": 0.1})
    return lines


def study_folder(folder: Path, *, simulated: bool = False) -> Path:
    """Writes the folder of a study: study.json and the tables and arrays that its report shows."""
    run_folder(folder, simulated=simulated)
    data = json.loads((folder / "scores.json").read_text())["data"]
    random = np.random.default_rng(3)
    shapes = [("rnn", 1, 7, 0), ("rnn", 2, 7, 0), ("lstm", 1, 7, 0)]
    shapes += [("gru", 1, length, start) for length in (3, 7, 14) for start in (0, 40)]
    study = {
        "departures": "The original study trained for 1000 epochs, this run for 20.",
        "title": "Recurrent networks that classify the next day's trend: the original & ours",
        "simulated": simulated,
        "data": data,
        "original": [
            {"setting": "RNN, L = 7", "train_percent": 77.259, "test_percent": 74.681,
             "train_count": "6540/8465", "test_count": "1581/2117"},
            {"setting": "GRU, L = 3", "train_percent": 80.41, "test_percent": 76.289,
             "train_count": None, "test_count": None},
            {"setting": "GRU, L = 7, from day 40", "train_percent": "near 80", "test_percent": "near 80",
             "train_count": None, "test_count": None},
            {"setting": "<not in the grid>", "train_percent": None, "test_percent": None,
             "train_count": None, "test_count": None},
        ],
        "screen": {"selected": 143, "regions": 185, "china": "outside C",
                   "train_days": {"selected": 160, "common": 133, "days": 66}},
        "grid": [_grid_row(random, *shape) for shape in shapes],
        "one_window": {"train": 114, "test": 29, "test_accuracy": [0.55, 0.62], "majority": [0.55, 0.59]},
        "trials": [
            {"setting": f"epochs={epochs}", "epochs": epochs, "batch_size": 128, "hidden": 128, "layers": 1,
             "test_accuracy": [0.8], "majority": 0.744, "test_auc": [0.85],
             "seconds": 1.5 * epochs} for epochs in (10, 50)
        ],
        "china": {
            "without": {"windows": 10582, "test_accuracy": [0.8, 0.81], "majority": [0.744, 0.744]},
            "with": {"windows": 10656, "test_accuracy": [0.8, 0.79], "majority": [0.742, 0.744]},
            "correlation_max": 0.31, "correlation_mean": -0.12,
        },
        "errors": [{"claim": "10439 x 0.8 = 8465 <sic>", "finding": "it is 10,582 x 0.8", "figure": "8,465"}],
        "zero": {"share_all_zero": 0.477, "share_up_all_zero": 0.034, "majority_active": 0.54},
        "always_not_up": 0.744,
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))
    return folder


def _grid_row(random: np.random.Generator, cell: str, layers: int, length: int, start: int) -> dict[str, Any]:
    majority = [float(m) for m in random.normal(0.744 if not start else 0.54, 0.004, 3)]
    accuracy = [m + float(g) for m, g in zip(majority, random.normal(0.06, 0.008, 3), strict=True)]
    area = [0.85, 0.86, None if start else 0.84]
    curves = [
        {"epoch": e, "train_loss": 0.5 + 0.2 / e, "test_loss": 0.52 + 0.2 / e, "train_accuracy": 0.82 - 0.1 / e,
         "test_accuracy": 0.8 - 0.1 / e} for e in range(1, 21)
    ]  # fmt: skip
    tested = {"test_accuracy": accuracy, "majority": majority, "test_auc": area, "brier_skill": [0.08, 0.07, None]}
    return {
        "cell": cell, "layers": layers, "length": length, "start": start, "windows": 10582, "positive": 2708,
        "train": 8465, "test": 2117, "train_accuracy": [a + 0.01 for a in accuracy],
        "test_accuracy": accuracy, "majority": majority,
        "test_auc": area, "temporal": tested if cell != "lstm" else None, "curves": curves if length < 14 else [],
    }  # fmt: skip
