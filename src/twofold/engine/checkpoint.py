"""A training's state as one safetensors file, written aside and renamed: there is always one whole checkpoint."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from twofold.engine.errors import RunFolderError
from twofold.engine.files import write_bytes
from twofold.engine.loop import TrainState


def save_state(state: TrainState, path: Path) -> None:
    """Writes weights, moments, best weights and history.

    Args:
        state: as `fit` yielded it.
        path: file to write; replaced in one step.
    """
    tensors = {f"module.{name}": value for name, value in state.module.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in (state.best or {}).items()}
    moments = state.optimiser.state_dict()["state"]
    tensors |= {f"optimiser.{index}.{name}": v for index, slot in moments.items() for name, v in slot.items()}
    about = {"history": state.history, "best_epoch": state.best_epoch, "best_loss": state.best_loss}
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
        saved = state.optimiser.state_dict()
        saved["state"] = _moments(_below(tensors, "optimiser."))
        state.optimiser.load_state_dict(saved)
        state.history, state.best_epoch, state.best_loss = about["history"], about["best_epoch"], about["best_loss"]
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"{path}: not a checkpoint of this network ({error}); start again with --overwrite"
        ) from error
    state.best = _below(tensors, "best.") or None
    return True


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _moments(tensors: dict[str, Tensor]) -> dict[int, dict[str, torch.Tensor]]:
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        slots.setdefault(int(index), {})[key] = value
    return slots
