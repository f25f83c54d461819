"""Tensors in a safetensors file, with the text that was written beside them: reading them runs no code."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from twofold.engine.files import read_bytes

Network = TypeVar("Network", bound=nn.Module)


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The texts and the tensors of a file, by name.

    Raises:
        DamagedError: when the file is not what was written there.
        RunFolderError: when it is missing or can't be read.
        ValueError: when it is no such file.
    """
    content = read_bytes(path)
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header.get("__metadata__", {}), tensors


def loaded(make: Callable[[], Network], tensors: Mapping[str, Tensor]) -> Network:
    """A network with the weights of a file, made only where these are its weights: a config may ask for terabytes.

    Raises:
        ValueError: when a weight is missing, unknown, or of another shape.
    """
    with torch.device("meta"):  # shapes without memory
        wanted = {name: tuple(value.shape) for name, value in make().state_dict().items()}
    there = {name: tuple(value.shape) for name, value in tensors.items()}
    if wanted != there:
        name = min(name for name in wanted | there if wanted.get(name) != there.get(name))
        raise ValueError(
            f"the weights are not those of its config: {name} is {there.get(name, 'missing')} and should be "
            f"{wanted.get(name, 'missing')}"
        )
    network = make()
    network.load_state_dict(dict(tensors))
    return network
