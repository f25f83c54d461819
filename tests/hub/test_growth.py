"""Inputs of a week: by hand, blind to later weeks, the same for places and measures of another size."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twofold.hub.growth import MEMORY, NAMES, aggregate_of, describe, lagged, season_week, season_year

WEEKS = 32
DATES = np.datetime64("2023-08-05") + 7 * np.arange(WEEKS)
PERSONS = np.array([1e6, 4e6, 2e6, 7e6])  # the last one is the sum
COUNT = st.one_of(st.just(np.nan), st.integers(0, 5000).map(float))
GROWTHS = [name for name in NAMES if "growth" in name or name.startswith(("slope", "below", "national_below"))]


def counts(seed: int, weeks: int = WEEKS) -> np.ndarray:
    parts = np.random.default_rng(seed).poisson(300, (3, weeks)).astype(float)
    return np.vstack([parts, parts.sum(axis=0)])


def named(values: np.ndarray, aggregate: int | None = 3) -> dict[str, np.ndarray]:
    found = describe(values, DATES[: values.shape[1]], PERSONS[: len(values)], aggregate)
    return {name: found[:, :, index] for index, name in enumerate(NAMES)}


def test_inputs_by_hand() -> None:
    values = np.array([[9.0, 19, 39, 79, 59], [99, 99, 99, 99, 99], [0, 0, 0, 0, 0], [108, 118, 138, 178, 158]])
    found = {name: column[0, -1] for name, column in named(values).items()}
    log = np.log([10, 20, 40, 80, 60])
    expected = {
        "level": np.log(60 * 0.1),
        "rate": 5.9,
        "noise": 60**-0.5,
        "growth_1": np.log(60 / 80),
        "growth_1_before": np.log(2),
        "growth_1_earlier": np.log(2),
        "growth_2": np.log(60 / 40),
        "growth_4": np.log(6),
        "slope_4": np.polyfit(np.arange(4), log[1:], 1)[0],
        "national_level": np.log(158 / 7e6 * 1e5 + 0.01),
        "national_growth_1": np.log(159 / 179),
        "national_growth_1_before": np.log(159 / 139) - np.log(159 / 179),
        "national_growth_2": np.log(159 / 139),
        "national_growth_4": np.log(159 / 109),
        "share_rising": 0.0,  # one falls, two stay
        "mean_growth_1": np.log(60 / 80) / 3,
        "mean_growth_2": np.log(60 / 40) / 3,
        "below_peak": np.log(60 / 80),
        "weeks_since_peak": 1.0,
        "national_weeks_since_peak": 1.0,
        "season_week": 32 / 7,  # 2023-09-02, counted from 1 August
        "population": np.log(1e6),
    }
    expected["level_to_national"] = expected["level"] - expected["national_level"]
    expected["growth_to_national"] = expected["growth_2"] - expected["national_growth_2"]
    expected["national_below_peak"] = expected["national_level"] - np.log(178 / 7e6 * 1e5 + 0.01)
    assert found == pytest.approx(expected)
    assert named(values)["share_rising"][:, 1].tolist() == [1 / 3] * 4


@given(arrays(float, (4, WEEKS), elements=COUNT), st.integers(1, WEEKS - 1), st.integers(0, 99))
def test_no_input_sees_a_later_week(values: np.ndarray, week: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    moved = values.copy()
    moved[:, week:] = np.where(rng.random((4, WEEKS - week)) < 0.2, np.nan, rng.poisson(900, (4, WEEKS - week)))
    before = describe(values, DATES, PERSONS, 3)[:, :week]
    assert describe(moved, DATES, PERSONS, 3)[:, :week].tobytes() == before.tobytes()
    assert describe(values[:, :week], DATES[:week], PERSONS, 3).tobytes() == before.tobytes()


def test_growth_does_not_depend_on_the_unit() -> None:
    values = counts(1) * 1000
    once, tenfold = named(values), named(values * 10)
    for name in GROWTHS:
        np.testing.assert_allclose(once[name], tenfold[name], atol=2e-5, err_msg=name)
    for name in ("share_rising", "weeks_since_peak", "season_week", "population"):
        np.testing.assert_array_equal(once[name], tenfold[name])
    np.testing.assert_allclose(tenfold["level"] - once["level"], np.log(10), atol=1e-5)


def test_a_place_ten_times_as_large_with_ten_times_the_cases_looks_the_same() -> None:
    values = np.vstack([counts(2)[:2] * 1000, counts(2)[:1] * 10_000])
    found = describe(values, DATES, np.array([1e6, 4e6, 1e7]), None)
    own = [NAMES.index(name) for name in NAMES if name not in ("noise", "population")]
    np.testing.assert_allclose(found[0][:, own], found[2][:, own], atol=2e-5)


def test_the_sum_is_left_out_of_what_is_said_of_the_country() -> None:
    values = counts(3)
    of_country = [name for name in NAMES if name.startswith(("national", "share", "mean"))]
    moved = values.copy()
    moved[3] *= 7
    one, other, blind = named(values), named(moved), named(moved, None)
    for name in of_country:
        np.testing.assert_array_equal(one[name], other[name])
    assert any((one[name] != blind[name])[:, 1:].any() for name in of_country)


@given(arrays(float, (4, WEEKS), elements=COUNT))
def test_an_input_is_unknown_where_a_count_of_its_own_is(values: np.ndarray) -> None:
    found, unknown = named(values), np.isnan(values)
    for name in ("level", "rate", "noise", "below_peak", "weeks_since_peak"):
        assert (np.isnan(found[name]) == unknown).all()
    for name, weeks in (("growth_1", 1), ("growth_2", 2), ("growth_4", 4)):
        assert (np.isnan(found[name]) == np.isnan(values + lagged(values, weeks))).all()
    assert np.isfinite(found["season_week"]).all()
    assert np.isfinite(found["population"]).all()


def test_the_countrys_growth_compares_places_known_in_both_weeks() -> None:
    values = counts(4)
    values[0, 10] = np.nan  # as if a third of the country had vanished for a week
    found = named(values)["national_growth_1"][0]
    rest = values[1:3].sum(axis=0) + 1
    assert found[[10, 11]] == pytest.approx(np.log(rest[[10, 11]] / rest[[9, 10]]))


def test_a_peak_is_forgotten_after_its_time() -> None:
    values = np.full((1, WEEKS), 10.0)
    values[0, 2] = 100.0
    since = named(values, None)["weeks_since_peak"][0]
    assert since[2:8].tolist() == [0, 1, 2, 3, 4, 5]
    assert since[2 + MEMORY - 1] == MEMORY - 1
    assert since[2 + MEMORY] == 0  # of equal weeks the newest


def test_no_week_has_no_inputs() -> None:
    assert describe(np.zeros((4, 0)), DATES[:0], PERSONS, 3).shape == (4, 0, len(NAMES))


def test_lagged() -> None:
    np.testing.assert_array_equal(lagged(np.array([[1.0, 2, 3]]), 2), [[np.nan, np.nan, 1]])
    assert np.isnan(lagged(np.array([[1.0, 2, 3]]), 3)).all()


@pytest.mark.parametrize(
    ("persons", "found"),
    [
        ([1.0, 2.0, 3.0], "c"),
        ([1.0, 2.0, 3.14], "c"),  # populations of other years
        ([1.0, 2.0, 3.16], None),
        ([1.0, 2.0, 2.84], None),
        ([6.0, 1.0, 2.0, 3.0], "a"),
        ([1.0, 1.0], None),  # two places of one size
        ([2.0, 2.0, 2.0], None),
    ],
)
def test_the_sum_of_the_others_is_known_by_its_population(persons: list[float], found: str | None) -> None:
    assert aggregate_of("abcd"[: len(persons)], np.array(persons)) == found


def test_a_season_begins_on_the_first_of_august() -> None:
    days = np.array(["2023-07-31", "2023-08-01", "2023-12-31", "2024-01-01", "2024-02-29"], "datetime64[D]")
    assert season_year(days).tolist() == [2022, 2023, 2023, 2023, 2023]
    begin = [date(2022, 8, 1), *[date(2023, 8, 1)] * 4]
    expected = [(day - first).days / 7 for day, first in zip(days.tolist(), begin, strict=True)]
    assert season_week(days) == pytest.approx(expected)
