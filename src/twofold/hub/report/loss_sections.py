"""Section of a hub's page on where the default loses, and to whom: places, dates, horizons, single forecasts."""

from typing import Any

import polars as pl

from twofold.hub.report.evidence import HubEvidence
from twofold.hub.report.wording import category, horizon
from twofold.hub.tables import UNIT
from twofold.page import numbers
from twofold.page.blocks import Column, Section, details, paragraph, table
from twofold.page.html import Html, join, tag

_GROUPS = {"location": "places", "reference_date": "reference dates", "horizon": "horizons"}
_WORST = 8
_SINGLE = 12


def losses_section(evidence: HubEvidence) -> Section:
    """The worst cells against the hub's ensemble and against the best peer."""
    rivals = [name for name in (evidence.ensemble, evidence.best_peer) if name is not None]
    if not rivals:
        words = "No other team's forecast is at hand, so there is nobody to lose to."
        return Section("losses", "Where it loses, and to whom", paragraph(words))
    words = paragraph(
        "Against whom and where the default's RPS is higher, dearest first: the difference times the number of "
        "forecasts. These cells are picked because they are bad, so part of each is chance."
    )
    parts = [part for rival in rivals for part in _against(evidence, rival)]
    return Section("losses", "Where it loses, and to whom", join([words, *parts]))


def _against(evidence: HubEvidence, rival: str) -> list[Html]:
    cells = {by: evidence.beside(rival, [by]) for by in _GROUPS}
    told = ", ".join(f"{_lost(rows).height} of {rows.height} {_GROUPS[by]}" for by, rows in cells.items())
    words = paragraph(f"{evidence.default} loses to {rival} in {told}.")
    parts = [tag("h3", f"To {rival}"), words]
    if any(_lost(rows).height for rows in cells.values()):
        parts.append(_table(evidence, rival, cells))
    worst = _lost(evidence.beside(rival, UNIT)).head(_SINGLE)
    if worst.height:
        parts.append(details(f"The dearest single forecasts beside {rival}", _single(evidence, rival, worst)))
    return parts


def _lost(rows: pl.DataFrame) -> pl.DataFrame:
    cost = pl.col("difference") * pl.col("n")
    return rows.filter(pl.col("difference") > 0).sort(cost, descending=True, maintain_order=True)


def _table(evidence: HubEvidence, rival: str, cells: dict[str, pl.DataFrame]) -> Html:
    columns = [Column("Where", "left"), Column("Forecasts"), Column("Default"), Column(rival), Column("Difference")]
    lines: list[list[str]] = []
    groups = {}
    for by, rows in cells.items():
        worst = _lost(rows).head(_WORST)
        if worst.height:
            groups[len(lines)] = f"by {_GROUPS[by][:-1]}"
            lines += [_line(evidence, by, row) for row in worst.iter_rows(named=True)]
    return table(columns, lines, f"Mean RPS, the default beside {rival}: at most {_WORST} cells a group", groups)


def _line(evidence: HubEvidence, by: str, row: dict[str, Any]) -> list[str]:
    return [_where(evidence, by, row[by]), numbers.count(row["n"]), *_scores(row)]


def _scores(row: dict[str, Any]) -> list[str]:
    return [numbers.score(row["ours"]), numbers.score(row["theirs"]), numbers.signed(row["difference"])]


def _where(evidence: HubEvidence, by: str, value: Any) -> str:
    if by == "location":
        return evidence.name_of(value)
    return horizon(value) if by == "horizon" else str(value)


def _single(evidence: HubEvidence, rival: str, worst: pl.DataFrame) -> Html:
    """Each with what happened and the probability that either gave it."""
    given = _given(evidence)
    mine, other = (given.filter(pl.col("model") == name) for name in (evidence.default, rival))
    rows = worst.join(mine, on=UNIT, maintain_order="left").join(
        other.select(*UNIT, rivals="probability"), on=UNIT, maintain_order="left"
    )
    columns = [Column("Place", "left"), Column("Reference date", "left"), Column("Horizon"), Column("Happened", "left")]
    columns += [Column("P, default"), Column(f"P, {rival}"), Column("RPS"), Column(f"RPS, {rival}")]
    lines = [_single_line(evidence, row) for row in rows.iter_rows(named=True)]
    caption = "P is the probability that was given to what happened; horizon in weeks"
    return table([*columns, Column("Difference")], lines, caption)


def _given(evidence: HubEvidence) -> pl.DataFrame:
    """Model, UNIT, the category that happened, and the probability that it was given."""
    names = pl.Series("category", evidence.rules.categories)
    happened = evidence.truth.select(*UNIT, category=names.gather(evidence.truth["observed"]))
    forecasts = evidence.forecasts.with_columns(pl.col("horizon").cast(pl.Int64))
    return forecasts.join(happened, on=[*UNIT, "category"])


def _single_line(evidence: HubEvidence, row: dict[str, Any]) -> list[str]:
    return [
        evidence.name_of(row["location"]),
        str(row["reference_date"]),
        numbers.count(row["horizon"]),
        category(row["category"]),
        numbers.percent(row["probability"], 0),
        numbers.percent(row["rivals"], 0),
        *_scores(row),
    ]
