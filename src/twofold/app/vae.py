"""The page of a vae run, and its model's part of the API: codes to pictures and back, an image's nearest neighbours."""

import base64
import functools
import io
import json
import math
import threading
import warnings
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from twofold.app.models import Models
from twofold.app.problems import ANSWERS, Refused
from twofold.app.runs import Run, Runs
from twofold.engine.errors import DamagedError
from twofold.engine.files import read_bytes, text
from twofold.page.template import render
from twofold.vae.config import PathName

if TYPE_CHECKING:
    import numpy as np

    from twofold.vae.images.load import Images

FARTHEST = 1e6
"""Largest absolute value of a unit: far beyond any code, far below where float32 overflows in a network."""
MOST_UNITS, MOST_STEPS, MOST_SAMPLES = 4096, 21, 64
MOST_PIXELS = 40_000_000
"""Of an image to encode; by its header, before it is decoded."""
SLIDERS = 10
ON_SHEET, COLUMNS = 16, 8
"""Pictures on a sheet, and in each of its rows."""
REACH = 3.0
"""A slider reaches as many standard deviations to each side: of the prior, or of the codes where they are wider."""
FORMATS = "PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"
NEAREST = 6
"""Training images that are shown beside an own one."""
_KEPT = "real", "reconstruction", "prior", "effect_units", "variance_units", "test_distance"
_DECODING = threading.Lock()  # an image of MOST_PIXELS and 16 bits takes 1.1 GB


def _whole(value: object) -> object:
    """JSON knows one kind of number: 2.0 is whole, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


RunId = Annotated[str, Path(max_length=1000, description="The run's id, as in the list of runs.")]
Value = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_whole)]
Code = Annotated[list[Value], Field(min_length=1, max_length=MOST_UNITS)]
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "A picture."}}


class _Asked(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True)


class Decode(_Asked):
    """A code to decode."""

    z: Code
    """One value for each unit."""


class Interpolate(_Asked):
    """Two codes and the way between them."""

    start: Code
    end: Code
    steps: Annotated[Whole, Field(ge=2, le=MOST_STEPS)] = 9
    """Pictures, both ends included."""
    path: PathName = "linear"
    """`spherical` follows the great circle."""


class Sample(_Asked):
    """Samples of the prior."""

    number: Annotated[Whole, Field(ge=1, le=MOST_SAMPLES)] = 16
    seed: Annotated[Whole, Field(ge=0, le=2**31 - 1)] = 0
    spread: Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)] = 1.0
    """Standard deviation of z: 1 is the prior's."""
    noise: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """Temperature of the pixels' noise: 0 gives the mean of p(x|z), 1 a draw."""


class Coded(BaseModel):
    """The code of one of the run's test images."""

    z: list[float]


class Encoded(BaseModel):
    """An image, what the model makes of it, and what it costs."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    z: list[float]
    """Mean of the posterior."""
    rate_bits: float
    """KL divergence of the posterior from the prior: what the code costs."""
    distortion_bits: float | None
    """What the pixels cost given the code; None where the likelihood gives no probability to a pixel's level."""
    bits_per_dim: float | None
    """Both together, by pixel and channel; None as above."""
    rms_error: float
    """Root mean square error of a pixel, in levels of 255."""
    picture: str
    """The image as the model sees it, fitted to its size: a data address of a PNG."""
    reconstruction: str
    """The picture decoded from the code, likewise."""


class Neighbour(BaseModel):
    """A training image that is close to an image."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    distance: float
    """Root of the mean squared difference of their pixels in [0, 1]: 0 for the same image."""
    picture: str
    """The training image: a data address of a PNG."""


class Nearest(BaseModel):
    """The training images that are closest to an image, the closest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    images: list[Neighbour]
    typical: float
    """Median over the run's test images of the distance to the closest training image."""


