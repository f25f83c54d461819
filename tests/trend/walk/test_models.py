from pathlib import Path

import numpy as np
import pytest

from trend.small import epidemic
from trend.walk.small import quick_walk
from twofold.counts.panel import Panel
from twofold.trend.baselines import Estimator, Rates
from twofold.trend.fit import Ensemble
from twofold.trend.walk.models import MODELS, fit_members, forecast_members
from twofold.trend.walk.schedule import prepare_refit, schedule


def fitted(panel: Panel, folder: Path, **walk: object) -> Ensemble:
    config = quick_walk(walk=walk)
    lesson = prepare_refit(panel, schedule(panel, config).refits[-1], config)
    return fit_members(lesson.increments, lesson.windows, lesson.rows, config, folder)


def test_every_model_forecasts_from_the_last_date(tmp_path: Path) -> None:
    panel, config = epidemic(), quick_walk()
    seen = panel.increments("keep")
    table = forecast_members(fitted(panel, tmp_path), seen, np.array([1, 3]), np.array([True, False]), config)
    assert table.columns == ["region", "origin", "active", *(f"p_{name}" for name in MODELS)]
    assert table["region"].to_list() == ["region b", "region d"]
    assert (table["origin"].to_numpy() == panel.dates[-1]).all()
    chances = table.select(f"p_{name}" for name in MODELS).to_numpy()
    assert ((chances > 0) & (chances < 1)).all() and len(np.unique(chances)) > 6


def test_quiet_windows_are_left_to_the_models_that_learned_from_them(tmp_path: Path) -> None:
    panel, config = epidemic(), quick_walk(walk={"active_only": False})
    ensemble, seen, quiet = (
        fitted(panel, tmp_path, active_only=False),
        panel.increments("keep"),
        np.zeros(98, dtype=bool),
    )
    silent = np.array([6])
    own = forecast_members(ensemble, seen, silent, quiet, config)
    ruled = forecast_members(ensemble, seen, silent, quiet, quick_walk())
    assert not own["active"].any()
    assert {ruled[f"p_{name}"].item() for name in MODELS} == {0.01}
    assert own["p_gru"].item() != 0.01


def test_one_class_alone_leaves_the_base_rate(tmp_path: Path) -> None:
    panel = epidemic(kind="incident")
    panel.values[:] = panel.values.max() - np.arange(50)  # always falls
    config = quick_walk(screen={"threshold": None})
    lesson = prepare_refit(panel, schedule(panel, config).refits[-1], config)
    estimators = fit_members(lesson.increments, lesson.windows, lesson.rows, config, tmp_path).estimators
    assert isinstance(estimators["logistic"], Rates) and isinstance(estimators["boosting"], Rates)


@pytest.mark.parametrize("knob", [{"logistic_c": 1e-6}, {"boosting_rounds": 1}])
def test_knobs_reach_their_classifier(knob: dict[str, float], tmp_path: Path) -> None:
    panel, config = epidemic(dates=120), quick_walk()
    name = "logistic" if "logistic_c" in knob else "boosting"
    usual, held = (fitted(panel, tmp_path / str(index), memory=None, **each) for index, each in enumerate(({}, knob)))
    assert isinstance(usual.estimators[name], Estimator)
    seen, everywhere = panel.increments("keep"), np.arange(6)
    wide, narrow = (
        np.ptp(forecast_members(each, seen, everywhere, np.zeros(0, dtype=bool), config)[f"p_{name}"].to_numpy())
        for each in (usual, held)
    )
    assert narrow < wide
