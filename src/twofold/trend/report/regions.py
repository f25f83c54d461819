"""The rows of the table of regions: forecast, latest counts, and how the test windows went."""

from typing import Any

import polars as pl

from twofold.trend.report.explorer import MOST_PLACES


def recent(panel: pl.DataFrame, steps: int) -> pl.DataFrame:
    """Every region's increments on the latest dates, so many of them; `panel` has region, date and increment."""
    known = panel.drop_nulls("increment")
    dates = known["date"].unique().sort().tail(steps)
    return known.filter(pl.col("date") >= dates.min()).sort("date", maintain_order=True)


def rows(forecast: pl.DataFrame, counts: pl.DataFrame, tested: pl.DataFrame, column: str) -> list[dict[str, Any]]:
    """Every region, those in C first, the likeliest to rise on top.

    Args:
        forecast: region, probability (null: none was given), in_c, last_value.
        counts: as of `recent`.
        tested: the test windows: region, label and the probability.
        column: name of the latter.

    Returns:
        The forecast's columns; `place`, its row there; `windows`, `up` and `mean` of the test windows (None without);
        `latest`, the sum of the last seven counts; `points`, a line through the counts for a picture 20 high and 2 wide
        per step, whose axis holds 0 and 1 (None in a table so long that the lines would make it too large).
    """
    test = tested.group_by("region").agg(windows=pl.len(), up=pl.col("label").mean(), mean=pl.col(column).mean())
    joined = forecast.with_row_index("place").join(test, on="region", how="left", maintain_order="left")
    ranked = joined.sort("in_c", "probability", descending=True, nulls_last=True, maintain_order=True)
    found = {row["region"]: row | {"points": None, "steps": 0, "latest": None} for row in ranked.to_dicts()}
    for (name,), part in counts.group_by("region"):
        if name not in found:
            continue
        values = part["increment"].to_numpy()
        found[name] |= {"steps": len(values), "latest": int(values[-7:].sum())}
        if len(found) <= MOST_PLACES:
            low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
            heights = 19 - 18 * (values - low) / (high - low)
            found[name]["points"] = " ".join(f"{2 * step},{height:.1f}" for step, height in enumerate(heights))
    return list(found.values())
