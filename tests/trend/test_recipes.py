"""Recipes: every one is whole and found by its name; the original's give its counts on its own table."""

import re

import numpy as np
import pytest

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Panel
from twofold.engine.errors import InputError
from twofold.trend.config import TrendConfig
from twofold.trend.recipes import RECIPES, recipe, walk_recipe
from twofold.trend.windows import Prepared, prepare

ORIGINALS = [name for name in RECIPES if re.fullmatch(r"original-(rnn|rnn2|lstm|gru)-l(3|7|14)(-day40)?", name)]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_knows_its_name_and_survives_json(name):
    config = recipe(name)
    assert config.recipe == name
    assert TrendConfig.from_json(config.to_json(), "test") == config


def test_no_two_recipes_are_the_same():
    digests = {recipe(name).model_copy(update={"recipe": ""}).digest() for name in RECIPES}
    assert len(digests) == len(RECIPES)


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(InputError, match=r"--recipe nonsense: no such recipe; there are .*default.*original-gru-l7"):
        recipe("nonsense")


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_originals_settings_are_those_that_the_study_states(name):
    config = recipe(name)
    assert config.screen.days == "all"
    assert config.screen.threshold == 0.7
    assert config.window.target == "next_day"
    assert (config.window.horizon, config.window.stride) == (1, 1)
    assert config.split.kind == "random"
    assert config.split.test_fraction == 0.2
    assert config.split.validation_fraction == config.split.calibration_fraction == 0
    assert config.features.inputs == ("log1p",)
    assert config.model.hidden == 128
    assert config.train.batch_size == 128
    assert config.ensemble.seeds == 1
    assert config.ensemble.partners == ()


def test_the_originals_networks_lengths_and_starts_are_all_there():
    found = {(c.model.cell, c.model.layers, c.window.length, c.window.start) for c in map(recipe, ORIGINALS)}
    networks = [("rnn", 1), ("rnn", 2), ("lstm", 1), ("gru", 1)]
    assert {(*net, length, start) for net in networks for length in (3, 7, 14) for start in (0, 40)} <= found


def test_the_default_recipe_holds_out_the_last_days_and_calibrates():
    config = recipe("default")
    assert config.split.kind == "temporal"
    assert config.screen.days == "train"
    assert config.window.target == "next_day"
    assert config.window.length == 14
    assert config.split.calibration_fraction > 0


@pytest.mark.parametrize("name", ["weekly", "weekly-seasonal"])
def test_a_weekly_recipe_sums_days_and_agrees_with_its_walk(name):
    config, walk = recipe(name), walk_recipe(name.replace("weekly", "walk-next-week"))
    assert config.source.weekly and config.window.target == "next_day" and config.split.kind == "temporal"
    shared = ("source", "window", "features", "model", "train", "score")
    assert [getattr(config, each) for each in shared] == [getattr(walk, each) for each in shared]
    assert ("season" in config.features.inputs) == (name == "weekly-seasonal")
    assert walk.walk.memory is None


@pytest.fixture
def panel(data_folder) -> Panel:
    return load_panel(data_folder / "covid_19.csv", SourceConfig())


def counts(prepared: Prepared) -> tuple[int, int, int, int]:
    split = prepared.split
    return len(prepared.windows), int(prepared.windows.up.sum()), len(split.train), len(split.test)


def with_window(config: TrendConfig, **window) -> TrendConfig:
    return config.model_copy(update={"window": config.window.model_copy(update=window)})


@pytest.mark.realdata
def test_the_originals_143_countries_without_china(panel):
    prepared = prepare(panel, recipe("original-gru-l7"))
    assert (len(panel.regions), len(panel.dates)) == (185, 82)
    assert (str(panel.dates[0]), str(panel.dates[-1])) == ("2020-01-22", "2020-04-12")
    assert prepared.screen.selected.sum() == 143
    names = {name for name, chosen in zip(panel.regions, prepared.screen.selected, strict=True) if chosen}
    assert "China" not in names
    assert {"Italy", "US", "Spain"} <= names


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "windows", "up"),
    [
        ("original-gru-l7", 10582, 2708),
        ("original-gru-l3", 11154, 2727),
        ("original-gru-l14", 9581, 2675),
        ("original-gru-l7-day40", 4862, 2221),
    ],
)
def test_the_originals_counts(panel, name, windows, up):
    train = int(0.8 * windows)
    for config in (recipe(name), recipe(name.replace("gru", "lstm"))):
        assert counts(prepare(panel, config)) == (windows, up, train, windows - train)


@pytest.mark.realdata
def test_one_window_a_country(panel):
    config = with_window(recipe("original-gru-l7"), per_region="last")
    prepared = prepare(panel, config)
    windows, up, train, test = counts(prepared)
    assert (windows, train, test) == (143, 114, 29)
    assert set(prepared.windows.origin) == {79}  # its last 8 days: seven are seen, the eighth is the target
    increments = np.diff(panel.values, axis=1)[prepared.screen.selected]
    assert up == (increments[:, -1] > increments[:, -2]).sum()


@pytest.mark.realdata
def test_nearly_half_of_the_windows_are_all_zero_and_say_little(panel):
    windows = prepare(panel, recipe("original-gru-l7")).windows
    assert (~windows.active).mean() == pytest.approx(0.477, abs=5e-4)
    assert windows.up[~windows.active].mean() == pytest.approx(0.034, abs=5e-4)
    assert 1 - windows.up[windows.active].mean() == pytest.approx(0.54, abs=5e-3)
    assert 1 - windows.up.mean() == pytest.approx(0.744, abs=5e-4)  # always answering "not up"
