"""What is known at a deadline: the last version before it, its newest weeks as they will become, nothing later."""

import dataclasses
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.season_small import (
    CONFIG,
    DAYS,
    FIRST,
    LATE,
    LOCATIONS,
    REPORTED,
    RULES,
    examples,
    final_counts,
    history,
    learned,
    replay,
    versions,
)
from hub.small import at, changes
from twofold.engine.errors import InputError
from twofold.hub.examples import build_examples
from twofold.hub.growth import aggregate_of
from twofold.hub.rules import WEEK, read_rules
from twofold.hub.season import Known, Source, known_at, usable
from twofold.hub.tables import read_locations
from twofold.hub.vintages import Versions, read_versions, table_of

DEADLINE = RULES.deadline(FIRST)


def bits(known: Known) -> list[bytes]:
    arrays = (known.counts.dates, known.counts.values, known.expected.values, known.population)
    return [*(array.tobytes() for array in arrays), str((known.revisions, known.counts.locations)).encode()]


def test_the_version_before_the_deadline_and_what_will_become_of_it() -> None:
    known = replay().known(FIRST)
    assert known.counts.locations == tuple(LOCATIONS["location"])
    assert known.counts.dates[-1] == np.datetime64(FIRST - WEEK)
    final = final_counts().values[:-1, : len(known.counts.dates)]
    np.testing.assert_array_equal(known.counts.values[:-1, -1], np.floor(final[:, -1] * REPORTED[0]))
    np.testing.assert_array_equal(known.counts.values[:-1, :-3], final[:, :-3])
    factors = np.exp(known.revisions[::-1])
    np.testing.assert_allclose(known.expected.values[:, -3:], known.counts.values[:, -3:] * factors)
    # Eight versions showed that a first report is a fifth too low; a prior of no revision holds some of it back.
    assert known.revisions[0] == pytest.approx(-np.log(REPORTED[0]), abs=0.05)
    assert known.revisions[0] > known.revisions[1] > known.revisions[2] > 0
    assert aggregate_of(known.counts.locations, known.population) == "US"


def test_a_date_is_worked_out_once() -> None:
    season = replay()
    assert season.known(FIRST) is season.known(FIRST)
    assert season.dates is season.dates


def test_what_is_settled_lacks_the_newest_week() -> None:
    known = replay().known(FIRST)
    settled = known.settled()
    assert settled["target_end_date"].max() == FIRST - 2 * WEEK
    whole = versions().before(DEADLINE).filter(pl.col("target_end_date") < FIRST - WEEK)
    assert settled.sort("location", "target_end_date").equals(whole)


ROW = st.tuples(
    st.integers(0, 24 * 90),  # hours from the deadline to the version
    st.integers(-12, 30),  # weeks from the reference date
    st.sampled_from([*LOCATIONS["location"], "99"]),
    st.one_of(st.none(), st.integers(0, 9000).map(float)),
)


@settings(max_examples=50)
@given(st.lists(ROW, max_size=30), st.booleans())
def test_nothing_published_at_the_deadline_or_later_is_known(rows, keeps: bool) -> None:
    """Neither queries nor training examples move, whatever later versions say or whether there are any."""
    later = changes([(DEADLINE + timedelta(hours=h), FIRST + week * WEEK, place, x) for h, week, place, x in rows])
    kept = versions().changes if keeps else versions().until(DEADLINE).changes
    mixed = Versions(pl.concat([kept, later]).sort("as_of", maintain_order=True))
    known = known_at(mixed, FIRST, LOCATIONS, RULES)
    assert bits(known) == bits(replay().known(FIRST))


def test_a_value_known_before_the_deadline_moves_all_of_it() -> None:
    """The test above could not fail if nothing ever moved."""
    row = changes([(DEADLINE - timedelta(seconds=1), FIRST - 3 * WEEK, "06", 9000.0)])
    known = known_at(Versions(pl.concat([versions().changes, row]).sort("as_of")), FIRST, LOCATIONS, RULES)
    before = replay().known(FIRST)
    assert bits(known)[1] != bits(before)[1]
    assert learned(known).change.tobytes() != learned(before).change.tobytes() == examples().change.tobytes()


