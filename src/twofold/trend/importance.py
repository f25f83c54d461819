"""Grouped permutation importance: the increase of the log score when an input is shuffled between windows."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int64
from sklearn.inspection import permutation_importance

from twofold.engine.seed import numpy_generator, seed_for
from twofold.scoring.binary import log_score
from twofold.trend.features import Inputs
from twofold.trend.fit import Ensemble, pool

MOST_WINDOWS = 3000
REPEATS = 5


class _Shuffled:
    """An estimator for scikit-learn on a table with one column per input: the window that the input is taken from.

    Shuffling a column shuffles all channels of the input together.
    """

    def __init__(self, ensemble: Ensemble, inputs: Inputs, names: tuple[str, ...], groups: tuple[str, ...]) -> None:
        self.ensemble, self.inputs, self.groups = ensemble, inputs, groups
        self.names = tuple(names[row] for row in inputs.region)
        self.width = inputs.sequence.shape[2]

    def fit(self, table: np.ndarray, up: np.ndarray) -> "_Shuffled":
        """Does nothing: the members are fitted."""
        return self

    def score(self, table: Int64[np.ndarray, "windows groups"], up: np.ndarray) -> float:
        """The negative log score, so that higher is better."""
        rows = np.arange(len(table))
        return -log_score(pool(self.ensemble.predict(self._mixed(table), self.names, rows)), up)

    def _mixed(self, table: np.ndarray) -> Inputs:
        length = self.inputs.length
        flat = self.inputs.table()
        sequence, static = np.split(flat, [length * self.width], axis=1)
        sequence = sequence.reshape(-1, length, self.width)
        mixed, origin = sequence.copy(), static.copy()
        for column, group in enumerate(self.groups):
            for channel in np.flatnonzero(np.array(self.inputs.groups) == group):
                source = table[:, column]
                if channel < self.width:
                    mixed[:, :, channel] = sequence[source, :, channel]
                else:
                    origin[:, channel - self.width] = static[source, channel - self.width]
        # Each window becomes a separate region whose dates are the window's.
        return replace(
            self.inputs,
            sequence=mixed,
            static=np.repeat(origin[:, None], length, axis=1),
            region=np.arange(len(table)),
            origin=np.full(len(table), length - 1),
        )


def measure_importance(
    ensemble: Ensemble, inputs: Inputs, names: tuple[str, ...], up: np.ndarray, rows: np.ndarray, *, seed: int
) -> list[dict[str, Any]]:
    """Shuffles each input between windows and measures the increase of the uncalibrated pool's log score.

    Args:
        ensemble: the members.
        inputs: all windows, made with the members' features.
        names: regions of the data, in row order.
        up: labels of all windows.
        rows: windows to measure on; of more than 3,000 that many are drawn.
        seed: the run's seed.

    Returns:
        For each input `group`, `log_score_increase` (nats, mean over 5 shuffles), `low` and `high` (their range),
        the most important first.

    Source:
        Breiman (2001), Random Forests, section 10; scikit-learn's `permutation_importance`.
    """
    if len(rows) < 2:
        return []
    if len(rows) > MOST_WINDOWS:
        rows = np.sort(numpy_generator(seed, "importance windows").choice(rows, MOST_WINDOWS, replace=False))
    by_window = "region", "origin", "active", "change"
    part = replace(inputs, **{name: getattr(inputs, name)[rows] for name in by_window})
    groups = tuple(dict.fromkeys(inputs.groups))
    table = np.repeat(np.arange(len(rows))[:, None], len(groups), axis=1)
    found: Any = permutation_importance(
        _Shuffled(ensemble, part, names, groups),
        table,
        up[rows],
        n_repeats=REPEATS,
        random_state=seed_for(seed, "importance") % 2**32,
    )
    measured = [
        {"group": name, "log_score_increase": float(d.mean()), "low": float(d.min()), "high": float(d.max())}
        for name, d in zip(groups, found.importances, strict=True)
    ]
    return sorted(measured, key=lambda item: -item["log_score_increase"])
