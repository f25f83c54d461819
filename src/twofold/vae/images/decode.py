"""Decoding of image files, in threads and in order, to 8-bit pixels of one size; damage is described in words."""

import contextlib
import hashlib
import io
import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from twofold.vae.config import ImageConfig
from twofold.vae.images.items import Damage, Item, Skipped, image_kind, is_archive

MAX_PIXELS = 90_000_000
"""A larger image is refused by its header, before it is decoded."""
# The plugins themselves, not Image.open, which would try other formats and has a size check of its own.
_READERS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_CUT = re.compile("truncated|end of file|not enough (image )?data|requires a buffer", re.IGNORECASE)
_SPARE = 4  # a JPEG is decoded at no less than this many times the final size
_CHUNK, _CHUNK_BYTES = 64, 4 * 2**20
_THREADS = 8  # at most: each may hold an image of MAX_PIXELS


@dataclass(frozen=True)
class Batch:
    """Some images of a source, in its order, and the files between them that gave no image."""

    names: tuple[str, ...]
    pixels: UInt8[np.ndarray, "k h w c"]
    hashes: UInt8[np.ndarray, "k 16"]
    skipped: tuple[Skipped, ...] = ()


def batch_of(names: list[str], pixels: UInt8[np.ndarray, "k h w c"], skipped: tuple[Skipped, ...] = ()) -> Batch:
    """A batch, with the hashes computed."""
    hashes = b"".join(pixel_hash(image) for image in pixels)
    return Batch(tuple(names), pixels, np.frombuffer(hashes, dtype=np.uint8).reshape(-1, 16), skipped)


