"""From a panel to labelled windows, the set C of correlated regions, and the split into training and test set.

A window is an index into the increments; nothing is copied. In a temporal split training, validation, calibration and
test set follow each other in time, and a window whose label needs dates after the next part's first origin is purged.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from twofold.counts.panel import Increments, Panel
from twofold.engine.errors import InputError
from twofold.engine.seed import numpy_generator
from twofold.trend.config import SplitConfig, Target, TrendConfig, WindowConfig

WEEK = 7
MATRIX_UP_TO = 4000
"""Regions whose matrix of correlations is kept, at most (128 MB); of more only the set C is."""
_REGIONS_AT_ONCE = 2000  # of such a larger number: 32 MB of correlations at a time


@dataclass(frozen=True)
class Labels:
    """Labels of every origin for which the counts are known.

    Attributes:
        up: the label.
        tie: both sides of the comparison are equal; the label is then "not up".
        first: index of the first origin; column j belongs to origin `first + j`.
        lookahead: dates after the origin that the label needs.
    """

    up: Bool[np.ndarray, "regions origins"]
    tie: Bool[np.ndarray, "regions origins"]
    first: int
    lookahead: int


def reach(target: Target, horizon: int) -> tuple[int, int]:
    """Dates that a label needs before and after its origin: (lookback, lookahead), not counting the origin."""
    lookback = 0 if target == "next_day" else WEEK - 1
    lookahead = horizon + WEEK - 1 if target == "sum7" else horizon
    return lookback, lookahead


def label(counts: Int64[np.ndarray, "regions dates"], target: Target, horizon: int) -> Labels:
    """Labels all origins of all regions.

    `next_day`: x[t+h] > x[t]. `mean7`: the 7-date mean that ends at t+h exceeds the one that ends at t; for h = 1 that
    is x[t+1] > x[t-6]. `sum7`: the sum of the 7 dates from t+h on exceeds that of the 7 up to t. A series that is too
    short has no origin.
    """
    lookback, lookahead = reach(target, horizon)
    width = 1 if target == "next_day" else WEEK
    origins = max(0, counts.shape[1] - lookback - lookahead)
    total = np.concatenate([np.zeros((len(counts), 1), dtype=counts.dtype), counts.cumsum(axis=1)], axis=1)
    sums = total[:, width:] - total[:, :-width]  # sums[:, j] ends at increment j + width - 1
    now, then = sums[:, :origins], sums[:, lookahead : lookahead + origins]
    return Labels(then > now, then == now, lookback, lookahead)


def laplace_rate(label: Bool[np.ndarray, " windows"]) -> float:
    """Share of "up" by Laplace's rule, never 0 or 1, so that every log score is finite."""
    return float((label.sum() + 1) / (len(label) + 2))


@dataclass(frozen=True)
class Windows:
    """Windows in the order of regions, then origins; a window is the `length` increments that end at its origin.

    Attributes:
        region: row of the region in the panel.
        origin: index of the last increment that the model may see.
        up: the label.
        tie: both sides of the label's comparison are equal.
        active: at least one increment in the window is not 0.
        length: increments per window.
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
        InputError: when the series is too short for one window, or is weekly and the target sums days.
    """
    if config.target != "next_day" and increments.step_days != 1:
        raise InputError(
            f"window.target {config.target} sums 7 days, but the data is weekly; next_day compares whole weeks there"
        )
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


def label_is_filled(increments: Increments, config: WindowConfig) -> Bool[np.ndarray, "regions origins"] | None:
    """Which labels depend on a count that was filled in, as the columns of `label`; None where no count was."""
    if increments.filled is None:
        return None
    lookback, lookahead = reach(config.target, config.horizon)
    width = 1 if config.target == "next_day" else WEEK
    total = np.pad(increments.filled.cumsum(axis=1), ((0, 0), (1, 0)))
    filled = total[:, width:] > total[:, :-width]
    origins = max(0, increments.counts.shape[1] - lookback - lookahead)
    return np.logical_or(filled[:, :origins], filled[:, lookahead : lookahead + origins])


