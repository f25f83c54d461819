"""A recurrent network that gives every quantile of every horizon at once, trained by pinball loss."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import norm
from torch import Tensor, nn

from twofold.engine.diagnosis import lower
from twofold.engine.loop import Loss, Plan, Step, TrainState, shuffled
from twofold.engine.recurrent import dropout, recurrent_layer, seeded_weights
from twofold.hub.config import QuantileNetworkConfig
from twofold.hub.distribution import LEVELS, Distribution
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES as GROWTH
from twofold.hub.heads.network import Scaling, fit_scaling, train
from twofold.hub.heads.quantile import QuantileHead, changes
from twofold.hub.roots import CALENDAR, NAMES

READ = tuple(len(GROWTH) + index for index, name in enumerate(NAMES) if name != CALENDAR)
"""Columns of the inputs that the network uses: all of `roots.NAMES` but the calendar."""
_MIDDLE = LEVELS.index(0.5)
_STRETCH = 4.0  # largest logarithm of a step between two quantiles, in units of the normal distribution's
_SPREAD = 0.7  # standard deviation of the distributions at the start, in units of the changes'
_LOSS_UNIT = 10.0  # brings the loss, and so the gradient that is clipped, near 1
_CLIP_NORM = 1.0
_WARM_UP = 0.3  # share of the steps in which the learning rate rises


class QuantileNetwork(nn.Module):
    """A recurrent layer over the weeks; for each horizon the median, and the steps from each quantile to the next."""

    def __init__(self, horizons: int, config: QuantileNetworkConfig) -> None:
        super().__init__()
        self.layer = recurrent_layer("rnn", len(READ), config.hidden)
        self.median = nn.Linear(config.hidden, horizons)
        self.steps = nn.Linear(config.hidden, horizons * (len(LEVELS) - 1))
        nn.init.zeros_(self.steps.weight)
        nn.init.zeros_(self.steps.bias)
        self.dropout = config.dropout
        self.unit = nn.Buffer(torch.ones(horizons))
        self.normal = nn.Buffer(torch.from_numpy(np.diff(norm.ppf(LEVELS))).float() * _SPREAD, persistent=False)

    def forward(
        self, sequence: Float[Tensor, "n weeks inputs"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n horizons levels"]:
        """Increasing quantiles of the change; dropout draws from the generator."""
        drop = functools.partial(dropout, share=self.dropout, training=self.training, generator=generator)
        hidden = drop(self.layer(drop(sequence))[0][:, -1])
        median = self.median(hidden)[:, :, None]
        steps = torch.exp(self.steps(hidden).view(*median.shape[:2], -1).clamp(-_STRETCH, _STRETCH)) * self.normal
        above = torch.cat([torch.zeros_like(median), steps.cumsum(dim=2)], dim=2)
        return (median + above - above[:, :, [_MIDDLE]]) * self.unit[:, None]


@dataclass(frozen=True)
class QuantileNetworks(QuantileHead):
    """Networks from several seeds.

    Attributes:
        scaling: of the inputs.
        modules: trained.
    """

    scaling: Scaling
    modules: tuple[QuantileNetwork, ...]

    @torch.no_grad()
    def change(self, queries: Queries) -> Distribution:
        """The mean over the networks of each quantile."""
        sequence = self.scaling.apply(queries.inputs)
        found = [module.eval()(sequence).double().numpy() for module in self.modules]
        return Distribution.through(np.array(LEVELS), np.mean(found, axis=0))


def fit_quantile_networks(examples: Examples, config: QuantileNetworkConfig, seed: int) -> QuantileNetworks:
    """Trains a network for each seed: the given one and those after it.

    Raises:
        DivergedError: names the network that diverged.
    """
    torch.set_num_threads(1)
    scaling = fit_scaling(examples.queries.inputs, READ)
    change = changes(examples)
    loss = _make_loss(examples, change, scaling)
    known = np.isfinite(change) * examples.weight[:, None]
    # Of "no change" at every level, whose mean is one half.
    ignorant = _LOSS_UNIT / 2 * float((np.abs(np.nan_to_num(change)) * known).sum() / max(known.sum(), 1.0))
    rows = torch.arange(len(change))
    steps = config.epochs * -(-len(rows) // config.batch_size)
    modules = []
    for own in range(seed, seed + config.seeds):
        with seeded_weights(own):
            module = QuantileNetwork(change.shape[1], config)
        module.unit.copy_(torch.from_numpy(np.nanstd(change, axis=0)))
        optimiser = torch.optim.AdamW(
            module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        warm = round(_WARM_UP * steps)
        plan = Plan(
            config.epochs, config.learning_rate, "cosine", _CLIP_NORM, config.epochs, own, steps, warmup_steps=warm
        )
        batches = shuffled(rows, config.batch_size, own)
        advice = lower("--quantile-network.learning-rate", config.learning_rate, QuantileNetworkConfig().learning_rate)
        train(
            TrainState(module, optimiser), plan, batches, loss, ignorant, who=f"quantile_rnn, seed {own}", advice=advice
        )
        modules.append(module)
    return QuantileNetworks(scaling, tuple(modules))


def _make_loss(examples: Examples, change: Float[np.ndarray, "n horizons"], scaling: Scaling) -> Loss:
    sequence = scaling.apply(examples.queries.inputs)
    weight = torch.from_numpy(np.isfinite(change) * examples.weight[:, None]).float()
    target, levels = torch.from_numpy(np.nan_to_num(change)).float(), torch.tensor(LEVELS)

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        error = target[step.rows][:, :, None] - module(sequence[step.rows], step.generator)
        pinball = torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=2)
        known = weight[step.rows]
        return (pinball * known).sum() / known.sum().clamp(min=1.0) * _LOSS_UNIT, {}

    return loss
