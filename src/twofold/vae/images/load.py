"""Loading of images: decoded once into the cache, memory-mapped, sorted by name; and their split by hash."""

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from twofold.engine.config import canonical
from twofold.engine.errors import DataError, InputError
from twofold.engine.files import write_bytes, write_json
from twofold.vae.config import ImageConfig, SplitConfig
from twofold.vae.images.cache import entry, recall, remember
from twofold.vae.images.decode import Batch, decoded, ignore_pillow_warnings
from twofold.vae.images.files import open_source
from twofold.vae.images.items import FORMATS, HIDDEN, Skipped, fingerprint

FORMAT = 1
"""Version of the cache: raised when the same files give other pixels or another layout."""
_ROWS = 4096
_SALT = b"twofold split"


@dataclass(frozen=True)
class Images:
    """Preprocessed images.

    Attributes:
        pixels: the images; mapped from a file, and read-only.
        names: their names, ascending.
        hashes: BLAKE2b-128 of each one's shape and pixels.
        skipped: the files that gave no image, sorted by name.
        source: name of the file or folder.
        digest: SHA-256 in hex of the settings and of all hashes, sorted: the names don't count.
    """

    pixels: UInt8[np.ndarray, "n h w c"]
    names: tuple[str, ...]
    hashes: UInt8[np.ndarray, "n 16"]
    skipped: tuple[Skipped, ...]
    source: str
    digest: str


