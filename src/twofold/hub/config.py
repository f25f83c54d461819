"""All settings of the forecasts for a hub."""

from collections.abc import Collection
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from twofold.engine.config import Config
from twofold.engine.errors import InputError
from twofold.hub.rules import Rules

HeadName = Literal[
    "climatology", "logistic", "trees", "rnn", "lstm", "gru", "ar6", "renewal", "quantile_trees", "quantile_rnn"
]
QUANTILE_HEADS: tuple[HeadName, ...] = ("ar6", "renewal", "quantile_trees", "quantile_rnn")
"""Heads that give the whole distribution of the change."""
DEFAULT_HEADS: tuple[HeadName, ...] = ("climatology", "logistic", *QUANTILE_HEADS)
"""Those of quantiles, and two of categories that cost seconds; the others take three times as long and stand behind
the pool (docs/design/004-hub.md)."""
POOL = "pool"
"""Name of the pool among the models."""


class HistoryConfig(Config):
    """A long history of another measure, such as ILINet's share of visits, scaled to the counts."""

    background: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Quantile of a season's values that is taken for its background and subtracted."""
    power: float = Field(default=1.4, gt=0.0)
    """Exponent of what is left, before it is scaled: visits for all such illness vary less steeply than the disease."""
    min_weeks: int = Field(default=30, ge=2)
    """Weeks that a place's season must hold to be used."""
    excluded: tuple[date, date] = (date(2020, 3, 1), date(2022, 6, 30))
    """First and last day of a period left out of the training data: COVID-19 kept influenza away and visits high."""
    weight: float = Field(default=1.0, ge=0.0)
    """Weight of an example from the history; one from the counts has weight 1."""


class GrowthConfig(Config):
    """Features and training examples, the same for all heads."""

    weeks: int = Field(default=6, ge=1, le=26)
    """Weeks that a recurrent network reads."""
    first_week: int = Field(default=6, ge=0, le=52)
    """First week of a season, counted from 1 August, from which examples start."""
    last_week: int = Field(default=44, ge=0, le=53)
    """Last week of a season from which examples start."""


class TreesConfig(Config):
    """Gradient boosting with the threshold as a feature."""

    bags: int = Field(default=3, ge=1)
    """Classifiers whose probabilities are averaged."""
    iterations: int = Field(default=400, ge=1)
    """Trees."""
    learning_rate: float = Field(default=0.05, gt=0.0, le=1.0)
    """Shrinkage of each tree."""
    leaves: int = Field(default=15, ge=2)
    """Leaves of a tree."""
    min_leaf: int = Field(default=2000, ge=1)
    """Rows in a leaf, at least."""
    l2: float = Field(default=10.0, ge=0.0)
    """L2 penalty of the leaves' values."""
    max_features: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of the features that each split may choose from."""


class NetworkConfig(Config):
    """Recurrent networks with a mixture of logistics on the log growth."""

    hidden: int = Field(default=48, ge=1)
    """Width of the recurrent layer."""
    components: int = Field(default=3, ge=1)
    """Logistics in the mixture."""
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Share of inputs and of hidden values dropped in training."""
    epochs: int = Field(default=8, ge=1)
    """Passes over the examples."""
    batch_size: int = Field(default=256, ge=1)
    """Examples in a batch."""
    learning_rate: float = Field(default=3e-3, gt=0.0)
    """Peak of the schedule, AdamW."""
    weight_decay: float = Field(default=1e-2, ge=0.0)
    """Weight decay, AdamW."""
    seeds: int = Field(default=4, ge=1)
    """Networks per cell type, whose probabilities are averaged."""


class QuantileTreesConfig(Config):
    """Gradient boosting of quantiles."""

    bags: int = Field(default=3, ge=1)
    """Fits, each on a part of the seasons, whose quantiles' median is taken."""
    seasons: float = Field(default=0.7, gt=0.0, le=1.0)
    """Share of the seasons in a bag."""
    iterations: int = Field(default=100, ge=1)
    """Trees for each level."""
    learning_rate: float = Field(default=0.1, gt=0.0, le=1.0)
    """Shrinkage of each tree."""
    leaves: int = Field(default=31, ge=2)
    """Leaves of a tree."""
    min_leaf: int = Field(default=50, ge=1)
    """Rows in a leaf, at least."""
    max_features: float = Field(default=0.7, gt=0.0, le=1.0)
    """Share of the features that each tree may choose from."""
    calendar: bool | None = None
    """Whether the weeks to Christmas are an input: they help for influenza, whose waves keep to winter. Without a word
    the hub's rules say it, and without rules they are."""

    @property
    def sees_calendar(self) -> bool:
        """Whether the weeks to Christmas are an input."""
        return self.calendar is not False


