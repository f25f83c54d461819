"""How long the default recipe needs to reach the loss that the original's network has after five minutes.

`TWOFOLD_DATA=FOLDER python bench/vae_default.py [SECONDS]` trains, in turn in one process, the original study's
network for the seconds (300 by default) under the default recipe's likelihood, objective, optimiser and schedule, and
then the default recipe for a fifth and a third of that time, on the same images and split. A budget is in images, so
each network's images per second are measured first. Prints each one's negative ELBO on the validation images; fails
when the default needs more than a third of the time.
"""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import torch

from twofold.engine.loop import Record
from twofold.vae.config import ModelConfig, VaeConfig
from twofold.vae.images.cache import default_folder
from twofold.vae.images.load import Images, Split, load_images, split_images
from twofold.vae.recipes import default
from twofold.vae.train import OnStep, train

SHARES = 1 / 5, 1 / 3
PACE_S = 15.0


class EnoughError(Exception):
    """Ends a training whose speed is known."""


def trained(
    images: Images, split: Split, config: VaeConfig, on_step: OnStep = lambda done, total: None
) -> tuple[Record, float]:
    """The last epoch's record, and the seconds of the whole training, including validation and checkpoints."""
    records: list[Record] = []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        device, path = torch.device("cpu"), Path(folder)
        train(images, split, config, device, checkpoints=path, on_epoch=records.append, on_step=on_step)
    return records[-1], time.perf_counter() - began


def pace(images: Images, split: Split, config: VaeConfig) -> float:
    """Images per second after the first fifth of the steps."""
    times: list[float] = []

    def count(done: int, total: int) -> None:
        times.append(time.perf_counter())
        if times[-1] - times[0] > PACE_S:
            raise EnoughError

    with contextlib.suppress(EnoughError):
        trained(images, split, config, count)
    first = len(times) // 5
    return (len(times) - 1 - first) * config.train.batch_size / (times[-1] - times[first])


def within(images: Images, split: Split, config: VaeConfig, seconds: float) -> VaeConfig:
    """The config with a budget of images for the given seconds, a twentieth of which is left for validation."""
    budget = int(0.95 * seconds * pace(images, split, config))
    return config.model_copy(update={"train": config.train.model_copy(update={"images": budget})})


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    ours = default()
    original = ours.model_copy(update={"model": ModelConfig(network="original")})
    path = Path(os.environ["TWOFOLD_DATA"]) / "faces-64.zip"
    images = load_images(path, ours.image, strict=False, cache=default_folder())
    split = split_images(images.hashes, ours.split)
    print(f"{len(split.train)} training images, {torch.get_num_threads()} threads", flush=True)
    goal, original_s = trained(images, split, within(images, split, original, seconds))
    print(
        f"original network: negative ELBO {goal['validation_loss']:.1f} nats on validation after "
        f"{original_s:.0f} s and {goal['images']:,} images",
        flush=True,
    )
    reached = None
    for share in SHARES:
        record, took = trained(images, split, within(images, split, ours, share * seconds))
        print(
            f"default recipe: negative ELBO {record['validation_loss']:.1f} nats on validation after {took:.0f} s and "
            f"{record['images']:,} images",
            flush=True,
        )
        if reached is None and record["validation_loss"] <= goal["validation_loss"]:
            reached = took / original_s
    print(f"the default is as low after {'more than a third' if reached is None else f'{reached:.2f}'} of the time")
    return int(reached is None or reached > 1 / 3)


if __name__ == "__main__":
    sys.exit(main())
