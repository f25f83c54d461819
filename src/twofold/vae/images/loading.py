"""How the commands come by images: a path or the embedded avatars, with a bar while it takes time."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.console import Console

from twofold.vae.config import ImageConfig
from twofold.vae.images.avatars import load_avatars
from twofold.vae.images.cache import default_folder
from twofold.vae.images.load import Images, load_images
from twofold.vae.terminal import counting


@dataclass(frozen=True, kw_only=True)
class Source:
    """The options of every command that looks at images."""

    images: Path | None = None
    """Folder, zip, tar or .npy/.npz of images."""
    strict: bool = False
    """End with an error at the first file that can't be read, instead of listing it."""
    cache: Path | None = None
    """Folder for decoded images; by default $TWOFOLD_CACHE, else twofold in the user's cache folder."""


def read(source: Source, config: ImageConfig, console: Console) -> tuple[Images, pl.DataFrame | None]:
    """The images, decoded once and then from the cache, and the avatars' attributes where they are avatars.

    Raises:
        InputError: when there is nothing to read; names file, reason and what to do.
    """
    folder = source.cache or default_folder()
    if source.images is None:
        with counting(console, "rendering avatars") as advance:
            return load_avatars(config, cache=folder, progress=advance)
    with counting(console, "decoding images") as advance:
        images = load_images(source.images, config, strict=source.strict, cache=folder, progress=advance)
    if images.skipped:
        some = "; ".join(f"{skip.name}: {skip.reason}" for skip in images.skipped[:3])
        more = f"; and {len(images.skipped) - 3:,} more" if len(images.skipped) > 3 else ""
        skipped = f"note: {len(images.skipped):,} of {source.images.name}'s files were skipped ({some}{more})"
        console.print(skipped, style="yellow", markup=False, highlight=False)
    return images, None
