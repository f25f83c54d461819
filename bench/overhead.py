"""Overhead of the engine's loop over a bare PyTorch loop with the same network, batches and steps.

`python bench/overhead.py` prints the seconds per epoch of each, best of 7 in turn, and their ratio; fails at 1.10.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from twofold.engine.checkpoint import save_state
from twofold.engine.loop import Plan, Step, TrainState, fit, shuffled

WINDOWS, LENGTH, BATCH, ROUNDS, LIMIT = 4096, 7, 128, 7, 1.10


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(1, 128, batch_first=True)
        self.head = nn.Linear(128, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0][:, -1]).squeeze(1)


def fresh() -> tuple[Net, torch.optim.Optimizer]:
    torch.manual_seed(0)
    net = Net()
    return net, torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)


def bare(x: torch.Tensor, y: torch.Tensor) -> float:
    net, optimiser = fresh()
    began = time.perf_counter()
    for batch in torch.randperm(WINDOWS).split(BATCH):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[batch]), y[batch])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
    return time.perf_counter() - began


def engine(x: torch.Tensor, y: torch.Tensor, folder: Path) -> float:
    net, optimiser = fresh()
    state = TrainState(net, optimiser)
    plan = Plan(epochs=1, learning_rate=1e-3, schedule="constant", clip_norm=1.0, patience=5, seed=0)

    def loss(module: nn.Module, step: Step) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        logit = module(x[step.rows])
        right = ((logit.detach() > 0) == (y[step.rows] > 0)).float().mean()
        return nn.functional.binary_cross_entropy_with_logits(logit, y[step.rows]), {"accuracy": right}

    began = time.perf_counter()
    for _ in fit(state, plan, shuffled(torch.arange(WINDOWS), BATCH, 0), loss):
        save_state(state, folder / "state.safetensors")
    return time.perf_counter() - began


def main() -> int:
    torch.set_num_threads(1)
    x, y = torch.randn(WINDOWS, LENGTH, 1), torch.randint(0, 2, (WINDOWS,)).float()
    with tempfile.TemporaryDirectory() as folder:
        pairs = [(bare(x, y), engine(x, y, Path(folder))) for _ in range(ROUNDS)]
    best_bare, best_engine = (min(column) for column in zip(*pairs, strict=True))
    ratio = best_engine / best_bare
    print(
        f"bare loop {best_bare:.3f} s per epoch, engine with a checkpoint per epoch {best_engine:.3f} s, "
        f"ratio {ratio:.3f}"
    )
    return int(ratio >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
