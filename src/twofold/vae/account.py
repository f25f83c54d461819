"""The values of `scores.json`: data, model, training, scores of each part, linear baseline, memorisation."""

import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64

from twofold.engine.errors import InputError
from twofold.engine.files import table
from twofold.engine.seed import torch_generator
from twofold.vae.config import VaeConfig
from twofold.vae.distances import (
    LEAST_FRECHET,
    LEAST_NEIGHBOURHOODS,
    NAME,
    NEIGHBOURS,
    FeatureNetwork,
    RandomConvolutions,
    compare,
)
from twofold.vae.images.load import Images, Split, by_hash, duplicates
from twofold.vae.latent import Autoencoder, to_pixels
from twofold.vae.linear import MAX_VALUES, fit_linear
from twofold.vae.model import Vae, as_input, layers
from twofold.vae.score import (
    Model,
    PerImage,
    active_units,
    evaluate,
    importance_weighted,
    mean_and_error,
    mutual_information,
    total_correlation,
)
from twofold.vae.train import AT_ONCE, Trained, batches_of

COLLAPSED_NATS = 0.01
"""A unit whose mean rate is below this carries no information on the image."""
TEMPERATURES = (0.0, 0.5, 1.0)
"""Scales of the likelihood's noise at which samples are scored."""
MOST_VALUES = 5 * 10**7
"""Images times pixels times channels of each set that samples are scored by, at most: 200 MB in float32."""
CORRELATION_IMAGES, CORRELATION_PAIRS = 512, 2**27
"""Images that the total correlation is estimated on, and pairs of them times latent units, at most: some seconds."""
CLOSE_QUANTILE = 0.05
"""A sample is close to a training image when nearer than this quantile of the test images' distances."""


def describe_data(images: Images, split: Split, config: VaeConfig) -> dict[str, Any]:
    """Counts of images, of skipped files, of duplicates and of each part; shape, source and digest."""
    twice = duplicates(images.hashes)
    count, height, width, channels = images.pixels.shape
    return {
        "images": count,
        "skipped": len(images.skipped),
        "skipped_reasons": dict(Counter(skip.reason for skip in images.skipped).most_common()),
        "duplicates": int(twice.sum()),
        "duplicate_groups": len({bytes(images.hashes[row]) for row in np.flatnonzero(twice)}),
        **{part: len(rows) for part, rows in vars(split).items()},
        "shape": [count, channels, height, width],
        "fit": config.image.fit,
        "source": images.source,
        "digest": images.digest,
    }


def describe_model(vae: Vae, config: VaeConfig, trained: Trained) -> dict[str, Any]:
    """Network, its start, likelihood and loss; the effective weight of the rate is beta times sigma^2."""
    sigma, objective = vae.likelihood.sigma, config.objective
    return {
        "model": {
            "network": config.model.network,
            "latent_dim": config.model.latent_dim,
            "parameters": sum(parameter.numel() for parameter in vae.parameters()),
            "layers": layers(vae, config.image.channels, config.image.size),
            "start": asdict(trained.choice) if trained.choice else None,
            "fell_back": trained.fell_back,
        },
        "likelihood": {"name": vae.likelihood.name, "is_density": vae.likelihood.is_density, "sigma": sigma},
        "objective": objective.model_dump(mode="json")
        | {"effective_weight": None if sigma is None else objective.beta * sigma**2},
    }


