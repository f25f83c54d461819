import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from page.reading import Page, check_whole
from trend.report.showing import study_folder
from twofold.page.numbers import spread
from twofold.trend.report import original
from twofold.trend.report.original import above


@pytest.fixture(scope="module")
def folder(computed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = study_folder(computed, tmp_path_factory.mktemp("study"))
    original.write(made)
    return made


def _page(folder: Path) -> Page:
    return check_whole((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def changed(computed: Path, tmp_path: Path, undrawn: None) -> Callable[..., Page]:
    """Writes the page of a study with a changed study.json, its drawings left empty."""

    def page(change: Callable[[dict[str, Any]], None], simulated: bool = False) -> Page:
        made = study_folder(computed, tmp_path / "study", simulated=simulated)
        study = json.loads((made / "study.json").read_text())
        change(study)
        (made / "study.json").write_text(json.dumps(study))
        original.write(made)
        return _page(made)

    return page


def _row(page: Page, name: str, cells: int) -> list[str]:
    at = page.cells.index(name)
    return page.cells[at : at + cells]


def test_the_page_is_whole(folder: Path) -> None:
    page = _page(folder)
    sections = [named["id"] for tag, named in page.tags if tag == "section"]
    assert (sections[0], sections[-1]) == ("verdict", "meaning")
    assert {"original", "steps", "errors", "map"} <= set(sections)
    assert not [cell for cell in page.cells if "None" in cell or "nan" in cell]
    assert "10439 x 0.8 = 8465 <sic>" in page.text


def test_the_original_stands_beside_ours_and_the_majority(folder: Path) -> None:
    study = json.loads((folder / "study.json").read_text())
    cells = _row(_page(folder), "RNN, L = 7", 9)
    assert cells[1:3] == ["77.2596540/8465", "74.6811581/2117"]
    assert cells[3] == "+0.3"
    assert cells[7] == f"+{spread(above(study['grid'][0]), scale=1.0)}"


def test_what_was_not_run_or_not_reported_is_a_dash(folder: Path) -> None:
    page = _page(folder)
    assert _row(page, "<not in the grid>", 9)[1:] == ["–"] * 8
    assert _row(page, "GRU, L = 7, from day 40", 4)[1:] == ["near 80", "near 80", "–"]


def test_gain_is_measured_seed_by_seed(changed: Callable[..., Page]) -> None:
    row = {"test_accuracy": [0.8, 0.7], "majority": [0.74, 0.72]}
    assert above(row) == pytest.approx([6.0, -2.0])

    def change(study: dict[str, Any]) -> None:
        study["china"]["without"] |= row
        study["china"]["with"] |= {"test_accuracy": [], "majority": []}

    page = changed(change)
    assert _row(page, "without", 5)[4] == "+2.0 ± 5.7"
    assert _row(page, "with", 5)[4] == "–"


def test_windows_of_the_steps_come_from_their_own_row_of_the_grid(changed: Callable[..., Page]) -> None:
    def change(study: dict[str, Any]) -> None:
        for row in study["grid"]:
            row["windows"] = 1000 * row["length"] + row["start"]
            row["positive"] = row["length"]

    page = changed(change)
    assert _row(page, "Windows, L = 7", 3)[2] == "7,000"
    assert _row(page, "Interval, L = 3", 3)[2] == "3,000 windows: 3 up, 2,997 not"
    assert _row(page, "Start, day 40", 3)[2] == "7,040 windows: 7 up, 7,033 not"


def test_without_curves_temporal_runs_or_trials_it_still_stands(changed: Callable[..., Page]) -> None:
    def change(study: dict[str, Any]) -> None:
        study["grid"] = [row | {"curves": [], "temporal": None} for row in study["grid"][:1]]
        study["trials"], study["errors"], study["original"], study["china"] = [], [], [], None

    page = changed(change, simulated=True)
    assert "SIMULATED DATA" in page.text and "None" not in page.text
    assert "networks gain – points, ours – over all seeds" in " ".join(page.text.split())
    assert _row(page, "China", 3)[2].strip() == "not in the data"
    assert _row(page, "Start, day 40", 3)[2] == _row(page, "Hyper-parameters", 3)[2].strip() == "–"
    assert "the first day, at L = 7" not in page.text


def test_other_curves_stand_open_where_the_originals_windows_have_none(
    folder: Path, changed: Callable[..., Page]
) -> None:
    def change(study: dict[str, Any]) -> None:
        for row in study["grid"]:
            if (row["length"], row["start"]) == (7, 0):
                row["curves"] = []

    assert "The other settings" in _page(folder).text
    assert "The other settings" not in changed(change).text
