"""A saved model: the same forecasts after a round trip, refused where it is damaged or would look ahead."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from hub.season_small import ALL_HEADS, CONFIG, DAYS, FIRST, OTHER_CUTS, RULES, head, replay
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.sound import JOURNAL
from twofold.hub.config import POOL, QUANTILE_HEADS
from twofold.hub.heads import forecast
from twofold.hub.model import BOOSTERS, CLASSIFIERS, KEY, TENSORS, HubModel
from twofold.hub.rules import WEEK

WEIGHTS = {"trees": 0.5, "rnn": 0.25, "gru": 0.125, "lstm": 0.125}


def fitted() -> HubModel:
    return HubModel(CONFIG, RULES, FIRST, {name: head(name) for name in ALL_HEADS}, WEIGHTS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "model"
    fitted().save(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_a_round_trip_changes_no_bit(saved: Path) -> None:
    before, after = fitted(), HubModel.open(saved)
    assert (after.config, after.rules, after.fitted_for) == (CONFIG, RULES, FIRST)
    assert (list(after.heads), after.weights) == (list(ALL_HEADS), WEIGHTS)
    # The file's order of the weights is another one; a sum of fractions would know it.
    for day in (FIRST, DAYS[-1]):
        known = replay().known(day)
        for name in (POOL, *ALL_HEADS):
            found = after.forecast(known, RULES, name).categories
            assert found.equals(before.forecast(known, RULES, name).categories)
            assert found["reference_date"].unique().to_list() == [day]
        for name in QUANTILE_HEADS:
            one, other = (model.forecast(known, RULES, name).distributions for model in (before, after))
            assert one is not None
            assert one.equals(other)
        assert after.forecast(known, RULES, POOL).distributions is None  # its heads give no distribution


def test_the_same_model_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    HubModel.open(saved).save(tmp_path)
    assert {file.name for file in saved.iterdir()} == {TENSORS, CLASSIFIERS, BOOSTERS, JOURNAL}
    for file in saved.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_the_pool_is_of_its_weights() -> None:
    known = replay().known(FIRST)
    parts = [
        share * forecast(head(name), known, RULES, CONFIG).categories["probability"] for name, share in WEIGHTS.items()
    ]  # pyright: ignore
    found = fitted().forecast(known, RULES, POOL).categories["probability"].to_numpy()
    np.testing.assert_allclose(found, np.sum([part.to_numpy() for part in parts], axis=0))


def test_networks_alone_need_no_classifiers(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"heads": ("gru",), "pooled": ("gru",)})
    HubModel(config, RULES, FIRST, {"gru": head("gru")}, {"gru": 1.0}).save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {TENSORS, JOURNAL}
    known = replay().known(FIRST)
    assert (
        HubModel.open(tmp_path)
        .forecast(known, RULES, POOL)
        .categories.equals(forecast(head("gru"), known, RULES, config).categories)
    )


@pytest.mark.parametrize(
    ("day", "rules", "model", "said"),
    [
        (FIRST - WEEK, RULES, POOL, f"fitted on what was known for {FIRST}; a forecast for {FIRST - WEEK} made with"),
        (FIRST, OTHER_CUTS, POOL, "season 2023-24, those of 2024-25 are others; fit it again"),
        (FIRST, RULES.model_copy(update={"horizons": (0, 1, 2)}), POOL, "horizons and thresholds"),
        (
            FIRST,
            RULES,
            "elman",
            "--head must be one of pool, climatology, .*, ar6, renewal, quantile_trees, quantile_rnn, got 'elman'",
        ),
    ],
)
def test_what_the_model_can_not_say_is_refused(day, rules, model: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fitted().forecast(replay().known(day), rules, model)


def test_another_season_with_the_same_cuts_is_forecast() -> None:
    later = RULES.model_copy(update={"season": "2025-26", "note": "not listed"})
    assert fitted().forecast(replay().known(FIRST), later, "climatology").categories.height == 7 * 4 * 5


class Bomb:
    """Whoever unpickles it fails the test."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return pytest.fail, ("foreign code was run",)


