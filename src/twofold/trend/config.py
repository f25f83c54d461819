"""Every knob of the trend study on one page."""

from typing import Literal

from pydantic import Field, model_validator

from twofold.counts.config import SourceConfig
from twofold.engine.config import Config
from twofold.engine.recurrent import Cell

Partner = Literal["rnn", "lstm", "gru", "logistic", "boosting"]
Target = Literal["next_day", "mean7", "sum7"]
SplitKind = Literal["random", "temporal", "regions", "both"]
Input = Literal[
    "raw",
    "log1p",
    "change",
    "log_diff",
    "against_mean",
    "cross_region",
    "weekday",
    "history",
    "reference",
    "median_growth",
]


class ScreenConfig(Config):
    """The set C: regions correlated with at least one other region."""

    threshold: float | None = Field(default=0.7, ge=-1.0, lt=1.0)
    """A region is in C when its Pearson correlation with another exceeds this; None keeps every region."""
    days: Literal["train", "all"] = "train"
    """Days whose increments the correlation sees; `all` looks ahead and serves the original study only."""


class WindowConfig(Config):
    """Sliding windows and what is asked of each."""

    length: int = Field(default=14, ge=1, le=366)
    """Dates in a window (L)."""
    start: int = Field(default=0, ge=0)
    """Index of the first increment that a window may hold; 40 skips the leading zeros of the original data."""
    stride: int = Field(default=1, ge=1)
    """Dates between two windows of a region."""
    horizon: int = Field(default=1, ge=1, le=28)
    """Dates between the origin (last date seen) and the target."""
    target: Target = "next_day"
    """Up means: `next_day` x[t+1] > x[t]; `mean7` 7-day mean rises, x[t+1] > x[t-6]; `sum7` next 7 sum above last 7."""
    per_region: Literal["all", "last"] = "all"
    """`all` windows of a region, or its `last` one only."""


class SplitConfig(Config):
    """Which windows are held out, and how."""

    kind: SplitKind = "temporal"
    """`temporal` holds out the last days, `regions` some regions, `both` their crossing, `random` single windows."""
    test_fraction: float = Field(default=0.2, gt=0.0, lt=1.0)
    """Share of days (temporal), regions (regions, both) or windows (random) held out for the test."""
    validation_fraction: float = Field(default=0.1, ge=0.0, lt=0.5)
    """Share of the training days or windows that stops the training; 0: every epoch is run."""
    calibration_fraction: float = Field(default=0.1, ge=0.0, lt=0.5)
    """Share of the training days or windows that calibrates; 0: no calibration."""

    @model_validator(mode="after")
    def _slices_leave_training(self) -> "SplitConfig":
        if self.validation_fraction + self.calibration_fraction > 0.6:
            raise ValueError("validation_fraction + calibration_fraction must not exceed 0.6 of the training part")
        return self


class FeatureConfig(Config):
    """What the models see of a window."""

    inputs: tuple[Input, ...] = Field(default=("log1p", "change", "log_diff", "against_mean", "history"), min_length=1)
    """Inputs by name; `raw` counts or the scale-free ones."""
    scale: bool = True
    """Standardise every input with mean and deviation of the training windows."""


class ModelConfig(Config):
    """The recurrent network."""

    cell: Cell = "gru"
    """Recurrent cell."""
    hidden: int = Field(default=32, ge=1, le=4096)
    """Hidden units."""
    layers: int = Field(default=1, ge=1, le=8)
    """Stacked recurrent layers."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Dropout between layers and before the head."""
    embedding: int = Field(default=0, ge=0, le=64)
    """Length of a learned vector for each region; 0: none."""
    class_weight: bool = False
    """Weigh the two classes equally in the loss."""


class TrainConfig(Config):
    """How a network is trained."""

    epochs: int = Field(default=20, ge=1)
    """Passes over the training windows, at most."""
    batch_size: int = Field(default=128, ge=1)
    """Windows in a batch."""
    learning_rate: float = Field(default=2e-3, gt=0.0)
    """Peak learning rate of AdamW."""
    weight_decay: float = Field(default=1e-2, ge=0.0)
    """AdamW's decoupled weight decay."""
    clip_norm: float = Field(default=1.0, gt=0.0)
    """Gradient norm is clipped to this."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Course of the learning rate over the epochs."""
    patience: int = Field(default=5, ge=1)
    """Epochs without a better validation loss before the training stops (needs a validation slice)."""
    jobs: int = Field(default=0, ge=0, exclude=True)
    """Networks trained at the same time; 0: one for each core. Changes no result, so no config.json holds it."""


class EnsembleConfig(Config):
    """What is pooled into the headline probability."""

    seeds: int = Field(default=3, ge=1)
    """Networks of every recurrent member, each from its own seed."""
    partners: tuple[Partner, ...] = ("boosting",)
    """Further members beside `model.cell`; members weigh the same."""


class CalibrationConfig(Config):
    """How probabilities are calibrated on their own slice."""

    method: Literal["temperature", "isotonic"] = "temperature"
    """`temperature` scales and shifts the log odds; `isotonic` fits a monotone step function."""
    prior_days: float = Field(default=180.0, ge=0.0)
    """Draws the calibration towards none with the weight of this many days: a slice of few days changes little."""


class ScoreConfig(Config):
    """Intervals of the scores."""

    bootstrap: int = Field(default=500, ge=1)
    """Bootstrap resamples."""
    block_days: int = Field(default=3, ge=1)
    """Days in a resampled block; all regions of a day stay together."""
    level: float = Field(default=0.9, gt=0.0, lt=1.0)
    """Level of the intervals."""


class RecipeConfig(Config):
    """What every run of a recipe starts with."""

    recipe: str = "default"
    """Name of the recipe that the config started from."""
    seed: int = Field(default=0, ge=0)
    """The one seed; every draw is seeded by it, the draw's purpose and the epoch."""
    source: SourceConfig = SourceConfig()


class TrendConfig(RecipeConfig):
    """One run of the trend study."""

    screen: ScreenConfig = ScreenConfig()
    window: WindowConfig = WindowConfig()
    split: SplitConfig = SplitConfig()
    features: FeatureConfig = FeatureConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    score: ScoreConfig = ScoreConfig()


class StudyConfig(Config):
    """The grid that reproduces the original study."""

    recipe: Literal["original-study"] = "original-study"
    """Always the original study."""
    seed: int = Field(default=0, ge=0)
    """First seed; the others follow it."""
    seeds: int = Field(default=3, ge=1, le=20)
    """Seeds of every setting: each draws a split and first weights of its own."""
    epochs: int = Field(default=20, ge=1)
    """Epochs of every network (the original: 1000)."""
    lengths: tuple[int, ...] = (3, 7, 14)
    """Window lengths."""
    starts: tuple[int, ...] = (0, 40)
    """First increment that a window may hold."""
    jobs: int = Field(default=0, ge=0, exclude=True)
    """Settings run at the same time; 0: one for each core. Changes no result, so no config.json holds it."""
    source: SourceConfig = SourceConfig()

    @model_validator(mode="after")
    def _holds_the_original(self) -> "StudyConfig":
        if 7 not in self.lengths or 0 not in self.starts:
            raise ValueError("lengths must hold 7 and starts 0: the original's own setting")
        return self
