"""The variational autoencoder: encoder, decoder and likelihood, and its file."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors.torch import save
from torch import Tensor, nn

from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import write_bytes
from twofold.engine.run import require_done
from twofold.engine.tensors import loaded, read_tensors
from twofold.vae.config import PATCH, ModelConfig, VaeConfig, stride
from twofold.vae.likelihood import Likelihood, make_likelihood
from twofold.vae.multiscale import BLOCK, Multiscale, Step
from twofold.vae.principal import PrincipalDecoder, PrincipalEncoder

MODEL = "model.safetensors"
LOGVAR_BOUND = 10.0
"""Log variances lie in (-10, 10), a posterior's deviations in (.0067, 148): no first step blows up."""


class Vae(nn.Module):
    """q(z|x) and p(x|z) with one network each (Kingma & Welling 2014).

    Source: Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014, appendix C.
    """

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.encoder, self.decoder = _NETWORKS[config.model.network](config.model, config.image.shape)
        self.bounded = config.model.network != "linear"
        self.likelihood: Likelihood = (
            Multiscale(config.image.channels, config.likelihood.width, config.likelihood.depth)
            if config.likelihood.name == "multiscale"
            else make_likelihood(config.likelihood)
        )

    @classmethod
    def seeded(cls, config: VaeConfig, seed: int) -> "Vae":
        """A network whose initial weights depend on the seed only; the global random state is unchanged."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            vae = cls(config)
        # The memory order of the images, so that none is copied into another one.
        return vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  (its stub has no such form)

    def encode(
        self, x: Float[Tensor, "batch channels h w"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log variance of the posterior q(z|x), a normal distribution with independent units."""
        return self.posterior(self.encoder(x))

    def posterior(
        self, output: Float[Tensor, "batch twice_latent"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log variance of q(z|x) from the output of an encoder."""
        mu, logvar = output.chunk(2, dim=1)
        return mu, LOGVAR_BOUND * torch.tanh(logvar / LOGVAR_BOUND) if self.bounded else logvar

    def decode(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch channels h w"]:
        """The likelihood's parameters: logits for Bernoulli, else each pixel's mean in units of [0, 1], unclipped."""
        return self.decoder(z)


class Unflatten(nn.Module):
    """A vector as channels of a small image, in the memory order that the convolutions run fastest in."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.shape = channels, height, width

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch channels h w"]:
        """As `nn.Unflatten`, channels last in memory."""
        return x.unflatten(1, self.shape).contiguous(memory_format=torch.channels_last)


class Crop(nn.Module):
    """The first rows and columns of a picture: what a network adds to an image on the right and below goes again."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Float[Tensor, "batch channels more_h more_w"]) -> Float[Tensor, "batch channels h w"]:
        """The picture at the size of the image."""
        return x[:, :, : self.height, : self.width]


def _framed(
    encoder: list[nn.Module], decoder: list[nn.Module], shape: tuple[int, int, int], step: int
) -> tuple[nn.Sequential, nn.Sequential]:
    """Both parts for images whose height and width are no multiples of the stride.

    The image is filled up by its own border, so that no edge arises that it doesn't have, and the picture is cut.
    """
    _, height, width = shape
    below, right = -height % step, -width % step
    if below or right:
        encoder, decoder = [nn.ReplicationPad2d((0, right, 0, below)), *encoder], [*decoder, Crop(height, width)]
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def _plain(config: ModelConfig, shape: tuple[int, int, int]) -> tuple[nn.Sequential, nn.Sequential]:
    """Patches of 4x4 pixels, then stages of 4x4 convolutions of stride 2 that double the channels; mirrored back.

    The decoder's patches overlap by half, so that no grid shows. Most of the work is done at a quarter of the image's
    size, where it is cheap; `docs/design/003-vae.md` has what other shapes gave.
    """
    widths = [config.width * 2**stage for stage in range(config.depth + 1)]
    channels, *sides = shape
    rows, columns = (math.ceil(side / stride(config)) for side in sides)
    encoder: list[nn.Module] = [nn.Conv2d(channels, widths[0], PATCH, PATCH, bias=False)]
    for before, after in itertools.pairwise(widths):
        encoder += [nn.BatchNorm2d(before), nn.SiLU(), nn.Conv2d(before, after, 4, 2, 1, bias=False)]
    encoder += [nn.BatchNorm2d(widths[-1]), nn.SiLU(), nn.Flatten()]
    encoder.append(nn.Linear(widths[-1] * rows * columns, 2 * config.latent_dim))
    decoder: list[nn.Module] = [
        nn.Linear(config.latent_dim, widths[-1] * rows * columns),
        Unflatten(widths[-1], rows, columns),
    ]
    for before, after in itertools.pairwise(widths[::-1]):
        decoder += [nn.BatchNorm2d(before), nn.SiLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
    last = nn.ConvTranspose2d(widths[0], channels, 2 * PATCH, PATCH, PATCH // 2)
    decoder += [nn.BatchNorm2d(widths[0]), nn.SiLU(), last]
    return _framed(encoder, decoder, shape, stride(config))


def _original(config: ModelConfig, shape: tuple[int, int, int]) -> tuple[nn.Sequential, nn.Sequential]:
    """The original study's network, corrected so that it runs.

    Its second convolution and both transposed ones have stride 2 and the transposed ones output padding 1, since 32,768
    features are 128 channels of 16 x 16, those of an image of 64 x 64; no BatchNorm follows the last layer, whose
    sigmoid is the likelihood's.
    """
    channels, *sides = shape
    rows, columns = (math.ceil(side / stride(config)) for side in sides)
    features = 128 * rows * columns
    encoder = [
        nn.Conv2d(channels, 64, 3, 2, 1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(features, 2 * config.latent_dim),  # its two heads, mean and log variance, side by side
    ]
    decoder = [
        nn.Linear(config.latent_dim, features),
        Unflatten(128, rows, columns),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, output_padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, channels, 5, 2, 2, output_padding=1),
    ]
    return _framed(encoder, decoder, shape, stride(config))


def _linear(config: ModelConfig, shape: tuple[int, int, int]) -> tuple[PrincipalEncoder, PrincipalDecoder]:
    """Probabilistic PCA of the whole image, set by `start`."""
    decoder = PrincipalDecoder(config.latent_dim, shape)
    return PrincipalEncoder(config.latent_dim, decoder), decoder


_NETWORKS = {"linear": _linear, "plain": _plain, "original": _original}


def as_input(pixels: UInt8[np.ndarray, "batch h w channels"], device: torch.device) -> Tensor:
    """Pixels as the network's input: [batch, channels, h, w] in [0, 1], channels last in memory."""
    owned = pixels if pixels.flags.writeable else pixels.copy()  # torch warns of memory that it must not write to
    return torch.from_numpy(owned).to(device).permute(0, 3, 1, 2).float().div_(255)


@torch.no_grad()
def layers(vae: Vae, shape: tuple[int, int, int]) -> list[dict[str, Any]]:
    """All layers in order, with shapes found by passing one blank image.

    Args:
        shape: channels, height and width of an image.

    Returns:
        For each its `part` (`encoder`, `decoder` or `likelihood`), its `layer`, such as "Conv2d 3→32 4×4 stride 2", the
        `shape` of its output without the batch, and its number of learned `parameters`.
    """
    table = []
    vae.eval()
    signal: Tensor = next(vae.parameters()).new_zeros(1, *shape)
    for part, network in (("encoder", vae.encoder), ("decoder", vae.decoder)):
        for module in network if isinstance(network, nn.Sequential) else [network]:
            signal, name = module(signal), type(module).__name__
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                kernel = "×".join(map(str, module.kernel_size))
                name += f" {module.in_channels}→{module.out_channels} {kernel} stride {module.stride[0]}"
            elif isinstance(module, nn.Linear):
                name += f" {module.in_features}→{module.out_features}"
            learned = sum(parameter.numel() for parameter in module.parameters())
            table.append({"part": part, "layer": name, "shape": tuple(signal.shape[1:]), "parameters": learned})
        signal = signal[:, : signal.shape[1] // 2]
    channels, *sides = shape
    steps = vae.likelihood.steps if isinstance(vae.likelihood, Multiscale) else []
    for number, step in enumerate(steps, 1):
        assert isinstance(step, Step)
        grid = tuple(math.ceil(side / BLOCK) * (1 if number <= 3 else 2) for side in sides)
        learned = sum(each.numel() for each in step.parameters())
        given = step.groups * channels, *grid
        table.append({"part": "likelihood", "layer": f"step {number}", "shape": given, "parameters": learned})
    return table


def save_vae(vae: Vae, config: VaeConfig, folder: Path) -> None:
    """Writes the network into a run folder."""
    tensors = {name: value.contiguous() for name, value in vae.state_dict().items()}
    about = json.dumps({"study": "vae", "config": config.model_dump(mode="json")}, sort_keys=True)
    write_bytes(folder / MODEL, save(tensors, {"twofold": about}))


def open_vae(folder: Path, device: torch.device) -> tuple[Vae, VaeConfig]:
    """The network of a finished run, or of one run of a sweep, in evaluation mode.

    Raises:
        RunFolderError: when the folder holds no finished vae run, or its model file is not one.
    """
    require_done(folder, "twofold vae run")
    path = folder / MODEL
    try:
        texts, tensors = read_tensors(path)
        about = json.loads(texts["twofold"])
        if about["study"] != "vae":
            raise ValueError(f"a model of the {about['study']} study")
        config = VaeConfig.from_json(json.dumps(about["config"]), str(path))
        vae = loaded(lambda: Vae.seeded(config, 0), tensors)
    except RunFolderError:
        raise
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        raise RunFolderError(
            f"{path}: not a model of the vae study ({reason}); give the folder of a finished `twofold vae run`"
        ) from error
    return vae.to(device).eval(), config
