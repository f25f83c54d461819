"""One run: trains, scores and saves the model, the scores and the report's arrays into a run folder."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import torch

from twofold.engine.device import describe_device, pick_device
from twofold.engine.diagnosis import lower
from twofold.engine.errors import DivergedError
from twofold.engine.files import write_arrays, write_json, write_parquet
from twofold.engine.loop import Record
from twofold.engine.ranks import ALONE, Ranks
from twofold.engine.run import RunFolder
from twofold.engine.seed import seed_for
from twofold.vae.account import (
    COLLAPSED_NATS,
    Rivals,
    describe_data,
    describe_memory,
    describe_model,
    describe_training,
    differences,
    score_plain,
    score_rivals,
    score_samples,
    score_test,
    spread,
)
from twofold.vae.config import VaeConfig
from twofold.vae.diagnosis import diverged
from twofold.vae.factors import colours, describe_factors
from twofold.vae.images.load import Images, Split, duplicates, split_of
from twofold.vae.labels import Labels
from twofold.vae.latent import Autoencoder
from twofold.vae.model import Vae, save_vae
from twofold.vae.per_image import TEST, test_table
from twofold.vae.pictures import pictures
from twofold.vae.recipes import departures, recipe
from twofold.vae.train import OnEpoch, OnStep, Trained, train, validate

CHECKPOINT = "checkpoint"
"""Folder, in that of the run, of the training's state."""
COSTS = ("negative_elbo_nats", "bits_per_dim")
"""Scores that have to be finite."""


def execute(
    images: Images,
    config: VaeConfig,
    folder: RunFolder,
    *,
    labels: Labels | None,
    on_epoch: OnEpoch,
    on_step: OnStep,
    rivals: Callable[[Images, Split, VaeConfig], Rivals] = score_rivals,
    ranks: Ranks = ALONE,
) -> None:
    """Trains, scores and saves; everything the report reads is in the folder afterwards.

    Args:
        folder: claimed by this process; a checkpoint found there is resumed.
        labels: attributes of each image, where some are known.
        on_epoch: called with every epoch's record.
        on_step: called after every step.
        rivals: scores the test images without the network.
        ranks: the processes that train together, of which this is the first; the others call `assist`.

    Raises:
        InputError: when there are too few images to hold some out.
        DivergedError: when the training diverges; the folder then holds no scores.
    """

    def log(record: Record) -> None:
        folder.log(record)
        on_epoch(record)

    path, device = folder.path, pick_device(config.train.device)
    split = split_of(images, config.split)
    try:
        trained = train(
            images, split, config, device, checkpoints=path / CHECKPOINT, on_epoch=log, on_step=on_step, ranks=ranks
        )
    except DivergedError as error:
        raise _diverged(config, error.how) from error
    except OverflowError as error:  # of the exponential of a weight
        raise _diverged(config, "sigma became too large for a number") from error
    folder.settle_log("epoch")
    vae, config = trained.vae, trained.config
    test, found, effect = score_test(vae, images, split.test, config)
    sample = split.train[spread(len(split.train), len(split.test))]
    blocks = {
        "test": test,
        "validation": score_plain(vae, images, split.validation, config, device)[0],
        "train_sample": score_plain(vae, images, sample, config, device)[0],
    }
    sigma = vae.likelihood.sigma or 0.0
    costs = {f"{key} of {part}": block[key] for part, block in blocks.items() for key in COSTS}
    for name, value in (costs | {"the square of sigma": sigma * sigma}).items():
        if value is not None and not math.isfinite(value):
            raise _diverged(config, f"{name} is {value}")
    model = Autoencoder(vae, config)
    arrays = pictures(model, images, split, found.mu, kl_units=found.kl_units, effect_units=effect)
    factors = None
    if labels is not None:
        factors = describe_factors(model, images, split, labels, mu=found.mu, rates=found.kl_units)
        if factors["map"]:
            arrays["map_label"] = colours(factors, labels, arrays["map_rows"])
    beside, untrained = rivals(images, split, config), _untrained_loss(images, split, trained, device)
    scores = {
        "recipe": config.recipe,
        "seed": config.seed,
        "departures": departures(config),
        "embedded": labels is not None and labels.origin == "avatars",
        "data": describe_data(images, split, config),
        **describe_model(vae, config, trained),
        "training": describe_training(trained, describe_device(device), untrained),
        **blocks,
        "linear": beside.linear,
        "mean_image": beside.mean_image,
        "codecs": beside.coded.block,
        "differences": differences(found, beside.coded, beside.by_linear),
        "kl_units_collapsed": int((found.kl_units < COLLAPSED_NATS).sum()),
        "memorisation": describe_memory(arrays, images, split),
        "factors": factors,
        "samples": score_samples(model, images, split.test, split.train),
    }
    if diverged(scores):
        raise _diverged(
            config,
            f"its loss rose to {scores['training']['highest_loss_nats']:.4g} nats, that of the untrained network is "
            f"{untrained:.4g}, and what was kept is worse than the mean image",
        )
    save_vae(vae, config, path)
    write_arrays(path / "arrays.npz", **arrays)
    part = np.full(len(images.names), "train", dtype=object)
    part[split.validation], part[split.test] = "validation", "test"
    table = {
        "name": images.names,
        "hash": [bytes(each).hex() for each in images.hashes],
        "split": pl.Series(part.tolist(), dtype=pl.String),
        "duplicate": duplicates(images.hashes),
    }
    write_parquet(path / "images.parquet", pl.DataFrame(table))
    write_parquet(path / TEST, test_table(images, split.test, found))
    if labels is not None:
        write_parquet(path / "labels.parquet", labels.table)
    write_json(path / "skipped.json", [asdict(skip) for skip in images.skipped])
    write_json(path / "scores.json", scores)


def assist(images: Images, config: VaeConfig, path: Path, ranks: Ranks) -> None:
    """Trains along with the first process, which runs `execute` on the run folder `path`; writes nothing."""
    with contextlib.suppress(DivergedError, OverflowError):  # the first one reports it
        train(
            images,
            split_of(images, config.split),
            config,
            pick_device(config.train.device),
            checkpoints=path / CHECKPOINT,
            on_epoch=lambda _: None,
            on_step=lambda *_: None,
            ranks=ranks,
        )


def _untrained_loss(images: Images, split: Split, trained: Trained, device: torch.device) -> float:
    """Validation loss before the first step."""
    if trained.start:
        return trained.start["validation_loss"]
    vae = Vae.seeded(trained.config, seed_for(trained.config.seed, "weights")).to(device).eval()
    with torch.no_grad():
        return validate(vae, images, split.validation, trained.config, 1.0)["validation_loss"]


def _diverged(config: VaeConfig, how: str) -> DivergedError:
    rate, usual = config.train.learning_rate, recipe(config.recipe).train.learning_rate
    who = f"beta {config.objective.beta:g}, seed {config.seed}"
    return DivergedError(how, who, lower("--train.learning-rate", rate, usual))