def slide(increments: Increments, selected: Bool[np.ndarray, " regions"], config: WindowConfig) -> Windows:
    """All windows of the selected regions with a known label that depends on no filled count.

    Raises:
        InputError: when the series is too short for one window, no region is selected, or every label is filled in.
    """
    labels = label(increments.counts, config.target, config.horizon)
    origins = possible_origins(increments, config)
    rows = np.flatnonzero(selected)
    if len(rows) == 0:
        raise InputError("no region passes the screen; lower --screen.threshold, or --screen.threshold None keeps all")
    region, origin = np.repeat(rows, len(origins)), np.tile(origins, len(rows))
    filled = label_is_filled(increments, config)
    if filled is not None:
        own = ~filled[region, origin - labels.first]
        if not own.any():
            raise InputError(
                "no window is left, since each outcome depends on a count that was filled in; choose another "
                "--source.missing or --source.suppressed, or mend the table"
            )
        region, origin = region[own], origin[own]
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
    """Whether any of the `length` increments up to a date is not 0 (of fewer at the series' beginning)."""
    seen = np.concatenate([np.zeros((len(counts), 1), dtype=np.int64), (counts != 0).cumsum(axis=1)], axis=1)
    starts = np.maximum(np.arange(counts.shape[1]) - length + 1, 0)
    return seen[:, 1:] > seen[:, starts]


def covered(
    windows: Windows, rows: Int64[np.ndarray, " rows"], shape: tuple[int, ...], ahead: int
) -> Bool[np.ndarray, "regions dates"]:
    """Which increments lie in one of the windows `rows`, or at most `ahead` dates after its origin."""
    edges = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(edges, (windows.region[rows], windows.origin[rows] - windows.length + 1), 1)
    np.add.at(edges, (windows.region[rows], windows.origin[rows] + ahead + 1), -1)
    return edges.cumsum(axis=1)[:, :-1] > 0


