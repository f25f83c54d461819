"""How a network starts: from random weights, or in closed form, with what has to be chosen for that."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from twofold.engine.errors import InputError
from twofold.engine.files import text, usable, write_json
from twofold.engine.seed import seed_for, torch_generator
from twofold.vae.config import LikelihoodConfig, VaeConfig
from twofold.vae.images.load import Images, Split
from twofold.vae.likelihood import Scaled
from twofold.vae.model import Vae, as_input
from twofold.vae.multiscale import FITTED_ON, Multiscale
from twofold.vae.objective import reparameterise
from twofold.vae.principal import Principal, PrincipalDecoder, PrincipalEncoder, principal, principal_without, put
from twofold.vae.score import evaluate

LEAST_IMAGES = 3
"""Training images that components can be fitted to."""
MOST_UNITS, MOST_VALUES = 512, 10**8
"""Units, and values of their components (400 MB), that a start tries at most."""
FOLDS = 8
FOLDED_FROM = 0.05
"""Units per training image from which pictures of training images come from components fitted without them."""
NOISES = 4.0, 16.0
"""Noise of the posterior that is tried, in units of the variance that the components leave.

More would often cost a little less and leave a code that says little: the likelihood can nearly do without one.
"""
WITHOUT_WEIGHT = 0.01
"""Takes the place of beta in the posterior's noise where beta is 0: its optimum, no noise, has an infinite rate."""
WITHIN = 1.03
"""The most units are taken that cost at most this times what the best number does: training makes units cheaper."""
CHOICE = "start.json"
_COMPARED_ON = 128  # validation images that starts are compared on
_COMPARED_FROM = 100  # training images that a compared start is fitted to
_COMPONENTS_FROM = 12_000  # images that components are fitted on, at most
_LEAST_FITTED, _FULL_SIDE = 16, 64
"""Images that a start is fitted on at least, and the side of a square with more pixels than which they are fewer."""
_AT_ONCE = 64

Codec = tuple[nn.Module, nn.Module]
"""An encoder and a decoder."""


@dataclass(frozen=True)
class Choice:
    """What a closed-form start was chosen to be, and what each candidate cost on validation images.

    Attributes:
        units: length of z.
        noise: of the posterior at beta 1, in units of the variance that the components leave.
        tried: `units`, `noise` and `bits_per_dim` of each candidate, in the order tried.
        linear_units: number of components with which probabilistic PCA costs least on the same images.
        folds: parts of the training images whose pictures come from components fitted without them; 0: none.
    """

    units: int
    noise: float
    tried: list[dict[str, Any]]
    linear_units: int
    folds: int


@dataclass(frozen=True)
class Started:
    """A network before its first step.

    Attributes:
        config: with the length of z.
        folds: encoder and decoder for the training images of each fold, which share the network's learned weights.
        fold_of: fold of each training image, in the order of the split.
        choice: None for a network with random weights.
        linear: probabilistic PCA as such a network, and its config; None where the network is no more than that.
    """

    vae: Vae
    config: VaeConfig
    folds: list[Codec]
    fold_of: Int64[np.ndarray, " train"]
    choice: Choice | None
    linear: tuple[Vae, VaeConfig] | None


