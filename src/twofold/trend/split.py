"""Which windows train, validate, calibrate and test: pure date arithmetic, and a count of what leaks.

The parts follow each other in time where the split is temporal. A window whose label would reach beyond the date at
which the next part begins is purged: it is in no part, and counted.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from twofold.engine.errors import InputError
from twofold.engine.seed import numpy_generator
from twofold.trend.config import SplitConfig
from twofold.trend.window import Windows, covered

PARTS = ("train", "validation", "calibration", "test", "purged")


@dataclass(frozen=True)
class Split:
    """Indices of windows, disjoint, together all.

    Attributes:
        train: what the weights are fitted on.
        validation: what stops the training.
        calibration: what calibrates.
        test: held out.
        purged: in no part, since the label reaches into the next one, or the region is held out from training days.
    """

    train: Int64[np.ndarray, " train"]
    validation: Int64[np.ndarray, " validation"]
    calibration: Int64[np.ndarray, " calibration"]
    test: Int64[np.ndarray, " test"]
    purged: Int64[np.ndarray, " purged"]

    @property
    def known(self) -> Int64[np.ndarray, " known"]:
        """All windows that may be learned from once settings are chosen: train, validation and calibration."""
        return np.sort(np.concatenate([self.train, self.validation, self.calibration]))

    def names(self, total: int) -> np.ndarray:
        """The part of each window, by name."""
        names = np.empty(total, dtype="<U11")
        for part in PARTS:
            names[getattr(self, part)] = part
        return names


@dataclass(frozen=True)
class Leaks:
    """Training windows (validation and calibration counted in) that know something of the test.

    Attributes:
        train: how many there are.
        overlap: share a date with a test window of the same region.
        share_day: share a date with any test window.
        share_region: belong to a region that is also tested.
        ahead: hold a date after the first origin that is tested: they know what the test asks for.
    """

    train: int
    overlap: int
    share_day: int
    share_region: int
    ahead: int


def last_known(origins: Int64[np.ndarray, " origins"], config: SplitConfig, dates: int) -> int:
    """How many increments, from the first on, may be seen by anything that is fitted.

    Args:
        origins: possible origins, ascending.
        config: the split.
        dates: increments in the data.

    Returns:
        The first tested origin + 1 for splits in time; all dates for the others, which have no such day.
    """
    if config.kind in ("random", "regions"):
        return dates
    return _first_held_out(origins, config.test_fraction) + 1


def divide(windows: Windows, config: SplitConfig, seed: int) -> Split:
    """Divides the windows.

    Args:
        windows: all windows.
        config: kind and fractions.
        seed: the run's seed; draws windows or regions.

    Returns:
        The split.

    Raises:
        InputError: when a part that was asked for would be empty.
    """
    everything = np.arange(len(windows))
    units = windows.region if config.kind == "regions" else everything
    if config.kind in ("random", "regions"):
        rest, test = _draw(units, config.test_fraction, seed, "test")
        slices = config.calibration_fraction, config.validation_fraction
        rest_units = units[rest]
        fit, calibration = _draw(rest_units, slices[0], seed, "calibration")
        fit, calibration = rest[fit], rest[calibration]
        train, validation = _draw(units[fit], slices[1] / (1 - slices[0]), seed, "validation")
        split = _split(fit[train], fit[validation], calibration, test, len(windows))
    else:
        split = _divide_in_time(windows, config, seed)
    _refuse_empty(split, config)
    return split


def _divide_in_time(windows: Windows, config: SplitConfig, seed: int) -> Split:
    tested = np.ones(len(windows), dtype=bool)
    if config.kind == "both":
        tested = np.zeros(len(windows), dtype=bool)
        tested[_draw(windows.region, config.test_fraction, seed, "test")[1]] = True
    learned = tested if config.kind == "temporal" else ~tested
    cut = _first_held_out(np.unique(windows.origin), config.test_fraction)
    test = tested & (windows.origin >= cut)
    pool = learned & (windows.origin + windows.lookahead <= cut)
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
    return _split(np.flatnonzero(pool), validation, calibration, np.flatnonzero(test), len(windows))


def _first_held_out(origins: np.ndarray, fraction: float) -> int:
    return int(origins[-min(max(round(fraction * len(origins)), 1), len(origins))])


def _draw(units: np.ndarray, fraction: float, seed: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions of units kept and held out; equal units stay together."""
    unique = np.unique(units)
    order = numpy_generator(seed, f"split {purpose}").permutation(len(unique))
    keep = int((1 - fraction) * len(unique) + 1e-9)
    kept = np.isin(units, unique[order[:keep]])
    return np.flatnonzero(kept), np.flatnonzero(~kept)


def _split(train: np.ndarray, validation: np.ndarray, calibration: np.ndarray, test: np.ndarray, total: int) -> Split:
    used = np.zeros(total, dtype=bool)
    for part in (train, validation, calibration, test):
        used[part] = True
    return Split(train, validation, calibration, test, np.flatnonzero(~used))


def _refuse_empty(split: Split, config: SplitConfig) -> None:
    wanted = {
        "train": True,
        "validation": config.validation_fraction > 0,
        "calibration": config.calibration_fraction > 0,
        "test": True,
    }
    for part, needed in wanted.items():
        if needed and len(getattr(split, part)) == 0:
            raise InputError(
                f"split.kind {config.kind} leaves no window in the {part} part: the data holds too few dates "
                "or regions; take a shorter --window.length, another --split.kind, or set the part's fraction"
            )


def count_leaks(windows: Windows, split: Split, shape: tuple[int, int]) -> Leaks:
    """Counts what training and test windows share; a window spans its dates and those of its label.

    Args:
        windows: all windows.
        split: the parts.
        shape: (regions, dates) of the increments.

    Returns:
        The counts.
    """
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
