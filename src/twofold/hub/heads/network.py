"""Recurrent networks that give the log growth of every horizon as a mixture of logistics."""

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from twofold.engine.diagnosis import lower, ran_away
from twofold.engine.errors import DivergedError
from twofold.engine.loop import Loss, Plan, Step, TrainState, fit, shuffled
from twofold.engine.recurrent import Cell, dropout, recurrent_layer, seeded_weights
from twofold.hub.config import NetworkConfig
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.pmf import certain_below_zero, growth_needed
from twofold.hub.rules import RateChange

GROWTH_UNIT = 0.3
"""Typical size of the log growth over a few weeks: the unit of the network's outputs."""
READ = tuple(index for index, name in enumerate(NAMES) if name != "season_week")
"""Features that the networks use: all but the calendar, which the trees use.

A network that knows the date learns when epidemics used to turn. Over ten seasons of ILINet that gains .006 of RPS;
over the three of admissions since 2022, of which one came early and one rose twice, it costs .015.
"""
_FARTHEST = 4.0  # standard deviations at which a feature is clipped
_SHARPEST, _WIDEST = -4.0, 3.0  # logarithms of the least and the largest scale, in half units of growth
_STRETCHED = 0.2, 1.8  # the loss takes the cuts stretched, too, so that the distribution between them is learned
_CERTAIN = 1e-5
_CLIP_NORM = 1.0


