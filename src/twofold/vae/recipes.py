"""Named configs. Each recipe's docstring holds its command, its runtime and the expected results."""

from collections.abc import Callable
from typing import Any

from twofold.engine.errors import InputError
from twofold.vae.config import LikelihoodConfig, ModelConfig, ScoreConfig, TrainConfig, VaeConfig


def default() -> VaeConfig:
    """A code for the picture, as probabilistic PCA; a likelihood of each pixel given others for the texture; beta 1.

    `twofold vae run --images FOLDER`; 2 cores start on 21,551 faces of 64 x 64 within 28 s and then train on 200 images
    a second: 3.56 bits per dim after one minute, 3.47 after five; 6 epochs take ten. 2,000 avatars reach .31 in one.
    """
    return VaeConfig()


def plain() -> VaeConfig:
    """Patches of 4x4, one stage of stride 2, 256 latent units, a Gaussian likelihood with one learned sigma; beta 1.

    `twofold vae run --recipe plain --images FOLDER`; 2 cores train on 790 images of 64 x 64 per second: 21,551 faces
    reach 6.61 bits per dim after five minutes; 30 epochs take 11. The 2,000 avatars take one minute and reach 3.76.
    """
    return VaeConfig(
        recipe="plain",
        model=ModelConfig(network="plain"),
        likelihood=LikelihoodConfig(name="gaussian"),
        train=TrainConfig(
            epochs=30,
            batch_size=32,
            learning_rate=1e-3,
            warmup_steps=0,
            clip_norm=1000.0,
            ema=0.999,
        ),
        score=ScoreConfig(samples=4, iw_samples=64),
    )


def original() -> VaeConfig:
    """The original study's network, likelihood and latent dimension, as far as it states them.

    Two convolutions, 256 latent units, Bernoulli likelihood. It names neither optimiser nor batch size nor epochs.

    `twofold vae sweep --recipe original --betas 0 1 100 --images FOLDER --train.epochs 3`; on 2 cores 20 minutes for
    21,551 faces of 64 x 64. Rates of some 42,000, 156 and 1.5 nats, test distortions of 6,213, 6,389 and 7,387.
    """
    return VaeConfig(
        recipe="original",
        model=ModelConfig(network="original"),
        likelihood=LikelihoodConfig(name="bernoulli"),
        train=TrainConfig(
            epochs=10,
            batch_size=64,
            learning_rate=1e-3,
            warmup_steps=0,
            clip_norm=1000.0,
            schedule="constant",
            ema=0.0,
            precision="fp32",
        ),
        score=ScoreConfig(samples=4, iw_samples=64),
    )


RECIPES: dict[str, Callable[[], VaeConfig]] = {"default": default, "plain": plain, "original": original}


def recipe(name: str) -> VaeConfig:
    """The config of a recipe.

    Raises:
        InputError: when there is no such recipe; lists the names.
    """
    if name not in RECIPES:
        raise InputError(f"--recipe {name}: no such recipe; there are {', '.join(RECIPES)}")
    return RECIPES[name]()


def departures(config: VaeConfig) -> list[dict[str, Any]] | None:
    """Settings of a run of the `original` recipe that the original study does not state; None for other recipes.

    Returns:
        `setting`, its value in the `original` (None: not stated) and `here`.
    """
    if config.recipe != "original":
        return None
    budget = ("train.images", config.train.images) if config.train.images else ("train.epochs", config.train.epochs)
    here = (
        ("train.optimiser", "AdamW"),
        ("train.learning_rate", config.train.learning_rate),
        ("train.batch_size", config.train.batch_size),
        budget,
    )
    return [{"setting": setting, "original": None, "here": value} for setting, value in here]
