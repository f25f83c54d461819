"""Regions that are sums of other regions: told by name, and by their counts."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Int64

_TOTALS = """world|global|total|totals|all|overall|sum|grand total|all regions|all countries|all states|worldwide|
national|nationwide|gesamt|insgesamt|summe|weltweit|total general|ensemble|all ages|all age groups|00+"""
_ALL = frozenset(_TOTALS.replace("\n", "").split("|"))
"""Names of a total of everything, in lower case."""
_CONTINENTS = """africa|asia|europe|north america|south america|oceania|americas|latin america|
latin america and the caribbean|european union|eu|eu/eea|eu/eea (total)|eu/eea total|eu27|eu 27|european union (27)|eea|
high income|low income|lower middle income|upper middle income|high-income countries|low-income countries|
lower-middle-income countries|upper-middle-income countries|africa (total)|america (total)|asia (total)|europe (total)|
oceania (total)|afro|amro|emro|euro|searo|wpro|afr|amr|emr|eur|sear|wpr|asia excl. china|world excl. china"""
_GROUPS = frozenset(_CONTINENTS.replace("\n", "").split("|"))
"""Names of groups of countries, in lower case."""
_OWID_PLACES = frozenset(f"OWID_{place}" for place in ("KOS", "CYN", "ENG", "SCT", "WLS", "NIR", "TRS", "PYA"))
"""OWID's codes of places that ISO has none for; its other OWID_ codes are of aggregates."""
TOLERANCE = 0.01
"""Deviation of a total from the sum of the others, as a share, on at least AGREEING of the dates."""
AGREEING = 0.9
MIN_DATES = 10
"""Dates with cases that a sum is told by; below, nothing is claimed."""
MIN_CASES = 100
"""Cases that a sum must have; small counts agree by chance."""


def named_totals(names: Sequence[str], codes: Mapping[str, str] | None = None) -> list[str]:
    """Regions that are aggregates by their names, or OWID's codes; only where at least two others remain.

    Args:
        names: of all regions.
        codes: OWID's code of each region, where known.
    """
    codes = codes or {}
    groups = [name for name in names if name.lower() in _GROUPS or _owid_aggregate(codes.get(name, ""))]
    totals = [name for name in names if name.lower() in _ALL]
    found: list[str] = []
    for some in (groups, totals):
        # Where continents are all there is, they are the regions.
        rest = [name for name in names if name not in {*some, *totals}]
        if len(rest) >= 2:
            found += [name for name in some if name not in found]
    return [name for name in names if name in found]


def _owid_aggregate(code: str) -> bool:
    return code.startswith("OWID_") and code not in _OWID_PLACES


def total_level(regions: Sequence[str], days: np.ndarray, levels: Sequence[str], values: Sequence[str]) -> str | None:
    """The level of a column, such as `total` of age groups, whose counts are the sums of its other levels."""
    names = list(dict.fromkeys(levels))
    if len(names) < 3:
        return next((name for name in names if name.lower() in _ALL), None) if len(names) == 2 else None
    frame = pl.DataFrame({"region": regions, "day": days, "level": levels, "value": values}).with_columns(
        pl.col("value").cast(pl.Float64, strict=False).fill_null(0.0)
    )
    wide = frame.group_by("region", "day").agg(
        pl.col("value").sum().alias("all"),
        *(pl.col("value").filter(pl.col("level") == name).sum().alias(f"level {i}") for i, name in enumerate(names)),
    )
    everything = wide["all"].to_numpy()
    for i, name in enumerate(names):
        own = wide[f"level {i}"].to_numpy()
        if name.lower() in _ALL or _agrees(own, everything - own):
            return name
    return None


def summed_regions(names: Sequence[str], counts: Int64[np.ndarray, "regions dates"]) -> dict[str, list[str]]:
    """Regions whose counts are sums of those of at least two others, and which others.

    A total of all others may deviate by 1 % on each date, as one that is published apart; the sum of some others must
    be exact, and is only looked for where there are more dates than regions.

    Args:
        names: of the regions.
        counts: new cases.
    """
    names = list(names)
    found: dict[str, list[str]] = {}
    kept = np.arange(len(names))
    everything = counts.sum(axis=0)
    for i in np.argsort(-counts.sum(axis=1), kind="stable").tolist():
        if len(kept) > 2 and _agrees(counts[i].astype(float), (everything - counts[i]).astype(float)):
            found[names[i]] = [names[j] for j in kept.tolist() if j != i]
            kept = kept[kept != i]
            break
    while (sum_of := _exact_sum(counts[kept])) is not None:
        whole, parts = sum_of
        found[names[int(kept[whole])]] = [names[int(kept[j])] for j in parts]
        kept = np.delete(kept, whole)
    return found


def _agrees(own: np.ndarray, others: np.ndarray) -> bool:
    """Whether counts are a total of others, but for a deviation."""
    filled = (own > 0) | (others > 0)
    if filled.sum() < MIN_DATES or own.sum() < MIN_CASES:
        return False
    near = np.abs(own - others)[filled] <= np.maximum(1, TOLERANCE * others[filled])
    return bool(near.mean() >= AGREEING)


def _exact_sum(counts: Int64[np.ndarray, "regions dates"]) -> tuple[int, list[int]] | None:
    """A region, the largest first, that is exactly the sum of at least two others; and these."""
    moving = np.flatnonzero(counts.any(axis=1))
    series = counts[moving].astype(float)
    if len(moving) < 4 or len(moving) >= series.shape[1]:
        return None
    scaled = series / np.abs(series).max(axis=1, keepdims=True)
    dependent = np.linalg.svd(scaled, compute_uv=False)[-1] < 1e-9 * np.sqrt(series.shape[1])
    if not dependent:
        return None
    from scipy.optimize import nnls  # slow to load, and rarely wanted

    for i in np.argsort(-series.sum(axis=1), kind="stable").tolist():
        smaller = np.flatnonzero((series <= series[i]).mean(axis=1) > AGREEING)
        smaller = smaller[smaller != i]
        if len(smaller) < 2 or series[i].sum() < MIN_CASES or (series[i] > 0).sum() < MIN_DATES:
            continue
        weights, _ = nnls(series[smaller].T, series[i], maxiter=20 * len(smaller))
        parts = smaller[weights > 0.5]
        if len(parts) >= 2 and np.array_equal(series[parts].sum(axis=0), series[i]):
            return int(moving[i]), moving[parts].tolist()
    return None


def shown_sums(sums: Mapping[str, Sequence[str]]) -> str:
    """The regions found, with what they are sums of, for a note."""
    parts = {name: ", ".join(each) if len(each) <= 5 else f"{len(each)} others" for name, each in sums.items()}
    return "; ".join(f"{name} (the sum of {some})" for name, some in parts.items())