def pixel_hash(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    """BLAKE2b-128 of an image's shape and pixels."""
    digest = hashlib.blake2b("x".join(map(str, pixels.shape)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def decoded(entries: Iterable[Item | Skipped], config: ImageConfig) -> Generator[Batch, None, None]:
    """Decodes files in threads (Pillow releases the interpreter lock), in order, one batch per chunk of files.

    This thread reads the iterator of files a few chunks ahead.
    """
    workers = min(_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    pending: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for chunk in _chunks(entries):
            pending.append(pool.submit(_decode_chunk, chunk, config))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(entries: Iterable[Item | Skipped]) -> Iterator[list[Item | Skipped]]:
    chunk, size = [], 0
    for entry in entries:
        chunk.append(entry)
        size += entry.size if isinstance(entry, Item) else 0
        if len(chunk) == _CHUNK or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _decode_chunk(entries: list[Item | Skipped], config: ImageConfig) -> Batch:
    names, images, skipped = [], [], []
    for entry in entries:
        if isinstance(entry, Skipped):
            skipped.append(entry)
            continue
        try:
            images.append(decode(entry.read(), config))
            names.append(entry.name)
        except Damage as damage:
            skipped.append(Skipped(entry.name, str(damage)))
    empty = np.empty((0, config.height, config.width, config.channels), dtype=np.uint8)
    return batch_of(names, np.stack(images) if images else empty, tuple(skipped))


@contextlib.contextmanager
def ignore_pillow_warnings() -> Iterator[None]:
    """Suppresses Pillow's warnings on odd files, in every thread: files that can't be read are listed as skipped."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def decode(data: bytes | np.ndarray | Image.Image, config: ImageConfig) -> UInt8[np.ndarray, "h w c"]:
    """One image, upright, without transparency, fitted to the size.

    Args:
        data: a file of a known format, a row [h, w, c] of an array (uint8, uint16, or floats in [0, 1]), or an image of
            Pillow's.

    Returns:
        Pixels on white where transparent, scaled to 8 bits where deeper; a colour profile is not applied.

    Raises:
        Damage: when the file can't be decoded.
    """
    mode = "L" if config.channels == 1 else "RGB"
    try:
        if isinstance(data, bytes):
            image = _opened(data, config)
        elif isinstance(data, Image.Image):
            _check_size(*data.size)
            image = _upright(data)
        else:
            _check_size(data.shape[1], data.shape[0])
            image = Image.fromarray(_eight_bits(data[:, :, 0] if data.shape[2] == 1 else data))
        pixels = np.asarray(_fitted(image, mode, config))
    except Damage:
        raise
    except Exception as error:  # Pillow's formats raise exceptions of many types
        raise Damage(_reason(error)) from error
    return pixels.reshape(config.height, config.width, config.channels)


def _opened(data: bytes, config: ImageConfig) -> Image.Image:
    kind = image_kind(data[:12])
    if kind is None:
        known = "an archive, not an image" if is_archive(data[:512]) else "not an image"
        raise Damage(known if data else "empty file")
    if kind == "WebP" and int.from_bytes(data[4:8], "little") + 8 > len(data):  # its reader gives no reason
        raise Damage("truncated")
    image = _READERS[kind](io.BytesIO(data))
    _check_size(*image.size)
    side = max(config.height, config.width)
    if kind == "JPEG" and min(image.size) >= 2 * _SPARE * side:
        image.draft(None, (_SPARE * side, _SPARE * side))
    image.load()
    return _upright(image)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Damage(f"too large: {width} x {height} pixels")
    if min(width, height) < 1:
        raise Damage(f"no pixels: {width} x {height}")


def _upright(image: Image.Image) -> Image.Image:
    try:
        turned = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  (damaged EXIF, which raises as many types, loses no image)
        return image
    return image if turned is None else image.transpose(turned)


def _fitted(image: Image.Image, mode: str, config: ImageConfig) -> Image.Image:
    size, (width, height) = (config.width, config.height), image.size
    scales = size[0] / width, size[1] / height
    other = width * size[1] != height * size[0]  # another shape
    if config.fit == "crop" and other:
        # The largest window of the shape; the sizes are whole numbers, so that a square's is exact.
        across = min(width, max(1, round(height * size[0] / size[1])))
        down = min(height, max(1, round(width * size[1] / size[0])))
        left, top = (width - across) // 2, (height - down) // 2
        image = image.crop((left, top, left + across, top + down))
    image = _flat(image, mode)
    if config.fit == "pad" and other:
        image = _resized(image, (max(1, round(width * min(scales))), max(1, round(height * min(scales)))))
        padded = Image.new(mode, size, "white")
        padded.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
        return padded
    return _resized(image, size)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """The image in `mode`, on white where it is transparent."""
    if image.mode == "F" or image.mode.startswith("I"):
        deep = np.asarray(image)
        grey = _eight_bits(deep)
        if "transparency" in image.info:  # the one grey level that is transparent
            grey = np.where(deep == image.info["transparency"], np.uint8(255), grey)
        image = Image.fromarray(grey)
    elif image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Scales to 0..255.

    uint16 defines its own scale. 32-bit integers and floats in files don't: values up to 255 are taken as 8 bits,
    integers up to 65535 as 16 bits, floats up to 1 as fractions.
    """
    if values.dtype == np.uint8:
        return values
    lowest, highest = values.min(), values.max()
    if not (lowest >= 0 and np.isfinite(highest)):
        raise Damage("negative or infinite pixels")
    whole = values.dtype.kind in "iu"
    if whole and (values.dtype.itemsize == 2 or 255 < highest <= 65535):
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if not whole and highest <= 1:
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    if highest > 255:
        raise Damage("pixels deeper than 16 bits")
    return np.rint(values).astype(np.uint8)


def _reason(error: Exception) -> str:
    """The reason that an exception of Pillow stands for; without memory addresses, so equal for equal files."""
    text = str(error).split("\n")[0][:80]
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: {''.join(re.findall('([0-9]+) pixels', text)[:1])} pixels"
    if isinstance(error, MemoryError):
        return "too large for the memory"
    if isinstance(error, EOFError) or _CUT.search(text):
        return "truncated"
    return f"damaged ({text})" if text and "<" not in text else "damaged"
