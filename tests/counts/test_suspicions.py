"""Doubts about the counts: each strikes where it should, and stays silent on sound data."""

import numpy as np
import pytest

from twofold.counts.config import SourceConfig
from twofold.counts.load import read_panel
from twofold.counts.panel import Panel
from twofold.counts.simulate import simulate
from twofold.counts.suspicions import check_redistribution, incomplete_tail, level_jump, weekly_dump, without_sums
from twofold.engine.errors import DataError


def panel_of(values: np.ndarray, kind: str = "incident", step: int = 1) -> Panel:
    dates = np.datetime64("2020-03-01") + step * np.arange(values.shape[1])
    return Panel(tuple(f"region {i}" for i in range(len(values))), dates, values, kind)


def noise(seed: int = 0, regions: int = 6, dates: int = 70) -> np.ndarray:
    return np.random.default_rng(seed).poisson(60, size=(regions, dates))


# --- sums of regions ---


def test_a_total_is_left_out_and_named_unless_it_is_kept():
    values = noise()
    panel = panel_of(np.vstack([values, values.sum(axis=0)]))
    found = without_sums(panel, SourceConfig(), "x.csv")
    assert found.regions == panel.regions[:-1]
    assert "region 6 (the sum of 6 others)" in found.notes[0]
    kept = without_sums(panel, SourceConfig(aggregates="keep"), "x.csv")
    assert kept.regions == panel.regions
    assert "counted twice" in kept.suspicions[0].text


def test_a_total_that_was_published_apart_deviates_a_little():
    values = noise()
    total = np.round(values.sum(axis=0) * np.random.default_rng(1).uniform(0.993, 1.007, 70)).astype(np.int64)
    assert len(without_sums(panel_of(np.vstack([values, total])), SourceConfig(), "x.csv").regions) == 6


def test_groups_are_found_beside_their_members():
    values = noise(regions=8)
    north, south = values[:3].sum(axis=0), values[3:].sum(axis=0)
    panel = panel_of(np.vstack([values, north, south, north + south]))
    found = without_sums(panel, SourceConfig(), "x.csv")
    assert found.regions == panel.regions[:8]
    assert "region 8 (the sum of region 0, region 1, region 2)" in found.notes[0]


def test_running_totals_are_compared_by_their_new_cases():
    values = noise()
    panel = panel_of(np.vstack([values, values.sum(axis=0)]).cumsum(axis=1), "cumulative")
    assert len(without_sums(panel, SourceConfig(), "x.csv").regions) == 6


def test_sound_data_has_no_sums():
    assert without_sums(simulate(0), SourceConfig(), "x.csv").regions == simulate(0).regions
    for seed in range(20):
        assert len(without_sums(panel_of(noise(seed)), SourceConfig(), "x.csv").regions) == 6


@pytest.mark.realdata
@pytest.mark.parametrize("file", ["covid_19.csv", "time_series_covid19_confirmed_global.csv"])
def test_the_real_files_have_no_sums(data_folder, file):
    panel = read_panel(data_folder / file, SourceConfig())
    assert without_sums(panel, SourceConfig(), "x.csv") == panel


# --- weekly reports in a daily table ---


def test_cases_on_one_weekday_of_each_region_are_weekly_reports():
    values = np.zeros((4, 70), dtype=np.int64)
    for i in range(4):
        values[i, i % 2 :: 7] = 100 + i
    found = weekly_dump(panel_of(values))
    assert found is not None
    assert found.change == (("weekly", True),)
    assert weekly_dump(panel_of(values[:, ::7], step=7)) is None
    assert weekly_dump(panel_of(noise())) is None


# --- a change of level ---


def test_a_change_of_level_between_steady_weeks_is_named_with_its_date():
    values = noise()
    values[2, 35:] *= 6
    found = level_jump(panel_of(values))
    assert found is not None
    assert "region 2 on 2020-04-05" in found.text
    assert "region 1" not in found.text


def test_waves_and_single_peaks_are_no_change_of_level():
    wave = np.round(60 * np.exp(np.sin(np.arange(140) / 12) * 2))
    peak = noise(dates=140)
    peak[0, 50] = 5000
    assert level_jump(panel_of(np.vstack([wave, wave[::-1]]).astype(np.int64))) is None
    assert level_jump(panel_of(peak)) is None
    assert [seed for seed in range(10) if level_jump(simulate(seed))] == []


# --- redistribution ---


def test_a_redistribution_that_wipes_a_history_is_refused_with_what_helps():
    totals = noise().cumsum(axis=1)
    totals[1, -1] = 0
    with pytest.raises(DataError, match=r"history of 'region 1' .*--drop-last 1 leaves .*--negatives clip"):
        check_redistribution(panel_of(totals, "cumulative"), "x.csv")
    check_redistribution(panel_of(totals, "cumulative").drop_last(1), "x.csv")
    totals[1, -1] = totals[1, -2] - 500
    check_redistribution(panel_of(totals, "cumulative"), "x.csv")


# --- last dates ---


def with_last(panel: Panel, factors: list[float]) -> Panel:
    """The panel with only these shares of the cases of its last dates."""
    counts = panel.increments("keep").counts.copy()
    counts[:, -len(factors) :] = (counts[:, -len(factors) :] * np.array(factors)).astype(np.int64)
    values = np.concatenate([panel.values[:, :1], panel.values[:, :1] + np.cumsum(counts, axis=1)], axis=1)
    return Panel(panel.regions, panel.dates, values, "cumulative")


@pytest.mark.parametrize("factors", [[0.0], [0.2], [0.3, 0.1], [0.3, 0.2, 0.0]])
def test_dates_cut_down_are_found_and_counted(factors):
    warning = incomplete_tail(with_last(simulate(0), factors))
    assert warning is not None
    assert f"--drop-last {len(factors)}" in warning.text


def test_a_third_of_the_regions_without_cases_on_the_last_date_is_found():
    panel = simulate(0)
    values = panel.values.copy()
    values[::3, -1] = values[::3, -2]
    found = incomplete_tail(Panel(panel.regions, panel.dates, values, "cumulative"))
    assert found is not None
    assert "looks incomplete" in found.text


def test_a_low_date_before_a_complete_one_is_no_tail():
    assert incomplete_tail(with_last(simulate(0), [0.1, 1.0])) is None


def test_weekly_counts_are_compared_with_the_week_before():
    rng = np.random.default_rng(0)
    values = rng.poisson(200, size=(20, 40))
    dates = np.datetime64("2020-01-04") + 7 * np.arange(40)
    regions = tuple(f"region {i}" for i in range(20))
    assert incomplete_tail(Panel(regions, dates, values, "incident")) is None
    values[:, -1] //= 3
    found = incomplete_tail(Panel(regions, dates, values, "incident"))
    assert found is not None
    assert found.change == (("drop_last", 1),)


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
