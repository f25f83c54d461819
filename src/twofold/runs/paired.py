"""Two runs of one kind on the cases that both predicted: differences of their scores, with their uncertainty.

What is hard for both cancels, so a paired difference tells more than the two scores beside each other.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from twofold.engine.errors import RunFolderError
from twofold.engine.files import table, text, there
from twofold.engine.seed import seed_for
from twofold.runs.folder import Run
from twofold.runs.kinds import Found, Score

MODELS = {"trend run": "ensemble", "trend backtest": "pool"}
"""The model of a trend run, or walk, that its headline is about."""


class Pairing(TypedDict):
    """The differences of two runs; where they can't be compared, `why` says so and there are none."""

    cases: int
    differences: dict[str, Score]
    why: str


class Beside(TypedDict):
    """Runs of one kind side by side."""

    kind: str
    runs: list[dict[str, Any]]
    """What a list tells of each."""
    settings: dict[str, list[Any]]
    """The settings that differ: a value for each run."""
    scores: dict[str, list[Score | None]]
    """A score for each run; None where it has none of the name."""
    paired: list[dict[str, Any]]
    """For each run but the first `run` and `minus` (their folders), and the differences to the first."""


def side_by_side(runs: Sequence[Run]) -> Beside:
    """What differs between runs of one kind.

    Raises:
        RunFolderError: when they are of several kinds or an unknown one, or a file of predictions is missing.
    """
    kinds = {run.kind.name if run.kind else "unknown" for run in runs}
    if len(kinds) > 1 or None in [run.kind for run in runs]:
        raise RunFolderError(f"runs of one known kind can be compared, got {', '.join(sorted(kinds))}")
    first, *others = runs
    names = dict.fromkeys(key for run in runs for key in run.settings)
    settings = {name: [run.settings.get(name) for run in runs] for name in names}
    return {
        "kind": kinds.pop(),
        "runs": [run.summary() for run in runs],
        "settings": {name: values for name, values in settings.items() if any(each != values[0] for each in values)},
        "scores": {
            name: [run.scores.get(name) for run in runs]
            for name in dict.fromkeys(key for run in runs for key in run.scores)
        },
        "paired": [{"run": str(run.path), "minus": str(first.path), **pair(run, first)} for run in others],
    }


def pair(run: Run, other: Run) -> Pairing:
    """Scores of `run` minus those of `other`, on the held-out cases of both.

    Raises:
        RunFolderError: when a file of predictions is missing from a finished run.
    """
    kind = run.kind.name if run.kind else ""
    if not (run.done and other.done):
        return _no("a run that isn't finished has no predictions yet")
    if kind in MODELS:
        return _trend(run, other, MODELS[kind])
    if kind == "hub backtest":
        return _hub(run, other)
    if kind == "vae run":
        return _vae(run, other)
    more = "; the runs below its folder do" if kind == "vae sweep" else ""
    return _no(f"a {kind} holds no predictions of single cases{more}")


def _no(why: str) -> Pairing:
    return {"cases": 0, "differences": {}, "why": why}


def _trend(run: Run, other: Run, model: str) -> Pairing:
    import numpy as np
    import polars as pl

    from twofold.scoring.bootstrap import compare

    def tested(one: Run) -> pl.DataFrame:
        frame = table(one.path, "predictions.parquet")
        held_out = frame.filter(split="test") if "split" in frame.columns else frame
        return held_out.select("region", "origin", "target_date", "active", "label", p=f"p_{model}")

    ours, theirs = tested(run), tested(other)
    both = ours.join(theirs, on=["region", "origin", "target_date"], suffix="_other")
    if both.is_empty():
        spans = " and ".join(f"{frame['origin'].min()} to {frame['origin'].max()}" for frame in (ours, theirs))
        return _no(f"no window is in both tests, whose origins are {spans}")
    if differing := both.filter(pl.col("label") != pl.col("label_other")).height:
        return _no(
            f"the outcomes of {differing:,} of the {both.height:,} windows in both tests differ: other counts, or "
            "another target"
        )
    active = both.filter(pl.col("active") & pl.col("active_other"))
    cases = (both if active.is_empty() else active).sort("origin", "region")
    score = run.config["score"]
    found = compare(
        cases["p"].to_numpy(),
        cases["p_other"].to_numpy(),
        cases["label"].to_numpy(),
        cases["origin"].to_numpy().astype("datetime64[D]").astype(np.int64),
        resamples=score["bootstrap"],
        block_days=score["block_days"],
        level=score["level"],
        seed=seed_for(run.config["seed"], "bootstrap"),
    )
    return _with_intervals(
        len(cases), {name: (each["difference"], each["low"], each["high"]) for name, each in found.items()}
    )


