"""The training loop: a generator over one explicit state that yields one record an epoch, when the state is whole."""

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from twofold.engine.errors import NonFiniteLossError
from twofold.engine.seed import torch_generator

Record = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """What a loss gets to know of one step.

    Attributes:
        rows: indices of the batch.
        generator: where all noise of the step, dropout too, must come from.
        progress: share of the run that is done, in [0, 1).
    """

    rows: Tensor
    generator: torch.Generator
    progress: float


Loss = Callable[[nn.Module, Step], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Plan:
    """What the loop has to do; nothing in it changes while it runs.

    Attributes:
        epochs: passes over the data, at most.
        learning_rate: peak of the schedule.
        schedule: `constant`, or `cosine` from the peak towards 0 over the run.
        clip_norm: the gradient's norm is clipped to this.
        patience: epochs without a better `validation_loss` before the loop stops.
        seed: the run's seed.
        steps: steps of the whole run, where schedule and progress go by steps; None: they go by epochs.
        averaging: decay a step of the state's averaged weights, where it has them.
    """

    epochs: int
    learning_rate: float
    schedule: Literal["constant", "cosine"]
    clip_norm: float
    patience: int
    seed: int
    steps: int | None = None
    averaging: float = 0.0

    def rate(self, epoch: int, step: int = 0) -> float:
        """Learning rate of an epoch, counted from 1, or where the plan goes by steps of a step, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        done, whole = self._place(epoch, step)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done / whole))

    def progress(self, epoch: int, step: int) -> float:
        """Share of the run that is done before this epoch, or before this step."""
        done, whole = self._place(epoch, step)
        return done / whole

    def _place(self, epoch: int, step: int) -> tuple[int, int]:
        return (epoch - 1, self.epochs) if self.steps is None else (step, self.steps)


@dataclass
class Unfinished:
    """An epoch that was paused between two of its steps.

    Attributes:
        sizes: rows of each step done.
        means: what the loss measured in each step, by name.
        noise: state of the epoch's generator.
        seconds: time spent on it.
    """

    sizes: list[int]
    means: dict[str, Tensor]
    noise: Tensor
    seconds: float


@dataclass
class TrainState:
    """All that a training is, between two steps; saving and loading it is resuming.

    Attributes:
        module: the network, with its weights of now.
        optimiser: with its moments of now.
        averaged: a copy of the network that follows it as an exponential moving average (Polyak & Juditsky 1992); it is
            what is measured and kept then. None: no averaging.
        history: one record an epoch, the first for epoch 1.
        step: steps done, over all epochs.
        unfinished: the epoch that was paused, if one was.
        best: the weights of the epoch with the lowest `validation_loss`, once there is one.
        best_epoch: that epoch; 0 before the first.
        best_loss: its loss.
    """

    module: nn.Module
    optimiser: torch.optim.Optimizer
    averaged: nn.Module | None = None
    history: list[Record] = field(default_factory=list)
    step: int = 0
    unfinished: Unfinished | None = None
    best: dict[str, Tensor] | None = None
    best_epoch: int = 0
    best_loss: float = math.inf

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)

    @property
    def measured(self) -> nn.Module:
        """The network that is validated and kept: the averaged one, where there is one."""
        return self.module if self.averaged is None else self.averaged

    def finished(self, plan: Plan) -> bool:
        """Whether the plan's epochs are done or its patience is at an end."""
        out_of_patience = self.best_epoch > 0 and self.epoch - self.best_epoch >= plan.patience
        return self.epoch >= plan.epochs or out_of_patience

    def use_best(self) -> int:
        """Puts the best epoch's weights into the measured network, where a validation chose one.

        Returns:
            The epoch whose weights it now holds.
        """
        if self.best is None:
            return self.epoch
        self.measured.load_state_dict(self.best)
        return self.best_epoch


def fit(
    state: TrainState,
    plan: Plan,
    batches: Callable[[int], Iterable[Tensor]],
    loss: Loss,
    monitor: Callable[[nn.Module], Record] | None = None,
    *,
    pause: Callable[[TrainState], bool] | None = None,
) -> Iterator[Record]:
    """Trains epoch by epoch, from wherever the state stands.

    Args:
        state: changed in place; whole whenever a record is yielded or the iteration ends, so that the caller may save
            it, stop, or go on.
        plan: epochs, schedule, clipping, patience, seed.
        batches: gives an epoch's index tensors, in the order in which they are used.
        loss: of (module, step) gives the mean loss of the batch and further means to record. All noise must come from
            the step's generator, which is seeded by (seed, "noise", epoch).
        monitor: measures the network after an epoch, without gradients; a `validation_loss` in it decides on the best
            epoch and on stopping early.
        pause: asked after every step; once it says yes the iteration ends, and `fit` on the same state goes on with
            the next step as if nothing had been.

    Yields:
        The epoch's record: `epoch`, `train_loss`, the loss's other means as `train_NAME`, what the monitor measured,
        `learning_rate`, `seconds`.

    Raises:
        NonFiniteLossError: names epoch and step of the first loss that is NaN or infinite.
    """
    while not state.finished(plan):
        began = time.perf_counter()
        earlier_s = state.unfinished.seconds if state.unfinished else 0.0
        epoch = state.epoch + 1
        means = _train_epoch(state, plan, epoch, batches=batches(epoch), loss=loss, pause=pause)
        if state.unfinished:
            state.unfinished.seconds = earlier_s + time.perf_counter() - began
            return
        record = {"epoch": epoch, **means}
        if monitor is not None:
            state.measured.eval()
            with torch.no_grad():
                record |= monitor(state.measured)
        seconds = earlier_s + time.perf_counter() - began
        record |= {"learning_rate": plan.rate(epoch, state.step - 1), "seconds": seconds}
        state.history.append(record)
        _remember_best(state, record)
        yield record


def _train_epoch(
    state: TrainState,
    plan: Plan,
    epoch: int,
    *,
    batches: Iterable[Tensor],
    loss: Loss,
    pause: Callable[[TrainState], bool] | None,
) -> Record:
    """The epoch's means; where it was paused, `state.unfinished` says so."""
    generator = torch_generator(plan.seed, "noise", epoch)
    parameters = list(state.module.parameters())
    sizes: list[int] = []
    steps: list[dict[str, Tensor]] = []
    if state.unfinished:
        sizes, steps = list(state.unfinished.sizes), _in_steps(state.unfinished.means)
        generator.set_state(state.unfinished.noise)
        state.unfinished = None
    state.module.train()
    for batch in itertools.islice(batches, len(sizes), None):
        for group in state.optimiser.param_groups:
            group["lr"] = plan.rate(epoch, state.step)
        value, extra = loss(state.module, Step(batch, generator, plan.progress(epoch, state.step)))
        state.optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, plan.clip_norm)
        state.optimiser.step()
        state.step += 1
        _average(state, plan)
        sizes.append(len(batch))
        steps.append({"loss": value.detach(), **extra})
        if pause is not None and pause(state):
            columns = _in_columns(steps, epoch)
            state.unfinished = Unfinished(sizes, columns, generator.get_state(), 0.0)
            return {}
    columns = _in_columns(steps, epoch)
    weights = torch.tensor(sizes, dtype=torch.float64)
    means = {name: (column.double() * weights).sum() / weights.sum() for name, column in columns.items()}
    return {f"train_{name}": float(mean) for name, mean in means.items()}


