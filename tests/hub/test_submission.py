"""A submission: a good one passes, every damage is reported with rule and rows, only a valid one is written."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.small import CHANGE, LOCATIONS, RULES, forecasts_of
from twofold.engine.errors import DataError, InputError
from twofold.hub.rules import read_rules
from twofold.hub.submission import (
    COLUMNS,
    SUM_TOLERANCE,
    Checked,
    Problem,
    check_file,
    check_sheet,
    parse_name,
    submission,
    write_submission,
)
from twofold.hub.tables import read_forecasts, read_locations, read_sheet, sheet_of

NAME = "2024-11-30-ours-gru_1.csv"
GOOD = submission(forecasts_of("any", 3), RULES)
QUANTILES = "".join(
    f"2024-11-30,wk inc flu hosp,{h},{day},US,quantile,0.5,{100 + h}\n"
    for h, day in (("-1", "2024-11-23"), ("0", "2024-11-30"))
    for h in [int(h)]
)
OTHERS = QUANTILES + "2024-11-30,peak inc flu hosp,NA,NA,US,quantile,0.5,40000\n"
TEXT = GOOD.write_csv() + OTHERS
LINES = TEXT.splitlines(keepends=True)  # LINES[i] is row i + 1 of the file
FIRST = LINES[1]  # location 01, horizon 0, large_decrease
FIRST_VALUE = FIRST.rsplit(",", 1)[1].strip()


@pytest.fixture
def check(tmp_path) -> Callable[..., Checked]:
    """Writes a submission and validates it."""

    def checked(text: str, name: str = NAME) -> Checked:
        path = tmp_path / name
        path.write_text(text)
        return check_file(path, RULES, LOCATIONS)

    return checked


def test_a_good_submission_passes_and_other_targets_are_counted(check) -> None:
    assert check(TEXT) == Checked((), forecasts=12, unscored=0, other_rows=3)


def test_horizons_that_are_not_scored_pass_and_are_counted(check) -> None:
    nowcast = "".join(
        line.replace(",0,2024-11-30,", ",-1,2024-11-23,") for line in LINES if ",0,2024-11-30,01,pmf" in line
    )
    assert nowcast.count("\n") == 5
    assert check(TEXT + nowcast) == Checked((), forecasts=13, unscored=1, other_rows=3)


@dataclass(frozen=True)
class Damage:
    """A change of a good submission, and the problems that must be reported: (rule, rows, words of the message)."""

    problems: list[tuple[str, tuple[int, ...], str]]
    old: str = ""
    new: str = ""
    name: str = NAME

    def apply(self) -> str:
        assert self.old in TEXT
        return TEXT.replace(self.old, self.new, 1)


def first(old: str, new: str) -> tuple[str, str]:
    """A change of the first forecast's first row."""
    assert old in FIRST
    return FIRST, FIRST.replace(old, new, 1)


