"""The refits of a walk: nothing later is seen, what was finished is kept, every model learns from the same windows."""

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

from trend.small import epidemic
from trend.walk.small import quick_walk, silent, walked
from twofold.counts.panel import Panel
from twofold.engine.work import ALONE, Work, Workers
from twofold.trend.baselines import Estimator, Rates
from twofold.trend.walk import models
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.models import (
    MODELS,
    TrainingData,
    fit_models,
    forecast,
    prepare_refit,
    read_refits,
    walk_forward,
)
from twofold.trend.walk.schedule import Refit, known_at, make_schedule
from twofold.trend.windows import fit_screen, slide

DATES = 50


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def files(folder: Path) -> dict[str, bytes]:
    names = [*(folder / "origins").iterdir(), folder / "predictions.parquet", folder / "scores.json"]
    return {path.name: path.read_bytes() for path in names}


def test_an_outcome_that_takes_a_week_is_learned_from_a_week_later() -> None:
    config = quick_walk(window={"target": "sum7"})
    panel = epidemic(dates=DATES)
    plan = make_schedule(panel, config)
    assert plan.lookahead == 7
    data = prepare_refit(panel, plan.refits[0], config)
    assert data.windows.origin.max() + 7 == plan.refits[0].origins[0]


def test_memory_and_activity_choose_what_is_learned_from() -> None:
    panel = epidemic(dates=DATES)
    plan = make_schedule(panel, quick_walk())
    refit = plan.refits[-1]
    now = refit.origins[0]
    short = prepare_refit(panel, refit, quick_walk(walk={"memory": 6}))
    taken = short.windows.origin[short.rows]
    assert (taken.min(), taken.max()) == (now - 5, now - 1)
    assert short.windows.active[short.rows].all()
    everything = prepare_refit(panel, refit, quick_walk(walk={"memory": None, "active_only": False}))
    assert len(everything.rows) == len(everything.windows)


@functools.cache
def base(negatives: str, every: int, fixed: bool = False) -> tuple[Panel, BacktestConfig]:
    config = quick_walk(source={"negatives": negatives}, walk={"every": every}, screen={"fixed": fixed})
    return epidemic(dates=DATES), config


@pytest.mark.parametrize(
    ("negatives", "every", "fixed"),
    [("keep", 1, False), ("keep", 1, True), ("redistribute", 1, False), ("keep", 3, False)],
)
def test_no_later_count_changes_a_forecast_by_a_bit(negatives: str, every: int, fixed: bool, tmp_path: Path) -> None:
    panel, config = base(negatives, every, fixed)
    plan = walked(panel, config, tmp_path / "before")
    scored = pl.read_parquet(tmp_path / "before" / "predictions.parquet")
    for last in (plan.first, plan.first + 2):
        values = panel.values.copy()
        column = int(np.flatnonzero(panel.dates == plan.dates[last])[0]) + 1
        values[:, column:] += np.random.default_rng(last).integers(-400, 400, values[:, column:].shape)
        out = tmp_path / f"after-{last}"
        walked(replace(panel, values=values), config, out)
        seen = pl.col("origin") <= plan.dates[last].astype(object)
        forecasts = [name for name in scored.columns if name.startswith("p_")]
        columns = ["region", "origin", "active", *forecasts]
        again = pl.read_parquet(out / "predictions.parquet")
        assert again.filter(seen).select(columns).equals(scored.filter(seen).select(columns))
        assert not again.filter(~seen).select(forecasts).equals(scored.filter(~seen).select(forecasts))
        for refit in plan.refits:
            if refit.origins[-1] <= last:
                name = f"origins/{plan.dates[refit.origins[0]]}.parquet"
                assert (out / name).read_bytes() == (tmp_path / "before" / name).read_bytes()


