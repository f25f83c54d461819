"""Disks, folders and file systems that fail when it suits a test."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


class Disk:
    """A disk below a folder that is full from its n-th write on: that one writes half of what it was given."""

    def __init__(self, folder: Path, full_at: int | None) -> None:
        self.folder, self.full_at, self.writes = folder.absolute(), full_at, 0

    @contextlib.contextmanager
    def used(self) -> Iterator["Disk"]:
        """Lets `Path.open`, by which every file is written, open files of this disk."""
        opened = Path.open

        def open_(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
            file = opened(path, mode, *more, **named)
            here = path.absolute().is_relative_to(self.folder)
            return _File(file, self) if here and set(mode) & set("wax+") else file

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "open", open_)
            yield self

    def take(self, file: Any, content: Any) -> int:
        """Writes what the disk has room for."""
        self.writes += 1
        if self.full_at is None or self.writes < self.full_at:
            return file.write(content)
        if self.writes == self.full_at:
            file.write(content[: len(content) // 2])
            file.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _File:
    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, content: Any) -> int:
        return self._disk.take(self._file, content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def without_locks(number: int) -> Callable[..., None]:
    """What `fcntl.flock` is on a file system without locks."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return flock