def describe_training(trained: Trained, device: str) -> dict[str, Any]:
    """Epochs, images, time and device of the training."""
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
    """All scores on held-out images, and the scores of each image; the network must be in evaluation mode."""
    device, settings = next(vae.parameters()).device, config.score
    block, found = score_plain(vae, images, rows, config, device)
    errors = block.pop("standard_errors")
    few, some = spread(len(rows), settings.iw_images), spread(len(rows), settings.mi_images)
    batches = batches_of(images, rows[few], device, 32)
    generator = torch_generator(config.seed, "importance")
    bound, effective = importance_weighted(vae, batches, settings.iw_samples, generator, AT_ONCE)
    negative_bound, bound_error = mean_and_error(bound)
    information = mutual_information(found.mu[some], found.logvar[some], torch_generator(config.seed, "information"))
    rate = float(found.rate[some].mean())
    most = min(CORRELATION_IMAGES, max(2, math.isqrt(CORRELATION_PAIRS // found.mu.shape[1])))
    tied = spread(len(rows), most)
    noise = torch_generator(config.seed, "correlation")
    correlation = total_correlation(found.mu[tied], found.logvar[tied], noise)
    block |= {
        "iw_bound_nats": negative_bound,
        "iw_samples": settings.iw_samples,
        "iw_images": len(few),
        "iw_negative_elbo_nats": float(found.negative_elbo[few].mean()),
        "iw_effective_samples": float(effective.mean()),
        "mutual_information_nats": information.nats,
        "mi_images": information.images,
        "mi_cap_nats": information.cap_nats,
        "mi_at_cap": information.at_cap,
        "mi_rate_nats": rate,
        "marginal_kl_nats": rate - information.nats,
        "total_correlation_nats": correlation.nats,
        "tc_images": correlation.images,
        "tc_at_cap": correlation.at_cap,
        "active_units": active_units(found.mu),
        "latent_dim": config.model.latent_dim,
        "sigma": vae.likelihood.sigma,
        "standard_errors": errors
        | {
            "iw_bound_nats": bound_error,
            "mutual_information_nats": information.standard_error,
            "total_correlation_nats": correlation.standard_error,
        },
    }
    return block, found


def score_samples(
    model: Autoencoder,
    images: Images,
    test: Int64[np.ndarray, " test"],
    train: Int64[np.ndarray, " train"],
    network: tuple[str, FeatureNetwork] | None = None,
) -> dict[str, Any] | None:
    """Distances of prior samples to test images, beside those of as many training images: the floor.

    All sets are equally large. The test images and the directions are the same for every model of the same images, so
    that models compare. A likelihood without noise has samples at temperature 0 only.

    Args:
        test: rows of the images to compare with.
        train: rows of training images; with fewer than test images there is no floor.
        network: name and network of the features; by default `RandomConvolutions`.

    Returns:
        None where samples are not scored.
    """
    settings = model.config
    most = min(settings.score.sample_images, max(MOST_VALUES // images.pixels[0].size, 1))
    number = min(most, len(test))
    if not number:
        return None
    name, features = network or (NAME, RandomConvolutions(settings.image.channels))
    reference, known = (images.pixels[np.sort(rows[by_hash(images, rows)][:number])] for rows in (test, train))
    found, plain = {}, None
    for temperature in TEMPERATURES:
        drawn = to_pixels(model.sample(number, settings.seed, temperature))
        if plain is not None and np.array_equal(drawn, plain):
            break
        plain = drawn if plain is None else plain
        found[f"{temperature:g}"] = compare(drawn, reference, features)
    return {
        "features": name,
        "images": number,
        "neighbours": NEIGHBOURS,
        "least_images": {"frechet": LEAST_FRECHET, "neighbourhoods": LEAST_NEIGHBOURHOODS},
        "temperatures": found,
        "floor": compare(known, reference, features) if len(known) == number else None,
    }


def trained_on(run: Path, images: Images) -> Int64[np.ndarray, " rows"]:
    """Rows of the images that a finished run has trained on."""
    known = table(run, "images.parquet").filter(pl.col("split") == "train")
    return np.flatnonzero(np.isin([bytes(each).hex() for each in images.hashes], known["hash"].to_numpy()))


def new_to(run: Path, images: Images) -> Int64[np.ndarray, " rows"]:
    """Rows of the images that a finished run has neither trained nor validated on.

    Raises:
        InputError: when there are none.
    """
    known = table(run, "images.parquet").filter(pl.col("split") != "test")
    seen = np.isin([bytes(each).hex() for each in images.hashes], known["hash"].to_numpy())
    if seen.all():
        raise InputError(f"{images.source}: all {len(seen):,} images were trained or validated on; give others")
    return np.flatnonzero(~seen)


def rescore(
    vae: Vae, config: VaeConfig, images: Images, rows: Int64[np.ndarray, " rows"]
) -> tuple[dict[str, Any], PerImage]:
    """All scores of a finished run's model on images that are new to it (`new_to`), and the scores of each image."""
    test, found = score_test(vae, images, rows, config)
    return {
        "source": images.source,
        "images": len(rows),
        "seen": len(images.names) - len(rows),
        "skipped": len(images.skipped),
        "test": test,
    }, found


def score_plain(
    model: Model, images: Images, rows: Int64[np.ndarray, " rows"], config: VaeConfig, device: torch.device
) -> tuple[dict[str, Any], PerImage]:
    """Rate, distortion, their sum, bits per dim and squared error, each with its standard error."""
    batches = batches_of(images, rows, device, AT_ONCE)
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
    """Test scores of the linear baseline, with at most as many components as the network has latent units."""
    cpu = torch.device("cpu")
    rows = split.train[spread(len(split.train), max(2, MAX_VALUES // images.pixels[0].size))]
    train, validation = (as_input(images.pixels[part], cpu) for part in (rows, split.validation[:AT_ONCE]))
    model = fit_linear(train, validation, config.model.latent_dim, config.seed)
    block, _ = score_plain(model, images, split.test, config, cpu)
    return block | {"components": len(model.variances), "fitted_on": len(rows), "sigma": model.likelihood.sigma}


def describe_memory(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Distances of prior samples and of test images to their nearest training images."""
    samples, test = arrays["nearest_distance"], arrays["test_distance"]
    return {
        "sample_distance": float(np.median(samples)),
        "test_distance": float(np.median(test)),
        "closer_than_test": float((samples < np.quantile(test, CLOSE_QUANTILE)).mean()),
    }


def spread(number: int, most: int) -> Int64[np.ndarray, " rows"]:
    """At most `most` of `number` rows, evenly spread over the order of names."""
    return np.unique(np.linspace(0, number - 1, min(number, most)).astype(int))
