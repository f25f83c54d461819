"""All settings of a backtest that walks forward in time."""

from datetime import date
from typing import Annotated

import tyro
from pydantic import Field, model_validator

from twofold.engine.config import Config
from twofold.engine.recurrent import CELLS
from twofold.trend.config import (
    CalibrationConfig,
    EnsembleConfig,
    FeatureConfig,
    ModelConfig,
    RecipeConfig,
    ScoreConfig,
    ScreenConfig,
    TrainConfig,
    TrendConfig,
    WindowConfig,
)


class WalkConfig(Config):
    """Which dates are forecast, and from which training windows.

    A forecast's origin is the last date it may see; its target date lies `window.horizon` dates after the origin.
    """

    last: Annotated[int, tyro.conf.arg(aliases=("--last",))] = Field(default=15, ge=1)
    """Number of target dates; the last of them is `until`, or the last date whose outcome is known."""
    first: Annotated[date | None, tyro.conf.arg(aliases=("--first",))] = None
    """First target date, such as 2020-03-29; replaces `last`."""
    until: Annotated[date | None, tyro.conf.arg(aliases=("--until",))] = None
    """Last target date; by default the last one whose outcome is known."""
    every: Annotated[int, tyro.conf.arg(aliases=("--every",))] = Field(default=1, ge=1)
    """Dates between two refits; 1 refits at every origin."""
    warmup: int = Field(default=7, ge=0)
    """Earlier target dates, forecast to fit weights and calibration, but never scored."""
    memory: int | None = Field(default=28, ge=1)
    """Models are trained on windows whose origin is one of this many last dates; None: on all."""
    active_only: bool = True
    """Train on windows with a case only; the others get the share of "up" among windows without a case."""
    logistic_c: float = Field(default=0.01, gt=0.0)
    """Inverse strength of the logistic regression's penalty."""
    boosting_rounds: int = Field(default=60, ge=1)
    """Trees of the gradient boosting."""
    weight_prior_days: float = Field(default=28.0, ge=0.0)
    """Shrinks the pool's weights towards equal ones with the weight of this many dates (days, or weeks)."""


class WalkScreenConfig(Config):
    """The set C: regions correlated with at least one other region up to the origin."""

    threshold: float | None = Field(default=0.7, ge=-1.0, lt=1.0)
    """A region is in C when its Pearson correlation with another exceeds this; None keeps every region."""
    fixed: bool = False
    """Keep the C chosen on the dates before the first target date; else each refit chooses its own."""


class BacktestConfig(RecipeConfig):
    """One backtest: models refitted along the way, each forecast made from what was known at its origin."""

    recipe: str = "walk-next-day"
    """Name of the recipe that the config started from."""
    walk: WalkConfig = WalkConfig()
    screen: WalkScreenConfig = WalkScreenConfig()
    window: WindowConfig = WindowConfig()
    features: FeatureConfig = FeatureConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    score: ScoreConfig = ScoreConfig()

    @model_validator(mode="after")
    def _walks(self) -> "BacktestConfig":
        if self.window.per_region != "all" or self.window.stride != 1:
            raise ValueError("window.per_region must be all and window.stride 1: a walk needs every origin")
        if self.walk.first and self.walk.until and self.walk.first > self.walk.until:
            raise ValueError(f"walk.first {self.walk.first} must not lie after walk.until {self.walk.until}")
        return self

    @property
    def trend(self) -> TrendConfig:
        """The config of one refit's networks: every cell, whatever is pooled, trained one at a time."""
        shared = {
            name: getattr(self, name) for name in TrendConfig.model_fields.keys() & type(self).model_fields.keys()
        }
        own = {
            "screen": ScreenConfig(threshold=self.screen.threshold),
            "train": self.train.model_copy(update={"jobs": 1}),
            "ensemble": self.ensemble.model_copy(update={"partners": CELLS}),
        }
        return TrendConfig(**shared | own)