def _about(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with safe_open(folder / TENSORS, framework="np") as file:
        about = json.loads(file.metadata()[KEY])
    save_file(load_file(folder / TENSORS), folder / TENSORS, {KEY: json.dumps(change(about))})


def _tensors(folder: Path, **changed: np.ndarray) -> None:
    with safe_open(folder / TENSORS, framework="np") as file:
        about = file.metadata()
    save_file({**load_file(folder / TENSORS), **changed}, folder / TENSORS, about)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


SPOILT: dict[str, Callable[[Path], Any]] = {
    "missing": lambda folder: (folder / TENSORS).unlink(),
    "empty": lambda folder: (folder / TENSORS).write_bytes(b""),
    "pickle": lambda folder: (folder / TENSORS).write_bytes(pickle.dumps(Bomb())),
    "cut": lambda folder: _cut(folder / TENSORS),
    "no metadata": lambda folder: save_file({"x": np.zeros(2)}, folder / TENSORS),
    "a list": lambda folder: _about(folder, lambda about: [about]),
    "another config": lambda folder: _about(folder, lambda about: about | {"config": {"hiden": 3}}),
    "no rules": lambda folder: _about(folder, lambda about: about | {"rules": {}}),
    "no date": lambda folder: _about(folder, lambda about: about | {"fitted_for": "soon"}),
    "an unknown head": lambda folder: _about(folder, lambda about: about | {"heads": ["elman"]}),
    "a larger network": lambda folder: _about(
        folder,
        lambda about: about | {"config": about["config"] | {"network": about["config"]["network"] | {"hidden": 9}}},
    ),
    "another shape": lambda folder: _tensors(folder, **{"gru.0.head.weight": np.zeros((2, 2), np.float32)}),
    "weights of no head": lambda folder: _about(folder, lambda about: about | {"weights": {"elman": 1.0}}),
    "weights that are no numbers": lambda folder: _about(
        folder, lambda about: about | {"weights": dict.fromkeys(about["weights"], float("nan"))}
    ),
    "an array of another shape": lambda folder: _tensors(folder, **{"climatology.growth": np.zeros((3, 2, 2))}),
    "a scaling of another length": lambda folder: _tensors(folder, **{"gru.mean": np.zeros(2)}),
    "a strange tensor": lambda folder: _tensors(folder, **{"climatology.colour": np.zeros(2)}),
    "classifiers missing": lambda folder: (folder / CLASSIFIERS).unlink(),
    "classifiers pickled": lambda folder: (folder / CLASSIFIERS).write_bytes(pickle.dumps(Bomb())),
    "classifiers cut": lambda folder: _cut(folder / CLASSIFIERS),
    "classifiers of a foreign function": lambda folder: skops.io.dump({"trees.0": print}, folder / CLASSIFIERS),
    "no classifiers": lambda folder: skops.io.dump([1, 2], folder / CLASSIFIERS),
    "a classifier too few": lambda folder: skops.io.dump({"logistic.0": {}}, folder / CLASSIFIERS),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_folder_that_is_no_model_is_refused_and_nothing_of_it_is_run(folder: Path, kind: str) -> None:
    (folder / JOURNAL).unlink()
    SPOILT[kind](folder)
    if "classifier" in kind and (folder / CLASSIFIERS).exists():  # as an attacker would
        digest = hashlib.sha256((folder / CLASSIFIERS).read_bytes()).hexdigest()
        _about(folder, lambda about: about | {"classifiers": digest})
    with pytest.raises(RunFolderError, match=r"hub|skops|holds types|is missing") as refused:
        HubModel.open(folder)
    assert str(refused.value).startswith(str(folder))


def test_two_files_that_were_not_saved_together_are_refused(folder: Path) -> None:
    """A fit that was interrupted between its two files, over an older model."""
    (folder / JOURNAL).unlink()
    with (folder / CLASSIFIERS).open("ab") as file:
        file.write(b" ")
    with pytest.raises(RunFolderError, match="was not saved with it"):
        HubModel.open(folder)


@pytest.mark.parametrize("name", [TENSORS, CLASSIFIERS])
def test_a_flipped_byte_is_refused_or_changes_a_number(folder: Path, name: str) -> None:
    """Of a model without a journal, as older versions saved: never a traceback that the user can't read."""
    (folder / JOURNAL).unlink()
    path, rng = folder / name, np.random.default_rng(0)
    whole = path.read_bytes()
    refused = 0
    for place in [*range(8), *rng.integers(0, len(whole), 24)]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            HubModel.open(folder)
        except RunFolderError:
            refused += 1
    assert refused >= 8 if name == TENSORS else refused >= 24
