"""The recurrent network: RNN, LSTM or GRU over a window's dates, with the log odds of "up" as its output."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from twofold.engine.recurrent import Cell, dropout, recurrent_layer, seeded_weights
from twofold.trend.config import ModelConfig
from twofold.trend.features import Inputs

ROWS_AT_ONCE = 8192


class Recurrent(nn.Module):
    """Stacked recurrent layers over sequence and static inputs, and one linear output.

    Static inputs are repeated at every date. Dropout draws from a generator that the caller passes, never from global
    state, so that networks can be trained in threads.

    Source: Elman (1990); Hochreiter & Schmidhuber (1997), LSTM; Cho et al. (2014), GRU.

    Args:
        channels: sequence inputs per date.
        statics: static inputs per window.
        regions: number of regions with an embedding, when `config.embedding` > 0.
        cell: recurrent cell.
        config: sizes and dropout.
    """

    def __init__(self, channels: int, statics: int, regions: int, cell: Cell, config: ModelConfig) -> None:
        super().__init__()
        width = channels + statics + config.embedding
        sizes = [width] + [config.hidden] * (config.layers - 1)
        self.layers = nn.ModuleList(recurrent_layer(cell, size, config.hidden) for size in sizes)
        self.head = nn.Linear(config.hidden, 1)
        # Row 0, the zero vector, is for regions without training windows.
        self.embedding = nn.Embedding(regions + 1, config.embedding, padding_idx=0) if config.embedding else None
        self.dropout = config.dropout

    @classmethod
    def seeded(cls, inputs: Inputs, regions: int, cell: Cell, *, config: ModelConfig, seed: int) -> "Recurrent":
        """A network for these inputs whose initial weights depend on the seed alone."""
        with seeded_weights(seed):
            return cls(inputs.sequence.shape[2], inputs.static.shape[2], regions, cell, config)

    def forward(
        self,
        sequence: Float[Tensor, "batch length channels"],
        static: Float[Tensor, "batch statics"],
        region: Int64[Tensor, " batch"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " batch"]:
        """Log odds of "up"; `region` is from `region_codes`, and `generator` draws the dropout in training."""
        length = sequence.shape[1]
        extra = [static] if self.embedding is None else [static, self.embedding(region)]
        parts = [sequence, *(part.unsqueeze(1).expand(-1, length, -1) for part in extra if part.shape[1])]
        hidden = torch.cat(parts, dim=2) if len(parts) > 1 else sequence
        for layer in self.layers:
            hidden = dropout(layer(hidden)[0], self.dropout, self.training, generator)
        return self.head(hidden[:, -1]).squeeze(1)


def region_codes(inputs: Inputs, names: tuple[str, ...], known: tuple[str, ...]) -> Int64[Tensor, " windows"]:
    """For each window 1 + the index of its region in `known`, or 0; `names` are the data's regions in row order."""
    place = {name: index + 1 for index, name in enumerate(known)}
    return torch.tensor([place.get(name, 0) for name in names])[torch.from_numpy(inputs.region)]


@torch.no_grad()
def predict_network(
    module: nn.Module, inputs: Inputs, codes: Int64[Tensor, " windows"], rows: Int64[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"]:
    """Probability of "up" for the windows `rows`."""
    module.eval()
    parts = [
        torch.sigmoid(module(*inputs.batch(chunk), codes[chunk]))
        for chunk in torch.from_numpy(rows).split(ROWS_AT_ONCE)
    ]
    return torch.cat(parts).double().numpy() if parts else np.zeros(0)
