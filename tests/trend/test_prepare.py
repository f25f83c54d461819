"""From a panel to windows and parts: what is asked of the data, and the original study's counts on its own table."""

import numpy as np
import pytest

from trend.small import epidemic, quick
from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Panel
from twofold.engine.errors import InputError
from twofold.trend.prepare import prepare


@pytest.mark.parametrize("kind", ["temporal", "both"])
def test_set_c_is_chosen_on_the_days_up_to_the_first_tested_origin(kind):
    prepared = prepare(epidemic(), quick(split={"kind": kind}))

    assert prepared.screen.days == prepared.windows.origin[prepared.split.test].min() + 1
    assert prepared.screen.days < len(prepared.increments.dates)


@pytest.mark.parametrize(("kind", "days"), [("temporal", "all"), ("random", "train"), ("regions", "train")])
def test_set_c_sees_all_days_where_asked_or_where_no_day_splits(kind, days):
    prepared = prepare(epidemic(12), quick(split={"kind": kind}, screen={"days": days}))

    assert prepared.screen.days == len(prepared.increments.dates)


def test_windows_are_those_of_set_c():
    prepared = prepare(epidemic(), quick())

    assert set(prepared.windows.region) == set(np.flatnonzero(prepared.in_c))
    assert not prepared.in_c[-1]  # the region without a case
    assert len(prepared.windows) == prepared.in_c.sum() * (49 - 5)


def test_a_temporal_split_leaks_days_but_nothing_of_what_is_asked():
    leaks = prepare(epidemic(), quick()).leaks

    assert leaks.ahead == 0
    assert leaks.share_region == leaks.train  # the same regions are tested
    assert 0 < leaks.overlap < leaks.train


def test_negatives_are_treated_before_anything_is_made_of_them():
    kept, clipped = (prepare(epidemic(), quick(source={"negatives": name})) for name in ("keep", "clip"))

    assert kept.increments.counts.min() == -9
    assert clipped.increments.counts.min() == 0


@pytest.mark.parametrize("target", ["mean7", "sum7"])
def test_sums_of_seven_days_are_refused_for_weekly_data(target):
    with pytest.raises(InputError, match=f"window.target {target} sums 7 days, but the data is weekly"):
        prepare(epidemic(step=7), quick(window={"target": target}))


def test_weekly_data_can_be_asked_for_the_next_week():
    assert len(prepare(epidemic(step=7), quick()).windows) > 0


def test_an_empty_set_c_is_refused():
    panel = epidemic()
    still = Panel(panel.regions, panel.dates, np.ones_like(panel.values), panel.kind)

    with pytest.raises(InputError, match="no region passes the screen"):
        prepare(still, quick())


@pytest.mark.realdata
def test_the_first_66_days_choose_160_countries_133_of_them_in_common(data_folder):
    panel = load_panel(data_folder / "covid_19.csv", SourceConfig())
    config = quick(window={"length": 7}, split={"test_fraction": 15 / 74})

    early = prepare(panel, config)
    everything = prepare(panel, quick(window={"length": 7}, screen={"days": "all"}))

    assert early.screen.days == 66
    assert early.in_c.sum() == 160
    assert everything.in_c.sum() == 143
    assert (early.in_c & everything.in_c).sum() == 133
