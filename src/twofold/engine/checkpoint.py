"""The state of a training as one safetensors file, replaced atomically, so that a complete one always exists."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from twofold.engine.errors import RunFolderError
from twofold.engine.files import usable, write_bytes
from twofold.engine.loop import TrainState, Unfinished
from twofold.engine.tensors import read_tensors


def save_state(state: TrainState, path: Path) -> None:
    """Writes weights, optimiser moments, best weights and history; an existing file is replaced in one step."""
    tensors = {f"module.{name}": value for name, value in state.module.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in (state.best or {}).items()}
    if state.averaged is not None:
        tensors |= {f"averaged.{name}": value for name, value in state.averaged.state_dict().items()}
    moments = state.optimiser.state_dict()["state"]
    tensors |= {f"optimiser.{index}.{name}": v for index, slot in moments.items() for name, v in slot.items()}
    about: dict[str, Any] = {"history": state.history, "step": state.step}
    about |= {"best_epoch": state.best_epoch, "best_loss": state.best_loss, "unfinished": None}
    if state.unfinished:
        tensors |= {f"unfinished.{name}": value for name, value in state.unfinished.means.items()}
        tensors["noise"] = state.unfinished.noise
        about["unfinished"] = {"sizes": state.unfinished.sizes, "seconds": state.unfinished.seconds}
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(contiguous, {"state": json.dumps(about)}))


def load_state(state: TrainState, path: Path) -> bool:
    """Loads a saved state into a fresh one of the same network and optimiser, in place.

    Returns:
        False when there is no such file, or it is not what was written; the state is unchanged then.

    Raises:
        RunFolderError: when the file is not a state of this network.
    """
    if not usable(path):
        return False
    try:
        texts, tensors = read_tensors(path)
        about = json.loads(texts["state"])
        state.module.load_state_dict(_with_prefix(tensors, "module."))
        if state.averaged is not None:
            state.averaged.load_state_dict(_with_prefix(tensors, "averaged."))
        saved = state.optimiser.state_dict()
        saved["state"] = {}
        for name, value in _with_prefix(tensors, "optimiser.").items():
            index, _, key = name.partition(".")
            saved["state"].setdefault(int(index), {})[key] = value
        state.optimiser.load_state_dict(saved)
        for weight, slot in state.optimiser.state.items():
            for name, value in slot.items():
                if value.shape == weight.shape:  # the fused step needs moments in the memory order of their weights
                    slot[name] = torch.empty_like(weight).copy_(value)
        state.history, state.step = about["history"], about["step"]
        state.best_epoch, state.best_loss = about["best_epoch"], about["best_loss"]
        if about["unfinished"]:
            means = _with_prefix(tensors, "unfinished.")
            state.unfinished = Unfinished(noise=tensors["noise"], means=means, **about["unfinished"])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"{path}: not a checkpoint of this network ({error}); start again with --overwrite"
        ) from error
    state.best = _with_prefix(tensors, "best.") or None
    return True


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
