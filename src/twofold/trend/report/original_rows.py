"""One row of the study's grid: what it is called, and what it gains on always answering "not up"."""

from collections.abc import Mapping, Sequence
from typing import Any

from twofold.page import numbers
from twofold.trend.report import wording

Row = Mapping[str, Any]


def network(row: Row) -> str:
    """What a network of the grid is called.

    Example:
        >>> network({"cell": "rnn", "layers": 2})
        'RNN, 2 layers'
    """
    layers = f", {row['layers']} layers" if row["layers"] > 1 else ""
    return f"{wording.model(row['cell'])}{layers}"


def setting(row: Row) -> str:
    """A row in the original's words; `original[].setting` names rows so.

    Example:
        >>> setting({"cell": "gru", "layers": 1, "length": 7, "start": 40})
        'GRU, L = 7, from day 40'
    """
    start = f", from day {row['start']}" if row["start"] else ""
    return f"{network(row)}, L = {row['length']}{start}"


def above(row: Row) -> list[float]:
    """Test accuracy minus the majority's share, in percentage points, a value a seed."""
    both = zip(row["test_accuracy"], row["majority"], strict=True)
    return [100 * (accuracy - majority) for accuracy, majority in both]


def seeds(row: Row, measure: str) -> list[float]:
    """One measure of a row, a value a seed, undefined ones left out; `above` is computed, the others are keys."""
    values: Sequence[float | None] = above(row) if measure == "above" else row[measure]
    return [value for value in values if value is not None]


def gain(row: Row) -> str:
    """Mean and spread of `above`, with its sign."""
    text = numbers.spread(above(row), scale=1.0)
    return f"+{text}" if row["test_accuracy"] and sum(above(row)) > 0 else text