def begin(images: Images, split: Split, config: VaeConfig, device: torch.device, checkpoints: Path) -> Started:
    """Starts a network; what a first process chose is read from `checkpoints` by one that resumes.

    Raises:
        InputError: when there are too few training images for principal components, or for as many as the config asks.
    """
    if config.model.network != "linear":
        vae = Vae.seeded(config, seed_for(config.seed, "weights")).to(device)
        return Started(vae, config, [], np.zeros(len(split.train), np.int64), None, None)
    parts = _Components(images, split.train, config)
    path = checkpoints / CHOICE
    if usable(path):
        choice = Choice(**json.loads(text(checkpoints, CHOICE)))
    else:
        choice = _choose(images, split, config, parts)
        checkpoints.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(choice))
    config = _with_units(config, choice.units)
    vae = Vae.seeded(config, seed_for(config.seed, "weights"))
    folds = parts.start(vae, config, choice.noise, images, FITTED_ON)
    vae = vae.to(device)
    for encoder, decoder in folds:
        encoder.to(device)
        decoder.to(device)
    linear = None
    if isinstance(vae.likelihood, Multiscale):
        alone = _linear_config(config, choice.linear_units)
        linear = Vae.seeded(alone, 0), alone
        parts.start(linear[0], alone, 1.0, images, 0)
        linear[0].to(device).eval()
    return Started(vae, config, folds, parts.fold_of, choice, linear)