@dataclass(frozen=True)
class Screen:
    """The set C and the correlations behind it.

    Attributes:
        correlation: Pearson between regions, NaN in rows and columns of constant series; None for more than
            `MATRIX_UP_TO` regions.
        selected: which regions are in C.
        constant: names of the regions with a constant series; never in C under a threshold.
        days: number of leading increments that were used.
    """

    correlation: Float[np.ndarray, "regions regions"] | None
    selected: Bool[np.ndarray, " regions"]
    constant: tuple[str, ...]
    days: int

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What a run folder keeps of it."""
        return {} if self.correlation is None else {"correlation": self.correlation}


def correlate(counts: Int64[np.ndarray, "regions days"]) -> Float[np.ndarray, "regions regions"]:
    """Pearson correlation between the rows; NaN in rows and columns of constant series."""
    moving = counts.std(axis=1) > 0
    correlation = np.full((len(counts), len(counts)), np.nan)
    if moving.any():
        correlation[np.ix_(moving, moving)] = np.atleast_2d(np.corrcoef(counts[moving]))
    return correlation


def closest_other(counts: Int64[np.ndarray, "regions days"], at_once: int) -> Float[np.ndarray, " regions"]:
    """Each row's largest Pearson correlation with another row; -inf for constant rows, and where there is no other.

    The largest of `correlate`'s, but for the last bits: sums of products are formed for `at_once` rows with as many
    others at a time, so that no matrix of all rows is held.
    """
    moving = np.flatnonzero(counts.std(axis=1) > 0)
    closest = np.full(len(counts), -np.inf)
    series = counts[moving].astype(np.float64)
    series -= series.mean(axis=1, keepdims=True)
    series /= np.sqrt(np.einsum("ij,ij->i", series, series))[:, None]
    starts = range(0, len(series), at_once)
    for first in starts:
        rows = moving[first : first + at_once]
        for second in starts[first // at_once :]:
            block = series[first : first + at_once] @ series[second : second + at_once].T
            if first == second:
                np.fill_diagonal(block, -np.inf)
            others = moving[second : second + at_once]
            closest[rows] = np.maximum(closest[rows], block.max(axis=1))
            closest[others] = np.maximum(closest[others], block.max(axis=0))
    return np.minimum(closest, 1.0)


def check_screen(panel: Panel, threshold: float | None) -> None:
    """Raises an InputError when the screen has no two regions to compare."""
    if threshold is not None and len(panel.regions) == 1:
        (region,) = panel.regions
        raise InputError(
            f"there is one region, {region!r}, and the screen compares regions; --screen.threshold None leaves it out"
        )


def fit_screen(increments: Increments, days: int, threshold: float | None) -> Screen:
    """Chooses the set C, which may be empty.

    Args:
        increments: of all regions.
        days: number of leading increments to use; later ones are not touched.
        threshold: a region is in C when its correlation with at least one other exceeds this; None takes every region.
    """
    counts = increments.counts[:, :days]
    moving = counts.std(axis=1) > 0
    correlation = correlate(counts) if len(counts) <= MATRIX_UP_TO else None
    if threshold is None:
        selected = np.ones(len(moving), dtype=bool)
    elif correlation is None:
        selected = closest_other(counts, _REGIONS_AT_ONCE) > threshold
    else:
        others = np.where(np.eye(len(moving), dtype=bool), -np.inf, correlation)
        selected = np.nan_to_num(others, nan=-np.inf).max(axis=1) > threshold
    constant = tuple(region for region, moves in zip(increments.regions, moving, strict=True) if not moves)
    return Screen(correlation, selected, constant, days)


PARTS = ("train", "validation", "calibration", "test", "purged")


@dataclass(frozen=True)
class Split:
    """Indices of windows: a partition of all.

    Attributes:
        train: training set.
        validation: validation set, for early stopping.
        calibration: calibration set.
        test: test set.
        purged: not used, since the label reaches into the next part, or the region is tested and the date is not.
    """

    train: Int64[np.ndarray, " train"]
    validation: Int64[np.ndarray, " validation"]
    calibration: Int64[np.ndarray, " calibration"]
    test: Int64[np.ndarray, " test"]
    purged: Int64[np.ndarray, " purged"]

    @property
    def known(self) -> Int64[np.ndarray, " known"]:
        """Training, validation and calibration set together, for the refit."""
        return np.sort(np.concatenate([self.train, self.validation, self.calibration]))

    def names(self, total: int) -> np.ndarray:
        """The part of each window, by name."""
        names = np.empty(total, dtype="<U11")
        for part in PARTS:
            names[getattr(self, part)] = part
        return names


@dataclass(frozen=True)
class Leaks:
    """Numbers of windows known before the test (training, validation, calibration) that share data with the test set.

    Attributes:
        train: all known windows.
        overlap: share a date with a test window of the same region.
        share_day: share a date with any test window.
        share_region: belong to a region that is also tested.
        ahead: contain a date after the first test origin.
    """

    train: int
    overlap: int
    share_day: int
    share_region: int
    ahead: int


def count_known_dates(origins: Int64[np.ndarray, " origins"], config: SplitConfig, dates: int) -> int:
    """Number of leading increments that may be used for fitting: up to the first test origin, or all without one."""
    if config.kind in ("random", "regions"):
        return dates
    return _first_test_origin(origins, config.test_fraction) + 1


def split_windows(windows: Windows, config: SplitConfig, seed: int) -> Split:
    """Splits the windows; the seed draws windows or regions.

    Raises:
        InputError: when a part with a positive fraction would be empty.
    """
    drawn = config.kind in ("random", "regions")
    train, validation, calibration, test = (_split_at_random if drawn else _split_in_time)(windows, config, seed)
    for part, rows, wanted in (
        ("train", train, True),
        ("validation", validation, config.validation_fraction > 0),
        ("calibration", calibration, config.calibration_fraction > 0),
        ("test", test, True),
    ):
        if wanted and len(rows) == 0:
            raise InputError(
                f"split.kind {config.kind} leaves no window in the {part} part: the data holds too few dates "
                "or regions; take a shorter --window.length, another --split.kind, or set the part's fraction"
            )
    purged = np.ones(len(windows), dtype=bool)
    purged[np.concatenate([train, validation, calibration, test])] = False
    return Split(train, validation, calibration, test, np.flatnonzero(purged))


def _split_at_random(windows: Windows, config: SplitConfig, seed: int) -> tuple[np.ndarray, ...]:
    units = windows.region if config.kind == "regions" else np.arange(len(windows))
    rest, test = _draw(units, config.test_fraction, seed, "test")
    fit, calibration = (rest[rows] for rows in _draw(units[rest], config.calibration_fraction, seed, "calibration"))
    share = config.validation_fraction / (1 - config.calibration_fraction)
    train, validation = (fit[rows] for rows in _draw(units[fit], share, seed, "validation"))
    return train, validation, calibration, test


def _split_in_time(windows: Windows, config: SplitConfig, seed: int) -> tuple[np.ndarray, ...]:
    tested = np.ones(len(windows), dtype=bool)
    if config.kind == "both":
        tested = np.zeros(len(windows), dtype=bool)
        tested[_draw(windows.region, config.test_fraction, seed, "test")[1]] = True
    learned = tested if config.kind == "temporal" else ~tested
    cut = _first_test_origin(np.unique(windows.origin), config.test_fraction)
    test = tested & (windows.origin >= cut)
    pool = learned & (windows.origin + windows.lookahead <= cut)
    train, validation, calibration = hold_out_last(windows, pool, config)
    return train, validation, calibration, np.flatnonzero(test)


def hold_out_last(
    windows: Windows, pool: Bool[np.ndarray, " windows"], config: SplitConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and calibration rows of the windows known before the test, in this order in time."""
    span = len(np.unique(windows.origin[pool]))
    parts: list[np.ndarray] = []
    for fraction in (config.calibration_fraction, config.validation_fraction):
        origins = np.unique(windows.origin[pool])
        take = round(fraction * span)
        part = pool & (windows.origin >= (origins[-take] if 0 < take < len(origins) else np.iinfo(np.int64).max))
        if part.any():
            pool = pool & (windows.origin + windows.lookahead <= windows.origin[part].min())
        parts.append(np.flatnonzero(part))
    calibration, validation = parts
    return np.flatnonzero(pool), validation, calibration


