"""The commands of the vae study: each parses its options, runs the computation and the report, returns an exit status.

Slow imports stand in the function that needs them, so that help and errors in options or paths appear at once.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from pydantic import ValidationError

from twofold.engine.config import Config, explain
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import arrays, text, write_arrays, write_bytes
from twofold.engine.flags import parse, word_after
from twofold.engine.job import Job, fill
from twofold.engine.run import RunFolder, require_done
from twofold.engine.terminal import counting, deliver, note, render
from twofold.vae.config import ImageConfig, PathName, SweepConfig, VaeConfig
from twofold.vae.recipes import RECIPES, departures, recipe
from twofold.vae.report import wording

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    from twofold.vae.images.load import Images
    from twofold.vae.latent import Autoencoder
    from twofold.vae.train import OnEpoch, OnStep

COLUMNS = 8
"""Images per row of a picture."""
HINT = f"Recipes: {', '.join(RECIPES)}."


@dataclass(frozen=True, kw_only=True)
class Source:
    """The options of every command that reads images."""

    images: Path | None = None
    """Folder, zip, tar or .npy/.npz of images."""
    strict: bool = False
    """Fail at the first file that can't be read, instead of listing it as skipped."""
    cache: Path | None = None
    """Folder for decoded images; by default $TWOFOLD_CACHE, else twofold in the user's cache folder."""


@dataclass(frozen=True, kw_only=True)
class RunFlags(Source):
    """Trains a variational autoencoder on images and writes scores, pictures, a model and a report.

    Without --images it uses the rendered avatars that ship with the package. The same command continues an interrupted
    run and ends with the same results.
    """

    config: Annotated[VaeConfig, tyro.conf.arg(name="")]
    out: Path | None = None
    """Run folder; by default runs/vae/RECIPE-DIGEST."""
    overwrite: bool = False
    """Empty the run folder first."""


def run(argv: list[str]) -> int:
    """`twofold vae run`."""
    default = RunFlags(config=recipe(word_after("--recipe", argv) or "default"))
    flags = parse(RunFlags, argv, "vae run", default=default, hint=HINT)
    return run_with(flags, ["twofold", "vae", "run", *argv])


def run_with(flags: RunFlags, command: list[str]) -> int:
    """One run, from images to a report."""
    job, images, labels = _prepare(flags, flags.config, "run", command)

    def compute(folder: RunFolder, console: "Console") -> None:
        from twofold.vae.run import execute

        with training_bars(console) as track:
            on_epoch, on_step = track(flags.config)
            execute(images, flags.config, folder, labels=labels, on_epoch=on_epoch, on_step=on_step)

    def report(folder: Path) -> None:
        from twofold.vae.report import run

        run.write(folder)

    out = fill(job, compute, report)
    scores = json.loads((out / "scores.json").read_text())
    test, data, beta = scores["test"], scores["data"], scores["objective"]["beta"]
    title = f"{test['images']:,} test images of {data['images']:,} ({data['source']}), beta {beta:g}"
    table = score_table(title, {"test": test, "linear model (PCA)": scores["linear"]})
    sys.stdout.write(f"{render(table)}Report: {out / 'report.html'}\n")
    return 0


@dataclass(frozen=True, kw_only=True)
class SweepFlags(Source):
    """Trains the same network under several weights of the KL term and compares the runs.

    All betas share initial weights and order of the data. Each run is a complete run folder under OUT/runs and is also
    scored on the ELBO with beta = 1. An interrupted sweep continues where it stopped. Without --images it uses the
    rendered avatars that ship with the package.
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
    default = SweepFlags(config=recipe(word_after("--recipe", argv) or "default"))
    flags = parse(SweepFlags, argv, "vae sweep", default=default, hint=HINT)
    try:
        grid = SweepConfig(base=flags.config, betas=flags.betas, seeds=flags.seeds or (flags.config.seed,))
    except ValidationError as error:
        raise InputError(f"--{explain(error)}; see `twofold vae sweep --help`") from error
    job, images, labels = _prepare(flags, grid, "sweep", ["twofold", "vae", "sweep", *argv])

    def compute(folder: RunFolder, console: "Console") -> None:
        from twofold.vae.report import run
        from twofold.vae.sweep import execute_runs, summarise

        with training_bars(console) as track:
            for finished in execute_runs(images, grid, folder, labels=labels, track=track):
                run.write(finished.path)
        summarise(grid, folder.path)

    def report(folder: Path) -> None:
        from twofold.vae.report import sweep

        sweep.write(folder)

    out = fill(job, compute, report)
    table = sweep_table(json.loads((out / "sweep.json").read_text())["runs"])
    sys.stdout.write(f"{render(table)}Report: {out / 'report.html'}\n")
    return 0


def _prepare(
    flags: RunFlags | SweepFlags, config: Config, what: str, command: list[str]
) -> tuple[Job, "Images", "pl.DataFrame | None"]:
    """The job, its images and the avatars' attributes; an error here comes before any folder is made."""
    from twofold.vae.images.load import split_images

    def device() -> str:
        from twofold.engine.device import describe_device, pick_device

        return describe_device(pick_device(flags.config.train.device))

    if flags.config.train.device == "cuda":
        device()  # a missing GPU is reported before images are decoded
    images, labels = read(flags, flags.config.image)
    split_images(images.hashes, flags.config.split)  # raises when there are too few images
    name = f"vae/{flags.config.recipe}" if what == "run" else f"vae/{what}-{flags.config.recipe}"
    departed = departures(flags.config)
    notes = [wording.departures(departed)] if departed else []
    job = Job(what, command, config, images.digest, name, flags.out, flags.overwrite, notes, device())
    return job, images, labels


