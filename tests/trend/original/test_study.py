"""The reproduced study: every setting runs once, also after an interruption, and the report reads its summary."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from trend.small import NAMES, epidemic
from twofold.counts.load import load_panel
from twofold.counts.panel import Panel
from twofold.engine.errors import DivergedError, InputError
from twofold.engine.run import claim
from twofold.engine.work import ALONE
from twofold.trend.config import StudyConfig
from twofold.trend.original.run import execute_study, make_settings
from twofold.trend.original.study import TRIALS, all_settings, check_study
from twofold.trend.report import original

TINY = StudyConfig(epochs=1, seeds=1, lengths=(7,), starts=(0,))


def with_china() -> Panel:
    """A small epidemic in which China is a region of pure noise, outside C."""
    names = list(NAMES[:9])
    names[7] = "China"
    return replace(epidemic(regions=9, dates=70), regions=tuple(names))


def study(folder: Path, panel: Panel, config: StudyConfig = TINY) -> list[tuple[int, int]]:
    reported: list[tuple[int, int]] = []
    with claim(folder, config, panel.digest(), ["study"]) as run:
        execute_study(panel, "cases.csv", config, run, work=ALONE, progress=lambda *counted: reported.append(counted))
    return reported


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "one"
    study(path, with_china())
    return path


def test_every_setting_has_a_name_of_its_own():
    settings = all_settings(StudyConfig(seeds=2))
    assert len({setting.name for setting in settings}) == len(settings)
    kinds = [setting.tags["kind"] for setting in settings]
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == {
        "grid": 4 * 3 * 2 * 2,
        "temporal": 4 * 3,
        "one-window": 2,
        "china": 2,
        "trial": len(TRIALS),
    }


def test_trials_change_what_they_are_named_after():
    trials = {s.tags["setting"]: s.config for s in all_settings(StudyConfig()) if s.tags["kind"] == "trial"}
    plain = trials["as the original"]
    assert (plain.train.epochs, plain.train.batch_size, plain.model.hidden, plain.model.layers) == (20, 128, 128, 1)
    assert trials["40 epochs"].train.epochs == 40
    assert trials["batch of 32"].train.batch_size == 32
    assert trials["256 hidden units"].model.hidden == 256
    assert trials["3 layers"].model.layers == 3


def test_the_summary_holds_what_was_run(folder):
    found = json.loads((folder / "study.json").read_text())
    assert [(row["cell"], row["layers"]) for row in found["grid"]] == [("rnn", 1), ("rnn", 2), ("lstm", 1), ("gru", 1)]
    for row in found["grid"]:
        assert row["train"] + row["test"] == row["windows"]
        assert len(row["test_accuracy"]) == len(row["majority"]) == 1
        assert len(row["curves"]) == 1
        assert row["temporal"]["brier_skill"][0] is not None
    assert found["screen"]["china"] == "outside C"
    assert found["china"]["with"]["windows"] > found["china"]["without"]["windows"]
    assert found["one_window"]["train"] + found["one_window"]["test"] == found["screen"]["selected"]
    assert [trial["setting"] for trial in found["trials"]] == [name for name, _ in TRIALS]
    assert found["errors"]["layers"] == {"rnn": [1, 2]}
    assert found["errors"]["day_40"]["test_accuracy"] is None  # no network of the tiny grid starts there


def test_an_interrupted_study_runs_only_what_is_missing(folder, tmp_path):
    again = tmp_path / "again"
    reported = study(again, with_china())
    files = {path.name: path.stat().st_mtime_ns for path in (again / "settings").glob("*.json")}
    assert reported[-1] == (len(files), len(files))
    (again / "study.json").unlink()
    lost = next((again / "settings").glob("grid-lstm*.json"))
    lost.unlink()
    study(again, with_china())
    kept = {path.name: path.stat().st_mtime_ns for path in (again / "settings").glob("*.json")}
    assert {name for name in files if kept[name] != files[name]} == {lost.name}
    assert timeless(again) == timeless(folder)


def timeless(folder: Path) -> dict:
    found = json.loads((folder / "study.json").read_text())
    for trial in found["trials"]:
        del trial["seconds"]
    for row in found["grid"]:
        for record in row["curves"]:
            del record["seconds"]
    return found


def test_a_setting_that_diverges_is_named_with_what_a_study_can_change(tmp_path):
    first = all_settings(StudyConfig(epochs=1, seeds=1))[0]
    train = first.config.train.model_copy(update={"learning_rate": 1e38, "clip_norm": 1e30, "jobs": 1})
    broken = replace(first, config=first.config.model_copy(update={"train": train}))
    with pytest.raises(DivergedError, match=rf"{first.name}, rnn-0, stage evaluate\) .*; give another --seed"):
        make_settings(epidemic(), [broken], tmp_path, ALONE, lambda *_: None)
    assert not list(tmp_path.glob("*.json"))


def test_the_report_of_a_real_study_is_written(folder):
    page = original.write(folder).read_text()
    assert "China" in page
    assert "Always answering" in page


def test_data_too_short_for_the_grid_is_refused_before_anything_runs():
    with pytest.raises(InputError, match="needs"):
        check_study(epidemic(dates=45), StudyConfig())


def test_the_grid_holds_the_originals_own_setting():
    with pytest.raises(ValidationError, match="lengths must include 7"):
        StudyConfig(lengths=(3, 14))


@pytest.mark.realdata
def test_the_originals_errors_are_found_on_its_own_table(data_folder, tmp_path):
    panel = load_panel(data_folder / "covid_19.csv", TINY.source)
    study(tmp_path / "real", panel)
    found = json.loads((tmp_path / "real" / "study.json").read_text())
    assert found["screen"] == {
        "selected": 143,
        "regions": 185,
        "china": "outside C",
        "train_days": {"selected": 160, "common": 133, "days": 66},
    }
    assert found["zero"]["share_all_zero"] == pytest.approx(0.477, abs=5e-4)
    assert found["zero"]["share_up_all_zero"] == pytest.approx(0.034, abs=5e-4)
    assert found["zero"]["majority_active"] == pytest.approx(0.54, abs=5e-3)
    assert found["always_not_up"] == pytest.approx(0.744, abs=5e-4)
    assert (found["one_window"]["train"], found["one_window"]["test"]) == (114, 29)
    assert found["errors"]["labels_swapped"] == {"up": 2708, "not_up": 7874}
    assert found["errors"]["length_3_split"] == {"train": 8923, "test": 2231}
