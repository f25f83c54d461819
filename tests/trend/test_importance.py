"""Grouped permutation importance: an input that matters is found, one that no member reads has exactly none."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trend.small import NAMES, increments_of
from twofold.scoring.binary import log_score
from twofold.trend import importance as module
from twofold.trend.baselines import Rates
from twofold.trend.config import FeatureConfig, ModelConfig, WindowConfig
from twofold.trend.features import FeatureFit, Inputs, apply_features, fit_features
from twofold.trend.fit import Ensemble, pool
from twofold.trend.importance import measure_importance
from twofold.trend.model import Recurrent
from twofold.trend.train import Trained
from twofold.trend.windows import slide

REGIONS = 4


def case() -> tuple[Ensemble, Inputs, np.ndarray]:
    """A network that reads the sequence and the last channel's weekday off nothing but `change` and `weekday`."""
    window = WindowConfig(length=3)
    increments = increments_of(np.random.default_rng(0).poisson(5, (REGIONS, 40)))
    windows = slide(increments, np.ones(REGIONS, dtype=bool), window)
    config = FeatureConfig(inputs=("log1p", "change", "weekday"))
    fit = fit_features(increments, windows, np.arange(len(windows)), config, window)
    inputs = apply_features(fit, increments, windows.region, windows.origin, window)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Recurrent(2, 7, REGIONS, "gru", ModelConfig(hidden=6, embedding=1))
    with torch.no_grad():
        net.layers[0].weight_ih_l0.mul_(3)
        net.layers[0].weight_ih_l0[:, 0] = 0  # log1p is not read
    ensemble = Ensemble(fit, {"gru-0": Trained(net, 1)}, {})
    return ensemble, inputs, _probability(ensemble, inputs) > 0.5


def _probability(ensemble: Ensemble, inputs: Inputs) -> np.ndarray:
    return pool(ensemble.predict(inputs, NAMES[:REGIONS], np.arange(len(inputs))))


def measure(ensemble: Ensemble, inputs: Inputs, up: np.ndarray, rows=None, seed=0) -> list[dict]:
    rows = np.arange(len(inputs)) if rows is None else rows
    return measure_importance(ensemble, inputs, NAMES[:REGIONS], up, rows, seed=seed)


def test_inputs_that_matter_come_first_and_an_unread_one_has_none():
    found = measure(*case())
    assert [item["group"] for item in found][-1] == "log1p"
    assert {item["group"] for item in found} == {"log1p", "change", "weekday"}
    *read, unread = found
    assert (unread["log_score_increase"], unread["low"], unread["high"]) == (0, 0, 0)
    for item in read:
        assert item["log_score_increase"] > 0
        assert item["low"] <= item["log_score_increase"] <= item["high"]
    assert read[0]["log_score_increase"] >= read[1]["log_score_increase"]


def test_unshuffled_windows_score_as_the_ensemble_does():
    ensemble, inputs, up = case()
    rows = np.arange(5, len(inputs), 3)
    part = replace(inputs, **{key: getattr(inputs, key)[rows] for key in ("region", "origin", "active", "change")})
    shuffled = module._Shuffled(ensemble, part, NAMES[:REGIONS], ("log1p", "change", "weekday"))
    same = np.repeat(np.arange(len(rows))[:, None], 3, axis=1)
    expected = -log_score(_probability(ensemble, inputs)[rows], up[rows])
    assert shuffled.score(same, up[rows]) == pytest.approx(expected, abs=1e-6)


def test_a_group_is_taken_whole_from_another_window():
    ensemble, inputs, _ = case()
    shuffled = module._Shuffled(ensemble, inputs, NAMES[:REGIONS], ("log1p", "change", "weekday"))
    table = np.repeat(np.arange(len(inputs))[:, None], 3, axis=1)
    table[:, 1] = np.roll(table[:, 1], 7)
    mixed = shuffled._mixed(table).table()
    plain, other = inputs.table(), np.roll(inputs.table(), 7, axis=0)
    channel = np.array([*[0, 1] * 3, *[2] * 7])  # three dates of log1p and change, then the weekday
    assert np.array_equal(mixed[:, channel == 1], other[:, channel == 1])
    assert np.array_equal(mixed[:, channel != 1], plain[:, channel != 1])


def test_the_seed_draws_the_shuffles():
    first, again, other = (measure(*case(), seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_too_few_windows_give_no_importance():
    assert measure(*case(), rows=np.array([3])) == []
    assert measure(*case(), rows=np.array([], dtype=np.int64)) == []


def test_of_many_windows_some_are_drawn(monkeypatch):
    monkeypatch.setattr(module, "MOST_WINDOWS", 20)
    ensemble, inputs, up = case()
    sizes: set[int] = set()

    def remember(probability: np.ndarray, label: np.ndarray) -> float:
        sizes.add(len(label))
        return log_score(probability, label)

    monkeypatch.setattr(module, "log_score", remember)
    measure(ensemble, inputs, up)
    assert sizes == {20}


def test_rates_see_no_input_and_none_matters():
    _, inputs, up = case()
    ensemble = Ensemble(FeatureFit(("log1p",), (), (), ()), {}, {"all_zero": Rates((), (0.3,), 0.1)})
    assert {item["log_score_increase"] for item in measure(ensemble, inputs, up)} == {0.0}