def test_a_worker_is_handed_no_later_date(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    panel, config = base("keep", 1)
    plan = make_schedule(panel, config)
    handed: list[np.datetime64] = []
    make = models.make_refit
    monkeypatch.setattr(models, "make_refit", lambda known, *more: handed.append(known.dates[-1]) or make(known, *more))
    walked(panel, config, tmp_path)
    assert handed == [plan.dates[refit.origins[-1]] for refit in plan.refits]


def test_cut_after_any_refit_it_ends_with_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    panel, config = base("keep", 1)
    walked(panel, config, tmp_path / "whole")
    plan, whole, make = make_schedule(panel, config), files(tmp_path / "whole"), models.make_refit
    made: list[str] = []

    def cut(known: Panel, refit: Refit, config: BacktestConfig) -> models.Made:
        if len(made) % 3 == 2:
            made.append("cut")
            # What a kill leaves at worst: forecasts written, the marker not yet.
            (tmp_path / "cut" / "origins" / f"{plan.dates[refit.origins[0]]}.parquet").write_bytes(b"half")
            raise KeyboardInterrupt
        made.append(str(plan.dates[refit.origins[0]]))
        return make(known, refit, config)

    monkeypatch.setattr(models, "make_refit", cut)
    for _ in range(3):
        try:
            walked(panel, config, tmp_path / "cut")
        except KeyboardInterrupt:
            continue
    done = [name for name in made if name != "cut"]
    assert "cut" in made and len(done) == len(set(done)) == 6, "nothing that was finished is done again"
    assert files(tmp_path / "cut") == whole


def test_two_at_a_time_give_the_same_bytes(tmp_path: Path) -> None:
    panel, config = base("keep", 3)
    walked(panel, config, tmp_path / "one")
    walked(panel, config, tmp_path / "two", Work(Workers(jobs=2)))
    assert files(tmp_path / "two") == files(tmp_path / "one")


def test_progress_counts_what_was_there_before(tmp_path: Path) -> None:
    panel, config = base("keep", 3)
    plan = make_schedule(panel, config)
    seen: list[tuple[int, int]] = []
    walk_forward(panel, plan, config, tmp_path, work=ALONE, advance=lambda *counted: seen.append(counted))
    walk_forward(panel, plan, config, tmp_path, work=ALONE, advance=lambda *counted: seen.append(counted))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3), (3, 3)]


def test_an_origin_without_c_is_skipped_and_says_why(tmp_path: Path) -> None:
    panel = epidemic(dates=DATES)
    values = panel.values.copy()
    values[:, :-6] = 0  # nothing happens before, so nothing correlates
    config = quick_walk(walk={"warmup": 0, "last": 6})
    inactive = replace(panel, values=values)
    plan = make_schedule(inactive, config)
    walk_forward(inactive, plan, config, tmp_path, work=ALONE, advance=silent)
    found = read_refits(tmp_path, plan)
    assert found[0][1] is None and "no region passes the screen" in found[0][0]["skipped"]
    assert any(table is not None for _, table in found)


def test_a_refit_that_diverges_is_skipped_and_says_what_to_lower(tmp_path: Path) -> None:
    panel = epidemic(dates=DATES)
    config = quick_walk(walk={"warmup": 0, "last": 2}, train={"learning_rate": 1e38, "clip_norm": 1e30})
    plan = make_schedule(panel, config)
    walk_forward(panel, plan, config, tmp_path, work=ALONE, advance=silent)
    for fact, table in read_refits(tmp_path, plan):
        assert table is None and fact["regions"] == 0
        assert "0, stage walk) diverged: " in fact["skipped"]
        assert fact["skipped"].endswith("; --train.learning-rate is 1e+38, give 0.002")


def test_a_forecast_is_made_for_each_region_of_c_and_inactive_ones_get_their_own_share(tmp_path: Path) -> None:
    panel = epidemic(dates=DATES)
    values = panel.values.copy()
    values[2, -30:] = values[2, -30]  # no case any more
    panel, config = replace(panel, values=values), quick_walk(screen={"threshold": None})
    plan = make_schedule(panel, config)
    walk_forward(panel, plan, config, tmp_path, work=ALONE, advance=silent)
    refit = plan.refits[-1]
    facts, table = read_refits(tmp_path, plan)[-1]
    assert table is not None
    assert table["region"].to_list() == list(panel.regions) and facts["regions"] == len(panel.regions)
    inactive = table.filter(~pl.col("active"))
    windows = slide(
        known_at(panel, plan.dates[refit.origins[0]]).increments("keep"), np.ones(7, dtype=bool), config.window
    )
    known = windows.up[~windows.active & (windows.origin > refit.origins[0] - 20)]
    assert "region c" in inactive["region"].to_list()
    for name in (each for each in table.columns if each.startswith("p_")):
        assert inactive[name].to_list() == pytest.approx([(known.sum() + 1) / (len(known) + 2)] * len(inactive))


