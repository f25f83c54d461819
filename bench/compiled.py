"""What `torch.compile` makes of a training step of the default, beside the same step as it is.

`python bench/compiled.py [--images FOLDER] [--device cpu] [--steps 60]` trains the default's loss (forward, backward,
optimiser) on batches of the avatars or of a folder, in fp32 and, where the device computes it, in bf16: once as it is,
once compiled. Prints the seconds until the first compiled step is done, medians of a step, their ratio, and after how
many steps the time of compilation has been won back. Needs a C++ compiler on a CPU.
"""

import argparse
import statistics
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

from twofold.engine.device import computes_bf16, pick_device
from twofold.engine.loop import Step
from twofold.engine.seed import torch_generator
from twofold.vae.commands import Source, read
from twofold.vae.config import with_epochs
from twofold.vae.images.load import split_of
from twofold.vae.recipes import recipe
from twofold.vae.start import begin
from twofold.vae.train import Precision, make_loss


def measure(options: argparse.Namespace, precision: Precision, compiled: bool) -> tuple[float, float]:
    """Seconds of the first step, and the median of the others."""
    torch._dynamo.reset()
    config = recipe("default")
    images, *_ = read(Source(images=options.images), config.image, config.split)
    config = config.model_copy(update={"image": images.config})
    split, device = split_of(images, config.split), pick_device(options.device)
    with tempfile.TemporaryDirectory() as scratch:
        began = begin(images, split, with_epochs(config, len(split.train)), device, Path(scratch))
    vae = began.vae.train()
    optimiser = torch.optim.AdamW([weight for weight in vae.parameters() if weight.requires_grad], fused=True)
    if compiled:
        # By its own choice of memory layout inductor expects other strides than replication_pad2d_backward gives.
        choices: dict[str, Any] = {"layout_optimization": False}
        vae.encoder.compile(options=choices)
        vae.decoder.compile(options=choices)
        vae.likelihood.nll = torch.compile(vae.likelihood.nll, options=choices)
    loss, generator = make_loss(images, began, split.train, device, precision), torch_generator(0, "compiled")
    batches = torch.from_numpy(split.train).split(config.train.batch_size)[:-1]
    seconds = []
    for rows in islice(cycle(batches), options.steps):
        start = time.perf_counter()
        optimiser.zero_grad()
        found, _ = loss(vae, Step(rows, generator, 0.5))
        found.backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds[0], statistics.median(seconds[5:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    precisions: list[Precision] = ["fp32"]
    if computes_bf16(pick_device(options.device)):
        precisions.append("bf16")
    print(f"{'':<6} {'step, ms':>9} {'compiled, ms':>13} {'ratio':>6} {'compilation, s':>15} {'won back after':>15}")
    for precision in precisions:
        _, plain_s = measure(options, precision, compiled=False)
        first_s, compiled_s = measure(options, precision, compiled=True)
        gain_s = plain_s - compiled_s
        after = f"{first_s / gain_s:,.0f} steps" if gain_s > 0 else "never"
        print(
            f"{precision:<6} {1e3 * plain_s:>9.1f} {1e3 * compiled_s:>13.1f} {plain_s / compiled_s:>6.2f} "
            f"{first_s:>15.1f} {after:>15}",
            flush=True,
        )


if __name__ == "__main__":
    main()