ALL_ROWS = tuple(range(2, 62))
REST = (3, 4, 5, 6)  # what is left of the first forecast
LACKS = ("complete", REST, "location '01', horizon 0: every category needs a row; there is none for large_decrease")
DAMAGES = {
    "name without a model": Damage(
        [("file_name", (), "must be named YYYY-MM-DD-team-model")], name="2024-11-30-ours.csv"
    ),
    "name's date": Damage([("file_name", (), "2024-11-31, which is no day")], name="2024-11-31-ours-gru.csv"),
    "team with a hyphen": Damage([("file_name", (), "1 to 16 letters")], name="2024-11-30-our-s-gru.csv"),
    "model too long": Damage([("file_name", (), "1 to 16 letters")], name=f"2024-11-30-ours-{'g' * 17}.csv"),
    "another form": Damage([("file_name", (), r"\.csv or \.parquet")], name="2024-11-30-ours-gru.txt"),
    "column missing": Damage([("columns", (), "is missing")], "horizon,", "weeks,"),
    "row cut": Damage([("file", (), "row 2: the row has 6 cells but the header has 8")], FIRST, "a,b,c,d,e,f\n"),
    "no row of any target": Damage([("empty", (), "no row has the target 'wk flu hosp rate change' or another")]),
    "target mistyped": Damage([("target", (2,), "got 'wk flu hosp rate chnage'"), LACKS], *first("change", "chnage")),
    "output type": Damage([("output_type", (2,), "must be one of pmf, got 'quantile'")], *first("pmf", "quantile")),
    "date unreadable": Damage(
        [("reference_date", (2,), "'30.11.2024' is not a date such as")], *first("2024-11-30", "30.11.2024")
    ),
    "date on a Sunday": Damage(
        [("reference_date", (2,), "must be a Saturday; 2024-12-01 is a Sunday")], *first("2024-11-30", "2024-12-01")
    ),
    "date of another file": Damage(
        [("reference_date", ALL_ROWS, "must be 2024-12-07, the submission's own, got 2024-11-30")],
        name="2024-12-07-ours-gru.csv",
    ),
    "horizon": Damage([("horizon", (2,), "must be one of -1, 0, 1, 2, 3, got 4"), LACKS], *first(",0,", ",4,")),
    "horizon in words": Damage([("horizon", (2,), "'none' is not a whole number"), LACKS], *first(",0,", ",none,")),
    "target week": Damage(
        [("target_end_date", (2,), "must be 0 weeks after the reference date 2024-11-30, got 2024-12-07")],
        *first("0,2024-11-30", "0,2024-12-07"),
    ),
    "target week empty": Damage([("target_end_date", (2,), "is empty")], *first("0,2024-11-30", "0,")),
    "unknown location": Damage([("location", (2,), "locations .*, got '99'"), LACKS], *first(",01,", ",99,")),
    "zero lost": Damage([("location", (2,), "FIPS codes keep their zeros.*, got '1'"), LACKS], *first(",01,", ",1,")),
    "unknown category": Damage(
        [("category", (2,), "must be one of large_decrease, .*, got 'plunge'")], *first("large_decrease", "plunge")
    ),
    "negative value": Damage([("value", (2,), r"must lie in \[0, 1\], got -0.25")], *first(FIRST_VALUE, "-0.25")),
    "percent": Damage([("value", (2,), r"must lie in \[0, 1\], got 25.0")], *first(FIRST_VALUE, "25")),
    "value empty": Damage([("value", (2,), "is empty")], *first(FIRST_VALUE, "")),
    "value in words": Damage([("value", (2,), "'half' is not a finite number")], *first(FIRST_VALUE, "half")),
    "not a number": Damage([("value", (2,), "'NaN' is not a finite number")], *first(FIRST_VALUE, "NaN")),
    "row twice": Damage([("duplicate", (2, 3), "'large_decrease' appears 2 times")], FIRST, FIRST * 2),
    "row missing": Damage([("complete", (2, 3, 4, 5), LACKS[2])], FIRST, ""),
    "sum": Damage([("sum", (2, *REST), "location '01', horizon 0: must add up to 1, got ")], *first(FIRST_VALUE, "1")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_every_damage_is_reported_with_its_rule_and_rows(check, damage: Damage) -> None:
    text = damage.apply()
    if damage is DAMAGES["no row of any target"]:
        text = LINES[0]
    if damage is DAMAGES["column missing"]:
        problems = check(text, damage.name).problems
        assert [(problem.rule, problem.column) for problem in problems] == [
            ("columns", "horizon"),
            ("columns", "weeks"),
        ]
        return
    found = check(text, damage.name).problems
    assert [(problem.rule, problem.rows) for problem in found] == [(rule, rows) for rule, rows, _ in damage.problems]
    for problem, (_, _, words) in zip(found, damage.problems, strict=True):
        assert re.search(words, problem.message), problem


def test_damages_cover_every_rule() -> None:
    named = {rule for damage in DAMAGES.values() for rule, _, _ in damage.problems}
    listed = re.search(r"its name: (.*?)\.", " ".join((Problem.__doc__ or "").split()))
    assert listed is not None
    assert set(re.split(", | or ", listed[1])) == named | {"season", "types"}
    assert len(DAMAGES) >= 20


def test_two_damages_are_both_reported(check) -> None:
    text = TEXT.replace(FIRST, FIRST.replace(FIRST_VALUE, "2")).replace(LINES[60], "")
    assert [problem.rule for problem in check(text).problems] == ["value", "complete"]


def test_a_submission_of_another_season_is_reported(check) -> None:
    text = TEXT.replace("2024-", "2026-").replace("2026-11-30", "2026-11-28").replace("2026-12-07", "2026-12-05")
    problems = check(text.replace("2026-12-14", "2026-12-12").replace("2026-12-21", "2026-12-19"), "2026-11-28-a-b.csv")
    assert [(p.rule, p.rows) for p in problems.problems] == [("season", ALL_ROWS)]


@pytest.mark.parametrize(
    ("change", "column", "words"),
    [
        (pl.lit(1).alias("location"), "location", "holds Int32; it must be text"),
        (pl.col("value").cast(pl.String), "value", "holds text; dates and numbers have types of their own"),
        (pl.col("target_end_date").cast(pl.String), "target_end_date", "holds text"),
        (pl.col("reference_date").alias("horizon"), "horizon", "holds Date; numbers are needed"),
    ],
)
def test_parquet_columns_need_their_types(tmp_path, change: pl.Expr, column: str, words: str) -> None:
    path = tmp_path / "2024-11-30-ours-gru.parquet"
    GOOD.write_parquet(path)
    assert check_file(path, RULES, LOCATIONS) == Checked((), forecasts=12)
    GOOD.with_columns(change).write_parquet(path)
    (problem,) = check_file(path, RULES, LOCATIONS).problems
    assert (problem.rule, problem.column) == ("types", column)
    assert words in problem.message


def test_a_problem_as_text() -> None:
    rows = (2, 3, 4, 6, 9, 10)
    assert str(Problem("value", "is empty", rows, "value")) == "rows 2 to 4, 6, 9 to 10, column 'value': is empty"
    assert str(Problem("file", "is cut")) == "is cut"
    assert str(Problem("columns", "is missing", column="value")) == "column 'value': is missing"
    assert str(Problem("duplicate", "twice", (7,))) == "row 7: twice"
    assert str(Problem("sum", "off", tuple(range(1, 60, 2)))).startswith(
        "rows 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and 20 ro"
    )


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="no such file"):
        check_file(tmp_path / NAME, RULES, LOCATIONS)
    with pytest.raises(InputError, match="must be named"):
        parse_name("gru.csv")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_whatever_happens_to_the_bytes_is_reported_and_never_an_error_of_ours(tmp_path, form: str) -> None:
    path = tmp_path / f"2024-11-30-ours-gru.{form}"
    whole = TEXT.encode()
    if form == "parquet":
        GOOD.write_parquet(path)
        whole = path.read_bytes()
    generator = np.random.default_rng(11)
    reported = 0
    for _ in range(150):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), generator.integers(1, 6)):
            data[place] = generator.integers(0, 256)
        path.write_bytes(data[: generator.integers(1, len(data) + 1)] if generator.random() < 0.2 else data)
        reported += bool(check_file(path, RULES, LOCATIONS).problems)
    assert reported > 75


