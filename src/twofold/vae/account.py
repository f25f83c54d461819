"""The values of `scores.json`: data, model, training, scores of each part, what it is measured beside, memorisation."""

import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from twofold.engine.errors import InputError
from twofold.engine.files import table
from twofold.engine.seed import torch_generator
from twofold.vae.codecs import at_most, codec_bits
from twofold.vae.config import LikelihoodConfig, VaeConfig
from twofold.vae.copying import copying
from twofold.vae.distances import (
    LEAST_FRECHET,
    LEAST_NEIGHBOURHOODS,
    NAME,
    NEIGHBOURS,
    FeatureNetwork,
    RandomConvolutions,
    compare,
)
from twofold.vae.images.load import Images, Split, by_hash, copies_of_test, duplicates
from twofold.vae.latent import Autoencoder, to_pixels
from twofold.vae.likelihood import make_likelihood
from twofold.vae.linear import MAX_VALUES, MIN_SIGMA, LinearModel, fit_linear
from twofold.vae.model import Vae, as_input, layers
from twofold.vae.score import (
    Model,
    PerImage,
    active_units,
    effect_units,
    evaluate,
    importance_weighted,
    mean_and_error,
    mutual_information,
    total_correlation,
    used_units,
    variance_share,
)
from twofold.vae.train import AT_ONCE, Trained, at_once, batches_of

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
EFFECT_IMAGES = 16
"""Most test images on which the effect of each unit is measured; each is decoded once per unit."""
EFFECT_VALUES = 5 * 10**7
"""Pixels times channels decoded for it at most, where that leaves one image: 4,096 images of 64 x 64 x 3."""


def describe_data(images: Images, split: Split, config: VaeConfig) -> dict[str, Any]:
    """Counts of images, of skipped files, of duplicates and of each part; shape, source and digest.

    Also, where there is one, the scale, and how many values it clipped; pages that were not read; with the set's own
    split, how many test images are among the others.
    """
    twice = duplicates(images.hashes)
    seen, own = images.seen, config.split.own
    # Only where there is something to say: what other images' runs hold stays as it was.
    read = {"range": list(images.config.range), "clipped": seen.clipped} if images.config.range else {}
    unread = {"unread_pages": sum(pages for _, pages in seen.unread)} if seen.unread else {}
    parts = {"own": own, "test_copies": copies_of_test(images, split)} if own else {}
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
        **read,
        **unread,
        **parts,
    }


def describe_model(vae: Vae, config: VaeConfig, trained: Trained) -> dict[str, Any]:
    """Network, its start, likelihood and loss.

    The effective weight of the rate is beta times sigma^2 against half the squared error, beta itself where distortion
    is a code length without a sigma; None where it is neither (`bernoulli`).
    """
    likelihood, objective = vae.likelihood, config.objective
    sigma = likelihood.sigma
    weight = objective.beta if likelihood.has_levels else None
    return {
        "model": {
            "network": config.model.network,
            "latent_dim": config.model.latent_dim,
            "parameters": sum(parameter.numel() for parameter in vae.parameters()),
            "layers": layers(vae, config.image.shape),
            "start": asdict(trained.choice) if trained.choice else None,
            "fell_back": trained.fell_back,
        },
        "likelihood": {
            "name": likelihood.name,
            "is_density": likelihood.is_density,
            "has_levels": likelihood.has_levels,
            "scaled": likelihood.scaled,
            "learned": any(True for _ in likelihood.parameters()),
            "sigma": sigma,
        },
        "objective": objective.model_dump(mode="json")
        | {"effective_weight": weight if sigma is None else objective.beta * sigma**2},
    }


