import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hub.small import DATES, PLACES, RULES, WEEKS, change, hub_folder
from hub.small_quantiles import (
    BASELINE,
    CURVE,
    ENSEMBLE,
    LAST,
    POOL,
    add_quantiles,
    quantiles_of,
    score,
    without_categories,
)
from page.reading import Page, check_whole
from page.reading import read as read_html
from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_parquet
from twofold.hub.distribution import LEVELS
from twofold.hub.report import quantiles, view
from twofold.hub.report.quantiles import QuantileView
from twofold.page import numbers
from twofold.scoring.quantiles import wis

MOST = 3_000_000


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Writes a folder's page; its figures are made and not drawn, which takes most of the time."""
    monkeypatch.setattr("twofold.page.album.to_svg", lambda figure: "<svg></svg>")
    return lambda made: view.write(made).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_quantiles(hub_folder(tmp_path_factory.mktemp("hub") / "run"))


def _quantiles(folder: Path) -> QuantileView:
    found = view.read(folder).quantiles
    assert found is not None
    return found


def _section(html: str, name: str) -> Page:
    match = re.search(rf'<section id="{name}".*?</section>', html, re.S)
    assert match is not None
    return read_html(match[0])


def _words(page: Page) -> str:
    return " ".join(page.text.split())


def _scores(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scores.json").read_text())["quantile"]


def test_a_page_of_both_parts_has_both(tmp_path: Path) -> None:
    made = add_quantiles(hub_folder(tmp_path))
    html = view.write(made).read_text(encoding="utf-8")
    page = check_whole(html)
    assert len(html) < MOST and "src=" not in html
    assert {"verdict", "season", "where", "ranking", "losses"} <= {named.get("id") for _, named in page.tags}
    assert "Relative RPS ↓" in html.replace("\u00a0", " ") and "Categories, " in html


def test_a_page_of_quantiles_only_says_nothing_of_categories(tmp_path: Path, write: Callable[[Path], str]) -> None:
    html = write(without_categories(add_quantiles(hub_folder(tmp_path))))
    page = check_whole(html)
    ids = {named.get("id") for _, named in page.tags}
    assert {"verdict", "season", "where", "differences", "calibration", "horizons", "dates"} <= ids
    assert not {"ranking", "map", "places", "losses", "explorer-pmf-0", "explorer-was"} & ids
    assert "RPS" not in _words(page).partition("This season is one of")[0]


def test_a_page_of_categories_only_has_no_fan(tmp_path: Path, write: Callable[[Path], str]) -> None:
    page = check_whole(write(hub_folder(tmp_path)))
    ids = {named.get("id") for _, named in page.tags}
    assert {"explorer-pmf-0", "explorer-was"} <= ids and not {"where", "explorer-rise-0", "explorer-table"} & ids
    assert "WIS" not in page.text


def test_without_any_scores_there_is_no_page(tmp_path: Path) -> None:
    made = without_categories(hub_folder(tmp_path))
    with pytest.raises(RunFolderError, match="the scores of no model"):
        view.write(made)
    assert not (made / "report.html").exists()


def test_a_missing_table_of_quantiles_is_named(tmp_path: Path) -> None:
    made = add_quantiles(hub_folder(tmp_path))
    (made / "predictions_quantile.parquet").unlink()
    with pytest.raises(RunFolderError, match=r"predictions_quantile\.parquet"):
        view.write(made)


def test_without_peers_ours_are_compared_with_our_own_baseline(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = without_categories(add_quantiles(hub_folder(tmp_path), peers=False))
    found = _quantiles(made)
    assert (found.baseline, found.ensemble, found.best_peer) == (LAST, None, None)
    assert found.shown == found.explored == [POOL, LAST]
    assert f"had a lower WIS than {LAST} in" in check_whole(write(made)).text


def test_the_table_of_the_answer_shows_scores_with_and_without_the_us(both: Path, write: Callable[[Path], str]) -> None:
    cells = _section(write(both), "verdict").cells
    rows = {row[0].split(" ")[1]: row[1:] for row in (cells[8 * k : 8 * k + 8] for k in range(1, 6))}
    scores = _scores(both)
    assert list(rows) == sorted(rows, key=lambda name: scores["models"][name]["relative_wis"])
    for name, row in rows.items():
        own = scores["models"][name]
        assert row[0] == numbers.score(own["relative_wis"])
        assert row[1] == numbers.score(scores["without_us"][name]["relative_wis"])
        assert row[2:5] == [
            numbers.score(own["log_wis"]),
            numbers.percent(own["coverage_50"]),
            numbers.percent(own["coverage_95"]),
        ]
    rates = json.loads((both / "scores.json").read_text())["models"]
    assert rows[ENSEMBLE][5] == numbers.score(rates[ENSEMBLE]["relative_rps"]) and rows[CURVE][5] == numbers.DASH


def test_a_relative_rps_from_quantiles_is_marked(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = add_quantiles(hub_folder(tmp_path))
    rates = json.loads((made / "scores.json").read_text())["models"]
    change(made, models=rates | {f"{CURVE} (quantiles)": rates["Ateam-wave"]})
    cells = _section(write(made), "verdict").cells
    row = next(k for k, cell in enumerate(cells) if cell.endswith(CURVE))
    assert cells[row + 6] == numbers.score(rates["Ateam-wave"]["relative_rps"]) + "†"


def test_files_that_were_left_out_are_listed(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = add_quantiles(hub_folder(tmp_path))
    change(made, files_left_out=[{"file": "2024-11-30-Dteam.csv", "reason": "no column 'value'"}])
    section = _section(write(made), "skipped")
    assert "Files of other teams that were left out: 1" in section.text
    where = section.cells.index("2024-11-30-Dteam.csv")
    assert section.cells[where + 1] == "no column 'value'"


def test_who_made_few_forecasts_has_no_place(tmp_path: Path) -> None:
    made = add_quantiles(hub_folder(tmp_path))
    path = made / "peers_quantile.parquet"
    few = (pl.col("model") != CURVE) | (pl.col("reference_date") < DATES[WEEKS - 1])
    write_parquet(path, pl.read_parquet(path).filter(few))  # 8 of 9 dates: 89 %
    score(made)
    found = _quantiles(made)
    assert (None, CURVE) in found.numbered and [place for place, _ in found.numbered] == [1, 2, 3, 4, None]
    assert found.share[CURVE] == pytest.approx(8 / 9) and found.best_peer is None


@pytest.mark.parametrize(
    ("coverage", "worse", "words"),
    [
        ((0.5, 0.95), (), "at every horizon (relative WIS"),
        ((0.5, 0.95), (0, 3), "for 1 week ahead, 2 weeks ahead only (relative WIS"),
        ((0.5, 0.95), (0, 1, 2, 3), f"Don't trust {POOL}: at no horizon is it better than {BASELINE}"),
        ((0.3, 0.8), (), "but widen its intervals: those of 50 and 95\u00a0% held 30\u00a0% and 80\u00a0% of the"),
        ((0.7, 0.99), (), "but take its intervals as wider than need be"),
        ((0.5, 0.95), (), "take its intervals as they are"),
    ],
)
def test_one_sentence_says_what_to_trust(
    tmp_path: Path, write: Callable[[Path], str], coverage: tuple[float, float], worse: tuple[int, ...], words: str
) -> None:
    made = without_categories(add_quantiles(hub_folder(tmp_path)))
    scores = _scores(made)
    scores["models"][POOL] |= {"coverage_50": coverage[0], "coverage_95": coverage[1]}
    for row in scores["by"]["horizon"]:
        if row["model"] == POOL:
            row["relative_wis"] = 1.2 if row["horizon"] in worse else 0.8
    change(made, quantile=scores)
    assert words in re.sub(r"[ \n]+", " ", _section(write(made), "verdict").text)


def test_a_median_that_errs_to_one_side_is_told(tmp_path: Path, write: Callable[[Path], str]) -> None:
    made = without_categories(add_quantiles(hub_folder(tmp_path)))
    path = made / "counts.parquet"
    write_parquet(path, pl.read_parquet(path).with_columns(value=pl.lit(1000.0)))
    assert _quantiles(made).lean == "low"
    assert "expect more than its median: 100\u00a0% of them lay above it" in _section(write(made), "verdict").text
    write_parquet(path, pl.read_parquet(path).with_columns(value=pl.lit(0.0)))
    assert _quantiles(made).lean == "high"


def test_a_place_s_ratio_is_over_what_both_forecast(tmp_path: Path) -> None:
    made = add_quantiles(hub_folder(tmp_path))
    path = made / "peers_quantile.parquet"
    kept = (pl.col("model") != ENSEMBLE) | (pl.col("location") != "56") | (pl.col("reference_date") < DATES[3])
    write_parquet(path, pl.read_parquet(path).filter(kept))
    score(made)
    row = _quantiles(made).by_place(ENSEMBLE)["56"]
    assert row["n"] == 3 * len(RULES.horizons)
    means = []
    for name, seed in ((POOL, 1), (ENSEMBLE, 3)):
        here = quantiles_of(name, seed).filter(pl.col("location") == "56", pl.col("reference_date") < DATES[3])
        values = here["value"].to_numpy().reshape(-1, len(LEVELS))
        weeks = [DATES.index(day) + horizon for day in DATES[:3] for horizon in RULES.horizons]
        observed = np.array([20.0 + 9 + week for week in weeks])  # the counts rise by 1 a week from 20, 9 weeks before
        means.append(wis(values, np.array(LEVELS), observed).mean())
    assert [row["ours"], row["theirs"]] == pytest.approx(means)
    assert row["ratio"] == pytest.approx(means[0] / means[1])


def test_outcomes_below_each_quantile_are_counted(both: Path) -> None:
    found = _quantiles(both)
    own = quantiles_of(POOL, 1).with_columns(
        end=pl.col("reference_date") + pl.duration(weeks=pl.col("horizon")), horizon=pl.col("horizon").cast(pl.Int64)
    )
    counted = pl.read_parquet(both / "counts.parquet").rename({"value": "observed"})
    rows = own.join(counted, left_on=["end", "location"], right_on=["target_end_date", "location"])
    for k in (0, 11, 22):
        at = rows.filter(pl.col("quantile") == LEVELS[k])
        assert at.height == WEEKS * len(PLACES) * len(RULES.horizons)
        assert found.below[POOL][k] == pytest.approx((at["observed"] <= at["value"]).mean())


def test_no_drawn_fan_covers_another(both: Path) -> None:
    fans = _quantiles(both).fans("US")
    assert [fan.reference_date for fan in fans] == [DATES[0], DATES[4], DATES[8]]
    for fan in fans:
        assert [(end - fan.reference_date).days for end in fan.ends] == [0, 7, 14, 21]
    own = quantiles_of(POOL, 1).filter(pl.col("location") == "US", pl.col("reference_date") == DATES[4])
    np.testing.assert_array_equal(fans[1].values, own["value"].to_numpy().reshape(-1, len(LEVELS)))


def test_a_long_season_leaves_the_models_that_figures_compare(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(_quantiles(both).explored) == {POOL, LAST, ENSEMBLE, BASELINE, CURVE}
    monkeypatch.setattr(quantiles, "_CELLS", 1)
    found = _quantiles(both)
    assert found.explored == found.shown == [POOL, ENSEMBLE, CURVE, BASELINE]