def api(runs: Runs, models: Models, cache: FilePath | None) -> APIRouter:
    """The part of the API that works with models.

    Args:
        runs: that it shows.
        models: that are open.
        cache: of decoded images, where training images are looked for; None: the user's.
    """
    router = APIRouter(prefix="/api/runs/{run_id}", responses=ANSWERS, tags=["vae"])

    def get(run_id: str) -> Run:
        return runs.get(run_id).require("vae run")

    @router.get("/images/{number}", response_class=Response, responses=PNG)
    def image(run_id: RunId, number: int) -> Response:
        """A test image of the run, by its number from 0."""
        return _png(_test_image(get(run_id), number))

    @router.get("/images/{number}/code")
    def code(run_id: RunId, number: int) -> Coded:
        """The code (mean of the posterior) of a test image."""
        run = get(run_id)
        pixels = _test_image(run, number)
        with models.use(run) as model:
            return Coded(z=model.encode(pixels[None])[0].tolist())

    @router.get("/sheets/{name}", response_class=Response, responses=PNG)
    def sheet(run_id: RunId, name: Literal["real", "reconstruction", "prior"]) -> Response:
        """Test images, their reconstructions, or samples of the prior that the run kept, in rows."""
        return _png(_in_rows(_arrays(get(run_id))[name][:ON_SHEET]))

    @router.post("/decode", response_class=Response, responses=PNG)
    def decode(run_id: RunId, asked: Decode) -> Response:
        """The picture of a code: the mean of p(x|z)."""
        return _answer(run_id, lambda model: model.decode([_vector(asked.z)]))

    @router.post("/interpolate", response_class=Response, responses=PNG)
    def interpolate(run_id: RunId, asked: Interpolate) -> Response:
        """Pictures along the way between two codes, side by side."""

        def walk(model: Any) -> Any:
            from twofold.vae.latent import between

            start, end = _codes(model, asked.start), _codes(model, asked.end)
            return model.decode(between(start, end, asked.steps, asked.path)[0])

        return _answer(run_id, walk)

    @router.post("/sample", response_class=Response, responses=PNG)
    def sample(run_id: RunId, asked: Sample) -> Response:
        """Samples of the prior, side by side; the same seed gives the same ones."""
        return _answer(run_id, lambda model: model.sample(asked.number, asked.seed, asked.noise, asked.spread))

    @router.post("/encode")
    def encode(run_id: RunId, content: Annotated[bytes, Body(media_type="application/octet-stream")]) -> Encoded:
        """An image of one's own (PNG, JPEG, WebP, GIF, BMP or TIFF), as the run's images were read."""
        run = get(run_id)
        with models.use(run) as model:
            config = model.config.image
        pixels = _decoded(content, config)
        with models.use(run) as model:
            return _encoded(model, pixels)

    @router.post("/nearest")
    def nearest(run_id: RunId, content: Annotated[bytes, Body(media_type="application/octet-stream")]) -> Nearest:
        """The training images that are closest to an image of one's own, read as in `encode`."""
        from twofold.vae.neighbours import closest

        run = get(run_id)
        images, train = _training(run, cache)
        pixels = _decoded(content, images.config)
        rows, distances = closest(pixels, images.pixels, train, NEAREST)
        return Nearest(
            images=[
                Neighbour(name=images.names[row], distance=distance, picture=_address(images.pixels[row]))
                for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
            ],
            typical=_median(_arrays(run)["test_distance"]),
        )

    def _answer(run_id: str, make: Callable[[Any], Any]) -> Response:
        from twofold.vae.latent import to_pixels

        with models.use(get(run_id)) as model:
            made = make(model)
        return _png(_beside(to_pixels(made)))

    return router


def page(run: Run) -> str:
    """The page of a vae run."""
    import numpy as np

    held, scores = _arrays(run), run.json("scores.json")
    effect, variance = held["effect_units"], held["variance_units"]
    shown = np.argsort(-effect, kind="stable")[:SLIDERS]
    units = [
        {
            "unit": int(unit),
            "effect": float(effect[unit]),
            "reach": round(REACH * max(1.0, math.sqrt(variance[unit])), 2),
        }
        for unit in shown
    ]
    data = {
        "run": run.id,
        "units": units,
        "latent": len(effect),
        **sizes(run),
    }
    return render("app/templates/vae.html.j2", run=run.summary(), data=data, scores=scores, test=scores["test"])


def sizes(run: Run) -> dict[str, int]:
    """How many test images a run shows; their width, height and number of values."""
    images, height, width, channels = _arrays(run)["real"].shape
    return {"images": images, "width": width, "height": height, "dims": height * width * channels}


def _arrays(run: Run) -> "dict[str, np.ndarray]":
    path = run.file("arrays.npz")
    try:
        return _read(path, path.stat().st_mtime_ns)
    except DamagedError:
        raise
    except Exception as error:  # of zip files, compression and arrays: exceptions of many types
        raise Refused(409, "unusable_run", f"{run.id}: arrays.npz is not what a vae run writes ({error}).") from error


@functools.lru_cache(maxsize=8)
def _read(path: FilePath, _: int) -> "dict[str, np.ndarray]":
    import numpy as np

    with np.load(io.BytesIO(read_bytes(path))) as held:
        return {name: held[name] for name in _KEPT}


