"""Sliding windows, as an index over the increments: nothing is copied."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from twofold.counts.panel import Increments
from twofold.engine.errors import InputError
from twofold.trend.config import WindowConfig
from twofold.trend.label import label, reach


@dataclass(frozen=True)
class Windows:
    """Windows in the order of regions, then origins; a window is the `length` increments that end at its origin.

    Attributes:
        region: row of the window's region in the panel.
        origin: index of the increment that is the last the model may see.
        up: label.
        tie: both sides of the label's comparison are equal.
        active: at least one increment in the window is not 0.
        length: increments in a window.
        lookahead: dates after the origin that the label needs.
    """

    region: Int64[np.ndarray, " windows"]
    origin: Int64[np.ndarray, " windows"]
    up: Bool[np.ndarray, " windows"]
    tie: Bool[np.ndarray, " windows"]
    active: Bool[np.ndarray, " windows"]
    length: int
    lookahead: int

    def __len__(self) -> int:
        return len(self.region)


def possible_origins(increments: Increments, config: WindowConfig) -> Int64[np.ndarray, " origins"]:
    """Indices of the increments that end a window whose label is known; the same for every region.

    Raises:
        InputError: when the series is too short for one window.
    """
    lookback, lookahead = reach(config.target, config.horizon)
    first = max(config.start + config.length - 1, lookback)
    stop = increments.counts.shape[1] - lookahead
    if stop <= first:
        raise InputError(
            f"window.length {config.length} from window.start {config.start} with {lookahead} dates ahead needs "
            f"{first + lookahead + 1} increments, the data has {increments.counts.shape[1]}; take a shorter window"
        )
    if config.per_region == "last":
        return np.array([stop - 1])
    return np.arange(first, stop, config.stride)


def slide(increments: Increments, selected: Bool[np.ndarray, " regions"], config: WindowConfig) -> Windows:
    """Makes the windows of the selected regions.

    Args:
        increments: of all regions.
        selected: which regions take part.
        config: length, start, stride, horizon, target, all or the last window of a region.

    Returns:
        Every window whose label is known.

    Raises:
        InputError: when the series is too short for one window, or no region is selected.
    """
    labels = label(increments.counts, config.target, config.horizon)
    origins = possible_origins(increments, config)
    rows = np.flatnonzero(selected)
    if len(rows) == 0:
        raise InputError("no region passes the screen; lower --screen.threshold, or --screen.threshold None keeps all")
    region, origin = np.repeat(rows, len(origins)), np.tile(origins, len(rows))
    column = origin - labels.first
    return Windows(
        region,
        origin,
        up=labels.up[region, column],
        tie=labels.tie[region, column],
        active=activity(increments.counts, config.length)[region, origin],
        length=config.length,
        lookahead=labels.lookahead,
    )


def activity(counts: Int64[np.ndarray, "regions dates"], length: int) -> Bool[np.ndarray, "regions dates"]:
    """Whether any of the `length` increments that end at a date is not 0 (fewer at the series' beginning)."""
    seen = np.concatenate([np.zeros((len(counts), 1), dtype=np.int64), (counts != 0).cumsum(axis=1)], axis=1)
    starts = np.maximum(np.arange(counts.shape[1]) - length + 1, 0)
    return seen[:, 1:] > seen[:, starts]


def covered(
    windows: Windows, rows: Int64[np.ndarray, " rows"], shape: tuple[int, ...], ahead: int
) -> Bool[np.ndarray, "regions dates"]:
    """Which increments lie in one of the windows.

    Args:
        windows: all windows.
        rows: which of them.
        shape: (regions, dates) of the increments.
        ahead: dates after the origin that count as the window's, 0 or those of the label.
    """
    edges = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(edges, (windows.region[rows], windows.origin[rows] - windows.length + 1), 1)
    np.add.at(edges, (windows.region[rows], windows.origin[rows] + ahead + 1), -1)
    return edges.cumsum(axis=1)[:, :-1] > 0
