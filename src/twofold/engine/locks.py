"""Locks of folders, so that one process at a time writes there."""

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

_NONE = errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP


def locked(path: Path, *, wait: bool = False) -> "BaseFileLock":
    """A lock, held until it is released.

    Args:
        path: of its file.
        wait: for another process that holds it.

    Raises:
        TimeoutError: when another process holds it.
        OSError: when the file can't be made, or its file system has no locks.
    """
    from filelock import FileLock

    # Its fallback where there are no locks would leave a file with the name of the host, and a dead process's lock.
    lock = FileLock(path, timeout=-1 if wait else 0, fallback_to_soft=False)
    try:
        lock.acquire()
    except TimeoutError:
        raise
    except OSError as error:
        if error.errno in _NONE:
            error.strerror = "its file system has no locks: take a folder on a local disk"
        raise
    return lock
