"""Decoding against pixels computed without Pillow's conversions."""

import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from twofold.vae.config import ImageConfig
from twofold.vae.images import decode as module
from twofold.vae.images.decode import batch_of, decode, decoded, ignore_pillow_warnings, pixel_hash
from twofold.vae.images.items import Damage, Item, Skipped

SIZE = 16
RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 256, size=(SIZE, SIZE, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]
ALPHA = RNG.integers(0, 256, size=(SIZE, SIZE), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, size=(SIZE, SIZE), dtype=np.uint16)
FLOATS = RNG.random((SIZE, SIZE), dtype=np.float32)
PALETTE = RNG.integers(0, 256, size=(256, 3), dtype=np.uint8)


def config(channels: int = 3, fit: str = "crop", size: int | tuple[int, int] = SIZE) -> ImageConfig:
    return ImageConfig.model_validate({"size": size, "channels": channels, "fit": fit})


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def of(array: np.ndarray, mode: str | None = None) -> Image.Image:
    """An image whose raw values are the array's, in a mode that Pillow doesn't guess."""
    if mode is None:
        return Image.fromarray(array)
    return Image.frombytes(mode, array.shape[1::-1], np.ascontiguousarray(array).tobytes())


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255.0
    return colour.reshape(SIZE, SIZE, -1) * share + 255.0 * (1.0 - share)


def luma(rgb: np.ndarray) -> np.ndarray:
    return (rgb @ np.array([0.299, 0.587, 0.114]))[..., None]


def paletted(**options) -> Image.Image:
    image = of(GREY, "P")
    image.putpalette(PALETTE.tobytes())
    image.info.update(options)
    return image


def grey3(array: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(array, dtype=float).reshape(SIZE, SIZE, 1), 3, axis=2)


def ycbcr_to_rgb(ycc: np.ndarray) -> np.ndarray:
    y, cb, cr = np.moveaxis(ycc.astype(float), 2, 0) - np.array([0, 128, 128]).reshape(3, 1, 1)
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=2)
    return rgb.clip(0, 255)


