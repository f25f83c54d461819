"""Whether `torchrun` started this process, told without torch: help and errors don't wait for it."""

import os


def launched() -> bool:
    """Whether `torchrun` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def processes() -> int:
    """Number of processes that `torchrun` started on all machines; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if launched() else 1


def local_rank() -> int:
    """Number of this process on its machine, from 0."""
    return int(os.environ["LOCAL_RANK"]) if launched() else 0
