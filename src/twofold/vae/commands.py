"""The study's commands: words in, an exit status out. Only here do computing and showing meet.

Whatever is slow to import is imported by the function that needs it: help, and what is wrong with a word or a path,
come at once.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from twofold.engine.config import Config, explain, short_digest
from twofold.engine.errors import InputError
from twofold.engine.files import required, write_arrays, write_bytes
from twofold.engine.flags import parse, word_after
from twofold.engine.run import RunFolder, claim, require_done
from twofold.engine.terminal import deliver, render
from twofold.vae.config import ImageConfig, PathName, SweepConfig, VaeConfig
from twofold.vae.recipes import RECIPES, departures, recipe

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from twofold.vae.images.load import Images
    from twofold.vae.latent import Autoencoder

COLUMNS = 8
"""Images in a row of a picture."""
Journal = Callable[[dict[str, Any]], None]
Advance = Callable[[int, int], None]
Watch = Callable[[VaeConfig], tuple[Journal, Advance]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """The options of every command that looks at images."""

    images: Path | None = None
    """Folder, zip, tar or .npy/.npz of images."""
    strict: bool = False
    """End with an error at the first file that can't be read, instead of listing it."""
    cache: Path | None = None
    """Folder for decoded images; by default $TWOFOLD_CACHE, else twofold in the user's cache folder."""


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

    def fill(folder: RunFolder, images: "Images", labels: "pl.DataFrame | None", watch: Watch) -> None:
        from twofold.vae.report import run as report
        from twofold.vae.run import execute

        journal, progress = watch(flags.config)
        execute(images, flags.config, folder, labels=labels, journal=journal, progress=progress)
        report.write(folder.path)

    out = _fill(flags, flags.config, "run", command, fill)
    scores = json.loads((out / "scores.json").read_text())
    test, data, beta = scores["test"], scores["data"], scores["objective"]["beta"]
    title = f"{test['images']:,} test images of {data['images']:,} ({data['source']}), beta {beta:g}"
    return _show(score_table(title, {"test": test, "linear model (PCA)": scores["linear"]}), out)


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
    try:
        grid = SweepConfig(base=flags.config, betas=flags.betas, seeds=flags.seeds or (flags.config.seed,))
    except ValidationError as error:
        raise InputError(f"--{explain(error)}; see `twofold vae sweep --help`") from error

    def fill(folder: RunFolder, images: "Images", labels: "pl.DataFrame | None", watch: Watch) -> None:
        from twofold.vae.report import run as report
        from twofold.vae.report import sweep as sweep_report
        from twofold.vae.sweep import execute_runs, summarise

        for finished in execute_runs(images, grid, folder, labels=labels, watch=watch):
            report.write(finished.path)
        summarise(grid, folder.path)
        sweep_report.write(folder.path)

    out = _fill(flags, grid, "sweep", ["twofold", "vae", "sweep", *argv], fill)
    return _show(sweep_table(json.loads((out / "sweep.json").read_text())["runs"]), out)


def _parse(kind: type[Any], argv: list[str], words: str) -> Any:
    """As `parse`, with the recipe's config as what is not given."""
    given = kind(config=recipe(word_after("--recipe", argv) or "default"))
    return parse(kind, argv, words, default=given, hint=f"Recipes: {', '.join(RECIPES)}.")


def _fill(
    flags: RunFlags | SweepFlags,
    config: Config,
    what: str,
    command: list[str],
    fill: Callable[[RunFolder, "Images", "pl.DataFrame | None", Watch], None],
) -> Path:
    """Fills a run folder unless it is finished, and returns its path."""
    from twofold.vae.images.load import split_images

    def device() -> str:
        from twofold.engine.device import describe_device, pick_device

        return describe_device(pick_device(flags.config.train.device))

    console = Console(stderr=True)
    if flags.config.train.device == "cuda":
        device()  # where no GPU can be used, that is told before images are decoded
    images, labels = read(flags, flags.config.image, console)
    split_images(images.hashes, flags.config.split)  # too few images are told before any folder is made
    prefix = "" if what == "run" else f"{what}-"
    out = flags.out or Path("runs/vae") / f"{prefix}{flags.config.recipe}-{short_digest(config, images.digest)}"
    if departure := departures(flags.config):
        _note(console, departure)
    with claim(out, config, images.digest, command, overwrite=flags.overwrite, device=device()) as folder:
        if folder.done:
            console.print(f"{out} holds this very {what}, finished; --overwrite runs it again")
        else:
            with _bars(console) as bar:

                def watch(config: VaeConfig) -> tuple[Journal, Advance]:
                    tell, advance = bar(f"beta {config.objective.beta:g}, seed {config.seed}: steps")
                    words = "epoch {epoch}, validation loss {validation_loss:,.1f} nats"
                    return lambda record: tell(words.format(**record)), advance

                fill(folder, images, labels, watch)
            folder.finish()
    return out


