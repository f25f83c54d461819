"""Multinomial logistic regression of the categories on the newest week's inputs, one for each horizon."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.pmf import certain_below_zero, growth_needed
from twofold.hub.rules import RateChange

_PENALTY = 0.05
_ITERATIONS = 300


@dataclass(frozen=True)
class Logistic:
    """One fitted classifier per horizon; a head, see `pmf.Head`, for the cuts of the season it was fitted for.

    Attributes:
        classifiers: of the number of cuts exceeded.
    """

    classifiers: tuple[Pipeline, ...]

    def exceed(
        self, queries: Queries, tau: Float[np.ndarray, "n horizons cuts"]
    ) -> Float[np.ndarray, "n horizons cuts"]:
        """P(change > tau): the sum of the probabilities of the categories above each cut."""
        needed, result = growth_needed(queries.base, tau), np.empty_like(tau)
        for horizon, classifier in enumerate(self.classifiers):
            found = classifier.predict_proba(_table(queries, needed[:, horizon]))
            above = np.array(classifier.classes_)[:, None] > np.arange(tau.shape[2])
            result[:, horizon] = found @ above
        # Where an outer cut equals an inner one the category between is empty: its probability goes to the outer one.
        cuts = tau.shape[2]
        lower, upper = range(cuts // 2 - 1, 0, -1), range(cuts // 2, cuts - 1)
        for inner, outer in [(k, k - 1) for k in lower] + [(k, k + 1) for k in upper]:
            alike = tau[:, :, outer] == tau[:, :, inner]
            result[:, :, outer] = np.where(alike, result[:, :, inner], result[:, :, outer])
        return certain_below_zero(queries.base, tau, result)


def fit_logistic(examples: Examples, rules: RateChange) -> Logistic:
    """Fits the classifiers on the examples with the season's cuts."""
    cuts = examples.queries.cuts(rules)
    needed = growth_needed(examples.queries.base, cuts)
    fitted = []
    for horizon in range(cuts.shape[1]):
        known = np.isfinite(examples.change[:, horizon])
        exceeded = (examples.change[:, horizon, None] > cuts[:, horizon]).sum(axis=1)
        pipeline = make_pipeline(
            SimpleImputer(keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=_PENALTY, max_iter=_ITERATIONS),
        )
        weights = {"logisticregression__sample_weight": examples.weight[known]}
        with threadpool_limits(1):  # the sum over threads would depend on how many there are
            fitted.append(pipeline.fit(_table(examples.queries, needed[:, horizon])[known], exceeded[known], **weights))
    return Logistic(tuple(fitted))


def _table(queries: Queries, needed: Float[np.ndarray, "n cuts"]) -> Float[np.ndarray, "n columns"]:
    return np.concatenate([queries.inputs[:, -1, : len(NAMES)], needed], axis=1)
