"""Damage by rule and seed: to bytes, to text, to values in JSON, to members of archives whose checksums are right.

A file is damaged where its format keeps what a reader trusts: a zip's member is damaged before it is packed, a PNG's
chunk gets the checksum of its new content, a model's header the length of its new text.
"""

import bz2
import gzip
import io
import json
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator
LARGEST = 2**20
"""Bytes that a mutation makes at most, from seeds of a few thousand."""
_HUGE = [2**31 - 1, 2**32 - 1, 2**31, 2**63 - 1, 2**64 - 1, 2**40, 10**9, 65535, 0]
_NUMBERS = [
    "9" * 30,
    "9" * 5000,
    "1e308",
    "-1",
    "1e999",
    "NaN",
    "Infinity",
    "-0",
    "0",
    "0.5",
    "1e-320",
    "9223372036854775808",
]
_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    0.5,
    10**9,
    2**63,
    10**40,
    1e308,
    "",
    "x",
    "\ud800",
    "2024-02-30",
    [],
    {},
    [[]],
    {"": 0},
]
_VALUES += [float("nan"), float("inf"), "a" * 5000, "../../etc/passwd", ["x"] * 40]


def _at(rng: Rng, data: bytes, most: int = 1) -> int:
    return int(rng.integers(max(1, len(data) + 1 - most)))


# --- bytes ---


def flipped(rng: Rng, data: bytes) -> bytes:
    """A few single bits."""
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 12)) if data else 0):
        content[_at(rng, data)] ^= 1 << int(rng.integers(8))
    return bytes(content)


def truncated(rng: Rng, data: bytes) -> bytes:
    """The beginning; or, less often, the end."""
    at = _at(rng, data)
    return data[:at] if rng.random() < 0.8 else data[at:]


def removed(rng: Rng, data: bytes) -> bytes:
    """A piece gone."""
    at = _at(rng, data)
    return data[:at] + data[at + int(rng.integers(1, 80)) :]


def repeated(rng: Rng, data: bytes) -> bytes:
    """A block many times."""
    at, length = _at(rng, data), int(rng.integers(1, 600))
    block = data[at : at + length]
    return (data[:at] + block * int(rng.integers(2, 200)) + data[at + length :])[:LARGEST]


def inserted(rng: Rng, data: bytes) -> bytes:
    """Bytes of any kind, or zeros, or text of another coding, within."""
    at = _at(rng, data)
    new = [
        rng.bytes(int(rng.integers(1, 60))),
        bytes(int(rng.integers(1, 400))),
        "\ufeffß中\U0001f600".encode("utf-16"),
        b"\xff\xfe",
    ]
    return data[:at] + new[int(rng.integers(len(new)))] + data[at:]


def overwritten(rng: Rng, data: bytes) -> bytes:
    """Bytes of any kind in the place of others, the beginning more often."""
    at = min(_at(rng, data), int(rng.integers(1, 200)) if rng.random() < 0.5 else len(data))
    length = int(rng.integers(1, 16))
    return data[:at] + rng.bytes(length) + data[at + length :]


def huge_field(rng: Rng, data: bytes) -> bytes:
    """A huge number, or zero, where a header may have one: 2, 4 or 8 bytes of either order."""
    size = int(rng.choice([2, 4, 4, 8]))
    at = _at(rng, data, size)
    if rng.random() < 0.6:  # headers stand at the beginning, directories at the end
        at = at % 160 if rng.random() < 0.6 else max(0, len(data) - 1 - at % 160)
    value = int(rng.choice(len(_HUGE)))
    number = (_HUGE[value] % 2 ** (8 * size)).to_bytes(size, "little" if rng.random() < 0.7 else "big")
    return data[:at] + number + data[at + size :]


def emptied(rng: Rng, data: bytes) -> bytes:
    """Nothing, blanks, zeros, or the first bytes alone."""
    return [b"", b" \n\t\n", bytes(len(data)), data[: int(rng.integers(1, 12))], b"\n"][int(rng.integers(5))]


BYTES = [flipped, flipped, truncated, removed, repeated, inserted, overwritten, huge_field, huge_field, emptied]


def spliced(rng: Rng, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: _at(rng, data)] + other[_at(rng, other) :]


# --- text ---


