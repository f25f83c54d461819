"""Decoding of image files, in threads and in order, to 8-bit pixels of one size; damage is described in words."""

import contextlib
import ctypes
import hashlib
import io
import math
import os
import re
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from twofold.engine.unpack import RATIO
from twofold.vae.config import ImageConfig
from twofold.vae.images.items import Damage, Item, Skipped, image_kind, is_archive
from twofold.vae.images.scale import Extent, Range, assumed_range, concerns_bytes, extent, to_levels

MAX_PIXELS = 90_000_000
"""A larger image is refused by its header, before it is decoded."""
# The plugins themselves, not Image.open, which would try other formats and has a size check of its own.
_READERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
MAX_PAGES = 10_000
"""Most pages of a file that are read as images: they are decoded together."""
_PAGED = "PNG", "GIF", "TIFF", "WebP"
_COLOURS = {"RGB": "RGB", "RGBA": "RGB with alpha"}
_DEPTHS = {
    "1": "1-bit",
    "L": "8-bit grey",
    "LA": "8-bit grey with alpha",
    "P": "8-bit palette",
    "RGB": "8-bit RGB",
    "RGBA": "8-bit RGB with alpha",
    "CMYK": "8-bit CMYK",
    **dict.fromkeys(("I;16", "I;16B", "I;16L", "I;16N"), "16-bit grey"),
    "I": "32-bit grey",
    "F": "float grey",
}
_ORIENTATION = 0x0112
_SAMPLE_FORMAT = 339
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED_BY = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
_CUT = re.compile("truncated|end of file|not enough (image )?data|requires a buffer", re.IGNORECASE)
_SPARE = 4  # a JPEG is decoded at no less than this many times the final size
_CHUNK, _CHUNK_BYTES = 64, 4 * 2**20
_LARGE = 12_000_000  # pixels: such images are decoded one at a time, or eight of MAX_PIXELS would take 10 GB
_IN_TURN = threading.Lock()
_FREE_PIXELS = 10 * MAX_PIXELS  # of all pages of a file; beyond these RATIO for each byte
MAX_SCANS = 100
"""Of a JPEG. Progressive files have about ten; each, even an empty one, takes as long as the image is large."""
_SCAN = b"\xff\xda"
_THREADS = 8  # at most: each may hold an image of MAX_PIXELS


