"""What heads learn from and are asked: by hand, without the newest week, from the history too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.season_small import CONFIG, FIRST, LOCATIONS, RULES, examples, final_counts, history, replay
from twofold.engine.errors import InputError
from twofold.hub.config import GrowthConfig
from twofold.hub.examples import Asked, Examples, ask, categories, learn_from
from twofold.hub.growth import NAMES, describe, season_week
from twofold.hub.history import fit_scale
from twofold.hub.vintages import Grid

PERSONS = LOCATIONS["population"].to_numpy().astype(float)
KNOWN = replay().known(FIRST)
ALL_YEAR = CONFIG.model_copy(update={"growth": GrowthConfig(weeks=3, first_week=0, last_week=53)})


def few(weeks: int) -> Grid:
    grid = final_counts()
    return Grid(grid.locations, grid.dates[:weeks], grid.values[:, :weeks].copy())


def bits(found: Examples) -> list[bytes]:
    arrays = (found.asked.inputs, found.asked.base, found.asked.population, found.change, found.weight, found.week)
    return [array.tobytes() for array in arrays]


def test_examples_by_hand() -> None:
    grid = few(8)
    found = learn_from(grid, None, PERSONS, RULES, ALL_YEAR)
    # Growth over three weeks needs a fourth; the eighth week is still to be revised; the seventh has nothing after it.
    starts = [(row, week) for row in range(7) for week in (3, 4, 5)]
    inputs = describe(grid.values[:, :7], grid.dates[:7], PERSONS, 6)
    assert len(found.asked) == len(starts)
    for index, (row, week) in enumerate(starts):
        assert found.asked.base[index] == grid.values[row, week]
        assert found.asked.population[index] == PERSONS[row]
        assert found.week[index] == season_week(grid.dates)[week]
        np.testing.assert_array_equal(found.asked.inputs[index], inputs[row, week - 2 : week + 1])
        expected = [
            grid.values[row, week + ahead] - grid.values[row, week] if week + ahead < 7 else np.nan
            for ahead in (1, 2, 3, 4)
        ]
        np.testing.assert_array_equal(found.change[index], expected)
    assert (found.weight == 1).all()


@given(st.lists(st.one_of(st.just(np.nan), st.integers(0, 5000).map(float)), min_size=7, max_size=7))
def test_the_newest_week_teaches_nothing_and_is_asked_from(newest: list[float]) -> None:
    """Neither labels nor inputs of examples read the week that is still to be revised, nor does the history's scale."""
    moved = KNOWN.counts.values.copy()
    moved[:, -1] = newest
    grid = KNOWN.counts._replace(values=moved)
    assert bits(learn_from(grid, history(), PERSONS, RULES, CONFIG)) == bits(examples())
    question = ask(grid, PERSONS, CONFIG.growth)
    np.testing.assert_array_equal(question.base, newest)
    before = ask(KNOWN.counts, PERSONS, CONFIG.growth)
    assert question.inputs[:, :-1].tobytes() == before.inputs[:, :-1].tobytes()


def test_the_week_before_the_newest_is_a_label() -> None:
    """The test above could not fail if nothing ever moved."""
    moved = KNOWN.counts.values.copy()
    moved[0, -2] += 1
    grids = KNOWN.counts._replace(values=moved), KNOWN.counts
    found, before = (learn_from(grid, None, PERSONS, RULES, ALL_YEAR).change for grid in grids)
    assert (np.nan_to_num(found) != np.nan_to_num(before)).any(axis=0).tolist() == [True] * 4


def test_the_history_is_learned_from_with_its_own_weight() -> None:
    config = CONFIG.model_copy(update={"history": CONFIG.history.model_copy(update={"weight": 0.25})})
    found = learn_from(KNOWN.counts, history(), PERSONS, RULES, config)
    own = learn_from(KNOWN.counts, None, PERSONS, RULES, config)
    count = len(own.asked)
    assert found.weight.tolist() == [1.0] * count + [0.25] * (len(found.asked) - count)
    assert bits(own)[3] == found.change[:count].tobytes()
    settled = Grid(KNOWN.counts.locations, KNOWN.counts.dates[:-1], KNOWN.counts.values[:, :-1])
    scaled = fit_scale(history(), settled, "US", config.history)
    assert set(found.asked.base[count:]) <= set(scaled.values.ravel())
    assert len(found.asked) > count + 200


def test_a_history_of_no_weight_is_not_looked_at() -> None:
    config = CONFIG.model_copy(update={"history": CONFIG.history.model_copy(update={"weight": 0.0})})
    found = learn_from(KNOWN.counts, history(), PERSONS, RULES, config)
    assert bits(found) == bits(learn_from(KNOWN.counts, None, PERSONS, RULES, config))


def test_examples_start_within_the_weeks_of_a_season_that_are_named() -> None:
    config = CONFIG.model_copy(update={"growth": GrowthConfig(first_week=10, last_week=20)})
    found = learn_from(KNOWN.counts, history(), PERSONS, RULES, config)
    assert (found.week.min(), found.week.max()) == (pytest.approx(10, abs=1), pytest.approx(20, abs=1))
    assert ((found.week >= 10) & (found.week <= 20)).all()


def test_a_gap_starts_no_example_and_is_no_label() -> None:
    grid = few(12)
    grid.values[:] = np.where(np.arange(12) == 7, np.nan, grid.values)
    found = learn_from(grid, None, PERSONS, RULES, ALL_YEAR)
    assert np.isfinite(found.asked.base).all()
    assert not np.isin(found.week, season_week(grid.dates)[7:11]).any()  # the gap, and weeks that look back at it
    fourth = found.week == season_week(grid.dates)[3]
    assert np.isnan(found.change[fourth]).tolist() == [[False, False, False, True]] * 7


@pytest.mark.parametrize("past", [None, history()])
@pytest.mark.parametrize("weeks", [1, 2, 5])
def test_too_short_a_version_is_refused(weeks: int, past) -> None:
    with pytest.raises(InputError, match="there is no week to learn from"):
        learn_from(few(weeks), past, PERSONS, RULES, ALL_YEAR)
    assert len(learn_from(few(6), None, PERSONS, RULES, ALL_YEAR).asked) == 7


def test_weeks_before_the_first_are_unknown() -> None:
    asked = ask(few(2), PERSONS, GrowthConfig(weeks=5))
    assert asked.inputs.shape == (7, 5, len(NAMES))
    assert np.isnan(asked.inputs[:, :3]).all()
    assert np.isfinite(asked.inputs[:, 3:, NAMES.index("level")]).all()


def test_cuts_lie_between_whole_counts_and_part_the_hubs_categories() -> None:
    asked = Asked(np.zeros((7, 1, len(NAMES))), np.zeros(7), PERSONS)
    cuts = asked.cuts(RULES)
    assert cuts.shape == (7, 4, 4)
    assert (cuts % 1 == 0.5).all()
    assert (np.diff(cuts, axis=2) >= 0).all()
    for horizon in RULES.horizons:
        for change in (*range(-30, 31), -85, 85, 84, -86):
            index = categories(np.full(7, float(change)), PERSONS, np.full(7, horizon), RULES)
            assert ((change > cuts[:, horizon]).sum(axis=1) == index).all()
