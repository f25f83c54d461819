"""Files that nobody should have to open: broken, huge once unpacked, other than they say; and odd ones that are fine.

For tests of the server and for `bench/hostile_app.py`. Each is made when it is asked for. `unpacked` is what bombs come
to, in bytes: much in the bench, little in tests.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xlsxwriter
from PIL import Image

IDS = (
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e",
    "%252e%252e%252f",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "..\\..\\etc",
    "discs%00",
    "%00",
    "discs%0d%0aSet-Cookie:a=b",
    "%ff%fe",
    "~..~..~etc",
    "a" * 900,
    "a" * 20_000,
    "%F0%9F%98%80",
    "discs;x=1",
    "{run_id}",
)
"""Of runs, as they stand in an address: none leads anywhere."""
SIDE = 24


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _ramp(channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    high = np.iinfo(dtype).max
    values = np.linspace(0, high, SIDE * SIDE * channels).reshape(SIDE, SIDE, channels).astype(dtype)
    return values[:, :, 0] if channels == 1 else values


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, depth: int, colour: int, pixels: bytes, *, more: bytes = b"") -> bytes:
    """A PNG of these packed rows, whatever its header says."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _zeros(number: int) -> Iterator[bytes]:
    part = bytes(2**20)
    for left in range(number, 0, -len(part)):
        yield part[:left]


def _deflated(number: int) -> bytes:
    packing = zlib.compressobj(1)
    return b"".join([*map(packing.compress, _zeros(number)), packing.flush()])


