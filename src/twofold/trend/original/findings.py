"""Summary of the reproduced study: the original's results and ours, and each of its errors with measured figures."""

from typing import Any

import numpy as np

from twofold.counts.config import SourceConfig
from twofold.counts.panel import Panel
from twofold.trend.judge import describe_data
from twofold.trend.recipes import original
from twofold.trend.windows import Prepared, correlate, fit_screen, prepare

CHINA = "China"
FIRST_DAYS = 66  # the days before the original's last fortnight of targets
# As the original study printed them.
_REPORTED = (
    ("rnn", 7, 0, 77.259, 74.681, "6540/8465", "1581/2117"),
    ("lstm", 7, 0, 77.129, 73.831, "6529/8465", "1563/2117"),
    ("gru", 7, 0, 77.283, 74.445, "6542/8465", "1575/2117"),
    ("gru", 3, 0, 80.41, 76.289, None, None),
    ("gru", 7, 40, "near 80", "near 80", None, None),
)
_KEYS = "cell", "length", "start", "train_percent", "test_percent", "train_count", "test_count"


def summarise(
    panel: Panel, source: str, prepared: Prepared, *, settings: SourceConfig, results: list[dict[str, Any]]
) -> dict[str, Any]:
    """The content of `study.json`.

    Args:
        panel: counts by region and date.
        source: the data file's name, or "simulated".
        prepared: windows of length 7 under the original's settings.
        settings: how the counts are read.
        results: one for each setting that the study ran.
    """
    up, zero = prepared.windows.up, ~prepared.windows.active
    summary: dict[str, Any] = {
        "simulated": source == "simulated",
        "data": describe_data(panel, settings, source),
        "original": [{"layers": 1} | dict(zip(_KEYS, line, strict=True)) for line in _REPORTED],
        "screen": _screen(panel, prepared),
        "grid": _grid(results),
        "one_window": _spread(_of(results, "one-window")),
        "trials": [
            {
                "setting": trial["setting"],
                **{key: trial[key] for key in ("epochs", "batch_size", "hidden", "layers", "majority")},
                "test_accuracy": [trial["test_scores"]["accuracy"]],
                "test_auc": [trial["test_scores"]["roc_auc"]],
                "seconds": round(sum(record["seconds"] for record in trial["curves"]), 1),
            }
            for trial in _of(results, "trial")
        ],
        "china": _china(panel, prepared, results),
        "zero": {
            "share_all_zero": float(zero.mean()),
            "share_up_all_zero": float(up[zero].mean()) if zero.any() else None,
            "majority_active": float(max(up[~zero].mean(), 1 - up[~zero].mean())) if (~zero).any() else None,
        },
        "always_not_up": float(1 - up.mean()),
    }
    return summary | {"errors": _errors(panel, prepared, summary, settings)}


def _of(results: list[dict[str, Any]], kind: str, **tags: Any) -> list[dict[str, Any]]:
    return [r for r in results if r["kind"] == kind and all(r[key] == value for key, value in tags.items())]


def _spread(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of windows for the first seed, scores for every seed."""
    first = results[0]
    return {key: first[key] for key in ("windows", "positive", "train", "test")} | {
        "train_accuracy": [r["train_scores"]["accuracy"] for r in results],
        "test_accuracy": [r["test_scores"]["accuracy"] for r in results],
        "majority": [r["majority"] for r in results],
        "test_auc": [r["test_scores"]["roc_auc"] for r in results],
        "brier_skill": [r["test_scores"]["brier_skill"] for r in results],
    }


def _grid(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    axes = ("cell", "layers", "length", "start")
    cells = dict.fromkeys(tuple(r[axis] for axis in axes) for r in _of(results, "grid"))
    grid = []
    for cell in cells:
        tags = dict(zip(axes, cell, strict=True))
        same = _of(results, "grid", **tags)
        temporal = _of(results, "temporal", **tags)
        grid.append(
            tags | _spread(same) | {"temporal": _spread(temporal) if temporal else None, "curves": same[0]["curves"]}
        )
    return grid


def _screen(panel: Panel, prepared: Prepared) -> dict[str, Any]:
    selected = prepared.in_c
    first = min(FIRST_DAYS, prepared.increments.counts.shape[1])
    early = fit_screen(prepared.increments, first, 0.7).selected
    names = np.array(panel.regions)
    china = "outside C" if CHINA in panel.regions and CHINA not in names[selected] else "in C"
    return {
        "selected": int(selected.sum()),
        "regions": len(names),
        "china": china if CHINA in panel.regions else "not in the data",
        "train_days": {"selected": int(early.sum()), "common": int((early & selected).sum()), "days": first},
    }


def _china(panel: Panel, prepared: Prepared, results: list[dict[str, Any]]) -> dict[str, Any] | None:
    if CHINA not in panel.regions:
        return None
    row = panel.regions.index(CHINA)
    others = np.delete(correlate(prepared.increments.counts)[row], row)
    others = others[~np.isnan(others)]
    return {
        "without": _spread(_of(results, "grid", cell="gru", layers=1, length=7, start=0)),
        "with": _spread(_of(results, "china")),
        "correlation_max": float(others.max()),
        "correlation_mean": float(others.mean()),
        "correlation_negative": float((others < 0).mean()),
    }


def _errors(
    panel: Panel, prepared: Prepared, summary: dict[str, Any], settings: SourceConfig
) -> dict[str, dict[str, Any]]:
    """Each of the original's errors and the figures that show it, which are measured, not quoted."""
    counts = {}
    for length, start in ((7, 0), (3, 0), (14, 0), (7, 40)):
        config = original("gru", length, start=start).model_copy(update={"source": settings})
        windows = prepare(panel, config).windows
        counts[length, start] = {"windows": len(windows), "up": int(windows.up.sum())}
    seven, three, fourteen, late = counts.values()
    total, up, kept = seven["windows"], seven["up"], int(0.8 * three["windows"])
    train, test = len(prepared.split.known), len(prepared.split.test)
    day40 = [cell for cell in summary["grid"] if cell["start"] == 40 and cell["length"] == 7]
    return {
        # wrong counts
        "labels_swapped": {"up": up, "not_up": total - up},
        "train_size": {"windows": total, "train": train, "test": test},
        "test_size_as_label": {"test": test, "up": up},
        "length_3_labels": {"length_3": three, "length_14": fourteen},
        "length_3_split": {"train": kept, "test": three["windows"] - kept},
        "label_day": {"windows": total},
        "ties": {"ties": int(prepared.windows.tie.sum()), "windows": total},
        # wrong conclusions
        "accuracy": {"always_not_up": summary["always_not_up"]},
        "all_zero_windows": summary["zero"],
        "random_split": {key: getattr(prepared.leaks, key) for key in ("train", "overlap", "ahead")},
        "screen_days": summary["screen"]["train_days"] | {"all_days": summary["screen"]["selected"]},
        "day_40": late
        | {
            part: max((float(np.mean(cell[part])) for cell in day40), default=None)
            for part in ("train_accuracy", "test_accuracy")
        },
        "layers": {"rnn": list(dict.fromkeys(row["layers"] for row in summary["grid"] if row["cell"] == "rnn"))},
    }
