"""One run: trains, scores and saves the model, the scores and the report's arrays into a run folder."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from twofold.engine.device import describe_device, pick_device
from twofold.engine.files import write_arrays, write_json, write_parquet
from twofold.engine.loop import Record
from twofold.engine.run import RunFolder
from twofold.vae.account import (
    COLLAPSED_NATS,
    describe_data,
    describe_memory,
    describe_model,
    describe_training,
    score_linear,
    score_plain,
    score_samples,
    score_test,
    spread,
)
from twofold.vae.config import VaeConfig
from twofold.vae.factors import colours, describe_factors
from twofold.vae.images.load import Images, Split, duplicates, split_images
from twofold.vae.labels import Labels
from twofold.vae.latent import Autoencoder
from twofold.vae.model import save_vae
from twofold.vae.pictures import pictures
from twofold.vae.recipes import departures
from twofold.vae.train import OnEpoch, OnStep, train


def execute(
    images: Images,
    config: VaeConfig,
    folder: RunFolder,
    *,
    labels: Labels | None,
    on_epoch: OnEpoch,
    on_step: OnStep,
    baseline: Callable[[Images, Split, VaeConfig], dict[str, Any]] = score_linear,
) -> None:
    """Trains, scores and saves; everything the report reads is in the folder afterwards.

    Args:
        folder: claimed by this process; a checkpoint found there is resumed.
        labels: attributes of each image, where some are known.
        on_epoch: called with every epoch's record.
        on_step: called after every step.
        baseline: computes the linear baseline's scores on the test images.

    Raises:
        InputError: when there are too few images to hold some out.
        NonFiniteLossError: when the loss is no longer finite.
    """

    def log(record: Record) -> None:
        folder.log(record)
        on_epoch(record)

    path, device = folder.path, pick_device(config.train.device)
    split = split_images(images.hashes, config.split)
    trained = train(images, split, config, device, checkpoints=path / "checkpoint", on_epoch=log, on_step=on_step)
    vae, config = trained.vae, trained.config
    save_vae(vae, config, path)
    test, found = score_test(vae, images, split.test, config)
    model = Autoencoder(vae, config)
    arrays = pictures(model, images, split, found.mu, found.kl_units)
    factors = None
    if labels is not None:
        factors = describe_factors(model, images, split, labels, mu=found.mu, rates=found.kl_units)
        if factors["map"]:
            arrays["map_label"] = colours(factors, labels, arrays["map_rows"])
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
    if labels is not None:
        write_parquet(path / "labels.parquet", labels.table)
    write_json(path / "skipped.json", [asdict(skip) for skip in images.skipped])
    sample = split.train[spread(len(split.train), len(split.test))]
    scores = {
        "recipe": config.recipe,
        "seed": config.seed,
        "departures": departures(config),
        "embedded": labels is not None and labels.origin == "avatars",
        "data": describe_data(images, split, config),
        **describe_model(vae, config, trained),
        "training": describe_training(trained, describe_device(device)),
        "test": test,
        "validation": score_plain(vae, images, split.validation, config, device)[0],
        "train_sample": score_plain(vae, images, sample, config, device)[0],
        "linear": baseline(images, split, config),
        "kl_units_collapsed": int((found.kl_units < COLLAPSED_NATS).sum()),
        "memorisation": describe_memory(arrays),
        "factors": factors,
        "samples": score_samples(model, images, split.test, split.train),
    }
    write_json(path / "scores.json", scores)