def test_weeks_that_end_later_are_not_looked_at() -> None:
    """A version may hold a week that is not over."""
    rows = [(DEADLINE - timedelta(hours=1), FIRST + k * WEEK, place, 7.0) for k in (0, 1) for place in ("01", "US")]
    mixed = Versions(pl.concat([versions().changes, changes(rows)]).sort("as_of"))
    known, before = known_at(mixed, FIRST, LOCATIONS, RULES), replay().known(FIRST)
    assert known.counts.dates.tolist() == before.counts.dates.tolist()
    assert known.counts.values.tobytes() == before.counts.values.tobytes()


def test_places_that_the_season_lacks_are_not_forecast() -> None:
    known = known_at(versions(), FIRST, LOCATIONS.filter(pl.col("location") != "04"), RULES)
    assert known.counts.locations == ("01", "02", "05", "06", "56", "US")
    assert known.population.tolist() == [5e6, 8e5, 3e6, 9e6, 5e5, 25.3e6]
    assert (
        aggregate_of(known.counts.locations, known.population) is None
    )  # 7 million persons of the country's 25 are missing


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (LATE, r"week ending 2023-12-23.*before the deadline \(2023-12-28 04:00 UTC\).*nothing after 2023-12-16"),
        (date(2022, 12, 3), r"the versions hold nothing\. Give newer versions, or an earlier reference date"),
        (date(2024, 6, 1), r"nothing after 2024-02-24"),
        (DAYS[0] + timedelta(days=1), r"nothing after"),
    ],
)
def test_a_date_whose_week_is_not_known_is_refused(day: date, said: str) -> None:
    with pytest.raises(InputError, match=said):
        replay().known(day)


def test_another_disease_is_learned_from_as_it_was_known() -> None:
    season = dataclasses.replace(replay(), others=(Source(versions(), LOCATIONS, history()),))
    (panel,) = season.known(FIRST).others
    version = versions().before(RULES.deadline(FIRST))
    assert table_of(panel.counts).equals(version)
    assert panel.population.tolist() == LOCATIONS["population"].to_list()
    known = season.known(FIRST)
    alone, both = (
        build_examples(known.counts, history(), known.population, RULES, CONFIG, others=others)
        for others in ((), known.others)
    )
    assert both.change.tobytes() == np.concatenate([alone.change, alone.change]).tobytes()
    none = dataclasses.replace(replay(), others=(Source(versions().until(at("2023-10-13 00:00")), LOCATIONS, None),))
    early = none.others[0].before(at("2023-01-01 00:00"))
    assert early is None


@pytest.mark.realdata
def test_a_moved_deadline_of_the_real_season(data_folder: Path) -> None:
    """Christmas of 2024: the version of Thursday night is taken, one at Friday 04:00 UTC would not be."""
    folder = data_folder / "flusight"
    limits, places = read_rules("flusight").season("2024-25"), read_locations(folder / "locations_2024-25.csv")
    source, day = read_versions(folder / "vintages.parquet"), date(2024, 12, 28)
    assert limits.deadline(day) == at("2024-12-27 04:00")
    taken = max(time for time in source.times() if time < at("2024-12-27 04:00"))
    known = known_at(source, day, places, limits)
    version = source.as_of(taken).filter(pl.col("location").is_in(places["location"].implode()))
    newest = version.filter(pl.col("target_end_date") == day - WEEK)
    assert known.counts.dates[-1] == np.datetime64(day - WEEK)
    assert known.counts.values[:, -1].tolist() == newest.sort("location")["value"].to_list()
    # The usual deadline, a day earlier, would have come before it.
    assert taken > at("2024-12-26 04:00")
    late = pl.DataFrame({"as_of": [at("2024-12-27 04:00")], "target_end_date": [day - WEEK]}).with_columns(
        pl.col("as_of").dt.cast_time_unit("us"), location=pl.lit("US"), value=pl.lit(1.0)
    )
    mixed = Versions(pl.concat([source.changes, late]).sort("as_of", maintain_order=True))
    assert bits(known_at(mixed, day, places, limits)) == bits(known)
    with pytest.raises(InputError, match="week ending 2025-01-18"):
        known_at(source, date(2025, 1, 25), places, limits)
    _, skipped = usable(source, limits.reference_dates(), limits)
    assert [skip.reference_date for skip in skipped] == [date(2025, 1, 25)]
