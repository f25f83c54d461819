"""What counts of a run folder: all but the log, locks, measured seconds, and the journal with digests of these."""

import json
import re
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.numpy import load_file

from twofold.engine.sound import JOURNAL

TIMES = "seconds", "wall_time_s", "images_per_second"
SAID = re.compile(r"\b[\d.,]+ (s|seconds|minutes|min|images per second)\b")


def content(folder: Path) -> dict[str, Any]:
    """What counts of each file, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    seconds = ["report.html"] if (folder / "study.json").exists() else []  # its page shows some
    left_out = "log.txt", ".lock", JOURNAL, *seconds
    return {
        path.relative_to(folder).as_posix(): _of(path)
        for path in sorted(files)
        if path.name not in left_out and path.suffix != ".lock"
    }


def differing(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    """Names of the files that are not in both, or not the same."""
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def _of(path: Path) -> Any:
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
    if path.suffix == ".safetensors" and path.parent.name == "checkpoint":
        with safe_open(path, framework="np") as file:
            about = _timeless(json.loads(file.metadata()["state"]))
        return about, {name: value.tobytes() for name, value in load_file(path).items()}
    return SAID.sub("", path.read_text()) if path.suffix == ".html" else path.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value