class MixtureNetwork(nn.Module):
    """A linear layer, a recurrent layer over the weeks, and for each horizon the parameters of a mixture.

    Source:
        Bishop (1994), Mixture density networks, with logistics for their closed distribution function.
    """

    def __init__(self, horizons: int, cell: Cell, config: NetworkConfig) -> None:
        super().__init__()
        self.enter = nn.Linear(len(READ), config.hidden)
        self.layer = recurrent_layer(cell, config.hidden, config.hidden)
        self.head = nn.Linear(config.hidden, horizons * 3 * config.components)
        self.shape = (horizons, 3, config.components)
        self.dropout = config.dropout
        self.register_buffer("spread", torch.linspace(-1.0, 1.0, config.components), persistent=False)

    def forward(
        self,
        sequence: Float[Tensor, "n weeks inputs"],
        needed: Float[Tensor, "n horizons cuts"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n horizons cuts"]:
        """P(log growth > needed), from the scaled inputs of the last weeks; dropout draws from the generator."""
        drop = functools.partial(dropout, share=self.dropout, training=self.training, generator=generator)
        hidden = torch.tanh(self.enter(drop(sequence)))
        hidden = self.layer(drop(hidden))[0][:, -1]
        share, place, scale = self.head(drop(hidden)).view(-1, *self.shape).unbind(dim=2)
        centre = (place + self.spread) * GROWTH_UNIT
        width = torch.exp(scale.clamp(_SHARPEST, _WIDEST)) * GROWTH_UNIT / 2
        beyond = torch.sigmoid((centre.unsqueeze(2) - needed.unsqueeze(3)) / width.unsqueeze(2))
        return (torch.softmax(share, dim=-1).unsqueeze(2) * beyond).sum(dim=-1)


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each input that is read, of the examples' newest weeks."""

    mean: Float[np.ndarray, "inputs"]
    deviation: Float[np.ndarray, "inputs"]
    read: tuple[int, ...]

    def apply(self, inputs: Float[np.ndarray, "n weeks all"]) -> Float[Tensor, "n weeks inputs"]:
        """Scaled and clipped features; 0, the mean, where not known."""
        scaled = np.clip((inputs[:, :, self.read] - self.mean) / self.deviation, -_FARTHEST, _FARTHEST)
        return torch.from_numpy(np.nan_to_num(scaled, nan=0.0).astype(np.float32))


def fit_scaling(inputs: Float[np.ndarray, "n weeks all"], read: tuple[int, ...]) -> Scaling:
    """Scaling by the newest week's inputs; an input that never varies or is never known gets 0 throughout."""
    newest = np.ma.masked_invalid(inputs[:, -1, read])
    deviation = newest.std(axis=0).filled(0.0)
    return Scaling(newest.mean(axis=0).filled(0.0), np.where(deviation > 0, deviation, np.inf), read)


@dataclass(frozen=True)
class Networks:
    """Networks of one cell from several seeds; a head, see `pmf.Head`.

    Attributes:
        cell: their cell.
        scaling: of the inputs.
        modules: trained.
    """

    cell: Cell
    scaling: Scaling
    modules: tuple[MixtureNetwork, ...]

    @torch.no_grad()
    def exceed(
        self, queries: Queries, tau: Float[np.ndarray, "n horizons cuts"]
    ) -> Float[np.ndarray, "n horizons cuts"]:
        """P(change > tau), the mean of the networks'."""
        sequence = self.scaling.apply(queries.inputs)
        needed = torch.from_numpy(growth_needed(queries.base, tau)).float()
        found = [module.eval()(sequence, needed).double().numpy() for module in self.modules]
        return certain_below_zero(queries.base, tau, np.mean(found, axis=0))


def fit_networks(examples: Examples, rules: RateChange, cell: Cell, config: NetworkConfig, seed: int) -> Networks:
    """Trains a cell's networks, one per seed: the given one, which is the same for every cell, and those after it.

    The loss is the cross-entropy of "does the change exceed tau?" over the season's cuts and over cuts stretched at
    random, so that the distribution is learned where the score depends on it.

    Raises:
        DivergedError: names the network that diverged.
    """
    torch.set_num_threads(1)
    scaling = fit_scaling(examples.queries.inputs, READ)
    loss = _make_loss(examples, scaling, rules)
    ignorant = math.log(2.0) * float((np.isfinite(examples.change) * examples.weight[:, None]).mean())  # a coin's
    rows = torch.arange(len(examples.queries))
    steps = config.epochs * -(-len(rows) // config.batch_size)
    modules = []
    for own in range(seed, seed + config.seeds):
        with seeded_weights(own):
            module = MixtureNetwork(len(rules.horizons), cell, config)
        optimiser = torch.optim.AdamW(
            module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        plan = Plan(config.epochs, config.learning_rate, "cosine", _CLIP_NORM, config.epochs, own, steps)
        batches = shuffled(rows, config.batch_size, own)
        advice = lower("--network.learning-rate", config.learning_rate, NetworkConfig().learning_rate)
        train(TrainState(module, optimiser), plan, batches, loss, ignorant, who=f"{cell}, seed {own}", advice=advice)
        modules.append(module)
    return Networks(cell, scaling, tuple(modules))


def train(
    state: TrainState,
    plan: Plan,
    batches: Callable[[int], Iterable[Tensor]],
    loss: Loss,
    ignorant: float,
    *,
    who: str,
    advice: str,
) -> None:
    """Trains a network through all epochs of its plan.

    Args:
        ignorant: the loss of a forecast that knows nothing; see `engine.diagnosis.ran_away`.
        who: the network, for the error.
        advice: what to change when it diverges.

    Raises:
        DivergedError: when the loss or a weight is no longer finite, or the loss of the last epoch ran away.
    """
    try:
        for _ in fit(state, plan, batches, loss):
            pass
        last = state.history[-1]["train_loss"]
        if ran_away(last, ignorant):
            raise DivergedError(f"its last training loss is {last:.4g}, {ignorant:.4g} without any knowledge")
    except DivergedError as error:
        raise DivergedError(error.how, who, advice) from error


def _make_loss(examples: Examples, scaling: Scaling, rules: RateChange) -> Loss:
    cuts = torch.from_numpy(examples.queries.cuts(rules))
    sequence = scaling.apply(examples.queries.inputs)
    base, change = torch.from_numpy(examples.queries.base), torch.from_numpy(examples.change)
    weight = torch.from_numpy(np.isfinite(examples.change) * examples.weight[:, None]).float()

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        rows = step.rows
        stretch = torch.empty(len(rows), cuts.shape[1], 1, dtype=cuts.dtype)
        stretch.uniform_(*_STRETCHED, generator=step.generator)
        tau = torch.cat([cuts[rows], cuts[rows] * stretch], dim=2)
        needed = growth_needed(base[rows].numpy(), tau.numpy())
        found = module(sequence[rows], torch.from_numpy(needed).float(), step.generator)
        if bool(found.detach().isnan().any()):  # which binary_cross_entropy refuses, and the loop names
            return found.mean(), {}
        exceeded = (change[rows, :, None] > tau).float()
        entropy = nn.functional.binary_cross_entropy(found.clamp(_CERTAIN, 1 - _CERTAIN), exceeded, reduction="none")
        return (entropy.mean(dim=2) * weight[rows]).mean(), {}

    return loss