class _Components:
    """Principal components of the training images, and those without each fold of them where units are many."""

    def __init__(self, images: Images, train: Int64[np.ndarray, " train"], config: VaeConfig) -> None:
        if len(train) < LEAST_IMAGES:
            raise InputError(
                f"model.network linear starts from principal components, which take {LEAST_IMAGES} training images at "
                f"least, got {len(train)}; give more images, or --recipe plain"
            )
        self.train, self.seed = train, config.seed
        # Evenly spread over the order of names, which may sort the images by kind.
        rows = train[np.linspace(0, len(train) - 1, min(len(train), _COMPONENTS_FROM)).astype(int)]
        dims = images.pixels[0].size
        most = config.model.latent_dim or min(MOST_UNITS, MOST_VALUES // dims)
        most = min(most, len(rows) - 1, dims - 1)
        self.number = min(FOLDS, len(rows)) if most > FOLDED_FROM * len(rows) else 0
        self.fold_of = np.arange(len(train)) % max(self.number, 1)
        self.folds: list[Principal] = []
        if self.number:
            most = max(1, min(most, len(train) - int(np.bincount(self.fold_of).max()) - 1))
            self.folds = principal_without(images.pixels, train, most, self.fold_of, config.seed)
        if config.model.latent_dim > most:
            raise InputError(
                f"--model.latent-dim {config.model.latent_dim}: {len(train):,} training images of this size have "
                f"{most:,} principal components to start from; give at most {most:,}, or 0 to have the number chosen"
            )
        self.most = most
        self.whole = principal(images.pixels, rows, most, config.seed)

    def start(self, vae: Vae, config: VaeConfig, noise: float, images: Images, fitted_on: int) -> list[Codec]:
        """Sets a network to its closed form; returns each fold's encoder and decoder."""
        assert isinstance(vae.encoder, PrincipalEncoder) and isinstance(vae.decoder, PrincipalDecoder)
        units, weight = config.model.latent_dim, config.objective.rate_weight or WITHOUT_WEIGHT
        whole = self.whole.first(units)
        variance = noise * weight * whole.rest
        put(whole, variance, vae.encoder, vae.decoder)
        folds = []
        for found in self.folds:
            decoder = PrincipalDecoder(units, vae.decoder.shape)
            encoder = PrincipalEncoder(units, decoder)
            put(found.first(units), variance, encoder, decoder)
            _share(vae.encoder, encoder)
            folds.append((encoder, decoder))
        if isinstance(vae.likelihood, Multiscale):
            few = max(_LEAST_FITTED, fitted_on * _FULL_SIDE**2 // math.prod(images.pixels.shape[1:3]))
            some = np.linspace(0, len(self.train) - 1, min(len(self.train), fitted_on, few)).astype(int)
            m, x = self._pictures(vae, folds, images, some)
            vae.likelihood.start(m, x)
        elif isinstance(vae.likelihood, Scaled) and config.likelihood.name != "gaussian_fixed":
            vae.likelihood.set_sigma(whole.rest**0.5)
        return folds

    @torch.no_grad()
    def _pictures(
        self, vae: Vae, folds: list[Codec], images: Images, some: Int64[np.ndarray, " some"]
    ) -> tuple[Tensor, Tensor]:
        """Pictures decoded from a sample of z each, of some of the training images, and these images."""
        generator, cpu = torch_generator(self.seed, "start"), torch.device("cpu")
        codecs = folds or [(vae.encoder, vae.decoder)]
        x = as_input(images.pixels[self.train[some]], cpu)
        m = torch.empty_like(x)
        for fold, (encoder, decoder) in enumerate(codecs):
            at = torch.from_numpy(np.flatnonzero(self.fold_of[some] == fold))
            if len(at):
                m[at] = decoder(reparameterise(*vae.posterior(encoder(x[at])), generator))
        return m, x


def _choose(images: Images, split: Split, config: VaeConfig, parts: _Components) -> Choice:
    """Number of units and noise, each by what a start costs on validation images at beta 1.

    From the most units downwards by halves while that costs less; a number of units that is given is not searched for.
    """
    rows = split.validation[
        np.linspace(0, len(split.validation) - 1, min(len(split.validation), _COMPARED_ON)).astype(int)
    ]
    batches = [
        as_input(images.pixels[part], torch.device("cpu")) for part in np.array_split(rows, -(-len(rows) // _AT_ONCE))
    ]
    objective = config.objective.model_copy(update={"beta": 1.0})
    likelihood = config.likelihood.model_copy(update={"width": 4, "depth": 0})
    small = config.model_copy(update={"objective": objective, "likelihood": likelihood})
    tried: list[dict[str, Any]] = []

    def cost(of: VaeConfig, noise: float) -> float:
        vae = Vae.seeded(of, 0)
        parts.start(vae, of, noise, images, _COMPARED_FROM)
        found = evaluate(vae.eval(), batches, 1, torch_generator(config.seed, "start"))
        assert found.bits is not None
        return float(found.bits.mean())

    def attempt(units: int, noise: float) -> float:
        bits = cost(_with_units(small, units), noise)
        tried.append({"units": units, "noise": noise, "bits_per_dim": bits})
        return bits

    # Probabilistic PCA has the noise that the components leave, and no other.
    noises = NOISES if config.likelihood.name == "multiscale" else (1.0,)
    given = bool(config.model.latent_dim)
    ladder = _down(parts.most, lambda units: attempt(units, noises[0]), given)
    best = min(ladder.values())
    units = max(number for number, bits in ladder.items() if bits <= WITHIN * best)
    costs = {noises[0]: ladder[units]} | {noise: attempt(units, noise) for noise in noises[1:]}
    alone = _down(parts.most, lambda number: cost(_linear_config(config, number), 1.0), given)
    return Choice(units, min(costs, key=costs.__getitem__), tried, min(alone, key=alone.__getitem__), parts.number)


def _down(most: int, cost: Callable[[int], float], given: bool) -> dict[int, float]:
    """Costs of `most` units, then of the powers of two below, until one costs more than the one before it."""
    found = {most: cost(most)}
    for power in [] if given else range((most - 1).bit_length() - 1, -1, -1):
        number = 2**power
        found[number] = cost(number)
        if len(found) > 1 and found[number] > min(found.values()):
            break
    return found


def _with_units(config: VaeConfig, units: int) -> VaeConfig:
    return config.model_copy(update={"model": config.model.model_copy(update={"latent_dim": units})})


def _linear_config(config: VaeConfig, units: int) -> VaeConfig:
    """Probabilistic PCA with a number of components, as a config."""
    objective = config.objective.model_copy(update={"beta": 1.0})
    likelihood = LikelihoodConfig(name="gaussian")
    return _with_units(config.model_copy(update={"objective": objective, "likelihood": likelihood}), units)


def _share(one: nn.Module, other: nn.Module) -> None:
    """Makes the learned weights of one encoder also those of another."""
    for name, weight in one.named_parameters():
        if weight.requires_grad:
            setattr(other, name, weight)
