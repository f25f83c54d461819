"""A tiny training for the engine's tests: a regression with dropout, all noise from the epoch's generator."""

import copy

import torch
from torch import Tensor, nn

from twofold.engine.loop import Plan, Record, Step, TrainState, shuffled

PLAN = Plan(epochs=6, learning_rate=0.05, schedule="cosine", clip_norm=1.0, patience=10, seed=11)
X = torch.linspace(-1, 1, 150).reshape(50, 3).sin()
Y = (X.sum(dim=1) * 3).cos()
batches = shuffled(torch.arange(50), 8, PLAN.seed)


class Net(nn.Module):
    """Two layers with dropout between them, and BatchNorm on demand."""

    def __init__(self, dropout: float, normed: bool) -> None:
        super().__init__()
        self.first, self.last, self.dropout = nn.Linear(3, 6), nn.Linear(6, 1), dropout
        self.norm = nn.BatchNorm2d(6) if normed else nn.Identity()

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        # Not before: weights before BatchNorm have gradients of rounding alone, which AdamW makes steps of.
        hidden = self.norm(torch.tanh(self.first(x))[:, :, None, None]).flatten(1)
        if self.training and self.dropout:
            hidden = hidden * torch.empty_like(hidden).bernoulli_(1 - self.dropout, generator=generator)
        return self.last(hidden).squeeze(1)


def fresh(dropout: float = 0.0, *, averaged: bool = False, normed: bool = False) -> TrainState:
    """A state before its first epoch, with the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Net(dropout, normed)
    optimiser = torch.optim.AdamW(module.parameters(), lr=1.0, fused=True)
    return TrainState(module, optimiser, copy.deepcopy(module) if averaged else None)


def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
    error = module(X[step.rows], step.generator) - Y[step.rows]
    return (error**2).mean(), {"size": torch.tensor(float(len(step.rows)))}


def monitor(module: nn.Module) -> Record:
    return {"validation_loss": float(((module(X) - Y) ** 2).mean())}


def same_training(one: TrainState, two: TrainState) -> None:
    """Two states are equal bit for bit, but for the seconds that they took."""
    for name, value in one.module.state_dict().items():
        assert torch.equal(value, two.module.state_dict()[name]), name
    moments, others = one.optimiser.state_dict()["state"], two.optimiser.state_dict()["state"]
    assert moments.keys() == others.keys() != set()
    for index, slot in moments.items():
        assert slot.keys() == others[index].keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(value, others[index][name]) for name, value in slot.items())
    assert timeless(one) == timeless(two)
    assert one.step == two.step
    averages, twins = one.measured.state_dict(), two.measured.state_dict()
    assert all(torch.equal(value, twins[name]) for name, value in averages.items())
    assert (one.best_epoch, one.best_loss) == (two.best_epoch, two.best_loss)
    assert (one.best is None) == (two.best is None)
    assert all(torch.equal(value, (two.best or {})[name]) for name, value in (one.best or {}).items())


def timeless(state: TrainState) -> list[Record]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in state.history]
