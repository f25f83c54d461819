import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from page.reading import Page, check_whole
from page.reading import read as read_html
from trend.report.showing import ODD_NAMES, run_folder
from twofold.engine.errors import RunFolderError
from twofold.engine.files import saver
from twofold.page.album import Album
from twofold.page.blocks import Section
from twofold.page.drawing import style
from twofold.trend.report import curve_sections, data_sections, meaning, region_sections, score_sections
from twofold.trend.report import page as report
from twofold.trend.report.evidence import Evidence
from twofold.trend.report.evidence import read as read_evidence

CONTRACT = (
    "scores.json",
    "config.json",
    "metrics.jsonl",
    "predictions.parquet",
    "panel.parquet",
    "arrays.npz",
    "tomorrow.parquet",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = run_folder(tmp_path_factory.mktemp("runs") / "run")
    report.write(made)
    return made


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "small", regions=12, simulated=False)


def _html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def _section(folder: Path, make: Callable[[Evidence, Album], Section]) -> Page:
    with style():
        return read_html(make(read_evidence(folder), Album(saver(folder))).body)


def _text(section: Section) -> str:
    return read_html(section.body).text


def _change(folder: Path, **changes: object) -> None:
    scores = json.loads((folder / "scores.json").read_text())
    (folder / "scores.json").write_text(json.dumps(scores | changes))


def test_the_page_is_whole_and_loads_nothing(folder: Path) -> None:
    check_whole(_html(folder))
    assert len(_html(folder)) < 5_000_000


def test_odd_names_are_shown_as_they_are(folder: Path) -> None:
    page = check_whole(_html(folder))
    for name in ODD_NAMES:
        assert name in page.text
    assert "<script>alert" not in _html(folder)


def test_every_figure_lies_beside_the_page_as_svg_and_png(folder: Path) -> None:
    drawn = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert {
        "heatmap-all",
        "heatmap-clustered",
        "heatmap-first",
        "learning-gru-0",
        "roc-test",
        "importance",
        "region-12",
    } <= drawn
    assert drawn == {path.stem for path in (folder / "figures").glob("*.png")}
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    figures = [named for tag, named in check_whole(_html(folder)).tags if tag == "svg" and named.get("role") == "img"]
    assert len(figures) == len(drawn) + 1
    assert (folder / "map.svg").is_file()


def test_the_same_files_give_the_same_bytes_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    for name in CONTRACT:
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "manifest.json").write_text('{"host": "secret"}')
    report.write(tmp_path)
    for path in [folder / "report.html", folder / "map.svg", *(folder / "figures").iterdir()]:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path.name


def test_simulated_data_says_so_and_real_data_does_not(folder: Path, small: Path) -> None:
    assert "SIMULATED DATA" in check_whole(_html(folder)).text
    assert "SIMULATED DATA" not in _section(small, data_sections.data_section).text


def test_the_verdict_comes_first(folder: Path) -> None:
    page = check_whole(_html(folder))
    assert json.loads((folder / "scores.json").read_text())["verdict"]["sentence"] in page.text
    sections = [named["id"] for tag, named in page.tags if tag == "section"]
    assert sections[0] == "verdict" and sections[-1] == "meaning"


def test_every_null_is_a_dash(small: Path) -> None:
    scores = json.loads((small / "scores.json").read_text())
    scores["test_active"] = dict.fromkeys(scores["test_active"])
    scores["intervals"]["test_active"] = dict.fromkeys(scores["test_active"])
    scores["verdict"] |= {"difference": None, "low": None, "high": None, "best_baseline": None, "significant": False}
    scores["model"]["calibration"] = None
    scores["importance"], scores["screen"]["constant"] = [], []
    (small / "scores.json").write_text(json.dumps(scores))
    report.write(small)
    page = check_whole(_html(small))
    assert not [word for word in ("None", "nan", "null") if word in page.text]
    at = page.cells.index("Ensemble (headline)")
    assert page.cells[at + 1 : at + 10] == ["–"] * 9


def test_the_best_of_a_column_is_marked_by_its_direction(small: Path) -> None:
    scores = json.loads((small / "scores.json").read_text())
    scores["test_active"] |= {"log_score": 0.001, "roc_auc": 0.001}
    (small / "scores.json").write_text(json.dumps(scores))
    page = _section(small, score_sections.models_section)
    at = page.cells.index("Ensemble (headline)")
    assert page.cells[at + 1].startswith("★ 0.001")
    assert page.cells[at + 4].startswith("0.001")


def test_a_model_that_is_the_headline_is_not_listed_twice(small: Path) -> None:
    scores = json.loads((small / "scores.json").read_text())
    scores["models"]["gru"] = {"test": scores["test"], "test_active": scores["test_active"], "intervals": {}}
    (small / "scores.json").write_text(json.dumps(scores))
    page = _section(small, score_sections.models_section)
    assert "GRU" not in page.cells and "LSTM" in page.cells
    assert "the headline's own: GRU." in page.text


def test_a_random_split_is_named_beside_the_verdict(small: Path) -> None:
    split = json.loads((small / "scores.json").read_text())["split"]
    assert "leaks" not in _text(meaning.verdict_section(read_evidence(small)))
    _change(small, split=split | {"kind": "random", "leaks": split["leaks"] | {"ahead": 7}})
    assert "The split is random and leaks" in _text(meaning.verdict_section(read_evidence(small)))
    assert "first tested origin" in _text(data_sections.split_section(read_evidence(small)))


def test_windows_of_one_label_draw_no_curve(small: Path) -> None:
    frame = pl.read_parquet(small / "predictions.parquet").with_columns(label=pl.lit(False))
    frame.write_parquet(small / "predictions.parquet")
    assert "the same label" in _section(small, curve_sections.discrimination_section).text
    assert not (small / "figures" / "roc-test.svg").exists()


def test_data_without_any_country_has_a_list_in_place_of_a_map(small: Path) -> None:
    frame = pl.read_parquet(small / "tomorrow.parquet").with_columns(iso2=pl.lit(None, pl.String))
    frame.write_parquet(small / "tomorrow.parquet")
    page = _section(small, region_sections.map_section)
    assert f"{len(frame)} places that the map can't show" in page.text
    assert "svg" not in [tag for tag, _ in page.tags]


def test_weekly_data_is_told_in_weeks(tmp_path: Path) -> None:
    weekly = run_folder(tmp_path / "weekly", regions=12, step=7)
    assert "one a week" in _section(weekly, data_sections.data_section).text
    assert "Mondays" not in _text(meaning.meaning_section(read_evidence(weekly)))
    daily = run_folder(tmp_path / "daily", regions=12)
    assert "days" in _text(meaning.meaning_section(read_evidence(daily)))


@pytest.mark.parametrize("kind", ["random", "regions", "both"])
def test_each_split_has_its_own_warning(small: Path, kind: str) -> None:
    split = json.loads((small / "scores.json").read_text())["split"]
    _change(small, split=split | {"kind": kind})
    text = _text(meaning.meaning_section(read_evidence(small)))
    assert ("flatter and say little" in text) == (kind == "random")


def test_a_missing_file_is_named(small: Path) -> None:
    (small / "arrays.npz").unlink()
    with pytest.raises(RunFolderError, match=r"arrays\.npz is missing"):
        report.write(small)
