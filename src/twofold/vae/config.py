"""All settings of the vae study."""

import math
from typing import Annotated, Any, Literal

import tyro
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from twofold.engine.config import Config
from twofold.tune.config import TuneConfig

Fit = Literal["crop", "pad", "stretch"]
Network = Literal["linear", "plain", "original"]
LikelihoodName = Literal["multiscale", "bernoulli", "gaussian_fixed", "gaussian", "logistic"]
PathName = Literal["linear", "spherical"]
ObjectiveName = Literal["elbo", "beta_tc"]
USUAL_EPOCHS, LEAST_SHOWN = 6, 10_000
"""Passes over the training images, and how many of them, repeats counted, are shown at least, by default."""
PATCH = 4
"""Height and width of the plain network's patches, in pixels."""
LEAST_SIDE, MOST_SIDE = 8, 512
"""Height and width of images, in pixels."""


Channels = Annotated[
    Literal[0, 1, 3],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="{1,3,auto}",
        instance_from_str=lambda words: _CHANNELS[words[0]],
        is_instance=lambda value: value in _CHANNELS.values(),
        str_from_instance=lambda value: [next(word for word, number in _CHANNELS.items() if number == value)],
        choices=("1", "3", "auto"),
    ),
]
_CHANNELS: dict[str, Literal[0, 1, 3]] = {"1": 1, "3": 3, "auto": 0}