def test_c_is_the_screen_of_the_increments_seen(tmp_path: Path) -> None:
    panel, config = base("keep", 1)
    plan = make_schedule(panel, config)
    data = prepare_refit(panel, plan.refits[2], config)
    expected = fit_screen(panel.increments("keep"), plan.refits[2].screened, 0.3)
    assert np.array_equal(data.selected, expected.selected)
    assert data.increments.counts.shape[1] == plan.refits[2].screened


def test_markers_are_json_that_names_the_origins(tmp_path: Path) -> None:
    panel, config = base("keep", 3)
    plan = make_schedule(panel, config)
    walk_forward(panel, plan, config, tmp_path, work=ALONE, advance=silent)
    names = sorted(path.name for path in (tmp_path / "origins").iterdir())
    assert len(names) == 6, "a table and its facts for each refit; training states are gone"
    first = json.loads((tmp_path / "origins" / names[0]).read_text())
    assert first["origins"] == list(plan.refits[0].origins) and first["skipped"] is None


def last_data(panel: Panel, config: BacktestConfig) -> TrainingData:
    return prepare_refit(panel, make_schedule(panel, config).refits[-1], config)


def test_every_model_forecasts_from_the_last_date() -> None:
    panel, config = epidemic(), quick_walk(screen={"threshold": None})
    data = last_data(panel, config)
    table = forecast(fit_models(data, config), panel.increments("keep"), data, config)
    assert table.columns == ["region", "origin", "active", *(f"p_{name}" for name in MODELS)]
    assert table["region"].to_list() == list(panel.regions)
    assert (table["origin"].to_numpy() == panel.dates[-1]).all()
    chances = table.select(f"p_{name}" for name in MODELS).to_numpy()
    assert ((chances > 0) & (chances < 1)).all() and len(np.unique(chances)) > 6


def test_inactive_windows_are_left_to_the_models_that_learned_from_them() -> None:
    panel = epidemic()
    learned, ruled = (quick_walk(screen={"threshold": None}, walk={"active_only": rule}) for rule in (False, True))
    data = replace(last_data(panel, learned), inactive=np.zeros(98, dtype=bool))
    ensemble = fit_models(data, learned)
    own, given = (forecast(ensemble, panel.increments("keep"), data, config)[6] for config in (learned, ruled))
    assert not own["active"].any()
    assert {given[f"p_{name}"].item() for name in MODELS} == {0.01}
    assert own["p_gru"].item() != 0.01


def test_one_class_alone_leaves_the_base_rate() -> None:
    panel = epidemic(kind="incident")
    panel.values[:] = panel.values.max() - np.arange(50)  # always falls
    config = quick_walk(screen={"threshold": None})
    estimators = fit_models(last_data(panel, config), config).estimators
    assert isinstance(estimators["logistic"], Rates) and isinstance(estimators["boosting"], Rates)


@pytest.mark.parametrize("setting", [{"logistic_c": 1e-6}, {"boosting_rounds": 1}])
def test_settings_reach_their_classifier(setting: dict[str, float]) -> None:
    panel = epidemic(dates=120)
    name = "logistic" if "logistic_c" in setting else "boosting"
    spreads = []
    for each in ({}, setting):
        config = quick_walk(walk={"memory": None} | each)
        data = last_data(panel, config)
        ensemble = fit_models(data, config)
        assert isinstance(ensemble.estimators[name], Estimator)
        spreads.append(np.ptp(forecast(ensemble, panel.increments("keep"), data, config)[f"p_{name}"].to_numpy()))
    assert spreads[1] < spreads[0]
