"""Both studies, one after the other, on the data that ships with the package."""

from dataclasses import dataclass
from pathlib import Path

from twofold.engine.flags import parse

IMAGES = 2000
"""Training images that the vae study is shown."""


@dataclass(frozen=True)
class DemoFlags:
    """Runs both studies by their default recipes: trend on a simulated epidemic, vae on rendered avatars.

    The vae trains on 2,000 images, repeats counted, a fifth of what a run would show: enough to beat PNG and WebP.
    """

    out: Path = Path("runs/demo")
    """Folder for the run folders `trend` and `vae`."""
    overwrite: bool = False
    """Empty them first."""


def demo(argv: list[str]) -> int:
    """`twofold demo`."""
    flags = parse(DemoFlags, argv, "demo", default=DemoFlags())

    from twofold.trend import commands as trend
    from twofold.trend import recipes as trend_recipes
    from twofold.vae import commands as vae
    from twofold.vae import recipes as vae_recipes

    command = ["twofold", "demo", *argv]
    trend.run_with(
        trend.RunFlags(config=trend_recipes.default(), out=flags.out / "trend", overwrite=flags.overwrite), command
    )
    short = vae_recipes.default()
    short = short.model_copy(update={"train": short.train.model_copy(update={"images": IMAGES})})
    vae.run_with(vae.RunFlags(config=short, out=flags.out / "vae", overwrite=flags.overwrite), command)
    return 0
