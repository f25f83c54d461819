"""The schedule of a backtest: which dates are forecast, and when models are refitted."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from trend.small import epidemic
from trend.walk.small import quick_walk
from twofold.counts.panel import Panel
from twofold.engine.errors import InputError
from twofold.trend.walk.schedule import make_schedule

DATES = 50


def origins(panel: Panel, **groups: Any) -> list[int]:
    plan = make_schedule(panel, quick_walk(**groups))
    return [at for refit in plan.refits for at in refit.origins if at >= plan.first]


def test_the_last_15_of_81_increments_are_66_to_80_and_c_sees_those_before() -> None:
    config = quick_walk(walk={"last": 15, "warmup": 0}, screen={"fixed": True})
    panel = epidemic(dates=82)
    plan = make_schedule(panel, config)
    ahead = [at + 1 for refit in plan.refits for at in refit.origins]
    assert ahead == list(range(66, 81))
    assert {refit.screened for refit in plan.refits} == {66}
    assert plan.dates[80] == panel.dates[-1]


def test_without_fixing_each_refit_screens_on_all_that_it_sees() -> None:
    plan = make_schedule(epidemic(dates=82), quick_walk(walk={"last": 15}))
    assert [refit.screened for refit in plan.refits] == [refit.origins[0] + 1 for refit in plan.refits]
    warm = [refit.origins for refit in plan.refits if refit.origins[0] < plan.first]
    assert warm == [(63,), (64,)]


def test_under_a_fixed_c_no_warm_up_date_is_screened_on_later_ones() -> None:
    plan = make_schedule(epidemic(dates=82), quick_walk(walk={"last": 15}, screen={"fixed": True}))
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
    plan = make_schedule(epidemic(dates=DATES), quick_walk(walk={"last": 7, "warmup": 4, "every": every}))
    ahead = [at for refit in plan.refits for at in refit.origins]
    assert ahead == list(range(plan.first - 4, plan.first + 7))
    assert any(refit.origins[0] == plan.first for refit in plan.refits), "the first scored date has its own refit"
    assert all(len(refit.origins) <= every for refit in plan.refits)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"walk": {"last": 500}}, "the data has 44 target dates .*, and 500 are asked for; --last 44 takes them all"),
        ({"walk": {"first": date(2030, 1, 1)}}, "no target date in that range; the data has 2020-02-09 to 2020-03-23"),
        ({"walk": {"until": date(2020, 1, 1)}}, "the data has 0 target dates .*, and 4 are asked for; give more dates"),
        ({"window": {"length": 60}}, "take a shorter window"),
    ],
)
def test_dates_that_the_data_lacks_are_refused(groups: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_schedule(epidemic(dates=DATES), quick_walk(**groups))


def test_weekly_data_has_no_7_day_mean() -> None:
    with pytest.raises(InputError, match="the data is weekly"):
        make_schedule(epidemic(dates=40, step=7), quick_walk(window={"target": "mean7"}))
