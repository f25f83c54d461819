import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from threadpoolctl import threadpool_limits

from page.reading import Page, check_whole, words_of_days
from trend.small import epidemic
from trend.walk.small import quick_walk, walked
from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_text
from twofold.trend.report import walk as backtest_report
from twofold.trend.report import wording


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("walk") / "run"
    with threadpool_limits(1):
        walked(epidemic(), quick_walk(), out)
    backtest_report.write(out)
    return out


@pytest.fixture(scope="module")
def weekly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Four weeks, in blocks of three: too few for an interval."""
    out = tmp_path_factory.mktemp("walk") / "weekly"
    with threadpool_limits(1):
        walked(epidemic(step=7), quick_walk(recipe="walk-next-week", score={"block_days": 3}), out)
    backtest_report.write(out)
    return out


def page(folder: Path) -> Page:
    return check_whole((folder / "report.html").read_text(encoding="utf-8"))


def changed(folder: Path, tmp_path: Path, **changes: Any) -> Page:
    for name in ("scores.json", "config.json", "predictions.parquet"):
        shutil.copy(folder / name, tmp_path)
    found = json.loads((folder / "scores.json").read_text())
    write_text(tmp_path / "scores.json", json.dumps(found | changes))
    backtest_report.write(tmp_path)
    return page(tmp_path)


def test_the_page_is_whole_and_says_the_same_twice(folder: Path) -> None:
    first = (folder / "report.html").read_bytes()
    backtest_report.write(folder)
    assert (folder / "report.html").read_bytes() == first
    found = page(folder)
    assert not [cell for cell in found.cells if "None" in cell or "nan" in cell]
    anchors = [named["id"] for tag, named in found.tags if tag == "section"]
    assert anchors == ["forecast", "verdict", "models", "comparisons", "origins", "reliability", "meaning", "known"]


def test_models_stand_in_the_order_of_their_log_score(folder: Path) -> None:
    found = json.loads((folder / "scores.json").read_text())
    cells = page(folder).cells
    name, best = min(found["models"].items(), key=lambda item: item[1]["active"]["log_score"])
    at = cells.index(f"1. {wording.model(name)}")
    assert cells[at + 1].startswith(f"{best['active']['log_score']:.3f}[")


def test_origins_that_were_skipped_are_named(folder: Path, tmp_path: Path) -> None:
    assert "No origin was skipped." in page(folder).text
    gone = [{"origin": "2020-02-29", "reason": "no region passes <the screen>"}]
    assert "Origin 2020-02-29: no region passes <the screen>." in changed(folder, tmp_path, skipped=gone).text


def test_simulated_data_is_named_first(folder: Path, tmp_path: Path) -> None:
    assert "SIMULATED DATA" in changed(folder, tmp_path, simulated=True).text
    assert "SIMULATED DATA" not in page(folder).text


def test_a_weekly_page_says_nothing_of_days(folder: Path, weekly: Path) -> None:
    assert words_of_days((weekly / "report.html").read_text()) == []
    assert words_of_days((folder / "report.html").read_text())
    assert "the next week's count is above the last week's" in page(weekly).text


def test_from_too_few_dates_no_interval_is_promised_and_nothing_is_claimed(folder: Path, weekly: Path) -> None:
    text = page(weekly).text.partition("Settings of this")[0]
    assert (
        "over blocks of 3 weeks needs two of them, 6 weeks, and here only 4 weeks were scored. So nothing is claimed"
        in text
    )
    assert "ntervals" not in text.replace("There are no intervals", "") and "significant" not in text
    cells = page(weekly).cells
    best = next(cell for cell in cells if cell.startswith("1. "))
    assert cells[cells.index(best) + 1].endswith("–")
    few = page(folder).text.partition("Settings of this")[0]
    assert "only 4 days were scored they are too narrow" in few and "needs four blocks, 8 days" in few
    assert "with 90\xa0% intervals" in few and "significant" not in few


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"scores\.json is missing"):
        backtest_report.write(tmp_path)


def test_the_explorer_holds_the_forecasts_of_the_table(folder: Path) -> None:
    html = (folder / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="explorer-data">(.*?)</script>', html, re.S)
    assert found is not None
    data, rows = json.loads(found[1]), pl.read_parquet(folder / "predictions.parquet")
    given = {(row["region"], str(row["target_date"])): row for row in rows.to_dicts()}
    assert data["ahead"] is None and data["targets"] == sorted({date for _, date in given})
    assert data["models"][0]["name"] == "Pool"
    for place, shown in enumerate(data["places"]):
        for at, target in enumerate(data["targets"]):
            row = given.get((shown["name"], target))
            assert data["models"][0]["p"][place][at] == (row and round(100 * row["p_pool"]))
            assert data["rose"][place][at] == (row and int(row["label"]))
    assert len(html) < 3_000_000


def test_a_folder_without_counts_has_a_page_without_map_and_table(folder: Path, tmp_path: Path) -> None:
    assert 'id="explorer"' in (folder / "report.html").read_text()
    assert "How far to trust" in changed(folder, tmp_path).text
    html = (tmp_path / "report.html").read_text()
    assert 'id="explorer"' not in html and "<script" not in html
