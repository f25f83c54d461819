"""The device on which a network is trained."""

import math
import time
from collections.abc import Callable
from typing import Literal

import torch

from twofold.engine.errors import InputError

DeviceName = Literal["auto", "cpu", "cuda"]
TRIALS = 6
"""Timed calls of each of two ways."""
SHORTEST_S = 0.02
"""Seconds below which two ways count as equally fast."""


def pick_device(name: DeviceName) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one.

    Raises:
        InputError: when a GPU is required and none can be used.
    """
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise InputError("--device cuda: no GPU can be used by this build of torch; take --device auto or cpu")
    return torch.device("cuda" if usable and name != "cpu" else "cpu")


def describe_device(device: torch.device) -> str:
    """Name of a device: the model of the GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def gain_of(one: Callable[[], object], other: Callable[[], object], device: torch.device) -> float:
    """How many times faster `other` runs than `one`: the fastest of a few calls of each, in turn, after one of both.

    1 where `one` takes less than `SHORTEST_S`: so short a time says more about the machine's other work.
    """
    best = [math.inf, math.inf]
    for trial in range(1 + TRIALS):
        for at, call in enumerate((one, other)):
            began = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if trial:
                best[at] = min(best[at], time.perf_counter() - began)
    return best[0] / best[1] if best[0] > SHORTEST_S else 1.0
