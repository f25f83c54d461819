"""What the heads are asked and what they learn from: places in a week, their inputs, and how the count then changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from twofold.engine.errors import InputError
from twofold.hub.config import GrowthConfig, HubConfig
from twofold.hub.growth import NAMES, aggregate_of, describe, season_week
from twofold.hub.history import History, fit_scale
from twofold.hub.rate_change import cuts
from twofold.hub.rules import Rules
from twofold.hub.vintages import Grid

_NEEDED = [NAMES.index(name) for name in ("growth_1", "growth_1_before", "growth_1_earlier", "growth_2")]


@dataclass(frozen=True)
class Asked:
    """Places in a week from which a forecast starts.

    Attributes:
        inputs: of the last weeks, the newest last; see `growth.NAMES`; NaN where not known.
        base: cases in the newest week.
        population: persons.
    """

    inputs: Float[np.ndarray, "n weeks inputs"]
    base: Float[np.ndarray, "n"]
    population: Float[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.base)

    def cuts(self, rules: Rules) -> Float[np.ndarray, "n horizons cuts"]:
        """The cuts between the categories, in cases, midway between the whole counts that they part."""
        columns = [cuts(self.population, np.full(len(self), horizon), rules) for horizon in rules.horizons]
        return np.floor(np.stack(columns, axis=1)) + 0.5


@dataclass(frozen=True)
class Examples:
    """Places in past weeks, and what came after.

    Attributes:
        asked: where each starts.
        change: cases at each horizon less those of the base; NaN where not known.
        weight: of each example.
        week: week of the season of the newest week, from 1 August.
    """

    asked: Asked
    change: Float[np.ndarray, "n horizons"]
    weight: Float[np.ndarray, "n"]
    week: Float[np.ndarray, "n"]


def ask(grid: Grid, population: Float[np.ndarray, "locations"], config: GrowthConfig) -> Asked:
    """Every location in the newest week of a version, its counts as they are expected to become."""
    inputs = describe(grid.values, grid.dates, population, _row(grid, population))
    rows = np.arange(len(grid.locations))
    return Asked(
        _sequences(inputs, rows, np.full(len(rows), inputs.shape[1] - 1), config.weeks), grid.values[:, -1], population
    )


def learn_from(
    counts: Grid, history: History | None, population: Float[np.ndarray, "locations"], rules: Rules, config: HubConfig
) -> Examples:
    """All examples that a version of the counts and a history hold.

    Args:
        counts: as known when the heads are fitted; its newest week, still to be revised, is left out.
        history: of another measure, or None.
        population: persons in each location of the counts.
        rules: horizons.
        config: weeks of the season, weight of the history.

    Raises:
        InputError: when there is no example.
    """
    settled = Grid(counts.locations, counts.dates[:-1], counts.values[:, :-1])
    parts = [_examples(settled, population, 1.0, rules, config.growth)]
    if history is not None and config.history.weight > 0 and len(settled.dates):
        aggregate = aggregate_of(counts.locations, population)
        scaled = fit_scale(history, settled, aggregate, config.history)
        parts.append(_examples(scaled, population, config.history.weight, rules, config.growth))
    found = _joined(parts)
    if not len(found.asked):
        raise InputError(
            "there is no week to learn from: a version must hold at least 5 weeks before the newest one and a week "
            "after them, within the weeks of a season that --growth.first-week and --growth.last-week name"
        )
    return found


def _examples(
    grid: Grid, population: Float[np.ndarray, "locations"], weight: float, rules: Rules, config: GrowthConfig
) -> Examples:
    inputs = describe(grid.values, grid.dates, population, _row(grid, population))
    week = season_week(grid.dates)
    ahead = np.array(rules.horizons) + 1
    change = _changes(grid.values, ahead)
    usable = np.isfinite(grid.values) & np.isfinite(inputs[:, :, _NEEDED]).all(axis=2) & np.isfinite(change).any(axis=2)
    usable &= (week >= config.first_week) & (week <= config.last_week)
    row, column = np.nonzero(usable)
    asked = Asked(_sequences(inputs, row, column, config.weeks), grid.values[row, column], population[row])
    return Examples(asked, change[row, column], np.full(len(row), weight), week[column])


def _changes(
    values: Float[np.ndarray, "locations weeks"], ahead: np.ndarray
) -> Float[np.ndarray, "locations weeks horizons"]:
    width = values.shape[1]
    result = np.full((*values.shape, len(ahead)), np.nan)
    for index, weeks in enumerate(ahead):
        if weeks < width:
            result[:, : width - weeks, index] = values[:, weeks:] - values[:, : width - weeks]
    return result


def _sequences(
    inputs: Float[np.ndarray, "locations weeks inputs"], row: np.ndarray, column: np.ndarray, weeks: int
) -> Float[np.ndarray, "n steps inputs"]:
    """The inputs of the last weeks up to each column; NaN before the first week."""
    steps = column[:, None] + np.arange(1 - weeks, 1)
    taken = inputs[row[:, None], np.maximum(steps, 0)]
    return np.where((steps >= 0)[:, :, None], taken, np.nan)


def _row(grid: Grid, population: Float[np.ndarray, "locations"]) -> int | None:
    name = aggregate_of(grid.locations, population)
    return None if name is None else grid.locations.index(name)


def _joined(parts: Sequence[Examples]) -> Examples:
    asked = Asked(
        *(np.concatenate([getattr(part.asked, name) for part in parts]) for name in ("inputs", "base", "population"))
    )
    rest = (np.concatenate([getattr(part, name) for part in parts]) for name in ("change", "weight", "week"))
    return Examples(asked, *rest)
