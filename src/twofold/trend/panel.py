"""Panel: the counts of all regions over all dates, and their increments."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from twofold.engine.errors import InputError


@dataclass(frozen=True)
class Panel:
    """Counts by region and date, without gaps.

    Attributes:
        regions: names, unique, in the order of the rows.
        dates: `datetime64[D]`, strictly increasing, one step (1 or 7 days) apart.
        values: counts as published, one row a region.
        kind: whether `values` are running totals or new cases.
        notes: what the reader or the user changed or should know of, in plain sentences, for the report.
    """

    regions: tuple[str, ...]
    dates: np.ndarray
    values: Int64[np.ndarray, "regions dates"]
    kind: Literal["cumulative", "incident"]
    notes: tuple[str, ...] = ()

    @property
    def step_days(self) -> int:
        """Days between two dates: 1 (daily) or 7 (weekly)."""
        return int((self.dates[1] - self.dates[0]).astype(int))
