"""Scores of many models' forecasts: tables of scores and pairwise comparisons.

Models leave out dates and locations, and dates differ in difficulty far more than models do. So the mean over all
forecasts of a model can't be compared with that of another. What can: the means over the forecasts that all
well-covered models made, and relative skill and differences, where each pair is compared on what both forecast.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from twofold.engine.errors import DataError, InputError
from twofold.hub.rules import RateChange
from twofold.hub.tables import UNIT
from twofold.scoring.binary import ece
from twofold.scoring.bootstrap import draw_days, percentiles
from twofold.scoring.categories import PAGES, SUM_TOLERANCE, fault_of, rise, rose

COVERED = 0.9
"""Models with at least this coverage define the common forecasts."""


def score_forecasts(forecasts: pl.DataFrame, truth: pl.DataFrame, rules: RateChange) -> pl.DataFrame:
    """The scores of every forecast whose outcome was observed.

    Returns:
        Columns model, reference_date, horizon, location, rps, brier_score, log_score, accuracy, rise (probability),
        rose (whether it did).

    Raises:
        DataError: when a forecast lacks a category, has one twice or an unknown one, or is no distribution.
    """
    names, index = rules.categories, ["model", *UNIT, "observed"]
    matched = forecasts.with_columns(pl.col("horizon").cast(pl.Int64)).join(truth.select(*UNIT, "observed"), on=UNIT)
    strange = matched.filter(~pl.col("category").is_in(names))
    if not strange.is_empty():
        raise DataError(f"{_named(strange)}: {strange['category'][0]!r} is none of {', '.join(names)}")
    twice = matched.filter(matched.select("model", *UNIT, "category").is_duplicated())
    if not twice.is_empty():
        raise DataError(f"{_named(twice)}: the category {twice['category'][0]!r} appears twice; keep one")
    wide = matched.pivot(on="category", on_columns=names, index=index, values="probability").sort("model", *UNIT)
    lacking = wide.filter(pl.any_horizontal(pl.col(names).is_null()))
    if not lacking.is_empty():
        raise DataError(f"{_named(lacking)}: a category has no probability; give all of {', '.join(names)}")
    pmf, observed = wide.select(names).to_numpy(), wide["observed"].to_numpy()
    fault = fault_of(pmf, observed)
    if fault is not None:
        raise DataError(f"{_named(wide[fault.row :])}: {fault.rule}")
    scored = [pl.Series(name, page(pmf, observed)) for name, page in PAGES.items()]
    risen = pl.Series("rose", rose(observed, len(names)))
    return wide.select("model", *UNIT).with_columns(*scored, pl.Series("rise", rise(pmf)), risen)


def without_broken(forecasts: pl.DataFrame, rules: RateChange) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """Peers' forecasts without those that are no distribution over the hub's categories.

    One team's broken row must not keep a season from being scored.

    Returns:
        The forecasts that can be scored, and of each other its model, reference_date, horizon, location and reason.
    """
    names, unit = rules.categories, ["model", *UNIT]
    probability = pl.col("probability")
    grouped = forecasts.group_by(unit).agg(
        strange=(~pl.col("category").is_in(names)).any(),
        twice=pl.col("category").n_unique() < pl.len(),
        lacking=pl.col("category").n_unique() < len(names),
        outside=(~probability.is_between(0.0, 1.0)).fill_null(True).any(),
        total=probability.sum(),
    )
    reason = (
        pl.when("strange").then(pl.lit("an unknown category"))
        .when("twice").then(pl.lit("a category twice"))
        .when("lacking").then(pl.lit("a category without a probability"))
        .when("outside").then(pl.lit("a probability outside [0, 1]"))
        .when((pl.col("total") - 1).abs() > SUM_TOLERANCE)
        .then(pl.format("probabilities that add up to {}", pl.col("total").round(4)))
    )  # fmt: skip
    broken = grouped.with_columns(reason=reason).drop_nulls("reason").sort(unit)
    kept = forecasts.join(broken.select(unit), on=unit, how="anti", maintain_order="left")
    left_out = broken.select(pl.col(name).cast(pl.String) for name in (*unit, "reason"))
    return kept, list(left_out.iter_rows(named=True))


def mean_scores(scored: pl.DataFrame, by: Sequence[str] = ("model",)) -> pl.DataFrame:
    """Mean scores of groups of forecasts: by model, and any of horizon, location, reference_date.

    Returns:
        The columns of `by`, n (forecasts), and the mean of every score and of P(rise); sorted by `by`.
    """
    means = [pl.col(name).mean() for name in (*PAGES, "rise")]
    return scored.group_by(by).agg(pl.len().alias("n"), *means, pl.col("rose").mean()).sort(by)


def leaderboard(scored: pl.DataFrame, truth: pl.DataFrame, rules: RateChange) -> pl.DataFrame:
    """Every model's scores on all that it forecast, best relative RPS first; `truth` holds all that could be forecast.

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

    Coverage is a share, in (0, 1], of all forecasts that could have been made: those of `truth`.
    """
    made = scored.group_by("model").len().filter(pl.col("len") >= coverage * truth.height)["model"]
    covered = scored.filter(pl.col("model").is_in(made.implode()))
    shared = covered.group_by(UNIT).len().filter(pl.col("len") == made.len())
    return covered.join(shared.select(UNIT), on=UNIT, how="semi")


def relative_skill(scored: pl.DataFrame, baseline: str, score: str = "rps") -> pl.DataFrame:
    """Pairwise relative skill: how a model's score compares with all others', each pair on what both forecast.

    The geometric mean, over all models (itself included), of the ratio of the two mean scores on the forecasts that
    both made; divided by the baseline's. The score must be one of which less is better. Pairs without a common forecast
    don't count. Not proper in itself; lower is better, best 0, the baseline has 1.

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
    scored: pl.DataFrame, model: str, *, score: str = "rps", resamples: int, block_weeks: int, level: float, seed: int
) -> pl.DataFrame:
    """Difference of a model's mean score to every other's, on the forecasts that both made, with its interval.

    Reference dates are resampled in blocks, all places and horizons of a date together: forecasts of neighbouring weeks
    share their target weeks and their errors. Both models are scored on the same dates drawn. A block holds
    `block_weeks` consecutive reference dates; the interval aims at `level`; the seed, of numpy's PCG64, is the same for
    every peer.

    Returns:
        Columns peer, n (common forecasts), dates (their reference dates), difference (model less peer; below 0 favours
        the model where less is better), low, high (null with fewer dates than two blocks hold); sorted by difference.

    Raises:
        InputError: when the model is not among the scored.

    Source:
        Diebold & Mariano (1995), Comparing predictive accuracy, J. Bus. Econ. Stat. 13(3), for the comparison of paired
        losses; blocks as in `scoring.bootstrap.draw_days`.
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
            low, high = percentiles((counts @ sums) / (counts @ sizes), level) or (None, None)
        rows.append((peer, int(sizes.sum()), len(sums), float(sums.sum() / sizes.sum()), low, high))
    schema = {"peer": pl.String, "n": pl.Int64, "dates": pl.Int64}
    schema |= dict.fromkeys(("difference", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema, orient="row").sort("difference", "peer")


def _named(forecasts: pl.DataFrame) -> str:
    first = forecasts.row(0, named=True)
    return (
        f"forecast of {first['model']} for {first['reference_date']}, horizon {first['horizon']}, location "
        f"{first['location']}"
    )
