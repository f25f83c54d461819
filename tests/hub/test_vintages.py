"""Versions: what was known when, that nothing later changes it, and the flaws of real ones."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.small import RULES, START, at, versions_of
from twofold.engine.errors import DataError, InputError
from twofold.hub.rules import WEEK, read_rules
from twofold.hub.season import usable
from twofold.hub.vintages import Versions, grid_of, read_versions, table_of

DEADLINE = RULES.deadline(START)  # 2024-11-28 04:00
ROWS: list[tuple[str, str, str, float | None]] = [
    ("2024-11-20 17:00", "2024-11-16", "01", 10.0),
    ("2024-11-20 17:00", "2024-11-16", "US", 100.0),
    ("2024-11-27 17:00", "2024-11-16", "01", 12.0),  # revised
    ("2024-11-27 17:00", "2024-11-23", "01", 20.0),
    ("2024-11-28 04:00", "2024-11-16", "US", 999.0),  # published at the very deadline
    ("2024-12-04 17:00", "2024-11-16", "01", None),  # withdrawn
    ("2024-12-04 17:00", "2024-11-23", "US", 300.0),
]


def cells(table: pl.DataFrame) -> dict[tuple[str, str], float]:
    return {(place, str(day)): value for day, place, value in table.iter_rows()}


def test_a_version_is_the_last_row_of_every_cell() -> None:
    versions = versions_of(ROWS)
    assert cells(versions.as_of(at("2024-11-20 17:00"))) == {("01", "2024-11-16"): 10, ("US", "2024-11-16"): 100}
    assert cells(versions.as_of(at("2024-11-27 18:00"))) == {
        ("01", "2024-11-16"): 12,
        ("01", "2024-11-23"): 20,
        ("US", "2024-11-16"): 100,
    }
    assert cells(versions.latest()) == {("01", "2024-11-23"): 20, ("US", "2024-11-16"): 999, ("US", "2024-11-23"): 300}
    assert versions.as_of(at("2024-11-20 16:59")).is_empty()
    assert versions.times() == [at(text) for text in sorted({row[0] for row in ROWS})]


def test_what_is_published_at_the_deadline_comes_too_late() -> None:
    versions = versions_of(ROWS)
    assert cells(versions.before(DEADLINE))["US", "2024-11-16"] == 100
    assert cells(versions.as_of(DEADLINE))["US", "2024-11-16"] == 999
    assert versions.until(DEADLINE).latest().equals(versions.before(DEADLINE))
    with pytest.raises(InputError, match="no version was published before 2024-11-20 17:00 UTC"):
        versions.until(at("2024-11-20 17:00"))


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="a time needs its time zone"):
        versions_of(ROWS).as_of(datetime(2024, 11, 27))


ROW = st.tuples(
    st.integers(-40, 40),  # hours from the deadline to the version
    st.integers(1, 4),  # weeks back
    st.sampled_from(["01", "56", "US"]),
    st.one_of(st.none(), st.integers(0, 500).map(float)),
)


@given(known=st.lists(ROW, max_size=30), later=st.lists(ROW, max_size=15), seed=st.integers(0, 9))
def test_nothing_published_at_or_after_the_deadline_changes_what_was_known(known, later, seed: int) -> None:
    def built(rows) -> Versions:
        return versions_of(
            [
                (f"{DEADLINE + hours * (WEEK / 168):%Y-%m-%d %H:%M}", str(START - back * WEEK), place, value)
                for hours, back, place, value in rows
            ]
        )

    kept = [row for row in known if row[0] < 0]
    late = [(abs(hours), *rest) for hours, *rest in later]
    mixed = [*kept, *late]
    order = np.random.default_rng(seed).permutation(len(mixed))
    before, after = built(kept), built([row for i, row in enumerate(mixed) if i in order])
    assert after.before(DEADLINE).equals(before.before(DEADLINE))
    week = RULES.model_copy(update={"min_locations": 2})
    (used, skipped), (used_too, skipped_too) = (usable(versions, [START], week) for versions in (before, after))
    assert (used, skipped) == (used_too, skipped_too)
    if kept:
        assert after.until(DEADLINE).changes.sort(pl.all()).equals(before.changes.sort(pl.all()))


def test_dates_whose_last_version_lacks_places_are_skipped_with_a_reason() -> None:
    week = RULES.model_copy(update={"min_locations": 2})
    days = [START - WEEK, START, START + WEEK]
    used, skipped = usable(versions_of(ROWS), days, week)
    assert used == [START - WEEK]
    assert [day for day, _ in skipped] == [START, START + WEEK]
    assert skipped[0].reason == (
        "the last version before the deadline, of 2024-11-27 17:00 UTC, holds 1 location for the week ending "
        "2024-11-23; 2 are needed"
    )
    _, early = usable(versions_of(ROWS), [date(2024, 1, 6)], week)
    assert early[0].reason == "no version was published before the deadline"


def test_a_grid_has_gaps() -> None:
    weeks = [str(START - back * WEEK) for back in (4, 3, 2, 1)]
    rows = [("2024-12-04 17:00", day, place, 5.0 + i) for i, day in enumerate(weeks) for place in ("01", "56", "US")]
    whole = versions_of(rows).latest()
    gap = whole.filter(~((pl.col("location") == "56") & (pl.col("target_end_date") == START - 4 * WEEK)))
    grid = grid_of(gap)
    assert grid.locations == ("01", "56", "US")
    assert grid.dates.astype(str).tolist() == weeks
    assert np.isnan(grid.values).tolist() == [[False] * 4, [True, False, False, False], [False] * 4]


def test_a_grid_holds_a_week_that_lacks_altogether() -> None:
    rows = [("2024-12-04 17:00", str(START - back * WEEK), "01", 1.0) for back in (4, 2, 1)]
    assert np.isnan(grid_of(versions_of(rows).latest()).values).tolist() == [[False, True, False, False]]
    odd = versions_of([*rows, ("2024-12-04 17:00", "2024-11-15", "01", 1.0)])
    with pytest.raises(InputError, match="weeks must end on one day of the week, got 2024-11-02 and 2024-11-15"):
        grid_of(odd.latest())


# --- files ---

TEXT = """\
as_of,target_end_date,location,value
2024-11-27T17:01:00Z,2024-11-23,01,20
2024-11-20T17:00:00Z,2024-11-16,01,10
2024-11-27T17:01:00Z,2024-11-16,01,
"""


def test_a_file_in_any_order_is_read(write, tmp_path) -> None:
    versions = read_versions(write(TEXT))
    assert cells(versions.latest()) == {("01", "2024-11-23"): 20}
    assert cells(versions.as_of(at("2024-11-21 00:00"))) == {("01", "2024-11-16"): 10}
    assert versions.notes == ()
    versions.changes.write_parquet(tmp_path / "versions.parquet")
    assert read_versions(tmp_path / "versions.parquet").changes.equals(versions.changes)


def test_a_version_that_contradicts_itself_is_left_out_with_a_note(write) -> None:
    twice = TEXT + "2024-11-27T17:01:00Z,2024-11-23,01,21\n2024-11-20T17:00:00Z,2024-11-16,01,10\n"
    versions = read_versions(write(twice))
    assert versions.latest().is_empty()  # 2024-11-23 has two values, 2024-11-16 was withdrawn
    assert versions.notes == (
        "1 cell with several values in one version (published 2024-11-27 17:01 UTC) left out; what was known before "
        "stands until the next version.",
    )
    assert cells(versions.before(at("2024-11-27 17:01"))) == {("01", "2024-11-16"): 10}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("01,20", "01,-20", r"row 2, column 'value': cases can't be negative, got -20"),
        ("01,20", "01,many", r"row 2, column 'value': 'many' is not a finite number"),
        (
            "2024-11-27T17:01:00Z,2024-11-23",
            "2024-11-27,2024-11-23",
            r"row 2, column 'as_of': '2024-11-27' is not a ti",
        ),
        ("2024-11-23", "23.11.2024", r"row 2, column 'target_end_date': '23.11.2024' is not a date"),
        ("location", "state", r"no column 'location'"),
        (TEXT[TEXT.index("2024") :], "", r"there are columns but no row"),
    ],
)
def test_a_broken_file_is_refused(write, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_versions(write(TEXT.replace(old, new, 1)))


@pytest.mark.realdata
def test_flusights_versions(data_folder: Path) -> None:
    versions = read_versions(data_folder / "flusight" / "vintages.parquet")
    # On 2024-11-27 the hub published all states' values as those of the US, and corrected it eight minutes later.
    assert versions.notes == (
        "147 cells with several values in one version (published 2024-11-27 17:01 UTC) left out; what was known before "
        "stands until the next version.",
    )
    assert versions.changes.height == 25_457 - 7_488
    corrected = versions.as_of(at("2024-11-27 17:10")).filter(pl.col("target_end_date") == date(2024, 11, 23))
    parts = corrected.filter(pl.col("location") != "US")["value"].sum()
    assert corrected.filter(pl.col("location") == "US")["value"].item() == pytest.approx(parts, rel=1e-3)
    assert versions.as_of(at("2024-11-27 17:05")).equals(versions.as_of(at("2024-11-27 17:00")))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("season", "dates", "missing"), [("2023-24", 30, date(2024, 4, 13)), ("2024-25", 28, date(2025, 1, 25))]
)
def test_one_date_of_each_season_is_skipped(data_folder: Path, season: str, dates: int, missing: date) -> None:
    versions, limits = (
        read_versions(data_folder / "flusight" / "vintages.parquet"),
        read_rules("flusight").season(season),
    )
    used, skipped = usable(versions, limits.reference_dates(), limits)
    assert len(used) == dates - 1
    assert [day for day, _ in skipped] == [missing]
    for day in used:
        known = versions.before(limits.deadline(day))
        assert known["target_end_date"].max() == day - WEEK
        assert known.filter(pl.col("target_end_date") == day - WEEK).height == 53


def test_a_matrix_goes_back_to_the_table_that_it_came_from() -> None:
    rows = [(date(2024, 11, 9), "01", 5.0), (date(2024, 11, 23), "01", 7.0), (date(2024, 11, 16), "02", 1.0)]
    schema = {"target_end_date": pl.Date, "location": pl.String, "value": pl.Float64}
    table = pl.DataFrame(rows, schema, orient="row")
    assert table_of(grid_of(table)).equals(table)
