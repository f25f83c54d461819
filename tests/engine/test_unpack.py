"""What packed bytes may become: the sizes that are allowed, and what is said of the others."""

import gzip
import io
import zipfile

import pytest

from twofold.engine import unpack
from twofold.engine.unpack import PACKED, TooMuchError, allowed, allowed_archive, members


def zipped(*names: str, content: bytes = b"0" * 1000) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_size_decides_first_then_the_ratio_then_size_again() -> None:
    mib = 2**20
    assert [allowed(size) // mib for size in (1, mib // 4, mib, 2**40)] == [64, 64, 200, 2048]
    assert [allowed_archive(size) // mib for size in (1, 100 * mib)] == [4096, 20_000]


def test_a_stream_is_read_to_its_end_or_to_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(300_000)
    packed = gzip.compress(content)
    assert unpack.unpack(gzip.GzipFile(fileobj=io.BytesIO(packed)), len(packed)) == content
    monkeypatch.setattr(unpack, "FREE_BYTES", 1000)
    monkeypatch.setattr(unpack, "RATIO", 2)
    with pytest.raises(TooMuchError, match=rf"unpacks from {len(packed)} bytes to more than 0 MiB.*2 times its size"):
        unpack.unpack(gzip.GzipFile(fileobj=io.BytesIO(packed)), len(packed))


def test_members_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert members(zipped("a", "b")) == {"a": b"0" * 1000, "b": b"0" * 1000}
    monkeypatch.setattr(unpack, "FREE_BYTES", 1500)
    monkeypatch.setattr(unpack, "RATIO", 2)
    assert len(members(zipped("a"))) == 1
    with pytest.raises(TooMuchError):
        members(zipped("a", "b"))


def test_two_members_of_a_name_and_damage_are_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped("a", "a")
    with pytest.raises(zipfile.BadZipFile, match="'a' twice"):
        members(twice)
    data = bytearray(zipped("a", content=bytes(range(256)) * 8))
    data[60] ^= 1
    with pytest.raises(PACKED):
        members(bytes(data))
