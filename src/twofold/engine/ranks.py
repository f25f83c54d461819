"""Several processes, started by `torchrun`, that train one network together.

Each computes the gradients of its part of every batch; DistributedDataParallel averages them, so all take the same
step. The first process alone validates, decides and writes; the others follow what it decides. So one of them may read
a clock or a signal, and none waits for a step that another does not take.

What differs from one process: sums run in another order; each process draws its own noise; batch statistics are of the
part, and the running ones those of the first process (a GPU's could be shared, gloo's can't).
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
_LEAST = 2
"""Rows of a part: the statistics of a batch need two."""


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
        return rows if len(rows) < _LEAST * self.world else rows[self.rank :: self.world]

    def weight(self, rows: Tensor) -> float:
        """What the mean over this process's part of a batch weighs in the mean over all parts: 1 on average."""
        return self.world * len(self.part(rows)) / len(rows) if len(rows) >= _LEAST * self.world else 1.0

    def together(self, module: nn.Module, loss: Callable[[nn.Module, Any], T]) -> Callable[[nn.Module, Any], T]:
        """The loss of a network whose gradients, once computed, are the mean over all processes.

        The weights and buffers of the others become those of the first.
        """
        if self.world == 1:
            return loss
        from torch.nn.parallel import DistributedDataParallel

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
