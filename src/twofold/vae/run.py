"""One run composed: images in, a model, scores and the report's pictures in a run folder out."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from twofold.engine.device import describe_device, pick_device
from twofold.engine.files import write_arrays, write_json, write_parquet
from twofold.engine.loop import Record
from twofold.engine.run import RunFolder
from twofold.vae.account import (
    collapsed,
    describe_data,
    describe_memory,
    describe_model,
    describe_objective,
    describe_training,
    score_linear,
    score_plain,
    score_test,
    train_sample,
)
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images, Split, duplicates, split_images
from twofold.vae.latent import Autoencoder
from twofold.vae.model import save_vae
from twofold.vae.pictures import pictures
from twofold.vae.recipes import departures
from twofold.vae.train import Journal, Progress, train


def execute(
    images: Images,
    config: VaeConfig,
    folder: RunFolder,
    *,
    labels: pl.DataFrame | None,
    journal: Journal,
    progress: Progress,
) -> None:
    """Trains, scores and saves; everything the report reads is in the folder afterwards.

    Args:
        images: all images.
        config: the run.
        folder: held by this process; a training state found there is gone on with.
        labels: what is known of each image, where they are the embedded avatars.
        journal: called with every epoch's record, for a progress bar.
        progress: called after every step with (steps done, steps in all).

    Raises:
        InputError: when there are too few images to hold some out.
        NonFiniteLossError: when the loss is no longer finite.
    """

    def log(record: Record) -> None:
        folder.log(record)
        journal(record)

    device = pick_device(config.train.device)
    split = split_images(images.hashes, config.split)
    checkpoints = folder.path / "checkpoint"
    trained = train(images, split, config, device, checkpoints=checkpoints, journal=log, progress=progress)
    vae = trained.vae
    save_vae(vae, config, folder.path)
    test, found = score_test(vae, images, split.test, config)
    arrays = pictures(Autoencoder(vae, config), images, split, found.mu, found.kl_units)
    write_arrays(folder.path / "arrays.npz", **arrays)
    write_parquet(folder.path / "images.parquet", image_table(images, split))
    if labels is not None:
        write_parquet(folder.path / "labels.parquet", labels)
    write_json(folder.path / "skipped.json", [asdict(skip) for skip in images.skipped])
    scores: dict[str, Any] = {
        "recipe": config.recipe,
        "seed": config.seed,
        "departures": departures(config),
        "embedded": labels is not None,
        "data": describe_data(images, split, config),
        "model": describe_model(vae, config),
        "likelihood": {"name": vae.likelihood.name, "is_density": vae.likelihood.is_density, "sigma": test["sigma"]},
        "objective": describe_objective(vae, config),
        "training": describe_training(trained, describe_device(device)),
        "test": test,
        "validation": score_plain(vae, images, split.validation, config, device)[0],
        "train_sample": score_plain(vae, images, train_sample(split), config, device)[0],
        "linear": score_linear(images, split, config),
        "kl_units_collapsed": collapsed(found.kl_units),
        "memorisation": describe_memory(arrays),
    }
    write_json(folder.path / "scores.json", scores)


def image_table(images: Images, split: Split) -> pl.DataFrame:
    """A row an image: name, content hash, part of the split, and whether an earlier row has the same pixels."""
    part = np.full(len(images.names), "train", dtype=object)
    part[split.validation], part[split.test] = "validation", "test"
    return pl.DataFrame(
        {
            "name": images.names,
            "hash": [bytes(each).hex() for each in images.hashes],
            "split": pl.Series(part.tolist(), dtype=pl.String),
            "duplicate": duplicates(images.hashes),
        }
    )
