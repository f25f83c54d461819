"""Saved classifiers: a file that skops would take, and that would lead scikit-learn anywhere, is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from twofold.engine.errors import RunFolderError
from twofold.engine.trees import read_trees, save_trees


def boosted() -> HistGradientBoostingClassifier:
    """Three trees on two inputs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    return HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=4).fit(x, x[:, 0] > x[:, 1])


def test_what_was_saved_classifies_as_before(tmp_path: Path) -> None:
    classifier, x = boosted(), np.random.default_rng(1).normal(size=(9, 2))
    save_trees({"boosting": classifier}, tmp_path / "model.skops")
    found = read_trees(tmp_path / "model.skops")["boosting"]
    np.testing.assert_array_equal(found.predict_proba(x), classifier.predict_proba(x))


def _node(**values: Any) -> Callable[[HistGradientBoostingClassifier], None]:
    def change(classifier: Any) -> None:
        for name, value in values.items():
            classifier._predictors[1][0].nodes[name][0] = value

    return change


def _of_floats(classifier: Any) -> None:
    classifier._predictors[0][0].nodes = np.zeros(5)


def _without_nodes(classifier: Any) -> None:
    tree = classifier._predictors[0][0]
    tree.nodes = tree.nodes[:0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_node(left=0), "lead out of it"),  # to the root: it would never end
        (_node(right=10_000), "lead out of it"),
        (_node(feature_idx=2), "lead out of it"),
        (_node(feature_idx=-1), "lead out of it"),
        (_node(is_categorical=1), "lead out of it"),
        (_of_floats, "Cannot cast array data"),
        (_without_nodes, "nodes are none"),
        (lambda classifier: setattr(classifier, "n_features_in_", 10**9), "1000000000 inputs"),
        (lambda classifier: setattr(classifier, "_baseline_prediction", np.full((1, 1), np.nan)), "no probabilities"),
        (lambda classifier: delattr(classifier, "classes_"), "classes_"),
    ],
)
def test_a_tree_that_leads_out_of_itself_is_never_used(
    change: Callable[[Any], None], reason: str, tmp_path: Path
) -> None:
    classifier, path = boosted(), tmp_path / "model.skops"
    change(classifier)
    save_trees({"boosting": classifier}, path)
    with pytest.raises(RunFolderError, match=rf"model\.skops: .*was not used \(.*{reason}"):
        read_trees(path)
