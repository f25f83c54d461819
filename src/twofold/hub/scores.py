"""Forecasts of many models against what happened: who forecast what, tables of scores, and who beats whom.

Models leave out dates and places, and dates differ in difficulty. So a mean over all that a model forecast compares
nothing by itself: beside it stand the mean over the forecasts that all well-covered models made, and relative skill.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from twofold.engine.errors import DataError
from twofold.hub.compare import UNIT, relative_skill
from twofold.hub.rules import Rules
from twofold.hub.tables import Kind, read_sheet
from twofold.scoring.binary import ReliabilityBin, ece, reliability
from twofold.scoring.categories import PAGES, fault_of, rise, rose

FORECAST: dict[str, Kind] = {
    "model": "text",
    "reference_date": "date",
    "horizon": "integer",
    "location": "text",
    "category": "text",
    "probability": "number",
}
"""Columns of a table of forecasts: one row a category, of `predictions.parquet` and of the peers' file."""
COVERED = 0.9
"""Models with at least this coverage define the common forecasts."""


def read_forecasts(path: Path) -> pl.DataFrame:
    """Reads a table of forecasts with the columns of `FORECAST`.

    Raises:
        DataError: when the file breaks a rule; names file, row and column.
    """
    return read_sheet(path).typed(FORECAST)


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
