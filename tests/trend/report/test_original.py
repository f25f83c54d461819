import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from page.reading import Page, check_whole, words_of_days
from trend.report.showing import study_folder
from twofold.engine.files import write_text
from twofold.page.numbers import spread
from twofold.trend.report import original
from twofold.trend.report.original import OriginalView, above

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def folder(computed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = study_folder(computed, tmp_path_factory.mktemp("study"))
    original.write(made)
    return made


def _study(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "study.json").read_text())


def _page(folder: Path) -> Page:
    return check_whole((folder / "report.html").read_text(encoding="utf-8"))


def _changed(folder: Path, tmp_path: Path, **changes: Any) -> Page:
    for name in ("arrays.npz", "tomorrow.parquet"):
        shutil.copy(folder / name, tmp_path)
    write_text(tmp_path / "study.json", json.dumps(_study(folder) | changes))
    original.write(tmp_path)
    return _page(tmp_path)


def _row(page: Page, name: str, cells: int) -> list[str]:
    at = page.cells.index(name)
    return [" ".join(cell.split()) for cell in page.cells[at : at + cells]]


def test_the_page_is_whole(folder: Path) -> None:
    page = _page(folder)
    sections = [named["id"] for tag, named in page.tags if tag == "section"]
    assert (sections[0], sections[-1]) == ("verdict", "meaning")
    assert {"original", "steps", "errors", "map"} <= set(sections)
    assert not [cell for cell in page.cells if "None" in cell or "nan" in cell]
    assert _row(page, "10439 x 0.8 = 8465", 3)[1:] == ["It is 10,582 x 0.8.", "8,465 train, 2,117 test"]
    assert _row(page, "From day 40 on near 80 %", 3)[2] == "– in the test, 4,862 windows, 2,221 up"


def test_the_original_is_compared_with_ours_and_the_majority(folder: Path) -> None:
    cells = _row(_page(folder), "RNN, L = 7", 9)
    assert cells[1:3] == ["77.2596540/8465", "74.6811581/2117"]
    assert cells[3] == "+0.3"
    assert cells[7] == f"+{spread(above(_study(folder)['grid'][0]), scale=1.0)}"


def test_what_was_not_run_or_not_reported_is_a_dash(folder: Path) -> None:
    page = _page(folder)
    assert _row(page, "LSTM, 2 layers, L = 14", 9)[1:] == ["–"] * 8
    assert _row(page, "GRU, L = 7, from day 40", 4)[1:] == ["near 80", "near 80", "–"]


def test_gain_is_measured_seed_by_seed(folder: Path, tmp_path: Path) -> None:
    row = {"test_accuracy": [0.8, 0.7], "majority": [0.74, 0.72]}
    assert above(row) == pytest.approx([6.0, -2.0])
    china = _study(folder)["china"]
    china["without"] |= row
    china["with"] |= {"test_accuracy": [], "majority": []}
    page = _changed(folder, tmp_path, china=china)
    assert _row(page, "without", 5)[4] == "+2.0 ± 5.7"
    assert _row(page, "with", 5)[4] == "–"


def test_windows_of_the_steps_come_from_their_own_row_of_the_grid(folder: Path, tmp_path: Path) -> None:
    grid = [
        row | {"windows": 1000 * row["length"] + row["start"], "positive": row["length"]}
        for row in _study(folder)["grid"]
    ]
    page = _changed(folder, tmp_path, grid=grid)
    assert _row(page, "Windows, L = 7", 3)[2] == "7,000"
    assert _row(page, "Interval, L = 3", 3)[2] == "3,000 windows: 3 up, 2,997 not"
    assert _row(page, "Start, day 40", 3)[2] == "7,040 windows: 7 up, 7,033 not"


def test_without_curves_temporal_runs_or_trials_it_still_stands(folder: Path, tmp_path: Path) -> None:
    grid = [row | {"curves": [], "temporal": None} for row in _study(folder)["grid"][:1]]
    page = _changed(folder, tmp_path, simulated=True, grid=grid, trials=[], original=[], china=None)
    assert "SIMULATED DATA" in page.text and "None" not in page.text
    assert "networks gain – points, ours – over all seeds" in " ".join(page.text.split())
    assert _row(page, "China", 3)[2] == "not in the data"
    assert _row(page, "Start, day 40", 3)[2] == _row(page, "Hyperparameters", 3)[2] == "–"


def test_only_what_varies_is_drawn(folder: Path) -> None:
    study = _study(folder)
    by_start = OriginalView(study).effect("start", "test_auc")
    assert by_start == {"GRU": [(0, [0.85, 0.86, 0.84]), (40, [0.85, 0.86])]}
    assert OriginalView(study | {"grid": study["grid"][:3]}).effect("start", "test_auc") == {}


def test_the_curves_of_the_originals_own_windows_stand_open(folder: Path) -> None:
    study = _study(folder)
    shown, others = OriginalView(study).curves
    assert {(row["length"], row["start"]) for row in shown.values()} == {(7, 0)} and others
    grid = [row for row in study["grid"] if (row["length"], row["start"]) != (7, 0)]
    shown, none = OriginalView(study | {"grid": grid}).curves
    assert list(shown.values()) == list(others.values()) and not none


def test_a_weekly_study_speaks_of_days_only_where_the_original_does(folder: Path, tmp_path: Path) -> None:
    page = _changed(folder, tmp_path, data=_study(folder)["data"] | {"step_days": 7})
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "GRU, L = 7, from week 40" in page.cells and "C was chosen on all weeks" in page.text
    assert "counts are daily; here each is of a week" in " ".join(page.text.split())
    words = (
        "are daily;",
        "Start, day 40",
        "The day after is",
        "last day, not",
        "C chosen on all days",
        "From day 40 on",
    )
    for quoted in words:
        assert html.count(quoted) == 1
        html = html.replace(quoted, "")
    assert words_of_days(html) == []
