"""Who forecasts better than whom, when no two models forecast the same dates and places.

Dates differ in difficulty far more than models do, so a pair of models is compared on what both forecast.
"""

import numpy as np
import polars as pl

from twofold.engine.errors import InputError
from twofold.scoring.bootstrap import draw_days

UNIT = ["reference_date", "horizon", "location"]
"""What one forecast is for."""


def relative_skill(scored: pl.DataFrame, baseline: str, score: str = "rps") -> pl.DataFrame:
    """Pairwise relative skill: how a model's score compares with all others', each pair on what both forecast.

    The geometric mean, over all models (itself included), of the ratio of the two mean scores on the forecasts that
    both made; divided by the baseline's. Pairs without a common forecast don't count. Not proper in itself; lower is
    better, best 0, the baseline has 1.

    Args:
        scored: as `hub_scores.score_forecasts` gives it.
        baseline: model whose relative skill is 1.
        score: name of a score of which less is better.

    Returns:
        Columns model, relative; null where the baseline made no forecast.

    Source:
        Cramer et al. (2022), Evaluation of individual and ensemble probabilistic forecasts of COVID-19 mortality in the
        United States, PNAS 119(15), equations 1 and 2 of its methods; computed as scoringutils' pairwise comparison.
    """
    wide = scored.pivot(on="model", index=UNIT, values=score).drop(UNIT)
    value = wide.cast(pl.Float64).to_numpy()
    made = ~np.isnan(value)
    sums = np.where(made, value, 0.0).T @ made  # [i, j]: model i's sum over what j forecast, too
    np.fill_diagonal(sums, 1.0)
    compared = (sums > 0) | (sums.T > 0)  # else no common forecast, or two scores of 0 and no ratio
    with np.errstate(divide="ignore", invalid="ignore"):  # a score of 0 has the logarithm -inf and the skill 0
        logs = np.log(sums) - np.log(sums.T)
        theta = np.exp(np.where(compared, logs, 0.0).sum(axis=1) / compared.sum(axis=1))
        own = theta[wide.columns.index(baseline)] if baseline in wide.columns else np.nan
        relative = pl.Series("relative", theta / own).fill_nan(None)
    return pl.DataFrame({"model": wide.columns, "relative": relative}).sort("model")


def differences(
    scored: pl.DataFrame,
    model: str,
    *,
    score: str = "rps",
    resamples: int,
    block_weeks: int,
    level: float,
    seed: int,
) -> pl.DataFrame:
    """Difference of a model's mean score to every other's, on the forecasts that both made, with its interval.

    Reference dates are resampled in blocks, all places and horizons of a date together: forecasts of neighbouring weeks
    share their target weeks and their mistakes. Both models are scored on the same dates drawn.

    Args:
        scored: as `hub_scores.score_forecasts` gives it.
        model: the model compared.
        score: name of the score.
        resamples: bootstrap resamples.
        block_weeks: consecutive reference dates in a block.
        level: coverage aimed at, in (0, 1).
        seed: of numpy's PCG64; the same for every peer.

    Returns:
        Columns peer, n (common forecasts), dates (their reference dates), difference (model less peer; below 0 favours
        the model where less is better), low, high (null with fewer dates than two blocks hold); sorted by difference.

    Raises:
        InputError: when the model is not among the scored.

    Source:
        Diebold & Mariano (1995), Comparing predictive accuracy, J. Bus. Econ. Stat. 13(3), for the comparison of paired
        losses; blocks as in `interval.draw_days`.
    """
    mine = scored.filter(pl.col("model") == model).select(*UNIT, pl.col(score).alias("mine"))
    if mine.is_empty():
        raise InputError(f"model must be one that was scored, got {model!r}")
    paired = scored.filter(pl.col("model") != model).join(mine, on=UNIT)
    by_date = (
        paired.group_by("model", "reference_date")
        .agg((pl.col("mine") - pl.col(score)).sum().alias("sum"), pl.len())
        .sort("model", "reference_date")
    )
    rows = []
    for (peer,), dates in by_date.group_by("model", maintain_order=True):
        sums, sizes = dates["sum"].to_numpy(), dates["len"].to_numpy().astype(np.float64)
        low = high = None
        if len(sums) >= 2 * block_weeks:
            counts = draw_days(len(sums), resamples=resamples, block_days=block_weeks, seed=seed)
            drawn = (counts @ sums) / (counts @ sizes)
            low, high = np.quantile(drawn, [(1.0 - level) / 2, (1.0 + level) / 2]).tolist()
        rows.append((peer, int(sizes.sum()), len(sums), float(sums.sum() / sizes.sum()), low, high))
    schema = {"peer": pl.String, "n": pl.Int64, "dates": pl.Int64}
    schema |= dict.fromkeys(("difference", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema, orient="row").sort("difference", "peer")
