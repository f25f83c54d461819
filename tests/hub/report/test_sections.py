import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from matplotlib.figure import Figure

from hub.small import DEFAULT, OURS, PEERS, PLACES, RULES, START, WEEKS, change, hub_folder, truth_of
from page.reading import Page
from page.reading import read as read_html
from twofold.engine.files import saver
from twofold.hub.report import calibration_sections as hub_calibration_sections
from twofold.hub.report import evidence as hub_evidence
from twofold.hub.report import loss_sections as hub_loss_sections
from twofold.hub.report import meaning as hub_meaning
from twofold.hub.report import run_sections as hub_run_sections
from twofold.hub.report import score_sections as hub_score_sections
from twofold.hub.report.evidence import HubEvidence
from twofold.hub.rules import WEEK
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Section
from twofold.page.drawing import style


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> HubEvidence:
    return hub_evidence.read(hub_folder(tmp_path_factory.mktemp("hub") / "run"))


def _drawn(make: Any, evidence: HubEvidence, folder: Path) -> Page:
    with style():
        return read_html(make(evidence, Album(saver(folder))).body)


def _page(section: Section) -> Page:
    return read_html(section.body)


def _certain(model: str, category: str, place: str, horizon: int, week: int = 0) -> list[tuple[Any, ...]]:
    return [(model, START + week * WEEK, horizon, place, name, float(name == category)) for name in RULES.categories]


