"""Tuning of the autoencoder: what varies, and what a trial is.

A trial trains for a share of the time: how many images that is, is measured on its first steps and becomes a part of
its config, so that the config that is chosen gives the same training again. Its figure is the negative ELBO of the
validation images in bits per dim, which compares between likelihoods: that of the images' levels, beta 1.
"""

import copy
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import torch

from twofold.engine.config import Config
from twofold.engine.device import pick_device
from twofold.engine.errors import InputError
from twofold.engine.loop import Record, Step
from twofold.engine.seed import torch_generator
from twofold.tune.space import Choice, Knob, Range
from twofold.vae.account import score_plain
from twofold.vae.config import PATCH, VaeConfig, with_epochs
from twofold.vae.images.load import Images, Split
from twofold.vae.start import CHOICE, Started, begin
from twofold.vae.train import make_loss, pick_precision, steps_an_epoch, train_from, validate

TIMED_STEPS = 5
"""Steps that are timed; the first of them, which is slower, is left out."""
MULTISCALE = "likelihood.name", "multiscale"


def space(config: VaeConfig) -> list[Knob]:
    """What varies for the config's network.

    The linear network's length of z is chosen on validation images anyhow, by its start. Its likelihood stays, too:
    without `multiscale` there is little left to train, at twice the bits.

    Raises:
        InputError: when trials with this config can't be compared.
    """
    if config.objective.name != "elbo" or config.objective.beta != 1.0:
        raise InputError(
            f"--objective.beta {config.objective.beta:g}, --objective.name {config.objective.name}: trials are "
            "compared by the ELBO, so tune with elbo and beta 1, and run the result with another"
        )
    if config.likelihood.name == "bernoulli":
        raise InputError(
            "--likelihood.name bernoulli: is no distribution of the images' levels, so its figure compares with no "
            "other; take another likelihood or recipe"
        )
    common: list[Knob] = [
        Range("train.learning_rate", 5e-4, 1e-2, log=True),
        Choice("train.batch_size", (8, 16, 32, 64)),
        Choice("train.ema", (0.98, 0.99, 0.995, 0.9975)),
    ]
    if config.model.network == "linear":
        return [
            *common,
            Choice("likelihood.width", (16, 32, 64, 96), when=MULTISCALE),
            Range("likelihood.depth", 0, 3, when=MULTISCALE),
        ]
    knobs: list[Knob] = [
        *common,
        Range("model.latent_dim", 16, 512, log=True),
        Choice("likelihood.name", ("gaussian", "logistic")),
    ]
    if config.model.network == "plain":
        stages = int(math.log2(min(config.image.height, config.image.width) / PATCH))
        knobs += [Choice("model.width", (32, 64, 96, 128)), Range("model.depth", 0, min(3, stages))]
    return knobs


@dataclass(frozen=True)
class Material:
    """What trials are made of.

    Attributes:
        split: whose test images are left out.
        trial_s: wall time of a trial; 0: its config's own budget.
        start: what a network's start was chosen to be, in each process: nothing that varies changes it.
    """

    images: Images
    split: Split
    trial_s: float
    start: dict[str, bytes] = field(default_factory=dict)


def objective(material: Material, config: VaeConfig, report: Callable[[float, float], None]) -> tuple[float, Config]:
    """One trial: negative ELBO of the validation images in bits per dim, and the config with its budget in images."""
    try:
        return _trial(material, config, report)
    except torch.OutOfMemoryError as error:
        size = f"batches of {config.train.batch_size} by a network of this width"
        raise InputError(f"the device has too little memory for {size}") from error


def _trial(material: Material, config: VaeConfig, report: Callable[[float, float], None]) -> tuple[float, VaeConfig]:
    images, split = material.images, material.split
    device = pick_device(config.train.device)
    with tempfile.TemporaryDirectory() as scratch:
        path, whole = Path(scratch) / CHOICE, with_epochs(config, len(split.train))
        if CHOICE in material.start:
            path.write_bytes(material.start[CHOICE])
        else:  # before the trial's time begins: it is made once
            begin(images, split, whole, device, Path(scratch))
            if path.exists():
                material.start[CHOICE] = path.read_bytes()
        began_s = time.perf_counter()
        started = begin(images, split, whole, device, Path(scratch))
        if material.trial_s:
            left_s = material.trial_s - (time.perf_counter() - began_s)
            budget = {"images": images_within(left_s, started, material, device, Path(scratch))}
            config = config.model_copy(update={"train": config.train.model_copy(update=budget)})
            trained_by = started.config.train.model_copy(update=budget)
            started = replace(started, config=started.config.model_copy(update={"train": trained_by}))
        total = config.train.images or started.config.train.epochs * len(split.train)
        dims = images.pixels[0].size
        # The nats of a density are those of levels in units of 1/256, nearly: good enough to give up by.
        offset = dims * math.log(256.0) if started.vae.likelihood.is_density else 0.0

        def on_epoch(record: Record) -> None:
            nats = record["validation_rate"] + record["validation_distortion"] + offset
            report(min(1.0, record["images"] / total), nats / dims / math.log(2.0))

        trained = train_from(
            started, images, split, device, checkpoints=Path(scratch), on_epoch=on_epoch, on_step=lambda *_: None
        )
        block, _ = score_plain(trained.vae, images, split.validation, trained.config, device)
    return float(block["bits_per_dim"]), config


def images_within(left_s: float, started: Started, material: Material, device: torch.device, scratch: Path) -> int:
    """Training images that are seen in a time, by the pace of some steps and of one validation; a batch at least."""
    started, config = copy.deepcopy(started), started.config
    images, split = material.images, material.split
    began_s = time.perf_counter()
    loss = make_loss(images, started, split.train, device, pick_precision(config, device, scratch))
    generator, steps = torch_generator(config.seed, "pace"), []
    # A batch holds images of one fold only.
    batch = torch.from_numpy(split.train[started.fold_of == started.fold_of[0]][: config.train.batch_size])
    for turn in range(TIMED_STEPS):
        before_s = time.perf_counter()
        started.vae.train()
        loss(started.vae, Step(batch, generator, turn / TIMED_STEPS))[0].backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        steps.append(time.perf_counter() - before_s)
    before_s = time.perf_counter()
    validate(started.vae.eval(), images, split.validation, config, 0.0)
    validation_s = time.perf_counter() - before_s
    # Validated before the first step, after each epoch and, with more samples, at the end.
    left_s -= time.perf_counter() - began_s + validation_s * (1 + config.score.samples)
    in_an_epoch = steps_an_epoch(len(split.train), config.train.batch_size)
    pace_s = median(steps[1:]) + validation_s / in_an_epoch
    return max(1, int(left_s / pace_s)) * config.train.batch_size
