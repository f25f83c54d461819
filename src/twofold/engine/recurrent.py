"""Recurrent networks of all studies: cells, initial weights drawn from a seed, dropout from a generator.

torch is imported when a network is made, so that a config may name a cell without it.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args

from twofold.engine.seed import seed_for

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

Cell = Literal["rnn", "lstm", "gru"]
CELLS: tuple[Cell, ...] = get_args(Cell)
_GLOBAL_STATE = threading.Lock()


def recurrent_layer(cell: Cell, inputs: int, hidden: int) -> "nn.RNNBase":
    """One recurrent layer over (batch, dates, inputs).

    Source: Elman (1990); Hochreiter & Schmidhuber (1997), LSTM; Cho et al. (2014), GRU.
    """
    from torch import nn

    return {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](inputs, hidden, batch_first=True)


@contextlib.contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """A network made inside has initial weights that depend on the seed alone.

    torch draws them from its global state, which is restored; one thread at a time.
    """
    import torch

    with _GLOBAL_STATE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "weights"))
        yield


def dropout(hidden: "Tensor", share: float, training: bool, generator: "Generator | None") -> "Tensor":
    """Dropout that draws from the caller's generator: networks may then train in threads, without global state."""
    if not training or share == 0:
        return hidden
    import torch

    keep = torch.empty_like(hidden).bernoulli_(1 - share, generator=generator)
    return hidden * keep / (1 - share)
