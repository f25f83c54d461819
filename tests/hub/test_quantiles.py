"""Tables of quantiles: a round trip, the pool, peers' quantiles as categories, scores by hand."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hub.season_small import CHANGE, FIRST, RULES, head, queries, replay
from hub.small import START
from twofold.hub.baseline import last_value
from twofold.hub.distribution import LEVELS, CountForecast, Distribution, pmf_from
from twofold.hub.heads.quantile import QuantileHead
from twofold.hub.quantile_scores import observations, quantile_board, score_quantiles, sort_out
from twofold.hub.quantiles import (
    QUANTILE,
    complete,
    count_forecasts,
    derived_categories,
    distribution_table,
    long_quantiles,
    pool_distributions,
    quantile_table,
    read_peers_quantiles,
)
from twofold.hub.rules import WEEK
from twofold.hub.season import known_at
from twofold.hub.vintages import Grid

PLACES = replay().known(FIRST).counts.locations


def found(name) -> CountForecast:
    own = head(name)
    assert isinstance(own, QuantileHead)
    return CountForecast(queries().base, queries().population, own.change(queries()))


def table(name) -> pl.DataFrame:
    return distribution_table(FIRST, PLACES, RULES, found(name)).with_columns(model=pl.lit(name))


def peers(model: str, values: dict[float, float], day: date = START, horizon: int = 0) -> pl.DataFrame:
    rows = [(model, day, horizon, "01", level, value) for level, value in values.items()]
    return pl.DataFrame(rows, list(QUANTILE), orient="row")


def spread(centre: float, step: float = 1.0) -> dict[float, float]:
    return {level: float(centre + step * (place - 11)) for place, level in enumerate(LEVELS)}


def test_a_table_keeps_the_distributions() -> None:
    before, after = found("ar6"), count_forecasts(table("ar6"))
    assert after.quantiles().reshape(7, 4, 23).tobytes() == before.quantiles().tobytes()
    flat = quantile_table(table("ar6"))
    assert flat.columns == ["model", "reference_date", "horizon", "location", "quantile", "value"]
    assert flat["value"].to_numpy().tobytes() == before.quantiles().tobytes()
    assert flat["quantile"].to_list() == list(LEVELS) * 28
    assert flat["location"].unique(maintain_order=True).to_list() == list(PLACES)


def test_the_pool_of_tables_is_the_pool_of_distributions() -> None:
    both = pl.concat([table("ar6"), table("quantile_trees")])
    pooled = count_forecasts(
        pool_distributions(both, [(FIRST, {"ar6": 0.25, "quantile_trees": 0.75})]).sort("location", "horizon")
    )
    parts = [found(name).change for name in ("ar6", "quantile_trees")]
    expected = CountForecast(queries().base, queries().population, Distribution.pool(parts, [0.25, 0.75]))
    assert pooled.quantiles().reshape(7, 4, 23) == pytest.approx(expected.quantiles())


def test_peers_quantiles_become_the_categories_of_the_same_distribution() -> None:
    """Our own quantiles, read as a peer's: between the levels both are linear, on the scale of roots."""
    own = found("ar6")
    listed = long_quantiles(complete(quantile_table(table("ar6"))))
    known = pl.DataFrame(
        {"reference_date": [FIRST] * 7, "location": PLACES, "base": own.base, "population": own.population}
    )
    derived = derived_categories(complete(listed), known, CHANGE)
    assert derived.columns == ["model", "reference_date", "horizon", "location", "category", "probability"]
    pmf = derived.sort("location", "horizon", maintain_order=True)["probability"].to_numpy().reshape(7, 4, 5)
    assert pmf == pytest.approx(pmf_from(own.exceed(queries().cuts(CHANGE))), abs=2e-3)


def test_a_file_of_quantiles_is_read_with_its_levels_rounded(tmp_path) -> None:
    path = tmp_path / "peers.csv"
    path.write_text("model,reference_date,horizon,location,quantile,value\na,2024-11-30,0,01,0.15000000000000002,7\n")
    assert read_peers_quantiles(path).row(0) == ("a", START, 0, "01", 0.15, 7.0)


def test_forecasts_that_cannot_be_scored_are_left_out_counted_and_named() -> None:
    lacking, falling = spread(50), spread(50)
    del lacking[0.5]
    falling[0.5] = 0.0
    mixed = pl.concat(
        [
            peers("good", spread(50)),
            peers("torn", spread(50)),
            peers("torn", lacking, horizon=1),
            peers("torn", falling, horizon=2),
        ]
    )
    kept, notes = sort_out(mixed)
    assert kept.select("model", "horizon").rows() == [("good", 0), ("torn", 0)]
    assert notes == ["torn: 2 forecasts of quantiles left out, which lack a level or fall as it rises."]
    assert_frame_equal(long_quantiles(kept).filter(pl.col("model") == "good"), peers("good", spread(50)))


def test_relative_scores_are_ratios_on_the_same_forecasts() -> None:
    late = START + WEEK
    tables = [
        peers("base", spread(50, 4)),
        peers("base", spread(50, 4), late),
        peers("wide", spread(50, 8)),
        peers("once", spread(50, 2), late),
        peers("alone", spread(50), late + WEEK),
    ]
    days = [START, late, late + WEEK]
    values = pl.DataFrame({"target_end_date": days, "location": ["01"] * 3, "value": [50.0, 90.0, 50.0]})
    scored = score_quantiles(complete(pl.concat(tables)), observations(values, days, (0,)))
    score = {(name, day): value for name, day, value in scored.select("model", "reference_date", "wis").iter_rows()}
    board = {row["model"]: row for row in quantile_board(scored, "base").iter_rows(named=True)}
    assert [board[name]["n"] for name in ("base", "wide", "once", "alone")] == [2, 1, 1, 1]
    assert board["base"]["relative_wis"] == board["base"]["relative_log_wis"] == 1
    assert board["wide"]["relative_wis"] == pytest.approx(2.0)
    assert board["once"]["relative_wis"] == pytest.approx(score["once", late] / score["base", late])
    assert board["alone"]["relative_wis"] is None
    assert (board["base"]["coverage_50"], board["base"]["coverage_95"]) == (0.5, 1.0)
    by_date = quantile_board(scored, "base", ("reference_date",))
    assert by_date.filter(pl.col("model") == "base")["wis"].to_list() == [score["base", START], score["base", late]]


def test_the_last_value_with_its_past_changes_by_hand() -> None:
    """Changes of 10 and -20, made symmetric, are +-10 and +-20 with probability 1/4 each; two of them add up."""
    known = replay().known(FIRST)
    days = np.datetime64(FIRST - 3 * WEEK) + 7 * np.arange(3)
    counts = Grid(("01",), days, np.array([[60.0, 70.0, 50.0]]))
    moment = type(known)(FIRST, counts, counts, np.array([1e6]), ())
    values = last_value(moment, RULES).quantiles()[0]
    at = {level: place for place, level in enumerate(LEVELS)}
    assert values[0, [at[0.01], at[0.25], at[0.5], at[0.75], at[0.99]]] == pytest.approx([30, 30, 50, 60, 70], abs=0.1)
    # Two changes: -40 with 1/16, -30 with 2/16, -20 with 1/16, -10 with 2/16, 0 with 4/16.
    two = values[1, [at[0.05], at[0.15], at[0.2], at[0.3], at[0.5]]]
    assert two == pytest.approx([10, 20, 30, 40, 50], abs=0.1)
    assert (values >= 0).all()
    assert known_at(replay().versions, FIRST, replay().locations, RULES).others == ()
