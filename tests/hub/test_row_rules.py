"""The rules of a submission's rows, where the file as a whole does not tell them: a property of all damaged values."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from hub.small import LOCATIONS, RULES, forecasts_of
from twofold.hub.submission import COLUMNS, SUM_TOLERANCE, check_sheet, submission
from twofold.hub.tables import sheet_of

GOOD = submission(forecasts_of("any", 5), RULES)


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
    for shift, told in ((1e-9, set()), (-1e-9, set()), (1e-7, {"sum"}), (-1e-7, {"sum"})):
        assert set(rules_broken(GOOD.with_columns(GOOD["value"].scatter(1, GOOD["value"][1] + shift)))) == told


@given(st.permutations(range(GOOD.height)), st.integers(0, 12))
def test_the_order_of_rows_and_the_number_of_forecasts_are_free(order: list[int], kept: int) -> None:
    part = GOOD[: 5 * kept] if kept else GOOD
    assert rules_broken(GOOD[order]) == rules_broken(part) == {}
