"""Examples in, trained networks out."""

import numpy as np
import torch
from torch import Tensor, nn

from twofold.engine.loop import Loss, Plan, Step, TrainState, fit, shuffled
from twofold.engine.recurrent import Cell
from twofold.hub.config import NetworkConfig
from twofold.hub.examples import Examples
from twofold.hub.heads.network import READ, MixtureNetwork, Networks, Scaling, fit_scaling
from twofold.hub.heads.pmf import growth_needed
from twofold.hub.rules import Rules

_STRETCHED = 0.2, 1.8  # the cuts are seen stretched, too, so that the distribution is learned between them
_CERTAIN = 1e-5
_CLIP_NORM = 1.0


def fit_networks(examples: Examples, rules: Rules, cell: Cell, config: NetworkConfig, seed: int) -> Networks:
    """Trains a cell's networks, one a seed.

    The loss is the cross-entropy of "does the change exceed tau?" over the season's cuts and over cuts stretched at
    random, so that what is learned is the distribution where the score looks at it.

    Args:
        examples: to learn from.
        rules: cuts of the season.
        cell: recurrent cell.
        config: sizes, schedule, number of networks.
        seed: of the first network; the same for every cell.

    Raises:
        NonFiniteLossError: when the loss is no longer finite.
    """
    torch.set_num_threads(1)
    scaling = fit_scaling(examples.asked.inputs)
    modules = tuple(
        _train(examples, scaling, rules, cell=cell, config=config, seed=seed + k) for k in range(config.seeds)
    )
    return Networks(cell, scaling, modules)


def _train(
    examples: Examples, scaling: Scaling, rules: Rules, *, cell: Cell, config: NetworkConfig, seed: int
) -> MixtureNetwork:
    module = MixtureNetwork.seeded(len(READ), len(rules.horizons), cell, config=config, seed=seed)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    state = TrainState(module, optimiser)
    rows = torch.arange(len(examples.asked))
    steps = config.epochs * -(-len(rows) // config.batch_size)
    plan = Plan(config.epochs, config.learning_rate, "cosine", _CLIP_NORM, config.epochs, seed, steps)
    for _ in fit(state, plan, shuffled(rows, config.batch_size, seed), _make_loss(examples, scaling, rules)):
        pass
    return module


def _make_loss(examples: Examples, scaling: Scaling, rules: Rules) -> Loss:
    cuts = torch.from_numpy(examples.asked.cuts(rules))
    sequence = scaling.apply(examples.asked.inputs)
    base, change = torch.from_numpy(examples.asked.base), torch.from_numpy(examples.change)
    weight = torch.from_numpy(np.isfinite(examples.change) * examples.weight[:, None]).float()

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        rows = step.rows
        stretch = torch.empty(len(rows), cuts.shape[1], 1, dtype=cuts.dtype)
        stretch.uniform_(*_STRETCHED, generator=step.generator)
        tau = torch.cat([cuts[rows], cuts[rows] * stretch], dim=2)
        needed = growth_needed(base[rows].numpy(), tau.numpy())
        found = module(sequence[rows], torch.from_numpy(needed).float(), step.generator)
        exceeded = (change[rows, :, None] > tau).float()
        entropy = nn.functional.binary_cross_entropy(found.clamp(_CERTAIN, 1 - _CERTAIN), exceeded, reduction="none")
        return (entropy.mean(dim=2) * weight[rows]).mean(), {}

    return loss
