"""What a forecast may be trusted for: the headline model against the best baseline, and its calibration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

Claim = Literal["better", "worse", "unclear", "few", "none"]
Calibration = Literal["close", "high", "low", "uneven"]

CLOSE = 0.05
"""Largest calibration error that is called close."""
LEANS = 0.03
"""From this difference of the mean probability and the share that went up the probabilities are too high or low."""


@dataclass(frozen=True)
class Trust:
    """How far the headline model's probabilities may be trusted, by the windows that it was scored on.

    Attributes:
        claim: its log score against that of the best baseline; `few`: too few dates to tell, `none`: not comparable.
        against: name of that baseline; None where there is none.
        gain: nats per window that it is better (below 0: worse); None where not comparable.
        share: the gain as a share of the baseline's log score.
        low: lower end of the gain's interval; None where there is none.
        high: upper end.
        windows: number of windows.
        dates: number of their origins.
        error: expected calibration error; None without a window.
        given: mean probability given.
        happened: share that went up.
    """

    claim: Claim
    against: str | None
    gain: float | None
    share: float | None
    low: float | None
    high: float | None
    windows: int
    dates: int
    error: float | None
    given: float | None
    happened: float | None

    @property
    def calibration(self) -> Calibration | None:
        """Whether probabilities are right on the whole, too high, too low, or wrong in both directions.

        None without a window.
        """
        if self.error is None or self.given is None or self.happened is None:
            return None
        if abs(self.given - self.happened) >= LEANS:
            return "high" if self.given > self.happened else "low"
        return "close" if self.error <= CLOSE else "uneven"


def trust(
    windows: pl.DataFrame,
    column: str,
    scores: Mapping[str, Any],
    *,
    best: tuple[str, float] | None,
    pair: Mapping[str, Any] | None,
    claimed: bool,
) -> Trust:
    """Judges a model.

    Args:
        windows: those that it was scored on: origin, label and the probability.
        column: name of the probability.
        scores: its block of scores on them.
        best: name and log score of the best baseline on them; None where none is defined.
        pair: the paired difference of log score, model minus that baseline, with `low` and `high`.
        claimed: whether the windows have enough dates to claim a difference.
    """
    difference = pair["difference"] if pair else None
    low = high = None
    if pair and pair["low"] is not None and pair["high"] is not None:
        low, high = -pair["high"], -pair["low"]
    claim: Claim = "unclear"
    if best is None or difference is None:
        claim = "none"
    elif low is None or high is None or not claimed:
        claim = "few"
    elif low > 0 or high < 0:
        claim = "better" if low > 0 else "worse"
    return Trust(
        claim=claim,
        against=best[0] if best else None,
        gain=None if difference is None else -difference,
        share=-difference / best[1] if best and difference is not None and best[1] else None,
        low=low,
        high=high,
        windows=len(windows),
        dates=windows["origin"].n_unique(),
        error=scores["ece"],
        given=_mean(windows, column),
        happened=_mean(windows, "label"),
    )


def _mean(windows: pl.DataFrame, column: str) -> float | None:
    return float(windows[column].cast(pl.Float64).to_numpy().mean()) if len(windows) else None
