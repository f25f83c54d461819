import json
from pathlib import Path

import pytest

from page.reading import Page, check_whole
from page.reading import read as read_html
from trend.report.showing import study_folder
from twofold.trend.report import page as report
from twofold.trend.report import study_sections
from twofold.trend.report.original_rows import above, gain


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = study_folder(tmp_path_factory.mktemp("study"))
    report.write_study(made)
    return made


def _page(folder: Path) -> Page:
    return check_whole((folder / "report.html").read_text(encoding="utf-8"))


def _row(page: Page, name: str, cells: int) -> list[str]:
    at = page.cells.index(name)
    return page.cells[at : at + cells]


def test_the_page_is_whole(folder: Path) -> None:
    page = _page(folder)
    sections = [named["id"] for tag, named in page.tags if tag == "section"]
    assert (
        sections[0] == "verdict"
        and sections[-1] == "meaning"
        and {"original", "steps", "errors", "map"} <= set(sections)
    )
    assert not [cell for cell in page.cells if "None" in cell or "nan" in cell]
    assert "10439 x 0.8 = 8465 <sic>" in page.text


def test_the_original_stands_beside_ours_and_the_majority(folder: Path) -> None:
    study = json.loads((folder / "study.json").read_text())
    cells = _row(_page(folder), "RNN, L = 7", 9)
    assert cells[1:3] == ["77.2596540/8465", "74.6811581/2117"]
    assert cells[3] == "+0.3"
    assert cells[7] == gain(study["grid"][0])


def test_what_was_not_run_or_not_reported_is_a_dash(folder: Path) -> None:
    page = _page(folder)
    assert _row(page, "<not in the grid>", 9)[1:] == ["–"] * 8
    assert _row(page, "GRU, L = 7, from day 40", 4)[1:] == ["near 80", "near 80", "–"]


def test_gain_is_measured_seed_by_seed() -> None:
    row = {"test_accuracy": [0.8, 0.7], "majority": [0.74, 0.72]}
    assert above(row) == pytest.approx([6.0, -2.0])
    assert gain(row) == "+2.0 ± 5.7"
    assert gain({"test_accuracy": [], "majority": []}) == "–"


def test_windows_of_the_steps_come_from_their_own_row_of_the_grid(folder: Path) -> None:
    study = json.loads((folder / "study.json").read_text())
    for row in study["grid"]:
        row["windows"] = 1000 * row["length"] + row["start"]
        row["positive"] = row["length"]
    page = read_html(study_sections.steps_section(study).body)
    assert _row(page, "Windows, L = 7", 3)[2] == "7,000"
    assert _row(page, "Interval, L = 3", 3)[2] == "3,000 windows: 3 up, 2,997 not"
    assert _row(page, "Start, day 40", 3)[2] == "7,040 windows: 7 up, 7,033 not"


def test_without_curves_temporal_runs_or_trials_it_still_stands(tmp_path: Path) -> None:
    made = study_folder(tmp_path, simulated=True)
    study = json.loads((made / "study.json").read_text())
    study["grid"] = [row | {"curves": [], "temporal": None} for row in study["grid"][:1]]
    study["trials"], study["errors"], study["original"], study["china"] = [], [], [], None
    (made / "study.json").write_text(json.dumps(study))
    report.write_study(made)
    page = _page(made)
    assert "SIMULATED DATA" in page.text and "None" not in page.text
