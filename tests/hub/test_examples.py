"""Categories and cuts against the rule in exact fractions and the hub's table; queries and training examples."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.season_small import CHANGE, CONFIG, FIRST, LOCATIONS, RULES, examples, final_counts, history, replay
from hub.small import CHANGE as FLUSIGHT
from hub.small import LOCATIONS as PLACES
from hub.small import RULES as SEASON
from hub.small import START, change_of, versions_of
from twofold.engine.errors import InputError
from twofold.hub import roots
from twofold.hub.config import GrowthConfig
from twofold.hub.examples import Examples, Panel, Queries, build_examples, build_queries, categories, cuts, truth
from twofold.hub.growth import NAMES, describe, season_week, season_year
from twofold.hub.history import fit_scale
from twofold.hub.rules import WEEK, RateChange, read_rules
from twofold.hub.season import usable
from twofold.hub.tables import read_locations
from twofold.hub.vintages import Grid, read_versions

SEASONS = [change_of(read_rules("flusight").season(season)) for season in ("2023-24", "2024-25", "2025-26")]
WYOMING = 584_057


def exactly(change: Fraction, population: int, horizon: int, season: RateChange) -> int:
    """The hub's rule in fractions: stable first, then large if strictly above, else by sign."""
    rate = abs(change) * 100_000 / population
    if abs(change) < 10 or rate < Fraction(str(season.stable_below[horizon])):
        return 2
    large = rate > Fraction(str(season.large_above[horizon]))
    return (4 if large else 3) if change > 0 else (0 if large else 1)


def one(change: float, population: int, horizon: int, season: RateChange = FLUSIGHT) -> int:
    return int(categories(np.array([float(change)]), np.array([population]), np.array([horizon]), season)[0])


@given(
    halves=st.one_of(st.integers(-100, 100), st.integers(-60_000, 60_000)),
    population=st.one_of(
        st.integers(50_000, 2_000_000),
        st.integers(2_000_000, 400_000_000),
        st.integers(1, 400).map(lambda millions: millions * 1_000_000),  # thresholds that are whole counts
    ),
    horizon=st.integers(0, 3),
    season=st.sampled_from(SEASONS),
)
def test_a_category_is_what_the_rule_says(halves: int, population: int, horizon: int, season: RateChange) -> None:
    assert one(halves / 2, population, horizon, season) == exactly(Fraction(halves, 2), population, horizon, season)


@given(st.integers(1, 400), st.integers(0, 3), st.sampled_from(SEASONS), st.sampled_from([-1, 1]), st.booleans())
def test_a_change_at_a_threshold_is_not_stable_and_not_large(
    millions: int, horizon: int, season: RateChange, sign: int, large: bool
) -> None:
    thresholds = season.large_above if large else season.stable_below
    at = Fraction(str(thresholds[horizon])) * millions * 10
    for change in (at - Fraction(1, 1000), at, at + Fraction(1, 1000)):
        population = millions * 1_000_000
        expected = exactly(sign * change, population, horizon, season)
        assert one(float(sign * change), population, horizon, season) == expected


def test_by_hand() -> None:
    # Alabama, horizon 0, 2024-25: stable below 15.33 cases, large above 86.84.
    found = [one(change, 5_108_468, 0) for change in (-87, -86, -16, -15, 0, 15, 16, 86, 87)]
    assert found == [0, 1, 1, 2, 2, 2, 3, 3, 4]
    found = [one(change, 10_000_000, 0) for change in (-170.5, -170, -30, -29.5, 29.5, 30, 170, 170.5)]
    assert found == [0, 1, 1, 2, 2, 3, 3, 4]  # the thresholds themselves: 30 is not stable, 170 is not large


def test_a_threshold_that_is_a_whole_count_in_decimals_is_it_in_binary() -> None:
    assert 0.7 * 11_000_000 / 100_000 < 77
    season = FLUSIGHT.model_copy(update={"stable_below": (0.3,) * 4, "large_above": (0.7,) * 4})
    assert [one(change, 11_000_000, 0, season) for change in (-78, -77, 77, 78)] == [0, 1, 3, 4]


