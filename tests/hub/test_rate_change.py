"""Categories and cut points against the rule in exact fractions and against the hub's own table of thresholds."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.small import LOCATIONS, RULES, START, versions_of
from twofold.engine.errors import InputError
from twofold.hub.examples import categories, cuts, truth
from twofold.hub.rules import WEEK, Rules, rules
from twofold.hub.season import usable
from twofold.hub.tables import read_locations
from twofold.hub.vintages import read_versions

SEASONS = [rules("flusight", season) for season in ("2023-24", "2024-25", "2025-26")]
WYOMING = 584_057


def exactly(change: Fraction, population: int, horizon: int, season: Rules) -> int:
    """The hub's rule in fractions: stable first, then large if strictly above, else by sign."""
    rate = abs(change) * 100_000 / population
    if abs(change) < 10 or rate < Fraction(str(season.stable_below[horizon])):
        return 2
    large = rate > Fraction(str(season.large_above[horizon]))
    return (4 if large else 3) if change > 0 else (0 if large else 1)


def one(change: float, population: int, horizon: int, season: Rules = RULES) -> int:
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
def test_a_category_is_what_the_rule_says(halves: int, population: int, horizon: int, season: Rules) -> None:
    assert one(halves / 2, population, horizon, season) == exactly(Fraction(halves, 2), population, horizon, season)


@given(st.integers(1, 400), st.integers(0, 3), st.sampled_from(SEASONS), st.sampled_from([-1, 1]), st.booleans())
def test_a_change_at_a_threshold_is_not_stable_and_not_large(
    millions: int, horizon: int, season: Rules, sign: int, large: bool
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
    season = RULES.model_copy(update={"stable_below": (0.3,) * 4, "large_above": (0.7,) * 4})
    assert [one(change, 11_000_000, 0, season) for change in (-78, -77, 77, 78)] == [0, 1, 3, 4]


def test_in_a_small_population_a_change_is_stable_or_large() -> None:
    # Wyoming, horizon 0: 9.93 cases are a rate of 1.7, and fewer than 10 are stable.
    assert [one(change, WYOMING, 0) for change in (-10, -9.99, 9.99, 10)] == [0, 2, 2, 4]
    outer, inner, below, above = cuts(np.array([WYOMING]), np.array([0]), RULES)[0]
    assert outer == inner == -10
    assert below == above == pytest.approx(10) and below < 10


@given(st.integers(50_000, 400_000_000), st.integers(0, 3), st.sampled_from(SEASONS))
def test_cuts_ascend_mirror_each_other_and_may_lie_between_whole_counts(
    population: int, horizon: int, season: Rules
) -> None:
    found = cuts(np.array([population]), np.array([horizon]), season)[0]
    assert (np.diff(found) >= 0).all() and found[1] < 0 < found[2]
    assert found == pytest.approx(-found[::-1])
    near = np.unique(np.concatenate([np.floor(found) + step for step in (-1, 0, 1, 2)]))
    between = (near[:, None] > np.floor(found) + 0.5).sum(axis=1)
    n = len(near)
    assert (between == categories(near, np.full(n, population), np.full(n, horizon), season)).all()


def test_a_hub_of_three_categories_has_two_cuts() -> None:
    three = RULES.model_copy(update={"large_above": (), "categories": ("decrease", "stable", "increase")})
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
    found = truth(versions_of(rows).latest(), LOCATIONS, [START, START + 3 * WEEK], RULES)
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
        truth(versions_of(rows).latest(), LOCATIONS, [START], RULES)


@pytest.mark.realdata
@pytest.mark.parametrize("season", ["2023-24", "2024-25"])
def test_thresholds_in_counts_are_those_of_the_hubs_table(data_folder: Path, season: str) -> None:
    path = data_folder / "flusight" / f"locations_{season}.csv"
    locations, table = read_locations(path), pl.read_csv(path, schema_overrides={"location": pl.String})
    table = table.sort("location")
    limits = rules("flusight", season)
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
    used, _ = usable(versions, RULES.reference_dates(), RULES)
    found = truth(versions.latest(), locations, used, RULES)
    assert found.height == 27 * 53 * 4 == 5724
    assert found["observed"].value_counts().sort("observed")["count"].to_list() == [985, 1243, 1848, 753, 895]
