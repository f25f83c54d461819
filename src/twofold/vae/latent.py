"""A trained autoencoder in use: images and codes in any usual form in, numpy arrays out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from PIL import Image
from torch import Tensor

from twofold.engine.device import DeviceName, pick_device
from twofold.engine.seed import torch_generator
from twofold.vae.config import PathName, VaeConfig
from twofold.vae.images.given import Given, Pixels, as_codes, as_pixels
from twofold.vae.model import Vae, as_input, open_vae
from twofold.vae.score import PerImage, evaluate
from twofold.vae.train import at_once

Decoded = Float32[np.ndarray, "n h w c"]
Codes = Float32[np.ndarray, "n latent"]
GivenCodes = np.ndarray | Tensor | Sequence[np.ndarray | Tensor]


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

    def encode(self, x: Given) -> Codes:
        """Means of the posteriors q(z|x), [n, latent]; see `posterior`."""
        return self.posterior(x)[0]

    def posterior(self, x: Given) -> tuple[Codes, Codes]:
        """Means and log variances of the posteriors q(z|x), each [n, latent].

        Args:
            x: images: what `load_images` gives, one or a list of PIL images (of any size), arrays or tensors, or an
                array or tensor of several, channels last or first, uint8 or in [0, 1]; see `images.given.as_pixels`.

        Raises:
            InputError: when there is none, or they do not fit the model.
        """
        found = []
        for batch in self._batches(as_pixels(x, self.config.image)):
            with torch.no_grad():
                found.append([values.cpu().numpy() for values in self.vae.encode(batch)])
        mu, logvar = zip(*found, strict=True)
        return np.concatenate(mu), np.concatenate(logvar)

    def decode(self, z: GivenCodes) -> Decoded:
        """Means of p(x|z), [n, h, w, c] in [0, 1], for codes [n, latent], a list of codes or a single one.

        Raises:
            InputError: when there is none, or one is not as long as the model's.
        """
        codes = torch.from_numpy(as_codes(z, self.config.model.latent_dim)).to(self._device)
        with torch.no_grad():
            parts = [self.vae.likelihood.mean(self.vae.decode(part)) for part in codes.split(self._at_once)]
        return torch.cat(parts).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def reconstruct(self, x: Given) -> Decoded:
        """Images decoded from the means of their posteriors; `x` as in `posterior`."""
        return self.decode(self.encode(x))

    def score(self, x: Given) -> PerImage:
        """Scores of each image, `x` as in `posterior`: rate, distortion, bits per dim, squared error.

        The samples of z are as many as `score.samples` of the run, and the same in each call, so the run's test images
        in the order of their names get the scores that the run gave them.

        Returns:
            float64 arrays by name, a value per image in the order given: `rate`, `distortion` and `negative_elbo` in
            nats per image, `bits` per dim (None for `bernoulli`), `mse` of pixels in [0, 1], and of each posterior
            `mu` and `logvar`.
        """
        batches = self._batches(as_pixels(x, self.config.image))
        return evaluate(self.vae, batches, self.config.score.samples, torch_generator(self.config.seed, "score"))

    def sample(self, number: int, seed: int = 0, temperature: float = 0.0, spread: float = 1.0) -> Decoded:
        """Images of samples of the prior p(z).

        Args:
            temperature: of the noise of p(x|z): 0 gives its mean, 1 a draw of it.
            spread: standard deviation of z; below 1 samples are closer to the mean picture than the prior's.
        """
        z = spread * torch.randn(number, self.config.model.latent_dim, generator=torch_generator(seed, "prior"))
        if not temperature:
            return self.decode(z.numpy())
        generator = torch_generator(seed, "pixels")
        with torch.no_grad():
            parts = [
                self.vae.likelihood.draw(self.vae.decode(part), generator, temperature)
                for part in z.to(self._device).split(self._at_once)
            ]
        return torch.cat(parts).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def interpolate(
        self, start: Given, end: Given, steps: int, path: PathName = "linear"
    ) -> Float32[np.ndarray, "n steps h w c"]:
        """Images decoded along a path between the posterior means of each pair of images, both ends included.

        A `spherical` path follows the great circle, where a high-dimensional normal has its mass (White 2016, Sampling
        Generative Networks).
        """
        codes = between(self.encode(start), self.encode(end), steps, path)
        flat = self.decode(codes.reshape(-1, codes.shape[-1]))
        return flat.reshape(len(codes), steps, *flat.shape[1:])

    def traverse(
        self, x: Given, units: list[int], values: Float[np.ndarray, " values"]
    ) -> Float32[np.ndarray, "units values h w c"]:
        """The code of one image (the first of `x`), decoded with one unit at a time set to each of the values."""
        codes = np.tile(self.encode(x)[0], (len(units), len(values), 1))
        for row, unit in enumerate(units):
            codes[row, :, unit] = values
        flat = self.decode(codes.reshape(-1, codes.shape[-1]))
        return flat.reshape(len(units), len(values), *flat.shape[1:])

    def _batches(self, pixels: Pixels) -> Iterator[Tensor]:
        """Images as the network's input, a part at a time: what is mapped from a file is never read whole."""
        number = self._at_once
        for start in range(0, len(pixels), number):
            part = pixels[start : start + number]
            if part.dtype == np.uint8:
                yield as_input(part, self._device)
            else:
                yield torch.from_numpy(part.astype(np.float32)).to(self._device).permute(0, 3, 1, 2)

    @property
    def _at_once(self) -> int:
        return at_once(self.config.image.height, self.config.image.width)

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


def to_images(pictures: UInt8[np.ndarray, "n h w c"] | Float[np.ndarray, "n h w c"]) -> list[Image.Image]:
    """Pictures as images of Pillow's, grey or RGB, to show or save.

    Args:
        pictures: in [0, 1], as a model decodes them, or 8-bit levels.

    Example:
        >>> to_images(np.ones((1, 16, 16, 3)))[0].getpixel((0, 0))
        (255, 255, 255)
    """
    pixels = pictures if pictures.dtype == np.uint8 else to_pixels(pictures)
    return [Image.fromarray(each[:, :, 0] if each.shape[2] == 1 else each) for each in pixels]
