"""Several processes, started by `torchrun`, that train one network together.

Each computes the gradients of its part of every batch; DistributedDataParallel averages them, so all take the same
step. The first process alone validates, decides and writes; the others follow what it decides. So one of them may read
a clock or a signal, and none waits for a step that another does not take.

What differs from one process: sums run in another order, and each process draws its own noise. BatchNorm has the
statistics of the whole batch; by those of its parts networks become worse.
"""

import atexit
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from twofold.engine.errors import InputError
from twofold.engine.launch import local_rank, processes

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; see `join`.

    Attributes:
        rank: its number, from 0.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process decides and writes."""
        return self.rank == 0

    def part(self, rows: Tensor) -> Tensor:
        """This process's rows of a batch; all of them where there are too few to part."""
        return rows if len(rows) < self.world else rows[self.rank :: self.world]

    def weight(self, rows: Tensor) -> float:
        """What the mean over this process's part of a batch weighs in the mean over all parts: 1 on average."""
        return self.world * len(self.part(rows)) / len(rows) if len(rows) >= self.world else 1.0

    def together(self, module: nn.Module, loss: Callable[[nn.Module, Any], T]) -> Callable[[nn.Module, Any], T]:
        """The loss of a network whose gradients, once computed, are the mean over all processes.

        The weights and buffers of the others become those of the first; its BatchNorms share their statistics.
        """
        if self.world == 1:
            return loss
        from torch.nn.parallel import DistributedDataParallel

        for each in list(module.modules()):
            for name, child in each.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    setattr(each, name, _BatchNorm.like(child))
        shared = DistributedDataParallel(_Objective(module, loss))
        return lambda _, step: shared(step)

    def in_turn(self, work: Callable[[], T]) -> T:
        """The result of work that the first process does before the others, which find what it wrote; all call it."""
        if not self.first:
            self.tell(None)
        found = work()
        if self.first:
            self.tell(None)
        return found

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes; all must call it."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
        return values / self.world

    def agree(self, value: bool) -> bool:
        """Whether the first process says yes; all must call it, and the others' values don't count."""
        if self.world == 1:
            return value
        told = torch.tensor([value], dtype=torch.uint8, device=_meeting_place())
        torch.distributed.broadcast(told, 0)
        return bool(told.item())

    def tell(self, value: T | None) -> T:
        """What the first process knows, on all; all must call it."""
        found = [value]
        if self.world > 1:
            torch.distributed.broadcast_object_list(found, 0, device=_meeting_place())
        return found[0]  # pyright: ignore[reportReturnType]  (the first one's is a T)


ALONE = Ranks()
"""A process that trains by itself."""


class _Objective(nn.Module):
    """A network together with its loss, since gradients are shared by what a module's `forward` computes."""

    def __init__(self, module: nn.Module, loss: Callable[[nn.Module, Any], Any]) -> None:
        super().__init__()
        self.module, self._loss = module, loss

    def forward(self, step: Any) -> Any:
        return self._loss(self.module, step)


class _Sum(torch.autograd.Function):
    """The sum over all processes, which all must ask for, in its gradient, too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


class _BatchNorm(nn.BatchNorm2d):
    """BatchNorm by the statistics of the parts of all processes, on any device; torch's `SyncBatchNorm` is for GPUs."""

    @classmethod
    def like(cls, other: nn.BatchNorm2d) -> "_BatchNorm":
        """One with the parameters and the statistics of another."""
        made = cls(other.num_features, other.eps, other.momentum, other.affine, other.track_running_stats)
        made.weight, made.bias = other.weight, other.bias
        made.running_mean, made.running_var = other.running_mean, other.running_var
        made.num_batches_tracked = other.num_batches_tracked
        return made.train(other.training)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (as it is called in torch)
        if not self.training:
            return super().forward(input)
        x, over = input.float(), (0, 2, 3)
        number = x.new_tensor([x.numel() / x.shape[1]])
        total, number = _Sum.apply(torch.cat([x.sum(over), number])).split([x.shape[1], 1])  # pyright: ignore
        mean = total / number
        centred = x - mean[:, None, None]
        variance = _Sum.apply(centred.square().sum(over)) / number  # pyright: ignore
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.momentum is not None and self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * number / (number - 1), self.momentum)
        scale = self.weight / (variance + self.eps).sqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)


def join() -> Ranks:
    """Meets the other processes of `torchrun`; `ALONE` where there are none.

    By nccl where there are GPUs, else by gloo.

    Raises:
        InputError: when there are more processes than GPUs on a machine.
    """
    if processes() == 1:
        return ALONE
    gpus = torch.cuda.device_count()
    if gpus and int(os.environ["LOCAL_WORLD_SIZE"]) > gpus:
        raise InputError(f"torchrun started more processes than there are GPUs ({gpus}); start one for each at most")
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if gpus else "gloo")
        atexit.register(torch.distributed.destroy_process_group)
    return Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size())


def _meeting_place() -> torch.device:
    return torch.device("cuda", local_rank()) if torch.distributed.get_backend() == "nccl" else torch.device("cpu")
