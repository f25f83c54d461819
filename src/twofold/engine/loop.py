"""The training loop: a generator over one explicit state that yields a record per epoch, when the state is complete."""

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

from twofold.engine.diagnosis import check_weights
from twofold.engine.errors import DivergedError
from twofold.engine.ranks import ALONE, Ranks
from twofold.engine.seed import torch_generator

Record = dict[str, Any]
EACH_AVERAGED_UNTIL, AVERAGED_EVERY = 100, 8
"""Steps that are each averaged, and how often later ones are."""


@dataclass(frozen=True)
class Step:
    """One step, as the loss function sees it.

    Attributes:
        rows: indices of the batch.
        generator: source of all noise of the step, dropout included.
        progress: share of the run before this step, in [0, 1).
    """

    rows: Tensor
    generator: torch.Generator
    progress: float


Loss = Callable[[nn.Module, Step], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Plan:
    """Settings of the loop.

    Attributes:
        epochs: maximum number of passes over the data.
        learning_rate: peak of the schedule.
        schedule: `constant`, or `cosine` from the peak towards 0 over the run.
        clip_norm: maximum norm of the gradient.
        patience: epochs without a better `validation_loss` before the loop stops.
        steps: steps of the whole run, if schedule and progress are by step; None: they are by epoch.
        averaging: decay per step of the averaged weights, if the state has them.
        warmup_steps: steps over which the learning rate rises linearly to the schedule's.
    """

    epochs: int
    learning_rate: float
    schedule: Literal["constant", "cosine"]
    clip_norm: float
    patience: int
    seed: int
    steps: int | None = None
    averaging: float = 0.0
    warmup_steps: int = 0

    def rate(self, epoch: int, step: int = 0) -> float:
        """Learning rate of an epoch (counted from 1), or of a step (counted from 0) if the plan is by step."""
        peak = (
            self.learning_rate * min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else self.learning_rate
        )
        if self.schedule == "constant":
            return peak
        done, whole = self._place(epoch, step)
        return peak * 0.5 * (1 + math.cos(math.pi * done / whole))

    def progress(self, epoch: int, step: int) -> float:
        """Share of the run before this epoch, or before this step."""
        done, whole = self._place(epoch, step)
        return done / whole

    def _place(self, epoch: int, step: int) -> tuple[int, int]:
        return (epoch - 1, self.epochs) if self.steps is None else (step, self.steps)


@dataclass
class Unfinished:
    """An epoch that was paused between two of its steps.

    Attributes:
        sizes: rows of each finished step.
        means: the loss's values in each of these steps, by name.
        noise: state of the epoch's generator; not used where several processes train, whose noise goes by the step.
    """

    sizes: list[int]
    means: dict[str, Tensor]
    noise: Tensor
    seconds: float


@dataclass
class TrainState:
    """The whole state of a training between two steps; a saved and loaded one is resumed.

    Attributes:
        averaged: exponential moving average of the network (Polyak & Juditsky 1992), which is then validated and kept;
            None: no averaging.
        history: one record per epoch, the first for epoch 1.
        step: finished steps of all epochs.
        unfinished: the epoch that was paused, if one was.
        best: weights of the epoch with the lowest `validation_loss`, if any.
        best_epoch: that epoch; 0: those before the first step, or none yet.
        best_loss: its validation loss.
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
        """The network that is validated and kept: the averaged one, if there is one."""
        return self.module if self.averaged is None else self.averaged

    def finished(self, plan: Plan) -> bool:
        """Whether the plan's epochs or its patience are used up."""
        out_of_patience = self.best is not None and self.epoch - self.best_epoch >= plan.patience
        return self.epoch >= plan.epochs or out_of_patience

    def use_best(self) -> int:
        """Loads the best epoch's weights into the measured network, if a validation chose one.

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
    ranks: Ranks = ALONE,
) -> Iterator[Record]:
    """Trains epoch by epoch, from the given state on.

    Args:
        state: changed in place; complete whenever a record is yielded or the iteration ends, so that the caller may
            save it, stop, or continue. A group of its optimiser may have a `share` of the learning rate.
        batches: an epoch's index tensors, in the order of their use.
        loss: of (module, step): the mean loss of the batch and further means to record. All noise must come from the
            step's generator, which is seeded by (seed, "noise", epoch).
        monitor: evaluates the network after an epoch, without gradients; a `validation_loss` in its result decides on
            the best epoch and on early stopping.
        pause: called after every step; once it returns True the iteration ends, and `fit` on the same state continues
            with the next step, with the same results as without the pause.
        ranks: the processes that train together, each with its own `state`; `loss` is then of `Ranks.together`, and
            monitor and pause are asked in the first process alone. The noise is seeded by step and process.

    Yields:
        The epoch's record: `epoch`, `train_loss`, the loss's other means as `train_NAME`, the monitor's values,
        `learning_rate`, `seconds`.

    Raises:
        DivergedError: names epoch and step of the first loss that is NaN or infinite, or the epoch after which a
            weight is.
    """
    while not state.finished(plan):
        began = time.perf_counter()
        earlier_s = state.unfinished.seconds if state.unfinished else 0.0
        epoch = state.epoch + 1
        means = _train_epoch(state, plan, epoch, batches=batches(epoch), loss=loss, pause=pause, ranks=ranks)
        if state.unfinished:
            state.unfinished.seconds = earlier_s + time.perf_counter() - began
            return
        check_weights(state.module, epoch)
        record = {"epoch": epoch, **means}
        if monitor is not None and ranks.first:
            state.measured.eval()
            with torch.no_grad():
                record |= monitor(state.measured)
        seconds = earlier_s + time.perf_counter() - began
        record |= {"learning_rate": plan.rate(epoch, state.step - 1), "seconds": seconds}
        record = ranks.tell(record)
        state.history.append(record)
        value = record.get("validation_loss")
        if value is not None and value < state.best_loss:
            state.best_loss, state.best_epoch = value, epoch
            state.best = copy.deepcopy(state.measured.state_dict())
        yield record


def _train_epoch(
    state: TrainState,
    plan: Plan,
    epoch: int,
    *,
    batches: Iterable[Tensor],
    loss: Loss,
    pause: Callable[[TrainState], bool] | None,
    ranks: Ranks,
) -> Record:
    """The epoch's means; empty if it was paused, which `state.unfinished` then holds."""
    generator = torch_generator(plan.seed, "noise", epoch)
    parameters = list(state.module.parameters())
    sizes: list[int] = []
    earlier: dict[str, Tensor] = {}
    steps: list[dict[str, Tensor]] = []
    if state.unfinished:
        sizes, earlier = list(state.unfinished.sizes), state.unfinished.means
        generator.set_state(state.unfinished.noise)
        state.unfinished = None
    state.module.train()
    for batch in itertools.islice(batches, len(sizes), None):
        for group in state.optimiser.param_groups:
            group["lr"] = plan.rate(epoch, state.step) * group.get("share", 1.0)
        if ranks.world > 1:  # so that a resumed process, which has the first one's state, goes on as it would have
            generator = torch_generator(plan.seed, f"noise of process {ranks.rank}", state.step)
        weight = ranks.weight(batch)
        value, extra = loss(state.module, Step(ranks.part(batch), generator, plan.progress(epoch, state.step)))
        state.optimiser.zero_grad()
        (value * weight if weight != 1.0 else value).backward()
        nn.utils.clip_grad_norm_(parameters, plan.clip_norm)
        state.optimiser.step()
        state.step += 1
        _average(state, plan)
        sizes.append(len(batch))
        means = {"loss": value.detach(), **extra}
        steps.append(means if weight == 1.0 else {name: mean * weight for name, mean in means.items()})
        if pause is not None and ranks.agree(ranks.first and pause(state)):
            state.unfinished = Unfinished(sizes, _in_columns(earlier, steps, epoch, ranks), generator.get_state(), 0.0)
            return {}
    columns = _in_columns(earlier, steps, epoch, ranks)
    weights = torch.tensor(sizes, dtype=torch.float64)
    means = {name: (column.double() * weights).sum() / weights.sum() for name, column in columns.items()}
    return {f"train_{name}": float(mean) for name, mean in means.items()}


def _average(state: TrainState, plan: Plan) -> None:
    """Updates the averaged weights; with a smaller decay at first, so that the initial weights are soon forgotten.

    After the first steps only every few, with that power of the decay: nearly the same average at a fraction of the
    time.
    """
    every = 1 if state.step <= EACH_AVERAGED_UNTIL else AVERAGED_EVERY
    if state.averaged is None or state.step % every:
        return
    decay = min(plan.averaging, (1 + state.step) / (10 + state.step)) ** every
    old, new = state.averaged.state_dict(), state.module.state_dict()
    fixed = {name for name, weight in state.module.named_parameters() if not weight.requires_grad}
    moving = [name for name, value in old.items() if value.is_floating_point() and name not in fixed]
    with torch.no_grad():
        get_ema_multi_avg_fn(decay)([old[name] for name in moving], [new[name] for name in moving], 0)
        for name in old.keys() - {*moving, *fixed}:
            old[name].copy_(new[name])


def _in_columns(
    earlier: dict[str, Tensor], steps: list[dict[str, Tensor]], epoch: int, ranks: Ranks
) -> dict[str, Tensor]:
    """Each mean of all steps, of those before a pause and those since, as one tensor; raises DivergedError.

    Checked once per epoch and not per step, so that an accelerator need not wait; a broken state is never yielded.
    """
    columns = dict(earlier)
    for name in steps[0] if steps else ():
        since = ranks.mean(torch.stack([step[name] for step in steps])).cpu()
        columns[name] = torch.cat([earlier[name], since]) if earlier else since
    broken = torch.nonzero(~torch.isfinite(columns["loss"]))
    if len(broken):
        step, value = int(broken[0]) + 1, columns["loss"][broken[0]].item()
        raise DivergedError(f"the loss became {value} at epoch {epoch}, step {step} of {len(columns['loss'])}")
    return columns


def shuffled(indices: Tensor, batch_size: int, seed: int) -> Callable[[int], Iterable[Tensor]]:
    """Batches of one-dimensional indices, in an order that depends on seed and epoch alone; the last may be shorter."""

    def batches(epoch: int) -> Iterable[Tensor]:
        order = torch.randperm(len(indices), generator=torch_generator(seed, "shuffle", epoch))
        return indices[order].split(batch_size)

    return batches
