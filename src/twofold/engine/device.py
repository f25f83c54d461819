"""The device on which a network is trained."""

from typing import Literal

import torch

from twofold.engine.errors import InputError

DeviceName = Literal["auto", "cpu", "cuda"]


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
