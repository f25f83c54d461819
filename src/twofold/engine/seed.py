"""Random generators: every draw is seeded by (seed, purpose, epoch), so results don't depend on interruptions."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def seed_for(seed: int, purpose: str, epoch: int = 0) -> int:
    """The seed of one draw.

    Args:
        seed: the run's seed, >= 0.
        purpose: such as "shuffle"; each has a stream of its own.
        epoch: 0 for what is drawn once.

    Returns:
        A number in [0, 2**63), from SHA-256 of the three.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def torch_generator(seed: int, purpose: str, epoch: int = 0) -> "torch.Generator":
    """A fresh torch generator for one draw; see `seed_for`."""
    import torch

    return torch.Generator().manual_seed(seed_for(seed, purpose, epoch))


def numpy_generator(seed: int, purpose: str, epoch: int = 0) -> "np.random.Generator":
    """A fresh numpy generator for one draw; see `seed_for`."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(seed_for(seed, purpose, epoch)))