def test_in_a_small_population_a_change_is_stable_or_large() -> None:
    # Wyoming, horizon 0: 9.93 cases are a rate of 1.7, and fewer than 10 are stable.
    assert [one(change, WYOMING, 0) for change in (-10, -9.99, 9.99, 10)] == [0, 2, 2, 4]
    outer, inner, below, above = cuts(np.array([WYOMING]), np.array([0]), FLUSIGHT)[0]
    assert outer == inner == -10
    assert below == above == pytest.approx(10) and below < 10


@given(st.integers(50_000, 400_000_000), st.integers(0, 3), st.sampled_from(SEASONS))
def test_cuts_ascend_mirror_each_other_and_may_lie_between_whole_counts(
    population: int, horizon: int, season: RateChange
) -> None:
    found = cuts(np.array([population]), np.array([horizon]), season)[0]
    assert (np.diff(found) >= 0).all() and found[1] < 0 < found[2]
    assert found == pytest.approx(-found[::-1])
    near = np.unique(np.concatenate([np.floor(found) + step for step in (-1, 0, 1, 2)]))
    between = (near[:, None] > np.floor(found) + 0.5).sum(axis=1)
    n = len(near)
    assert (between == categories(near, np.full(n, population), np.full(n, horizon), season)).all()


def test_a_hub_of_three_categories_has_two_cuts() -> None:
    three = FLUSIGHT.model_copy(update={"large_above": (), "categories": ("decrease", "stable", "increase")})
    assert cuts(np.array([10_000_000]), np.array([1]), three).round(6).tolist() == [[-50.0, 50.0]]
    found = [one(change, 10_000_000, 1, three) for change in (-900, -50, -49, 49, 50, 900)]
    assert found == [0, 0, 1, 1, 2, 2]


def test_a_horizon_without_thresholds_and_an_unknown_change_are_refused() -> None:
    for horizon in (-1, 4):
        with pytest.raises(InputError, match=rf"horizon must be one of \[0, 1, 2, 3\], got {horizon}"):
            one(3, WYOMING, horizon)
    with pytest.raises(InputError, match="change must be a finite number"):
        one(float("nan"), WYOMING, 0)


def test_truth_by_hand() -> None:
    base, weeks = START - WEEK, [START + h * WEEK for h in range(3)]
    values = [40.0, 60.0, 160.0, 35.0]  # horizons 0 to 2; of horizon 3 nothing is known
    rows = [("2025-06-01 00:00", str(day), "01", value) for day, value in zip([base, *weeks], values, strict=True)]
    rows.append(("2025-06-01 00:00", str(START), "56", 9.0))  # no value in the week before: no truth
    found = truth(versions_of(rows).latest(), PLACES, [START, START + 3 * WEEK], FLUSIGHT)
    assert found.select("horizon", "location", "base", "change", "observed").rows() == [
        (0, "01", 40.0, 20.0, 3),
        (1, "01", 40.0, 120.0, 3),  # a rate of 2.3: not above 3
        (2, "01", 40.0, -5.0, 2),
    ]
    assert found["reference_date"].unique().to_list() == [START]
    assert found["population"].unique().to_list() == [5_108_468]


def test_truth_needs_every_locations_population() -> None:
    rows = [("2025-06-01 00:00", str(day), "72", 1.0) for day in (START - WEEK, START)]
    with pytest.raises(InputError, match=r"it lacks \['72'\]"):
        truth(versions_of(rows).latest(), PLACES, [START], FLUSIGHT)


@pytest.mark.realdata
@pytest.mark.parametrize("season", ["2023-24", "2024-25"])
def test_thresholds_in_counts_are_those_of_the_hubs_table(data_folder: Path, season: str) -> None:
    path = data_folder / "flusight" / f"locations_{season}.csv"
    locations, table = read_locations(path), pl.read_csv(path, schema_overrides={"location": pl.String})
    table = table.sort("location")
    limits = change_of(read_rules("flusight").season(season))
    for horizon in limits.horizons:
        found = cuts(locations["population"].to_numpy(), np.full(locations.height, horizon), limits)
        for column, thresholds, floor in ((2, limits.stable_below, 10), (3, limits.large_above, 0)):
            name = f"count_rate{thresholds[horizon]:g}".replace(".", "p")
            listed = np.maximum(table[name].to_numpy(), floor)
            outside = found[:, column] > 10  # smaller ones are overruled by the count of 10
            assert outside.sum() > 20
            assert (np.round(found[outside, column]) == listed[outside]).all(), name


