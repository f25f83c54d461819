"""Walking forward: which dates are asked about, that nothing later is seen, that what was finished is kept."""

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

from trend.small import epidemic
from trend.walk.small import quick_walk, unwatched, walked
from twofold.counts.panel import Panel
from twofold.engine.errors import InputError
from twofold.trend.walk import schedule as backtest
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.walk.schedule import known_at, prepare_refit, read_refits, schedule, walk_forward
from twofold.trend.windows import fit_screen, slide

DATES = 50


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def origins(panel: Panel, **groups: Any) -> list[int]:
    plan = schedule(panel, quick_walk(**groups))
    return [at for refit in plan.refits for at in refit.origins if at >= plan.first]


def files(folder: Path) -> dict[str, bytes]:
    names = [*(folder / "origins").iterdir(), folder / "predictions.parquet", folder / "scores.json"]
    return {path.name: path.read_bytes() for path in names}


def test_the_last_15_of_81_increments_are_66_to_80_and_c_sees_those_before() -> None:
    config = quick_walk(walk={"last": 15, "warmup": 0}, screen={"fixed": True})
    panel = epidemic(dates=82)
    plan = schedule(panel, config)
    ahead = [at + 1 for refit in plan.refits for at in refit.origins]
    assert ahead == list(range(66, 81))
    assert {refit.screened for refit in plan.refits} == {66}
    assert plan.dates[80] == panel.dates[-1]


def test_without_fixing_each_refit_screens_on_all_that_it_sees() -> None:
    plan = schedule(epidemic(dates=82), quick_walk(walk={"last": 15}))
    assert [refit.screened for refit in plan.refits] == [refit.origins[0] + 1 for refit in plan.refits]
    warm = [refit.origins for refit in plan.refits if refit.origins[0] < plan.first]
    assert warm == [(63,), (64,)]


def test_under_a_fixed_c_no_warm_up_date_is_screened_on_later_ones() -> None:
    plan = schedule(epidemic(dates=82), quick_walk(walk={"last": 15}, screen={"fixed": True}))
    assert [refit.screened for refit in plan.refits][:4] == [64, 65, 66, 66]


def test_dates_choose_targets_and_not_origins() -> None:
    panel = epidemic(dates=DATES)  # increments from 2020-02-04 on
    chosen = origins(panel, walk={"first": date(2020, 3, 1), "until": date(2020, 3, 4)})
    dates = panel.increments("keep").dates[chosen]
    assert dates.astype(str).tolist() == ["2020-02-29", "2020-03-01", "2020-03-02", "2020-03-03"]
    two = origins(panel, walk={"until": date(2020, 3, 4)}, window={"horizon": 2})
    assert panel.increments("keep").dates[two[-1]] == np.datetime64("2020-03-02")
    assert len(two) == 4


@pytest.mark.parametrize("every", [2, 3, 50])
def test_a_refit_serves_the_dates_up_to_the_next(every: int) -> None:
    plan = schedule(epidemic(dates=DATES), quick_walk(walk={"last": 7, "warmup": 4, "every": every}))
    ahead = [at for refit in plan.refits for at in refit.origins]
    assert ahead == list(range(plan.first - 4, plan.first + 7))
    assert any(refit.origins[0] == plan.first for refit in plan.refits), "the first scored date has its own refit"
    assert all(len(refit.origins) <= every for refit in plan.refits)


