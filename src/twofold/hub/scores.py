"""Forecasts of many models against what happened: who forecast what, tables of scores, and who beats whom.

Models leave out dates and places, and dates differ in difficulty. So a mean over all that a model forecast compares
nothing by itself: beside it stand the mean over the forecasts that all well-covered models made, and relative skill.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from twofold.engine.errors import DataError, InputError
from twofold.hub.rules import Rules
from twofold.hub.tables import UNIT
from twofold.scoring.binary import ReliabilityBin, ece, reliability
from twofold.scoring.bootstrap import draw_days
from twofold.scoring.categories import PAGES, fault_of, rise, rose

COVERED = 0.9
"""Models with at least this coverage define the common forecasts."""


def score_forecasts(forecasts: pl.DataFrame, truth: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Every forecast's scores.

    Args:
        forecasts: columns of `FORECAST`; forecasts for which nothing was observed are left out.
        truth: reference_date, horizon, location, observed; as `rate_change.truth` gives it.
        rules: names of the categories.

    Returns:
        Columns model, reference_date, horizon, location, rps, brier_score, log_score, accuracy, rise (probability),
        rose (whether it did).

    Raises:
        DataError: when a forecast lacks a category, has one twice or an unknown one, or is no distribution.
    """
    wide = _wide(forecasts, truth, rules.categories)
    pmf, observed = wide.select(rules.categories).to_numpy(), wide["observed"].to_numpy()
    fault = fault_of(pmf, observed)
    if fault is not None:
        raise DataError(f"{_named(wide[fault.row :])}: {fault.rule}")
    scored = [pl.Series(name, page(pmf, observed)) for name, page in PAGES.items()]
    risen = pl.Series("rose", rose(observed, len(rules.categories)))
    return wide.select("model", *UNIT).with_columns(*scored, pl.Series("rise", rise(pmf)), risen)


def mean_scores(scored: pl.DataFrame, by: Sequence[str] = ("model",)) -> pl.DataFrame:
    """Mean scores of groups of forecasts.

    Args:
        scored: as `score_forecasts` gives it.
        by: columns that make the groups: model, and any of horizon, location, reference_date.

    Returns:
        The columns of `by`, n (forecasts), and the mean of every score and of P(rise); sorted by `by`.
    """
    means = [pl.col(name).mean() for name in (*PAGES, "rise")]
    return scored.group_by(by).agg(pl.len().alias("n"), *means, pl.col("rose").mean()).sort(by)


def leaderboard(scored: pl.DataFrame, truth: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Every model's scores on all that it forecast, best relative RPS first.

    Args:
        scored: as `score_forecasts` gives it, or the part of it in question.
        truth: all forecasts that could have been made there.
        rules: name of the baseline.

    Returns:
        Columns model, n, coverage (share of the forecasts made), rps, brier_score, log_score, accuracy, ece (of
        P(rise)), relative_rps (null without the baseline).
    """
    calibrated = [
        {"model": name[0], "ece": ece(group["rise"].to_numpy(), group["rose"].to_numpy())}
        for name, group in scored.group_by("model")
    ]
    table = (
        mean_scores(scored)
        .with_columns(coverage=pl.col("n") / truth.height)
        .join(pl.DataFrame(calibrated, {"model": pl.String, "ece": pl.Float64}), on="model")
        .join(relative_skill(scored, rules.baseline).rename({"relative": "relative_rps"}), on="model")
    )
    return table.select("model", "n", "coverage", *PAGES, "ece", "relative_rps").sort("relative_rps", "rps", "model")


def common(scored: pl.DataFrame, truth: pl.DataFrame, coverage: float = COVERED) -> pl.DataFrame:
    """The scores of the forecasts that every model of at least this coverage made; other models fall out.

    Args:
        scored: as `score_forecasts` gives it.
        truth: all forecasts that could have been made.
        coverage: share of them that a model must have made, in (0, 1].
    """
    made = scored.group_by("model").len().filter(pl.col("len") >= coverage * truth.height)["model"]
    covered = scored.filter(pl.col("model").is_in(made.implode()))
    shared = covered.group_by(UNIT).len().filter(pl.col("len") == made.len())
    return covered.join(shared.select(UNIT), on=UNIT, how="semi")


def rise_reliability(scored: pl.DataFrame, model: str) -> list[ReliabilityBin]:
    """The reliability table of a model's P(rise); see `score.reliability`."""
    own = scored.filter(pl.col("model") == model)
    return reliability(own["rise"].to_numpy(), own["rose"].to_numpy())


def _wide(forecasts: pl.DataFrame, truth: pl.DataFrame, categories: tuple[str, ...]) -> pl.DataFrame:
    """One row a forecast: model, UNIT, observed, and a column of probabilities for each category."""
    asked = forecasts.with_columns(pl.col("horizon").cast(pl.Int64)).join(truth.select(*UNIT, "observed"), on=UNIT)
    strange = asked.filter(~pl.col("category").is_in(categories))
    if not strange.is_empty():
        raise DataError(f"{_named(strange)}: {strange['category'][0]!r} is none of {', '.join(categories)}")
    twice = asked.filter(asked.select("model", *UNIT, "category").is_duplicated())
    if not twice.is_empty():
        raise DataError(f"{_named(twice)}: the category {twice['category'][0]!r} stands twice; keep one")
    index = ["model", *UNIT, "observed"]
    wide = asked.pivot(on="category", on_columns=categories, index=index, values="probability").sort("model", *UNIT)
    lacking = wide.filter(pl.any_horizontal(pl.col(categories).is_null()))
    if not lacking.is_empty():
        raise DataError(f"{_named(lacking)}: a category has no probability; give all of {', '.join(categories)}")
    return wide


def _named(forecasts: pl.DataFrame) -> str:
    first = forecasts.row(0, named=True)
    return (
        f"forecast of {first['model']} for {first['reference_date']}, horizon {first['horizon']}, location "
        f"{first['location']}"
    )


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
