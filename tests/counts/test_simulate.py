"""The embedded epidemic: seeded, plausible, and mapped back to its countries."""

import time

import numpy as np
import pytest

from twofold.counts.places import iso2
from twofold.counts.simulate import COUNTRIES, simulate
from twofold.engine.errors import InputError


@pytest.fixture(scope="module")
def panel():
    return simulate(0)


def test_it_is_a_panel_of_real_countries(panel):
    codes = {code for codes in COUNTRIES.values() for code in codes.split()}
    assert len(panel.regions) == len(codes) >= 180
    assert {iso2(region) for region in panel.regions} == codes
    assert panel.values.shape == (len(codes), 200)
    assert panel.kind == "cumulative"
    assert panel.step_days == 1


def test_a_note_says_that_it_is_simulated(panel):
    assert panel.notes[0].startswith("Simulated: ")
    assert "No number in it was observed" in panel.notes[0]
    assert "seed 0" in panel.notes[0]


def test_the_seed_decides_everything(panel):
    assert simulate(0).digest() == panel.digest()
    assert simulate(1).digest() != panel.digest()


def test_running_totals_never_fall(panel):
    assert (panel.increments("keep").counts >= 0).all()
    assert (panel.values >= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_countries_start_late_and_at_different_times(seed):
    first_case = (simulate(seed).values > 0).argmax(axis=1)
    assert len(np.unique(first_case)) > 20
    assert np.median(first_case) > 5


@pytest.mark.parametrize("seed", range(3))
def test_reporting_has_a_weekly_pattern(seed):
    counts = simulate(seed).increments("keep").counts[:, 3:].astype(float)
    large = counts[counts.mean(axis=1) > 20]
    log = np.log(large[:, -140:] + 1).reshape(len(large), 20, 7)
    by_weekday = (log - log.mean(axis=2, keepdims=True)).mean(axis=1)
    assert np.ptp(by_weekday.mean(axis=0)) > 0.15
    assert np.ptp(by_weekday, axis=1).std() > 0.05  # its depth differs by country


def test_countries_are_correlated_and_more_so_within_a_continent():
    pairs = np.array([_synchrony(simulate(seed)) for seed in range(6)])
    assert (pairs[:, 0] > pairs[:, 1]).sum() >= 5
    assert pairs[:, 1].mean() > 0.02


def _synchrony(panel) -> tuple[float, float]:
    """Mean correlation of weekly growth between countries of the same continent, and of different ones."""
    part = {code: i for i, codes in enumerate(COUNTRIES.values()) for code in codes.split()}
    weekly = np.diff(panel.values[:, ::7], axis=1)[:, -15:]
    busy = (weekly > 10).all(axis=1)
    parts = np.array([part[iso2(region) or ""] for region in panel.regions])[busy]
    together = np.corrcoef(np.diff(np.log(weekly[busy]), axis=1))
    same, others = parts[:, None] == parts, ~np.eye(len(parts), dtype=bool)
    return together[same & others].mean(), together[~same].mean()


def test_it_is_quick():
    start = time.process_time()
    simulate(5)
    assert time.process_time() - start < 5  # 0.03 s when shapes aren't checked


def test_too_few_dates_are_refused():
    assert simulate(0, dates=3).values.shape[1] == 3
    with pytest.raises(InputError, match="at least 3, got 2"):
        simulate(0, dates=2)
