"""The training loop: a generator over one explicit state that yields one record an epoch, when the state is whole."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from twofold.engine.errors import NonFiniteLossError
from twofold.engine.seed import torch_generator

Record = dict[str, Any]
Loss = Callable[[nn.Module, Tensor, torch.Generator], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Plan:
    """What the loop has to do; nothing in it changes while it runs.

    Attributes:
        epochs: passes over the data, at most.
        learning_rate: peak of the schedule.
        schedule: `constant`, or `cosine` from the peak towards 0 over the epochs.
        clip_norm: the gradient's norm is clipped to this.
        patience: epochs without a better `validation_loss` before the loop stops.
        seed: the run's seed.
    """

    epochs: int
    learning_rate: float
    schedule: Literal["constant", "cosine"]
    clip_norm: float
    patience: int
    seed: int

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 1; depends on the epoch alone."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / self.epochs))


@dataclass
class TrainState:
    """All that a training is, between two epochs; saving and loading it is resuming.

    Attributes:
        module: the network, with its weights of now.
        optimiser: with its moments of now.
        history: one record an epoch, the first for epoch 1.
        best: the weights of the epoch with the lowest `validation_loss`, once there is one.
        best_epoch: that epoch; 0 before the first.
        best_loss: its loss.
    """

    module: nn.Module
    optimiser: torch.optim.Optimizer
    history: list[Record] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_epoch: int = 0
    best_loss: float = math.inf

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)

    def finished(self, plan: Plan) -> bool:
        """Whether the plan's epochs are done or its patience is at an end."""
        out_of_patience = self.best_epoch > 0 and self.epoch - self.best_epoch >= plan.patience
        return self.epoch >= plan.epochs or out_of_patience

    def use_best(self) -> int:
        """Puts the best epoch's weights into the module, where a validation chose one.

        Returns:
            The epoch whose weights the module now holds.
        """
        if self.best is None:
            return self.epoch
        self.module.load_state_dict(self.best)
        return self.best_epoch


def fit(
    state: TrainState,
    plan: Plan,
    batches: Callable[[int], Iterable[Tensor]],
    loss: Loss,
    monitor: Callable[[nn.Module], Record] | None = None,
) -> Iterator[Record]:
    """Trains epoch by epoch, from wherever the state stands.

    Args:
        state: changed in place; whole whenever a record is yielded, so that the caller may save it, stop, or go on.
        plan: epochs, schedule, clipping, patience, seed.
        batches: gives an epoch's index tensors, in the order in which they are used.
        loss: of (module, indices, generator) gives the mean loss of the batch and further means to record. All noise,
            dropout too, must come from the generator, which is seeded by (seed, "noise", epoch).
        monitor: measures the module after an epoch, without gradients; a `validation_loss` in it decides on the best
            epoch and on stopping early.

    Yields:
        The epoch's record: `epoch`, `train_loss`, the loss's other means as `train_NAME`, what the monitor measured,
        `learning_rate`, `seconds`.

    Raises:
        NonFiniteLossError: names epoch and step of the first loss that is NaN or infinite.
    """
    while not state.finished(plan):
        began = time.perf_counter()
        epoch = state.epoch + 1
        for group in state.optimiser.param_groups:
            group["lr"] = plan.rate(epoch)
        means = _train_epoch(state, plan, epoch, batches(epoch), loss)
        record = {"epoch": epoch, **means}
        if monitor is not None:
            state.module.eval()
            with torch.no_grad():
                record |= monitor(state.module)
        record |= {"learning_rate": plan.rate(epoch), "seconds": time.perf_counter() - began}
        state.history.append(record)
        _remember_best(state, record)
        yield record


def _train_epoch(state: TrainState, plan: Plan, epoch: int, batches: Iterable[Tensor], loss: Loss) -> Record:
    generator = torch_generator(plan.seed, "noise", epoch)
    parameters = list(state.module.parameters())
    sizes: list[int] = []
    steps: list[dict[str, Tensor]] = []
    state.module.train()
    for batch in batches:
        value, extra = loss(state.module, batch, generator)
        state.optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, plan.clip_norm)
        state.optimiser.step()
        sizes.append(len(batch))
        steps.append({"loss": value.detach(), **extra})
    # Checked once an epoch, not once a step, so that an accelerator need not wait; a broken epoch is never yielded.
    losses = torch.stack([step["loss"] for step in steps])
    broken = torch.nonzero(~torch.isfinite(losses))
    if len(broken):
        step = int(broken[0]) + 1
        raise NonFiniteLossError(
            f"the loss became {losses[step - 1].item()} at epoch {epoch}, step {step} of {len(steps)}; "
            "a lower learning rate or clip norm may help"
        )
    weights = torch.tensor(sizes, dtype=torch.float64)
    columns = {name: torch.stack([step[name] for step in steps]).cpu().double() for name in steps[0]}
    return {f"train_{name}": float((column * weights).sum() / weights.sum()) for name, column in columns.items()}


def _remember_best(state: TrainState, record: Record) -> None:
    value = record.get("validation_loss")
    if value is not None and value < state.best_loss:
        state.best_loss, state.best_epoch = value, record["epoch"]
        state.best = copy.deepcopy(state.module.state_dict())


def shuffled(indices: Tensor, batch_size: int, seed: int) -> Callable[[int], Iterable[Tensor]]:
    """Batches of indices in an order that depends on seed and epoch alone.

    Args:
        indices: what to visit once an epoch, one dimension.
        batch_size: indices in a batch; the last may be shorter.
        seed: the run's seed.
    """

    def batches(epoch: int) -> Iterable[Tensor]:
        order = torch.randperm(len(indices), generator=torch_generator(seed, "shuffle", epoch))
        return indices[order].split(batch_size)

    return batches