YCC = (RGB // 4 + np.array([64, 96, 96])).astype(np.uint8)  # within what RGB can show
CMYK = RNG.integers(0, 256, size=(SIZE, SIZE, 4), dtype=np.uint8)
KEY = tuple(RGB[3, 4].tolist())
SHADES = bytes(range(256))
BITS = GREY > 127
LOSSLESS: dict[str, tuple[bytes, np.ndarray]] = {
    "png-rgb": (encoded(of(RGB), "PNG"), RGB),
    "png-grey": (encoded(of(GREY), "PNG"), grey3(GREY)),
    "png-bits": (encoded(of(BITS), "PNG"), grey3(BITS * 255)),
    "png-grey-alpha": (encoded(of(np.dstack([GREY, ALPHA]), "LA"), "PNG"), grey3(on_white(GREY, ALPHA))),
    "png-rgba": (encoded(of(np.dstack([RGB, ALPHA])), "PNG"), on_white(RGB, ALPHA)),
    "png-palette": (encoded(paletted(), "PNG"), PALETTE[GREY]),
    "png-palette-shades": (encoded(paletted(), "PNG", transparency=SHADES), on_white(PALETTE[GREY], GREY)),
    "png-palette-one": (
        encoded(paletted(), "PNG", transparency=int(GREY[0, 0])),
        np.where((GREY[0, 0] == GREY)[..., None], 255, PALETTE[GREY]),
    ),
    "png-key-colour": (
        encoded(of(RGB), "PNG", transparency=KEY),
        np.where((RGB == KEY).all(axis=2)[..., None], 255, RGB),
    ),
    "png-key-grey": (
        encoded(of(GREY), "PNG", transparency=int(GREY[2, 2])),
        grey3(np.where(GREY[2, 2] == GREY, 255, GREY)),
    ),
    "png-16-bit": (encoded(of(DEEP), "PNG"), grey3(DEEP / 257)),
    "png-16-bit-key": (
        encoded(of(DEEP), "PNG", transparency=int(DEEP[1, 1])),
        grey3(np.where(DEEP[1, 1] == DEEP, 255, DEEP / 257)),
    ),
    "webp-rgb": (encoded(of(RGB), "WEBP", lossless=True), RGB),
    "webp-rgba": (
        encoded(of(np.dstack([RGB, ALPHA])), "WEBP", lossless=True, exact=True),
        on_white(RGB, ALPHA),
    ),
    "gif": (encoded(paletted(), "GIF"), PALETTE[GREY]),
    "gif-transparent": (
        encoded(paletted(), "GIF", transparency=int(GREY[0, 0])),
        np.where((GREY[0, 0] == GREY)[..., None], 255, PALETTE[GREY]),
    ),
    "gif-first-frame": (
        encoded(paletted(), "GIF", save_all=True, append_images=[of(RGB[::-1])]),
        PALETTE[GREY],
    ),
    "bmp-rgb": (encoded(of(RGB), "BMP"), RGB),
    "bmp-grey": (encoded(of(GREY), "BMP"), grey3(GREY)),
    "bmp-bits": (encoded(of(BITS), "BMP"), grey3(BITS * 255)),
    "bmp-palette": (encoded(paletted(), "BMP"), PALETTE[GREY]),
    "tiff-rgb": (encoded(of(RGB), "TIFF"), RGB),
    "tiff-lzw": (encoded(of(RGB), "TIFF", compression="tiff_lzw"), RGB),
    "tiff-bits": (encoded(of(BITS), "TIFF", compression="group4"), grey3(BITS * 255)),
    "tiff-grey-alpha": (encoded(of(np.dstack([GREY, ALPHA]), "LA"), "TIFF"), grey3(on_white(GREY, ALPHA))),
    "tiff-rgba": (encoded(of(np.dstack([RGB, ALPHA])), "TIFF"), on_white(RGB, ALPHA)),
    "tiff-palette": (encoded(paletted(), "TIFF"), PALETTE[GREY]),
    "tiff-cmyk": (encoded(of(CMYK, "CMYK"), "TIFF"), (255.0 - CMYK[..., :3]) * (255.0 - CMYK[..., 3:]) / 255.0),
    "tiff-ycbcr": (encoded(of(YCC, "YCbCr"), "TIFF"), ycbcr_to_rgb(YCC)),
    "tiff-16-bit": (encoded(of(DEEP), "TIFF"), grey3(DEEP / 257)),
    "tiff-16-bit-big-endian": (encoded(of(DEEP.astype(">u2"), "I;16B"), "TIFF"), grey3(DEEP / 257)),
    "tiff-32-bit-of-16": (encoded(of(DEEP.astype(np.int32)), "TIFF"), grey3(DEEP / 257)),
    "tiff-32-bit-of-8": (encoded(of(GREY.astype(np.int32)), "TIFF"), grey3(GREY)),
    "tiff-float-shares": (encoded(of(FLOATS), "TIFF"), grey3(FLOATS * 255)),
    "tiff-float-of-8": (encoded(of(GREY.astype(np.float32)), "TIFF"), grey3(GREY)),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_in_every_mode(name, channels):
    data, expected = LOSSLESS[name]
    with ignore_pillow_warnings():
        pixels = decode(data, config(channels))
    assert pixels.shape == (SIZE, SIZE, channels)
    assert pixels.dtype == np.uint8
    expected = np.asarray(expected, dtype=float)
    off = np.abs(pixels - (expected if channels == 3 else luma(expected))).max()
    assert off <= (1.5 if "ycbcr" in name else 1.01), off


@pytest.mark.parametrize("name", ["png-rgb", "png-palette", "webp-rgb", "gif", "bmp-rgb", "tiff-lzw"])
def test_what_needs_no_conversion_is_exact(name):
    data, expected = LOSSLESS[name]
    np.testing.assert_array_equal(decode(data, config()), expected)


@pytest.mark.parametrize("value", [0, 127, 128, 129, 257, 32896, 65407, 65535])
def test_16_bits_are_scaled_to_the_nearest_of_8(value):
    data = encoded(of(np.full((SIZE, SIZE), value, dtype=np.uint16)), "PNG")
    assert (decode(data, config(1)) == round(value / 257)).all()


def png_of_words(values: np.ndarray) -> bytes:
    """A PNG of 16 bits with 2, 3 or 4 channels, which Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, channels = values.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff_of_words(values: np.ndarray, order: str) -> bytes:
    """An uncompressed TIFF of 16-bit RGB, which Pillow does not write."""
    height, width, channels = values.shape
    data = values.astype(f"{order}u2").tobytes()
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, 8 + len(data)), (259, 3, 1, 1)]
    entries += [(262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, len(data))]
    packed = b""
    for tag, kind, count, value in entries:
        inline = struct.pack(f"{order}HH", value, 0) if kind == 3 and count == 1 else struct.pack(f"{order}I", value)
        packed += struct.pack(f"{order}HHI", tag, kind, count) + inline
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    start = 8 + len(data) + len(bits)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}I", start)
    return head + data + bits + struct.pack(f"{order}H", len(entries)) + packed + bytes(4)


COUNTS = RNG.integers(0, 4096, size=(SIZE, SIZE, 3), dtype=np.uint16)
OPAQUE = np.full((SIZE, SIZE, 1), 65535, dtype=np.uint16)
WORDS = {
    "png-rgb": (png_of_words(COUNTS), COUNTS),
    "png-rgba": (png_of_words(np.dstack([COUNTS, OPAQUE])), COUNTS),
    "png-grey-alpha": (png_of_words(np.dstack([COUNTS[..., :1], OPAQUE])), COUNTS[..., :1]),
    "tiff-little": (tiff_of_words(COUNTS, "<"), COUNTS),
    "tiff-big": (tiff_of_words(COUNTS, ">"), COUNTS),
    "row": (COUNTS, COUNTS),
    "row-alpha": (np.dstack([COUNTS, OPAQUE]), COUNTS),
}


@pytest.mark.parametrize("name", WORDS)
def test_colours_of_16_bits_keep_their_low_bits(name):
    data, values = WORDS[name]
    scaled = decode(data, config().model_copy(update={"range": (0.0, 4095.0)}))
    assert np.abs(scaled - values / 4095 * 255).max() <= 0.51
    assert np.abs(decode(data, config()) - values / 257).max() <= 0.51


def test_integers_of_32_bits_without_a_sign():
    data = bytearray(encoded(of(np.full((SIZE, SIZE), -1, dtype=np.int32)), "TIFF"))
    start = struct.unpack("<I", data[4:8])[0]
    for i in range(struct.unpack("<H", data[start : start + 2])[0]):
        at = start + 2 + 12 * i
        if struct.unpack("<H", data[at : at + 2])[0] == 339:  # SampleFormat: 2 is with a sign, 1 without
            data[at + 8] = 1
    assert (decode(bytes(data), config(1)) == 255).all()


def test_a_scale_of_bytes_concerns_8_bits_and_one_that_reaches_further_does_not():
    few = GREY % 6
    assert (
        decode(encoded(of(few), "PNG"), config(1).model_copy(update={"range": (0.0, 5.0)}))[..., 0] == few * 51
    ).all()
    for scale in (None, (0.0, 255.0), (0.0, 4095.0), (-1000.0, 3000.0)):
        pixels = decode(encoded(of(GREY), "PNG"), config(1).model_copy(update={"range": scale}))
        np.testing.assert_array_equal(pixels[..., 0], GREY)
    for scale in (None, (0.0, 1.0)):  # bits are black and white already
        pixels = decode(encoded(of(BITS), "PNG"), config(1).model_copy(update={"range": scale}))
        np.testing.assert_array_equal(pixels[..., 0], BITS * 255)


PAGES = RNG.integers(0, 256, size=(12, SIZE, SIZE), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP"])
def test_each_page_is_an_image_or_counted(kind):
    options = {"lossless": True} if kind == "WEBP" else {"disposal": 1} if kind == "GIF" else {}
    first, *others = map(of, PAGES)
    data = encoded(first, kind, save_all=True, append_images=others, **options)
    (batch,) = decoded([item("a", data)], config(1))
    assert batch.names == ("a",)
    assert batch.facts[0].unread == 11
    (batch,) = decoded([item("a", data)], config(1).model_copy(update={"pages": True}))
    assert batch.names == tuple(f"a#{page:02d}" for page in range(1, 13))
    assert np.abs(batch.pixels[..., 0].astype(int) - PAGES).max() <= 1
    assert [facts.unread for facts in batch.facts] == [0] * 12


def test_a_damaged_page_is_listed_and_costs_no_other():
    data = bytearray(encoded(of(PAGES[0]), "TIFF", save_all=True, append_images=[of(page) for page in PAGES[1:3]]))
    at = bytes(data).index(PAGES[1].tobytes())
    starts = [i for i in range(len(data) - 12) if data[i : i + 4] == struct.pack("<HH", 273, 4)]
    place = next(i + 8 for i in starts if struct.unpack("<I", data[i + 8 : i + 12])[0] == at)
    data[place : place + 4] = struct.pack("<I", len(data) - 5)  # its pixels begin behind the end of the file
    (batch,) = decoded([item("a", bytes(data))], config(1).model_copy(update={"pages": True}))
    assert batch.names == ("a#1", "a#3")
    assert batch.skipped == (Skipped("a#2", "truncated"),)
    np.testing.assert_array_equal(batch.pixels[..., 0], PAGES[[0, 2]])


def test_more_pages_than_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_PAGES", 11)
    data = encoded(of(PAGES[0]), "TIFF", save_all=True, append_images=[of(page) for page in PAGES[1:]])
    (batch,) = decoded([item("a", data)], config(1).model_copy(update={"pages": True}))
    assert batch.skipped == (Skipped("a", "more than 11 pages"),)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / (height, width)[0]
    return np.stack([255 * y.clip(0, 1), 255 * (x / x.max()), 128 + 60 * np.sin(3 * x)], axis=2).astype(np.uint8)


@pytest.mark.parametrize(("mode", "tolerance"), [("RGB", 6), ("L", 4), ("CMYK", 8)])
def test_jpeg_in_every_mode(mode, tolerance):
    picture = smooth(SIZE, SIZE)
    if mode == "CMYK":
        data, expected = (
            encoded(of(np.dstack([255 - picture, picture[..., 0] * 0]), "CMYK"), "JPEG", quality=98),
            picture,
        )
    elif mode == "L":
        data, expected = encoded(of(picture[..., 0]), "JPEG", quality=98), grey3(picture[..., 0])
    else:
        data, expected = encoded(of(picture), "JPEG", quality=98, subsampling=0), picture
    assert np.abs(decode(data, config()).astype(float) - expected).max() <= tolerance


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_applied(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    # One row more than the size: the crop, too, must see the image upright.
    data = encoded(of(smooth(SIZE + 1, SIZE)), kind, exif=exif, **options)
    turned = TURNS[orientation](smooth(SIZE + 1, SIZE))[:SIZE, :SIZE]
    assert np.abs(decode(data, config()).astype(int) - turned).max() <= (6 if kind == "JPEG" else 0)


def test_damaged_exif_costs_no_image():
    data = encoded(of(RGB), "JPEG", exif=b"Exif\0\0II*\0" + b"\xff" * 30)
    with ignore_pillow_warnings():
        assert decode(data, config()).shape == (SIZE, SIZE, 3)


def test_crop_takes_the_middle():
    wide = RNG.integers(0, 256, size=(SIZE, SIZE + 9, 3), dtype=np.uint8)
    tall = RNG.integers(0, 256, size=(SIZE + 4, SIZE, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encoded(of(wide), "PNG"), config()), wide[:, 4 : 4 + SIZE])
    np.testing.assert_array_equal(decode(encoded(of(tall), "PNG"), config()), tall[2 : 2 + SIZE])


def test_pad_keeps_all_and_fills_with_white():
    wide = RNG.integers(0, 200, size=(SIZE // 2, SIZE, 3), dtype=np.uint8)
    padded = decode(encoded(of(wide), "PNG"), config(fit="pad"))
    quarter = SIZE // 4
    np.testing.assert_array_equal(padded[quarter:-quarter], wide)
    assert (padded[:quarter] == 255).all()
    assert (padded[-quarter:] == 255).all()


def test_pad_keeps_the_proportions_when_it_shrinks():
    tall = np.zeros((20 * SIZE, 5 * SIZE), dtype=np.uint8)
    padded = decode(encoded(of(tall), "PNG"), config(1, "pad"))[..., 0]
    assert (padded == 0).sum() == SIZE * SIZE // 4
    assert (padded[0] == 0).sum() == SIZE // 4


def test_stretch_keeps_all():
    ramp = np.tile(np.arange(SIZE, dtype=np.uint8) * 15, (3, 1))
    stretched = decode(encoded(of(ramp), "PNG"), config(1, "stretch"))[..., 0]
    assert np.abs(stretched.astype(int) - ramp[0]).max() <= 1


def test_crop_takes_the_middle_of_another_shape():
    image = RNG.integers(0, 256, size=(12, 20, 3), dtype=np.uint8)
    for size, window in (((12, 9), np.s_[:, 5:14]), ((8, 20), np.s_[2:10])):
        np.testing.assert_array_equal(decode(encoded(of(image), "PNG"), config(size=size)), image[window])


def test_pad_fills_another_shape_with_white():
    image = RNG.integers(0, 200, size=(10, 10, 3), dtype=np.uint8)
    padded = decode(encoded(of(image), "PNG"), config(fit="pad", size=(10, 16)))
    np.testing.assert_array_equal(padded[:, 3:13], image)
    assert (padded[:, :3] == 255).all() and (padded[:, 13:] == 255).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_an_image_of_the_shape_is_left_as_it_is(fit: str):
    image = RNG.integers(0, 256, size=(9, 14, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encoded(of(image), "PNG"), config(fit=fit, size=(9, 14))), image)
    half = decode(encoded(of(image.repeat(2, 0).repeat(2, 1)), "PNG"), config(fit=fit, size=(9, 14)))
    assert np.abs(half.astype(int) - image).mean() < 30  # resized whole, nothing cut


def test_an_extreme_shape_still_gives_an_image():
    line = np.zeros((1, 5000), dtype=np.uint8)
    for fit in ("crop", "pad", "stretch"):
        assert decode(encoded(of(line), "PNG"), config(1, fit)).shape == (SIZE, SIZE, 1)
        assert decode(encoded(of(line), "PNG"), config(1, fit, (500, 8))).shape == (500, 8, 1)


def test_shrinking_does_not_alias():
    """A fine chequerboard becomes grey: every other filter would make moiré of it."""
    board = (np.indices((37 * SIZE // 4, 37 * SIZE // 4)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = decode(encoded(of(board), "PNG"), config(1)).astype(float)
    assert np.abs(small - 127.5).max() < 8


def test_a_large_jpeg_decoded_at_part_of_its_size_looks_the_same():
    picture = smooth(50 * SIZE, 60 * SIZE)
    fast = decode(encoded(of(picture), "JPEG", quality=95), config())
    exact = decode(encoded(of(picture), "PNG"), config())
    assert np.abs(fast.astype(int) - exact).max() <= 4


def test_an_image_of_the_right_size_is_not_resized(monkeypatch):
    def resize(*_, **__):
        raise AssertionError

    monkeypatch.setattr(Image.Image, "resize", resize)
    decode(encoded(of(RGB), "PNG"), config())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (GREY[..., None], grey3(GREY)),
        (RGB, RGB),
        (np.dstack([RGB, ALPHA]), on_white(RGB, ALPHA)),
        (DEEP[..., None].astype(">u2"), grey3(DEEP / 257)),
        (FLOATS[..., None].astype(np.float64), grey3(FLOATS * 255)),
        (np.moveaxis(np.moveaxis(RGB, 2, 0).copy(), 0, 2), RGB),
    ],
)
def test_rows_of_arrays(row, expected, channels):
    pixels = decode(row, config(channels)).astype(float)
    wanted = np.asarray(expected, dtype=float)
    assert np.abs(pixels - (wanted if channels == 3 else luma(wanted))).max() <= 1.01


def png_of_size(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    body = b"IDAT" + zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunks + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


PNG = encoded(of(RGB), "PNG")
REASONS = [
    (b"", "empty file"),
    (b"hello, world", "not an image"),
    (b"%!PS-Adobe-3.0 EPSF-3.0", "not an image"),
    (b"PK\x03\x04 and more", "an archive, not an image"),
    (b"\x1f\x8b and more", "an archive, not an image"),
    (PNG[: len(PNG) // 2], "truncated"),
    (encoded(of(RGB), "JPEG")[:-200], "truncated"),
    (encoded(of(RGB), "BMP")[:-200], "truncated"),
    (encoded(of(RGB), "TIFF")[:-200], "truncated"),
    (encoded(of(RGB), "GIF")[:-100], "truncated"),
    (encoded(of(RGB), "WEBP", lossless=True)[:-100], "truncated"),
    (png_of_size(30_000, 30_000), "too large: 30000 x 30000 pixels"),
    (png_of_size(9_001, 10_000), "too large: 9001 x 10000 pixels"),
    (encoded(of(np.full((SIZE, SIZE), np.nan, dtype=np.float32)), "TIFF"), "values that are not finite"),
    (encoded(of(np.full((SIZE, SIZE), np.inf, dtype=np.float32)), "TIFF"), "values that are not finite"),
    (
        encoded(of(np.full((SIZE, SIZE), -3.4e38, dtype=np.float32)), "TIFF"),
        "values beyond 1e+30, which may mark missing ones",
    ),
]


@pytest.mark.parametrize(("data", "reason"), REASONS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_damage_has_its_reason(data, reason):
    with pytest.raises(Damage) as caught, ignore_pillow_warnings():
        decode(data, config())
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "error", [MemoryError(), OverflowError("x"), struct.error("y"), SyntaxError("z"), IndexError()]
)
def test_whatever_pillow_leaks_is_the_files_damage(monkeypatch, error):
    def leaks(_):
        raise error

    monkeypatch.setitem(module._READERS, "PNG", leaks)
    with pytest.raises(Damage, match=r"^damaged|^too large for the memory$"):
        decode(PNG, config())


def test_an_interrupt_is_nobodys_damage(monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(module._READERS, "PNG", interrupt)

    with pytest.raises(KeyboardInterrupt):
        decode(PNG, config())


def test_a_large_image_is_refused_before_it_is_decoded(monkeypatch):
    def load(_):
        raise AssertionError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(Damage, match="too large"):
        decode(png_of_size(30_000, 30_000), config())


def test_large_images_are_decoded_one_at_a_time(monkeypatch):
    """Eight of the largest at once would take gigabytes; small ones go on beside them."""
    monkeypatch.setattr(module, "_LARGE", SIZE * SIZE)
    at_once, most, lock, together = [0], [0, 0], threading.Lock(), threading.Barrier(2)
    real = module._File._page

    def page(self, number):
        large = self.image.size[0] > SIZE
        with lock:
            at_once[0] += large
            most[0] = max(most[0], at_once[0])
        if not large:
            together.wait(20)
        found = real(self, number)
        with lock:
            at_once[0] -= large
        return found

    monkeypatch.setattr(module._File, "_page", page)
    small, large = (encoded(of(GREY).resize((side, side)), "PNG") for side in (SIZE, 2 * SIZE))
    for data in (small, large):
        threads = [threading.Thread(target=decode, args=(data, config())) for _ in range(2 if data is small else 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most[0] == 1


def test_pages_that_unpack_to_too_much_together_are_listed(monkeypatch):
    data = encoded(of(GREY), "TIFF", save_all=True, append_images=[of(GREY)] * 3, compression="tiff_deflate")
    monkeypatch.setattr(module, "_FREE_PIXELS", SIZE * SIZE)
    monkeypatch.setattr(module, "RATIO", 0)
    found = list(module._decoded_pages(data, config().model_copy(update={"pages": True})))
    assert [page for page, _ in found] == ["1", "2", "3", "4"]
    assert [str(each) for _, each in found[2:]] == ["its pages unpack to too much"] * 2
    assert not any(isinstance(each, Damage) for _, each in found[:2])


def test_pillows_global_state_stays():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    with ignore_pillow_warnings():
        for data, _ in REASONS:
            with pytest.raises(Damage):
                decode(data, config())
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def test_only_pillows_warnings_are_ignored():
    with pytest.warns(UserWarning, match="mine"), ignore_pillow_warnings():
        warnings.warn("mine", UserWarning, stacklevel=1)


def item(name: str, data: bytes) -> Item:
    return Item(name, len(data), lambda: data)


def test_order_and_skips_are_kept():
    entries = [
        item(f"{i:03d}", encoded(of(np.full((SIZE, SIZE), i, dtype=np.uint8)), "PNG") if i % 7 else b"bad")
        for i in range(250)
    ]
    entries.insert(100, Skipped("odd", "not a regular file"))
    batches = list(decoded(entries, config(1)))
    names = [name for batch in batches for name in batch.names]
    assert names == [entry.name for entry in entries if isinstance(entry, Item) and int(entry.name) % 7]
    assert np.concatenate([batch.pixels for batch in batches])[:, 0, 0, 0].tolist() == [int(name) for name in names]
    skipped = [skip for batch in batches for skip in batch.skipped]
    assert Skipped("odd", "not a regular file") in skipped
    assert [skip.name for skip in skipped if skip.name != "odd"] == [f"{i:03d}" for i in range(0, 250, 7)]


def test_a_source_larger_than_memory_is_taken_chunk_by_chunk():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield item(str(taken), PNG)

    batches = decoded(endless(), config())
    sizes = [len(next(batches).names) for _ in range(3)]
    batches.close()
    assert max(sizes) <= 64
    assert taken <= 64 * (3 + 2 * 8 + 1)


def test_large_files_make_short_chunks():
    big = Item("big", 3 * 2**20, lambda: PNG)
    assert [len(batch.names) for batch in decoded([big] * 4, config())] == [2, 2]


def test_closing_ends_the_threads():
    batches = decoded((item(str(i), PNG) for i in range(5000)), config())
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_hashes_tell_pixels_and_shapes_apart():
    flat = np.arange(48, dtype=np.uint8)
    one, other = pixel_hash(flat.reshape(4, 4, 3)), pixel_hash(flat.reshape(4, 12, 1))
    assert len(one) == 16
    assert one != other
    assert one == pixel_hash(flat.reshape(4, 4, 3).copy())
    assert one == pixel_hash(np.asfortranarray(flat.reshape(4, 4, 3)))
    assert one != pixel_hash(flat[::-1].reshape(4, 4, 3))
    batch = batch_of(["a", "b"], np.stack([flat.reshape(4, 4, 3), flat[::-1].reshape(4, 4, 3)]))
    assert batch.hashes[0].tobytes() == one