def _training(run: Run, given: FilePath | None) -> "tuple[Images, np.ndarray]":
    """A run's images, and the rows of those that it was trained on.

    Raises:
        Refused: when the cache doesn't hold them: a run doesn't, either.
    """
    from twofold.vae.images.cache import default_folder

    table, cache = run.file("images.parquet"), given or default_folder()
    try:
        return _read_training(run.folder, cache, table.stat().st_mtime_ns)
    except LookupError as error:
        message = (
            f"The training images of {run.id} are not in {cache}, and a run does not hold them. Its command, given "
            "again, reads them there and trains nothing; --cache names another folder."
        )
        raise Refused(409, "unusable_run", message) from error


@functools.lru_cache(maxsize=4)
def _read_training(folder: FilePath, cache: FilePath, _: int) -> "tuple[Images, np.ndarray]":
    from twofold.vae.account import trained_on
    from twofold.vae.config import VaeConfig
    from twofold.vae.images.load import cached_images

    config = VaeConfig.from_json(text(folder, "config.json"), "config.json")
    data = json.loads(text(folder, "scores.json"))["data"]
    images = cached_images(cache, data["digest"], data["source"], config.image)
    if images is None:
        raise LookupError
    return images, trained_on(folder, images)


def _median(values: "np.ndarray") -> float:
    import numpy as np

    return float(np.median(values))


def _test_image(run: Run, number: int) -> "np.ndarray":
    real = _arrays(run)["real"]
    if not 0 <= number < len(real):
        raise Refused(404, "not_found", f"{run.id} shows {len(real)} test images, counted from 0; got {number}.")
    return real[number]


def _vector(z: list[float]) -> "np.ndarray":
    import numpy as np

    return np.array(z, np.float32)


def _codes(model: Any, z: list[float]) -> "np.ndarray":
    from twofold.vae.images.given import as_codes

    return as_codes(_vector(z), model.config.model.latent_dim)


def _decoded(content: bytes, config: Any) -> "np.ndarray":
    """An image's pixels, upright and fitted as `vae run` fits them.

    Raises:
        Refused: when it is none, damaged or too large.
    """
    from PIL import Image

    from twofold.vae.images.decode import decode
    from twofold.vae.images.items import Damage

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of images that are refused below
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
    except Exception as error:
        raise Refused(422, "invalid", f"This is no image that can be read: give {', '.join(FORMATS)}.") from error
    if width * height > MOST_PIXELS:
        message = f"The image has {width:,} x {height:,} pixels; give one of at most {MOST_PIXELS:,}."
        raise Refused(422, "invalid", message)
    try:
        with _DECODING:
            return decode(content, config)
    except Damage as damage:
        raise Refused(422, "invalid", f"The image can't be read: {damage}.") from damage


def _encoded(model: Any, pixels: "np.ndarray") -> Encoded:
    from twofold.vae.latent import to_pixels

    found = model.score(pixels[None])
    rate, total = found.rate[0] / math.log(2), None if found.bits is None else float(found.bits[0]) * pixels.size
    return Encoded(
        z=found.mu[0].tolist(),
        rate_bits=rate,
        distortion_bits=None if total is None else total - rate,
        bits_per_dim=None if total is None else total / pixels.size,
        rms_error=255 * math.sqrt(found.mse[0]),
        picture=_address(pixels),
        reconstruction=_address(to_pixels(model.decode(found.mu))[0]),
    )


def _beside(pictures: "np.ndarray") -> "np.ndarray":
    """Pictures [n, h, w, c] side by side, as one."""
    number, height, width, channels = pictures.shape
    return pictures.transpose(1, 0, 2, 3).reshape(height, number * width, channels)


def _in_rows(pictures: "np.ndarray") -> "np.ndarray":
    """Pictures [n, h, w, c] in rows on white, as one."""
    import numpy as np

    blank = np.full((-len(pictures) % COLUMNS, *pictures.shape[1:]), 255, np.uint8)
    rows = np.concatenate([pictures, blank]).reshape(-1, COLUMNS, *pictures.shape[1:])
    return np.concatenate([_beside(row) for row in rows])


def _bytes(pixels: "np.ndarray") -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    # The lowest level: a picture that follows a slider is better early than small.
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _png(pixels: "np.ndarray") -> Response:
    return Response(_bytes(pixels), media_type="image/png")


def _address(pixels: "np.ndarray") -> str:
    return f"data:image/png;base64,{base64.b64encode(_bytes(pixels)).decode('ascii')}"
