"""How time and memory grow with regions, days, windows, images, pixels and rows of a table: at 1x, 10x and 100x.

`python bench/scale.py [AXIS ...]` measures each point in a process of its own and prints its time, its peak memory
(resident set, as the operating system counts it: `VmHWM`) and the slopes between two points on logarithmic axes: 1.0
grows as the work does, 2.0 with its square. The slope of memory is that of what is beyond the process's memory before
the work, and is not given where that is below 20 MB.
"""

import argparse
import itertools
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

POINTS = 1, 10, 100
LEAST_MB = 20.0


def counts_of(regions: int, days: int) -> np.ndarray:
    """Poisson counts whose levels follow six waves that regions share."""
    draw = np.random.default_rng(0)
    day = np.arange(days)
    waves = np.stack([np.sin(2 * np.pi * day / draw.uniform(80, 300) + draw.uniform(0, 6)) for _ in range(6)])
    counts = np.empty((regions, days), dtype=np.int64)
    for row in counts:
        row[:] = draw.poisson(3 * np.exp(1.5 * draw.normal() + 0.6 * draw.normal(size=6) @ waves))
    return counts


def panel_of(regions: int, days: int):
    from twofold.counts.panel import Panel

    names = tuple(f"region {i:05d}" for i in range(regions))
    return Panel(names, np.datetime64("2000-01-01") + np.arange(days), counts_of(regions, days), "incident")


def prepared(regions: int, days: int) -> Callable[[], str]:
    """All that comes before the training of the default recipe: doubts, screen, windows, split, inputs."""
    from twofold.counts.load import examined
    from twofold.trend.recipes import default
    from twofold.trend.train import Stage
    from twofold.trend.windows import prepare

    panel, config = panel_of(regions, days), default()

    def work() -> str:
        found = prepare(examined(panel, config.source, "simulated"), config)
        inputs = Stage("evaluate", found.increments, found.windows, found.split.known, config).inputs
        return f"{int(found.screen.selected.sum())} regions in C, {len(inputs)} windows"

    return work


