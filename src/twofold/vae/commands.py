"""The study's commands: words in, an exit status out. Only here do computing and showing meet."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from pydantic import ValidationError
from rich.console import Console

from twofold.engine.config import explain, short_digest
from twofold.engine.device import describe_device, pick_device
from twofold.engine.errors import InputError
from twofold.engine.flags import parse, word_after
from twofold.engine.run import claim
from twofold.engine.terminal import deliver, render
from twofold.vae.config import VaeConfig
from twofold.vae.images.loading import Source, read
from twofold.vae.recipes import RECIPES, departures, recipe
from twofold.vae.report import run as report
from twofold.vae.report import sweep as sweep_report
from twofold.vae.rescore import rescore
from twofold.vae.run import execute
from twofold.vae.saved import open_vae
from twofold.vae.split import split_images
from twofold.vae.sweep import SweepConfig, execute_runs, summarise
from twofold.vae.terminal import score_table, show_scores, sweep_table, training


@dataclass(frozen=True, kw_only=True)
class RunFlags(Source):
    """Trains a variational autoencoder on images and writes its whole account: scores, pictures, a model, a report.

    Without --images it uses the rendered avatars that ship with the package. The same command goes on where an
    interrupted one stopped, and ends with the same figures.
    """

    config: Annotated[VaeConfig, tyro.conf.arg(name="")]
    out: Path | None = None
    """Run folder; by default runs/vae/RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""


def run(argv: list[str]) -> int:
    """`twofold vae run`."""
    return run_study(_parse(RunFlags, argv, "vae run"), ["twofold", "vae", "run", *argv])


def run_study(flags: RunFlags, command: list[str]) -> int:
    """One run, from images to a report."""
    console = Console(stderr=True)
    device = pick_device(flags.config.train.device)
    images, labels = read(flags, flags.config.image, console)
    split_images(images.hashes, flags.config.split)  # too few images are told before any folder is made
    out = flags.out or Path("runs/vae") / f"{flags.config.recipe}-{short_digest(flags.config, images.digest)}"
    _note(console, departures(flags.config))
    with claim(
        out, flags.config, images.digest, command, overwrite=flags.overwrite, device=describe_device(device)
    ) as folder:
        if folder.done:
            console.print(f"{out} holds this very run, finished; --overwrite runs it again")
        else:
            with training(console) as watch:
                journal, progress = watch(flags.config)
                execute(images, flags.config, folder, labels=labels, journal=journal, progress=progress)
            report.write(out)
            folder.finish()
    show_scores(json.loads((out / "scores.json").read_text()), out)
    return 0


@dataclass(frozen=True, kw_only=True)
class SweepFlags(Source):
    """Trains the same network under several weights of the KL term and sets the runs side by side.

    Same first weights and order of the data for every beta; each run is a whole run folder under OUT/runs, and every
    one is also scored on the ELBO with beta = 1. What an interrupted sweep has done is kept. Without --images it uses
    the rendered avatars that ship with the package.
    """

    config: Annotated[VaeConfig, tyro.conf.arg(name="")]
    betas: tuple[float, ...] = (0.0, 1.0, 100.0)
    """Weights of the KL term; the original study's by default."""
    seeds: tuple[int, ...] = ()
    """Seeds, for error bars; by default --seed alone."""
    out: Path | None = None
    """Sweep folder; by default runs/vae/sweep-RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the sweep folder first."""


def sweep(argv: list[str]) -> int:
    """`twofold vae sweep`."""
    flags = _parse(SweepFlags, argv, "vae sweep")
    console = Console(stderr=True)
    device = pick_device(flags.config.train.device)
    grid = _grid(flags)
    images, labels = read(flags, flags.config.image, console)
    split_images(images.hashes, flags.config.split)
    out = flags.out or Path("runs/vae") / f"sweep-{flags.config.recipe}-{short_digest(grid, images.digest)}"
    _note(console, departures(flags.config))
    command = ["twofold", "vae", "sweep", *argv]
    with claim(out, grid, images.digest, command, overwrite=flags.overwrite, device=describe_device(device)) as folder:
        if folder.done:
            console.print(f"{out} holds this very sweep, finished; --overwrite runs it again")
        else:
            with training(console) as watch:
                for finished in execute_runs(images, grid, folder, labels=labels, watch=watch):
                    report.write(finished.path)
            summarise(grid, out)
            sweep_report.write_sweep(out)
            folder.finish()
    found = json.loads((out / "sweep.json").read_text())["runs"]
    sys.stdout.write(render(sweep_table(found)))
    sys.stdout.write(f"Report: {out / 'report.html'}\n")
    return 0


def _parse(kind: type[Any], argv: list[str], words: str) -> Any:
    """As `parse`, with the recipe's config as what is not given."""
    given = kind(config=recipe(word_after("--recipe", argv) or "default"))
    return parse(kind, argv, words, default=given, hint=f"Recipes: {', '.join(RECIPES)}.")


def _grid(flags: SweepFlags) -> SweepConfig:
    seeds = flags.seeds or (flags.config.seed,)
    try:
        return SweepConfig(base=flags.config, betas=flags.betas, seeds=seeds)
    except ValidationError as error:
        raise InputError(f"--{explain(error)}; see `twofold vae sweep --help`") from error


@dataclass(frozen=True, kw_only=True)
class ScoreFlags(Source):
    """Prints the scores of a finished run, or with --images scores its model on others.

    Images that it was trained on, or that stopped its training, are left out and counted.
    """

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    format: Literal["table", "json"] = "table"
    """How to print."""
    out: Path | None = None
    """File to write instead of printing."""


def score(argv: list[str]) -> int:
    """`twofold vae score`."""
    flags = parse(ScoreFlags, argv, "vae score")
    if flags.images is None:
        open_vae(flags.run, pick_device("cpu"))  # a folder that holds no finished vae run is refused
        found = json.loads((flags.run / "scores.json").read_text())
        title = f"{flags.run}: {found['test']['images']:,} test images"
        blocks = {part: found[part] for part in ("test", "linear", "validation", "train_sample")}
    else:
        vae, config = open_vae(flags.run, pick_device("auto"))
        images, _ = read(flags, config.image, Console(stderr=True))
        found = rescore(flags.run, vae, config, images)
        title = (
            f"{flags.images}: {found['images']:,} images new to the model; {found['seen']:,} left out, since it "
            f"was trained on them; {found['skipped']:,} could not be read"
        )
        blocks = {"these images": found["test"]}
    text = json.dumps(found, indent=2) + "\n" if flags.format == "json" else render(score_table(title, blocks))
    deliver(text, flags.out)
    return 0


def _note(console: Console, departure: str | None) -> None:
    if departure:
        console.print(f"note: {departure}", style="yellow", markup=False, highlight=False)
