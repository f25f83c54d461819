"""The device on which a network is trained."""

from typing import Literal

import torch

from twofold.engine.errors import InputError
from twofold.engine.launch import local_rank

DeviceName = Literal["auto", "cpu", "cuda"]


def pick_device(name: DeviceName) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one, of several that of this process.

    Raises:
        InputError: when a GPU is required and none can be used.
    """
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise InputError("--device cuda: no GPU can be used by this build of torch; take --device auto or cpu")
    return torch.device("cuda", local_rank()) if usable and name != "cpu" else torch.device("cpu")


def describe_device(device: torch.device) -> str:
    """Name of a device: the model of the GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def computes_bf16(device: torch.device) -> bool:
    """Whether a device has units for products of bfloat16; without them they take several times as long as float32.

    Of CPUs those with AMX are known to gain; a version of torch that doesn't tell what the CPU has counts as without.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))
