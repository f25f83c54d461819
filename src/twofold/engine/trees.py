"""Classifiers of scikit-learn in one skops file: loading runs no code from it, and equal models give equal bytes.

skops checks types, not what they hold: a tree whose nodes point outside of it would read any memory, or never end,
since scikit-learn's walk checks no bounds. So arrays are checked before they are loaded, trees before they are used.
"""

import io
import re
import warnings
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from twofold.engine.errors import RunFolderError
from twofold.engine.files import array, read_bytes, write_bytes
from twofold.engine.unpack import BROKEN, TooMuchError, members

SCHEMA = "schema.json"
_MOST_INPUTS = 1_000_000
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
        RunFolderError: when it is not what was written, is no skops file, holds a type that is not trusted (it is not
            loaded then), or something that can't classify.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

    content = read_bytes(path)
    try:
        for name, part in members(content).items():
            if name.endswith(".npy"):
                array(part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # as of `array`
            found = skops.io.loads(content, trusted=[*TRUSTED, *beside])
        for classifier in dict(found).values():
            _check(classifier)
    except (UntrustedTypesFoundException, UnsupportedTypeException) as error:
        raise RunFolderError(f"{path}: holds types that no model of ours has, and was not loaded ({error})") from error
    except (TooMuchError, *BROKEN) as error:
        told = " ".join(str(error).split())[:300]
        raise RunFolderError(f"{path}: is no skops file of classifiers, and was not used ({told})") from error
    return found


def _check(classifier: Any) -> None:
    """Refuses a classifier that can't classify, and trees that would lead out of themselves.

    Raises:
        ValueError: as it says.
        Exception: whatever of BROKEN scikit-learn raises.
    """
    import numpy as np
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    inputs = int(classifier.n_features_in_)
    if not 0 < inputs <= _MOST_INPUTS:
        raise ValueError(f"a classifier of {inputs} inputs")
    for trees in getattr(classifier, "_predictors", ()):
        for tree in trees:
            nodes = tree.nodes
            if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
                raise ValueError("a tree whose nodes are none")
            split, number = nodes["is_leaf"] == 0, np.arange(len(nodes))
            # Nodes are numbered from the root down, so a child comes after its parent and no path ends where it was.
            inside = [(number < nodes[side]) & (nodes[side] < len(nodes)) for side in ("left", "right")]
            known = (nodes["feature_idx"] >= 0) & (nodes["feature_idx"] < inputs) & (nodes["is_categorical"] == 0)
            if not np.all(~split | (inside[0] & inside[1] & known)):
                raise ValueError("a tree whose nodes lead out of it")
    chances = classifier.predict_proba(np.zeros((1, inputs)))
    if chances.shape != (1, len(classifier.classes_)) or not np.isfinite(chances).all():
        raise ValueError("a classifier that gives no probabilities")


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