@pytest.mark.realdata
def test_a_whole_season_has_its_truth(data_folder: Path) -> None:
    versions = read_versions(data_folder / "flusight" / "vintages.parquet")
    locations = read_locations(data_folder / "flusight" / "locations_2024-25.csv")
    used, _ = usable(versions, SEASON.reference_dates(), SEASON)
    found = truth(versions.latest(), locations, used, FLUSIGHT)
    assert found.height == 27 * 53 * 4 == 5724
    assert found["observed"].value_counts().sort("observed")["count"].to_list() == [985, 1243, 1848, 753, 895]


PERSONS = LOCATIONS["population"].to_numpy().astype(float)
KNOWN = replay().known(FIRST)
ALL_YEAR = CONFIG.model_copy(update={"growth": GrowthConfig(weeks=3, first_week=0, last_week=53)})


def few(weeks: int) -> Grid:
    grid = final_counts()
    return Grid(grid.locations, grid.dates[:weeks], grid.values[:, :weeks].copy())


def bits(found: Examples) -> list[bytes]:
    arrays = [*vars(found.queries).values(), found.change, found.weight, found.week]
    return [array.tobytes() for array in arrays]


def test_examples_by_hand() -> None:
    grid = few(8)
    found = build_examples(grid, None, PERSONS, RULES, ALL_YEAR)
    # Growth over three weeks needs a fourth; the eighth week is still to be revised; the seventh has nothing after it.
    starts = [(row, week) for row in range(7) for week in (3, 4, 5)]
    given = grid.values[:, :7], grid.dates[:7], PERSONS, 6
    inputs = np.concatenate([describe(*given), roots.describe(*given)], axis=2)
    assert len(found.queries) == len(starts)
    for index, (row, week) in enumerate(starts):
        assert found.queries.base[index] == grid.values[row, week]
        assert found.queries.population[index] == PERSONS[row]
        assert found.week[index] == season_week(grid.dates)[week]
        np.testing.assert_array_equal(found.queries.inputs[index], inputs[row, week - 2 : week + 1])
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
    assert bits(build_examples(grid, history(), PERSONS, RULES, CONFIG)) == bits(examples())
    question = build_queries(grid, PERSONS, CONFIG.growth)
    np.testing.assert_array_equal(question.base, newest)
    before = build_queries(KNOWN.counts, PERSONS, CONFIG.growth)
    assert question.inputs[:, :-1].tobytes() == before.inputs[:, :-1].tobytes()


def test_the_week_before_the_newest_is_a_label() -> None:
    """The test above could not fail if nothing ever moved."""
    moved = KNOWN.counts.values.copy()
    moved[0, -2] += 1
    grids = KNOWN.counts._replace(values=moved), KNOWN.counts
    found, before = (build_examples(grid, None, PERSONS, RULES, ALL_YEAR).change for grid in grids)
    assert (np.nan_to_num(found) != np.nan_to_num(before)).any(axis=0).tolist() == [True] * 4


def test_the_history_is_learned_from_with_its_own_weight() -> None:
    config = CONFIG.model_copy(update={"history": CONFIG.history.model_copy(update={"weight": 0.25})})
    found = build_examples(KNOWN.counts, history(), PERSONS, RULES, config)
    own = build_examples(KNOWN.counts, None, PERSONS, RULES, config)
    count = len(own.queries)
    assert found.weight.tolist() == [1.0] * count + [0.25] * (len(found.queries) - count)
    assert bits(own)[3] == found.change[:count].tobytes()
    settled = Grid(KNOWN.counts.locations, KNOWN.counts.dates[:-1], KNOWN.counts.values[:, :-1])
    scaled = fit_scale(history(), settled, "US", config.history)
    assert set(found.queries.base[count:]) <= set(scaled.values.ravel())
    assert len(found.queries) > count + 200


def test_a_history_of_no_weight_is_not_looked_at() -> None:
    config = CONFIG.model_copy(update={"history": CONFIG.history.model_copy(update={"weight": 0.0})})
    found = build_examples(KNOWN.counts, history(), PERSONS, RULES, config)
    assert bits(found) == bits(build_examples(KNOWN.counts, None, PERSONS, RULES, config))


