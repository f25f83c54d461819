"""60 damaged sets of deep images, page stacks, masks and archives of several arrays: what is read is read rightly."""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from twofold.engine.errors import DataError
from twofold.vae.config import ImageConfig
from twofold.vae.images.load import Images, load_images

SEED, REPEATS, SIZE = 2026, 5, 16
Rng = np.random.Generator


@dataclass(frozen=True)
class Case:
    """A damaged source.

    Attributes:
        path: the source.
        intact: stored values of the images that nothing happened to, by name.
        all_names: every name that has to be accounted for; None: unknown, since the damage may have changed it.
        settings: of its reading.
        own: whether its own parts are read.
        refused: whether it must be.
    """

    path: Path
    intact: dict[str, np.ndarray]
    all_names: tuple[str, ...] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    own: bool = False
    refused: bool = False


def encoded(values: np.ndarray, kind: str, *others: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": list(map(Image.fromarray, others))} if others else {}
    Image.fromarray(values).save(buffer, kind, **more, **options)
    return buffer.getvalue()


def flipped(rng: Rng, data: bytes, first: int = 0, count: int = 3) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(first, len(data), size=count):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def struck(rng: Rng, data: bytes) -> bytes:
    """A file that is cut, or of which some bits are flipped, or a piece is gone."""
    at = int(rng.integers(8, len(data)))
    return (data[:at], flipped(rng, data), data[:at] + data[at + int(rng.integers(1, 40)) :])[int(rng.integers(3))]


def counts(rng: Rng, n: int = 6) -> np.ndarray:
    return rng.integers(0, 4000, (n, SIZE, SIZE)).astype(np.uint16)


def folder(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def one_struck(rng: Rng, path: Path, values: np.ndarray, kind: str) -> Case:
    files = {f"{i}.{kind.lower()}": encoded(image, kind) for i, image in enumerate(values)}
    intact = dict(zip(files, values, strict=True))
    name = list(files)[int(rng.integers(len(files)))]
    files[name] = struck(rng, files[name])
    del intact[name]
    return Case(folder(path, files), intact, tuple(files))


def deep_tiff(rng: Rng, path: Path) -> Case:
    return one_struck(rng, path, counts(rng), "TIFF")


def deep_png(rng: Rng, path: Path) -> Case:
    return one_struck(rng, path, counts(rng), "PNG")


def float_tiff(rng: Rng, path: Path) -> Case:
    return one_struck(rng, path, (counts(rng) / 7 - 20).astype(np.float32), "TIFF")


def not_finite(rng: Rng, path: Path) -> Case:
    values = (counts(rng) / 7).astype(np.float32)
    values[2, 3, 4] = (np.nan, np.inf, -3.4e38)[int(rng.integers(3))]
    files = {f"{i}.tif": encoded(image, "TIFF") for i, image in enumerate(values)}
    intact = {name: image for i, (name, image) in enumerate(zip(files, values, strict=True)) if i != 2}
    return Case(folder(path, files), intact, tuple(files))


def not_finite_array(rng: Rng, path: Path) -> Case:
    values = counts(rng) / 7
    values[int(rng.integers(6)), 3, 4] = (np.nan, np.inf, 1e300)[int(rng.integers(3))]
    np.save(path.with_suffix(".npy"), values)
    return Case(path.with_suffix(".npy"), {}, refused=True)


def pages(rng: Rng, path: Path) -> Case:
    values = counts(rng)
    data = encoded(values[0], "TIFF", *values[1:])
    files = {"good.tif": data, "struck.tif": struck(rng, data)}
    intact = {f"good.tif#{i + 1}": image for i, image in enumerate(values)}
    return Case(folder(path, files), intact, settings={"pages": True})


def animation(rng: Rng, path: Path) -> Case:
    values = rng.integers(0, 256, (6, SIZE, SIZE)).astype(np.uint8)
    data = encoded(values[0], "GIF", *values[1:])
    files = {"good.gif": data, "struck.gif": struck(rng, data)}
    intact = {f"good.gif#{i + 1}": image for i, image in enumerate(values)}
    return Case(folder(path, files), intact, settings={"pages": True})


def mask_files(rng: Rng, path: Path) -> Case:
    return one_struck(rng, path, rng.integers(0, 2, (6, SIZE, SIZE)).astype(np.uint8), "PNG")


def mask_array(rng: Rng, path: Path) -> Case:
    """Masks of which one holds another value: no longer masks."""
    values = rng.integers(0, 2, (6, SIZE, SIZE)).astype(np.uint8)
    values[int(rng.integers(6)), 0, 0] = (2, 255)[int(rng.integers(2))]
    np.save(path.with_suffix(".npy"), values)
    return Case(path.with_suffix(".npy"), {str(i): image for i, image in enumerate(values)}, tuple("012345"))


def archive(rng: Rng, path: Path) -> Case:
    """An archive whose data or directory is struck: its images are whole, or it is refused."""
    values = counts(rng)
    path = path.with_suffix(".npz")
    np.savez_compressed(path, x_train=values, y_train=np.arange(6), x_test=values[:2], y_test=np.arange(2))
    path.write_bytes(struck(rng, path.read_bytes()))
    return Case(path, {}, settings={"key": "x_train"}, refused=False)


def own_parts(rng: Rng, path: Path) -> Case:
    """Parts that don't fit together: none to test on, of no image's shape, of another type."""
    values, path = counts(rng), path.with_suffix(".npz")
    others: list[dict[str, Any]] = [
        {"x_valid": values},
        {"x_test": np.arange(6)},
        {"x_test": values.astype(complex)},
        {"x_test": values[:0]},
        {"x_test": np.array([None, 1])},
        {"y_test": np.arange(6)},
    ]
    np.savez(path, allow_pickle=True, x_train=values, **others[int(rng.integers(len(others)))])
    return Case(path, {}, own=True, refused=True)


def wrong_labels(rng: Rng, path: Path) -> Case:
    """Labels that are none cost no image."""
    values, path = counts(rng), path.with_suffix(".npz")
    labels = (np.arange(5), np.arange(6) / 2, np.array(["a"] * 6), np.zeros((6, 3), int), np.array([None] * 6))
    np.savez(path, allow_pickle=True, images=values, labels=labels[int(rng.integers(len(labels)))])
    return Case(path, {str(i): image for i, image in enumerate(values)}, tuple("012345"))


FORMS: list[Callable[[Rng, Path], Case]] = [
    *(deep_tiff, deep_png, float_tiff, not_finite, not_finite_array, pages, animation, mask_files, mask_array),
    *(archive, own_parts, wrong_labels),
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> list[Case]:
    rng, base = np.random.default_rng(SEED), tmp_path_factory.mktemp("forms")
    return [form(rng, base / f"{form.__name__}-{i}") for i in range(REPEATS) for form in FORMS]


@pytest.fixture(scope="module")
def results(cases, tmp_path_factory) -> list[Images | str]:
    cache = tmp_path_factory.mktemp("cache")
    return [read(case, cache) for case in cases]


def read(case: Case, cache: Path) -> Images | str:
    config = ImageConfig.model_validate({"size": SIZE, "channels": 1, **case.settings})
    try:
        return load_images(case.path, config, strict=False, cache=cache, own=case.own)
    except DataError as error:
        return str(error)


def test_what_is_read_is_read_rightly_and_the_rest_is_named(cases, results):
    complaints = [wrong for case, result in zip(cases, results, strict=True) if (wrong := _wrong(case, result))]

    assert complaints == []


def _wrong(case: Case, result: Images | str) -> str | None:
    if isinstance(result, str):
        clear = result.startswith(str(case.path)) and len(result) > len(str(case.path)) + 20
        return None if clear and not case.intact else f"{case.path.name}: {result}"
    found = Counter([*result.names, *(skip.name for skip in result.skipped)])
    if case.refused or (case.all_names is not None and found != Counter(case.all_names)):
        return f"{case.path.name}: read {found}"
    off = {name: _off(values, name, result) for name, values in case.intact.items()}
    wrong = {name: levels for name, levels in off.items() if levels > 1}
    return f"{case.path.name}: levels off by {wrong}, scale {result.config.range}" if wrong else None


def _off(values: np.ndarray, name: str, result: Images) -> float:
    """The largest difference from the right levels; infinite for an image that is lost."""
    if name not in result.names:
        return np.inf
    low, high = result.config.range or (0.0, 255.0)
    right = values.astype(float) if values.dtype == np.uint8 and high > 255 else (values - low) / (high - low) * 255
    return float(np.abs(result.pixels[result.names.index(name)][..., 0] - right).max())


def test_there_are_60_and_all_outcomes_occur(cases, results):
    assert len(cases) == 60
    assert sum(isinstance(result, str) for result in results) >= 10
    assert sum(bool(result.skipped) for result in results if isinstance(result, Images)) >= 10
    assert sum(not result.skipped for result in results if isinstance(result, Images)) >= 10


def test_a_value_that_is_no_mask_makes_the_set_none(cases, results):
    scales = [r.config.range for c, r in zip(cases, results, strict=True) if c.path.name.startswith("mask_array")]
    assert scales == [None] * REPEATS
