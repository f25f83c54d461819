"""Study 2: a variational autoencoder on a folder of images, and the effect of its KL term's weight.

A PNG to a code and back:

    model = load("runs/vae/RUN")
    z = model.encode(Image.open("face.png"))
    to_images(model.decode(z))[0].save("back.png")

In order: `config`, `recipes`, `images`, `likelihood`, `multiscale`, `principal`, `objective`, `model`, `score`,
`distances`, `linear`, `start`, `train`, `latent`, `neighbours`, `codecs`, `copying`, `labels`, `factors`, `account`,
`per_image`, `diagnosis`, `pictures`, `look`, `run`, `sandwich` (closed forms), `sweep`, `export`; `commands` alone
knows `report`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twofold.vae.config import Fit
    from twofold.vae.images.load import Images
    from twofold.vae.latent import Autoencoder


def load(run: str | Path) -> "Autoencoder":
    """Opens the model of a finished run, or of one run of a sweep.

    Raises:
        RunFolderError: when the folder holds no finished vae run.
    """
    from twofold.vae.latent import Autoencoder

    return Autoencoder.open(Path(run))


def load_images(
    path: str | Path,
    like: "Autoencoder | None" = None,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    fit: "Fit | None" = None,
    range: tuple[float, float] | None = None,  # noqa: A002  (the setting's name)
    key: str | None = None,
    pages: bool | None = None,
) -> "Images":
    """The images of a folder of any depth, a zip, a tar, an array (.npy, .npz) or an image file, as a run reads them.

    They are decoded once, into the cache that the commands use, too. Files that can't be read are left out and listed.

    Args:
        path: where they are.
        like: a model whose size, channels, fit and range they are to have.
        size: height and width in pixels, or one number for a square, instead of `like`; by default 64.
        channels: 1 for grey, 3 for RGB (default), 0 for grey where all images are.
        fit: an image of another shape: `crop` its centre (default), `pad` it with white, `stretch` it.
        range: stored values that become black and white, instead of `like`; by default found where images have more
            than 8 bits or are masks of 0 and 1 (`config.range` of the result).
        key: array of an .npz that holds the images.
        pages: take each page of a TIFF, GIF, PNG or WebP as an image.

    Returns:
        An object that every method of a model takes, with `pixels` (uint8, [n, h, w, c], read-only, mapped from the
        cache), `names` (of the files or, in an array, of the rows; ascending) and `skipped` (name and reason of each
        file that gave no image).

    Raises:
        InputError: when a setting breaks a rule, or when size, channels or fit are given beside `like`.
        DataError: when there is no image.
    """
    from pydantic import ValidationError

    from twofold.engine.config import explain
    from twofold.engine.errors import InputError
    from twofold.vae.config import ImageConfig
    from twofold.vae.images.cache import default_folder
    from twofold.vae.images.load import load_images

    given = {"size": size, "channels": channels, "fit": fit, "range": range, "key": key, "pages": pages}
    chosen = {name: value for name, value in given.items() if value is not None}
    if like is not None and (wrong := [name for name in chosen if name in ("size", "channels", "fit")]):
        raise InputError(f"{', '.join(wrong)}: the model given as `like` has its own; leave out one or the other")
    try:
        settings = {} if like is None else like.config.image.model_dump() | {"key": ""}
        config = ImageConfig.model_validate(settings | chosen)
    except ValidationError as error:
        raise InputError(explain(error)) from error
    return load_images(Path(path), config, strict=False, cache=default_folder())


def to_images(pictures: Any) -> list[Any]:
    """Pictures [n, h, w, c] in [0, 1] or of uint8, as a model decodes them, as images of Pillow's to show or save."""
    from twofold.vae.latent import to_images

    return to_images(pictures)