def test_examples_start_within_the_weeks_of_a_season_that_are_named() -> None:
    config = CONFIG.model_copy(update={"growth": GrowthConfig(first_week=10, last_week=20)})
    found = build_examples(KNOWN.counts, history(), PERSONS, RULES, config)
    assert (found.week.min(), found.week.max()) == (pytest.approx(10, abs=1), pytest.approx(20, abs=1))
    assert ((found.week >= 10) & (found.week <= 20)).all()


def test_a_gap_starts_no_example_and_is_no_label() -> None:
    grid = few(12)
    grid.values[:] = np.where(np.arange(12) == 7, np.nan, grid.values)
    found = build_examples(grid, None, PERSONS, RULES, ALL_YEAR)
    assert np.isfinite(found.queries.base).all()
    assert not np.isin(found.week, season_week(grid.dates)[7:11]).any()  # the gap, and weeks that look back at it
    fourth = found.week == season_week(grid.dates)[3]
    assert np.isnan(found.change[fourth]).tolist() == [[False, False, False, True]] * 7


@pytest.mark.parametrize("past", [None, history()])
@pytest.mark.parametrize("weeks", [1, 2, 5])
def test_too_short_a_version_is_refused(weeks: int, past) -> None:
    with pytest.raises(InputError, match="there is no training example"):
        build_examples(few(weeks), past, PERSONS, RULES, ALL_YEAR)
    assert len(build_examples(few(6), None, PERSONS, RULES, ALL_YEAR).queries) == 7


def test_weeks_before_the_first_are_unknown() -> None:
    queries = build_queries(few(2), PERSONS, GrowthConfig(weeks=5))
    assert queries.inputs.shape == (7, 5, len(NAMES) + len(roots.NAMES))
    assert np.isnan(queries.inputs[:, :3]).all()
    assert np.isfinite(queries.inputs[:, 3:, NAMES.index("level")]).all()


def test_cuts_lie_between_whole_counts_and_part_the_hubs_categories() -> None:
    queries = Queries(np.zeros((7, 1, len(NAMES))), np.zeros(7), PERSONS)
    cuts = queries.cuts(CHANGE)
    assert cuts.shape == (7, 4, 4)
    assert (cuts % 1 == 0.5).all()
    assert (np.diff(cuts, axis=2) >= 0).all()
    for horizon in RULES.horizons:
        for change in (*range(-30, 31), -85, 85, 84, -86):
            index = categories(np.full(7, float(change)), PERSONS, np.full(7, horizon), CHANGE)
            assert ((change > cuts[:, horizon]).sum(axis=1) == index).all()


def test_examples_see_no_more_of_the_past_than_the_queries_of_their_fit() -> None:
    """Counts of nine weeks serve queries of nine to twelve: long counts of another disease are read as if short."""
    other = Panel(KNOWN.counts, KNOWN.population, None)
    found = build_examples(few(9), None, PERSONS, RULES, ALL_YEAR, others=[other])
    own, grid = len(build_examples(few(9), None, PERSONS, RULES, ALL_YEAR).queries), other.counts
    rows = [int(np.flatnonzero(persons == PERSONS)[0]) for persons in found.queries.population[own:]]
    pairs = zip(found.week[own:], found.season[own:], strict=True)
    weeks = [
        int(np.flatnonzero((season_week(grid.dates) == week) & (season_year(grid.dates) == season))[0])
        for week, season in pairs
    ]
    assert len(set(weeks)) > 50
    for index, (row, newest) in enumerate(zip(rows, weeks, strict=True)):
        begun = slice(max(0, newest + 1 - 9 - newest % ALL_YEAR.refit_weeks), newest + 1)
        asked = build_queries(grid.part(begun), PERSONS, ALL_YEAR.growth).inputs[row]
        np.testing.assert_array_equal(found.queries.inputs[own + index], asked)


def test_counts_that_began_long_ago_are_read_whole() -> None:
    other = Panel(KNOWN.counts, KNOWN.population, None)
    found = build_examples(KNOWN.counts, None, PERSONS, RULES, ALL_YEAR, others=[other])
    half = len(found.queries) // 2
    assert found.queries.inputs[:half].tobytes() == found.queries.inputs[half:].tobytes()
    assert found.weight.tolist() == [1.0] * half + [ALL_YEAR.others_weight] * half
