"""Inputs on the scale of fourth roots: by hand, and from no later week."""

import numpy as np
import pytest

from hub.season_small import LOCATIONS, final_counts
from twofold.hub.roots import CALENDAR, NAMES, describe, root

PERSONS = LOCATIONS["population"].to_numpy().astype(float)
COUNTS = final_counts()
FOUND = describe(COUNTS.values, COUNTS.dates, PERSONS, 6)
X = root(COUNTS.values, np.broadcast_to(PERSONS[:, None], COUNTS.values.shape))


def of(name: str, row: int, week: int) -> float:
    return FOUND[row, week, NAMES.index(name)]


def test_inputs_by_hand() -> None:
    row, week = 2, 40
    x = X[row, : week + 1]
    line, slope = np.polyfit(np.arange(-2, 1), x[-3:], 1)[::-1]
    before = np.polyfit(np.arange(-2, 1), x[-4:-1], 1)[0]
    parabola = np.polyfit(np.arange(-5, 1), x[-6:], 2)
    states = X[:6, week] - X[:6, week - 1]
    nation = root(COUNTS.values[:6].sum(axis=0)[None], np.full((1, len(COUNTS.dates)), PERSONS[:6].sum()))[0]
    expected = {
        "root": x[-1],
        "change_1": x[-1] - x[-2],
        "change_5": x[-1] - x[-6],
        "mean_4": x[-4:].mean(),
        "line_3_0": line - x[-1],
        "line_3_1": slope,
        "line_3_1_before_1": before,
        "line_6_1": parabola[1],
        "line_6_2": parabola[0],
        "peak": x[-26:].max(),
        "below_peak": x[-1] - x[-26:].max(),
        "national_root": nation[week],
        "national_change_3": nation[week] - nation[week - 3],
        "mean_change_1": states.mean(),
        "share_rising": (states > 0).mean(),
        "root_to_national": x[-1] - nation[week],
        "population": np.log(PERSONS[row]),
        "aggregate": 0.0,
    }
    assert {name: of(name, row, week) for name in expected} == pytest.approx(expected, abs=1e-9)
    assert of("aggregate", 6, week) == 1
    day = COUNTS.dates[week]
    christmas = np.datetime64("2022-12-25")  # the week is of the season 2022-23
    assert of(CALENDAR, row, week) == (day - christmas).astype(int) / 7


def test_no_later_week_is_seen() -> None:
    values = COUNTS.values.copy()
    values[:, 60:] = 7.0
    again = describe(values, COUNTS.dates, PERSONS, 6)
    np.testing.assert_array_equal(again[:, :60], FOUND[:, :60])
    assert (again[:, 60] != FOUND[:, 60]).any()


def test_what_is_not_known_is_not_invented() -> None:
    short = describe(COUNTS.values[:, :2], COUNTS.dates[:2], PERSONS, 6)
    assert np.isfinite(short[:, :, NAMES.index("root")]).all()
    assert np.isnan(short[:, :, NAMES.index("change_2")]).all()
    assert describe(COUNTS.values[:, :0], COUNTS.dates[:0], PERSONS, 6).shape == (7, 0, len(NAMES))
