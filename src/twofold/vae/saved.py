"""A trained network on disk: weights and config in one safetensors file, which runs no code when it is loaded."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import write_bytes
from twofold.vae.config import VaeConfig
from twofold.vae.model import Vae

MODEL = "model.safetensors"


def save_vae(vae: Vae, config: VaeConfig, folder: Path) -> None:
    """Writes the network into a run folder."""
    tensors = {name: value.contiguous() for name, value in vae.state_dict().items()}
    about = json.dumps({"study": "vae", "config": config.model_dump(mode="json")}, sort_keys=True)
    write_bytes(folder / MODEL, save(tensors, {"twofold": about}))


def open_vae(folder: Path, device: torch.device) -> tuple[Vae, VaeConfig]:
    """The network of a finished run, in evaluation mode.

    Args:
        folder: run folder of `twofold vae run`, or of one run of a sweep.
        device: where it will work.

    Raises:
        RunFolderError: when the folder holds no finished vae run, or its model file is not one.
    """
    if not (folder / "DONE").exists():
        raise RunFolderError(f"{folder}: holds no finished run; give the folder that `twofold vae run` named")
    path = folder / MODEL
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["twofold"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about["study"] != "vae":
            raise ValueError(f"a model of the {about['study']} study")
        config = VaeConfig.from_json(json.dumps(about["config"]), str(path))
        vae = Vae.seeded(config, 0)
        vae.load_state_dict(tensors)
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        raise RunFolderError(
            f"{path}: not a model of the vae study ({reason}); give the folder of a finished `twofold vae run`"
        ) from error
    return vae.to(device).eval(), config
