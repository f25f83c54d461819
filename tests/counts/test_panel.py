"""Panel: its rules, increments, corrections and digest."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from trend.small import epidemic
from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Kind, Panel, corrections, panel_of_frame, redistribute, to_weeks, usual_step
from twofold.engine.errors import InputError


def panel(values, kind="cumulative", start="2020-01-01", step=1) -> Panel:
    values = np.array(values, dtype=np.int64)
    dates = np.datetime64(start) + step * np.arange(values.shape[1])
    return Panel(tuple("ABCDEFGH"[: len(values)]), dates, values, kind)


def test_increments_of_running_totals_are_their_differences():
    increments = panel([[1, 3, 3, 2], [0, 0, 5, 5]]).increments("keep")
    assert increments.counts.tolist() == [[2, 0, -1], [0, 5, 0]]
    assert increments.dates.astype(str).tolist() == ["2020-01-02", "2020-01-03", "2020-01-04"]
    assert increments.step_days == 1


def test_increments_of_new_cases_are_the_values():
    weekly = panel([[1, 3, 3]], "incident", step=7)
    assert weekly.increments("keep").counts.tolist() == [[1, 3, 3]]
    assert weekly.increments("keep").step_days == weekly.step_days == 7


def test_clip_makes_negative_increments_zero():
    assert panel([[5, 9, 2, 4]]).increments("clip").counts.tolist() == [[4, 0, 2]]


@pytest.mark.parametrize(
    ("counts", "expected", "left"),
    [
        ([4, 3, -2, 5], [4, 1, 0, 5], 0),  # from the day before
        ([4, 1, -3, 5], [2, 0, 0, 5], 0),  # and further back
        ([4, -1, 3, -2], [3, 0, 1, 0], 0),  # two corrections
        ([4, -2, 1, -2], [1, 0, 0, 0], 0),  # the later one reaches past the earlier
        ([1, -3, 2], [0, 0, 2], 2),  # more than the history holds
        ([-3, 2, 1], [0, 2, 1], 3),  # never from later days
    ],
)
def test_redistribute_subtracts_corrections_from_the_days_before(counts, expected, left):
    result, unabsorbed = redistribute(np.array([counts], dtype=np.int64))
    assert result.tolist() == [expected]
    assert unabsorbed.tolist() == [left]


@given(arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.integers(-20, 30)))
def test_redistribute_keeps_sums_and_never_looks_ahead(counts):
    result, unabsorbed = redistribute(counts)
    assert (result >= 0).all()
    assert (result.sum(axis=1) - unabsorbed == counts.sum(axis=1)).all()
    assert (result <= np.maximum(counts, 0)).all()


def test_redistribute_notes_what_history_can_not_absorb():
    notes = panel([[9, 10, 2, 4], [0, 5, 3, 3]]).increments("redistribute").notes
    assert notes == (
        "Downward corrections exceed all cases before them by 7 cases in 1 region; that part was clipped.",
    )
    assert panel([[0, 5, 3, 3]]).increments("redistribute").notes == ()


def test_corrections_name_region_date_and_size():
    found = corrections(panel([[1, 3, 2, 2], [9, 9, 9, 4]]))
    assert [(c.region, str(c.date), c.size) for c in found] == [("A", "2020-01-03", 1), ("B", "2020-01-04", 5)]


def test_drop_last_leaves_out_the_last_dates_and_says_so():
    cut = panel([[1, 2, 3, 4, 5]]).drop_last(2)
    assert cut.values.tolist() == [[1, 2, 3]]
    assert str(cut.dates[-1]) == "2020-01-03"
    assert "--drop-last 2" in cut.notes[0]
    assert "2020-01-04 to 2020-01-05" in cut.notes[0]


def test_drop_last_of_none_changes_nothing():
    whole = panel([[1, 2, 3, 4, 5]])
    assert whole.drop_last(0) is whole


@pytest.mark.parametrize("n", [-1, 3, 99])
def test_drop_last_leaves_at_least_three_dates(n):
    with pytest.raises(InputError, match=rf"must lie in \[0, 2\].* got {n}"):
        panel([[1, 2, 3, 4, 5]]).drop_last(n)


def test_digest_sees_regions_dates_kind_and_values_but_not_notes():
    base = panel([[1, 2, 3], [4, 5, 6]])
    others = [
        panel([[1, 2, 3], [4, 5, 7]]),
        panel([[1, 2, 3], [4, 5, 6]], "incident"),
        panel([[1, 2, 3], [4, 5, 6]], start="2020-01-02"),
        Panel(("A", "C"), base.dates, base.values, base.kind),
    ]
    assert len({base.digest(), *(other.digest() for other in others)}) == 5
    assert base.noted("anything").digest() == base.digest()
    assert len(base.digest()) == 64


def test_digest_does_not_depend_on_memory_layout():
    base = panel([[1, 2, 3], [4, 5, 6]])
    turned = Panel(base.regions, base.dates, np.asfortranarray(base.values), base.kind)
    assert turned.digest() == base.digest()


def test_frame_holds_values_and_increments():
    rows = panel([[1, 3, 2], [0, 0, 4]]).frame().rows()
    assert [(region, str(day), *rest) for region, day, *rest in rows] == [
        ("A", "2020-01-01", 1, None),
        ("A", "2020-01-02", 3, 2),
        ("A", "2020-01-03", 2, -1),
        ("B", "2020-01-01", 0, None),
        ("B", "2020-01-02", 0, 0),
        ("B", "2020-01-03", 4, 4),
    ]


def test_frame_of_new_cases_has_all_increments():
    assert panel([[1, 3, 2]], "incident").frame()["increment"].to_list() == [1, 3, 2]


def test_noted_skips_none():
    assert panel([[1, 2, 3]]).noted("one", None, "two").notes == ("one", "two")


@pytest.mark.parametrize(
    ("regions", "dates", "shape", "message"),
    [
        ((), [0, 1, 2], (0, 3), "at least one region"),
        (("A", "A"), [0, 1, 2], (2, 3), "regions must be unique, got 'A' twice"),
        (("A",), [0, 1], (1, 2), "at least 3 dates, got 2"),
        (("A",), [0, 1, 3], (1, 3), r"steps of \[1, 2\] days"),
        (("A",), [0, 2, 4], (1, 3), r"steps of \[2\] days"),
        (("A",), [2, 1, 0], (1, 3), r"steps of \[-1\] days"),
        (("A",), [0, 1, 2], (1, 4), r"shape \(regions, dates\) = \(1, 3\), got \(1, 4\)"),
    ],
)
def test_a_panel_that_breaks_a_rule_is_refused(regions, dates, shape, message):
    with pytest.raises(InputError, match=message):
        Panel(regions, np.datetime64("2020-01-01") + np.array(dates), np.zeros(shape, dtype=np.int64), "incident")


def test_dates_must_be_days():
    with pytest.raises(InputError, match=r"datetime64\[D\], got datetime64\[ns\]"):
        Panel(("A",), np.arange(3).astype("datetime64[ns]"), np.zeros((1, 3), dtype=np.int64), "incident")


@pytest.mark.parametrize(("days", "step"), [([0, 1, 2, 9], 1), ([0, 7, 14, 28], 7), ([0, 2, 4], 1)])
def test_usual_step_is_a_day_or_a_week(days, step):
    assert usual_step(np.datetime64("2020-01-01") + np.array(days)) == step


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


def test_days_in_no_whole_week_are_left_out_and_noted() -> None:
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


def test_one_setting_sums_to_weeks() -> None:
    assert load_panel(None, SourceConfig(weekly=True)).step_days == 7
    assert load_panel(None, SourceConfig()).step_days == 1


def filled_panel(kind: Kind = "cumulative") -> Panel:
    base = panel([[1, 3, 3, 7, 9], [2, 2, 4, 4, 6], [0, 1, 1, 2, 2]], kind)
    filled = np.zeros((3, 5), dtype=bool)
    filled[1, 2] = True
    return Panel(base.regions, base.dates, base.values, kind, notes=("one",), filled=filled)


def test_a_part_has_its_rows_dates_and_filled_cells_and_keeps_the_notes():
    part = filled_panel().part(np.array([2, 1]), slice(1, 4))
    assert (part.regions, part.notes) == (("C", "B"), ("one",))
    assert part.values.tolist() == [[1, 1, 2], [2, 4, 4]]
    assert part.dates.astype(str).tolist() == ["2020-01-02", "2020-01-03", "2020-01-04"]
    assert part.filled is not None
    assert part.filled.tolist() == [[False] * 3, [False, True, False]]
    assert filled_panel().part(slice(0, 1)).regions == ("A",)


def test_a_new_case_depends_on_both_totals_that_it_lies_between():
    new = filled_panel().increments("keep")
    assert new.filled is not None
    assert np.argwhere(new.filled).tolist() == [[1, 1], [1, 2]]
    own = filled_panel("incident").increments("clip").filled
    assert own is not None
    assert np.argwhere(own).tolist() == [[1, 2]]
    assert panel([[1, 3, 2]]).increments("keep").filled is None


@pytest.mark.parametrize("kind", ["cumulative", "incident"])
def test_a_panel_comes_back_from_its_frame(kind: Kind) -> None:
    for before in (filled_panel(kind), panel([[5, 1, 2], [0, 0, 9]], kind, step=7)):
        after = panel_of_frame(before.frame(), kind)
        assert after.digest() == before.digest()
        assert after.notes == ()


def test_weeks_with_a_filled_day_are_filled() -> None:
    daily = epidemic(dates=50, kind="incident")
    filled = np.zeros(daily.values.shape, dtype=bool)
    filled[0, 9] = True
    weekly = to_weeks(Panel(daily.regions, daily.dates, daily.values, "incident", filled=filled))
    assert weekly.filled is not None
    ((region, week),) = np.argwhere(weekly.filled).tolist()
    assert region == 0
    assert 0 <= (weekly.dates[week] - daily.dates[9]).astype(int) < 7