def test_an_outcome_that_takes_a_week_is_learned_from_a_week_later() -> None:
    config = quick_walk(window={"target": "sum7"})
    panel = epidemic(dates=DATES)
    plan = schedule(panel, config)
    assert plan.lookahead == 7
    lesson = prepare_refit(panel, plan.refits[0], config)
    assert lesson.windows.origin.max() + 7 == plan.refits[0].origins[0]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"walk": {"last": 500}}, "--last 500: the data has 44 target dates"),
        ({"walk": {"first": date(2030, 1, 1)}}, "no target date lies there; the data has 2020-02-09 to 2020-03-23"),
        ({"walk": {"until": date(2020, 1, 1)}}, "--last 4: the data has 0"),
        ({"window": {"length": 60}}, "take a shorter window"),
    ],
)
def test_dates_that_the_data_lacks_are_refused(groups: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        schedule(epidemic(dates=DATES), quick_walk(**groups))


def test_weekly_data_has_no_7_day_mean() -> None:
    with pytest.raises(InputError, match="the data is weekly"):
        schedule(epidemic(dates=40, step=7), quick_walk(window={"target": "mean7"}))


def test_memory_and_activity_choose_what_is_learned_from() -> None:
    panel = epidemic(dates=DATES)
    plan = schedule(panel, quick_walk())
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
    plan = schedule(panel, config)
    handed: list[np.datetime64] = []
    monkeypatch.setattr(backtest, "_make", lambda known, refit, config, marker: handed.append(known.dates[-1]))
    walk_forward(panel, plan, config, tmp_path, unwatched)
    assert handed == [plan.dates[refit.origins[-1]] for refit in plan.refits]


def test_cut_after_any_refit_it_ends_with_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    panel, config = base("keep", 1)
    walked(panel, config, tmp_path / "whole")
    whole, make = files(tmp_path / "whole"), backtest._make
    made: list[str] = []

    def cut(known: Panel, refit: Any, config: BacktestConfig, marker: Path) -> None:
        if len(made) % 3 == 2:
            made.append("cut")
            # What a kill leaves at worst: forecasts written, the marker not yet.
            marker.with_suffix(".parquet").write_bytes(b"half")
            raise KeyboardInterrupt
        made.append(marker.stem)
        make(known, refit, config, marker)

    monkeypatch.setattr(backtest, "_make", cut)
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
    walked(panel, config.model_copy(update={"walk": config.walk.model_copy(update={"jobs": 2})}), tmp_path / "two")
    assert files(tmp_path / "two") == files(tmp_path / "one")


def test_progress_counts_what_was_there_before(tmp_path: Path) -> None:
    panel, config = base("keep", 3)
    plan = schedule(panel, config)
    seen: list[tuple[int, int]] = []
    walk_forward(panel, plan, config, tmp_path, lambda done, total: seen.append((done, total)))
    walk_forward(panel, plan, config, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3), (3, 3)]


def test_an_origin_without_c_is_skipped_and_says_why(tmp_path: Path) -> None:
    panel = epidemic(dates=DATES)
    values = panel.values.copy()
    values[:, :-6] = 0  # nothing happens before, so nothing correlates
    config = quick_walk(walk={"warmup": 0, "last": 6})
    quiet = replace(panel, values=values)
    plan = schedule(quiet, config)
    walk_forward(quiet, plan, config, tmp_path, unwatched)
    found = read_refits(tmp_path, plan)
    assert found[0][1] is None and "no region passes the screen" in found[0][0]["skipped"]
    assert any(table is not None for _, table in found)


def test_a_forecast_is_made_for_each_region_of_c_and_quiet_ones_get_their_own_share(tmp_path: Path) -> None:
    panel = epidemic(dates=DATES)
    values = panel.values.copy()
    values[2, -30:] = values[2, -30]  # fell silent
    panel, config = replace(panel, values=values), quick_walk(screen={"threshold": None})
    plan = schedule(panel, config)
    walk_forward(panel, plan, config, tmp_path, unwatched)
    refit = plan.refits[-1]
    facts, table = read_refits(tmp_path, plan)[-1]
    assert table is not None
    assert table["region"].to_list() == list(panel.regions) and facts["regions"] == len(panel.regions)
    quiet = table.filter(~pl.col("active"))
    windows = slide(
        known_at(panel, plan.dates[refit.origins[0]]).increments("keep"), np.ones(7, dtype=bool), config.window
    )
    known = windows.up[~windows.active & (windows.origin > refit.origins[0] - 20)]
    assert "region c" in quiet["region"].to_list()
    for name in (each for each in table.columns if each.startswith("p_")):
        assert quiet[name].to_list() == pytest.approx([(known.sum() + 1) / (len(known) + 2)] * len(quiet))


def test_c_is_the_screen_of_the_increments_seen(tmp_path: Path) -> None:
    panel, config = base("keep", 1)
    plan = schedule(panel, config)
    lesson = prepare_refit(panel, plan.refits[2], config)
    expected = fit_screen(panel.increments("keep"), plan.refits[2].screened, 0.3)
    assert np.array_equal(lesson.selected, expected.selected)
    assert lesson.increments.counts.shape[1] == plan.refits[2].screened


def test_markers_are_json_that_names_the_origins(tmp_path: Path) -> None:
    panel, config = base("keep", 3)
    plan = schedule(panel, config)
    walk_forward(panel, plan, config, tmp_path, unwatched)
    names = sorted(path.name for path in (tmp_path / "origins").iterdir())
    assert len(names) == 6, "a table and its facts for each refit; training states are gone"
    first = json.loads((tmp_path / "origins" / names[0]).read_text())
    assert first["origins"] == list(plan.refits[0].origins) and first["skipped"] is None
