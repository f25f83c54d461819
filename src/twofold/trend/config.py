"""All settings of a trend run and of the original study."""

from typing import Literal

from pydantic import Field, model_validator

from twofold.counts.config import SourceConfig
from twofold.engine.config import Config
from twofold.engine.recurrent import Cell
from twofold.tune.config import TuneConfig

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
    "season",
    "history",
    "reference",
    "median_growth",
]


class ScreenConfig(Config):
    """The set C: regions correlated with at least one other region."""

    threshold: float | None = Field(default=0.7, ge=-1.0, lt=1.0)
    """A region is in C when its Pearson correlation with another exceeds this; None keeps every region."""
    days: Literal["train", "all"] = "train"
    """Dates whose increments the correlation sees; `all` looks ahead and serves the original study only."""


class WindowConfig(Config):
    """Sliding windows and their target."""

    length: int = Field(default=14, ge=1, le=366)
    """Dates in a window (L)."""
    start: int = Field(default=0, ge=0)
    """Index of the first increment that a window may hold; 40 skips the leading zeros of the original data."""
    stride: int = Field(default=1, ge=1)
    """Dates between two windows of a region."""
    horizon: int = Field(default=1, ge=1, le=28)
    """Dates from the origin (last date seen) to the target."""
    target: Target = "next_day"
    """Up means: `next_day` (of weekly data: the next week) x[t+1] > x[t]; of daily data alone, `mean7` 7-day mean
    rises, x[t+1] > x[t-6]; `sum7` next 7 sum above last 7."""
    per_region: Literal["all", "last"] = "all"
    """`all` windows of a region, or its `last` one only."""


class SplitConfig(Config):
    """How windows are divided into training, validation, calibration and test set."""

    kind: SplitKind = "temporal"
    """`temporal` holds out the last dates, `regions` some regions, `both` their crossing, `random` single windows."""
    test_fraction: float = Field(default=0.2, gt=0.0, lt=1.0)
    """Share of dates (temporal), regions (regions, both) or windows (random) held out for the test."""
    validation_fraction: float = Field(default=0.1, ge=0.0, lt=0.5)
    """Share of the training dates or windows used for early stopping; 0: every epoch is run."""
    calibration_fraction: float = Field(default=0.1, ge=0.0, lt=0.5)
    """Share of the training dates or windows used for calibration; 0: no calibration."""

    @model_validator(mode="after")
    def _slices_leave_training(self) -> "SplitConfig":
        if self.validation_fraction + self.calibration_fraction > 0.6:
            raise ValueError("validation_fraction + calibration_fraction must not exceed 0.6 of the training part")
        return self


class FeatureConfig(Config):
    """The models' inputs."""

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
    """Dimension of the region embedding; 0: none."""
    class_weight: bool = False
    """Weigh the two classes equally in the loss."""


class TrainConfig(Config):
    """Training of a network."""

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
    """Learning-rate schedule over the epochs."""
    patience: int = Field(default=5, ge=1)
    """Epochs without a lower validation loss before training stops (needs a validation set)."""
    jobs: int = Field(default=0, ge=0, exclude=True)
    """Networks trained in parallel; 0: one per core. Changes no result, so it is not in config.json."""


class EnsembleConfig(Config):
    """Members of the pooled forecast."""

    seeds: int = Field(default=3, ge=1)
    """Networks per recurrent cell, each with its own seed."""
    partners: tuple[Partner, ...] = ("boosting",)
    """Members besides `model.cell`; all have the same weight."""


class CalibrationConfig(Config):
    """Calibration of the pooled probability on the calibration set."""

    method: Literal["temperature", "isotonic"] = "temperature"
    """`temperature` scales and shifts the log odds; `isotonic` fits a monotone step function."""
    prior_days: float = Field(default=180.0, ge=0.0)
    """Shrinks the calibration towards the identity with the weight of this many dates (days, or weeks)."""


class ScoreConfig(Config):
    """Bootstrap intervals of the scores."""

    bootstrap: int = Field(default=500, ge=1)
    """Bootstrap resamples."""
    block_days: int = Field(default=3, ge=1)
    """Dates (days, or weeks) per resampled block; all regions of a date stay together."""
    level: float = Field(default=0.9, gt=0.0, lt=1.0)
    """Level of the intervals."""

    @property
    def formed_from(self) -> int:
        """Fewest dates that give an interval: two blocks."""
        return 2 * self.block_days

    @property
    def claimed_from(self) -> int:
        """Fewest dates from which a difference may be called significant: four blocks."""
        return 4 * self.block_days


class RecipeConfig(Config):
    """Settings shared by runs and backtests."""

    recipe: str = "default"
    """Name of the recipe that the config started from."""
    seed: int = Field(default=0, ge=0)
    """Seed of all random draws, together with each draw's purpose and epoch."""
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


class TrendTuneConfig(Config):
    """A study of trials, and the settings that they begin from."""

    trend: TrendConfig
    tune: TuneConfig


class StudyConfig(Config):
    """The grid that reproduces the original study."""

    recipe: Literal["original-study"] = "original-study"
    """Name of the only recipe."""
    seed: int = Field(default=0, ge=0)
    """First seed; the others follow it."""
    seeds: int = Field(default=3, ge=1, le=20)
    """Seeds per setting: each draws its own split and initial weights."""
    epochs: int = Field(default=20, ge=1)
    """Epochs per network (the original: 1000)."""
    lengths: tuple[int, ...] = (3, 7, 14)
    """Window lengths."""
    starts: tuple[int, ...] = (0, 40)
    """First increment that a window may hold."""
    source: SourceConfig = SourceConfig()

    @model_validator(mode="after")
    def _holds_the_original(self) -> "StudyConfig":
        if 7 not in self.lengths or 0 not in self.starts:
            raise ValueError("lengths must include 7 and starts 0: the original's own setting")
        return self
