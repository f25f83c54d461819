"""What became of a run's networks: thresholds on made curves, and small trainings that end in each state."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from trend.small import epidemic, quick, silent
from twofold.counts.panel import Panel
from twofold.engine.run import claim
from twofold.trend.diagnosis import Course, State, constant_loss, state, states
from twofold.trend.report import wording
from twofold.trend.run import execute

FLAT = [0.69, 0.6, 0.55, 0.545, 0.544]
GOOD = Course(FLAT, FLAT, kept=5, ignorant=0.65, deviation=0.2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "fine"),
        ({"held_out": [0.69, 0.6, 0.55, 0.545, 0.534]}, "hardly trained"),
        ({"held_out": [0.69, 0.6, 0.55, 0.545, 0.536]}, "fine"),
        ({"held_out": []}, "fine"),
        ({"held_out": [], "train": [0.69, 0.6, 0.55, 0.545, 0.534]}, "hardly trained"),
        ({"held_out": [0.69, 0.6, 0.55, 0.545, 0.534], "kept": 4}, "fine"),  # its patience ended it
        ({"train": [0.64], "held_out": [0.64], "kept": 1}, "fine"),  # one epoch has no fall
        ({"train": [0.65], "held_out": [0.64], "kept": 1}, "hardly trained"),
        ({"ignorant": 0.544}, "hardly trained"),
        ({"ignorant": 0.544, "deviation": 0.009}, "collapsed"),
        ({"deviation": 0.01}, "fine"),
        ({"held_out": [0.69, 0.6, 0.55, 0.56, 0.571]}, "over-fitted"),
        ({"held_out": [0.69, 0.6, 0.55, 0.56, 0.569]}, "fine"),
        ({"held_out": [0.69, 0.6, 0.55, 0.56, 0.59], "kept": 3}, "fine"),  # what was kept came before
        ({"held_out": [0.69, 0.6, 0.55, 0.56, 0.59], "train": [0.69, 0.6, 0.55, 0.56, 0.57]}, "fine"),  # both rose
    ],
)
def test_a_course_is_judged_by_fall_spread_and_rise(changes: dict[str, Any], expected: State) -> None:
    assert state(replace(GOOD, **changes)) == expected


def test_a_noisy_curve_must_rise_by_more_than_its_noise() -> None:
    train = np.linspace(0.69, 0.4, 20).tolist()
    swings = [0.6 + 0.03 * (-1) ** epoch for epoch in range(20)]
    assert state(Course(train, [*swings[:19], 0.63], 20, 0.65, 0.2)) == "fine"
    assert state(Course(train, [*swings[:19], 0.75], 20, 0.65, 0.2)) == "over-fitted"


def test_constants_cost_the_entropy_or_a_weighted_coin() -> None:
    assert constant_loss(0.2, False) == pytest.approx(-0.2 * np.log(0.2) - 0.8 * np.log(0.8))
    assert constant_loss(0.2, True) == pytest.approx(1.6 * np.log(2))
    assert constant_loss(1.0, True) == constant_loss(0.0, False) == 0.0


def ended(panel: Panel, folder: Path, **groups: Any) -> dict[State, list[str]]:
    """What became of the networks of a small run."""
    config = quick(**groups)
    with claim(folder / "run", config, panel.digest(), ["twofold", "trend", "run"]) as run:
        execute(panel, "made", config, run, silent)
    metrics = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return states(metrics, pl.read_parquet(folder / "run" / "predictions.parquet"), config.model.class_weight)


EVERY_EPOCH = {"validation_fraction": 0.0, "calibration_fraction": 0.0}


@pytest.mark.parametrize(
    ("expected", "groups"),
    [
        ("hardly trained", {"train": {"epochs": 1, "learning_rate": 1e-5}}),
        ("collapsed", {"train": {"epochs": 3, "learning_rate": 1e-2, "weight_decay": 90.0}}),
        ("fine", {"train": {"epochs": 30, "batch_size": 16, "learning_rate": 5e-3}}),
        (
            "over-fitted",
            {
                "split": EVERY_EPOCH,
                "model": {"hidden": 48, "dropout": 0.0},
                "train": {"epochs": 60, "batch_size": 16, "learning_rate": 1e-2},
            },
        ),
    ],
)
def test_small_trainings_end_in_each_state(tmp_path: Path, expected: State, groups: dict[str, Any]) -> None:
    assert ended(epidemic(), tmp_path, **groups) == {expected: ["gru-0"]}


def test_each_state_has_its_words_and_the_option_to_change() -> None:
    said = wording.states({"fine": ["gru-0"], "collapsed": ["gru-1", "gru-2"], "over-fitted": ["lstm-0"]})
    assert said[0].startswith("2 of 4 networks are collapsed") and "--train.learning-rate" in said[0]
    assert said[1].startswith("1 of 4 networks is over-fitted") and "--split.validation-fraction" in said[1]
    assert wording.states({"fine": ["gru-0"]}) == []
    assert wording.states({"hardly trained": ["gru-0"]})[0].startswith("1 of 1 network is hardly trained: more --t")