def recoded(rng: Rng, data: bytes) -> bytes:
    """The text in another coding, or marked as one that it is not in."""
    text = data.decode("utf-8", "replace")
    coded = [
        text.encode("utf-16"),
        text.encode("utf-32"),
        text.encode("utf-16")[2:],
        text.encode("cp1252", "replace"),
        b"\xef\xbb\xbf" + data,
        b"\xff\xfe" + data,
        data.replace(b"a", b"\xe9"),
        text.replace("e", "\u0301\u202e").encode(),
        data.replace(b"\n", b"\r"),
    ]
    return coded[int(rng.integers(len(coded)))]


def renumbered(rng: Rng, data: bytes) -> bytes:
    """Other numbers in the place of some."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    chosen = sorted(rng.choice(len(found), min(len(found), int(rng.integers(1, 4))), replace=False), reverse=True)
    for match in (found[int(at)] for at in chosen):  # from the last one, so that places stay
        data = data[: match.start()] + str(rng.choice(_NUMBERS)).encode() + data[match.end() :]
    return data


def relined(rng: Rng, data: bytes) -> bytes:
    """Lines in another order, doubled, or gone."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    at = int(rng.integers(len(lines)))
    match int(rng.integers(4)):
        case 0:
            lines.insert(int(rng.integers(len(lines))), lines[at])
        case 1:
            del lines[at]
        case 2:
            lines = [lines[i] for i in rng.permutation(len(lines))]
        case _:
            lines[at] = lines[at].rstrip(b"\n")
    return b"".join(lines)


def nested(rng: Rng, data: bytes) -> bytes:
    """Brackets within brackets, many thousand deep, in the place of a value."""
    opening, closing = ((b"[", b"]"), (b'{"a":', b"}"), (b"((", b"))"), (b'"', b'"'))[int(rng.integers(4))]
    depth = int(rng.choice([50, 1000, 50_000]))
    value = opening * depth + b"1" + closing * depth * int(rng.random() < 0.7)
    found = list(re.finditer(rb"[\d\"][^,\n:]*", data))
    if not found or rng.random() < 0.3:
        return value
    match = found[int(rng.integers(len(found)))]
    return data[: match.start()] + value + data[match.end() :]


TEXT = [recoded, renumbered, relined, nested]
_CELLS = [
    "",
    "NA",
    '"',
    '""',
    "'",
    ";",
    ",",
    "\t",
    "=1+1",
    "\u0661",
    "1,234",
    "1.234.567",
    "-5",
    "1/2/20",
    "2020-13-01",
    "31.12.1899",
]
_CELLS += ["9" * 400, "x" * 100_000, "\x1b[31m", "\0", "9999-12-31", "0001-01-01", "1e400", "inf", "\u202e", "00:00"]


def recelled(rng: Rng, data: bytes) -> bytes:
    """Cells of a table changed, a column doubled, gone or pasted, or another separator."""
    rows = [line.split(b",") for line in data.split(b"\n")]
    row = rows[int(rng.integers(len(rows)))]
    at = int(rng.integers(len(row)))
    match int(rng.integers(6)):
        case 0 | 1 | 2:
            row[at] = _CELLS[int(rng.integers(len(_CELLS)))].encode()
        case 3:
            rows = [[*each[:at], *each[at + 1 :]] for each in rows]
        case 4:
            rows = [[*each, *each[at : at + 1] * int(rng.choice([1, 300]))] for each in rows]
        case _:
            return data.replace(b",", (b";", b"\t", b"|", b":", b",,", b'","')[int(rng.integers(6))])
    return b"\n".join(b",".join(each) for each in rows)


CSV = [*TEXT, recelled, recelled, recelled, recelled]


# --- values ---


def revalued(rng: Rng, value: Any) -> Any:
    """A value of JSON with one part of another type, gone, doubled, or moved to where another one was."""
    places = list(_places(value))
    where = places[int(rng.integers(len(places)))]
    if not where:
        return _VALUES[int(rng.integers(len(_VALUES)))]
    value = json.loads(json.dumps(value))
    holder = value
    for key in where[:-1]:
        holder = holder[key]
    last = where[-1]
    match int(rng.integers(7)):
        case 0:
            del holder[last]
        case 1:
            other = value
            for key in places[int(rng.integers(len(places)))]:
                other = other[key]
            holder[last] = json.loads(json.dumps(other))
        case 2:
            old = holder[last]
            if isinstance(old, list):
                holder[last] = old * int(rng.choice([0, 2, 50]))
            elif isinstance(old, dict):
                holder[last] = {**old, "more": 1, "a.b": {"c": []}}
            elif isinstance(old, str):
                holder[last] = old[::-1]
            else:
                holder[last] = str(old)
        case 3 if isinstance(holder[last], int | float):
            holder[last] = [-1, 0, 1, 2, 10, 100, 4096, 10**6, 2**31, 2**62, 1e18][int(rng.integers(11))]
        case _:
            holder[last] = _VALUES[int(rng.integers(len(_VALUES)))]
    return value


