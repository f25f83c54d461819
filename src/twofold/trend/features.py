"""A model's inputs: a sequence with one row per date of the window, and static inputs of its origin.

Every input at date d depends on increments up to d alone. What is fitted (the context regions, means and standard
deviations) comes from training windows only.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from twofold.counts.panel import Increments
from twofold.engine.errors import InputError
from twofold.trend.config import FeatureConfig, Input, Target, WindowConfig
from twofold.trend.windows import Windows, activity, covered, label

Counts = Int64[np.ndarray, "regions dates"]
Channel = Float[np.ndarray, "regions dates"]

WEEK = 7
HISTORY_HALF_LIFE = 56  # dates; older labels count less in own history, as reporting habits change
PRIOR_LABELS = 8.0  # weight of the all-region rate in own history, in labels
LEVEL_HALF_LIFE = 2.0  # dates; of the exponentially weighted mean
MAX_GROWTH = 3.0  # log growth in a week is clipped to this, a factor of 20
DAYS_OF_YEAR = 365.25
PSEUDO_COUNT = 0.5  # added to a mean before its logarithm is taken


@dataclass(frozen=True)
class FeatureFit:
    """Features fitted on training windows.

    Attributes:
        inputs: names of the inputs, in order.
        context: names of the regions whose mean is the cross-region input and the prior of own history.
        mean: of each channel, sequence first; zeros without scaling.
        deviation: standard deviation of each channel; ones without scaling.
    """

    inputs: tuple[Input, ...]
    context: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True)
class Channels:
    """Unscaled inputs of every region and date.

    Attributes:
        sequence: channels of which a window contains one value per date.
        static: channels of which a window contains the value at its origin.
        groups: the input that each channel belongs to, sequence first.
    """

    sequence: Float32[np.ndarray, "regions dates channels"]
    static: Float32[np.ndarray, "regions dates statics"]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Inputs(Channels):
    """A model's inputs for windows: views of the scaled channels, gathered batch by batch.

    Attributes:
        region: row of each window's region.
        origin: index of each window's last increment.
        active: whether each window contains a case.
        change: each window's last Poisson-scaled change, not standardised, whatever the inputs are.
        increments: the counts that the windows are of.
        window: their length and target.
    """

    region: Int64[np.ndarray, " windows"]
    origin: Int64[np.ndarray, " windows"]
    active: Bool[np.ndarray, " windows"]
    change: Float[np.ndarray, " windows"]
    increments: Increments
    window: WindowConfig

    def __len__(self) -> int:
        return len(self.region)

    @property
    def length(self) -> int:
        """Dates per window."""
        return self.window.length

    @cached_property
    def _tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        view = torch.from_numpy(self.sequence).unfold(1, self.length, 1)
        start = torch.from_numpy(self.origin - self.length + 1)
        return view, torch.from_numpy(self.static), torch.from_numpy(self.region), start

    def batch(self, rows: Tensor) -> tuple[Float[Tensor, "batch length channels"], Float[Tensor, "batch statics"]]:
        """Sequence and static inputs of the windows `rows`."""
        view, static, region, start = self._tensors
        where, since = region[rows], start[rows]
        return view[where, since].transpose(1, 2), static[where, since + self.length - 1]

    def table(self, rows: Int64[np.ndarray, " rows"] | None = None) -> Float32[np.ndarray, "rows columns"]:
        """The same inputs flattened to one row per window: dates x channels, then statics."""
        chosen = torch.arange(len(self)) if rows is None else torch.from_numpy(rows)
        sequence, static = self.batch(chosen)
        return torch.cat([sequence.flatten(1), static], dim=1).numpy()


def first_alike(inputs: Inputs) -> Int64[np.ndarray, " windows"]:
    """For each window the first one with the same inputs; no window is written out.

    Each stretch of dates gets a number that equal ones share: single dates, then twice as many dates at a time, each
    from the two that it consists of, up to the length of a window.

    Source:
        Karp, Miller & Rosenberg (1972), Rapid identification of repeated patterns in strings, trees and arrays, STOC.
    """

    def numbered(values: np.ndarray) -> np.ndarray:
        return np.unique(values, return_inverse=True)[1].reshape(values.shape)

    def joined(number: np.ndarray, other: np.ndarray) -> np.ndarray:
        """A number that cells share where they share both."""
        return numbered(number * (other.max() + 1) + other)

    def with_channels(number: np.ndarray, channels: np.ndarray) -> np.ndarray:
        for channel in np.moveaxis(channels, 2, 0):
            number = joined(number, numbered(channel))
        return number

    stretch, dates = with_channels(np.zeros(inputs.sequence.shape[:2], dtype=np.int64), inputs.sequence), 1
    while dates < inputs.length:
        step = min(dates, inputs.length - dates)
        before = np.pad(stretch, ((0, 0), (step, 0)))[:, : stretch.shape[1]]
        stretch, dates = joined(stretch, before), dates + step
    windows = with_channels(stretch, inputs.static)[inputs.region, inputs.origin]
    _, first, place = np.unique(windows, return_index=True, return_inverse=True)
    return first[place]


def fit_features(
    increments: Increments, windows: Windows, train: np.ndarray, config: FeatureConfig, window: WindowConfig
) -> FeatureFit:
    """Fits context regions, means and deviations on the windows `train`."""
    rows = np.unique(windows.region[train])
    context = tuple(increments.regions[row] for row in rows)
    channels = compute_channels(increments, config.inputs, context, window)
    mean, deviation = [], []
    cells = covered(windows, train, increments.counts.shape, ahead=0)
    origins = windows.region[train], windows.origin[train]
    for block, where in ((channels.sequence, cells), (channels.static, origins)):
        sample = block[where].astype(np.float64)
        mean += (sample.mean(axis=0) if config.scale else np.zeros(block.shape[2])).tolist()
        spread = sample.std(axis=0) if config.scale else np.ones(block.shape[2])
        deviation += np.where(spread > 1e-8, spread, 1.0).tolist()
    return FeatureFit(config.inputs, context, tuple(mean), tuple(deviation))


def apply_features(
    fit: FeatureFit,
    increments: Increments,
    region: Int64[np.ndarray, " windows"],
    origin: Int64[np.ndarray, " windows"],
    window: WindowConfig,
) -> Inputs:
    """Makes the inputs of windows, given by the row of their region and the index of their last increment."""
    channels = compute_channels(increments, fit.inputs, fit.context, window)
    width = channels.sequence.shape[2]
    mean, deviation = (np.array(values, dtype=np.float32) for values in (fit.mean, fit.deviation))
    return Inputs(
        sequence=(channels.sequence - mean[:width]) / deviation[:width],
        static=(channels.static - mean[width:]) / deviation[width:],
        groups=channels.groups,
        region=region,
        origin=origin,
        active=activity(increments.counts, window.length)[region, origin],
        change=poisson_change(increments.counts)[region, origin],
        increments=increments,
        window=window,
    )


def compute_channels(
    increments: Increments, inputs: tuple[Input, ...], context: tuple[str, ...], window: WindowConfig
) -> Channels:
    """Unscaled channels of every region and date.

    Raises:
        InputError: when none of the context's regions is in the data.
    """
    counts = increments.counts
    known = np.isin(np.array(increments.regions), np.array(context))
    if not known.any():
        raise InputError("none of the regions that the model was trained on is in this data")
    log = np.log1p(np.maximum(counts, 0))
    sequence = {
        "raw": lambda: [counts],
        "log1p": lambda: [log],
        "change": lambda: [poisson_change(counts)],
        "log_diff": lambda: [_lagged_difference(log, 1)],
        "against_mean": lambda: [log - np.log1p(np.maximum(trailing_mean(counts, window.length), 0))],
        "cross_region": lambda: _cross_region(counts, known),
    }
    static = {
        "weekday": lambda: _weekday(increments, window.horizon),
        "season": lambda: _season(increments, window.horizon),
        "history": lambda: _history(increments, known, window),
        "reference": lambda: list(reference_gaps(counts, window.target, window.horizon)),
        "median_growth": lambda: [median_growth(counts, known)],
    }
    groups: list[str] = []
    stacked: list[np.ndarray] = []
    for table in (sequence, static):
        # Of each input's channels only their own float64 values are held at a time.
        found = [(name, [channel.astype(np.float32) for channel in table[name]()]) for name in inputs if name in table]
        groups += [name for name, channels in found for _ in channels]
        block = [np.broadcast_to(channel, counts.shape) for _, channels in found for channel in channels]
        stacked.append(np.stack(block, axis=2) if block else np.zeros((*counts.shape, 0), dtype=np.float32))
    return Channels(*stacked, groups=tuple(groups))


def poisson_change(counts: Counts) -> Channel:
    """(x - x') / sqrt(x + x' + 1) against the date before: about in standard deviations for Poisson counts."""
    before = np.concatenate([counts[:, :1], counts[:, :-1]], axis=1)
    return (counts - before) / np.sqrt(np.abs(counts) + np.abs(before) + 1)


def _lagged_difference(values: np.ndarray, lag: int) -> np.ndarray:
    difference = np.zeros(values.shape)
    difference[..., lag:] = values[..., lag:] - values[..., :-lag]
    return difference


def _cross_region(counts: np.ndarray, known: np.ndarray) -> list[np.ndarray]:
    """Mean change over the context's regions, and the growth of their sum against the week before."""
    week = trailing_mean(counts[known].sum(axis=0, keepdims=True), WEEK)
    return [poisson_change(counts)[known].mean(axis=0), _lagged_difference(np.log1p(np.maximum(week, 0)), WEEK)[0]]


