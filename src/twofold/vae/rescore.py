"""The scores of a finished run's model on images that it has never seen."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twofold.engine.errors import InputError
from twofold.engine.files import required
from twofold.vae.account import score_test
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images
from twofold.vae.model import Vae


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
