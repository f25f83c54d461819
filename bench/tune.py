"""Tuning beside the default for the same time, on the avatars: validation figures, then the test images, once.

`python bench/tune.py [--minutes 10] [--trial-budget 1m] [--images FOLDER] [--longer] [--out FOLDER]`. Tunes for that
many minutes with as many processes as cores; trains the default for as many minutes with all cores; and runs the best
config as it was found, each a `twofold vae run`, which scores the test images. With --longer the best settings are
trained for as many minutes, too: what tuning is for, at the price of its own time. Prints bits per dim of validation
and test images and the seconds of each training. Needs a quiet machine.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twofold.cli import main
from twofold.engine.device import pick_device
from twofold.vae.commands import Source, read
from twofold.vae.config import VaeConfig, with_epochs
from twofold.vae.images.load import split_of
from twofold.vae.recipes import recipe
from twofold.vae.start import begin
from twofold.vae.tune import Material, images_within


def called(*words: str) -> None:
    """Runs a command of twofold."""
    print("$ twofold", *words, flush=True)
    if status := main(list(words)):
        sys.exit(status)


def pace(config: VaeConfig, source: Source, minutes: float) -> int:
    """Training images that a config sees in a time, its start included."""
    began = time.perf_counter()
    images, *_ = read(source, config.image, config.split)
    split, device = split_of(images, config.split), pick_device("auto")
    with tempfile.TemporaryDirectory() as scratch:
        whole = with_epochs(config.model_copy(update={"image": images.config}), len(split.train))
        started = begin(images, split, whole, device, Path(scratch))
        left_s = 60.0 * minutes - (time.perf_counter() - began)
        return images_within(left_s, started, Material(images, split, 0.0), device, Path(scratch))


def measured(folder: Path) -> dict[str, Any]:
    """What a run came to."""
    scores = json.loads((folder / "scores.json").read_text())
    bits = {part: scores[part]["bits_per_dim"] for part in ("validation", "test")}
    return bits | {"error": scores["test"]["standard_errors"]["bits_per_dim"], "s": scores["training"]["seconds"]}


def tune(options: argparse.Namespace, out: Path) -> None:
    """All of it, in a folder."""
    source = ["--images", str(options.images)] if options.images else []
    minutes = f"{options.minutes:g}m"
    best = out / "tune" / "best.json"
    called(
        "vae", "tune", *source, "--budget", minutes, "--trial-budget", options.trial_budget, "--out", str(out / "tune")
    )
    found = json.loads((out / "tune" / "tune.json").read_text())
    number = pace(recipe("default"), Source(images=options.images), options.minutes)
    called(
        "vae", "run", *source, "--train.images", str(number), "--train.patience", "1000", "--out", str(out / "default")
    )
    called("vae", "run", *source, "--config", str(best), "--out", str(out / "best"))
    runs = {f"default for {minutes}": out / "default", "best config as found": out / "best"}
    if options.longer:
        config = VaeConfig.model_validate_json(best.read_text())
        number = pace(config, Source(images=options.images), options.minutes)
        words = ["--train.images", str(number), "--train.patience", "1000", "--out", str(out / "longer")]
        called("vae", "run", *source, "--config", str(best), *words)
        runs[f"best settings for {minutes}"] = out / "longer"
    counts = ", ".join(f"{number} {state}" for state, number in found["counts"].items())
    print(f"\n{len(found['trials'])} trials in {found['spent_s']:.0f} s: {counts}")
    print(f"validation bits per dim of trials: default {found['default']['value']}, best {found['best']['value']:.4f}")
    print(f"{'':<28} {'validation':>10} {'test':>8} {'error':>7} {'training s':>10}")
    for name, folder in runs.items():
        row = measured(folder)
        print(f"{name:<28} {row['validation']:>10.4f} {row['test']:>8.4f} {row['error']:>7.4f} {row['s']:>10.0f}")
    for name in ("best", "default"):
        print(name, found[name]["values"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--trial-budget", default="1m")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--longer", action="store_true")
    parser.add_argument("--out", type=Path, help="keep the folders; by default they are temporary")
    options = parser.parse_args()
    if options.out:
        tune(options, options.out)
    else:
        with tempfile.TemporaryDirectory() as folder:
            tune(options, Path(folder))