class QuantileNetworkConfig(Config):
    """Recurrent networks trained by pinball loss."""

    hidden: int = Field(default=48, ge=1)
    """Width of the recurrent layer."""
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Share of inputs and of hidden values dropped in training."""
    epochs: int = Field(default=8, ge=1)
    """Passes over the examples."""
    batch_size: int = Field(default=256, ge=1)
    """Examples in a batch."""
    learning_rate: float = Field(default=3e-3, gt=0.0)
    """Peak of the schedule, AdamW."""
    weight_decay: float = Field(default=1e-2, ge=0.0)
    """Weight decay, AdamW."""
    seeds: int = Field(default=3, ge=1)
    """Networks whose quantiles are averaged."""


class HubConfig(Config):
    """A hub's forecasts: heads, schedule, pool."""

    heads: tuple[HeadName, ...] = DEFAULT_HEADS
    """Models that are fitted."""
    pooled: tuple[HeadName, ...] = Field(default=("quantile_trees", "quantile_rnn"), min_length=1)
    """Heads that the pool, which is the default model, mixes."""
    pool_prior_weeks: float = Field(default=2.0, gt=0.0)
    """Strength of the prior that pulls the pool's weights towards equal ones, in weeks of data."""
    refit_weeks: int = Field(default=4, ge=1)
    """Reference dates from one refit to the next."""
    others_weight: float = Field(default=0.2, gt=0.0)
    """Weight of an example of another disease; one of the hub's own has weight 1."""
    seed: int = Field(default=0, ge=0)
    """Seed of all random numbers."""
    floor: float = Field(default=0.002, ge=0.0, lt=0.2)
    """Lowest probability of a category."""
    history: HistoryConfig = HistoryConfig()
    growth: GrowthConfig = GrowthConfig()
    trees: TreesConfig = TreesConfig()
    network: NetworkConfig = NetworkConfig()
    quantile_trees: QuantileTreesConfig = QuantileTreesConfig()
    quantile_network: QuantileNetworkConfig = QuantileNetworkConfig()

    @model_validator(mode="after")
    def _pools_what_is_fitted(self) -> "HubConfig":
        if len(set(self.heads)) < len(self.heads) or len(set(self.pooled)) < len(self.pooled):
            raise ValueError("heads and pooled must name each head once")
        unfitted = [name for name in self.pooled if name not in self.heads]
        if unfitted:
            raise ValueError(f"pooled must be among heads, which lack {', '.join(unfitted)}")
        return self

    def without(self, heads: Collection[str]) -> "HubConfig":
        """The settings without some heads, also in the pool, of which one at least must stay."""
        kept = {part: tuple(name for name in getattr(self, part) if name not in heads) for part in ("heads", "pooled")}
        return self.model_validate(self.model_dump() | kept)

    def for_hub(self, rules: Rules) -> tuple["HubConfig", list[str]]:
        """The settings for a hub, and sentences on what was changed.

        What is left to its rules is decided, and heads that it has no use for are left out.

        Raises:
            InputError: when the pool has such a head.
        """
        calendar = rules.calendar if self.quantile_trees.calendar is None else self.quantile_trees.calendar
        settled = {"quantile_trees": self.quantile_trees.model_copy(update={"calendar": calendar})}
        useless = [name for name in self.heads if name not in QUANTILE_HEADS]
        if rules.rate_change is not None or not useless:
            return self.model_copy(update=settled), []
        pooled = [name for name in self.pooled if name in useless]
        if pooled:
            raise InputError(
                f"{rules.asks_only}, and {', '.join(pooled)} give categories; name other heads for --pooled: "
                f"{', '.join(QUANTILE_HEADS)}"
            )
        heads = tuple(name for name in self.heads if name not in useless)
        note = f"{rules.asks_only}: heads that give categories are not run ({', '.join(useless)})."
        return self.model_copy(update={**settled, "heads": heads}), [note]
