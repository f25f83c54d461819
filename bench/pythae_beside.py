"""Our vae study compared with the library pythae: same images, split, training time and scores.

`TWOFOLD_DATA=FOLDER python bench/pythae_beside.py [SECONDS]` (extra `bench`; 300 s per model by default) trains, one
after the other, our recipe `plain`; pythae's VAE with its own CelebA network and its trainer's defaults; and pythae's
BetaVAE with our identical network, its beta our sigma^2, our learning rate and batch size. Each is scored on the test
images from (mu, logvar, reconstruction) with one sigma, fitted on the validation images. Then both train the
identical network in turn, to compare images per second. Fails when ours is not .3 bits per dim below the first, or is
worse than the second, or runs at less than 1.25 times pythae's speed.
"""
# pyright: reportMissingImports=false

import contextlib
import logging
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported, so before pythae

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, BetaVAE, BetaVAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.models.nn.benchmarks.celeba import Decoder_Conv_AE_CELEBA, Encoder_Conv_VAE_CELEBA
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

from twofold.engine.loop import Plan, TrainState, fit, shuffled
from twofold.engine.seed import torch_generator
from twofold.vae.config import LikelihoodConfig, VaeConfig
from twofold.vae.images.cache import default_folder
from twofold.vae.images.load import Images, Split, load_images, split_images
from twofold.vae.likelihood import Likelihood, make_likelihood
from twofold.vae.model import Vae, as_input
from twofold.vae.recipes import plain
from twofold.vae.score import evaluate
from twofold.vae.start import begin
from twofold.vae.train import make_loss, pick_precision, train

logging.getLogger("pythae.trainers.base_trainer.base_trainer").setLevel(logging.WARNING)

CPU = torch.device("cpu")
BETTER_BITS, FASTER = 0.3, 1.25
ROUNDS, ROUND_S = 3, 20.0
WARM_UP_S = 20.0


class OutOfTimeError(Exception):
    """Ends pythae's training before its last epoch; it offers no other way."""


class Clock(TrainingCallback):
    """Ends pythae's training after the step in which the time runs out."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.steps, self.took, self.began = seconds, 0, 0.0, 0.0

    def on_train_begin(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        self.began = time.perf_counter()

    def on_train_step_end(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        self.steps, self.took = self.steps + 1, time.perf_counter() - self.began
        if self.took >= self.seconds:
            raise OutOfTimeError


def train_pythae(model: VAE, pixels: Tensor, seconds: float, **settings: Any) -> tuple[int, float]:
    """Trains in place with pythae's own trainer; returns images seen and seconds taken."""
    clock = Clock(seconds)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(output_dir=folder, num_epochs=1_000_000, **settings)
        trainer = BaseTrainer(model, BaseDataset(pixels, torch.ones(len(pixels))), None, config, [clock])
        with contextlib.suppress(OutOfTimeError):
            trainer.train()
    epochs, rest = divmod(clock.steps, len(trainer.train_loader))
    model.eval()
    return epochs * len(pixels) + rest * config.per_device_train_batch_size, clock.took


class OurEncoder(BaseEncoder):
    """Our encoder with pythae's interface."""

    def __init__(self, vae: Vae) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, x: Tensor) -> ModelOutput:
        mu, logvar = self.vae.encode(x)
        return ModelOutput(embedding=mu, log_covariance=logvar)


class OurDecoder(BaseDecoder):
    """Our decoder with pythae's interface."""

    def __init__(self, vae: Vae) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.vae.decode(z))


class Scored(nn.Module):
    """Any of the models with the interface that `evaluate` needs, with a given sigma."""

    def __init__(self, model: "Vae | VAE", sigma: float) -> None:
        super().__init__()
        self.model = model
        self.likelihood: Likelihood = make_likelihood(LikelihoodConfig(name="gaussian_fixed", sigma=sigma))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.model, Vae):
            return self.model.encode(x)
        out = self.model.encoder(x)
        return out["embedding"], out["log_covariance"]

    def decode(self, z: Tensor) -> Tensor:
        if isinstance(self.model, Vae):
            return self.model.decode(z)
        return self.model.decoder(z)["reconstruction"]


def batches(images: Images, rows: np.ndarray) -> list[Tensor]:
    return [as_input(images.pixels[part], CPU) for part in np.array_split(rows, math.ceil(len(rows) / 256))]


def fitted_sigma(model: "Vae | VAE", images: Images, rows: np.ndarray) -> float:
    """The maximum-likelihood sigma on these images: the root of the mean squared error, over samples of z."""
    unit = Scored(model, 1.0).eval()
    generator, total = torch_generator(0, "sigma"), 0.0
    with torch.no_grad():
        for x in batches(images, rows):
            mu, logvar = unit.encode(x)
            z = mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=generator)
            total += float((x - unit.decode(z)).square().double().sum())
    return math.sqrt(total / (len(rows) * images.pixels[0].size))


def score(name: str, model: "Vae | VAE", images: Images, split: Split) -> float:
    sigma = fitted_sigma(model, images, split.validation)
    scored = Scored(model, sigma).eval()
    found = evaluate(scored, batches(images, split.test), 1, torch_generator(0, "score"))
    assert found.bits is not None
    error = found.bits.std(ddof=1) / math.sqrt(len(found.bits))
    print(
        f"{name}: {found.bits.mean():.4f} ± {error:.4f} bits per dim on {len(split.test)} test images "
        f"(rate {found.rate.mean():.1f} nats, mse {found.mse.mean():.5f}, sigma {sigma:.4f})",
        flush=True,
    )
    return float(found.bits.mean())


