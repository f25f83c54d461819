"""Both studies on what ships with the package, one after the other."""

from dataclasses import dataclass
from pathlib import Path

from twofold.engine.flags import parse
from twofold.trend import commands as trend
from twofold.trend.recipes import default as trend_default
from twofold.vae import commands as vae
from twofold.vae.recipes import default as vae_default


@dataclass(frozen=True)
class DemoFlags:
    """Runs both studies without any data: trend on a simulated epidemic, vae on rendered avatars.

    Every step and picture of each, by its default recipe.
    """

    out: Path = Path("runs/demo")
    """Folder for the run folders `trend` and `vae`."""
    overwrite: bool = False
    """Empty them first."""


def demo(argv: list[str]) -> int:
    """`twofold demo`."""
    flags = parse(DemoFlags, argv, "demo", default=DemoFlags())
    command = ["twofold", "demo", *argv]
    trend.run_with(trend.RunFlags(trend_default(), None, flags.out / "trend", flags.overwrite), command)
    vae.run_with(vae.RunFlags(config=vae_default(), out=flags.out / "vae", overwrite=flags.overwrite), command)
    return 0
