"""The page of a study: best beside given, every state, what mattered or why it isn't told."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from page.reading import read
from tune.toy import Group, Toy, tuned
from twofold.engine.files import write_json
from twofold.tune.report import figures, page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tune") / "a"
    tuned(path, {"events": {2: "diverge", 3: "refuse"}}, trials=12)
    page.write(path)
    return path


def shown(folder: Path) -> str:
    return " ".join(read((folder / "report.html").read_text()).text.split())


def test_the_page_tells_best_beside_given_and_each_state(folder: Path) -> None:
    found, text = json.loads((folder / "tune.json").read_text()), shown(folder)
    best = found["best"]
    assert f"Trial {best['number']} costs {best['value']:.4g}"[:20] in text
    assert "less than the settings given (0.5500)" in text
    assert "twofold vae run --config best.json" in text
    assert "Diverged1" in text.replace(" ", "") and "Notpossible1" in text.replace(" ", "")
    assert "diverged: the loss became nan at epoch 1" in text and "not possible: too few data" in text
    assert "Importances are told from 20 finished trials" in text
    assert "<svg" in (folder / "report.html").read_text()


def test_the_same_folder_gives_the_same_page(folder: Path) -> None:
    before = (folder / "report.html").read_bytes()
    page.write(folder)
    assert (folder / "report.html").read_bytes() == before


@pytest.mark.parametrize("case", ["nothing gained", "no figure of the given", "importances", "many"])
def test_other_outcomes_have_their_words(case: str, folder: Path, tmp_path: Path) -> None:
    found = json.loads((folder / "tune.json").read_text())
    if case == "nothing gained":
        found["best"] = found["default"]
    if case == "no figure of the given":
        found["default"] = found["default"] | {"value": None, "state": "diverged"}
    if case == "importances":
        found["importance"] = {"group.rate": 0.75, "group.kind": 0.25}
    if case == "many":
        found["trials"] = [*found["trials"], *([found["trials"][1]] * page.LISTED)]
    write_json(tmp_path / "tune.json", found)
    page.write(tmp_path)
    expected = {
        "nothing gained": "No trial was better than the settings given",
        "no figure of the given": "The settings given have no figure",
        "importances": "PED-ANOVA",
        "many": "12 trials more in tune.json",
    }[case]
    assert expected in shown(tmp_path)


def test_a_single_trial_has_a_page(tmp_path: Path) -> None:
    tuned(tmp_path / "a", trials=1, base=Toy(group=Group(kind="square")))
    page.write(tmp_path / "a")
    assert re.search("No trial was better", shown(tmp_path / "a"))


def test_the_axis_ends_where_most_trials_are() -> None:
    values: list[Any] = [1.0, 1.1, 1.2, 1.3, 50.0]
    assert figures.top_of(values, 1.2) == pytest.approx(1.8)
    assert figures.top_of(values, 3.0) == 3.0, "the settings given are on it"
    assert figures.top_of([1.0], None) == 1.0
