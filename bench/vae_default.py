"""What the default recipe reaches in a given time, beside what anyone would use.

`TWOFOLD_DATA=FOLDER python bench/vae_default.py [SECONDS ...]` (60 and 300 by default) trains the default recipe on the
faces once per number of seconds: wall clock of the whole training from the first image in the cache, with its
closed-form start, validation and checkpoints. Budgets are in images, so the pace is measured first. Prints bits per dim
of the test images, and beside them probabilistic PCA, lossless WebP and PNG with paired differences. Fails when a
budget up to 60, 300 or 1,800 s ends above 3.70, 3.58 or 3.48 bits per dim, or anything beside it is as low.
"""

import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from twofold.vae.account import differences, score_plain, score_rivals
from twofold.vae.config import VaeConfig
from twofold.vae.images.cache import default_folder
from twofold.vae.images.load import Images, Split, load_images, split_images
from twofold.vae.recipes import default
from twofold.vae.start import begin
from twofold.vae.train import OnStep, Trained, train

GOALS = {60.0: 3.70, 300.0: 3.58, 1800.0: 3.48}
PACE_S = 20.0


class EnoughError(Exception):
    """Ends a training whose speed is known."""


@dataclass(frozen=True)
class Pace:
    """Seconds until the first step, of a step, and of validation after an epoch."""

    start: float
    step: float
    validation: float


def trained(images: Images, split: Split, config: VaeConfig, on_step: OnStep) -> tuple[Trained, float]:
    """The trained network, and the seconds of the whole training."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path, cpu = Path(folder), torch.device("cpu")
        found = train(images, split, config, cpu, checkpoints=path, on_epoch=lambda _: None, on_step=on_step)
    return found, time.perf_counter() - began


def pace(images: Images, split: Split, config: VaeConfig) -> Pace:
    """Measured by a training that is ended after its first steps."""
    times: list[float] = []

    def count(done: int, total: int) -> None:
        times.append(time.perf_counter())
        if times[-1] - times[0] > PACE_S:
            raise EnoughError

    began = time.perf_counter()
    with contextlib.suppress(EnoughError):
        trained(images, split, config, count)
    step = (times[-1] - times[0]) / (len(times) - 1)
    # Without gradients an image takes about two fifths of a step's time per image.
    validation = 0.4 * step * len(split.validation) / config.train.batch_size
    return Pace(times[0] - began, step, validation)


def within(config: VaeConfig, split: Split, seconds: float, measured: Pace) -> VaeConfig:
    """The config with a budget of images for the seconds, of which a twentieth is left over."""
    in_an_epoch = len(split.train) / config.train.batch_size
    left = 0.95 * seconds - measured.start - measured.validation  # the last validation ends the last, partial epoch
    steps = max(1.0, left / (measured.step + measured.validation / in_an_epoch))
    budget = {"images": int(steps) * config.train.batch_size}
    return config.model_copy(update={"train": config.train.model_copy(update=budget)})


def main() -> int:
    budgets = [float(word) for word in sys.argv[1:]] or [60.0, 300.0]
    config, failed = default(), False
    path = Path(os.environ["TWOFOLD_DATA"]) / "faces-64.zip"
    images = load_images(path, config.image, strict=False, cache=default_folder())
    split = split_images(images.hashes, config.split)
    measured = pace(images, split, config)
    print(
        f"{len(split.train):,} training images, {torch.get_num_threads()} threads; start {measured.start:.1f} s, then "
        f"{config.train.batch_size / measured.step:.0f} images a second",
        flush=True,
    )
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        started = begin(images, split, config, torch.device("cpu"), Path(folder))
    took = time.perf_counter() - began
    block, _ = score_plain(started.vae.eval(), images, split.test, started.config, torch.device("cpu"))
    print(
        f"closed-form start after {took:.1f} s: {block['bits_per_dim']:.4f} bits per dim on the test images", flush=True
    )
    rivals = score_rivals(
        images, split, config.model_copy(update={"model": config.model.model_copy(update={"latent_dim": 512})})
    )
    for seconds in budgets:
        found, took = trained(images, split, within(config, split, seconds, measured), lambda done, total: None)
        block, scored = score_plain(found.vae, images, split.test, found.config, torch.device("cpu"))
        bits, error = block["bits_per_dim"], block["standard_errors"]["bits_per_dim"]
        print(
            f"{seconds:.0f} s: {bits:.4f} ± {error:.4f} bits per dim on {len(split.test):,} test images after "
            f"{took:.1f} s and {found.images_seen:,} images ({found.precision}; rate {block['rate_nats']:.0f} nats)",
            flush=True,
        )
        beside = differences(scored, rivals.coded, rivals.by_linear)
        for name, gap in beside.items():
            print(f"  network minus {name}: {gap['mean']:+.4f} ± {gap['standard_error']:.4f}", flush=True)
        goal = next((goal for least, goal in GOALS.items() if seconds <= least), GOALS[1800.0])
        failed |= took > seconds or bits > goal or any(gap["mean"] >= 0 for gap in beside.values())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
