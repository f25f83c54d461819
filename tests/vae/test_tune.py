"""Tuning of the autoencoder: valid configs, no test image, a config that gives the figure again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tune.points import drawn
from twofold.cli import main
from twofold.engine.errors import InputError
from twofold.tune.space import around
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import split_of
from twofold.vae.recipes import recipe
from twofold.vae.tune import Material, objective, space
from vae.small import discs, folder_of, images_of, silent, tiny
from vae.test_commands import FLAGS

WORDS = ["vae", "tune", *FLAGS, "--jobs", "1", "--budget", "10m"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOFOLD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three trials, made through the command line."""
    root = tmp_path_factory.mktemp("tuned")
    folder_of(discs(60), root / "discs")
    assert main([*WORDS, "--trials", "3", "--images", str(root / "discs"), "--out", str(root / "tune")]) == 0
    return root / "tune"


@settings(max_examples=60)
@given(st.data())
def test_every_point_of_the_space_is_a_valid_config(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["default", "plain"]))
    size = data.draw(st.integers(8, 64))
    base = recipe(name)
    try:
        base = VaeConfig.model_validate(base.model_dump() | {"image": {"size": size}})
    except ValidationError:
        return
    knobs, fixed = around(space(base), base)
    assert fixed == []

    config = drawn(data, knobs, base)
    assert type(config).model_validate_json(config.to_json()).train == config.train


@pytest.mark.parametrize(
    "groups",
    [{"objective": {"beta": 4.0}}, {"objective": {"name": "beta_tc"}}, {"likelihood": {"name": "bernoulli"}}],
    ids=str,
)
def test_figures_that_compare_with_no_other_are_refused(groups: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        space(tiny(**groups))


def test_the_folder_holds_trials_page_and_a_config_that_runs(
    tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads((tuned / "tune.json").read_text())
    assert len(found["trials"]) == 3 and found["best"]["value"] <= found["default"]["value"]
    images = tuned.parent / "discs"
    words = ["--config", str(tuned / "best.json"), "--out", str(tmp_path / "r"), "--device", "cpu"]
    assert main(["vae", "run", "--images", str(images), *words]) == 0
    scores = json.loads((tmp_path / "r" / "scores.json").read_text())
    assert scores["validation"]["bits_per_dim"] == pytest.approx(found["best"]["value"], rel=1e-5)
    capsys.readouterr()
    words = ["--trials", "3", "--images", str(images), "--out", str(tuned)]
    assert main([*WORDS, *words]) == 0
    shown = capsys.readouterr()
    assert "holds this very tune, finished" in " ".join(shown.err.split())
    assert f"twofold vae run --images {images} --config {tuned / 'best.json'}" in shown.out
    assert main(["runs", "list", str(tuned), "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert listed["kind"] == "vae tune" and listed["headline"]["value"] == found["best"]["value"]
    assert main(["runs", "show", str(tuned)]) == 0
    assert main(["runs", "check", str(tuned)]) == 0
    assert main([*WORDS[:-1], "5m", *words]) == 2, "only a larger budget goes on"


def test_a_changed_test_image_changes_no_trial(tuned: Path, tmp_path: Path) -> None:
    """Other pixels in the images of the test set, which stay there, and one image fewer of it."""
    pictures = discs(60)
    config = VaeConfig.model_validate_json(json.dumps(json.loads((tuned / "config.json").read_text())["vae"]))
    test = split_of(images_of(pictures, tmp_path / "before"), config.split).test
    changed = np.delete(pictures, test[0], axis=0)
    seed = 1
    for row in test[1:]:
        at = row - (row > test[0])
        while True:  # a hash of the pixels decides on the part
            changed[at] = discs(1, seed=seed)[0]
            seed += 1
            if at in split_of(images_of(changed, tmp_path / f"try-{seed}"), config.split).test:
                break
    folder_of(changed, tmp_path / "discs")
    words = ["--trials", "3", "--images", str(tmp_path / "discs"), "--out", str(tmp_path / "tune")]
    assert main([*WORDS, *words]) == 0
    before, after = (json.loads((folder / "tune.json").read_text()) for folder in (tuned, tmp_path / "tune"))
    assert before["data"]["digest"] != after["data"]["digest"]
    told = [[(each["value"], each["values"], each["course"]) for each in found["trials"]] for found in (before, after)]
    assert told[0] == told[1]
    assert (tuned / "best.json").read_bytes() == (tmp_path / "tune" / "best.json").read_bytes()


def test_a_share_of_the_time_becomes_a_number_of_images_which_gives_the_figure_again(tmp_path: Path) -> None:
    images, base = images_of(discs(60), tmp_path), tiny()
    split, told = split_of(images, base.split), []
    value, config = objective(Material(images, split, 2.0), base, lambda *each: told.append(each))
    assert isinstance(config, VaeConfig) and config.train.images >= config.train.batch_size
    assert 0.0 < told[-1][0] <= 1.0 and told[-1][1] == pytest.approx(value, rel=0.5)
    assert objective(Material(images, split, 0.0), config, silent) == (value, config)
    _, least = objective(Material(images, split, 1e-9), base, silent)
    assert isinstance(least, VaeConfig) and least.train.images == least.train.batch_size < config.train.images


def test_the_choice_of_a_start_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = images_of(discs(40), tmp_path)
    base = tiny(
        model={"network": "linear"},
        likelihood={"name": "multiscale", "width": 4, "depth": 0},
        train={"epochs": 0, "images": 16},
    )
    material = Material(images, split_of(images, base.split), 0.0)
    first = objective(material, base, silent)
    monkeypatch.delattr("twofold.vae.start._choose")
    assert objective(material, base, silent) == first


BAD = {
    "{": "is no JSON",
    "[]": "must hold settings by their names",
    '{"screen": {}, "window": {}}': "screen, window: no setting of `twofold vae run`",
    '{"train": {"rate": 3}}': "train.rate: Extra inputs are not permitted, got 3",
    '{"train": {"ema": 2}}': "train.ema: ",
    '{"recipe": "none"}': "recipe: ",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_config_is_refused_by_file_and_key(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "best.json"
    path.write_text(text)
    assert main(["vae", "run", "--config", str(path), "--out", str(tmp_path / "run")]) == 2
    shown = capsys.readouterr().err
    assert f"{path}: {BAD[text]}" in shown and not (tmp_path / "run").exists()


def test_options_override_a_file_that_need_not_hold_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.json"
    path.write_text('{"recipe": "plain", "model": {"width": 7}, "train": {"ema": 0.5}}')
    assert main(["vae", "run", "--config", str(path), "--recipe", "plain"]) == 2
    assert "give one of them" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["vae", "run", "--config", str(path), "--train.ema", "0.25", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Channels of a patch, doubled by each stage (plain). (default: 7)" in shown
    assert "(default: gaussian)" in shown, "of the recipe that the file names"