def trained(windows: int) -> Callable[[], str]:
    """200 steps of the default's GRU on batches of 512, drawn from all of so many windows of 14 days."""
    import torch

    from twofold.engine.loop import Plan, TrainState, fit, shuffled
    from twofold.trend.model import Recurrent, region_codes
    from twofold.trend.recipes import default
    from twofold.trend.train import Stage, make_loss
    from twofold.trend.windows import slide

    config, steps = default(), 200
    panel = panel_of(windows // 500, 515)  # 500 origins each

    def work() -> str:
        torch.set_num_threads(1)
        increments = panel.increments("keep")
        found = slide(increments, np.ones(len(panel.regions), dtype=bool), config.window)
        stage = Stage("final", increments, found, np.arange(len(found)), config)
        module = Recurrent.seeded(stage.inputs, len(panel.regions), "gru", config=config.model, seed=0)
        loss = make_loss(stage, region_codes(stage.inputs, panel.regions, stage.features.context))
        every = shuffled(torch.from_numpy(stage.rows), 512, 0)
        state = TrainState(module, torch.optim.AdamW(module.parameters(), lr=2e-3))
        plan = Plan(1, 2e-3, "constant", clip_norm=1.0, patience=1, seed=0)
        [record] = fit(state, plan, lambda epoch: itertools.islice(every(epoch), steps), loss)
        return f"{len(found)} windows, {state.step} steps, loss {record['train_loss']:.4f}"

    return work


def imaged(number: int, side: int, folder: Path) -> Callable[[], str]:
    """Reads images from an array into the cache, and trains a small network of the plain kind on them for one epoch."""
    import torch

    from twofold.vae.config import ImageConfig, LikelihoodConfig, ModelConfig, TrainConfig, VaeConfig
    from twofold.vae.images.load import load_images, split_of
    from twofold.vae.principal import principal
    from twofold.vae.train import train

    draw, path = np.random.default_rng(0), folder / "images.npy"
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (number, side, side, 3))
    for row in pixels:
        blocks = np.kron(draw.integers(0, 256, (4, 4, 3)), np.ones((side // 4, side // 4, 1), dtype=int))
        row[:] = blocks ^ draw.integers(0, 8, row.shape)
    del pixels
    config = VaeConfig(
        image=ImageConfig(size=side, channels=3),
        model=ModelConfig(network="plain", latent_dim=8, width=4, depth=0),
        likelihood=LikelihoodConfig(name="gaussian"),
        train=TrainConfig(epochs=1),
    )

    def work() -> str:
        images = load_images(path, config.image, strict=True, cache=folder / "cache")
        split = split_of(images, config.split)
        found = principal(images.pixels, split.train, 8, 0)
        records: list[dict] = []
        train(
            images,
            split,
            config,
            torch.device("cpu"),
            checkpoints=folder / "checkpoint",
            on_epoch=records.append,
            on_step=lambda _done, _all: None,
        )
        size = images.pixels.nbytes / 2**20
        return f"{size:.0f} MB of pixels, variance {found.total:.1f}, loss {records[-1]['train_loss']:.0f}"

    return work


def tabled(rows: int, folder: Path) -> Callable[[], str]:
    """Reads a long table (region, date, cases) from CSV."""
    import polars as pl

    from twofold.counts.config import SourceConfig
    from twofold.counts.load import load_panel

    panel, path = panel_of(rows // 500, 500), folder / "long.csv"
    pl.DataFrame(
        {
            "region": np.repeat(np.array(panel.regions), 500),
            "date": np.tile(panel.dates, len(panel.regions)),
            "cases": panel.values.ravel(),
        }
    ).write_csv(path)

    def work() -> str:
        found = load_panel(path, SourceConfig())
        assert (found.values == panel.values).all()
        return f"{path.stat().st_size / 2**20:.0f} MB of text"

    return work


AXES: dict[str, tuple[str, int, Callable[[int, Path], Callable[[], str]]]] = {
    "regions": ("regions of 1,000 days", 200, lambda size, _: prepared(size, 1000)),
    "days": ("days of 100 regions", 100, lambda size, _: prepared(100, size)),
    "windows": ("windows of 14 days", 100_000, lambda size, _: trained(size)),
    "images": ("images of 32 x 32 pixels", 300, lambda size, folder: imaged(size, 32, folder)),
    "pixels": ("pixels in each of 100 images", 32 * 32, lambda size, folder: imaged(100, side_of(size), folder)),
    "rows": ("rows of a long table", 20_000, tabled),
}


def side_of(pixels: int) -> int:
    """Side of the square with about so many pixels, in fours."""
    return 4 * round(math.sqrt(pixels) / 4)


def measure(axis: str, size: int) -> None:
    """Prints what one point costs in this process, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        work = AXES[axis][2](size, Path(folder))
        Path("/proc/self/clear_refs").write_text("5")  # the peak of what comes, not of the making of data
        before_mb, began = peak_mb(), time.perf_counter()
        said = work()
        print(
            json.dumps({"s": time.perf_counter() - began, "before_mb": before_mb, "peak_mb": peak_mb(), "said": said})
        )


def peak_mb() -> float:
    """Largest resident set so far, as the operating system counts it."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 2**10


def slope(before: float, after: float, work: float) -> float:
    return math.log(after / before) / math.log(work)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=f"of {', '.join(AXES)}; all by default")
    parser.add_argument("--measure", nargs=2, metavar=("AXIS", "SIZE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen.measure[0], int(chosen.measure[1]))
        return 0
    unknown = set(chosen.axes) - set(AXES)
    if unknown:
        parser.error(f"no axis {', '.join(sorted(unknown))}; there are {', '.join(AXES)}")
    for axis in chosen.axes or AXES:
        words, size, _ = AXES[axis]
        print(f"{axis}: {words}\n{'':>12} {'time, s':>9} {'slope':>6} {'peak, MB':>9} {'before':>7} {'slope':>6}")
        last = None
        for times in POINTS:
            command = [sys.executable, __file__, "--measure", axis, str(size * times)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            own = found["peak_mb"] - found["before_mb"]
            slopes = ["", ""]
            if last:
                slopes[0] = f"{slope(last['s'], found['s'], 10):.2f}"
                if last["own"] >= LEAST_MB:
                    slopes[1] = f"{slope(last['own'], own, 10):.2f}"
            print(
                f"{size * times:>12,} {found['s']:>9.2f} {slopes[0]:>6} {found['peak_mb']:>9.0f} "
                f"{found['before_mb']:>7.0f} {slopes[1]:>6}  {found['said']}",
                flush=True,
            )
            last = found | {"own": own}
    return 0


if __name__ == "__main__":
    sys.exit(main())
