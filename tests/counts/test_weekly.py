import numpy as np
import pytest

from trend.small import epidemic
from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Kind
from twofold.counts.weekly import to_weeks
from twofold.engine.errors import InputError


@pytest.mark.parametrize("kind", ["cumulative", "incident"])
def test_a_week_holds_its_seven_days(kind: Kind) -> None:
    daily = epidemic(dates=50, kind=kind)  # begins on a Monday
    weekly = to_weeks(daily)
    days, weeks = daily.increments("keep"), weekly.increments("keep")

    assert weekly.step_days == 7
    assert set((weeks.dates.astype(int) + 3) % 7) == {5}, "Saturdays"
    for column, end in enumerate(weeks.dates):
        inside = (days.dates > end - np.timedelta64(7, "D")) & (days.dates <= end)
        assert inside.sum() == 7
        assert np.array_equal(weeks.counts[:, column], days.counts[:, inside].sum(axis=1))


def test_days_in_no_whole_week_are_left_out_and_told() -> None:
    panel = to_weeks(epidemic(dates=50, kind="incident"))
    assert panel.dates[0] == np.datetime64("2020-02-15")
    assert panel.notes == (
        "Daily counts were summed to 6 weeks that end on Saturdays, 6 days at the beginning and 2 days at the end in "
        "no whole week.",
    )


def test_weekly_data_stays_as_it_is() -> None:
    panel = epidemic(dates=10, step=7)
    assert to_weeks(panel) is panel


def test_too_few_weeks_are_refused() -> None:
    with pytest.raises(InputError, match=r"--source\.weekly needs at least 3 weeks"):
        to_weeks(epidemic(dates=16))


def test_a_reader_is_asked_for_weeks_by_one_knob() -> None:
    assert load_panel(None, SourceConfig(weekly=True)).step_days == 7
    assert load_panel(None, SourceConfig()).step_days == 1