@pytest.mark.slow
@pytest.mark.realdata
def test_what_real_teams_submitted_passes_or_is_shown_to_be_broken(data_folder: Path) -> None:
    limits = {season: read_rules("flusight").season(season) for season in ("2023-24", "2024-25")}
    places = {season: read_locations(data_folder / "flusight" / f"locations_{season}.csv") for season in limits}
    peers = read_forecasts(data_folder / "flusight" / "peers_rate_change.parquet")
    forecasts, unscored, broken = 0, 0, Counter()
    for (model, day), rows in peers.group_by("model", "reference_date", maintain_order=True):
        season, name = read_rules("flusight").season_of(day), f"{day}-{model}.parquet"  # pyright: ignore[reportArgumentType]
        sheet = sheet_of(name, submission(rows, limits[season]))
        checked = check_sheet(sheet, parse_name(name), limits[season], places[season])
        forecasts, unscored = forecasts + checked.forecasts, unscored + checked.unscored
        broken.update((model, problem.rule) for problem in checked.problems)
    assert (forecasts, unscored) == (258_720, 12_461)
    assert broken == {("FluSight-ens_q_cat", "sum"): 13}  # rounded by the hub itself; off by 1e-4 at most


def test_what_we_write_passes(tmp_path) -> None:
    for form in ("csv", "parquet"):
        path = tmp_path / f"2024-11-30-ours-gru.{form}"
        write_submission(path, forecasts_of("any", 3), RULES, LOCATIONS)
        assert check_file(path, RULES, LOCATIONS) == Checked((), forecasts=12)


def rules_broken(table: pl.DataFrame) -> dict[str, set[int]]:
    """Rule -> rows that break it."""
    problems = check_sheet(sheet_of("table", table), None, RULES, LOCATIONS).problems
    return {problem.rule: set(problem.rows) for problem in problems}


@given(st.sampled_from([column for column in COLUMNS if column != "target"]), st.integers(0, GOOD.height - 1))
def test_an_empty_cell_is_found_wherever_it_is(column: str, row: int) -> None:
    emptied = GOOD.with_columns(GOOD[column].scatter(row, None))
    found = rules_broken(emptied)
    rule = "category" if column == "output_type_id" else column
    assert found.pop(rule) == {row + 1}
    assert set(found) <= {"complete"}  # a row without place, date or horizon is missed where it belongs


