"""What the study's results say of the original: its table beside ours, and each of its errors with the figure."""

from typing import Any

import numpy as np

from twofold.counts.config import SourceConfig
from twofold.counts.panel import Panel
from twofold.trend.judge import describe_data
from twofold.trend.recipes import original
from twofold.trend.windows import Prepared, correlate, fit_screen, prepare

CHINA = "China"
_ACCURACIES = "train_accuracy", "test_accuracy"
FIRST_DAYS = 66  # the days before the original's last fortnight of targets
# What the original study reported; the counts are its own.
_REPORTED = (
    ("RNN, L = 7", 77.259, 74.681, "6540/8465", "1581/2117"),
    ("LSTM, L = 7", 77.129, 73.831, "6529/8465", "1563/2117"),
    ("GRU, L = 7", 77.283, 74.445, "6542/8465", "1575/2117"),
    ("GRU, L = 3", 80.41, 76.289, None, None),
    ("GRU, L = 7, from day 40", "near 80", "near 80", None, None),
)
_KEYS = "setting", "train_percent", "test_percent", "train_count", "test_count"


def summarise(
    panel: Panel, source: str, prepared: Prepared, *, settings: SourceConfig, results: list[dict[str, Any]]
) -> dict[str, Any]:
    """The whole of `study.json`.

    `source` names the data file, or is "simulated"; `prepared` holds windows of length 7 under the original's settings,
    `results` one for each setting that the study ran.
    """
    up, zero = prepared.windows.up, ~prepared.windows.active
    summary: dict[str, Any] = {
        "title": "The original study, reproduced",
        "simulated": source == "simulated",
        "data": describe_data(panel, settings, source),
        "original": [dict(zip(_KEYS, line, strict=True)) for line in _REPORTED],
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
    # Each of the original's errors beside what the data says; the figures are measured, not quoted.
    errors = [*_counting(panel, prepared, settings), *_judging(panel, prepared, summary, settings)]
    keys = "claim", "finding", "figure"
    return summary | {"errors": [dict(zip(keys, error, strict=True)) for error in errors]}


def _of(results: list[dict[str, Any]], kind: str, **tags: Any) -> list[dict[str, Any]]:
    return [r for r in results if r["kind"] == kind and all(r[key] == value for key, value in tags.items())]


def _spread(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of the first seed, scores of all."""
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
    selected = prepared.screen.selected
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


def _counting(panel: Panel, prepared: Prepared, settings: SourceConfig) -> list[tuple[str, str, str]]:
    (total, up), (three, three_up), (long, long_up) = (_count(panel, length, 0, settings) for length in (7, 3, 14))
    train, test, ties = len(prepared.split.known), len(prepared.split.test), int(prepared.windows.tie.sum())
    kept = int(0.8 * three)
    return [
        ("Label 0 is printed as “up”", "The two labels are swapped.", f"{up:,} up, {total - up:,} not"),
        ("10439 x 0.8 = 8465", f"It is {total:,} x 0.8.", f"{train:,} train, {test:,} test"),
        ("Label 1: 2117", f"{test:,} is the size of the test set.", f"{up:,} windows up"),
        (
            "L = 3: 6,906 and 2,675 windows",
            f"These are the counts of L = 14: {long - long_up:,} and {long_up:,}.",
            f"L = 3: {three:,} windows, {three_up:,} up",
        ),
        ("L = 3: 8,923 and 2,230", "One window is lost.", f"{kept:,} and {three - kept:,}"),
        (
            "Label 1 by `subsequence[1]`",
            "The day after is compared with the window's last day, not with its second.",
            f"{total:,} windows compared so",
        ),
        ("Ties in neither label", "A tie is not up.", f"{ties:,} of {total:,} windows"),
    ]


def _judging(
    panel: Panel, prepared: Prepared, summary: dict[str, Any], settings: SourceConfig
) -> list[tuple[str, str, str]]:
    zero, screen, leaks = summary["zero"], summary["screen"], prepared.leaks
    late, late_up = _count(panel, 7, 40, settings)
    day40 = [cell for cell in summary["grid"] if cell["start"] == 40 and cell["length"] == 7]
    best = {part: max((float(np.mean(cell[part])) for cell in day40), default=0.0) for part in _ACCURACIES}
    early = screen["train_days"]
    return [
        (
            "Test accuracy of 74 to 75 %",
            "Always answering “not up” does as well.",
            f"{summary['always_not_up']:.1%} of the windows",
        ),
        (
            "All windows count the same",
            f"Of the all-zero windows {_percent(zero['share_up_all_zero'])} go up; "
            f"on the rest the majority is {_percent(zero['majority_active'])}.",
            f"{_percent(zero['share_all_zero'])} all zero",
        ),
        (
            "A random split of overlapping windows",
            f"{leaks.ahead:,} training windows hold days after the first tested origin.",
            f"{leaks.overlap:,} of {leaks.train:,} training windows overlap a test window",
        ),
        (
            "C chosen on all days",
            f"The first {early['days']} days choose {early['selected']} regions.",
            f"{early['common']} in common with the {screen['selected']}",
        ),
        (
            "From day 40 on near 80 %",
            f"That is a training figure; the best network here has {best['train_accuracy']:.1%} in training.",
            f"{best['test_accuracy']:.1%} in the test, {late:,} windows, {late_up:,} up",
        ),
        ("2 layers in the text, 1 in the printed network", "Both are run here.", "RNN, 1 and 2 layers"),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _count(panel: Panel, length: int, start: int, settings: SourceConfig) -> tuple[int, int]:
    config = original("gru", length, start=start).model_copy(update={"source": settings})
    windows = prepare(panel, config).windows
    return len(windows), int(windows.up.sum())
