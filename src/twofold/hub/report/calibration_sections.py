"""Section of a hub's page on calibration: whether what was said to be likely happened about so often."""

from collections.abc import Sequence

import polars as pl

from twofold.hub.report import figures as hub_figures
from twofold.hub.report.evidence import HubEvidence
from twofold.hub.report.wording import category
from twofold.hub.scores import rise_reliability
from twofold.hub.tables import UNIT
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, details, paragraph, table
from twofold.page.html import Html, join, tag
from twofold.scoring.binary import ReliabilityBin, ece, reliability


def calibration_section(evidence: HubEvidence, album: Album) -> Section:
    """Reliability of P(rise) for the default, the hub's ensemble and the best peer, then of each category."""
    names = [name for name in evidence.shown if name != evidence.baseline]
    scored = evidence.level_field
    words = paragraph(
        "On the diagonal, what was given 30\u00a0% happens in 30\u00a0% of the cases. Below it the probability was too "
        "high, above it too low. Where fewer than "
        f"{hub_figures.FEW} forecasts fall together, no point is drawn; the bars below count them all."
    )
    parts = [words, tag("h3", "Will it rise?"), _rise(album, scored, names), _rise_table(scored, names)]
    parts += [tag("h3", "Each category"), *_categories(evidence, album, scored, names[:2])]
    return Section("calibration", "Are the probabilities right?", join(parts))


def _rise(album: Album, scored: pl.DataFrame, names: Sequence[str]) -> Html:
    drawn = hub_figures.rise_reliability({name: rise_reliability(scored, name) for name in names})
    told = "; ".join(f"{name} ECE {numbers.score(_rise_error(scored, name))}" for name in names)
    caption = "P(rise) is the probability of all categories above the middle one. The bars are the default's."
    return album.add("reliability-rise", drawn, f"Reliability diagram of P(rise): {told}.", caption)


def _rise_error(scored: pl.DataFrame, name: str) -> float:
    own = scored.filter(pl.col("model") == name)
    return ece(own["rise"].to_numpy(), own["rose"].to_numpy())


def _rise_table(scored: pl.DataFrame, names: Sequence[str]) -> Html:
    columns = [Column("Model", "left"), Column("Forecasts"), Column("Mean P(rise)"), Column("Rose"), Column("ECE")]
    rows = []
    for name in names:
        own = scored.filter(pl.col("model") == name)
        given, rose = own["rise"].to_numpy().mean(), own["rose"].to_numpy().mean()
        shares = [numbers.percent(float(given)), numbers.percent(float(rose))]
        rows.append([name, numbers.count(own.height), *shares, numbers.score(_rise_error(scored, name))])
    return table(columns, rows, "P(rise), on the forecasts that all models shown made")


def _categories(evidence: HubEvidence, album: Album, scored: pl.DataFrame, names: Sequence[str]) -> list[Html]:
    shared = scored.select(UNIT).unique()
    forecasts = {name: evidence.pmf(name).join(shared, on=UNIT, how="semi") for name in names}
    bins = {name: _bins(evidence, rows) for name, rows in forecasts.items()}
    drawn = hub_figures.category_reliability(evidence.rules.categories, bins)
    caption = "Each category by itself, from falling to rising; the bars are the default's."
    told = f"Reliability diagrams of {len(evidence.rules.categories)} categories; the figures are in the table."
    picture = album.add("reliability-categories", drawn, told, caption, wide=True)
    return [picture, details("The figures of each category", _category_table(evidence, forecasts))]


def _bins(evidence: HubEvidence, rows: pl.DataFrame) -> list[list[ReliabilityBin]]:
    pmf, observed = evidence.probabilities(rows), rows["observed"].to_numpy()
    return [reliability(pmf[:, k], observed == k) for k in range(pmf.shape[1])]


def _category_table(evidence: HubEvidence, forecasts: dict[str, pl.DataFrame]) -> Html:
    columns = [Column("Category", "left"), Column("Happened")]
    for name in forecasts:
        columns += [Column(f"{name}: mean given"), Column(f"{name}: ECE")]
    rows = []
    for k, name in enumerate(evidence.rules.categories):
        happened = next(iter(forecasts.values()))["observed"].to_numpy() == k
        cells = [category(name), numbers.percent(float(happened.mean()))]
        for table_of in forecasts.values():
            given, was = evidence.probabilities(table_of)[:, k], table_of["observed"].to_numpy() == k
            cells += [numbers.percent(float(given.mean())), numbers.score(ece(given, was))]
        rows.append(cells)
    return table(columns, rows, "How often each category happened, and the probability that it was given on average")
