"""Settings of the readers of tables of counts."""

from typing import Annotated, Literal

import tyro
from pydantic import Field

from twofold.engine.config import Config


class SourceConfig(Config):
    """How the table of counts is read."""

    layout: Literal["auto", "original", "jhu", "long"] = "auto"
    """Layout of the file: `original` (three header rows), `jhu` (JHU's wide CSV), `long` (region, date, value)."""
    kind: Literal["auto", "cumulative", "incident"] = "auto"
    """Running totals or new cases; auto: cumulative for `original` and `jhu`, incident for `long`."""
    region: str = "region"
    """Name of the region column (long layout)."""
    date: str = "date"
    """Name of the date column (long layout)."""
    value: str = "value"
    """Name of the count column (long layout)."""
    negatives: Annotated[Literal["keep", "clip", "redistribute"], tyro.conf.arg(aliases=("--negatives",))] = "keep"
    """Downward corrections: keep the negative increments, clip them to 0, or subtract them from the days before."""
    drop_last: Annotated[int, tyro.conf.arg(aliases=("--drop-last",))] = Field(default=0, ge=0)
    """Number of last dates to leave out, for days still being reported."""
    weekly: Annotated[bool, tyro.conf.arg(aliases=("--weekly",))] = False
    """Sum a daily table to weeks that end on Saturdays; days in no whole week are left out."""
    simulation_seed: int = Field(default=0, ge=0)
    """Seed of the embedded simulated epidemic (used when no --data is given)."""