def _weekday(increments: Increments, horizon: int) -> list[np.ndarray]:
    """Indicators of the (first) target date's day of the week; none for weekly data."""
    if increments.step_days != 1:
        return []
    target = (increments.dates.astype(int) + horizon + 3) % WEEK  # 1970-01-01 was a Thursday: 0 is a Monday
    return [(target == day).astype(float) for day in range(WEEK)]


def _season(increments: Increments, horizon: int) -> list[np.ndarray]:
    """The target date's place in the year, as sine and cosine of one and of two turns a year."""
    target = increments.dates + np.timedelta64(increments.step_days * horizon, "D")
    turn = 2 * np.pi * (target - target.astype("datetime64[Y]")).astype(int) / DAYS_OF_YEAR
    return [wave(turns * turn) for turns in (1, 2) for wave in (np.sin, np.cos)]


def _history(increments: Increments, known: np.ndarray, window: WindowConfig) -> list[np.ndarray]:
    """Share of "up" among a region's known labels, its level, weekly growth, and that share on the target's weekday."""
    counts = increments.counts
    labels = label(counts, window.target, window.horizon)
    up = np.full(counts.shape, np.nan)
    arrival = labels.first + labels.lookahead
    up[:, arrival:] = labels.up  # column d: the label that becomes known on date d
    share = _exponential_share(up, known, 1)
    week = np.log1p(np.maximum(trailing_mean(counts, WEEK), 0))
    history = [share, np.log1p(np.maximum(trailing_mean(counts, 4 * WEEK), 0)), _lagged_difference(week, WEEK)]
    if increments.step_days == 1:
        history.append(_weekday_share(up, known, labels.lookahead, share) - share)
    return history