def _with_intervals(cases: int, found: dict[str, tuple[float | None, float | None, float | None]]) -> Pairing:
    differences: dict[str, Score] = {
        name: {"value": value, "interval": None if low is None or high is None else [low, high]}
        for name, (value, low, high) in found.items()
    }
    return {"cases": cases, "differences": differences, "why": ""}


def _hub(run: Run, other: Run) -> Pairing:
    import polars as pl

    from twofold.hub.quantile_scores import observations, score_quantiles, sort_out
    from twofold.hub.rules import Rules
    from twofold.hub.run import BLOCK_WEEKS, LEVEL, RESAMPLES
    from twofold.hub.scores import differences, score_forecasts

    for name in ("hub", "season"):
        if run.found[name] != other.found[name]:
            return _no(f"the runs are of {run.found[name]} and {other.found[name]}, and no forecast is in both")
    # By the newer outcomes: a count that was revised in between must not be scored twice.
    newer = max(run, other, key=lambda one: one.found["truth_as_of"])
    rules = Rules.from_json(text(newer.path, "rules.json"), str(newer.path / "rules.json"))

    def forecasts(file: str, default: Callable[[Found], str]) -> pl.DataFrame:
        """Both runs' own default models, called by the runs' part in the comparison."""
        pairs = (run, "run"), (other, "other")
        parts = [(table(one.path, file).filter(model=default(one.found)), name) for one, name in pairs]
        return pl.concat([part.with_columns(model=pl.lit(name)) for part, name in parts])

    scored: list[tuple[pl.DataFrame, tuple[str, ...]]] = []
    if rules.rate_change is not None:
        made = forecasts("predictions.parquet", lambda found: found["default"])
        scored.append(
            (score_forecasts(made, table(newer.path, "truth.parquet"), rules.rate_change), ("rps", "log_score"))
        )
    whole, _ = sort_out(forecasts("predictions_quantile.parquet", lambda found: found["quantile"]["default"]))
    observed = observations(table(newer.path, "counts.parquet"), whole["reference_date"], rules.horizons)
    scored.append((score_quantiles(whole, observed), ("wis", "log_wis")))
    how = {"resamples": RESAMPLES, "block_weeks": BLOCK_WEEKS, "level": LEVEL, "seed": run.config["seed"]}
    found = {
        name: row
        for part, names in scored
        for name in names
        for row in differences(part, "run", score=name, **how).iter_rows(named=True)
    }
    if not found:
        return _no("no forecast is in both")
    cases = max(row["n"] for row in found.values())
    return _with_intervals(cases, {name: (row["difference"], row["low"], row["high"]) for name, row in found.items()})


def _vae(run: Run, other: Run) -> Pairing:
    from twofold.vae.per_image import TEST
    from twofold.vae.score import mean_and_error

    for one in (run, other):
        if not there(one.path, TEST):
            return _no(f"{one.path} was made before a run kept the scores of its test images ({TEST})")
    ours, theirs = (table(one.path, TEST).unique("hash") for one in (run, other))
    both = ours.join(theirs, on="hash", suffix="_other").sort("hash")
    if both.is_empty():
        return _no("no image, as the model sees it, is in both tests")
    differences: dict[str, Score] = {}
    for name in ("bits_per_dim", "mse"):
        gaps = (both[name] - both[f"{name}_other"]).drop_nulls()  # a Bernoulli likelihood has no bits
        if len(gaps):
            mean, error = mean_and_error(gaps.to_numpy())
            differences[name] = {"value": mean, "standard_error": error}
    return {"cases": both.height, "differences": differences, "why": ""}