def train_ours(images: Images, split: Split, config: VaeConfig, seconds: float) -> Vae:
    """Our whole training with validation and checkpoints in the given seconds; its budget in images is measured."""
    pace = ours_a_second(images, split, config, WARM_UP_S)
    budget = config.train.model_copy(update={"images": int(0.93 * seconds * pace)})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            images,
            split,
            config.model_copy(update={"train": budget}),
            CPU,
            checkpoints=Path(folder),
            on_epoch=lambda record: None,
            on_step=lambda done, total: None,
        )
    took = time.perf_counter() - began
    print(f"ours: {trained.images_seen:,} images in {took:.0f} s ({WARM_UP_S:.0f} s before that set its budget)")
    return trained.vae


def ours_a_second(images: Images, split: Split, config: VaeConfig, seconds: float) -> float:
    """Images per second of our training steps."""
    settings = config.train
    with tempfile.TemporaryDirectory() as folder:
        started = begin(images, split, config, CPU, Path(folder))
        precision = pick_precision(config, CPU, Path(folder))
    vae = started.vae
    optimiser = torch.optim.AdamW(vae.parameters(), lr=config.train.learning_rate, fused=True)
    state = TrainState(vae, optimiser, Vae.seeded(config, 0))
    plan = Plan(1000, settings.learning_rate, "constant", settings.clip_norm, 1000, 0, 10**9, settings.ema)
    order = shuffled(torch.from_numpy(split.train), settings.batch_size, 0)
    began = time.perf_counter()
    loss = make_loss(images, started, split.train, CPU, precision)
    for _ in fit(state, plan, order, loss, pause=lambda _: time.perf_counter() - began > seconds):
        pass
    return state.step * settings.batch_size / (time.perf_counter() - began)


def in_pythae(config: VaeConfig, sigma: float) -> tuple[BetaVAE, Vae]:
    """Our network, in PyTorch's default memory order, under pythae's loss.

    That is half the squared error + its beta x KL: sigma^2 times ours up to a constant, where its beta is sigma^2.
    """
    torch.manual_seed(0)
    vae = Vae(config)
    settings = BetaVAEConfig(input_dim=config.image.shape, latent_dim=config.model.latent_dim, beta=sigma**2)
    return BetaVAE(settings, OurEncoder(vae), OurDecoder(vae)), vae


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    config = plain()
    path = Path(os.environ["TWOFOLD_DATA"]) / "faces-64.zip"
    images = load_images(path, config.image, strict=False, cache=default_folder())
    split = split_images(images.hashes, config.split)
    pixels = torch.from_numpy(images.pixels[split.train]).permute(0, 3, 1, 2).contiguous().float().div_(255)
    print(f"{len(split.train)} training images, {torch.get_num_threads()} threads, {seconds:.0f} s each", flush=True)

    ours = train_ours(images, split, config, seconds)
    our_bits = score("ours, recipe plain", ours, images, split)
    sigma = ours.likelihood.sigma
    assert sigma is not None
    same = {"learning_rate": config.train.learning_rate, "per_device_train_batch_size": config.train.batch_size}

    torch.manual_seed(0)
    settings = VAEConfig(input_dim=(3, 64, 64), latent_dim=64)
    decoder = Decoder_Conv_AE_CELEBA(settings)  # pyright: ignore[reportArgumentType]  (its hint says dict)
    theirs = VAE(settings, Encoder_Conv_VAE_CELEBA(settings), decoder)
    seen, took = train_pythae(theirs, pixels, seconds)
    print(f"pythae, CelebA network: {seen:,} images in {took:.0f} s", flush=True)
    celeba_bits = score("pythae, its CelebA network and defaults", theirs, images, split)
    del theirs

    model, inner = in_pythae(config, sigma)
    seen, took = train_pythae(model, pixels, seconds, **same)
    print(f"pythae, our network: {seen:,} images in {took:.0f} s", flush=True)
    same_bits = score("pythae, our network, beta = our sigma^2", inner.eval(), images, split)

    paces = []
    for _ in range(ROUNDS):
        our_pace = ours_a_second(images, split, config, ROUND_S)
        seen, took = train_pythae(in_pythae(config, sigma)[0], pixels, ROUND_S, **same)
        paces.append((our_pace, seen / took))
        print(f"identical network: ours {our_pace:.0f} images/s, pythae {seen / took:.0f}", flush=True)
    our_pace, their_pace = np.median(paces, axis=0)
    ratio = our_pace / their_pace
    print(
        f"bits per dim: ours {our_bits:.4f}, pythae {celeba_bits:.4f} ({celeba_bits - our_bits:+.4f}), pythae with our "
        f"network {same_bits:.4f} ({same_bits - our_bits:+.4f}); speed {ratio:.2f} times pythae's"
    )
    return int(celeba_bits - our_bits < BETTER_BITS or same_bits < our_bits or ratio < FASTER)


if __name__ == "__main__":
    sys.exit(main())
