"""Tensors in a safetensors file, with the text that was written beside them: reading them runs no code."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from twofold.engine.files import read_bytes


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