@dataclass(frozen=True, kw_only=True)
class ScoreFlags(Source):
    """Prints the scores of a finished run, or with --images scores its model on other images.

    Images of its training and validation sets are left out and counted.
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
    require_done(flags.run, "twofold vae run")
    if flags.images is None:
        config = text(flags.run, "config.json")
        try:
            VaeConfig.from_json(config, "config.json")
        except InputError as error:
            wanted = "give the folder of a finished `twofold vae run`"
            raise RunFolderError(f"{flags.run}: config.json is not that of a vae run; {wanted}") from error
        found = json.loads(text(flags.run, "scores.json"))
        title = f"{flags.run}: {found['test']['images']:,} test images"
        blocks = {part: found[part] for part in ("test", "linear", "validation", "train_sample")}
    else:
        from twofold.engine.device import pick_device
        from twofold.vae.account import rescore
        from twofold.vae.model import open_vae

        vae, config = open_vae(flags.run, pick_device("auto"))
        images, _ = read(flags, config.image)
        found = rescore(flags.run, vae, config, images)
        title = (
            f"{flags.images}: {found['images']:,} images new to the model; {found['seen']:,} left out, since it "
            f"was trained on them; {found['skipped']:,} could not be read"
        )
        blocks = {"these images": found["test"]}
    shown = json.dumps(found, indent=2) + "\n" if flags.format == "json" else render(score_table(title, blocks))
    deliver(shown, flags.out)
    return 0


@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """The options of every command that uses a finished run's model."""

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU where there is one."""


@dataclass(frozen=True, kw_only=True)
class ImageFlags(ModelFlags, Source):
    """The options of those that also need images; a run on the embedded avatars needs no --images."""


@dataclass(frozen=True, kw_only=True)
class ReconstructFlags(ImageFlags):
    """Encodes and decodes images: in each pair of columns the original left, its reconstruction right."""

    number: int = 32
    """Images to take, the first ones by name; 0: all."""
    out: Path = Path("reconstructions.png")
    """Picture (.png), or arrays `names`, `real` and `reconstruction` (.npz)."""


def reconstruct(argv: list[str]) -> int:
    """`twofold vae reconstruct`."""
    flags = parse(ReconstructFlags, argv, "vae reconstruct")
    _check(flags.run, flags.out)
    model, images = _open_with_images(flags)

    import numpy as np

    from twofold.vae.latent import to_pixels
    from twofold.vae.report import sheets

    real = images.pixels[: flags.number if flags.number > 0 else None]
    back = to_pixels(model.reconstruct(real))
    names = np.array(images.names)[: len(real)]
    picture = partial(sheets.pairs, real, back, COLUMNS // 2)
    return _write(flags.out, picture, names=names, real=real, reconstruction=back)


@dataclass(frozen=True, kw_only=True)
class SampleFlags(ModelFlags):
    """Decodes samples of the prior: new images."""

    number: int = 64
    """Number of images."""
    seed: int = 0
    """Seed of the samples."""
    out: Path = Path("samples.png")
    """Picture (.png), or the array `samples` (.npz)."""


def sample(argv: list[str]) -> int:
    """`twofold vae sample`."""
    flags = parse(SampleFlags, argv, "vae sample")
    _at_least("--number", flags.number, 1)
    _at_least("--seed", flags.seed, 0)
    _check(flags.run, flags.out)

    from twofold.vae.latent import Autoencoder, to_pixels
    from twofold.vae.report import sheets

    drawn = to_pixels(Autoencoder.open(flags.run, flags.device).sample(flags.number, flags.seed))
    return _write(flags.out, partial(sheets.grid, drawn, COLUMNS), samples=drawn)


@dataclass(frozen=True, kw_only=True)
class InterpolateFlags(ImageFlags):
    """Decodes images along a path between the latent codes of two real images."""

    between: tuple[str, ...] = ()
    """Names of the images, two for each path; by default the first four pairs."""
    steps: int = 11
    """Images along each path, both ends included."""
    path: PathName = "linear"
    """`linear`, or `spherical`: along the great circle, where the prior has its mass."""
    out: Path = Path("interpolations.png")
    """Picture (.png), or arrays `start`, `end`, `ways` (.npz)."""


def interpolate(argv: list[str]) -> int:
    """`twofold vae interpolate`."""
    flags = parse(InterpolateFlags, argv, "vae interpolate")
    _at_least("--steps", flags.steps, 2)
    if len(flags.between) % 2:
        raise InputError(f"--between takes names in pairs, got {len(flags.between)}")
    _check(flags.run, flags.out)
    model, images = _open_with_images(flags)

    import numpy as np

    from twofold.vae.latent import to_pixels
    from twofold.vae.report import sheets

    rows = _rows(images, flags.between) or list(range(len(images.names) // 2 * 2))[:8]
    if not rows:
        raise InputError(f"--images: a path needs two images, got {len(images.names)}")
    start, end = images.pixels[rows[::2]], images.pixels[rows[1::2]]
    paths = to_pixels(model.interpolate(start, end, flags.steps, flags.path))
    framed = np.concatenate([start[:, None], paths, end[:, None]], axis=1)
    heads = ["real", *[f"{step / (flags.steps - 1):.2g}" for step in range(flags.steps)], "real"]
    return _write(flags.out, partial(sheets.rows, framed, heads=heads), start=start, end=end, ways=paths)


@dataclass(frozen=True, kw_only=True)
class TraverseFlags(ImageFlags):
    """Decodes one image's latent code with one unit at a time set to values across the prior."""

    name: str = ""
    """Name of the image; by default the first one."""
    units: tuple[int, ...] = ()
    """Units to vary; by default the ten with the largest rate on the run's test images."""
    span: float = 3.0
    """Largest value to each side, in standard deviations of the prior."""
    steps: int = 9
    """Number of values of each unit."""
    out: Path = Path("traversals.png")
    """Picture (.png), or arrays `units`, `values`, `images` (.npz)."""


