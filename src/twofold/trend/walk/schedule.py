"""Which dates a backtest forecasts, and when its models are refitted."""

from dataclasses import dataclass

import numpy as np

from twofold.counts.panel import MIN_DATES, Panel
from twofold.engine.errors import InputError
from twofold.trend.walk.config import BacktestConfig
from twofold.trend.windows import check_screen, possible_origins


@dataclass(frozen=True)
class Refit:
    """One fit and the origins that it forecasts from, as indices of increments; the first is the last date it sees.

    Attributes:
        origins: ascending; each forecast sees the increments up to its origin, the fit those up to the first.
        screened: number of leading increments on which C is chosen.
    """

    origins: tuple[int, ...]
    screened: int


@dataclass(frozen=True)
class Schedule:
    """All refits of a backtest.

    Attributes:
        refits: in time order, those of the warm-up first.
        first: the first origin that is scored.
        dates: of the increments.
        lookahead: dates after an origin that its outcome needs.
    """

    refits: tuple[Refit, ...]
    first: int
    dates: np.ndarray
    lookahead: int


def make_schedule(panel: Panel, config: BacktestConfig) -> Schedule:
    """Chooses the origins and the refits.

    Raises:
        InputError: when the data lacks the target dates, or the target does not fit the data.
    """
    check_screen(panel, config.screen.threshold)
    increments, window, walk = panel.increments(config.source.negatives), config.window, config.walk
    possible = possible_origins(increments, window)
    possible = possible[possible >= MIN_DATES - 1]  # what is cut there must still be a panel
    if not len(possible):
        raise InputError(f"the data has {len(increments.dates)} increments, too few to forecast any; give more dates")
    targets = increments.dates[possible + window.horizon]
    chosen = possible[targets <= np.datetime64(walk.until or targets[-1].astype(object))]
    if walk.first is not None:
        chosen = chosen[increments.dates[chosen + window.horizon] >= np.datetime64(walk.first)]
    elif len(chosen) < walk.last:
        known = f"the data has {len(chosen)} target dates whose outcome is known, and {walk.last} are asked for"
        raise InputError(
            f"{known}; --last {len(chosen)} takes them all" if len(chosen) else f"{known}; give more dates"
        )
    else:
        chosen = chosen[-walk.last :]
    if not len(chosen):
        raise InputError(f"no target date in that range; the data has {targets[0]} to {targets[-1]}")
    first = int(chosen[0])
    origins = np.concatenate([possible[possible < first][-walk.warmup or len(possible) :], chosen])
    block = (origins - first) // walk.every
    blocks = [origins[block == index] for index in np.unique(block)]
    fixed = first if config.screen.fixed else len(increments.dates)
    refits = tuple(Refit(tuple(each.tolist()), min(int(each[0]), fixed) + 1) for each in blocks)
    return Schedule(refits, first, increments.dates, int(len(increments.dates) - 1 - possible[-1]))


def known_at(panel: Panel, origin: np.datetime64) -> Panel:
    """The panel without the dates after an origin."""
    return panel.part(dates=slice(int((panel.dates <= origin).sum())))
