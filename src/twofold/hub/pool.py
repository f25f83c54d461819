"""The pool: a weighted mean of the heads' probabilities, with weights fitted on past weeks of the same season."""

from datetime import date

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy.optimize import minimize

from twofold.hub.config import POOL, HubConfig
from twofold.hub.rules import RateChange
from twofold.hub.tables import UNIT

_TOLERANCE = 1e-12


def equal_weights(config: HubConfig) -> dict[str, float]:
    """The same weight for every head of the pool."""
    return {name: 1.0 / len(config.pooled) for name in config.pooled}


def fit_weights(
    forecasts: pl.DataFrame, truth: pl.DataFrame, heads: tuple[str, ...], rules: RateChange, prior_weeks: float
) -> dict[str, float]:
    """Weights of the linear pool with the best past score, shrunk towards equal ones.

    The RPS of a linear pool is a quadratic form of its weights, so the best weights on the simplex are the solution of
    a small convex problem. With few weeks its solution is noisy: to the sum over weeks of the mean RPS a penalty is
    added, `prior_weeks` times the squared distance to equal weights. Forecasts and outcomes (as
    `examples.truth` gives them) are those of past dates, as far as they were known.

    Returns:
        Head -> weight; they sum to 1.

    Source:
        Stone (1961), The opinion pool, Annals of Mathematical Statistics 32(4).
    """
    equal = np.full(len(heads), 1.0 / len(heads))
    square, line = _quadratic(forecasts, truth, heads, rules)

    def objective(weight: np.ndarray) -> tuple[float, np.ndarray]:
        away = weight - equal
        value = weight @ square @ weight - 2.0 * line @ weight + prior_weeks * away @ away
        return float(value), 2.0 * (square @ weight - line + prior_weeks * away)

    found = minimize(
        objective,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(heads),
        constraints={"type": "eq", "fun": lambda weight: weight.sum() - 1.0, "jac": np.ones_like},
        options={"ftol": _TOLERANCE, "maxiter": 200},
    )
    weight = np.maximum(found.x, 0.0)
    return dict(zip(heads, (weight / weight.sum()).tolist(), strict=True))


def apply_weights(forecasts: pl.DataFrame, weights: dict[str, float]) -> pl.DataFrame:
    """The pool's forecasts, from those of every head that has a weight.

    Returns:
        Columns reference_date, horizon, location, category, probability; order of the first head's rows.
    """
    weight = pl.col("model").replace_strict(weights, default=0.0)
    pooled = forecasts.filter(pl.col("model").is_in(list(weights))).with_columns(part=pl.col("probability") * weight)
    return pooled.group_by(*UNIT, "category", maintain_order=True).agg(pl.col("part").sum().alias("probability"))


def _quadratic(
    forecasts: pl.DataFrame, truth: pl.DataFrame, heads: tuple[str, ...], rules: RateChange
) -> tuple[Float[np.ndarray, "heads heads"], Float[np.ndarray, "heads"]]:
    """Sums over reference dates of the mean products of the heads' cumulative probabilities, and with the outcome."""
    square, line = np.zeros((len(heads), len(heads))), np.zeros(len(heads))
    known = forecasts.join(truth.select(*UNIT, "observed"), on=UNIT).sort(UNIT)
    for _, week in known.group_by("reference_date", maintain_order=True):
        wide = week.pivot(
            "category", on_columns=rules.categories, index=["model", *UNIT, "observed"], values="probability"
        )
        own = [wide.filter(pl.col("model") == head) for head in heads]
        cumulative = np.stack([page.select(rules.categories).to_numpy().cumsum(axis=1)[:, :-1] for page in own])
        reached = (own[0]["observed"].to_numpy()[:, None] <= np.arange(cumulative.shape[2])).astype(np.float64)
        square += np.einsum("anc,bnc->ab", cumulative, cumulative) / len(reached)
        line += np.einsum("anc,nc->a", cumulative, reached) / len(reached)
    return square, line


def pool_forward(
    forecasts: pl.DataFrame, known: dict[date, pl.DataFrame], rules: RateChange, config: HubConfig
) -> tuple[pl.DataFrame, list[tuple[date, dict[str, float]]]]:
    """The pool for each date, its weights fitted on the outcomes of earlier dates that were known by then.

    Returns:
        As `replay_pool`.
    """
    pooled, weights = [], []
    for day, outcomes in known.items():
        past = forecasts.filter(pl.col("reference_date") < day)
        weight = fit_weights(past, outcomes, config.pooled, rules, config.pool_prior_weeks)
        pooled.append(apply_weights(forecasts.filter(pl.col("reference_date") == day), weight))
        weights.append((day, weight))
    table = pl.concat(pooled).with_columns(model=pl.lit(POOL))
    return table.select(forecasts.columns), weights
