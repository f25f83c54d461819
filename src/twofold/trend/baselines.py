"""Baselines with one signature: fitted on windows, they predict each window's probability of "up"."""

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

from twofold.counts.renewal import spread_out
from twofold.engine.seed import seed_for
from twofold.trend.features import Inputs
from twofold.trend.renewal import fit_renewal
from twofold.trend.windows import laplace_rate

BaselineName = Literal["base_rate", "all_zero", "mean_reversion", "renewal", "logistic", "boosting"]
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
BINS = 10
FEW_WINDOWS = 20_000
MOST_WINDOWS = 1_000_000
"""Windows that logistic regression and boosting are fitted on at most, since they take a table of all their inputs."""
AT_ONCE = 500_000
"""Windows whose inputs stand in a table at most, where probabilities are asked for."""


@runtime_checkable
class Baseline(Protocol):
    """A fitted baseline."""

    def predict(self, inputs: Inputs, rows: Int64[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """Probability of "up" for the windows `rows`."""
        ...


@dataclass(frozen=True)
class Rates:
    """Share of "up" by bin of the last Poisson-scaled change, and among windows without a case.

    Attributes:
        edges: inner edges of the bins, ascending; none for one bin.
        rates: share of "up" in each bin.
        zero: share of "up" among windows without a case.
    """

    edges: tuple[float, ...]
    rates: tuple[float, ...]
    zero: float

    def predict(self, inputs: Inputs, rows: Int64[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The share in the window's bin."""
        found = np.array(self.rates)[np.searchsorted(np.array(self.edges), inputs.change[rows], side="right")]
        return np.where(inputs.active[rows], found, self.zero)


@dataclass(frozen=True)
class Estimator:
    """A scikit-learn classifier on the flattened inputs of a window."""

    classifier: Any

    def predict(self, inputs: Inputs, rows: Int64[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """Probability of the class "up"."""
        parts = (rows[start : start + AT_ONCE] for start in range(0, max(len(rows), 1), AT_ONCE))
        found = [self.classifier.predict_proba(inputs.table(part))[:, 1] for part in parts]
        return np.concatenate(found).astype(np.float64)


def fit_baseline(
    name: BaselineName, inputs: Inputs, up: Bool[np.ndarray, " windows"], rows: Int64[np.ndarray, " rows"], seed: int
) -> Baseline:
    """Fits a baseline.

    Args:
        name: `base_rate`: one rate. `all_zero`: one rate for windows without a case, one for the others.
            `mean_reversion`: the others in ten bins of the last change. `renewal`: from the posterior of the
            reproduction number, see `trend.renewal`. `logistic`: logistic regression on the networks' inputs,
            flattened. `boosting`: histogram gradient boosting on the same.
        inputs: all windows.
        up: their labels.
        rows: training windows.
        seed: the run's seed.
    """
    label, active = up[rows], inputs.active[rows]
    if name == "base_rate":
        return Rates((), (laplace_rate(label),), laplace_rate(label))
    if name == "all_zero":
        return Rates((), (laplace_rate(label[active]),), laplace_rate(label[~active]))
    if name == "mean_reversion":
        change, zero, label = inputs.change[rows][active], laplace_rate(label[~active]), label[active]
        edges = np.unique(np.quantile(change, np.arange(1, BINS) / BINS) if len(change) else np.zeros(0))
        place = np.searchsorted(edges, change, side="right")
        return Rates(tuple(edges.tolist()), tuple(laplace_rate(label[place == i]) for i in range(len(edges) + 1)), zero)
    if name == "renewal":
        return fit_renewal(inputs, up, rows)
    if name == "logistic":
        return fit_classifier(make_logistic(1e-3, 300), inputs, up, rows)
    min_leaf = max(20, min(len(rows), MOST_WINDOWS) // 500)
    return fit_classifier(make_boosting(150, 15, min_leaf, 1.0, seed), inputs, up, rows)


def fit_classifier(
    classifier: Any, inputs: Inputs, up: Bool[np.ndarray, " windows"], rows: Int64[np.ndarray, " rows"]
) -> Baseline:
    """Fits a scikit-learn classifier on the flattened inputs; the base rate where all labels are of one class.

    Of more than `MOST_WINDOWS` rows it takes so many, evenly spread.
    """
    rows = spread_out(rows, MOST_WINDOWS)
    label = up[rows]
    if label.all() or not label.any():
        return Rates((), (laplace_rate(label),), laplace_rate(label))
    # On few windows OpenMP's threads cost more time than they save, several times more on a busy machine.
    threads = 1 if len(rows) < FEW_WINDOWS else None
    with warnings.catch_warnings(), threadpool_limits(threads):
        # A fit that stops at its limit of iterations is a slightly regularised one.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(inputs.table(rows), label)
    return Estimator(classifier)


def spread_note(windows: int) -> list[str]:
    """That classifiers were fitted on some of so many training windows, as a sentence; none where they took all."""
    if windows <= MOST_WINDOWS:
        return []
    return [
        f"Logistic regression and gradient boosting were fitted on {MOST_WINDOWS:,} windows, evenly spread over up to "
        f"{windows:,}, since a table of all would not fit in memory; networks and rates were trained on all."
    ]


def make_logistic(c: float, rounds: int) -> Pipeline:
    """Logistic regression on standardised columns; `c` is the inverse strength of its penalty."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=rounds))


def make_boosting(rounds: int, leaves: int, min_leaf: int, l2: float, seed: int) -> HistGradientBoostingClassifier:
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
