"""Tables of each image's scores; with its nearest training image, and sorted, they show outliers and anomalies."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from twofold.engine.files import table
from twofold.vae.images.load import Images
from twofold.vae.neighbours import nearest
from twofold.vae.score import PerImage

TEST = "test.parquet"
"""The file of a run folder with the scores of each test image, by which two runs are compared."""


def per_image(
    run: Path, images: Images, rows: Int64[np.ndarray, " rows"], found: PerImage
) -> tuple[pl.DataFrame, str | None]:
    """One row per scored image, in the order of the names.

    Args:
        run: folder of the finished run, whose `images.parquet` tells which images were trained on.
        images: the scored images and, where they are there, the run's training images.
        rows: those of the scored images.
        found: their scores.

    Returns:
        The table, and why its last two columns are empty, or None. Its columns: `name`; `part` ("test", or missing
        for an image that is not the run's); `rate_nats`, `distortion_nats`, `negative_elbo_nats`, `bits_per_dim`
        (missing for `bernoulli`), `mse`; `nearest_train`, the name of the nearest training image, and
        `nearest_distance`, the root of the mean squared difference of their pixels in [0, 1].
    """
    known = dict(table(run, "images.parquet").select("hash", "split").iter_rows())
    hashes = [bytes(each).hex() for each in images.hashes]
    parts = [known.get(each) for each in hashes]
    train = np.flatnonzero([part == "train" for part in parts])
    there = len({hashes[row] for row in train})
    wanted = sum(part == "train" for part in known.values())
    names: list[str] | list[None]
    if there == wanted:
        closest, _ = nearest(images.pixels[rows], images.pixels, train)
        names, distances = [images.names[row] for row in closest], _distances(images, rows, closest)
        missing = None
    else:
        names, distances = [None] * len(rows), np.full(len(rows), np.nan)
        missing = (
            f"the nearest training images are left empty: {images.source} holds {there:,} of the {wanted:,} images "
            "that the run was trained on; give --images that hold them all, too"
        )
    columns = {
        "name": pl.Series([images.names[row] for row in rows], dtype=pl.String),
        "part": pl.Series([parts[row] for row in rows], dtype=pl.String),
        **_scores(found),
        "nearest_train": pl.Series(names, dtype=pl.String),
        "nearest_distance": pl.Series(distances).fill_nan(None),
    }
    return pl.DataFrame(columns), missing


def test_table(images: Images, rows: Int64[np.ndarray, " rows"], found: PerImage) -> pl.DataFrame:
    """The content of `TEST`: `hash` and scores of each test image, without its name."""
    return pl.DataFrame({"hash": [bytes(images.hashes[row]).hex() for row in rows], **_scores(found)})


def _scores(found: PerImage) -> dict[str, Any]:
    bits = pl.Series([None] * len(found.mse) if found.bits is None else found.bits, dtype=pl.Float64)
    return {
        "rate_nats": found.rate,
        "distortion_nats": found.distortion,
        "negative_elbo_nats": found.negative_elbo,
        "bits_per_dim": bits,
        "mse": found.mse,
    }


def _distances(
    images: Images, rows: Int64[np.ndarray, " rows"], others: Int64[np.ndarray, " rows"]
) -> Float64[np.ndarray, " rows"]:
    """Distances of pairs of images, without the rounding of `nearest`: exactly 0 for images that are the same."""
    differences = (
        images.pixels[row].astype(np.float64) - images.pixels[other] for row, other in zip(rows, others, strict=True)
    )
    return np.array([np.sqrt(np.mean(each**2)) / 255 for each in differences])