def _exponential_share(up: np.ndarray, known: np.ndarray, every: int) -> np.ndarray:
    """Exponentially weighted share of "up" so far, shrunk towards that of the context's regions."""
    keep = 0.5 ** (every / HISTORY_HALF_LIFE)
    ups, total = np.zeros(len(up)), np.zeros(len(up))
    share = np.empty(up.shape)
    for date in range(up.shape[1]):
        if not np.isnan(up[0, date]):
            ups, total = keep * ups + up[:, date], keep * total + 1
        pooled = (ups[known].sum() + 1) / (total[known].sum() + 2)
        share[:, date] = (ups + PRIOR_LABELS * pooled) / (total + PRIOR_LABELS)
    return share


def _weekday_share(up: np.ndarray, known: np.ndarray, ahead: int, early: np.ndarray) -> np.ndarray:
    """`_exponential_share` of the labels that became known on the weekday on which the target's label will.

    Column d of `up` is known on date d, the target's label `ahead` dates later; `early` is used before the first such
    weekday.
    """
    share = np.empty(up.shape)
    for day in range(WEEK):
        share[:, day::WEEK] = _exponential_share(up[:, day::WEEK], known, WEEK)
    shift = (-ahead) % WEEK  # date d + ahead has the weekday of date d - shift, the last one known on date d
    return np.concatenate([early[:, :shift], share], axis=1)[:, : up.shape[1]]


