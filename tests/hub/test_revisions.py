"""Late reports: a chain ladder worked by hand, applied to the newest weeks, learned before the deadline alone."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.small import RULES, START, at, versions_of
from twofold.hub import revisions as revision
from twofold.hub.revisions import DECAY_WEEKS, LAGS, LOOK_BACK, PRIOR, apply_revisions, fit_revisions
from twofold.hub.rules import WEEK
from twofold.hub.vintages import Grid

DEADLINE = RULES.deadline(START)  # 2024-11-28 04:00
ROWS = [
    ("2024-11-13 17:00", "2024-11-02", "01", 50.0),
    ("2024-11-13 17:00", "2024-11-09", "01", 99.0),
    ("2024-11-20 17:00", "2024-11-02", "01", 55.0),
    ("2024-11-20 17:00", "2024-11-09", "01", 149.0),
    ("2024-11-20 17:00", "2024-11-16", "01", 79.0),
    ("2024-11-27 17:00", "2024-11-16", "01", 99.0),
    ("2024-11-27 17:00", "2024-11-23", "01", 10.0),
]


def test_the_chain_ladder_by_hand() -> None:
    fade = np.exp(-1 / DECAY_WEEKS)
    # From the second to the third version (weight 1): newest week 80 -> 100, the one before 150 -> 150, then 56 -> 56.
    # From the first to the second (weight `fade`): 100 -> 150, then 51 -> 56; there is no third week.
    # The median of 0 (the prior), log 100/80 and log 150/100 is the second; that of 0, 0 and log 56/51 is 0.
    assert PRIOR < (PRIOR + 1 + fade) / 2 < PRIOR + 1
    assert fit_revisions(versions_of(ROWS), DEADLINE) == pytest.approx([np.log(100 / 80), 0.0, 0.0])


def test_all_locations_are_added_up_but_sums_of_others() -> None:
    other = [(time, day, "56", 3 * value) for time, day, _, value in ROWS]
    total = [(time, day, "US", 4 * value + 7) for time, day, _, value in ROWS]
    found = fit_revisions(versions_of([*ROWS, *other, *total]), DEADLINE, ["US"])
    assert found.tolist() == fit_revisions(versions_of([*ROWS, *other]), DEADLINE).tolist()
    # (79 + 3 * 79 + 1) -> (99 + 3 * 99 + 1), where one alone has 80 -> 100
    assert found[0] == pytest.approx(np.log(397 / 317))


def test_one_wrong_table_is_not_carried_on() -> None:
    """A hub published a table far too high for a week, and took it back: what other weeks say of reports stands."""
    weeks = [START - back * WEEK for back in range(9, 0, -1)]
    rows = []
    for number, week in enumerate(weeks):
        time = f"{RULES.deadline(week + WEEK) - timedelta(hours=11):%Y-%m-%d %H:%M}"
        first = 300.0 if number == 4 else 90.0
        rows += [(time, str(week), "01", first), *([(time, str(weeks[number - 1]), "01", 100.0)] if number else [])]
    deadline = RULES.deadline(START)
    assert fit_revisions(versions_of(rows), deadline)[0] == pytest.approx(np.log(101 / 91))


def test_a_location_that_one_version_lacks_does_not_count() -> None:
    # 56 has its newest week in the old version only, 57 in the new one only.
    once = [("2024-11-20 17:00", "2024-11-16", "56", 40.0), ("2024-11-27 17:00", "2024-11-16", "56", None)]
    new = [("2024-11-27 17:00", "2024-11-16", "57", 40.0), ("2024-11-27 17:00", "2024-11-23", "57", 40.0)]
    found = fit_revisions(versions_of([*ROWS, *once, *new]), DEADLINE)
    assert found.tolist() == fit_revisions(versions_of(ROWS), DEADLINE).tolist()


def test_versions_that_are_not_a_week_apart_are_passed_over() -> None:
    rows = [row for row in ROWS if not row[0].startswith("2024-11-20")]  # a version has not come out
    assert fit_revisions(versions_of(rows), DEADLINE).tolist() == [0.0] * LAGS


def test_nothing_known_is_no_revision() -> None:
    for deadline in (DEADLINE, DEADLINE - 3 * WEEK):  # one version; none
        assert fit_revisions(versions_of(ROWS[:2]), deadline).tolist() == [0.0] * LAGS


def test_old_versions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision, "PRIOR", 1e-9)  # so that one pair of versions is heard
    ages = [LOOK_BACK + 1, LOOK_BACK]
    rows = []
    for age, value in zip(ages, (10.0, 90.0), strict=True):
        time = f"{DEADLINE - age * WEEK - timedelta(hours=11):%Y-%m-%d %H:%M}"
        week = START - (age + 1) * WEEK
        rows += [(time, str(week), "01", 5.0), (time, str(START - (ages[0] + 1) * WEEK), "01", value)]
    assert fit_revisions(versions_of(rows), DEADLINE).tolist() == [0.0] * LAGS
    assert fit_revisions(versions_of(rows), DEADLINE - WEEK)[0] > 0.1


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(-2, 5), st.integers(0, 500)), max_size=12))
def test_what_comes_at_the_deadline_or_after_it_teaches_nothing(later: list[tuple[int, int, int]]) -> None:
    rows = [
        (f"{DEADLINE + timedelta(hours=hours):%Y-%m-%d %H:%M}", str(START - back * WEEK), "01", float(value))
        for hours, back, value in later
    ]
    found = fit_revisions(versions_of([*ROWS, *rows]), DEADLINE)
    assert found.tobytes() == fit_revisions(versions_of(ROWS), DEADLINE).tobytes()


def test_fractions_are_added_up_in_the_order_of_names() -> None:
    """A set of names has another order in every process, and a sum of fractions another last bit in another order."""
    shares = np.random.default_rng(27).random(40).tolist()  # of which nearly every order gives another sum
    times = [(ROWS[1][0], 99.0), (ROWS[3][0], 149.0)]
    rows = [(time, "2024-11-09", f"{k:02}", value * s) for time, value in times for k, s in enumerate(shares)]
    newer = [("2024-11-20 17:00", "2024-11-16", "00", 1.0)]
    earlier, later = (sum(value * s for s in shares) for _, value in times)
    found = fit_revisions(versions_of([*rows, *newer]), DEADLINE - WEEK)
    assert found[0] == (np.log1p(later) - np.log1p(earlier)) / (PRIOR + 1)


def grid(*values: list[float]) -> Grid:
    table = np.array(values)
    return Grid(("01", "56")[: len(table)], np.datetime64(date(2024, 11, 2)) + 7 * np.arange(table.shape[1]), table)


def test_the_newest_weeks_are_raised_and_nothing_else() -> None:
    old = grid([10.0, 20, 30, 40], [1, np.nan, 3, np.nan])
    found = apply_revisions(old, np.log([4.0, 3.0, 2.0]))
    np.testing.assert_allclose(found.values, [[10, 40, 90, 160], [1, np.nan, 9, np.nan]])
    assert old.values[0].tolist() == [10, 20, 30, 40]
    assert (found.locations, found.dates.tolist()) == (old.locations, old.dates.tolist())


def test_a_version_shorter_than_the_lags() -> None:
    np.testing.assert_allclose(apply_revisions(grid([10.0, 20]), np.log([4.0, 3.0, 2.0])).values, [[30, 80]])


def test_a_moment_before_the_first_version() -> None:
    assert fit_revisions(versions_of(ROWS), at("2020-01-01 00:00")).tolist() == [0.0] * LAGS