class ImageConfig(Config):
    """How images become an array."""

    size: int | tuple[int, int] = 64
    """Height and width after preprocessing, in pixels, each 8 to 512; one number for a square."""
    channels: Channels = 3
    """1: grey, 3: RGB, auto: 1 where all images are grey, else 3."""
    fit: Annotated[Fit, tyro.conf.arg(aliases=("--fit",))] = "crop"
    """An image of another shape: `crop` its centre, `pad` it with white, `stretch` it."""
    range: tuple[float, float] | None = Field(default=None, exclude_if=lambda value: value is None)
    """Stored values that become black and white; by default those of 8 bits, and found for masks and deeper images."""
    key: str = Field(default="", exclude_if=lambda value: not value)
    """Array of an .npz that holds the images; by default images, x_train, train_images or arr_0, or the only one."""
    pages: bool = Field(default=False, exclude_if=lambda value: not value)
    """Take each page of a TIFF, GIF, PNG or WebP as an image, not the first alone."""
    avatars: int = Field(default=2000, ge=10, le=100_000)
    """Number of embedded avatars (used when no --images is given)."""
    avatar_seed: int = Field(default=0, ge=0)
    """Seed of the embedded avatars."""

    @field_validator("size")
    @classmethod
    def _one_number_for_a_square(cls, given: int | tuple[int, int]) -> int | tuple[int, int]:
        """A square has one form, so that equal settings have one digest."""
        height, width = (given, given) if isinstance(given, int) else given
        if not LEAST_SIDE <= min(height, width) <= max(height, width) <= MOST_SIDE:
            bounds = {"least": LEAST_SIDE, "most": MOST_SIDE}
            raise PydanticCustomError("size", "height and width must lie in {least} to {most} pixels", bounds)
        return height if height == width else (height, width)

    @property
    def height(self) -> int:
        """Height after preprocessing, in pixels."""
        return self.size if isinstance(self.size, int) else self.size[0]

    @property
    def width(self) -> int:
        """Width after preprocessing, in pixels."""
        return self.size if isinstance(self.size, int) else self.size[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the network's input."""
        return self.channels, self.height, self.width

    @field_validator("range")
    @classmethod
    def _low_to_high(cls, given: tuple[float, float] | None) -> tuple[float, float] | None:
        if given is not None and not (given[0] < given[1] and math.isfinite(given[1] - given[0])):
            raise ValueError("must be two numbers, the lower first")
        return given


class SplitConfig(Config):
    """Which images are held out, by a hash of each image's pixels, so that adding files moves no other image."""

    validation_fraction: float = Field(default=0.1, gt=0.0, lt=0.5)
    """Expected share of images in the validation set, which stops the training."""
    test_fraction: float = Field(default=0.1, gt=0.0, lt=0.5)
    """Expected share of images in the test set, which is scored once."""
    own: bool = Field(default=False, exclude_if=lambda value: not value)
    """Take the set's own parts: its folders train, test and val, or arrays such as x_train and x_test; without a val a
    share of train is taken for validation."""


class ModelConfig(Config):
    """Encoder and decoder."""

    network: Network = "linear"
    """`linear`: starts as probabilistic PCA; `plain`: convolutions; `original`: the original study's, corrected."""
    latent_dim: int = Field(default=0, ge=0, le=4096)
    """Length of z; 0: chosen on validation images (linear) or 256 (others)."""
    width: int = Field(default=64, ge=4, le=512)
    """Channels of a patch, doubled by each stage (plain)."""
    depth: int = Field(default=1, ge=0, le=5)
    """Stages after the patches, each of which halves the image (plain)."""

    @model_validator(mode="before")
    @classmethod
    def _length_of_z(cls, given: Any) -> Any:
        """Only the linear network chooses its length; the others have one of their own."""
        if isinstance(given, dict) and given.get("network", "linear") != "linear" and not given.get("latent_dim"):
            return given | {"latent_dim": 256}
        return given


def stride(config: ModelConfig) -> int:
    """Total stride of a network's encoder, in pixels."""
    return PATCH * 2**config.depth if config.network == "plain" else 4


class LikelihoodConfig(Config):
    """Distribution of the pixels given the decoder's output."""

    name: LikelihoodName = "multiscale"
    """`multiscale`: each pixel given others; `gaussian`, `gaussian_fixed`, `logistic`, `bernoulli`: independent."""
    width: int = Field(default=64, ge=4, le=512)
    """Channels of each step's network (multiscale)."""
    depth: int = Field(default=1, ge=0, le=8)
    """Blocks of each step's network (multiscale)."""
    sigma: float = Field(default=0.1, gt=0.0, le=10.0)
    """Standard deviation of a pixel in [0, 1]: fixed for `gaussian_fixed`, else the initial value (not multiscale)."""


class ObjectiveConfig(Config):
    """The loss: distortion + beta x rate, or with beta on one part of the rate; in nats per image."""

    name: ObjectiveName = "elbo"
    """`elbo`: beta weighs the whole rate (beta-VAE); `beta_tc`: its total correlation alone (beta-TC-VAE)."""
    beta: float = Field(default=1.0, ge=0.0)
    """Weight of the rate (KL term), or of its total correlation; 1 is the ELBO."""
    warmup: float = Field(default=0.0, ge=0.0, le=0.1)
    """Share of the run over which beta rises linearly from 0; at most a tenth, and off by default."""
    free_nats: float = Field(default=0.0, ge=0.0)
    """Rate of each unit that adds nothing to the loss, in nats (free bits)."""

    @property
    def rate_weight(self) -> float:
        """Weight of the whole rate: beta, or 1 where beta weighs a part of it only."""
        return self.beta if self.name == "elbo" else 1.0

    @model_validator(mode="after")
    def _free_nats_of_the_rate(self) -> "ObjectiveConfig":
        if self.name != "elbo" and self.free_nats:
            raise ValueError(f"free_nats must be 0 for objective.name {self.name}, got {self.free_nats}")
        return self


class TrainConfig(Config):
    """How the network is trained."""

    epochs: int = Field(default=0, ge=0)
    """Passes over the training images, at most; 0: 6, or as many as show 10,000 images."""
    images: int = Field(default=0, ge=0)
    """Budget in training images seen, instead of epochs; 0: the budget is `epochs`."""
    batch_size: int = Field(default=16, ge=2)
    """Images per batch."""
    learning_rate: float = Field(default=2e-3, gt=0.0)
    """Peak learning rate of AdamW; parameters that start in closed form have a fiftieth of it."""
    warmup_steps: int = Field(default=50, ge=0)
    """Steps over which the learning rate rises linearly to its peak."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """AdamW's decoupled weight decay of the weights of convolutions and linear layers."""
    clip_norm: float = Field(default=10_000.0, gt=0.0)
    """Gradient norm is clipped to this."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Learning-rate schedule over the steps."""
    ema: float = Field(default=0.9975, ge=0.0, lt=1.0)
    """Decay per step of the averaged weights that are validated and kept; 0: no averaging."""
    patience: int = Field(default=10, ge=1)
    """Epochs without a better validation loss before the training stops."""
    precision: Literal["auto", "fp32", "bf16"] = Field(default="auto", exclude=True)
    """Precision of convolutions while training; auto takes bf16 for large batches where the device computes it."""
    device: Annotated[Literal["auto", "cpu", "cuda"], tyro.conf.arg(aliases=("--device",))] = Field(
        default="auto", exclude=True
    )
    """Where to train; auto takes a GPU where there is one. Stored in manifest.json, not in config.json."""


class ScoreConfig(Config):
    """How the test images are scored."""

    samples: int = Field(default=2, ge=1)
    """Samples of z per image for the distortion."""
    iw_samples: int = Field(default=16, ge=1)
    """Samples of z per image for the importance-weighted bound (K)."""
    iw_images: int = Field(default=256, ge=1)
    """Largest number of test images for the importance-weighted bound."""
    mi_images: int = Field(default=4096, ge=2)
    """Largest number of test images for the mutual information I(x;z); no estimate exceeds its logarithm."""
    sample_images: int = Field(default=1000, ge=0)
    """Largest number of prior samples, and of test images they are compared with; 0: samples are not scored."""


class VaeConfig(Config):
    """One run of the vae study."""

    recipe: str = "default"
    """Name of the recipe that the config started from."""
    seed: int = Field(default=0, ge=0)
    """The only seed; every random draw depends on it, the draw's purpose and the epoch."""
    image: ImageConfig = ImageConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    likelihood: LikelihoodConfig = LikelihoodConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    train: TrainConfig = TrainConfig()
    score: ScoreConfig = ScoreConfig()

    @model_validator(mode="after")
    def _size_fits_stages(self) -> "VaeConfig":
        """Images are filled up to whole strides; one that is less than a stride would be filler for the most part."""
        _, height, width = self.image.shape
        if min(height, width) < stride(self.model):
            raise ValueError(
                f"image.size must be at least {stride(self.model)} for model.depth {self.model.depth}, "
                f"got {height} x {width}"
            )
        return self

    @model_validator(mode="after")
    def _likelihood_fits_network(self) -> "VaeConfig":
        network, name = self.model.network, self.likelihood.name
        if name == "multiscale" and network != "linear":
            raise ValueError(
                f"likelihood.name multiscale needs a picture to start from, so model.network linear, got {network}; "
                "choose gaussian or logistic for this network"
            )
        if name == "bernoulli" and network == "linear":
            raise ValueError(
                "likelihood.name bernoulli takes logits, which model.network linear doesn't give; choose multiscale, "
                "gaussian or logistic"
            )
        return self


class LookConfig(Config):
    """The settings that decide how images are read and split."""

    image: ImageConfig = ImageConfig()
    split: SplitConfig = SplitConfig()


def with_epochs(config: VaeConfig, training_images: int) -> VaeConfig:
    """The config with a number of epochs, where it leaves that open."""
    if config.train.epochs:
        return config
    epochs = max(USUAL_EPOCHS, math.ceil(LEAST_SHOWN / training_images))
    return config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs})})


def budget(config: VaeConfig) -> str:
    """The one setting that may be raised in a run that has begun or ended: the budget that it trains by."""
    return "train.images" if config.train.images else "train.epochs"


class SweepConfig(Config):
    """A grid of runs that differ only in beta and seed."""

    base: VaeConfig
    """Settings that all runs share."""
    betas: tuple[Annotated[float, Field(ge=0.0, allow_inf_nan=False)], ...] = Field(min_length=1)
    """Weights of the rate."""
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    """Seeds of the initial weights and the order of the data, the same for every beta."""

    @model_validator(mode="after")
    def _each_once(self) -> "SweepConfig":
        for name, values in (("betas", self.betas), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} must differ from each other, got {' '.join(map(str, values))}")
        return self

    def runs(self) -> list[VaeConfig]:
        """Each run's config: all betas of the first seed, then of the next."""
        objective = self.base.objective
        return [
            self.base.model_copy(update={"objective": objective.model_copy(update={"beta": beta}), "seed": seed})
            for seed in self.seeds
            for beta in self.betas
        ]


TRIAL_S = 60.0
"""Wall time of a trial by default."""


class VaeTuneConfig(Config):
    """A study of trials, and the settings that they begin from."""

    vae: VaeConfig
    tune: TuneConfig
