"""Zips and tars: every kind of member, damage in the middle and at the end, claims that are lies."""

import io
import tarfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twofold.engine.errors import DataError
from twofold.vae.images.archives import ARCHIVE_END, tar_items, zip_items
from twofold.vae.images.items import Damage, Skipped


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


FILES = {"b.png": png(1), "a/1.png": png(2), "c.txt": b"text"}


def read(opened) -> list[tuple[str, bytes | str]]:
    """Names with bytes or reason, in order; members are read after all were listed, as threads would."""
    found = []
    with opened as (total, entries):
        for entry in list(entries):
            try:
                found.append((entry.name, entry.reason if isinstance(entry, Skipped) else entry.read()))
            except Damage as damage:
                found.append((entry.name, str(damage)))
    assert total in (0, len(found))
    return found


def zipped(path: Path, members, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in members:
            archive.writestr(name, data)
    return path


def tarred(path: Path, members, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_is_sorted_by_name(tmp_path, method):
    path = zipped(tmp_path / "a.zip", [("folder/", b""), *FILES.items()], method)
    assert read(zip_items(path)) == sorted(FILES.items())


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_keeps_its_order(tmp_path, mode):
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    path = tarred(tmp_path / "a.tar", [(folder, b""), *FILES.items()], mode)
    assert read(tar_items(path)) == list(FILES.items())


def test_names_that_leave_the_folder_are_only_names(tmp_path):
    members = [("../../up.png", png(1)), ("/root.png", png(2))]
    before = set(tmp_path.parent.iterdir())
    assert read(zip_items(zipped(tmp_path / "a.zip", members))) == members
    assert read(tar_items(tarred(tmp_path / "a.tar", members))) == members
    assert set(tmp_path.parent.iterdir()) == before
    assert not Path("/root.png").exists()


def test_a_folder_that_holds_data_is_a_file(tmp_path):
    assert read(zip_items(zipped(tmp_path / "a.zip", [("odd/", b"data"), ("even/", b"")]))) == [("odd/", b"data")]


def test_of_two_members_of_a_name_the_first_is_read(tmp_path):
    members = [("a.png", png(1)), ("a.png", png(2)), ("a.png", png(3))]
    expected = [("a.png", png(1)), *[("a.png", "second file of this name in the archive")] * 2]
    assert read(zip_items(zipped(tmp_path / "a.zip", members))) == expected
    assert read(tar_items(tarred(tmp_path / "a.tar", members))) == expected


def edited(path: Path, at: int, in_directory: int, value: bytes) -> Path:
    """The first member with another value in its header and in the directory."""
    data = bytearray(path.read_bytes())
    for start in (at, data.index(b"PK\x01\x02") + in_directory):
        data[start : start + len(value)] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("at", "in_directory", "value", "reason"),
    [
        (6, 8, b"\x01\0", "encrypted"),
        (8, 10, b"\x61\0", "compressed in a way that is not supported"),
        (14, 16, b"abcd", "damaged within the archive"),
        (22, 24, b"\0\0\0\x7f", "too large: more than 256 MiB"),
        (22, 24, b"\x09\0\0\0", "damaged within the archive"),
        (0, 42, b"\0\0\0\x07", "damaged within the archive"),
        (30, 46, b"a.pnX", None),
    ],
)
def test_a_bad_member_costs_itself_alone(tmp_path, at, in_directory, value, reason):
    path = zipped(tmp_path / "a.zip", [("a.png", png(1)), ("b.png", png(2))])
    found = dict(read(zip_items(edited(path, at, in_directory, value))))
    assert found.pop("b.png") == png(2)
    assert list(found.values()) == [reason or png(1)]


def test_damage_to_the_data_is_found_by_the_checksum(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", png(1)), ("b.png", png(2))], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    assert read(zip_items(path)) == [("a.png", "damaged within the archive"), ("b.png", png(2))]


def test_links_pipes_and_devices_within_archives(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    assert read(zip_items(zipped(tmp_path / "a.zip", [(link, b"/etc/passwd")]))) == [
        ("link.png", "link within the archive")
    ]
    odd = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE):
        member = tarfile.TarInfo(f"odd{kind.decode()}")
        member.type, member.linkname = kind, "/etc/passwd"
        odd.append((member, b""))
    assert [reason for _, reason in read(tar_items(tarred(tmp_path / "a.tar", odd)))] == [
        *["link within the archive"] * 2,
        *["not a regular file"] * 2,
    ]


@pytest.mark.parametrize("cut", [1, 10, 22, 60, 300])
def test_a_zip_without_its_directory_is_refused(tmp_path, cut):
    path = zipped(tmp_path / "a.zip", FILES.items())
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=r"a\.zip: the zip's directory is missing or damaged; copy or"):
        read(zip_items(path))


def test_a_directory_that_swallows_members_is_refused(tmp_path):
    """A damaged length of a comment hides what follows; zipfile alone would not notice."""
    path = zipped(tmp_path / "a.zip", sorted(FILES.items()))
    data = bytearray(path.read_bytes())
    first, second = data.index(b"PK\x01\x02"), data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    third = data.index(b"PK\x01\x02", second + 4)
    data[first + 32 : first + 34] = (third - second).to_bytes(2, "little")
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 2
    with pytest.raises(DataError, match="directory is missing or damaged"):
        read(zip_items(path))


def test_a_comment_and_a_beginning_of_something_else_do_no_harm(tmp_path):
    path = zipped(tmp_path / "a.zip", FILES.items())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a long comment" * 100
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert read(zip_items(path)) == sorted(FILES.items())


def test_a_zip64_number_of_files_is_no_damage(tmp_path):
    """As in zips of 65,535 files and more."""
    path = zipped(tmp_path / "a.zip", FILES.items())
    data = bytearray(path.read_bytes())
    data[-12:-10] = b"\xff\xff"
    path.write_bytes(data)
    assert read(zip_items(path)) == sorted(FILES.items())


def blocks(tar: Path) -> bytes:
    """A tar's bytes without its end mark and padding."""
    with tarfile.open(tar) as archive:
        last = archive.getmembers()[-1]
    return tar.read_bytes()[: last.offset_data + -(-last.size // 512) * 512]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_of_a_cut_tar_the_readable_part_is_kept(tmp_path, mode):
    members = [(f"{i}.png", np.random.default_rng(i).bytes(5000)) for i in range(400)]
    path = tarred(tmp_path / "a.tar", members, mode)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    found = read(tar_items(path))
    assert found[-1] == (ARCHIVE_END, "damaged: what follows was not read, or its checksum is wrong")
    kept = [entry for entry in found if isinstance(entry[1], bytes)]
    assert kept == members[: len(kept)]
    assert len(kept) >= (1 if mode == "w:bz2" else 40)
    assert [reason for _, reason in found[len(kept) : -1]] in ([], ["truncated or damaged within the archive"])


def test_a_tar_cut_between_two_members_says_so(tmp_path):
    path = tarred(tmp_path / "a.tar", FILES.items())
    path.write_bytes(blocks(path))
    assert [name for name, _ in read(tar_items(path))] == [*FILES, ARCHIVE_END]


@pytest.mark.parametrize("header", [bytes(512), b"\xff" * 512])
def test_a_damaged_header_is_not_taken_for_the_end(tmp_path, header):
    path = tarred(tmp_path / "a.tar", FILES.items())
    with tarfile.open(path) as archive:
        at = archive.getmembers()[1].offset
    data = path.read_bytes()
    path.write_bytes(data[:at] + header + data[at + 512 :])
    assert [name for name, _ in read(tar_items(path))] == ["b.png", ARCHIVE_END]


def test_a_wrong_checksum_of_a_compressed_tar_is_listed(tmp_path):
    path = tarred(tmp_path / "a.tgz", FILES.items(), "w:gz")
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert [name for name, _ in read(tar_items(path))] == [*FILES, ARCHIVE_END]


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_that_claims_gigabytes_takes_no_memory(tmp_path, kind):
    claim = tarfile.TarInfo("claim")
    claim.size, claim.type = 2**32, kind
    path = tmp_path / "a.tar"
    tarred(path, FILES.items())
    path.write_bytes(blocks(path) + claim.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    tracemalloc.start()
    found = read(tar_items(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [name for name, _ in found] == [*FILES, ARCHIVE_END]
    assert peak < 20e6


def test_members_longer_than_any_image_are_not_read(tmp_path, monkeypatch):
    members = [("big", bytes(3 * 2**20)), ("small", b"x")]
    zip_path, tar_path = zipped(tmp_path / "a.zip", members), tarred(tmp_path / "a.tar", members)
    monkeypatch.setattr("twofold.vae.images.items.MAX_BYTES", 2 * 2**20)
    monkeypatch.setattr("twofold.vae.images.archives.MAX_BYTES", 2 * 2**20)
    assert read(zip_items(zip_path)) == [("big", "too large: more than 2 MiB"), ("small", b"x")]
    assert read(tar_items(tar_path)) == [("big", "too large: more than 2 MiB"), ("small", b"x")]


def test_no_tar_at_all_is_refused(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(b"nothing like it" * 100)
    with pytest.raises(DataError, match=r"a\.tar: can't be opened as a tar; copy or download it again"):
        read(tar_items(path))
