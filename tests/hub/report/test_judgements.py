import datetime as dt

import polars as pl
import pytest

from twofold.hub.report.judgements import Reading, phases, reading
from twofold.hub.rules import WEEK

START = dt.date(2024, 11, 30)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.03, -0.01, "better"),
        (0.01, 0.03, "worse"),
        (-0.01, 0.03, "unclear"),
        (0.0, 0.03, "unclear"),
        (None, None, "unclear"),
    ],
)
def test_only_an_interval_without_zero_is_clear(low: float | None, high: float | None, expected: Reading) -> None:
    assert reading({"mean": 0.02, "low": low, "high": high}) == expected


def _happened(weeks: list[tuple[int, float]]) -> pl.DataFrame:
    rows = [(START + week * WEEK, observed, base) for week, (observed, base) in enumerate(weeks)]
    return pl.DataFrame(rows, {"reference_date": pl.Date, "observed": pl.Int64, "base": pl.Float64}, orient="row")


def test_the_peak_parts_rise_from_fall() -> None:
    rows = _happened([(1, 5.0), (4, 10.0), (4, 90.0), (4, 60.0), (0, 40.0)])
    assert phases(rows, 2) == {"rise": START + WEEK, "peak": START + 2 * WEEK, "fall": START + 4 * WEEK}


def test_a_season_that_began_at_its_peak_has_no_rise() -> None:
    assert phases(_happened([(2, 9.0)]), 2) == {"peak": START}
    assert phases(_happened([(2, 9.0), (1, 5.0)]), 2) == {"peak": START, "fall": START + WEEK}
    assert phases(_happened([]), 2) == {}