def _average(state: TrainState, plan: Plan) -> None:
    """Moves the averaged weights towards those of now; at first faster, so that the start is soon forgotten."""
    if state.averaged is None:
        return
    decay = min(plan.averaging, (1 + state.step) / (10 + state.step))
    old, new = state.averaged.state_dict(), state.module.state_dict()
    moving = [name for name, value in old.items() if value.is_floating_point()]
    with torch.no_grad():
        get_ema_multi_avg_fn(decay)([old[name] for name in moving], [new[name] for name in moving], 0)
        for name in old.keys() - set(moving):
            old[name].copy_(new[name])


def _in_columns(steps: list[dict[str, Tensor]], epoch: int) -> dict[str, Tensor]:
    """Each mean of all steps as one tensor; a broken loss ends the training here.

    Looked at once an epoch, not once a step, so that an accelerator need not wait; a broken state is never whole.
    """
    columns = {name: torch.stack([step[name] for step in steps]).cpu() for name in steps[0]}
    broken = torch.nonzero(~torch.isfinite(columns["loss"]))
    if len(broken):
        step = int(broken[0]) + 1
        raise NonFiniteLossError(
            f"the loss became {columns['loss'][step - 1].item()} at epoch {epoch}, step {step} of {len(steps)}; "
            "a lower learning rate or clip norm may help"
        )
    return columns


def _in_steps(columns: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _remember_best(state: TrainState, record: Record) -> None:
    value = record.get("validation_loss")
    if value is not None and value < state.best_loss:
        state.best_loss, state.best_epoch = value, record["epoch"]
        state.best = copy.deepcopy(state.measured.state_dict())


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
