"""Classifiers of scikit-learn in one skops file: loading runs no code from it, and equal models give equal bytes."""

import io
import re
import zlib
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from twofold.engine.errors import RunFolderError
from twofold.engine.files import read_bytes, write_bytes

SCHEMA = "schema.json"
# Types of our classifiers that skops since 0.11 does not trust by itself; all hold numbers only.
TRUSTED = [
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]


def save_trees(classifiers: dict[str, Any], path: Path) -> None:
    """Writes fitted classifiers by name; an existing file is replaced in one step."""
    import skops.io  # takes most of a second, and only models with such a classifier need it

    write_bytes(path, _normalised(skops.io.dumps(classifiers)))


def read_trees(path: Path, beside: tuple[str, ...] = ()) -> dict[str, Any]:
    """Reads the classifiers that `save_trees` wrote; `beside` names types that are trusted beside `TRUSTED`.

    Raises:
        RunFolderError: when it is not what was written, is no skops file, or holds a type that is not trusted; it is
            not loaded then.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

    content = read_bytes(path)
    try:
        return skops.io.loads(content, trusted=[*TRUSTED, *beside])
    except (UntrustedTypesFoundException, UnsupportedTypeException) as error:
        raise RunFolderError(f"{path}: holds types that no model of ours has, and was not loaded ({error})") from error
    except (BadZipFile, zlib.error, EOFError) as error:  # zlib's and the last one of bytes changed within a part
        raise RunFolderError(f"{path}: is no skops file, and was not loaded ({error})") from error


def _normalised(archive: bytes) -> bytes:
    """The same archive without times, its objects numbered in order instead of by their memory addresses."""
    with ZipFile(io.BytesIO(archive)) as source:
        schema = source.read(SCHEMA).decode()
        parts = {name: source.read(name) for name in source.namelist() if name != SCHEMA}
    numbers: dict[str, str] = {}
    files: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return f'"__id__": {numbers.setdefault(found[1], str(len(numbers)))}'

    def rename(found: re.Match[str]) -> str:
        return f'"file": "{files.setdefault(found[1], f"{len(files)}{Path(found[1]).suffix}")}"'

    # A quote inside a JSON string is escaped, so neither pattern matches within one.
    schema = re.sub(r'"__id__": (\d+)', number, schema)
    schema = re.sub(r'"file": "([^"\\]+)"', rename, schema)
    result = io.BytesIO()
    with ZipFile(result, "w", ZIP_DEFLATED) as target:
        for old, new in files.items():
            target.writestr(ZipInfo(new), parts[old], ZIP_DEFLATED)
        target.writestr(ZipInfo(SCHEMA), schema, ZIP_DEFLATED)
    return result.getvalue()