def _forecasts(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    columns = ["model", "reference_date", "horizon", "location", "category", "probability"]
    return pl.DataFrame(rows, columns, orient="row")


def test_the_ranking_shows_the_scores_in_order_of_relative_rps(evidence: HubEvidence) -> None:
    cells = _page(hub_score_sections.ranking_section(evidence)).cells
    ranked = sorted(evidence.scores["common"].items(), key=lambda row: row[1]["relative_rps"])
    rows = [cells[9 * k : 9 * k + 9] for k in range(1, len(ranked) + 1)]
    assert [row[0].split(" ")[1] for row in rows] == [name for name, _ in ranked]
    for row, (_, block) in zip(rows, ranked, strict=True):
        assert row[1].removeprefix("★ ") == numbers.score(block["relative_rps"])
        assert row[5].removeprefix("★ ") == numbers.score(block["accuracy"])
        assert row[7] == str(block["n"])
    assert rows[0][1].startswith("★ ") and not any(row[1].startswith("★ ") for row in rows[1:])
    assert not any("★" in cell for cell in cells[9 * (len(ranked) + 1) :])  # means of different forecasts


def test_the_ranking_names_who_is_who(evidence: HubEvidence) -> None:
    text = _page(hub_score_sections.ranking_section(evidence)).text
    assert f"{DEFAULT} (ours, default)" in text and "FluSight-ensemble (hub's ensemble)" in text


@pytest.mark.parametrize(
    ("low", "high", "words", "kind"),
    [
        (-0.03, -0.01, "is better than the hub's ensemble", "callout good"),
        (0.01, 0.03, "is worse than the hub's ensemble", "callout warning"),
        (-0.01, 0.03, "can't be told from the hub's ensemble", "callout warning"),
        (None, None, "too few dates for an interval", "callout warning"),
    ],
)
def test_the_verdict_follows_the_interval(
    tmp_path: Path, low: float | None, high: float | None, words: str, kind: str
) -> None:
    made = hub_folder(tmp_path)
    found = {"mean": 0.01 if high is None or high > 0 else -0.02, "low": low, "high": high, "n": 108, "dates": 9}
    change(made, differences={"FluSight-ensemble": found})
    section = hub_meaning.verdict_section(hub_evidence.read(made))
    assert words in _page(section).text and f'class="{kind}"' in section.body
    assert ("[" in hub_meaning.against_ensemble(hub_evidence.read(made))) == (low is not None)


def test_the_verdict_names_rank_best_peer_and_what_no_skill_scores(evidence: HubEvidence) -> None:
    text = _page(hub_meaning.verdict_section(evidence)).text
    names = [name for name, _ in evidence.ranked("common")]
    assert f"it is the {('1st', '2nd', '3rd', '4th', '5th', '6th', '7th')[names.index(DEFAULT)]} of 7 models" in text
    assert f"picked afterwards, is {evidence.best_peer}" in text
    for name in ("FluSight-baseline_cat", "us-climate"):
        assert f"{name} {numbers.score(evidence.scores['common'][name]['rps'])}" in text


def test_a_default_of_little_coverage_has_no_rank(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    scores = json.loads((made / "scores.json").read_text())
    change(made, common={name: block for name, block in scores["common"].items() if name != DEFAULT})
    assert "It has no rank: it made 100.0\u00a0% of" in _page(hub_meaning.verdict_section(hub_evidence.read(made))).text


def test_differences_stand_worst_first_with_their_reading(evidence: HubEvidence, tmp_path: Path) -> None:
    cells = _drawn(hub_score_sections.differences_section, evidence, tmp_path).cells
    rows = [cells[k : k + 6] for k in range(6, len(cells), 6)]
    found = evidence.scores["differences"]
    assert [row[0] for row in rows] == sorted(found, key=lambda name: -found[name]["mean"])
    for name, _, dates, mean, ends, word in rows:
        block = found[name]
        assert (dates, mean) == (str(WEEKS), numbers.signed(block["mean"]))
        assert ends == numbers.interval([block["low"], block["high"]])
        expected = (
            "default better" if block["high"] < 0 else "default worse" if block["low"] > 0 else "no clear difference"
        )
        assert word == expected


def test_scores_by_date_and_horizon_are_means_over_shared_forecasts(evidence: HubEvidence, tmp_path: Path) -> None:
    cells = _drawn(hub_score_sections.dates_section, evidence, tmp_path).cells
    own = evidence.scored.filter(pl.col("model") == DEFAULT)
    first = own.filter(pl.col("reference_date") == START)["rps"].to_numpy().mean()
    assert cells[6:9] == [str(START), "12", numbers.score(float(first))]
    table = _drawn(hub_score_sections.horizons_section, evidence, tmp_path).cells
    base = evidence.scored.filter(pl.col("model") == "FluSight-baseline_cat", pl.col("horizon") == 3)["rps"].to_numpy()
    mine = own.filter(pl.col("horizon") == 3)["rps"].to_numpy().mean()
    row = table[table.index("3 weeks ahead") :]
    assert row[1] == numbers.score(float(mine)) + numbers.score(float(mine / base.mean()))


def test_calibration_counts_what_was_given_and_what_happened(evidence: HubEvidence, tmp_path: Path) -> None:
    cells = _drawn(hub_calibration_sections.calibration_section, evidence, tmp_path).cells
    own = evidence.scored.filter(pl.col("model") == DEFAULT)
    row = cells[cells.index(DEFAULT) :]
    assert row[1] == str(own.height)
    assert row[2:4] == [numbers.percent(float(own[key].to_numpy().mean())) for key in ("rise", "rose")]
    shares = evidence.truth["observed"].to_numpy() == 4
    assert cells[cells.index("large increase") + 1] == numbers.percent(float(shares.mean()))


def test_losses_are_found_where_they_were_put(tmp_path: Path) -> None:
    """Sure and right everywhere but in Wyoming at horizon 2, where the ensemble is right: an RPS of 4 against 0."""
    rows = []
    for place in PLACES:
        for horizon in RULES.horizons:
            wrong = (place, horizon) == ("56", 2)
            for name in [*OURS, *PEERS]:
                sure = "large_increase" if name == DEFAULT and wrong else "large_decrease"
                rows += _certain(name, sure, place, horizon)
    truth = truth_of(1).with_columns(observed=pl.lit(0, pl.Int64))
    made = hub_folder(tmp_path, forecasts=_forecasts(rows), truth=truth)
    page = _page(hub_loss_sections.losses_section(hub_evidence.read(made)))
    assert (
        f"{DEFAULT} loses to FluSight-ensemble in 1 of 3 places, 1 of 1 reference dates, 1 of 4 horizons." in page.text
    )
    where = page.cells.index("Wyoming")
    assert page.cells[where : where + 5] == ["Wyoming", "4", "1.000", "0.000", "+1.000"]
    single = page.cells[len(page.cells) - 1 - page.cells[::-1].index("Wyoming") :]
    assert single[:9] == [
        "Wyoming",
        str(START),
        "2",
        "large decrease",
        "0\u00a0%",
        "100\u00a0%",
        "4.000",
        "0.000",
        "+4.000",
    ]
    assert "Alabama" not in page.cells


def test_weights_fits_and_skipped_dates_are_told(evidence: HubEvidence, tmp_path: Path) -> None:
    page = _drawn(hub_run_sections.weights_section, evidence, tmp_path)
    assert "on average logistic 75\u00a0%, network 25\u00a0%" in page.text
    assert page.cells[3:6] == [str(START), "0.75", "0.25"]
    told = _page(hub_run_sections.skipped_section(evidence))
    assert "no version was <published>" in told.text and "1,234" in told.cells


def test_without_weights_or_skips_there_are_sentences(tmp_path: Path) -> None:
    made = hub_folder(tmp_path)
    change(made, weights=[], skipped=[], fits=[])
    found = hub_evidence.read(made)
    assert "This run pooled no models" in _drawn(hub_run_sections.weights_section, found, made).text
    assert "No reference date of the season was skipped." in _page(hub_run_sections.skipped_section(found)).text


def test_the_run_can_be_repeated_from_the_page(evidence: HubEvidence) -> None:
    page = _page(hub_run_sections.repeat_section(evidence))
    assert "twofold trend hub backtest" in page.text and "Wall time, seconds1.500" in page.text
    assert page.cells[-2:] == ["train.epochs", "7"]


def test_caveats_hold_those_of_the_run_and_of_every_backtest(evidence: HubEvidence) -> None:
    text = _page(hub_meaning.caveats_section(evidence)).text
    assert "147 cells" in text and "One season is one draw" in text


def test_what_was_seen_of_the_season_stands_beside_the_verdict(evidence: HubEvidence) -> None:
    assert "The recipe was frozen." in _page(hub_meaning.verdict_section(evidence)).text


def test_dates_and_categories_reach_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = hub_folder(tmp_path)
    table = pl.read_parquet(made / "truth.parquet")
    base = pl.when(pl.col("location") == "US").then(500.0).otherwise(20.0)
    table.with_columns(base=base).write_parquet(made / "truth.parquet")
    found, seen = hub_evidence.read(made), {}
    monkeypatch.setattr(
        hub_score_sections.hub_figures, "by_date", lambda *given: seen.update(counts=given[3]) or Figure()
    )
    monkeypatch.setattr(
        hub_calibration_sections.hub_figures,
        "category_reliability",
        lambda *given: seen.update(bins=given[1]) or Figure(),
    )
    _drawn(hub_score_sections.dates_section, found, made)
    _drawn(hub_calibration_sections.calibration_section, found, made)
    assert seen["counts"].tolist() == [500.0] * WEEKS  # the nation's, not the sum that holds it twice
    for k in range(5):
        ups = sum(each["share_up"] * each["windows"] for each in seen["bins"][DEFAULT][k])
        assert ups == pytest.approx((found.truth["observed"] == k).sum())
