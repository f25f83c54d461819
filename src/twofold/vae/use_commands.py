"""Commands that use a finished run's model: pictures go out as PNG, arrays as npz."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from rich.console import Console

from twofold.engine.errors import InputError
from twofold.engine.files import required, write_arrays, write_bytes
from twofold.engine.flags import parse
from twofold.vae.images.load import Images
from twofold.vae.images.loading import Source, read
from twofold.vae.latent import Autoencoder, PathName, to_pixels
from twofold.vae.report import sheets

COLUMNS = 8


@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """What every one of these commands asks for."""

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
    _check_out(flags.out)
    model, images = _open_with_images(flags)
    rows = _first(images, flags.number)
    real = images.pixels[rows]
    back = to_pixels(model.reconstruct(real))
    return _write(
        flags.out,
        lambda: sheets.pairs(real, back, COLUMNS // 2),
        names=np.array(images.names)[rows],
        real=real,
        reconstruction=back,
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
    _check_out(flags.out)
    _at_least("--number", flags.number, 1)
    _at_least("--seed", flags.seed, 0)
    drawn = to_pixels(Autoencoder.open(flags.run, flags.device).sample(flags.number, flags.seed))
    return _write(flags.out, lambda: sheets.grid(drawn, COLUMNS), samples=drawn)


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
    _check_out(flags.out)
    _at_least("--steps", flags.steps, 2)
    if len(flags.between) % 2:
        raise InputError(f"--between takes names in pairs, got {len(flags.between)}")
    model, images = _open_with_images(flags)
    rows = _named(images, flags.between) if flags.between else _first(images, 8)
    if len(rows) < 2:
        raise InputError(f"--images: a way needs two images, got {len(rows)}")
    start, end = images.pixels[rows[: len(rows) // 2 * 2 : 2]], images.pixels[rows[1::2]]
    ways = to_pixels(model.interpolate(start, end, flags.steps, flags.path))
    framed = np.concatenate([start[:, None], ways, end[:, None]], axis=1)
    heads = ["real", *[f"{step / (flags.steps - 1):.2g}" for step in range(flags.steps)], "real"]
    return _write(flags.out, lambda: sheets.rows(framed, heads=heads), start=start, end=end, ways=ways)


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
    _check_out(flags.out)
    _at_least("--steps", flags.steps, 2)
    model, images = _open_with_images(flags)
    units = list(flags.units) or _most_active(flags.run)
    latent = model.config.model.latent_dim
    if not all(0 <= unit < latent for unit in units):
        raise InputError(f"--units must lie in 0 to {latent - 1} for this model, got {' '.join(map(str, units))}")
    row = _named(images, (flags.name,)) if flags.name else _first(images, 1)
    values = np.linspace(-flags.span, flags.span, flags.steps)
    moved = to_pixels(model.traverse(images.pixels[row], units, values))
    labels, heads = [f"unit {unit}" for unit in units], [f"{value:+.2g}" for value in values]
    return _write(
        flags.out, lambda: sheets.rows(moved, labels, heads), units=np.array(units), values=values, images=moved
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
    model, images = _open_with_images(flags)
    mu, logvar = model.posterior(images.pixels)
    return _write(flags.out, lambda: b"", names=np.array(images.names), mu=mu, logvar=logvar)


def _open_with_images(flags: ImageFlags) -> tuple[Autoencoder, Images]:
    model = Autoencoder.open(flags.run, flags.device)
    if flags.images is None and not json.loads(required(flags.run, "scores.json").read_text())["embedded"]:
        raise InputError(f"{flags.run}: was trained on images of your own, which it does not hold; give --images")
    images, _ = read(flags, model.config.image, Console(stderr=True))
    return model, images


def _first(images: Images, number: int) -> np.ndarray:
    return np.arange(min(number, len(images.names)) if number > 0 else len(images.names))


def _named(images: Images, names: tuple[str, ...]) -> np.ndarray:
    known = {name: row for row, name in enumerate(images.names)}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"no image is named {missing[0]}; names look like {', '.join(images.names[:3])}")
    return np.array([known[name] for name in names])


def _most_active(run: Path) -> list[int]:
    with np.load(required(run, "arrays.npz")) as arrays:
        return arrays["traverse_units"].tolist()


def _at_least(flag: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{flag} must be at least {least}, got {value}")


def _check_out(out: Path) -> None:
    if out.suffix not in (".png", ".npz"):
        raise InputError(f"--out {out}: must end with .png for a picture or .npz for arrays")


def _write(out: Path, draw: Callable[[], bytes], **arrays: np.ndarray) -> int:
    try:
        if out.suffix == ".npz":
            write_arrays(out, **arrays)
        else:
            write_bytes(out, draw())
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from error
    sys.stdout.write(f"{out}\n")
    return 0
