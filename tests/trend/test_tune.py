"""Tuning of the trend study: no date of the test, figures on the same windows, a config that runs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trend.small import epidemic, quick, silent
from tune.points import drawn
from twofold.cli import main
from twofold.counts.load import load_panel
from twofold.engine.errors import InputError
from twofold.engine.flags import starting_config
from twofold.trend.config import TrendConfig
from twofold.trend.recipes import recipe
from twofold.trend.tune import Material, material, objective, space
from twofold.trend.windows import prepare, slide
from twofold.tune.space import around

FLAGS = [
    *("--source.kind", "cumulative", "--window.length", "5", "--model.hidden", "3", "--score.bootstrap", "20"),
    *("--ensemble.seeds", "1", "--ensemble.partners", "logistic", "--train.epochs", "1"),
]
WORDS = ["trend", "tune", *FLAGS, "--jobs", "1", "--budget", "10m", "--trials", "3"]


def tuned(table: Path, out: Path) -> dict[str, Any]:
    assert main([*WORDS, "--data", str(table), "--out", str(out)]) == 0
    return json.loads((out / "tune.json").read_text())


def test_validation_windows_are_those_of_a_run() -> None:
    panel, config = epidemic(dates=80), quick(window={"length": 6})
    held, prepared = material(panel, config), prepare(panel, config)
    origins = prepared.windows.origin
    assert held.validation.tolist() == np.unique(origins[prepared.split.validation]).tolist()
    assert held.selected.tolist() == prepared.screen.selected.tolist()
    assert len(held.increments.dates) == origins[prepared.split.test].min() + 1


@settings(max_examples=40)
@given(st.data())
def test_every_point_of_the_space_is_a_valid_config_with_the_same_validation_windows(data: st.DataObject) -> None:
    length = data.draw(st.integers(2, 20))
    base = recipe(data.draw(st.sampled_from(["default", "original-gru-l7"])))
    base = base.model_copy(update={"window": base.window.model_copy(update={"length": length}),
                                   "split": quick().split})  # fmt: skip
    held = material(epidemic(dates=80), base)
    knobs, fixed = around(space(base, held), base)
    assert fixed == []

    config = drawn(data, knobs, base)

    def pairs(of: TrendConfig) -> set[tuple[int, int]]:
        windows = slide(held.increments, held.selected, of.window)
        rows = np.flatnonzero(np.isin(windows.origin, held.validation))
        assert (windows.origin + windows.lookahead <= held.validation.min()).any(), "training windows are left"
        return set(zip(windows.region[rows].tolist(), windows.origin[rows].tolist(), strict=True))

    assert pairs(config) == pairs(base)


def test_the_dates_of_the_test_change_no_trial(tmp_path: Path) -> None:
    panel = epidemic()
    config = TrendConfig.model_validate({"source": {"kind": "cumulative"}, "window": {"length": 5}})
    first = int(np.searchsorted(panel.dates, material(panel, config).increments.dates[-1])) + 1
    values = panel.values.copy()
    values[:, first:] = values[:, first - 1 : first] + np.arange(1, values.shape[1] - first + 1) ** 2
    for name, each in (("before", panel), ("after", replace(panel, values=values))):
        each.frame().select("region", "date", "value").write_csv(tmp_path / f"{name}.csv")
    before, after = (tuned(tmp_path / f"{name}.csv", tmp_path / name) for name in ("before", "after"))
    assert before["data"]["digest"] != after["data"]["digest"]
    assert [(each["value"], each["values"]) for each in before["trials"]] == [
        (each["value"], each["values"]) for each in after["trials"]
    ]
    assert (tmp_path / "before" / "best.json").read_bytes() == (tmp_path / "after" / "best.json").read_bytes()


def test_the_best_config_gives_its_figure_again_and_a_config_of_another_study_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "cases.csv"
    epidemic().frame().select("region", "date", "value").write_csv(table)
    found = tuned(table, tmp_path / "tune")
    assert len(found["trials"]) == 3 and found["best"]["value"] <= found["default"]["value"]
    best = tmp_path / "tune" / "best.json"
    assert f"twofold trend run --data {table} --config {best}" in capsys.readouterr().out
    config = starting_config(["--config", str(best)], recipe, "trend run")
    assert json.loads(config.to_json()) == json.loads(best.read_text())
    panel = load_panel(table, config.source)
    assert objective(material(panel, config), config, silent)[0] == found["best"]["value"]
    assert main(["vae", "run", "--config", str(best), "--out", str(tmp_path / "other")]) == 2
    assert f"{best}: source, screen, window" in capsys.readouterr().err
    assert main(["runs", "list", str(tmp_path / "tune"), "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert listed["kind"] == "trend tune" and listed["headline"]["value"] == found["best"]["value"]


def test_the_figure_is_that_of_active_windows_where_there_are_such() -> None:
    held = material(epidemic(), quick())
    value, config = objective(held, quick(), silent)
    assert config == quick() and 0.0 < value < 5.0
    quiet = replace(held.increments, counts=np.zeros_like(held.increments.counts))
    assert objective(Material(quiet, held.selected, held.validation, held.length), quick(), silent)[0] < value


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"split": {"kind": "random"}}, "--split.kind random"),
        ({"split": {"validation_fraction": 0.0}}, "--split.validation-fraction 0"),
        ({"window": {"length": 46}}, "window"),
    ],
    ids=str,
)
def test_what_can_not_be_tuned_is_refused(groups: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        material(epidemic(), quick(**groups))
