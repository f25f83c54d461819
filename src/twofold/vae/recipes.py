"""Named configs. Each recipe's docstring holds its command, its runtime and the expected results."""

from collections.abc import Callable

from twofold.engine.errors import InputError
from twofold.vae.config import LikelihoodConfig, ModelConfig, TrainConfig, VaeConfig


def default() -> VaeConfig:
    """Patches of 4x4, one stage of stride 2, 256 latent units, a Gaussian likelihood with one learned sigma; beta 1.

    `twofold vae run --images FOLDER`; 2 cores train on 790 images of 64 x 64 per second: 21,551 faces reach 6.61 bits
    per dim after five minutes; 30 epochs take 11. The 2,000 avatars take one minute and reach 3.76 bits per dim.
    """
    return VaeConfig()


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
        train=TrainConfig(epochs=10, batch_size=64, schedule="constant", ema=0.0),
    )


RECIPES: dict[str, Callable[[], VaeConfig]] = {"default": default, "original": original}


def recipe(name: str) -> VaeConfig:
    """The config of a recipe.

    Raises:
        InputError: when there is no such recipe; lists the names.
    """
    if name not in RECIPES:
        raise InputError(f"--recipe {name}: no such recipe; there are {', '.join(RECIPES)}")
    return RECIPES[name]()


def departures(config: VaeConfig) -> str | None:
    """Where a run of the `original` recipe departs from the original study; None for other recipes."""
    if config.recipe != "original":
        return None
    budget = f"{config.train.images:,} images" if config.train.images else f"{config.train.epochs} epochs"
    return (
        "The original study's layers can't run as printed: here its second convolution and both transposed ones have "
        "stride 2 (with output padding 1), and its BatchNorms have the channels of what they normalise, none after the "
        "last layer. It names no optimiser, no batch size and no number of epochs; here AdamW at "
        f"{config.train.learning_rate:g}, batches of {config.train.batch_size}, {budget}. It trained on all images; "
        "here some are held out to stop the training and to be scored."
    )
