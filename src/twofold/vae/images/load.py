"""Loading of images: decoded once into the cache, memory-mapped, sorted by name; and their split by hash."""

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from twofold.engine.config import canonical
from twofold.engine.errors import DataError, InputError
from twofold.engine.files import mapped, read_bytes, text, write_bytes, write_json
from twofold.engine.sound import JOURNAL
from twofold.vae.config import ImageConfig, SplitConfig
from twofold.vae.images.arrays import Choice
from twofold.vae.images.cache import entry, recall, remember
from twofold.vae.images.decode import Batch, decoded, ignore_pillow_warnings
from twofold.vae.images.files import Source, open_source
from twofold.vae.images.items import FORMATS, HIDDEN, Skipped, fingerprint
from twofold.vae.images.scale import MASK, Range
from twofold.vae.images.seen import Seen, Watch, may_be_masks, wanted_range

FORMAT = 1
"""Version of the pixels: raised when the same 8-bit files give others, and so runs on them another digest."""
LAYOUT = 3
"""Version of the cache's files."""
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
        config: how they were read, with the scale and the channels that were found where that was left open.
        seen: facts on them.
        choice: the arrays of an .npz that they were read from.
    """

    pixels: UInt8[np.ndarray, "n h w c"]
    names: tuple[str, ...]
    hashes: UInt8[np.ndarray, "n 16"]
    skipped: tuple[Skipped, ...]
    source: str
    digest: str
    config: ImageConfig
    seen: Seen
    choice: Choice | None = None


def load_images(
    path: Path,
    config: ImageConfig,
    *,
    strict: bool,
    cache: Path,
    own: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Images:
    """The images of a folder, zip, tar, array or image file, decoded now or read from the cache.

    Masks and images deeper than 8 bits are read twice: first to find the scale that all of them share.

    Args:
        path: a folder of any depth, a zip, a tar (also compressed), an array (.npy, .npz), or one image file.
        strict: refuse the source when one of its files gives no image (except hidden and system files).
        cache: folder of decoded images.
        own: read the own parts of an .npz.
        progress: called while decoding with (files done, files in all); the latter is 0 for a tar.

    Raises:
        DataError: when the path is no source of images, holds none, or, if `strict`, one that can't be read.
        InputError: when the cache can't be written.
    """
    source = open_source(path, config.key, own)
    content = recall(cache, source.stamp)
    if content is None:
        content = source.content()
        remember(cache, source.stamp, content)
    if config.channels:
        images = _settled(source, content, config, cache, progress)
    else:
        images = _settled(source, content, config.model_copy(update={"channels": 3}), cache, progress)
        if not images.seen.coloured:
            grey = images.config.model_copy(update={"channels": 1})
            images = _settled(source, content, grey, cache, progress)
    bad = [item for item in images.skipped if item.reason != HIDDEN]
    if strict and bad:
        more = f" ({len(bad)} such files)" if len(bad) > 1 else ""
        raise DataError(
            f"{path}, {bad[0].name}: {bad[0].reason}{more}; mend or remove it, or run without --strict to skip it"
        )
    return images


_SCALE = "range.json"


def _settled(
    source: Source, content: str, config: ImageConfig, cache: Path, progress: Callable[[int, int], None] | None
) -> Images:
    """The images by the scale of the config or, without one, by the one that they need."""

    def batches(config: ImageConfig) -> Generator[Batch, None, None]:
        done = 0
        with ignore_pillow_warnings(), source.items() as (total, entries), closing(decoded(entries, config)) as found:
            for batch in found:
                done += len(batch.names) + len(batch.skipped)
                if progress:
                    progress(done, total)
                yield batch

    def build(aside: Path) -> None:
        with closing(batches(config)) as found:
            seen, skipped = write_images(aside, found, config)
        if not seen.kinds:
            reasons = ", ".join(
                f"{n} {reason}" for reason, n in Counter(item.reason for item in skipped).most_common(3)
            )
            more = f"; of {len(skipped)} skipped: {reasons}" if skipped else ""
            raise DataError(f"{source.path}: holds no image that can be read{more}; {FORMATS}")
        if config.range is None:
            scale = wanted_range(seen, str(source.path))
            if may_be_masks(seen) and _are_masks(batches(config.model_copy(update={"range": MASK}))):
                scale = MASK
            if scale is not None:
                for file in aside.iterdir():
                    file.unlink()
                write_json(aside / _SCALE, scale)
        if open_source(source.path, config.key, source.own).stamp.fingerprint != source.stamp.fingerprint:
            raise DataError(f"{source.path}: changed while it was read; run again when nothing writes there")

    key = [content, LAYOUT, _settings(config), config.range, config.pages]
    folder = entry(cache, fingerprint([*key, source.choice.images] if source.choice else key), build)
    if (folder / _SCALE).exists():
        found: Range = tuple(json.loads(text(folder, _SCALE)))
        return _settled(source, content, config.model_copy(update={"range": found}), cache, progress)
    return read_images(folder, source.path.resolve().name, config, source.choice)


def _are_masks(batches: Generator[Batch, None, None]) -> bool:
    """Whether images read by the scale of masks hold no value but 0 and 1, and a 1."""
    top = 0
    with closing(batches):
        for batch in batches:
            top = max(top, int(batch.pixels.max(initial=0)))
            if any(facts.clipped for facts in batch.facts):
                return False
    return top > 0


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


def write_images(folder: Path, batches: Iterable[Batch], config: ImageConfig) -> tuple[Seen, list[Skipped]]:
    """Writes images into an empty folder, batch by batch in any order, so that they need not fit into memory.

    Returns:
        What was seen of the images, and the skipped files.
    """
    watch = Watch(config)
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
            watch.add(batch)
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
    seen = watch.found(np.load(folder / "pixels.npy", mmap_mode="r"))
    ordered = hashes[np.lexsort(hashes.T[::-1])].tobytes()
    about = {
        "names": [names[i] for i in order],
        "skipped": [asdict(item) for item in sorted(skipped, key=lambda item: item.name)],
        "digest": hashlib.sha256(canonical(_settings(config)).encode() + ordered).hexdigest(),
        "seen": seen.as_json(),
    }
    write_json(folder / "images.json", about)
    return seen, skipped


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


def read_images(folder: Path, source: str, config: ImageConfig, choice: Choice | None = None) -> Images:
    """Memory-maps the images that `write_images` wrote by a config; `source` is the name of their origin.

    Raises:
        DamagedError: when they are not what was written.
    """
    about = json.loads(text(folder, "images.json"))
    return Images(
        pixels=mapped(folder / "pixels.npy"),
        names=tuple(about["names"]),
        hashes=np.load(io.BytesIO(read_bytes(folder / "hashes.npy"))),
        skipped=tuple(Skipped(**item) for item in about["skipped"]),
        source=source,
        digest=about["digest"],
        config=config,
        seen=Seen.from_json(about["seen"]),
        choice=choice,
    )


def cached_images(cache: Path, digest: str, source: str, config: ImageConfig) -> Images | None:
    """The decoded images of a digest, such as those of a finished run; None where the cache holds them no more.

    Args:
        cache: folder of decoded images.
        digest: of `Images`.
        source: name of their origin.
        config: how they were read.
    """
    for about in sorted(cache.glob("entries/*/images.json")):
        try:
            kept = (about.parent / JOURNAL).is_file()
            if kept and json.loads(text(about.parent, about.name))["digest"] == digest:
                return read_images(about.parent, source, config)
        except (OSError, ValueError, LookupError, TypeError):  # removed meanwhile, damaged, or of another version
            continue
    return None


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
    u = _chances(hashes)
    held_out = config.test_fraction + config.validation_fraction
    test, validation = u < config.test_fraction, (u >= config.test_fraction) & (u < held_out)
    split = Split(np.flatnonzero(u >= held_out), np.flatnonzero(validation), np.flatnonzero(test))
    for part, rows in vars(split).items():
        if not len(rows):
            wanted = {
                "train": "lower --split.validation-fraction or --split.test-fraction",
                "validation": "raise --split.validation-fraction",
                "test": "raise --split.test-fraction",
            }
            different = len(np.unique(hashes, axis=0))
            advice = f", or {wanted[part]}" if different >= len(wanted) else ""
            raise InputError(
                f"the {part} part of the split is empty: there are {len(hashes)} images, {different} of them "
                f"different; give more images{advice}"
            )
    return split


def _chances(hashes: UInt8[np.ndarray, "n 16"]) -> Float64[np.ndarray, " n"]:
    """A number in [0, 1] for each image that its pixels decide."""
    digests = b"".join(hashlib.blake2b(_SALT + row.tobytes()).digest()[:8] for row in hashes)
    return np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2**64


def split_of(images: Images, config: SplitConfig) -> Split:
    """The split of a set: by hash (`split_images`), or with `config.own` the set's own.

    The own one follows the first folder of each name, below those that all share. Without a folder of validation images
    a hash takes their share from the training images.

    Raises:
        InputError: when a part is empty; when, with `config.own`, an image lies in none of the parts.
    """
    if not config.own:
        return split_images(images.hashes, config)
    parts = [part for part, _ in own_parts(images.names)]
    lost = [name for name, part in zip(images.names, parts, strict=True) if part is None]
    if lost:
        folders = "; ".join(f"{part}: {', '.join(words)}" for part, words in OWN.items())
        raise InputError(
            f"--split.own: {len(lost):,} of {len(images.names):,} images lie in no folder of a part ({lost[0]}); the "
            f"folders are called ({folders}); leave --split.own out, and a hash of the pixels decides"
        )
    by_part = {part: np.flatnonzero([each == part for each in parts]) for part in OWN}
    train, validation = by_part["train"], by_part["validation"]
    if not len(validation):
        taken = _chances(images.hashes[train]) < config.validation_fraction
        train, validation = train[~taken], train[taken]
    split = Split(train, validation, by_part["test"])
    for part, rows in vars(split).items():
        if not len(rows):
            raise InputError(
                f"--split.own: there are no {part} images in {images.source}; leave --split.own out, and a hash of the "
                "pixels decides"
            )
    return split


def copies_of_test(images: Images, split: Split) -> int:
    """Test images with the pixels of a training or validation image; none where a hash decides on the part."""
    others = {bytes(images.hashes[row]) for row in (*split.train, *split.validation)}
    return sum(bytes(images.hashes[row]) in others for row in split.test)


OWN = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Names of the folders of a set's own parts."""


def own_parts(names: Sequence[str]) -> list[tuple[str | None, str]]:
    """The part that each name's folder stands for, and the rest of the name; None and the whole name without one.

    Example:
        >>> own_parts(["set/train/cat/1.png", "set/test/cat/2.png", "set/more/3.png"])
        [('train', 'cat/1.png'), ('test', 'cat/2.png'), (None, 'set/more/3.png')]
    """
    part_of = {word: part for part, words in OWN.items() for word in words}
    folders = [name.split("/")[:-1] for name in names]
    shared = 0
    while all(len(each) > shared and each[shared] == folders[0][shared] for each in folders):
        if folders[0][shared].lower() in part_of:
            break
        shared += 1
    found = [part_of.get(each[shared].lower()) if len(each) > shared else None for each in folders]
    return [
        (part, "/".join(name.split("/")[shared + 1 :]) if part else name)
        for name, part in zip(names, found, strict=True)
    ]