def traverse(argv: list[str]) -> int:
    """`twofold vae traverse`."""
    flags = parse(TraverseFlags, argv, "vae traverse")
    _at_least("--steps", flags.steps, 2)
    _check(flags.run, flags.out)
    model, images = _open_with_images(flags)

    import numpy as np

    from twofold.vae.latent import to_pixels
    from twofold.vae.report import sheets

    latent = model.config.model.latent_dim
    units = list(flags.units) or arrays(flags.run, "arrays.npz")["traverse_units"].tolist()
    if not all(0 <= unit < latent for unit in units):
        raise InputError(f"--units must lie in 0 to {latent - 1} for this model, got {' '.join(map(str, units))}")
    row = _rows(images, (flags.name,)) if flags.name else [0]
    values = np.linspace(-flags.span, flags.span, flags.steps)
    moved = to_pixels(model.traverse(images.pixels[row], units, values))
    labels, heads = [f"unit {unit}" for unit in units], [f"{value:+.2g}" for value in values]
    picture = partial(sheets.rows, moved, labels, heads)
    return _write(flags.out, picture, units=np.array(units), values=values, images=moved)


@dataclass(frozen=True, kw_only=True)
class EncodeFlags(ImageFlags):
    """Writes each image's posterior: mean and log variance of every latent unit."""

    out: Path = Path("codes.npz")
    """Arrays `names`, `mu`, `logvar` (.npz)."""


def encode(argv: list[str]) -> int:
    """`twofold vae encode`."""
    flags = parse(EncodeFlags, argv, "vae encode")
    if flags.out.suffix != ".npz":
        raise InputError(f"--out {flags.out}: must end with .npz")
    _check(flags.run, flags.out)
    model, images = _open_with_images(flags)

    import numpy as np

    mu, logvar = model.posterior(images.pixels)
    return _write(flags.out, None, names=np.array(images.names), mu=mu, logvar=logvar)


def _at_least(flag: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{flag} must be at least {least}, got {value}")


def _check(run: Path, out: Path) -> None:
    if out.suffix not in (".png", ".npz"):
        raise InputError(f"--out {out}: must end with .png for a picture or .npz for arrays")
    require_done(run, "twofold vae run")


def _open_with_images(flags: ImageFlags) -> tuple["Autoencoder", "Images"]:
    from twofold.vae.latent import Autoencoder

    model = Autoencoder.open(flags.run, flags.device)
    if flags.images is None and not json.loads(text(flags.run, "scores.json"))["embedded"]:
        raise InputError(f"{flags.run}: was trained on images of your own, which it does not hold; give --images")
    images, _ = read(flags, model.config.image)
    return model, images


def _rows(images: "Images", names: tuple[str, ...]) -> list[int]:
    known = {name: row for row, name in enumerate(images.names)}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"no image is named {missing[0]}; names look like {', '.join(images.names[:3])}")
    return [known[name] for name in names]