def good_images() -> dict[str, Callable[[], bytes]]:
    """Odd ones that any good reader opens."""
    rgb = Image.fromarray(_ramp())
    deep = np.repeat(_ramp(1, np.uint16).byteswap().view(np.uint8).reshape(SIDE, SIDE, 2), 4, axis=1).reshape(SIDE, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    moving = [Image.fromarray(np.roll(_ramp(), step, 0)) for step in range(5)]
    return {
        "png rgb": lambda: _saved(rgb, "PNG"),
        "png grey 1 bit": lambda: _saved(rgb.convert("1"), "PNG"),
        "png palette with transparency": lambda: _saved(rgb.convert("P"), "PNG", transparency=0),
        "png 16 bit grey": lambda: _saved(Image.fromarray(_ramp(1, np.uint16)), "PNG"),
        "png 16 bit rgba": lambda: png(SIDE, SIDE, 16, 6, zlib.compress(rows)),
        "png moving": lambda: _saved(moving[0], "PNG", save_all=True, append_images=moving[1:]),
        "jpeg cmyk": lambda: _saved(rgb.convert("CMYK"), "JPEG"),
        "jpeg progressive": lambda: _saved(rgb, "JPEG", progressive=True),
        "gif moving": lambda: _saved(moving[0], "GIF", save_all=True, append_images=moving[1:]),
        "webp moving": lambda: _saved(moving[0], "WEBP", save_all=True, append_images=moving[1:]),
        "tiff float": lambda: _saved(Image.fromarray(_ramp(1).astype(np.float32)), "TIFF"),
        "tiff cmyk": lambda: _saved(rgb.convert("CMYK"), "TIFF"),
        "bmp": lambda: _saved(rgb, "BMP"),
        "tiff of 20,000 pages": lambda: _pages(20_000),
        "tiff whose pages go in a circle": lambda: _pages(1)[:-4] + struct.pack("<I", 16),
        "gif of 50,000 frames": lambda: _frames(50_000),
    }


def _pages(number: int) -> bytes:
    """A TIFF of one pixel, shown on so many pages."""
    tags = ((256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8))
    tags += ((277, 3, 1, 1), (279, 4, 1, 1))
    size, entries = 2 + 12 * len(tags) + 4, b"".join(struct.pack("<HHII", *tag) for tag in tags)
    pages = [
        struct.pack("<H", len(tags)) + entries + struct.pack("<I", (page + 1 < number) * (16 + (page + 1) * size))
        for page in range(number)
    ]
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + b"".join(pages)


def _frames(number: int) -> bytes:
    one = _saved(Image.new("P", (1, 1)), "GIF")
    start = one.index(b"\x2c")
    return one[:start] + one[start:-1] * number + b";"


def _scans(number: int, side: int) -> bytes:
    """A progressive JPEG whose last scan, a few bytes that change nothing, is repeated."""
    flat = _saved(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    return flat[:-2] + flat[flat.rindex(b"\xff\xda") : -2] * number + flat[-2:]


def bad_images(unpacked: int) -> dict[str, Callable[[], bytes]]:
    """Broken, or too large once they are unpacked."""
    rgb = Image.fromarray(_ramp())
    files = {kind: _saved(rgb, kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")}
    side = 9_000 if unpacked < 2**28 else 40_000
    cut = {f"{kind.lower()} cut": lambda file=file: file[: len(file) * 2 // 3] for kind, file in files.items()}
    return cut | {
        "nothing": lambda: b"",
        "text": lambda: b"no image",
        "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "png that claims 100,000 x 100,000": lambda: png(100_000, 100_000, 8, 2, b""),
        "png that claims 0 x 0": lambda: png(0, 0, 8, 2, b""),
        "png bomb": lambda: png(side, side, 1, 0, _deflated(side * (side // 8 + 1))),
        "png without pixels": lambda: png(64, 64, 8, 2, b""),
        "png with half its checksum": lambda: files["PNG"].replace(b"IDAT", b"IDAU"),
        "webp that claims 16,383 x 16,383": lambda: (
            b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xfe\x3f\0" * 2
        ),
        "gif that claims 65,535 x 65,535": lambda: files["GIF"][:6] + b"\xff" * 4 + files["GIF"][10:],
        "bmp that claims 2^31 rows": lambda: files["BMP"][:22] + b"\xff\xff\xff\x7f" + files["BMP"][26:],
        "jpeg of 10,000 scans": lambda: _scans(10_000, 4_000),
        "png with a text bomb": lambda: png(
            SIDE, SIDE, 8, 2, b"", more=_chunk(b"zTXt", b"Comment\0\0" + _deflated(unpacked))
        ),
        "two kinds at once": lambda: files["JPEG"][:100] + files["PNG"],
        "any bytes": lambda: np.random.default_rng(0).bytes(2**20),
    }


def archives(unpacked: int) -> dict[str, Callable[[], bytes]]:
    """Packed files: bombs, traps for who unpacks to a disk, and damaged ones."""

    def zipped(names: dict[str, int]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, size in names.items():
                with archive.open(name, "w") as member:
                    for part in _zeros(size):
                        member.write(part)
        return buffer.getvalue()

    return {
        "zip bomb": lambda: zipped({"cases.csv": unpacked}),
        "zip of many": lambda: zipped(dict.fromkeys(map(str, range(20_000)), 1)),
        "zip that climbs": lambda: zipped({"../../cases.csv": 10, "/etc/cases.csv": 10}),
        "zip cut": lambda: zipped({"cases.csv": 10_000})[:40],
        "gzip bomb": lambda: gzip.compress(bytes(2**20), 1) * (unpacked // 2**20),
        "gzip cut": lambda: gzip.compress(bytes(2**20))[:100],
        "xlsx bomb": lambda: _workbook(unpacked),
        "xlsx without a sheet": lambda: zipped({"[Content_Types].xml": 10, "xl/workbook.xml": 10}),
    }


def _workbook(unpacked: int) -> bytes:
    """A workbook with so many spaces between the rows of its sheet."""
    small, large = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(small) as book:
        book.add_worksheet().write_row(0, 0, ["region", "date", "value"])
    spaces = b" " * 2**20
    with (
        zipfile.ZipFile(small) as given,
        zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in given.namelist():
            start, end, rest = given.read(name).partition(b"</sheetData>")
            with archive.open(name, "w") as member:
                member.write(start)
                for _ in range(unpacked // len(spaces) if end else 0):
                    member.write(spaces)
                member.write(end + rest)
    return large.getvalue()


def tables(rows: int) -> dict[str, Callable[[], bytes]]:
    """Text and Parquet that are no tables of counts, or very large ones."""
    days = [f"2024-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29)]
    return {
        "rows in great number": lambda: (
            b"region,date,value\n" + "".join(f"r{row // 336},{days[row % 336]},1\n" for row in range(rows)).encode()
        ),
        "columns, 10^5": lambda: b",".join([b"a"] * 10**5) + b"\n" + b",".join([b"1"] * 10**5),
        "one line of 10 MB": lambda: b"a" * 10**7,
        "zero bytes": lambda: b"region,date,value\n" + bytes(1000),
        "not text": lambda: b"region,date,value\n\xff\xfe\xfd,2024-01-01,1\n",
        "an open quote": lambda: b'region,date,value\n"A,2024-01-01,1\n' * 1000,
        "formulas": lambda: b"region,date,value\n=cmd|' /C calc'!A0,2024-01-01,1\n",
        "numbers beyond all": lambda: b"region,date,value\nA,2024-01-01,1e308\nA,2024-01-02,1e400\nA,2024-01-03,nan\n",
        "years beyond all": lambda: b"region,date,value\nA,9999-12-31,1\nA,0001-01-01,2\n",
        "parquet of zeros": lambda: b"PAR1" + bytes(10_000) + b"PAR1",
    }