def describe_training(trained: Trained, device: str, untrained_loss: float) -> dict[str, Any]:
    """Epochs, images, time and device of the training, and its course.

    Args:
        untrained_loss: validation loss before the first step, nats. Only a training that diverges comes above it.
    """
    seconds = sum(record["seconds"] for record in trained.history)
    losses = [record["validation_loss"] for record in trained.history]
    # Of probabilistic PCA in the network's place the last losses say nothing.
    fall = losses[-1 - max(1, len(losses) // 10)] - losses[-1] if len(losses) > 1 and not trained.fell_back else None
    return {
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "images_seen": trained.images_seen,
        "seconds": round(seconds, 1),
        "images_per_second": round(trained.images_seen / seconds, 1),
        "device": device,
        "precision": trained.precision,
        "stopped_early": trained.stopped_early,
        "untrained_loss_nats": untrained_loss,
        "highest_loss_nats": max(record["train_loss"] for record in trained.history),
        "last_fall_nats": fall if fall is not None and math.isfinite(fall) else None,
    }


def score_test(
    vae: Vae, images: Images, rows: Int64[np.ndarray, " rows"], config: VaeConfig
) -> tuple[dict[str, Any], PerImage, Float64[np.ndarray, " latent"]]:
    """All scores on held-out images, the scores of each image, and the effect of each unit on the picture.

    The network must be in evaluation mode.
    """
    device, settings = next(vae.parameters()).device, config.score
    block, found = score_plain(vae, images, rows, config, device)
    errors = block.pop("standard_errors")
    few, some = spread(len(rows), settings.iw_images), spread(len(rows), settings.mi_images)
    batches = batches_of(images, rows[few], device, 32)
    generator = torch_generator(config.seed, "importance")
    bound, effective = importance_weighted(
        vae, batches, settings.iw_samples, generator, at_once(*images.pixels.shape[1:3])
    )
    negative_bound, bound_error = mean_and_error(bound)
    information = mutual_information(found.mu[some], found.logvar[some], torch_generator(config.seed, "information"))
    rate = float(found.rate[some].mean())
    most = min(CORRELATION_IMAGES, max(2, math.isqrt(CORRELATION_PAIRS // found.mu.shape[1])))
    tied = spread(len(rows), most)
    noise = torch_generator(config.seed, "correlation")
    correlation = total_correlation(found.mu[tied], found.logvar[tied], noise)
    at_most_moved = EFFECT_VALUES // (images.pixels[0].size * config.model.latent_dim)
    moved = rows[spread(len(rows), min(EFFECT_IMAGES, max(1, at_most_moved)))]
    effect = effect_units(
        vae, as_input(images.pixels[moved], device), found.mu.std(axis=0), at_once(*images.pixels.shape[1:3])
    )
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
        "used_units": used_units(found.mu, effect),
        "effect_images": len(moved),
        "reconstruction_variance_share": variance_share(
            vae, batches_of(images, rows[few], device, at_once(*images.pixels.shape[1:3]))
        ),
        "latent_dim": config.model.latent_dim,
        "sigma": vae.likelihood.sigma,
        "standard_errors": errors
        | {
            "iw_bound_nats": bound_error,
            "mutual_information_nats": information.standard_error,
            "total_correlation_nats": correlation.standard_error,
        },
    }
    return block, found, effect


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
    """All scores of a finished run's model on images that are new to it (`new_to`), beside the codecs.

    And the scores of each image.
    """
    test, found, _ = score_test(vae, images, rows, config)
    coded = score_codecs(images, rows)
    return {
        "source": images.source,
        "images": len(rows),
        "seen": len(images.names) - len(rows),
        "skipped": len(images.skipped),
        "test": test,
        "codecs": coded.block,
        "differences": differences(found, coded),
    }, found


def score_plain(
    model: Model, images: Images, rows: Int64[np.ndarray, " rows"], config: VaeConfig, device: torch.device
) -> tuple[dict[str, Any], PerImage]:
    """Rate, distortion, their sum, bits per dim and squared error, each with its standard error."""
    batches = batches_of(images, rows, device, at_once(*images.pixels.shape[1:3]))
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


@dataclass(frozen=True)
class Coded:
    """The cost of some held-out images in the lossless formats.

    Attributes:
        places: which of the held-out images were encoded, ascending.
        bits: bits per dim of each of these, by format.
    """

    places: Int64[np.ndarray, " some"]
    bits: dict[str, Float64[np.ndarray, " some"]]

    @property
    def block(self) -> dict[str, dict[str, Any]]:
        """`codecs` of scores.json."""
        found = {name: mean_and_error(values) for name, values in self.bits.items()}
        return {
            name: {"bits_per_dim": mean, "standard_error": error, "images": len(self.places)}
            for name, (mean, error) in found.items()
        }


def score_codecs(images: Images, rows: Int64[np.ndarray, " rows"]) -> Coded:
    """Encodes some of the rows, evenly spread, by each codec."""
    places = spread(len(rows), at_most(images.pixels[0].size))
    return Coded(places, codec_bits(images.pixels[rows[places]]))


@dataclass(frozen=True)
class Rivals:
    """What a network is measured beside, which no beta changes: the cost of each test image without it.

    Attributes:
        linear: `linear` of scores.json.
        mean_image: `mean_image` of scores.json.
        by_linear: scores of each test image by the linear model.
        coded: the cost of the test images in the lossless formats.
    """

    linear: dict[str, Any]
    mean_image: dict[str, Any]
    by_linear: PerImage
    coded: Coded


def score_rivals(images: Images, split: Split, config: VaeConfig) -> Rivals:
    """Scores the test images without the network.

    By the linear baseline, with at most as many components as the network has latent units; by one Gaussian around the
    mean image, which a network has to beat to have learned anything; by the codecs.
    """
    cpu = torch.device("cpu")
    rows = split.train[spread(len(split.train), max(2, MAX_VALUES // images.pixels[0].size))]
    train, validation = (as_input(images.pixels[part], cpu) for part in (rows, split.validation[:AT_ONCE]))
    linear, mean = fit_linear(train, validation, config.model.latent_dim, config.seed), _mean_image(train)
    block, by_linear = score_plain(linear, images, split.test, config, cpu)
    plain, _ = score_plain(mean, images, split.test, config, cpu)
    return Rivals(
        block | {"components": len(linear.variances), "fitted_on": len(rows), "sigma": linear.likelihood.sigma},
        plain | {"sigma": mean.likelihood.sigma},
        by_linear,
        score_codecs(images, split.test),
    )


def _mean_image(train: Tensor) -> LinearModel:
    """The mean image and one sigma for all pixels: a linear model of no component."""
    mean = train.mean(dim=0)
    sigma = max(float((train - mean).square().mean().sqrt()), MIN_SIGMA)
    likelihood = make_likelihood(LikelihoodConfig(name="gaussian_fixed", sigma=sigma))
    shape = (train.shape[1], train.shape[2], train.shape[3])
    return LinearModel(mean.flatten(), train.new_zeros(0, mean.numel()), train.new_zeros(0), likelihood, shape)


def differences(network: PerImage, coded: Coded, linear: PerImage | None = None) -> dict[str, dict[str, Any]]:
    """Network minus each other on the same images: far more certain than the difference of two separate means.

    In bits per dim; where the network has none, in squared error, which the codecs don't have.
    """
    pairs: dict[str, tuple[str, Float64[np.ndarray, " some"]]] = {}
    bits = network.bits
    if linear is not None:
        in_bits = None if bits is None or linear.bits is None else ("bits_per_dim", bits - linear.bits)
        pairs["linear"] = in_bits or ("mse", network.mse - linear.mse)
    if bits is not None:
        pairs |= {name: ("bits_per_dim", bits[coded.places] - other) for name, other in coded.bits.items()}
    found = {}
    for name, (key, values) in pairs.items():
        mean, error = mean_and_error(values)
        found[name] = {"key": key, "mean": mean, "standard_error": error, "images": len(values)}
    return found


def describe_memory(arrays: dict[str, np.ndarray], images: Images, split: Split) -> dict[str, Any]:
    """Distances of prior samples and of test images to their nearest training images, and the test for copies."""
    samples, test = arrays["nearest_distance"], arrays["test_distance"]
    known, held_out = (
        len(np.unique(images.hashes[rows], axis=0)) for rows in (split.train, np.r_[split.validation, split.test])
    )
    return asdict(copying(arrays["copy_rows"], arrays["copy_in_train"], known, held_out)) | {
        "sample_distance": float(np.median(samples)),
        "test_distance": float(np.median(test)),
        "closer_than_test": float((samples < np.quantile(test, CLOSE_QUANTILE)).mean()),
    }


def spread(number: int, most: int) -> Int64[np.ndarray, " rows"]:
    """At most `most` of `number` rows, evenly spread over the order of names."""
    return np.unique(np.linspace(0, number - 1, min(number, most)).astype(int))
