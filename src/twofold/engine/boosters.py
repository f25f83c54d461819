"""Boosters of LightGBM in one JSON file, each as the text that LightGBM writes: loading runs no code from it."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from twofold.engine.errors import RunFolderError
from twofold.engine.files import read_bytes, write_bytes

if TYPE_CHECKING:
    from lightgbm import Booster


def save_boosters(boosters: "dict[str, Booster]", path: Path) -> str:
    """Writes fitted boosters by name; an existing file is replaced in one step.

    Returns:
        The file's SHA-256, for `read_boosters`.
    """
    content = json.dumps({name: booster.model_to_string() for name, booster in boosters.items()}).encode()
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read_boosters(path: Path, digest: str) -> "dict[str, Booster]":
    """Reads the boosters that `save_boosters` wrote.

    Raises:
        RunFolderError: when it is not what was written, or another file than was saved: LightGBM's reader of damaged
            text may crash.
    """
    import lightgbm  # takes a second, and only models with such a head need it

    content = read_bytes(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise RunFolderError(f"{path}: was not saved with this model; fit the model again")
    return {name: lightgbm.Booster(model_str=text) for name, text in json.loads(content).items()}