def load_images(
    path: Path,
    config: ImageConfig,
    *,
    strict: bool,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Images:
    """The images of a folder, zip, tar or array, decoded now or read from the cache.

    Args:
        path: a folder of any depth, a zip, a tar (also compressed), or an array (.npy, .npz).
        strict: refuse the source when one of its files gives no image (except hidden and system files).
        cache: folder of decoded images.
        progress: called while decoding with (files done, files in all); the latter is 0 for a tar.

    Raises:
        DataError: when the path is no source of images, holds none, or, if `strict`, one that can't be read.
        InputError: when the cache can't be written.
    """
    source = open_source(path)
    content = recall(cache, source.stamp)
    if content is None:
        content = source.content()
        remember(cache, source.stamp, content)

    def build(aside: Path) -> None:
        with ignore_pillow_warnings(), source.items() as (total, entries), closing(decoded(entries, config)) as batches:

            def counted() -> Iterator[Batch]:
                done = 0
                for batch in batches:
                    done += len(batch.names) + len(batch.skipped)
                    if progress:
                        progress(done, total)
                    yield batch

            kept, skipped = write_images(aside, counted(), config)
        if not kept:
            reasons = ", ".join(
                f"{n} {reason}" for reason, n in Counter(item.reason for item in skipped).most_common(3)
            )
            found = f"; of {len(skipped)} skipped: {reasons}" if skipped else ""
            raise DataError(f"{path}: holds no image that can be read{found}; {FORMATS}")
        if open_source(path).stamp.fingerprint != source.stamp.fingerprint:
            raise DataError(f"{path}: changed while it was read; run again when nothing writes there")

    images = read_images(entry(cache, fingerprint([content, _settings(config)]), build), path.resolve().name)
    bad = [item for item in images.skipped if item.reason != HIDDEN]
    if strict and bad:
        more = f" ({len(bad)} such files)" if len(bad) > 1 else ""
        raise DataError(
            f"{path}, {bad[0].name}: {bad[0].reason}{more}; mend or remove it, or run without --strict to skip it"
        )
    return images


def duplicates(hashes: UInt8[np.ndarray, "n 16"]) -> Bool[np.ndarray, " n"]:
    """Marks rows with the same pixels as an earlier row.

    Example:
        >>> duplicates(np.repeat(np.array([[7], [5], [7]], dtype=np.uint8), 16, axis=1))
        array([False, False,  True])
    """
    repeated = np.ones(len(hashes), dtype=bool)
    repeated[np.unique(hashes, axis=0, return_index=True)[1]] = False
    return repeated


def by_hash(images: Images, rows: Int64[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """An order of the rows that is independent of their names and stable when images are added."""
    return np.lexsort(images.hashes[rows].T[::-1])


def _settings(config: ImageConfig) -> dict[str, Any]:
    return {"format": FORMAT, "size": config.size, "channels": config.channels, "fit": config.fit}


def write_images(folder: Path, batches: Iterable[Batch], config: ImageConfig) -> tuple[int, list[Skipped]]:
    """Writes images into an empty folder, batch by batch in any order, so that they need not fit into memory.

    Returns:
        The number of images, and the skipped files.
    """
    names: list[str] = []
    skipped: list[Skipped] = []
    parts: list[np.ndarray] = [np.empty((0, 16), dtype=np.uint8)]
    with (folder / "pixels.npy").open("wb") as file:
        shape = config.height, config.width, config.channels
        _write_header(file, (0, *shape))
        for batch in batches:
            # Not through a memory map, in which a full disk would kill the process.
            file.write(np.ascontiguousarray(batch.pixels).data)
            names.extend(batch.names)
            skipped.extend(batch.skipped)
            parts.append(batch.hashes)
        file.seek(0)
        _write_header(file, (len(names), *shape))
        file.flush()
        os.fsync(file.fileno())
    hashes = np.concatenate(parts)
    order = sorted(range(len(names)), key=names.__getitem__)
    if order != list(range(len(names))):
        _reorder(folder / "pixels.npy", np.array(order))
    buffer = io.BytesIO()
    np.save(buffer, hashes[order])
    write_bytes(folder / "hashes.npy", buffer.getvalue())
    ordered = hashes[np.lexsort(hashes.T[::-1])].tobytes()
    about = {
        "names": [names[i] for i in order],
        "skipped": [asdict(item) for item in sorted(skipped, key=lambda item: item.name)],
        "digest": hashlib.sha256(canonical(_settings(config)).encode() + ordered).hexdigest(),
    }
    write_json(folder / "images.json", about)
    return len(names), skipped


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """The header of a .npy file, padded by numpy so that a longer first axis takes no more bytes."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _reorder(path: Path, order: np.ndarray) -> None:
    """Sorts the rows of a file that may be larger than memory."""
    old = np.load(path, mmap_mode="r")
    aside = path.with_name("sorted.npy")
    with aside.open("wb") as file:
        _write_header(file, old.shape)
        for start in range(0, len(order), _ROWS):
            file.write(old[order[start : start + _ROWS]].data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_images(folder: Path, source: str) -> Images:
    """Memory-maps the images that `write_images` wrote; `source` is the name of their origin."""
    about = json.loads((folder / "images.json").read_text(encoding="utf-8"))
    return Images(
        pixels=np.load(folder / "pixels.npy", mmap_mode="r"),
        names=tuple(about["names"]),
        hashes=np.load(folder / "hashes.npy"),
        skipped=tuple(Skipped(**item) for item in about["skipped"]),
        source=source,
        digest=about["digest"],
    )


@dataclass(frozen=True)
class Split:
    """Rows of the training, validation and test images: ascending, disjoint, together all."""

    train: Int64[np.ndarray, " train"]
    validation: Int64[np.ndarray, " validation"]
    test: Int64[np.ndarray, " test"]


def split_images(hashes: UInt8[np.ndarray, "n 16"], config: SplitConfig) -> Split:
    """Splits the images by a salted hash of their pixels: an unsalted one may have served to choose or sort the files.

    Adding files moves no other image to another part, and images with the same pixels are always in the same part. The
    shares are those of the config in expectation.

    Raises:
        InputError: when a part is empty.
    """
    digests = b"".join(hashlib.blake2b(_SALT + row.tobytes()).digest()[:8] for row in hashes)
    u = np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2**64  # in [0, 1]
    held_out = config.test_fraction + config.validation_fraction
    test, validation = u < config.test_fraction, (u >= config.test_fraction) & (u < held_out)
    split = Split(np.flatnonzero(u >= held_out), np.flatnonzero(validation), np.flatnonzero(test))
    for part, rows in vars(split).items():
        if not len(rows):
            raise InputError(
                f"the {part} part of the split is empty: there are {len(hashes)} images, "
                f"{len(np.unique(hashes, axis=0))} of them different; give more images, or raise "
                "--split.validation-fraction or --split.test-fraction"
            )
    return split
