"""From a panel to windows and their split: everything that is settled before a model is fitted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from twofold.counts.panel import Increments, Panel
from twofold.engine.errors import InputError
from twofold.trend.config import TrendConfig
from twofold.trend.screen import Screen, fit_screen
from twofold.trend.split import Leaks, Split, count_leaks, divide, last_known
from twofold.trend.window import Windows, possible_origins, slide


@dataclass(frozen=True)
class Prepared:
    """What models are fitted on.

    Attributes:
        increments: of all regions.
        screen: the set C.
        windows: of the regions in C.
        split: the parts.
        leaks: what training and test windows share.
    """

    increments: Increments
    screen: Screen
    windows: Windows
    split: Split
    leaks: Leaks

    @property
    def in_c(self) -> Bool[np.ndarray, " regions"]:
        """Which regions are in C."""
        return self.screen.selected


def prepare(panel: Panel, config: TrendConfig) -> Prepared:
    """Takes increments, chooses C, slides windows and divides them.

    Args:
        panel: the counts.
        config: the run.

    Returns:
        The prepared study; under a split in time nothing but labels and test windows depends on later values.

    Raises:
        InputError: when the data is too short, no region passes the screen, or the target does not fit the data.
    """
    if panel.step_days != 1 and config.window.target != "next_day":
        raise InputError(
            f"window.target {config.window.target} sums 7 days, but the data is weekly; next_day compares whole "
            "weeks there"
        )
    increments = panel.increments(config.source.negatives)
    origins = possible_origins(increments, config.window)
    dates = len(increments.dates)
    known = dates if config.screen.days == "all" else last_known(origins, config.split, dates)
    screen = fit_screen(increments, known, config.screen.threshold)
    windows = slide(increments, screen.selected, config.window)
    split = divide(windows, config.split, config.seed)
    return Prepared(increments, screen, windows, split, count_leaks(windows, split, increments.counts.shape))
