"""Sentences that a page and the terminal share are made from the values of scores.json and study.json."""

import re

import numpy as np
import pytest

from twofold.scoring.bootstrap import Comparison, intervals
from twofold.trend.config import ScoreConfig
from twofold.trend.judge import EvaluatedSet, verdict
from twofold.trend.recipes import departures, recipe
from twofold.trend.report import wording


def sentence(
    difference: float | None,
    low: float | None,
    high: float | None,
    best: str | None = "boosting",
    *,
    evaluated: EvaluatedSet = "test",
    level: float = 0.9,
    enough: bool = True,
) -> str:
    compared: Comparison = {"difference": difference, "low": low, "high": high}
    found = verdict(compared, best, evaluated=evaluated, dates=9, enough=enough)
    said = wording.verdict(found, level)
    assert found["significant"] == ("is significant" in said)
    return said.removeprefix("On all test windows, ")


def test_better_and_significant() -> None:
    assert sentence(-0.012, -0.02, -0.004) == (
        "the network beats the best baseline, gradient boosting: its log score is 0.012 nats better "
        "(90 % interval 0.004 to 0.020), which is significant."
    )


def test_better_but_not_significant() -> None:
    assert sentence(-0.004, -0.01, 0.001) == (
        "the network does not clearly beat the best baseline, gradient boosting: its log score is 0.004 nats better "
        "(90 % interval -0.001 to 0.010), which is not significant."
    )


def test_worse_but_not_significant() -> None:
    assert sentence(0.004, -0.001, 0.01) == (
        "the network does not beat the best baseline, gradient boosting: its log score is 0.004 nats worse "
        "(90 % interval -0.001 to 0.010), which is not significant."
    )


def test_worse_and_significant() -> None:
    assert sentence(0.012, 0.004, 0.02) == (
        "the network is worse than the best baseline, gradient boosting: its log score is 0.012 nats worse "
        "(90 % interval 0.004 to 0.020), which is significant."
    )


def test_equal() -> None:
    assert sentence(0.0, 0.0, 0.0) == (
        "the network does not beat the best baseline, gradient boosting: their log scores are equal."
    )


def test_an_interval_that_touches_zero_is_not_significant() -> None:
    assert "which is not significant" in sentence(-0.1, -0.2, 0.0)
    assert "which is not significant" in sentence(0.1, 0.0, 0.2)


@pytest.mark.parametrize(("difference", "side"), [(-0.03, "better"), (0.03, "worse")])
def test_no_interval(difference: float, side: str) -> None:
    assert sentence(difference, None, None) == (
        f"the log score of the network is 0.030 nats {side} than that of the best baseline, gradient boosting; "
        "there are too few dates for an interval, so this may be chance."
    )


def test_from_too_few_dates_nothing_is_claimed() -> None:
    assert sentence(-0.012, -0.02, -0.004, enough=False) == (
        "the log score of the network is 0.012 nats better (90 % interval 0.004 to 0.020) than that of the best "
        "baseline, gradient boosting, from 9 dates alone, too few to claim a difference."
    )
    assert "which is not significant" in sentence(-0.004, -0.01, 0.001, enough=False)


def test_how_many_dates_intervals_and_claims_need() -> None:
    score = ScoreConfig(block_days=4)
    assert wording.intervals(4, score, "week") == (
        "There are no intervals: a bootstrap over blocks of 4 weeks needs two of them, 8 weeks, and here only 4 weeks "
        "were scored. So nothing is claimed: every difference may be chance."
    )
    few = wording.intervals(15, score, "week")
    assert "90\xa0% intervals" in few and "only 15 weeks were scored" in few and "four blocks, 16 weeks" in few
    assert wording.intervals(16, score, "week") == (
        "The 90\xa0% intervals come from a bootstrap over blocks of 4 weeks."
    )


@pytest.mark.parametrize("block", [1, 3])
def test_the_bootstrap_forms_intervals_from_as_many_dates_as_are_said(block: int) -> None:
    score = ScoreConfig(block_days=block)
    for dates, formed in ((score.formed_from - 1, False), (score.formed_from, True)):
        day, up = np.repeat(np.arange(dates), 2), np.tile([True, False], dates)
        found = intervals(np.full(2 * dates, 0.4), up, day, resamples=5, block_days=block, level=0.9, seed=0)
        assert (found["log_score"] is not None) == formed


@pytest.mark.parametrize("best", ["boosting", None])
def test_no_window(best: str | None) -> None:
    assert sentence(None, None, None, best) == (
        "the network could not be compared with a baseline: there is no window to score."
    )


def test_small_figures_keep_a_digit() -> None:
    assert "0.0100 nats better (90 % interval 0.0003 to 0.0200)" in sentence(-0.01, -0.02, -0.0003)
    assert "0.00002 nats worse (90 % interval -0.00010 to 0.00020)" in sentence(0.00002, -0.0001, 0.0002)
    assert not re.search(r"-0\.0+\D", sentence(0.01, -1e-9, 0.02))


def test_the_set_and_the_level_are_said() -> None:
    assert sentence(-0.02, -0.03, -0.01, "mean_reversion", evaluated="test_active", level=0.95) == (
        "On test windows with at least one case, the network beats the best baseline, the mean-reversion bins: "
        "its log score is 0.020 nats better (95 % interval 0.010 to 0.030), which is significant."
    )


def test_an_unknown_baseline_keeps_its_name() -> None:
    assert "the best baseline, my own:" in sentence(0.0, 0.0, 0.0, best="my_own")


def test_departures_say_what_the_original_study_states() -> None:
    assert departures(recipe("default")) is None
    config = recipe("original-gru-l7")
    assert departures(config) == [
        {"setting": "train.epochs", "original": 1000, "here": 20},
        {"setting": "train.optimiser", "original": None, "here": "AdamW"},
        {"setting": "train.schedule", "original": None, "here": "cosine"},
        {"setting": "features.inputs", "original": None, "here": ["log1p"]},
    ]
    assert wording.departures(departures(config) or []) == (
        "The original study trained for 1000 epochs, this run for 20. It names no optimiser and no scaling of the "
        "counts: here AdamW with a cosine schedule and inputs log1p."
    )
    raw = config.model_copy(update={"features": config.features.model_copy(update={"inputs": ("raw",)})})
    assert wording.departures(departures(raw) or []).endswith("a cosine schedule and raw counts.")
