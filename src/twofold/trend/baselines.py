"""Honest baselines, one signature: fitted on windows, they give each window's probability of "up"."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int64
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from twofold.engine.seed import seed_for
from twofold.trend.features import Inputs

BaselineName = Literal["base_rate", "all_zero", "mean_reversion", "logistic", "boosting"]
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
BINS = 10
FEW_WINDOWS = 20_000


@runtime_checkable
class Baseline(Protocol):
    """Anything fitted that gives probabilities."""

    def predict(self, inputs: Inputs, rows: Int64[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """Probability of "up" for some windows."""
        ...


@dataclass(frozen=True)
class Rates:
    """A rate for each bin of the last Poisson-scaled change, and one for windows without a case.

    Attributes:
        edges: inner edges of the bins, ascending; none for one bin.
        rates: share of "up" in each bin.
        zero: share of "up" among windows without a case.
    """

    edges: tuple[float, ...]
    rates: tuple[float, ...]
    zero: float

    def predict(self, inputs: Inputs, rows: Int64[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """Looks the rate up."""
        found = np.array(self.rates)[np.searchsorted(np.array(self.edges), inputs.change[rows], side="right")]
        return np.where(inputs.active[rows], found, self.zero)


@dataclass(frozen=True)
class Estimator:
    """A scikit-learn classifier over the flat table of a window's inputs."""

    classifier: Any

    def predict(self, inputs: Inputs, rows: Int64[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The classifier's probability of the class "up"."""
        return self.classifier.predict_proba(inputs.table(rows))[:, 1].astype(np.float64)


def fit_baseline(
    name: BaselineName, inputs: Inputs, up: Bool[np.ndarray, " windows"], rows: Int64[np.ndarray, " rows"], seed: int
) -> Baseline:
    """Fits a baseline.

    Args:
        name: `base_rate`: one rate. `all_zero`: one for windows without a case, one for the others. `mean_reversion`:
            ten bins of the last change besides. `logistic`: logistic regression on the same inputs as the networks,
            flattened. `boosting`: histogram gradient boosting on them.
        inputs: all windows.
        up: their labels.
        rows: windows to learn from.
        seed: the run's seed.

    Returns:
        The fitted baseline.
    """
    label, active = up[rows], inputs.active[rows]
    if name == "base_rate":
        return Rates((), (_rate(label),), _rate(label))
    if name == "all_zero":
        return Rates((), (_rate(label[active]),), _rate(label[~active]))
    if name == "mean_reversion":
        change, zero, label = inputs.change[rows][active], _rate(label[~active]), label[active]
        edges = np.unique(np.quantile(change, np.arange(1, BINS) / BINS) if len(change) else np.zeros(0))
        place = np.searchsorted(edges, change, side="right")
        return Rates(tuple(edges.tolist()), tuple(_rate(label[place == i]) for i in range(len(edges) + 1)), zero)
    if name == "logistic":
        return fit_classifier(logistic(1e-3, 300), inputs, up, rows)
    return fit_classifier(boosting(150, 15, max(20, len(rows) // 500), 1.0, seed), inputs, up, rows)


def fit_classifier(
    classifier: Any, inputs: Inputs, up: Bool[np.ndarray, " windows"], rows: Int64[np.ndarray, " rows"]
) -> Baseline:
    """Fits a scikit-learn classifier on the flat table of the inputs; the base rate where labels are of one class."""
    label = up[rows]
    if label.all() or not label.any():
        return Rates((), (_rate(label),), _rate(label))
    # On few windows OpenMP's threads cost more than they bring, several times so on a busy machine.
    threads = 1 if len(rows) < FEW_WINDOWS else None
    with warnings.catch_warnings(), threadpool_limits(threads):
        # A fit that stops at its limit of iterations is an honest, slightly regularised fit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(inputs.table(rows), label)
    return Estimator(classifier)


def logistic(c: float, rounds: int) -> Pipeline:
    """Logistic regression on standardised columns; `c` is the inverse strength of its penalty."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=rounds))


def boosting(rounds: int, leaves: int, min_leaf: int, l2: float, seed: int) -> HistGradientBoostingClassifier:
    """Histogram gradient boosting of `rounds` trees."""
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=rounds,
        max_leaf_nodes=leaves,
        min_samples_leaf=min_leaf,
        l2_regularization=l2,
        early_stopping=False,  # pyright: ignore[reportArgumentType]  (its stub knows "auto" only)
        random_state=seed_for(seed, "boosting") % 2**32,
    )


def _rate(label: np.ndarray) -> float:
    """Share of "up", kept off 0 and 1 by Laplace's rule, so that no log score is infinite."""
    return float((label.sum() + 1) / (len(label) + 2))
