"""A training's state as one safetensors file, written aside and renamed: there is always one whole checkpoint."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_bytes
from twofold.engine.loop import TrainState, Unfinished


def save_state(state: TrainState, path: Path) -> None:
    """Writes weights, moments, best weights and history.

    Args:
        state: as `fit` yielded it.
        path: file to write; replaced in one step.
    """
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
    """Puts a saved state into a fresh one of the same shape.

    Args:
        state: changed in place.
        path: file that `save_state` wrote.

    Returns:
        False when there is no such file, and the state is as it was.

    Raises:
        RunFolderError: when the file can't be read as a state of this shape.
    """
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["state"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state.module.load_state_dict(_below(tensors, "module."))
        if state.averaged is not None:
            state.averaged.load_state_dict(_below(tensors, "averaged."))
        saved = state.optimiser.state_dict()
        saved["state"] = _moments(_below(tensors, "optimiser."))
        state.optimiser.load_state_dict(saved)
        _order_moments(state.optimiser)
        state.history, state.step = about["history"], about["step"]
        state.best_epoch, state.best_loss = about["best_epoch"], about["best_loss"]
        if about["unfinished"]:
            means = _below(tensors, "unfinished.")
            state.unfinished = Unfinished(noise=tensors["noise"], means=means, **about["unfinished"])
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"{path}: not a checkpoint of this network ({error}); start again with --overwrite"
        ) from error
    state.best = _below(tensors, "best.") or None
    return True


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _order_moments(optimiser: torch.optim.Optimizer) -> None:
    """Moments in the memory order of their weights: the fused step runs over both in the order of the memory."""
    for weight, slot in optimiser.state.items():
        for name, value in slot.items():
            if value.shape == weight.shape:
                slot[name] = torch.empty_like(weight).copy_(value)


def _moments(tensors: dict[str, Tensor]) -> dict[int, dict[str, torch.Tensor]]:
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        slots.setdefault(int(index), {})[key] = value
    return slots
