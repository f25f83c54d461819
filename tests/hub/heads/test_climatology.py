"""Climatology: shares of past changes of the same weeks, counted by hand."""

import numpy as np
import pytest

from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.climatology import fit_climatology


def queries(base: list[float], week: float) -> Queries:
    inputs = np.full((len(base), 2, len(NAMES)), np.nan)
    inputs[:, -1, NAMES.index("season_week")] = week
    return Queries(inputs, np.array(base, dtype=float), np.full(len(base), 1e6))


# Four changes of weeks 10 to 14, from 9 cases: to 0, 9, 19 and 99; one that weighs twice; one of another time.
BASE = [9.0] * 5
CHANGE = np.array([[-9.0], [0.0], [10.0], [90.0], [990.0]])
WEEK = np.array([10.0, 11.0, 13.0, 14.0, 14.1])
WEIGHT = np.array([1.0, 1.0, 2.0, 1.0, 5.0])
HEAD = fit_climatology(Examples(queries(BASE, 0.0), CHANGE, WEIGHT, WEEK, np.zeros(len(WEEK), np.int64)))


def above(head, base: float, taus: list[float], week: float = 12.0) -> list[float]:
    return head.exceed(queries([base], week), np.array([[taus]]))[0, 0].tolist()


def test_shares_by_hand() -> None:
    # Weights 1, 1, 2, 1 in order of growth, and 1 beyond each end: 7 in all.
    taus = [-9.0, -8.5, -0.5, 0.0, 9.5, 10.0, 89.5, 90.0, 1e6]
    assert above(HEAD, 9, taus) == pytest.approx([5 / 7, 5 / 7, 5 / 7, 4 / 7, 4 / 7, 2 / 7, 2 / 7, 1 / 7, 1 / 7])


def test_growth_is_carried_to_places_of_another_size() -> None:
    # 99 cases that grow as 9 to 19 did become 199.
    assert above(HEAD, 99, [99.5, 100.5]) == pytest.approx([4 / 7, 2 / 7])


def test_another_time_of_the_season_has_its_own_changes() -> None:
    assert above(HEAD, 9, [900.0], week=15.5) == pytest.approx([6 / 8])  # 14 (1) and 14.1 (5), and one at each end
    assert above(HEAD, 9, [-5.0, 5.0], week=30.0) == [0.5, 0.5]  # nothing known, nothing said
    assert above(HEAD, 9, [-9.5], week=30.0) == [1.0]


def test_two_weeks_asked_at_once_keep_their_own_changes() -> None:
    both = queries([9.0, 9.0], 12.0)
    both.inputs[1, -1, NAMES.index("season_week")] = 15.5
    found = HEAD.exceed(both, np.full((2, 1, 1), 900.0))
    assert found.ravel() == pytest.approx([1 / 7, 6 / 8])


def test_a_change_that_is_not_known_does_not_count() -> None:
    change = np.hstack([CHANGE, np.where(CHANGE > 50, np.nan, CHANGE)])
    head = fit_climatology(Examples(queries(BASE, 0.0), change, WEIGHT, WEEK, np.zeros(len(WEEK), np.int64)))
    found = head.exceed(queries([9.0], 12.0), np.array([[[5.0], [5.0]]]))[0, :, 0]
    assert found == pytest.approx([4 / 7, 3 / 6])