def _first_test_origin(origins: np.ndarray, fraction: float) -> int:
    return int(origins[-min(max(round(fraction * len(origins)), 1), len(origins))])


def _draw(units: np.ndarray, fraction: float, seed: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the units kept and held out; equal units stay together."""
    unique = np.unique(units)
    order = numpy_generator(seed, f"split {purpose}").permutation(len(unique))
    keep = int((1 - fraction) * len(unique) + 1e-9)
    kept = np.isin(units, unique[order[:keep]])
    return np.flatnonzero(kept), np.flatnonzero(~kept)


def count_leaks(windows: Windows, split: Split, shape: tuple[int, int]) -> Leaks:
    """Counts the windows that share data with the test set; a window spans its own dates and those of its label."""
    known, test = split.known, split.test
    tested = covered(windows, test, shape, windows.lookahead)
    first, stop = windows.origin[known] - windows.length + 1, windows.origin[known] + windows.lookahead + 1
    per_region = np.concatenate([np.zeros((shape[0], 1), dtype=np.int64), tested.cumsum(axis=1)], axis=1)
    per_day = np.concatenate([[0], tested.any(axis=0).cumsum()])
    region = windows.region[known]
    return Leaks(
        train=len(known),
        overlap=int((per_region[region, stop] > per_region[region, first]).sum()),
        share_day=int((per_day[stop] > per_day[first]).sum()),
        share_region=int(np.isin(region, windows.region[test]).sum()),
        ahead=int((stop - 1 > windows.origin[test].min()).sum()),
    )


@dataclass(frozen=True)
class Prepared:
    """Data for a run: increments of all regions, the set C, windows of the regions in C, and their split."""

    increments: Increments
    screen: Screen
    windows: Windows
    split: Split
    leaks: Leaks


def prepare(panel: Panel, config: TrendConfig) -> Prepared:
    """Takes increments, chooses C, and makes and splits the windows.

    In a split in time only labels and test windows depend on later values.

    Raises:
        InputError: when the data is too short, no region passes the screen, or the target does not fit the data.
    """
    check_screen(panel, config.screen.threshold)
    increments = panel.increments(config.source.negatives)
    origins = possible_origins(increments, config.window)
    dates = len(increments.dates)
    known = dates if config.screen.days == "all" else count_known_dates(origins, config.split, dates)
    screen = fit_screen(increments, known, config.screen.threshold)
    windows = slide(increments, screen.selected, config.window)
    split = split_windows(windows, config.split, config.seed)
    return Prepared(increments, screen, windows, split, count_leaks(windows, split, increments.counts.shape))