def _places(value: Any, above: tuple[Any, ...] = ()) -> Any:
    yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        if len(above) < 8:
            yield from _places(each, (*above, key))


def json_changed(rng: Rng, data: bytes) -> bytes:
    """JSON with another value within, a key twice, or numbers that JSON doesn't know."""
    if rng.random() < 0.1:
        return re.sub(rb'("[a-z_]+")(: ?[^,{}\[\]]+)', rb"\1\2, \1: 1", data, count=int(rng.integers(1, 4)))
    value = json.loads(data)
    for _ in range(int(rng.integers(1, 3))):
        value = revalued(rng, value)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def json_lines_changed(rng: Rng, data: bytes) -> bytes:
    """As `json_changed`, of one line."""
    lines = data.splitlines()
    at = int(rng.integers(len(lines)))
    lines[at] = json_changed(rng, lines[at])
    return b"\n".join(lines) + b"\n"


_TOML = [
    '""',
    "[]",
    "{}",
    "-1",
    "1e400",
    "nan",
    "1979-05-27",
    "07:32:00",
    "true",
    "[[1], []]",
    "'x'",
    "9" * 5000,
    '"\\ud800"',
    "0x7fffffffffffffff",
]


def toml_changed(rng: Rng, data: bytes) -> bytes:
    """TOML with another value, or a table twice, or a key in another table."""
    lines = data.decode().splitlines()
    settings = [i for i, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    at = settings[int(rng.integers(len(settings)))]
    key, _, value = lines[at].partition("=")
    match int(rng.integers(5)):
        case 0:
            tables = [i for i, line in enumerate(lines) if line.startswith("[")]
            lines.insert(at, lines[tables[int(rng.integers(len(tables)))]])
        case 1:
            lines.insert(int(rng.integers(len(lines))), lines[at])
        case 2:
            lines[at] = f"{key}.deeper ={value}"
        case _:
            lines[at] = f"{key}= {_TOML[int(rng.integers(len(_TOML)))]}"
    return "\n".join(lines).encode()


# --- containers, whose checksums and lengths are made right again ---

Inner = Callable[[Rng, bytes], bytes]


def _any_bytes(rng: Rng, data: bytes) -> bytes:
    return BYTES[int(rng.integers(len(BYTES)))](rng, data)


def zip_member(rng: Rng, data: bytes, inner: dict[str, Inner]) -> bytes:
    """A zip with one member changed (by the ending of its name), twice there, gone, or renamed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    names = list(members)
    name = names[int(rng.integers(len(names)))]
    choice = rng.random()
    pairs = list(members.items())
    if choice < 0.08:
        pairs = [(each, content) for each, content in pairs if each != name]
    elif choice < 0.14:
        pairs = [(f"../{each}" if each == name else each, content) for each, content in pairs]
    else:
        special = next((how for ending, how in inner.items() if name.endswith(ending)), _any_bytes)
        how = special if rng.random() < 0.7 else _any_bytes
        pairs = [(each, how(rng, content) if each == name else content) for each, content in pairs]
    return zipped(
        pairs, [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2][int(rng.choice([0, 0, 0, 1, 2]))]
    )


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip without times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


PACKERS: dict[bytes, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": (gzip.decompress, lambda data: gzip.compress(data, mtime=0)),
    b"BZh": (bz2.decompress, bz2.compress),
    b"\xfd7zXZ": (lzma.decompress, lzma.compress),
}


def within_stream(rng: Rng, data: bytes, how: Inner) -> bytes:
    """A compressed file of which the content is changed."""
    unpack, pack = next(pair for mark, pair in PACKERS.items() if data.startswith(mark))
    return pack(how(rng, unpack(data)))


def tar_member(rng: Rng, data: bytes) -> bytes:
    """A tar with one header changed and its checksum right again."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        starts = [member.offset for member in archive.getmembers()]
    at = starts[int(rng.integers(len(starts)))]
    header = bytearray(data[at : at + 512])
    fields = {
        "name": (0, 100),
        "mode": (100, 8),
        "size": (124, 12),
        "time": (136, 12),
        "type": (156, 1),
        "link": (157, 100),
    }
    start, length = list(fields.values())[int(rng.integers(len(fields)))]
    new = [b"7" * length, b"\xff" * length, bytes(length), b"../" * 34, rng.bytes(length), b"1234567LKxgVSMD"][
        int(rng.integers(6))
    ]
    if length == 1:
        new = bytes([b"0123456LKxgVSMD"[int(rng.integers(15))]])
    header[start : start + length] = new[:length].ljust(length, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return data[:at] + bytes(header) + data[at + 512 :]


def png_chunk(rng: Rng, data: bytes) -> bytes:
    """A PNG with one chunk changed, its checksum right again."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    chosen = int(rng.integers(len(chunks)))
    kind, content = chunks[chosen]
    if kind == b"IDAT" and rng.random() < 0.6:
        content = zlib.compress(_any_bytes(rng, zlib.decompress(b"".join(c for k, c in chunks if k == b"IDAT"))))
    elif rng.random() < 0.15:
        kind = [b"IDAT", b"zTXt", b"iCCP", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"fdAT", b"IEND"][int(rng.integers(9))]
    else:
        content = _any_bytes(rng, content)
    chunks[chosen] = kind, content
    if rng.random() < 0.1:
        chunks.insert(chosen, chunks[int(rng.integers(len(chunks)))])
    return data[:8] + b"".join(
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks
    )


def parquet_footer(rng: Rng, data: bytes) -> bytes:
    """A Parquet file with another footer, whose length is right again."""
    length = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - length : -8]
    new = (flipped, overwritten, removed, huge_field, repeated, inserted)[int(rng.integers(6))](rng, footer)
    return data[: -8 - length] + new + len(new).to_bytes(4, "little") + b"PAR1"


def npy_header(rng: Rng, data: bytes) -> bytes:
    """A npy file whose header says something else, at its right length."""
    if not data.startswith(b"\x93NUMPY"):
        return _any_bytes(rng, data)
    length = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + length].decode("latin-1")
    shapes = [
        "(999999999999,)",
        "(-1, 4)",
        "(2, 1000000, 1000000, 3)",
        "()",
        "(0, 4, 4)",
        "(4, 4)",
        "(True, 2, 2)",
        "(1.5, 2, 2)",
        "5",
        "(9,)*9",
    ]
    kinds = [
        "|O",
        "<f8",
        ">u2",
        "<U9999999",
        "|V99",
        "<c16",
        "<M8[D]",
        "|b1",
        "|S1",
        "??",
        ",".join(["u1"] * 500),
        "<f16",
    ]
    new = [
        re.sub(r"'shape': \([^)]*\)", f"'shape': {shapes[int(rng.integers(len(shapes)))]}", header),
        re.sub(r"'descr': '[^']*'", f"'descr': '{kinds[int(rng.integers(len(kinds)))]}'", header),
        header.replace("False", "True"),
        header.replace("'descr'", "'other'"),
        "{" * 200,
        header.replace("}", ", 'more': 1}"),
        _any_bytes(rng, header.encode()).decode("latin-1"),
    ][int(rng.integers(7))].encode("latin-1", "replace")
    return data[:8] + min(len(new), 65535).to_bytes(2, "little") + new[:65535] + data[10 + length :]


def safetensors_header(rng: Rng, data: bytes) -> bytes:
    """A model file whose header, or the text in it, says something else, at its right length."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    texts = header["__metadata__"]
    if rng.random() < 0.6:
        key = next(iter(texts))
        about = json.loads(texts[key])
        for _ in range(int(rng.integers(1, 3))):
            about = revalued(rng, about)
        texts[key] = json.dumps(about)
    elif rng.random() < 0.2:
        names = [name for name in header if name != "__metadata__"]
        one, other = (names[int(rng.integers(len(names)))] for _ in range(2))
        header[one], header[other] = header[other], header[one]
    else:
        header = revalued(rng, header)
    new = json.dumps(header).encode("utf-8", "surrogatepass")
    return len(new).to_bytes(8, "little") + new + data[8 + length :]


def tensor_values(rng: Rng, data: bytes) -> bytes:
    """A model file with other numbers among its weights: not finite, or huge."""
    length = int.from_bytes(data[:8], "little")
    start = 8 + length + 4 * int(rng.integers(max(1, (len(data) - length - 12) // 4)))
    value = [b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\0\0\x80\xff"][int(rng.integers(4))]
    return data[:start] + value * int(rng.choice([1, 8])) + data[start + 4 :]
