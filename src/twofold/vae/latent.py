"""A trained autoencoder in use: images to latent codes and back, with numpy arrays on both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from twofold.engine.device import DeviceName, pick_device
from twofold.engine.errors import InputError
from twofold.engine.seed import torch_generator
from twofold.vae.config import PathName, VaeConfig
from twofold.vae.model import Vae, as_input, open_vae
from twofold.vae.train import AT_ONCE

ImageArray = UInt8[np.ndarray, "n h w c"] | Float[np.ndarray, "n h w c"]
Decoded = Float32[np.ndarray, "n h w c"]
Codes = Float32[np.ndarray, "n latent"]


@dataclass(frozen=True)
class Autoencoder:
    """The model of a finished run; see `twofold.vae.load`.

    Attributes:
        vae: the network, in evaluation mode.
        config: the run that trained it.
    """

    vae: Vae
    config: VaeConfig

    @classmethod
    def open(cls, run: Path, device: DeviceName = "auto") -> "Autoencoder":
        """Opens the model of a run folder.

        Raises:
            RunFolderError: when the folder holds no finished vae run.
        """
        return cls(*open_vae(run, pick_device(device)))

    def encode(self, x: ImageArray) -> Codes:
        """Means of the posteriors q(z|x).

        Args:
            x: images of the size and channels that the model was trained on, uint8 or in [0, 1].

        Raises:
            InputError: when their shape or range is another.
        """
        return self.posterior(x)[0]

    def posterior(self, x: ImageArray) -> tuple[Codes, Codes]:
        """Means and log variances of the posteriors q(z|x); as `encode`."""
        pixels = self._checked(x)
        found = [[part.cpu().numpy() for part in self.vae.encode(chunk)] for chunk in self._chunks(pixels)]
        mu, logvar = zip(*found, strict=True)
        return np.concatenate(mu), np.concatenate(logvar)

    def decode(self, z: Float[np.ndarray, "n latent"]) -> Decoded:
        """Images that the codes stand for: the mean of p(x|z), in [0, 1].

        Raises:
            InputError: when a code is not as long as the model's.
        """
        latent = self.config.model.latent_dim
        if z.ndim != 2 or z.shape[1] != latent or not len(z):
            raise InputError(f"z must have the shape [n, {latent}] with n > 0, got {list(z.shape)}")
        codes = torch.from_numpy(np.ascontiguousarray(z, dtype=np.float32)).to(self._device)
        with torch.no_grad():
            parts = [self.vae.likelihood.mean(self.vae.decode(part)) for part in codes.split(AT_ONCE)]
        return torch.cat(parts).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def reconstruct(self, x: ImageArray) -> Decoded:
        """Images decoded from the means of their posteriors."""
        return self.decode(self.encode(x))

    def sample(self, number: int, seed: int = 0) -> Decoded:
        """Images decoded from draws of the prior p(z)."""
        draws = torch.randn(number, self.config.model.latent_dim, generator=torch_generator(seed, "prior"))
        return self.decode(draws.numpy())

    def interpolate(
        self, start: ImageArray, end: ImageArray, steps: int, path: PathName = "linear"
    ) -> Float32[np.ndarray, "n steps h w c"]:
        """Images decoded along the way between the posterior means of two images each.

        Args:
            start: images at the beginnings.
            end: as many at the ends.
            steps: images along each way, both ends counted.
            path: `linear`, or `spherical` along the great circle, where a high-dimensional normal has its mass (White
                2016, Sampling Generative Networks).
        """
        codes = between(self.encode(start), self.encode(end), steps, path)
        flat = self.decode(codes.reshape(-1, codes.shape[-1]))
        return flat.reshape(len(start), steps, *flat.shape[1:])

    def traverse(
        self, x: ImageArray, units: list[int], values: Float[np.ndarray, " values"]
    ) -> Float32[np.ndarray, "units values h w c"]:
        """Images decoded with one unit at a time set to each value, the others left at one image's posterior mean.

        Args:
            x: one image, as an array of length 1.
            units: which units.
            values: what to set them to, in deviations of the prior.
        """
        codes = np.tile(self.encode(x)[0], (len(units), len(values), 1))
        for row, unit in enumerate(units):
            codes[row, :, unit] = values
        flat = self.decode(codes.reshape(-1, codes.shape[-1]))
        return flat.reshape(len(units), len(values), *flat.shape[1:])

    @property
    def _device(self) -> torch.device:
        return next(self.vae.parameters()).device

    def _checked(self, x: ImageArray) -> np.ndarray:
        image = self.config.image
        shape = (image.size, image.size, image.channels)
        if x.ndim != 4 or x.shape[1:] != shape or not len(x):
            wanted = ", ".join(map(str, shape))
            raise InputError(f"images must have the shape [n, {wanted}] with n > 0, got {list(x.shape)}")
        if x.dtype != np.uint8 and not (np.min(x) >= 0 and np.max(x) <= 1):
            raise InputError(f"images that are no uint8 must lie in [0, 1], got {np.min(x)} to {np.max(x)}")
        return x

    def _chunks(self, pixels: np.ndarray) -> Iterator[Tensor]:
        with torch.no_grad():
            for start in range(0, len(pixels), AT_ONCE):
                part = pixels[start : start + AT_ONCE]
                if part.dtype == np.uint8:
                    yield as_input(part, self._device)
                else:
                    yield torch.from_numpy(np.asarray(part, np.float32)).to(self._device).permute(0, 3, 1, 2)


def between(start: Codes, end: Codes, steps: int, path: PathName) -> Float32[np.ndarray, "n steps latent"]:
    """Codes along the way from start to end, both counted."""
    t = np.linspace(0, 1, steps, dtype=np.float64)[:, None]
    a, b = start[:, None].astype(np.float64), end[:, None].astype(np.float64)
    ways = (1 - t) * a + t * b
    if path == "spherical":
        lengths = np.linalg.norm(a, axis=-1, keepdims=True), np.linalg.norm(b, axis=-1, keepdims=True)
        shortest = np.finfo(np.float64).tiny
        one, two = a / np.maximum(lengths[0], shortest), b / np.maximum(lengths[1], shortest)
        angle = np.arccos(np.clip((one * two).sum(axis=-1, keepdims=True), -1, 1))
        # From 0, or along (nearly) one line, there is no circle to go round: there the way is straight.
        curved = (np.sin(angle) > 1e-6) & (np.minimum(*lengths) > 0)
        safe = np.where(curved, angle, 1.0)
        turned = (np.sin((1 - t) * safe) * one + np.sin(t * safe) * two) / np.sin(safe)
        ways = np.where(curved, ((1 - t) * lengths[0] + t * lengths[1]) * turned, ways)
    return ways.astype(np.float32)


def to_pixels(images: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Images in [0, 1] as 8-bit levels, rounded."""
    return np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