def trailing_mean(counts: np.ndarray, width: int) -> Channel:
    """Mean over the `width` dates that end at each date; over fewer at the series' beginning."""
    total = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1, dtype=np.float64)], axis=1)
    stop = np.arange(1, counts.shape[1] + 1)
    start = np.maximum(stop - width, 0)
    return (total[:, stop] - total[:, start]) / (stop - start)


def reference(counts: Counts, target: Target, horizon: int) -> Channel:
    """The level that new counts have to exceed: x[t] (`next_day`), else the mean of the dates that leave the sum.

    For `mean7` and h = 1 that is x[t-6]. Negative increments and dates before the first count as 0.
    """
    known = np.maximum(counts, 0)
    if target == "next_day":
        return known.astype(np.float64)
    leaving = WEEK if target == "sum7" else min(horizon, WEEK)
    mean, before = trailing_mean(known, leaving), np.zeros((len(known), WEEK - leaving))
    return np.concatenate([before, mean], axis=1)[:, : mean.shape[1]]


def reference_gaps(counts: Counts, target: Target, horizon: int) -> list[Channel]:
    """(m - r) / sqrt(m + r + 1) for three levels m against the reference r: about in standard deviations for Poisson.

    The levels are the means over 3 dates and over 7, and the exponentially weighted one with a half-life of 2 dates.
    """
    known, compared = np.maximum(counts, 0), reference(counts, target, horizon)
    levels = trailing_mean(known, 3), trailing_mean(known, WEEK), _exponential_mean(known)
    return [(level - compared) / np.sqrt(level + compared + 1) for level in levels]


def median_growth(counts: Counts, known: Bool[np.ndarray, " regions"]) -> Float[np.ndarray, " dates"]:
    """Median over the context's active regions of the log growth of the 7-date mean in 7 dates, in [-3, 3].

    0 on dates on which no region of the context is active. Negative increments count as 0.
    """
    week = trailing_mean(np.maximum(counts, 0), WEEK)
    before = np.concatenate([np.repeat(week[:, :1], WEEK, axis=1), week], axis=1)[:, : week.shape[1]]
    growth = np.clip(np.log((week + PSEUDO_COUNT) / (before + PSEUDO_COUNT)), -MAX_GROWTH, MAX_GROWTH)
    active = activity(counts, WEEK) & known[:, None]
    return np.array(
        [np.median(growth[active[:, date], date]) if active[:, date].any() else 0.0 for date in range(counts.shape[1])]
    )


def _exponential_mean(counts: Counts) -> Channel:
    keep = 0.5 ** (1 / LEVEL_HALF_LIFE)
    total, weight = np.zeros(len(counts)), 0.0
    mean = np.empty(counts.shape)
    for date in range(counts.shape[1]):
        total, weight = keep * total + counts[:, date], keep * weight + 1
        mean[:, date] = total / weight
    return mean
