"""Partners of scikit-learn in one skops file: nothing in it can run code, and equal models give equal bytes."""

import io
import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_bytes
from twofold.trend.baseline import Estimator

SCHEMA = "schema.json"
# What the releases of skops since 0.11 ask about for our partners: parts of scikit-learn that hold numbers.
TRUSTED = [
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]


def save_trees(estimators: dict[str, Estimator], path: Path) -> None:
    """Writes fitted classifiers.

    Args:
        estimators: by name.
        path: file to write; replaced in one step.
    """
    import skops.io  # takes most of a second, and only runs with such partners need it

    classifiers = {name: estimator.classifier for name, estimator in estimators.items()}
    write_bytes(path, _settled(skops.io.dumps(classifiers)))


def read_trees(path: Path) -> dict[str, Estimator]:
    """Reads what `save_trees` wrote.

    Args:
        path: the file.

    Returns:
        The estimators by name.

    Raises:
        RunFolderError: when the file is no skops file, or holds a type that is not in `TRUSTED`; it is not loaded then.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

    try:
        classifiers = skops.io.load(path, trusted=TRUSTED)
    except (UntrustedTypesFoundException, UnsupportedTypeException) as error:
        raise RunFolderError(f"{path}: holds types that no model of ours has, and was not loaded ({error})") from error
    except BadZipFile as error:
        raise RunFolderError(f"{path}: is no skops file, and was not loaded ({error})") from error
    return {name: Estimator(classifier) for name, classifier in classifiers.items()}


def _settled(archive: bytes) -> bytes:
    """The same archive without times, its objects numbered by their order and not by where they lay in memory."""
    with ZipFile(io.BytesIO(archive)) as source:
        schema = source.read(SCHEMA).decode()
        parts = {name: source.read(name) for name in source.namelist() if name != SCHEMA}
    numbers: dict[str, str] = {}
    files: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return f'"__id__": {numbers.setdefault(found[1], str(len(numbers)))}'

    def rename(found: re.Match[str]) -> str:
        return f'"file": "{files.setdefault(found[1], f"{len(files)}{Path(found[1]).suffix}")}"'

    # A quote inside a JSON string is escaped, so neither pattern can meet one.
    schema = re.sub(r'"__id__": (\d+)', number, schema)
    schema = re.sub(r'"file": "([^"\\]+)"', rename, schema)
    result = io.BytesIO()
    with ZipFile(result, "w", ZIP_DEFLATED) as target:
        for old, new in files.items():
            target.writestr(ZipInfo(new), parts[old], ZIP_DEFLATED)
        target.writestr(ZipInfo(SCHEMA), schema, ZIP_DEFLATED)
    return result.getvalue()
