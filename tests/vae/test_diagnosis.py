"""What became of a training, by its scores: thresholds on made ones, and small trainings that end in each state."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twofold.engine.errors import DivergedError
from twofold.engine.run import claim
from twofold.vae import diagnosis
from twofold.vae.diagnosis import Gap
from twofold.vae.run import execute
from vae.report.showing import run_folder
from vae.small import discs, images_of, silent, tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("runs"), size=16, latent=8, test=40)


@pytest.fixture
def scores(made: Path) -> dict[str, Any]:
    return json.loads((made / "scores.json").read_text())


@pytest.mark.parametrize(
    ("value", "error", "images", "judged"),
    [
        (2.01, 1.0, 30, "more"),
        (2.0, 1.0, 30, "unclear"),
        (-2.0, 1.0, 30, "unclear"),
        (-2.01, 1.0, 30, "less"),
        (0.0, 0.0, 30, "unclear"),
        (100.0, 1.0, 29, "few"),
        (100.0, None, 1, "few"),
    ],
)
def test_a_difference_needs_two_standard_errors_and_thirty_images(
    value: float, error: float | None, images: int, judged: str
) -> None:
    assert Gap(value, error, images).judged == judged


def test_a_gap_takes_its_error_from_both_sets_of_images(scores: dict[str, Any]) -> None:
    for block, error, images in (("test", 3.0, 50), ("train_sample", 4.0, 40)):
        scores[block]["standard_errors"]["negative_elbo_nats"] = error
        scores[block] |= {"negative_elbo_nats": error, "images": images}
    assert diagnosis.overfitting(scores) == Gap(-1.0, 5.0, 40)
    scores["train_sample"]["standard_errors"]["negative_elbo_nats"] = None
    assert diagnosis.overfitting(scores) == Gap(-1.0, None, 40)


@pytest.mark.parametrize(
    ("test", "units", "collapse"),
    [
        ({"used_units": 0}, 8, "whole"),
        ({"used_units": 0, "active_units": 8}, 0, "whole"),
        ({"rate_nats": 0.99}, 5, "nearly"),
        # Beta 100: every unit varies and all reconstructions are one grey blob.
        ({"rate_nats": 14.0, "reconstruction_variance_share": 0.019}, 0, "nearly"),
        ({"rate_nats": 14.0, "reconstruction_variance_share": 0.021}, 0, "none"),
        ({"rate_nats": 1.0}, 5, "units"),
        ({}, 0, "none"),
        ({"reconstruction_variance_share": None}, 0, "none"),
    ],
    ids=str,
)
def test_collapse_is_judged_by_units_in_use_rate_and_pictures(
    scores: dict[str, Any], test: dict[str, Any], units: int, collapse: str
) -> None:
    scores["test"] |= test
    assert diagnosis.collapse(scores | {"kl_units_collapsed": units}) == collapse
    assert diagnosis.collapsed(scores) == (collapse in ("whole", "nearly"))


DIMS = 3 * 16 * 16 * math.log(2)
"""Nats of one bit per dimension."""


@pytest.mark.parametrize(
    ("test", "training", "beta", "state"),
    [
        ({}, {}, 1.0, "fine"),
        # Its first batches may cost more than the untrained network does on validation images.
        ({"bits_per_dim": 7.5}, {"highest_loss_nats": 6e5}, 1.0, "hardly trained"),
        # Two epochs of a good rate on 300 images: 36 bits, but never worse than at the start, and still falling.
        ({"bits_per_dim": 36.5}, {"last_fall_nats": 9.6 * DIMS}, 1.0, "hardly trained"),
        ({}, {"last_fall_nats": 0.06 * DIMS}, 1.0, "hardly trained"),
        ({}, {"last_fall_nats": 0.06 * DIMS, "best_epoch": 29}, 1.0, "fine"),  # back from a peak
        ({}, {"last_fall_nats": 0.04 * DIMS}, 1.0, "fine"),
        ({}, {"last_fall_nats": 40 * DIMS}, 1000.0, "fine"),  # in units of beta
        ({}, {"last_fall_nats": 60 * DIMS}, 1000.0, "hardly trained"),
        ({}, {"last_fall_nats": None}, 1.0, "fine"),  # one epoch
        ({"bits_per_dim": 7.5}, {}, 1.0, "hardly trained"),
        # Of a collapsed code the mean image is the best that there is.
        ({"bits_per_dim": 7.5, "used_units": 0}, {}, 1.0, "collapsed"),
        # Beta 0 did not count the rate, here one bit per dimension of the 7.5.
        ({"bits_per_dim": 7.5, "rate_nats": DIMS}, {}, 0.0, "fine"),
        ({"bits_per_dim": 7.5, "rate_nats": DIMS}, {}, 1.0, "hardly trained"),
        ({"bits_per_dim": None, "mse": 0.05}, {}, 1.0, "hardly trained"),
        ({"bits_per_dim": None, "mse": 0.04}, {}, 1.0, "fine"),
        ({"negative_elbo_nats": 1e6}, {}, 1.0, "over-fitted"),
        ({"negative_elbo_nats": 1e6, "images": 8}, {}, 1.0, "fine"),
    ],
    ids=str,
)
def test_the_states_of_a_training_are_told_apart(
    scores: dict[str, Any], test: dict[str, Any], training: dict[str, Any], beta: float, state: str
) -> None:
    scores["train_sample"]["negative_elbo_nats"] = scores["test"]["negative_elbo_nats"]
    scores["test"] |= test
    scores["training"] |= {"best_epoch": 30} | training
    scores["objective"]["beta"] = beta
    assert diagnosis.state(scores) == state


@pytest.mark.parametrize(
    ("bits", "training", "diverged"),
    [
        # Learning rate 1: 48.8 bits per dim, all units active.
        (48.8, {"highest_loss_nats": 9e6}, True),
        (3.0, {"highest_loss_nats": 9e6}, False),  # back from a peak
        (7.5, {"highest_loss_nats": 6e5}, False),
        (7.5, {"untrained_loss_nats": -5e4, "highest_loss_nats": 1.0}, True),
        (7.5, {"untrained_loss_nats": -5e4, "highest_loss_nats": -1.0}, False),
    ],
)
def test_a_training_diverged_when_its_loss_ran_away_and_nothing_was_kept(
    scores: dict[str, Any], bits: float, training: dict[str, Any], diverged: bool
) -> None:
    scores["test"]["bits_per_dim"] = bits
    scores["training"] |= training
    assert diagnosis.diverged(scores) == diverged


Trainer = Callable[..., dict[str, Any]]


@pytest.fixture
def train(tmp_path: Path) -> Trainer:
    """A run on small discs; its scores."""

    def run(number: int, **groups: Any) -> dict[str, Any]:
        images, config = images_of(discs(number), tmp_path / "images"), tiny(**groups)
        with claim(tmp_path / "run", config, images.digest, ["twofold", "vae", "run"]) as folder:
            execute(images, config, folder, labels=None, on_epoch=silent, on_step=silent)
        return json.loads((tmp_path / "run" / "scores.json").read_text())

    return run


MANY = {"test_fraction": 0.3}
LONG = {"epochs": 40, "patience": 40, "learning_rate": 1e-2}


@pytest.mark.parametrize(
    ("state", "images", "groups"),
    [
        ("hardly trained", 130, {"split": MANY}),
        ("collapsed", 130, {"split": MANY, "train": LONG, "objective": {"beta": 1e3}}),
        ("fine", 130, {"split": MANY, "train": LONG | {"epochs": 60}}),
        (
            "over-fitted",
            80,
            {
                "split": {"test_fraction": 0.45, "validation_fraction": 0.1},
                "model": {"width": 16, "latent_dim": 16},
                "train": LONG | {"epochs": 80, "patience": 80},
            },
        ),
    ],
)
def test_small_trainings_end_in_each_state(train: Trainer, state: str, images: int, groups: dict[str, Any]) -> None:
    assert diagnosis.state(train(images, **groups)) == state


@pytest.mark.parametrize(
    ("settings", "how"),
    [
        ({"learning_rate": 1e8}, r"is no longer finite after epoch 1; --train\.learning-rate is 1e\+08, give 0\.002$"),
        ({"learning_rate": 10.0, "epochs": 12}, r"its loss rose to \S+ nats, that of the untrained network is "),
    ],
)
def test_of_a_training_that_diverged_nothing_is_kept(
    train: Trainer, tmp_path: Path, settings: dict[str, Any], how: str
) -> None:
    with pytest.raises(DivergedError, match=how):
        train(130, split=MANY, train=settings)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert not left & {"DONE", "scores.json", "model.safetensors", "arrays.npz", "report.html"}
