"""Incomplete last dates: found when they are made so, and no false alarm on complete data."""

import numpy as np
import pytest

from twofold.counts.config import SourceConfig
from twofold.counts.load import read_panel
from twofold.counts.panel import Panel
from twofold.counts.simulate import simulate
from twofold.counts.tail import incomplete_tail


def with_last(panel: Panel, factors: list[float]) -> Panel:
    """The panel as if its last dates had reported only these shares of their cases."""
    counts = panel.increments("keep").counts.copy()
    counts[:, -len(factors) :] = (counts[:, -len(factors) :] * np.array(factors)).astype(np.int64)
    values = np.concatenate([panel.values[:, :1], panel.values[:, :1] + np.cumsum(counts, axis=1)], axis=1)
    return Panel(panel.regions, panel.dates, values, "cumulative")


@pytest.mark.parametrize("factors", [[0.0], [0.2], [0.3, 0.1], [0.3, 0.2, 0.0]])
def test_dates_cut_down_are_found_and_counted(factors):
    warning = incomplete_tail(with_last(simulate(0), factors))

    assert warning is not None
    assert f"--drop-last {len(factors)}" in warning


def test_a_third_of_the_regions_silent_on_the_last_date_is_found():
    panel = simulate(0)
    values = panel.values.copy()
    values[::3, -1] = values[::3, -2]

    assert "looks incomplete" in (incomplete_tail(Panel(panel.regions, panel.dates, values, "cumulative")) or "")


def test_a_low_date_before_a_complete_one_is_no_tail():
    assert incomplete_tail(with_last(simulate(0), [0.1, 1.0])) is None


def test_weekly_counts_are_compared_with_the_week_before():
    rng = np.random.default_rng(0)
    values = rng.poisson(200, size=(20, 40))
    dates = np.datetime64("2020-01-04") + 7 * np.arange(40)
    regions = tuple(f"region {i}" for i in range(20))
    assert incomplete_tail(Panel(regions, dates, values, "incident")) is None

    values[:, -1] //= 3
    assert "--drop-last 1" in (incomplete_tail(Panel(regions, dates, values, "incident")) or "")


@pytest.mark.parametrize("shape", [(20, 20), (3, 60)])
def test_too_short_a_history_or_too_few_regions_say_nothing(shape):
    values = np.full(shape, 50)
    values[:, -1] = 0
    regions = tuple(f"region {i}" for i in range(shape[0]))

    assert (
        incomplete_tail(Panel(regions, np.datetime64("2020-01-01") + np.arange(shape[1]), values, "incident")) is None
    )


def test_complete_simulations_raise_no_alarm():
    assert [seed for seed in range(10) if incomplete_tail(simulate(seed))] == []


@pytest.mark.realdata
@pytest.mark.parametrize("file", ["covid_19.csv", "time_series_covid19_confirmed_global.csv"])
def test_no_false_alarm_on_the_real_files_but_one_when_their_last_day_is_halved(data_folder, file):
    panel = read_panel(data_folder / file, SourceConfig())

    assert incomplete_tail(panel) is None
    assert incomplete_tail(with_last(panel, [0.4])) is not None


@pytest.mark.realdata
def test_false_alarms_over_the_whole_jhu_series_are_rare(data_folder):
    panel = read_panel(data_folder / "time_series_covid19_confirmed_global.csv", SourceConfig())
    ends = range(42, 1144, 5)
    alarms = [
        n for n in ends if incomplete_tail(Panel(panel.regions, panel.dates[:n], panel.values[:, :n], "cumulative"))
    ]

    assert len(alarms) <= len(ends) // 100