def _show(table: Table, out: Path) -> int:
    sys.stdout.write(f"{render(table)}Report: {out / 'report.html'}\n")
    return 0


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
    require_done(flags.run, "twofold vae run")

    from twofold.engine.device import pick_device
    from twofold.vae.model import open_vae

    if flags.images is None:
        open_vae(flags.run, pick_device("cpu"))  # the folder of another study is refused
        found = json.loads((flags.run / "scores.json").read_text())
        title = f"{flags.run}: {found['test']['images']:,} test images"
        blocks = {part: found[part] for part in ("test", "linear", "validation", "train_sample")}
    else:
        from twofold.vae.account import rescore

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


@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """What every command asks for that uses a finished run's model."""

    run: tyro.conf.Positional[Path]
    """A finished run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU where there is one."""


@dataclass(frozen=True, kw_only=True)
class ImageFlags(ModelFlags, Source):
    """What those ask for that look at images; a run on the embedded avatars needs no --images."""


@dataclass(frozen=True, kw_only=True)
class ReconstructFlags(ImageFlags):
    """Passes images through a model and back: in each pair of columns the originals left, what came back right."""

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

    real = images.pixels[: flags.number if flags.number > 0 else None]
    back = to_pixels(model.reconstruct(real))
    names = np.array(images.names)[: len(real)]
    return _write(
        flags.out, lambda sheets: sheets.pairs(real, back, COLUMNS // 2), names=names, real=real, reconstruction=back
    )


@dataclass(frozen=True, kw_only=True)
class SampleFlags(ModelFlags):
    """Decodes draws of the prior: images that the model makes up."""

    number: int = 64
    """Images to draw."""
    seed: int = 0
    """Seed of the draws."""
    out: Path = Path("samples.png")
    """Picture (.png), or the array `samples` (.npz)."""


def sample(argv: list[str]) -> int:
    """`twofold vae sample`."""
    flags = parse(SampleFlags, argv, "vae sample")
    _at_least("--number", flags.number, 1)
    _at_least("--seed", flags.seed, 0)
    _check(flags.run, flags.out)

    from twofold.vae.latent import Autoencoder, to_pixels

    drawn = to_pixels(Autoencoder.open(flags.run, flags.device).sample(flags.number, flags.seed))
    return _write(flags.out, lambda sheets: sheets.grid(drawn, COLUMNS), samples=drawn)


@dataclass(frozen=True, kw_only=True)
class InterpolateFlags(ImageFlags):
    """Decodes images along the way between the latent codes of two real images each."""

    between: tuple[str, ...] = ()
    """Names of the images, two for each way; by default the first four pairs."""
    steps: int = 11
    """Images along each way, both ends counted."""
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

    rows = _rows(images, flags.between) or list(range(len(images.names) // 2 * 2))[:8]
    if not rows:
        raise InputError(f"--images: a way needs two images, got {len(images.names)}")
    start, end = images.pixels[rows[::2]], images.pixels[rows[1::2]]
    ways = to_pixels(model.interpolate(start, end, flags.steps, flags.path))
    framed = np.concatenate([start[:, None], ways, end[:, None]], axis=1)
    heads = ["real", *[f"{step / (flags.steps - 1):.2g}" for step in range(flags.steps)], "real"]
    return _write(flags.out, lambda sheets: sheets.rows(framed, heads=heads), start=start, end=end, ways=ways)


@dataclass(frozen=True, kw_only=True)
class TraverseFlags(ImageFlags):
    """Decodes one image's latent code with one unit at a time moved across the prior."""

    name: str = ""
    """Name of the image; by default the first one."""
    units: tuple[int, ...] = ()
    """Units to move; by default the ten that carry the most on the run's test images."""
    span: float = 3.0
    """How far, in deviations of the prior, to each side."""
    steps: int = 9
    """Values of each unit."""
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

    units, latent = list(flags.units), model.config.model.latent_dim
    if not units:
        with np.load(required(flags.run, "arrays.npz")) as arrays:
            units = arrays["traverse_units"].tolist()
    if not all(0 <= unit < latent for unit in units):
        raise InputError(f"--units must lie in 0 to {latent - 1} for this model, got {' '.join(map(str, units))}")
    row = _rows(images, (flags.name,)) if flags.name else [0]
    values = np.linspace(-flags.span, flags.span, flags.steps)
    moved = to_pixels(model.traverse(images.pixels[row], units, values))
    labels, heads = [f"unit {unit}" for unit in units], [f"{value:+.2g}" for value in values]
    return _write(
        flags.out, lambda sheets: sheets.rows(moved, labels, heads), units=np.array(units), values=values, images=moved
    )


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
    return _write(flags.out, lambda _: b"", names=np.array(images.names), mu=mu, logvar=logvar)


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
    if flags.images is None and not json.loads(required(flags.run, "scores.json").read_text())["embedded"]:
        raise InputError(f"{flags.run}: was trained on images of your own, which it does not hold; give --images")
    images, _ = read(flags, model.config.image, Console(stderr=True))
    return model, images


def _rows(images: "Images", names: tuple[str, ...]) -> list[int]:
    known = {name: row for row, name in enumerate(images.names)}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"no image is named {missing[0]}; names look like {', '.join(images.names[:3])}")
    return [known[name] for name in names]


def _write(out: Path, draw: Callable[[ModuleType], bytes], **arrays: "np.ndarray") -> int:
    """Writes the arrays, or the picture that `draw` makes of them with `report.sheets`."""
    try:
        if out.suffix == ".npz":
            write_arrays(out, **arrays)
        else:
            from twofold.vae.report import sheets

            write_bytes(out, draw(sheets))
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from error
    sys.stdout.write(f"{out}\n")
    return 0


def read(source: Source, config: ImageConfig, console: Console) -> tuple["Images", "pl.DataFrame | None"]:
    """The images, decoded once and then from the cache, and the avatars' attributes where they are avatars.

    Raises:
        InputError: when there is nothing to read; names file, reason and what to do.
    """
    from twofold.vae.images.cache import default_folder
    from twofold.vae.images.load import load_images

    folder = source.cache or default_folder()
    if source.images is None:
        from twofold.vae.images.avatars import load_avatars

        with _bars(console) as bar:
            return load_avatars(config, cache=folder, progress=bar("rendering avatars")[1])
    with _bars(console) as bar:
        _, advance = bar("decoding images")
        images = load_images(source.images, config, strict=source.strict, cache=folder, progress=advance)
    if images.skipped:
        some = "; ".join(f"{skip.name}: {skip.reason}" for skip in images.skipped[:3])
        more = f"; and {len(images.skipped) - 3:,} more" if len(images.skipped) > 3 else ""
        _note(console, f"{len(images.skipped):,} of {source.images.name}'s files were skipped ({some}{more})")
    return images, None


def _note(console: Console, text: str) -> None:
    console.print(f"note: {text}", style="yellow", markup=False, highlight=False)


@contextlib.contextmanager
def _bars(console: Console) -> Iterator[Callable[[str], tuple[Callable[[str], None], Advance]]]:
    """Makes bars, each with a function for the words behind it and one that fills it; nothing where nobody watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(
        *columns, TextColumn("{task.fields[words]}"), console=console, disable=not console.is_terminal
    ) as bars:

        def bar(what: str) -> tuple[Callable[[str], None], Advance]:
            task = bars.add_task(what, total=None, words="")
            return (
                lambda words: bars.update(task, words=words),
                lambda done, whole: bars.update(task, completed=done, total=whole),
            )

        yield bar


_SCORES = (
    ("rate_nats", "rate (KL), nats an image", 2),
    ("distortion_nats", "distortion, nats an image", 1),
    ("negative_elbo_nats", "negative ELBO, nats an image", 1),
    ("bits_per_dim", "bits per dim", 4),
    ("iw_bound_nats", "importance-weighted bound, nats", 1),
    ("mutual_information_nats", "I(x;z), nats", 2),
    ("mse", "mean squared error", 5),
)


def score_table(title: str, blocks: dict[str, dict[str, Any]]) -> Table:
    """A column for each block of `scores.json`, such as its `test`: its scores, each with its standard error."""
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


def sweep_table(runs: list[dict[str, Any]]) -> Table:
    """A row for each of the `runs` of `sweep.json`; the negative ELBO is that of beta = 1 in each."""
    heads = "rate", "distortion", "negative ELBO", "bits per dim", "I(x;z)", "active units", "sigma"
    table = Table("beta", "seed", *heads, title="test images, nats; every run on the same ELBO (beta = 1)")
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