def _write(out: Path, picture: Callable[[], bytes] | None, **columns: "np.ndarray") -> int:
    """Writes a picture, or the arrays where the file's name says so or there is no picture of them."""
    try:
        if picture is None or out.suffix == ".npz":
            write_arrays(out, **columns)
        else:
            write_bytes(out, picture())
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from error
    sys.stdout.write(f"{out}\n")
    return 0


def read(source: Source, config: ImageConfig) -> tuple["Images", "pl.DataFrame | None"]:
    """The images, decoded once and then from the cache, and the avatars' attributes where they are avatars.

    Raises:
        InputError: when there is nothing to read; names file, reason and what to do.
    """
    from rich.console import Console

    from twofold.vae.images.cache import default_folder
    from twofold.vae.images.load import load_images

    folder, console = source.cache or default_folder(), Console(stderr=True)
    if source.images is None:
        from twofold.vae.images.avatars import load_avatars

        with counting(console, "rendering avatars") as progress:
            return load_avatars(config, cache=folder, progress=progress)
    with counting(console, "decoding images") as progress:
        images = load_images(source.images, config, strict=source.strict, cache=folder, progress=progress)
    if images.skipped:
        some = "; ".join(f"{skip.name}: {skip.reason}" for skip in images.skipped[:3])
        more = f"; and {len(images.skipped) - 3:,} more" if len(images.skipped) > 3 else ""
        note(console, f"{len(images.skipped):,} of {source.images.name}'s files were skipped ({some}{more})")
    return images, None


@contextlib.contextmanager
def training_bars(console: "Console") -> Iterator[Callable[[VaeConfig], "tuple[OnEpoch, OnStep]"]]:
    """A bar of each run's steps, with its last validation loss; nothing where standard error is no terminal.

    Yields:
        A function that adds a run's bar and returns what updates it after an epoch and after a step.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    loss = TextColumn("{task.fields[loss]}")
    with Progress(*columns, loss, console=console, disable=not console.is_terminal) as bars:

        def track(config: VaeConfig) -> "tuple[OnEpoch, OnStep]":
            task = bars.add_task(f"beta {config.objective.beta:g}, seed {config.seed}: steps", total=None, loss="")
            words = "epoch {epoch}, validation loss {validation_loss:,.1f} nats"
            return (
                lambda record: bars.update(task, loss=words.format(**record)),
                lambda done, total: bars.update(task, completed=done, total=total),
            )

        yield track


_SCORES = (
    ("rate_nats", "rate (KL), nats per image", 2),
    ("distortion_nats", "distortion, nats per image", 1),
    ("negative_elbo_nats", "negative ELBO, nats per image", 1),
    ("bits_per_dim", "bits per dim", 4),
    ("iw_bound_nats", "importance-weighted bound, nats per image", 1),
    ("mutual_information_nats", "I(x;z), nats", 2),
    ("mse", "mean squared error", 5),
)


def score_table(title: str, blocks: dict[str, dict[str, Any]]) -> "Table":
    """One column per block of `scores.json`, such as its `test`: its scores with their standard errors."""
    from rich.table import Table

    table = Table("score", *blocks, title=title)
    for key, label, digits in _SCORES:
        cells = []
        for block in blocks.values():
            error = block["standard_errors"].get(key)
            cells.append(_figure(block.get(key), digits) + ("" if error is None else f" ± {_figure(error, digits)}"))
        table.add_row(label, *cells)
    table.add_row("active units", *(str(block.get("active_units", "-")) for block in blocks.values()))
    table.add_row("sigma", *(_figure(block.get("sigma"), 4) for block in blocks.values()))
    return table


def sweep_table(runs: list[dict[str, Any]]) -> "Table":
    """One row per run of `sweep.json`; the negative ELBO is that of beta = 1 in each."""
    heads = "rate", "distortion", "negative ELBO", "bits per dim", "I(x;z)", "active units", "sigma"
    from rich.table import Table

    table = Table("beta", "seed", *heads, title="test images, nats per image; every run on the same ELBO (beta = 1)")
    shown = ("rate_nats", 2), ("distortion_nats", 1), ("negative_elbo_nats", 1), ("bits_per_dim", 4)
    for run in runs:
        test = run["scores"]["test"]
        cells = [_figure(test[key], digits) for key, digits in (*shown, ("mutual_information_nats", 2))]
        table.add_row(
            f"{run['beta']:g}", str(run["seed"]), *cells, str(test["active_units"]), _figure(test["sigma"], 4)
        )
    return table


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
