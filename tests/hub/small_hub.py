"""A hub's folder, small enough to read: one task of each output type, two rounds, three places, two horizons."""

import json
from pathlib import Path
from typing import Any

import polars as pl

ROUNDS = ["2024-11-23", "2024-11-30"]
PLACES = ["US", "01", "06"]
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
CATEGORIES = ["large_decrease", "decrease", "stable", "increase", "large_increase"]
COLUMNS = [
    "reference_date",
    "target",
    "horizon",
    "location",
    "target_end_date",
    "output_type",
    "output_type_id",
    "value",
]
ENDS = ["2024-11-23", "2024-11-30", "2024-12-07"]
NAME = "2024-11-23-team-model.csv"


def _task(target: str, output: dict[str, Any], unit: str) -> dict[str, Any]:
    optional = {"reference_date": ROUNDS, "target": [target], "horizon": [0, 1], "location": PLACES}
    optional["target_end_date"] = ENDS
    metadata = {"target_id": target, "target_keys": {"target": target}, "target_units": unit}
    ids = {name: {"required": None, "optional": values} for name, values in optional.items()}
    return {"task_ids": ids, "output_type": output, "target_metadata": [metadata]}


def tasks(version: int = 6) -> dict[str, Any]:
    """The content of `tasks.json`."""
    pmf = {"output_type_id": {"required": CATEGORIES}, "is_required": False, "value": _bounds(0, 1)}
    quantile = {"output_type_id": {"required": LEVELS}, "is_required": False, "value": _bounds(0, None)}
    params = {
        "type": "character",
        "max_length": 15,
        "min_samples_per_task": 2,
        "max_samples_per_task": 3,
        "compound_taskid_set": ["reference_date", "location", "target"],
    }
    sample = {"output_type_id_params": params, "is_required": False, "value": _bounds(0, None, "integer")}
    due = {"relative_to": "reference_date", "start": -6, "end": -3}
    found: dict[str, Any] = {
        "schema_version": f"https://example.org/schemas/v{version}.0.0/tasks-schema.json",
        "rounds": [
            {
                "round_id_from_variable": True,
                "round_id": "reference_date",
                "submissions_due": due,
                "model_tasks": [
                    _task("rate change", {"pmf": pmf}, "rate"),
                    _task("hosp", {"quantile": quantile, "sample": sample}, "count"),
                ],
            }
        ],
    }
    return found | ({"derived_task_ids": ["target_end_date"]} if version == 5 else {})


def _bounds(low: float, high: float | None, kind: str = "double") -> dict[str, Any]:
    return {"type": kind, "minimum": low} | ({} if high is None else {"maximum": high})


def write_hub(folder: Path, version: int = 6) -> Path:
    """Writes the hub's configuration below a folder."""
    config = folder / "hub-config"
    config.mkdir(parents=True)
    (config / "tasks.json").write_text(json.dumps(tasks(version)))
    about = {"name": "Small hub", "file_format": ["csv", "parquet"], "timezone": "US/Eastern"}
    (config / "admin.json").write_text(json.dumps(about))
    return folder


def rows(kind: str, places: list[str] | None = None) -> list[dict[str, Any]]:
    """A valid submission of one output type: pmf, quantile or sample."""
    found = []
    for place in places or PLACES:
        for horizon, end in enumerate(ENDS[:2]):
            values = {
                "pmf": zip(CATEGORIES, (0.1, 0.2, 0.4, 0.2, 0.1), strict=True),
                "quantile": zip(LEVELS, (1.0, 2.5, 4.0, 4.0, 9.0), strict=True),
                "sample": zip((f"{place}-a", f"{place}-b"), (3.0, 5.0), strict=True),
            }[kind]
            for name, value in values:
                target = "rate change" if kind == "pmf" else "hosp"
                cells = (ROUNDS[0], target, horizon, place, end, kind, str(name), value)
                found.append(dict(zip(COLUMNS, cells, strict=True)))
    return found


def write(path: Path, found: list[dict[str, Any]]) -> Path:
    """Writes rows as a submission, CSV or Parquet by the name's ending."""
    frame = pl.DataFrame(found)
    if path.suffix == ".parquet":
        days = [pl.col(name).str.to_date() for name in ("reference_date", "target_end_date")]
        frame.with_columns(days).write_parquet(path)
    else:
        frame.write_csv(path)
    return path
