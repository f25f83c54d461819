"""Gradient boosting with the threshold as a feature: one classifier gives P(change > tau) for every tau.

The training set has one row per example and threshold. The probability decreases in the threshold (a monotone
constraint), so that those for several thresholds never contradict each other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from twofold.engine.seed import seed_for
from twofold.hub.config import TreesConfig
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.pmf import certain_below_zero, growth_needed
from twofold.hub.rules import RateChange

_BETWEEN = 0.5, 1.5  # as multiples of a cut: range of the threshold drawn in addition to the season's cuts


@dataclass(frozen=True)
class Trees:
    """Fitted classifiers, whose probabilities are averaged; a head, see `pmf.Head`.

    Attributes:
        classifiers: of the rows that `_rows` makes.
    """

    classifiers: tuple[HistGradientBoostingClassifier, ...]

    def exceed(
        self, queries: Queries, tau: Float[np.ndarray, "n horizons cuts"]
    ) -> Float[np.ndarray, "n horizons cuts"]:
        """P(change > tau)."""
        table = _rows(queries, tau)
        found = np.mean([classifier.predict_proba(table)[:, 1] for classifier in self.classifiers], axis=0)
        return certain_below_zero(queries.base, tau, found.reshape(tau.shape))


def fit_trees(examples: Examples, rules: RateChange, config: TreesConfig, seed: int) -> Trees:
    """Fits classifiers on examples, horizons and cuts of the season, and on one drawn threshold each.

    They differ in the thresholds drawn and in the features that each split may choose from.

    Source:
        Friedman (2001), Greedy function approximation, Annals of Statistics 29(5); thresholds as inputs as in
        continuous ordinal regression (Manuguerra & Heller 2010).
    """
    return Trees(tuple(_fit(examples, rules, config, seed_for(seed, "trees", bag)) for bag in range(config.bags)))


def _fit(examples: Examples, rules: RateChange, config: TreesConfig, seed: int) -> HistGradientBoostingClassifier:
    rng = np.random.default_rng(seed)
    cuts = examples.queries.cuts(rules)
    drawn = np.take_along_axis(cuts, rng.integers(0, cuts.shape[2], (*cuts.shape[:2], 1)), axis=2)
    tau = np.concatenate([cuts, drawn * rng.uniform(*_BETWEEN, drawn.shape)], axis=2)
    change = np.broadcast_to(examples.change[:, :, None], tau.shape)
    rows = np.isfinite(change).ravel()
    weight = np.broadcast_to(examples.weight[:, None, None], tau.shape).ravel()
    table = _rows(examples.queries, tau)[rows]
    classifier = HistGradientBoostingClassifier(
        max_iter=config.iterations,
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.leaves,
        min_samples_leaf=config.min_leaf,
        l2_regularization=config.l2,
        max_features=config.max_features,
        monotonic_cst=[0] * (table.shape[1] - 2) + [-1, -1],
        early_stopping=False,  # pyright: ignore[reportArgumentType]  (its stub knows "auto" only)
        random_state=seed % 2**32,
    )
    with threadpool_limits(1):  # the sum over threads would depend on how many there are
        return classifier.fit(table, (change > tau).ravel()[rows], sample_weight=weight[rows])


def _rows(queries: Queries, tau: Float[np.ndarray, "n horizons cuts"]) -> Float[np.ndarray, "rows columns"]:
    """Inputs of the newest week, horizon, then the threshold as log growth and as a rate per 100,000."""
    n, horizons, cuts = tau.shape
    inputs = np.repeat(queries.inputs[:, -1, : len(NAMES)], horizons * cuts, axis=0)
    horizon = np.tile(np.repeat(np.arange(horizons), cuts), n)
    rate = tau / queries.population[:, None, None] * 1e5
    return np.column_stack([inputs, horizon, growth_needed(queries.base, tau).ravel(), rate.ravel()])
