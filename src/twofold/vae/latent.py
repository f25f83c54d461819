"""A trained autoencoder with numpy arrays as input and output: encode, decode, sample, interpolate, traverse."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8

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
    """The model of a finished run, in evaluation mode, and the run's config; see `twofold.vae.load`."""

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
        """Means of the posteriors q(z|x); see `posterior`."""
        return self.posterior(x)[0]

    def posterior(self, x: ImageArray) -> tuple[Codes, Codes]:
        """Means and log variances of the posteriors q(z|x).

        Args:
            x: images of the size and channels that the model was trained on, uint8 or in [0, 1].

        Raises:
            InputError: when their shape or range is another.
        """
        image = self.config.image
        if x.ndim != 4 or x.shape[1:] != (image.size, image.size, image.channels) or not len(x):
            wanted = f"[n, {image.size}, {image.size}, {image.channels}]"
            raise InputError(f"images must have the shape {wanted} with n > 0, got {list(x.shape)}")
        if x.dtype != np.uint8 and not (np.min(x) >= 0 and np.max(x) <= 1):
            raise InputError(f"images that are not uint8 must lie in [0, 1], got {np.min(x)} to {np.max(x)}")
        found = []
        for start in range(0, len(x), AT_ONCE):
            part = x[start : start + AT_ONCE]
            if part.dtype == np.uint8:
                batch = as_input(part, self._device)
            else:
                batch = torch.from_numpy(np.asarray(part, np.float32)).to(self._device).permute(0, 3, 1, 2)
            with torch.no_grad():
                found.append([values.cpu().numpy() for values in self.vae.encode(batch)])
        mu, logvar = zip(*found, strict=True)
        return np.concatenate(mu), np.concatenate(logvar)

    def decode(self, z: Float[np.ndarray, "n latent"]) -> Decoded:
        """Means of p(x|z), in [0, 1].

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

    def sample(self, number: int, seed: int = 0, temperature: float = 0.0) -> Decoded:
        """Images of samples of the prior p(z).

        Args:
            temperature: of the noise of p(x|z): 0 gives its mean, 1 a draw of it.
        """
        z = torch.randn(number, self.config.model.latent_dim, generator=torch_generator(seed, "prior"))
        if not temperature:
            return self.decode(z.numpy())
        generator = torch_generator(seed, "pixels")
        with torch.no_grad():
            parts = [
                self.vae.likelihood.draw(self.vae.decode(part), generator, temperature)
                for part in z.to(self._device).split(AT_ONCE)
            ]
        return torch.cat(parts).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def interpolate(
        self, start: ImageArray, end: ImageArray, steps: int, path: PathName = "linear"
    ) -> Float32[np.ndarray, "n steps h w c"]:
        """Images decoded along a path between the posterior means of each pair of images, both ends included.

        A `spherical` path follows the great circle, where a high-dimensional normal has its mass (White 2016, Sampling
        Generative Networks).
        """
        codes = between(self.encode(start), self.encode(end), steps, path)
        flat = self.decode(codes.reshape(-1, codes.shape[-1]))
        return flat.reshape(len(start), steps, *flat.shape[1:])

    def traverse(
        self, x: ImageArray, units: list[int], values: Float[np.ndarray, " values"]
    ) -> Float32[np.ndarray, "units values h w c"]:
        """The code of one image, `x[0]`, decoded with one unit at a time set to each of the values."""
        codes = np.tile(self.encode(x)[0], (len(units), len(values), 1))
        for row, unit in enumerate(units):
            codes[row, :, unit] = values
        flat = self.decode(codes.reshape(-1, codes.shape[-1]))
        return flat.reshape(len(units), len(values), *flat.shape[1:])

    @property
    def _device(self) -> torch.device:
        return next(self.vae.parameters()).device


def between(start: Codes, end: Codes, steps: int, path: PathName) -> Float32[np.ndarray, "n steps latent"]:
    """Codes along the path from start to end, both included."""
    t = np.linspace(0, 1, steps, dtype=np.float64)[:, None]
    a, b = start[:, None].astype(np.float64), end[:, None].astype(np.float64)
    codes = (1 - t) * a + t * b
    if path == "spherical":
        lengths = np.linalg.norm(a, axis=-1, keepdims=True), np.linalg.norm(b, axis=-1, keepdims=True)
        shortest = np.finfo(np.float64).tiny
        one, two = a / np.maximum(lengths[0], shortest), b / np.maximum(lengths[1], shortest)
        angle = np.arccos(np.clip((one * two).sum(axis=-1, keepdims=True), -1, 1))
        # From the origin, or between (nearly) collinear codes, no great circle is defined: the path is linear.
        curved = (np.sin(angle) > 1e-6) & (np.minimum(*lengths) > 0)
        safe = np.where(curved, angle, 1.0)
        turned = (np.sin((1 - t) * safe) * one + np.sin(t * safe) * two) / np.sin(safe)
        codes = np.where(curved, ((1 - t) * lengths[0] + t * lengths[1]) * turned, codes)
    return codes.astype(np.float32)


def to_pixels(images: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Images in [0, 1] as 8-bit levels, rounded."""
    return np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
