"""The account of a run: every figure that `scores.json` holds."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from twofold.engine.errors import InputError
from twofold.engine.files import required
from twofold.engine.seed import torch_generator
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images, Split, duplicates
from twofold.vae.linear import fit_linear, fitting_rows
from twofold.vae.model import Vae, as_input, layers
from twofold.vae.score import (
    Model,
    PerImage,
    active_units,
    evaluate,
    importance_weighted,
    mean_and_error,
    mutual_information,
)
from twofold.vae.train import AT_ONCE, Trained

COLLAPSED_NATS = 0.01
"""A unit whose mean rate is below this says nothing of the image."""
CLOSE_QUANTILE = 0.05


def describe_data(images: Images, split: Split, config: VaeConfig) -> dict[str, Any]:
    """What the images are, and what became of them."""
    twice = duplicates(images.hashes)
    repeated = {bytes(images.hashes[row]) for row in np.flatnonzero(twice)}
    count, height, width, channels = images.pixels.shape
    return {
        "images": count,
        "skipped": len(images.skipped),
        "skipped_reasons": dict(Counter(skip.reason for skip in images.skipped).most_common()),
        "duplicates": int(twice.sum()),
        "duplicate_groups": len(repeated),
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "shape": [count, channels, height, width],
        "fit": config.image.fit,
        "source": images.source,
        "digest": images.digest,
    }


def describe_model(vae: Vae, config: VaeConfig) -> dict[str, Any]:
    """The network, layer by layer."""
    table = layers(vae, config.image.channels, config.image.size)
    return {
        "network": config.model.network,
        "latent_dim": config.model.latent_dim,
        "parameters": sum(parameter.numel() for parameter in vae.parameters()),
        "layers": [asdict(layer) for layer in table],
    }


def describe_objective(vae: Vae, config: VaeConfig) -> dict[str, Any]:
    """The loss; beta alone means nothing without the sigma that it is weighed against."""
    sigma = vae.likelihood.sigma
    effective = None if sigma is None else config.objective.beta * sigma**2
    return config.objective.model_dump(mode="json") | {"effective_weight": effective}


def describe_training(trained: Trained, device: str) -> dict[str, Any]:
    """What training took."""
    seconds = sum(record["seconds"] for record in trained.history)
    return {
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "images_seen": trained.images_seen,
        "seconds": round(seconds, 1),
        "images_per_second": round(trained.images_seen / seconds, 1),
        "device": device,
        "stopped_early": trained.stopped_early,
    }


def score_test(
    vae: Vae, images: Images, rows: Int64[np.ndarray, " rows"], config: VaeConfig
) -> tuple[dict[str, Any], PerImage]:
    """Every score on held-out images, and the scores of each image.

    Args:
        vae: in evaluation mode.
        images: all images.
        rows: those to score.
        config: numbers of draws and images, seed.
    """
    device = next(vae.parameters()).device
    block, found = score_plain(vae, images, rows, config, device)
    errors = block.pop("standard_errors")
    settings = config.score
    # Evenly spread, so that no part of the names' order is left out.
    few = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), settings.iw_images)).astype(int))
    bound, effective = importance_weighted(
        vae,
        _batches(images, rows[few], device, at_once=32),
        settings.iw_samples,
        torch_generator(config.seed, "importance"),
        AT_ONCE,
    )
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), settings.mi_images)).astype(int))
    told = mutual_information(found.mu[some], found.logvar[some], torch_generator(config.seed, "information"))
    rate = float(found.rate[some].mean())
    negative_bound, bound_error = mean_and_error(bound)
    block |= {
        "iw_bound_nats": negative_bound,
        "iw_samples": settings.iw_samples,
        "iw_images": len(few),
        "iw_negative_elbo_nats": float(found.negative_elbo[few].mean()),
        "iw_effective_samples": float(effective.mean()),
        "mutual_information_nats": told.nats,
        "mi_images": told.images,
        "mi_cap_nats": told.cap_nats,
        "mi_at_cap": told.at_cap,
        "mi_rate_nats": rate,
        "marginal_kl_nats": rate - told.nats,
        "active_units": active_units(found.mu),
        "latent_dim": config.model.latent_dim,
        "sigma": vae.likelihood.sigma,
        "standard_errors": errors | {"iw_bound_nats": bound_error, "mutual_information_nats": told.standard_error},
    }
    return block, found


def rescore(run: Path, vae: Vae, config: VaeConfig, images: Images) -> dict[str, Any]:
    """Every score on the images that were neither trained on nor stopped the training.

    Args:
        run: the finished run folder, which lists the images that it saw.
        vae: its model.
        config: its config.
        images: others, all of which are scored but those that the run had trained or validated on.

    Raises:
        InputError: when none is left.
    """
    known = pl.read_parquet(required(run, "images.parquet")).filter(pl.col("split") != "test")
    seen = np.isin([bytes(each).hex() for each in images.hashes], known["hash"].to_numpy())
    rows = np.flatnonzero(~seen)
    if not len(rows):
        raise InputError(f"{images.source}: all {len(seen):,} images were trained or validated on; give others")
    test, _ = score_test(vae, images, rows, config)
    return {
        "source": images.source,
        "images": len(rows),
        "seen": int(seen.sum()),
        "skipped": len(images.skipped),
        "test": test,
    }


def score_plain(
    model: Model, images: Images, rows: Int64[np.ndarray, " rows"], config: VaeConfig, device: torch.device
) -> tuple[dict[str, Any], PerImage]:
    """Rate, distortion, their sum, bits per dim and squared error, each with its standard error."""
    batches = _batches(images, rows, device)
    found = evaluate(model, batches, config.score.samples, torch_generator(config.seed, "score"))
    columns = {
        "rate_nats": found.rate,
        "distortion_nats": found.distortion,
        "negative_elbo_nats": found.negative_elbo,
        "bits_per_dim": found.bits,
        "mse": found.mse,
    }
    pairs = {name: (None, None) if values is None else mean_and_error(values) for name, values in columns.items()}
    block: dict[str, Any] = {"images": len(rows)} | {name: mean for name, (mean, _) in pairs.items()}
    return block | {"standard_errors": {name: error for name, (_, error) in pairs.items()}}, found


def score_linear(images: Images, split: Split, config: VaeConfig) -> dict[str, Any]:
    """The test's scores of probabilistic PCA with as many components as the network has units, at most."""
    cpu = torch.device("cpu")
    rows = fitting_rows(split.train, images.pixels[0].size)
    train, validation = (as_input(images.pixels[part], cpu) for part in (rows, split.validation[:AT_ONCE]))
    model = fit_linear(train, validation, config.model.latent_dim, config.seed)
    block, _ = score_plain(model, images, split.test, config, cpu)
    return block | {"components": len(model.variances), "fitted_on": len(rows), "sigma": model.likelihood.sigma}


def describe_memory(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Whether samples of the prior lie nearer to training images than unseen images do."""
    samples, test = arrays["nearest_distance"], arrays["test_distance"]
    return {
        "sample_distance": float(np.median(samples)),
        "test_distance": float(np.median(test)),
        "closer_than_test": float((samples < np.quantile(test, CLOSE_QUANTILE)).mean()),
    }


def collapsed(kl_units: Float[np.ndarray, " latent"]) -> int:
    """Units that say nothing of the image."""
    return int((kl_units < COLLAPSED_NATS).sum())


def train_sample(split: Split) -> Int64[np.ndarray, " rows"]:
    """As many training images as there are test images, spread evenly."""
    rows = np.linspace(0, len(split.train) - 1, min(len(split.train), len(split.test))).astype(int)
    return split.train[np.unique(rows)]


def _batches(
    images: Images, rows: Int64[np.ndarray, " rows"], device: torch.device, at_once: int = AT_ONCE
) -> Iterator[Tensor]:
    for start in range(0, len(rows), at_once):
        yield as_input(images.pixels[rows[start : start + at_once]], device)
