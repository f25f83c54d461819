"""Rows to entries: conditions, sums, names of regions, versions."""

import polars as pl
import pytest

from twofold.counts.config import SourceConfig
from twofold.counts.csv import find_table
from twofold.counts.entries import Entries, read_entries
from twofold.counts.layouts import find_roles
from twofold.counts.load import read_frame
from twofold.engine.errors import DataError

DAYS = ("2020-01-01", "2020-01-02", "2020-01-03")
AGES = "region,date,age,sex,cases\n" + "".join(
    f"{region},{day},{age},{sex},{1 + 10 * r + 100 * t + 2 * a + s}\n"
    for r, region in enumerate(("Chad", "New York", "New Mexico"))
    for t, day in enumerate(DAYS)
    for a, age in enumerate(("0-17", "18+"))
    for s, sex in enumerate(("f", "m"))
)


def read(text: str, **config) -> Entries:
    table, settings = find_table("t.csv", text.encode()), SourceConfig(**config)
    return read_entries(table, find_roles(table, settings), settings)


def series(entries: Entries) -> dict[str, list[int]]:
    order = entries.day.argsort(kind="stable")
    return {
        name: [int(entries.value[i]) for i in order if entries.region[i] == at]
        for at, name in enumerate(entries.regions)
    }


BOTH = ("age", "sex")


def test_rows_are_summed_over_every_column_named():
    assert series(read(AGES, sum_over=BOTH)) == {
        "Chad": [10, 410, 810],
        "New Mexico": [90, 490, 890],
        "New York": [50, 450, 850],
    }
    assert read(AGES, sum_over=BOTH).notes[-1] == "36 rows were summed over age, sex to 9 counts."


def test_conditions_on_one_column_are_alternatives_and_on_two_must_both_hold():
    one = read(AGES, where=("age=18+", "sex = m"))
    assert series(one)["Chad"] == [4, 104, 204]
    assert one.notes[1:] == ("18 of 36 rows kept: age = 18+.", "9 of 18 rows kept: sex = m.")
    both = read(AGES, where=("age=0-17", "age=18+", "sex=f"), sum_over=("age",))
    assert series(both)["Chad"] == [4, 204, 404]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {},
            r"row 3: 'Chad' on 2020-01-01 already stands in row 2; such rows differ in 'sex' and 'age'|'age' and 'sex'",
        ),
        ({"where": ("age=old",)}, "--source.where age=old keeps no row; 'age' holds '0-17', '18.'"),
        ({"where": ("Alter=18+",)}, "--source.where Alter: no such column; found 'region', 'date', 'age'"),
        (
            {"sum_over": ("age",)},
            r"add them up with --source.sum-over age --source.sum-over sex, keep one kind",
        ),
        ({"sum_over": BOTH, "include": ("Old *",)}, r"--source.include Old \*: no region matches; there are 'Chad'"),
        ({"sum_over": BOTH, "exclude": ("*",)}, "leave no region"),
    ],
)
def test_what_leaves_no_single_count_is_refused(config, message):
    with pytest.raises(DataError, match=message):
        read(AGES, **config)


def test_a_level_that_is_the_sum_of_the_others_is_left_out_of_a_sum():
    rows = []
    for t in range(12):
        day, parts = f"2020-01-{t + 1:02}", [30 + 7 * t % 11, 50 - 3 * t, 20 + t * t % 13]
        rows += [f"{region},{day},{age},{n}" for region in "AB" for age, n in zip("xyz", parts, strict=True)]
        rows += [f"{region},{day},sum of ages,{sum(parts)}" for region in "AB"]
    text = "region,date,age,cases\n" + "\n".join(rows)
    entries = read(text, sum_over=("age",))
    assert series(entries)["A"][0] == 30 + 50 + 20
    assert "Rows with age = sum of ages are the sum of the others and were left out" in entries.notes[-2]
    assert series(read(text, sum_over=("age",), aggregates="keep"))["A"][0] == 2 * (30 + 50 + 20)


def test_a_sum_with_a_part_that_has_no_count_is_missing_and_an_absent_row_is_noted():
    lines = AGES.splitlines()
    empty = read("\n".join([lines[0], "Chad,2020-01-01,0-17,f,", *lines[2:]]), sum_over=BOTH)
    assert (empty.missing.sum(), empty.value[empty.missing].tolist()) == (1, [0])
    gone = read("\n".join([lines[0], *lines[2:]]), sum_over=BOTH)
    assert series(gone)["Chad"] == [9, 410, 810]
    assert "1 sum of 9 have fewer rows than others of their region" in gone.notes[-1]


def test_regions_are_kept_and_left_out_by_name_or_pattern():
    assert read(AGES, sum_over=BOTH, include=("New *",)).regions == ("New Mexico", "New York")
    assert read(AGES, sum_over=BOTH, include=("New *",), exclude=("New York",)).regions == ("New Mexico",)
    assert "2 of 3 regions kept" in read(AGES, sum_over=BOTH, exclude=("Chad",)).notes[1]


def test_an_aggregate_by_name_is_left_out_unless_it_is_asked_for():
    text = AGES.replace("Chad", "World")
    assert read(text, sum_over=BOTH).regions == ("New Mexico", "New York")
    assert "World (--source.aggregates keep" in read(text, sum_over=BOTH).notes[1]
    assert "World" in read(text, sum_over=BOTH, aggregates="keep").regions
    assert "World" in read(text, sum_over=BOTH, include=("World", "New *")).regions


def test_columns_that_are_joined_name_regions_of_their_own():
    entries = read(AGES, region=("region", "age"), where=("sex=m",))
    assert entries.regions[:2] == ("Chad, 0-17", "Chad, 18+")
    with pytest.raises(DataError, match=r"row 2, column 3 \('age'\): the region's name is empty"):
        read(AGES.replace("01,0-17,f", "01,,f", 1), region=("region", "age"), where=("sex=f",))


VERSIONS = """\
as_of,location,target_end_date,observation,weekly_rate
{0},A,2020-01-04,1,0.5
{0},A,2020-01-11,2,0.6
{1},A,2020-01-04,9,1.5
{1},A,2020-01-11,2,0.6
{1},A,2020-01-18,4,0.7
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2020-01-09", "2020-01-10"),
        ("2020-1-9", "2020-1-10"),
        ("31.01.2020", "01.02.2020"),
        ("2020-01-10", "2020-01-10 09:30"),
        ("2020-01-10T08:00:00Z", "2020-01-10T09:30:00Z"),
    ],
)
def test_the_newest_version_of_each_count_is_read(old, new):
    entries = read(VERSIONS.format(old, new))
    assert series(entries) == {"A": [9, 2, 4]}
    assert entries.notes[-1] == f"3 of 5 rows kept: the newest as_of of each region and date, {new} the last."


def test_a_version_whose_date_is_none_is_refused():
    with pytest.raises(DataError, match=r"row 2, column 1 \('as_of'\): 'soon' is not a date"):
        read(VERSIONS.format("soon", "2020-01-10"))


def test_text_in_a_typed_table_is_read_as_text_and_a_number_as_a_number():
    frame = pl.DataFrame({"region": ["A"] * 3, "date": DAYS, "value": ["1.234", "12", "7"]})
    assert read_frame(frame, SourceConfig()).values.tolist() == [[1234, 12, 7]]
    with pytest.raises(DataError, match=r"'1\.234' is a fraction"):
        read_frame(frame.with_columns(pl.col("value").cast(pl.Float64)), SourceConfig())
