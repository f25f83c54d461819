"""Small pictures and quick configs for tests: discs of a few colours on plain ground."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images, load_images

SIZE = 16


def discs(number: int, size: int | tuple[int, int] = SIZE, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Different pictures [number, height, width, channels], uint8, of a disc that moves and changes colour."""
    generator = np.random.default_rng(seed)
    height, width = (size, size) if isinstance(size, int) else size
    y, x = np.mgrid[:height, :width] / min(height, width)
    pictures = np.empty((number, height, width, channels), np.uint8)
    for picture in pictures:
        centre, radius = generator.uniform(0.3, 0.7, 2), generator.uniform(0.15, 0.35)
        inside = 1 / (1 + np.exp(40 * (np.hypot(x - centre[0], y - centre[1]) - radius)))
        ground, colour = generator.uniform(0, 120, channels), generator.uniform(130, 255, channels)
        picture[:] = np.rint(ground + inside[..., None] * (colour - ground))
    return pictures


def folder_of(pictures: np.ndarray, folder: Path, first: int = 0) -> Path:
    """Writes pictures as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures, first):
        Image.fromarray(picture.squeeze()).save(folder / f"picture-{index:04d}.png")
    return folder


def images_of(pictures: np.ndarray, folder: Path) -> Images:
    """The pictures as the study reads them."""
    path = folder / "pictures.npy"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(path, pictures)
    config = tiny(image={"size": pictures.shape[1:3], "channels": pictures.shape[3]}).image
    return load_images(path, config, strict=True, cache=folder / "cache")


def tiny(**groups: Any) -> VaeConfig:
    """A run of a second or two; a group's dict changes single settings of it."""
    settings: dict[str, Any] = {
        "image": {"size": SIZE, "avatars": 12},
        "split": {"validation_fraction": 0.2, "test_fraction": 0.2},
        "model": {"network": "plain", "latent_dim": 3, "width": 4, "depth": 1},
        "likelihood": {"name": "gaussian"},
        "train": {"epochs": 2, "batch_size": 16, "device": "cpu", "precision": "fp32"},
        "score": {"samples": 1, "iw_samples": 3, "iw_images": 5},
    }
    for name, value in groups.items():
        settings[name] = settings.get(name, {}) | value if isinstance(value, dict) else value
    return VaeConfig.model_validate(settings)


def generator(seed: int = 0) -> torch.Generator:
    """A fresh source of noise."""
    return torch.Generator().manual_seed(seed)


def silent(*_: Any) -> None:
    """A callback that does nothing."""