@given(st.integers(0, GOOD.height - 1), st.floats(-2, 2))
def test_a_moved_value_breaks_its_own_rule_or_the_sum(row: int, shift: float) -> None:
    moved = GOOD["value"][row] + shift
    found = rules_broken(GOOD.with_columns(GOOD["value"].scatter(row, moved)))
    forecast = set(range(row // 5 * 5 + 1, row // 5 * 5 + 6))
    if not 0 <= moved <= 1:
        assert found == {"value": {row + 1}}
    elif abs(shift) > 2 * SUM_TOLERANCE:
        assert found == {"sum": forecast}
    elif abs(shift) < SUM_TOLERANCE / 2:
        assert found == {}


def test_a_sum_may_miss_by_what_the_hubverse_lets_pass() -> None:
    for shift, reported in ((1e-9, set()), (-1e-9, set()), (1e-7, {"sum"}), (-1e-7, {"sum"})):
        assert set(rules_broken(GOOD.with_columns(GOOD["value"].scatter(1, GOOD["value"][1] + shift)))) == reported


@given(st.permutations(range(GOOD.height)), st.integers(0, 12))
def test_the_order_of_rows_and_the_number_of_forecasts_are_free(order: list[int], kept: int) -> None:
    part = GOOD[: 5 * kept] if kept else GOOD
    assert rules_broken(GOOD[order]) == rules_broken(part) == {}


FORECASTS = forecasts_of("any", 3)


def test_a_submission_in_the_hubs_columns_and_order() -> None:
    table = submission(FORECASTS.sample(fraction=1, shuffle=True, seed=2), RULES)
    assert table.columns == list(COLUMNS)
    assert table["output_type_id"][:5].to_list() == list(CHANGE.categories)
    assert table.row(19) == (
        date(2024, 11, 30),
        "wk flu hosp rate change",
        3,
        date(2024, 12, 21),
        "01",
        "pmf",
        "large_increase",
        FORECASTS["probability"][19],
    )
    assert table["location"].is_sorted()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_both_forms_hold_every_digit(tmp_path: Path, form: str) -> None:
    path = tmp_path / "out" / f"2024-11-30-ours-gru.{form}"
    write_submission(path, FORECASTS, RULES, LOCATIONS)
    assert read_sheet(path).typed(COLUMNS).equals(submission(FORECASTS, RULES))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "forecasts", "message"),
    [
        ("ours.csv", FORECASTS, "must be named YYYY-MM-DD-team-model"),
        ("2024-12-07-ours-gru.csv", FORECASTS, "must be 2024-12-07, the submission's own, got 2024-11-30"),
        ("2024-11-30-ours-gru.csv", FORECASTS[1:], "there is none for large_decrease"),
        ("2024-11-30-ours-gru.csv", FORECASTS.with_columns(probability=0.3), "must add up to 1, got 1.5"),
        ("2024-11-30-ours-gru.csv", FORECASTS.clear(), "no row has the target"),
    ],
)
def test_what_the_hub_would_refuse_is_not_written(
    tmp_path: Path, name: str, forecasts: pl.DataFrame, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_submission(tmp_path / name, forecasts, RULES, LOCATIONS)
    assert not list(tmp_path.iterdir())


def test_quantiles_of_the_counts_stand_behind_the_categories() -> None:
    forecasts = forecasts_of("m", 0).drop("model")
    units = forecasts.select("reference_date", "horizon", "location").unique()
    quantiles = units.join(pl.DataFrame({"quantile": [0.025, 0.5, 0.975], "value": [1.0, 2.5, 7.0]}), how="cross")
    table = submission(forecasts, RULES, {"wk inc flu hosp": quantiles, "wk inc flu prop ed visits": quantiles})
    assert table["target"].unique(maintain_order=True)[1:].to_list() == ["wk inc flu hosp", "wk inc flu prop ed visits"]
    table = table.filter(pl.col("target") != "wk inc flu prop ed visits")
    assert table.columns == list(COLUMNS)
    changes, counts = table.filter(pl.col("output_type") == "pmf"), table.filter(pl.col("output_type") == "quantile")
    assert changes.equals(submission(forecasts, RULES))
    assert counts.height == 3 * units.height
    assert counts["target"].unique().to_list() == ["wk inc flu hosp"]
    assert counts["output_type_id"][:3].to_list() == ["0.025", "0.5", "0.975"]
    assert counts["value"][:3].to_list() == [1.0, 2.5, 7.0]
    assert (counts["target_end_date"] - counts["reference_date"]).dt.total_days().to_list() == [
        7 * horizon for horizon in counts["horizon"]
    ]


def test_a_submission_of_other_targets_alone_is_valid_for_what_it_holds(check) -> None:
    assert check(LINES[0] + OTHERS) == Checked((), forecasts=0, unscored=0, other_rows=3)