def _quiet() -> None:
    """Keeps libtiff from printing what is wrong with a file, which is told with its name by us."""
    with contextlib.suppress(AttributeError, OSError):  # where Pillow is built in another way, it goes on printing
        library = ctypes.CDLL(Image.core.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


_quiet()


class Facts(NamedTuple):
    """What an image was before it was fitted.

    Attributes:
        kind: format and depth.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        unread: further pages of its file that were not read.
        clipped: stored values outside the scale.
        whole: extent of its stored values, if they are integers of more than 8 bits.
        real: extent of its stored values, if they are floats.
    """

    kind: str
    width: int
    height: int
    unread: int = 0
    clipped: int = 0
    whole: Extent | None = None
    real: Extent | None = None


@dataclass(frozen=True)
class Batch:
    """Some images of a source, in its order, and the files between them that gave no image."""

    names: tuple[str, ...]
    pixels: UInt8[np.ndarray, "k h w c"]
    hashes: UInt8[np.ndarray, "k 16"]
    skipped: tuple[Skipped, ...] = ()
    facts: tuple[Facts, ...] = ()
    """Of each image; empty for drawn ones."""


def batch_of(
    names: list[str],
    pixels: UInt8[np.ndarray, "k h w c"],
    skipped: tuple[Skipped, ...] = (),
    facts: tuple[Facts, ...] = (),
) -> Batch:
    """A batch, with the hashes computed."""
    hashes = b"".join(pixel_hash(image) for image in pixels)
    return Batch(tuple(names), pixels, np.frombuffer(hashes, dtype=np.uint8).reshape(-1, 16), skipped, facts)


def pixel_hash(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    """BLAKE2b-128 of an image's shape and pixels."""
    digest = _shape_hash(pixels.shape).copy()
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


@cache
def _shape_hash(shape: tuple[int, ...]) -> hashlib.blake2b:
    return hashlib.blake2b("x".join(map(str, shape)).encode(), digest_size=16)


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
    names, images, skipped, facts = [], [], [], []
    for entry in entries:
        if isinstance(entry, Skipped):
            skipped.append(entry)
            continue
        try:
            for page, found in _decoded_pages(entry.read(), config):
                name = f"{entry.name}#{page}" if page else entry.name
                if isinstance(found, Damage):
                    skipped.append(Skipped(name, str(found)))
                else:
                    images.append(found[0])
                    facts.append(found[1])
                    names.append(name)
        except Damage as damage:
            skipped.append(Skipped(entry.name, str(damage)))
    empty = np.empty((0, config.height, config.width, config.channels), dtype=np.uint8)
    return batch_of(names, np.stack(images) if images else empty, tuple(skipped), tuple(facts))


@contextlib.contextmanager
def ignore_pillow_warnings() -> Iterator[None]:
    """Suppresses Pillow's warnings on odd files, in every thread: files that can't be read are listed as skipped."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def decode(data: bytes | np.ndarray | Image.Image, config: ImageConfig) -> UInt8[np.ndarray, "h w c"]:
    """One image, upright, without transparency, fitted to the size.

    Args:
        data: a file of a known format, of which the first page is taken, a row [h, w, c] of an array, or an image of
            Pillow's.

    Returns:
        Pixels on white where transparent, scaled to 8 bits by `image.range`; without one a deeper image is scaled by
        `assumed_range`. A colour profile is not applied.

    Raises:
        Damage: when the file can't be decoded.
    """
    side = max(config.height, config.width)
    given = data
    if isinstance(given, bytes):
        return _made(lambda: _File(given, side).fitted(config))[0]
    return _made(lambda: _fitted(_given(given), config))[0]


_Fitted = tuple[UInt8[np.ndarray, "h w c"], Facts]


def _decoded_pages(
    data: bytes | np.ndarray | Image.Image, config: ImageConfig
) -> Iterator[tuple[str, _Fitted | Damage]]:
    """The image of each page with the page's number, which is empty for a file of one; of a damaged page why."""
    if not isinstance(data, bytes):
        yield "", _made(lambda: _fitted(_given(data), config))
        return
    file = _made(lambda: _File(data, max(config.height, config.width)))
    try:
        pages = _made(file.pages) if file.kind in _PAGED else 1
    except Damage:
        if config.pages:
            raise
        pages = 1  # damage behind the first page, which is not lost
    if not config.pages or pages == 1:
        yield "", _made(lambda: file.fitted(config, unread=pages - 1))
        return
    if pages > MAX_PAGES:
        raise Damage(f"more than {MAX_PAGES:,} pages")
    found, decoded = None, 0
    for number in range(pages):
        if decoded > max(_FREE_PIXELS, RATIO * len(data)):
            found = Damage("its pages unpack to too much")
        elif isinstance(found, Damage) and file.kind != "TIFF":  # whose pages are no changes of the page before
            found = Damage("follows a damaged page")
        else:
            try:
                found = _made(lambda number=number: file.fitted(config, number))
            except Damage as damage:
                found = damage
            decoded += math.prod(file.image.size)
        yield f"{number + 1:0{len(str(pages))}d}", found


_Made = TypeVar("_Made")


def _made(make: Callable[[], _Made]) -> _Made:
    """The result, or a Damage instead of whatever Pillow raises."""
    try:
        return make()
    except Damage:
        raise
    except Exception as error:  # Pillow's formats raise exceptions of many types
        raise Damage(_reason(error)) from error


class _Page(NamedTuple):
    """An image before it is scaled and fitted.

    Attributes:
        kind: format and depth.
        image: with 8 bits; of a deep one, only its EXIF and info are used.
        deep: stored values of more than 8 bits.
        size: width and height as stored.
    """

    kind: str
    image: Image.Image | None
    deep: np.ndarray | None
    size: tuple[int, int]


class _File:
    """An image file of one or several pages, whose longer side will be `side` pixels."""

    def __init__(self, data: bytes, side: int) -> None:
        self.data, self.side = data, side
        kind = image_kind(data[:12])
        if kind is None:
            known = "an archive, not an image" if is_archive(data[:512]) else "not an image"
            raise Damage(known if data else "empty file")
        if kind == "WebP" and int.from_bytes(data[4:8], "little") + 8 > len(data):  # its reader gives no reason
            raise Damage("truncated")
        if kind == "WebP" and data[12:16] == b"VP8X":  # its reader makes room for all of it before it tells the size
            _check_size(*(int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27)))
        if kind == "JPEG" and data.count(_SCAN) > MAX_SCANS:
            raise Damage(f"more than {MAX_SCANS} scans")
        self.kind = kind
        self.image = self._reader()

    def _reader(self) -> ImageFile.ImageFile:
        image = _READERS[self.kind](io.BytesIO(self.data))
        _check_size(*image.size)
        return image

    def pages(self) -> int:
        """Number of pages.

        Raises:
            Exception: of many types, where they can't be counted.
        """
        # By a reader of its own: counting goes through the file.
        return getattr(self._reader() if self.kind in ("GIF", "TIFF") else self.image, "n_frames", 1)

    @cached_property
    def _low_bytes(self) -> ImageFile.ImageFile:
        """A second reader, for the low bytes of colours of 16 bits."""
        return self._reader()

    def fitted(self, config: ImageConfig, number: int = 0, unread: int = 0) -> "_Fitted":
        """One page at its final size; pages are taken in their order."""
        if number:
            self.image.seek(number)
            _check_size(*self.image.size)
        with _IN_TURN if math.prod(self.image.size) > _LARGE else contextlib.nullcontext():
            return _fitted(self._page(number), config, unread)

    def _page(self, number: int) -> _Page:
        """The page that the reader stands at, loaded."""
        image = self.image
        size = image.size
        raw, lower = _sixteen_bits(image) if self.kind in ("PNG", "TIFF") else ("", "")
        if raw:
            return _Page(f"{self.kind} 16-bit {_COLOURS[image.mode]}", image, self._wide(number, raw, lower), size)
        if self.kind == "JPEG" and min(image.size) >= 2 * _SPARE * self.side:
            image.draft(None, (_SPARE * self.side, _SPARE * self.side))
        image.load()
        return _page(image, self.kind, size)

    def _wide(self, number: int, raw: str, lower: str) -> np.ndarray:
        """Colours of 16 bits, of which Pillow keeps the high bytes alone: read twice, the second time swapped."""
        high, low = self.image, self._low_bytes
        if raw == "LA;16B":  # whose four bytes are taken as those of RGBA
            high.tile = [tile._replace(args="RGBA") for tile in high.tile]
            high.load()
            pairs = np.asarray(high).astype(np.uint16)
            grey, alpha = (pairs[..., k] << 8 | pairs[..., k + 1] for k in (0, 2))
            return np.stack([grey, grey, grey, alpha], axis=2)
        high.load()
        if number:
            low.seek(number)
        low.tile = [tile._replace(args=_renamed(tile.args, lower)) for tile in low.tile]
        low.load()
        wide = np.asarray(high).astype(np.uint16)
        wide <<= 8
        wide |= np.asarray(low)
        return wide


def _renamed(args: str | tuple[Any, ...] | None, raw: str) -> str | tuple[Any, ...]:
    return (raw, *args[1:]) if isinstance(args, tuple) else raw


def _sixteen_bits(image: ImageFile.ImageFile) -> tuple[str, str]:
    """Raw mode of a file's colours of 16 bits, and the one that gives the other byte; empty for other files."""
    args = image.tile[0].args if image.tile else ""
    raw = args if isinstance(args, str) else args[0] if args else ""
    if not isinstance(raw, str) or raw.partition(";16")[0] not in ("RGB", "RGBA", "RGBX", "LA") or ";16" not in raw:
        return "", ""
    name, order = raw[:-1], raw[-1]
    big = order == "B" or (order == "N" and sys.byteorder == "big")
    return raw, name + ("L" if big else "B")


def _given(data: np.ndarray | Image.Image) -> _Page:
    if isinstance(data, Image.Image):
        _check_size(*data.size)
        return _page(data, "image", data.size)
    height, width, _ = data.shape
    _check_size(width, height)
    kind = f"array {data.dtype.name}"
    if data.dtype == np.bool_:
        data = data.view(np.uint8)
    if data.dtype != np.uint8:
        return _Page(kind, None, data, (width, height))
    return _Page(kind, Image.fromarray(data[:, :, 0] if data.shape[2] == 1 else data), None, (width, height))


def _page(image: Image.Image, kind: str, size: tuple[int, int]) -> _Page:
    name = f"{kind} {_DEPTHS.get(image.mode, image.mode)}"
    if image.mode != "F" and not image.mode.startswith("I"):
        return _Page(name, image, None, size)
    deep = np.asarray(image)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode == "I":
        unsigned = image.tag_v2.get(_SAMPLE_FORMAT, (1,))[0] == 1
        deep = deep.view(np.uint32) if unsigned else deep  # Pillow has no unsigned integers of 32 bits
    return _Page(name, image, deep[:, :, None], size)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Damage(f"too large: {width} x {height} pixels")
    if min(width, height) < 1:
        raise Damage(f"no pixels: {width} x {height}")


def _upright(image: Image.Image, like: Image.Image | None) -> Image.Image:
    """The image turned as the EXIF of `like` says."""
    # Most files hold none of these, and an EXIF that is empty takes as long to open.
    if like is None or not (_TURNED_BY & like.info.keys() or hasattr(like, "tag_v2")):
        return image
    try:
        turned = _UPRIGHT.get(like.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  (damaged EXIF, which raises as many types, loses no image)
        return image
    return image if turned is None else image.transpose(turned)


def _fitted(page: _Page, config: ImageConfig, unread: int = 0) -> _Fitted:
    scale, whole, real, outside = config.range, None, None, 0
    if page.deep is None:
        assert page.image is not None
        image = page.image
        if not concerns_bytes(scale) or image.mode == "1":  # whose bits are black and white already
            scale = None
    else:
        image, found, outside = _shallow(page.deep, page.image, scale)
        whole, real = (None, found) if page.deep.dtype.kind == "f" else (found, None)
        scale = None
    upright = _upright(image, page.image)
    width, height = page.size if upright.size == image.size else page.size[::-1]
    pixels, clipped = _squared(upright, config, scale)
    return pixels, Facts(page.kind, width, height, unread, outside + clipped, whole, real)


def _squared(image: Image.Image, config: ImageConfig, scale: Range | None) -> tuple[UInt8[np.ndarray, "h w c"], int]:
    """The image at its final size, its levels scaled; and how many of these were clipped."""
    size, (width, height), clipped = (config.width, config.height), image.size, 0
    mode = "L" if config.channels == 1 else "RGB"
    scales = size[0] / width, size[1] / height
    other = width * size[1] != height * size[0]  # another shape
    if config.fit == "crop" and other:
        # The largest window of the shape; the sizes are whole numbers, so that a square's is exact.
        across = min(width, max(1, round(height * size[0] / size[1])))
        down = min(height, max(1, round(width * size[1] / size[0])))
        left, top = (width - across) // 2, (height - down) // 2
        image = image.crop((left, top, left + across, top + down))
    image = _flat(image, mode)
    if scale is not None:
        levels, clipped = to_levels(np.asarray(image), scale)
        image = Image.fromarray(levels)
    if config.fit == "pad" and other:
        image = _resized(image, (max(1, round(width * min(scales))), max(1, round(height * min(scales)))))
        padded = Image.new(mode, size, "white")
        padded.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
        image = padded
    pixels = np.frombuffer(_resized(image, size).tobytes(), np.uint8)  # faster than numpy.asarray
    return pixels.reshape(config.height, config.width, config.channels), clipped


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """The image in `mode`, on white where it is transparent."""
    if image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)


def _shallow(deep: np.ndarray, image: Image.Image | None, scale: Range | None) -> tuple[Image.Image, Extent, int]:
    """A deep image at 8 bits, white where its transparent colour was; the extent of its values, and those clipped."""
    colours, alpha = (deep[:, :, :3], deep[:, :, 3]) if deep.shape[2] == 4 else (deep, None)
    found = extent(colours)
    levels, clipped = to_levels(colours, scale or assumed_range(colours))
    key = image.info.get("transparency") if image is not None else None
    if key is not None:
        levels = np.where((colours == np.asarray(key)).all(axis=2, keepdims=True), np.uint8(255), levels)
    if alpha is not None:
        kind = deep.dtype.kind
        opaque = 1.0 if kind == "f" else float(np.iinfo(deep.dtype).max) if kind == "u" else 255.0
        levels = np.dstack([levels, to_levels(alpha, (0.0, opaque))[0]])
    return Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels), found, clipped


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
