"""The settings that the reproduced study trains."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from twofold.counts.panel import Panel
from twofold.trend.config import ScreenConfig, StudyConfig, TrendConfig, WindowConfig
from twofold.trend.recipes import CELLS, original
from twofold.trend.windows import prepare

TRIALS: tuple[tuple[str, dict[str, int]], ...] = (
    ("as the original", {}),
    ("5 epochs", {"epochs": 5}),
    ("40 epochs", {"epochs": 40}),
    ("batch of 32", {"batch_size": 32}),
    ("batch of 512", {"batch_size": 512}),
    ("32 hidden units", {"hidden": 32}),
    ("256 hidden units", {"hidden": 256}),
    ("2 layers", {"layers": 2}),
    ("3 layers", {"layers": 3}),
)


@dataclass(frozen=True)
class Setting:
    """One network to train and score.

    Attributes:
        name: unique; also names the file of its result.
        with_china: China is added to the set C.
        tags: by which the summary groups results.
    """

    name: str
    config: TrendConfig
    with_china: bool = False
    tags: dict[str, Any] = field(default_factory=dict)


def check_study(panel: Panel, config: StudyConfig) -> None:
    """Checks that the data suits the grid, before anything is run.

    Raises:
        InputError: when the data is too short for one of the windows, or no region passes the screen.
    """
    # The summary counts the windows of L = 14 and from day 40 even where the grid lacks them.
    for length, start in [(14, 0), (7, 40), *product(config.lengths, config.starts)]:
        prepare(panel, adapt(original("gru", length, start=start), config, config.seed))


def all_settings(config: StudyConfig) -> list[Setting]:
    """The grid on random and temporal splits, one window per country, the trials, and the runs with China."""
    seeds = range(config.seed, config.seed + config.seeds)
    settings: list[Setting] = []
    for cell, layers in CELLS:
        for length in config.lengths:
            for start in config.starts:
                base = original(cell, length, layers, start)
                tags = {"cell": cell, "layers": layers, "length": length, "start": start}
                settings += [_setting("grid", base, config, seed, tags) for seed in seeds]
            base = original(cell, length, layers)
            split = base.split.model_copy(update={"kind": "temporal"})
            temporal = base.model_copy(update={"split": split, "screen": ScreenConfig(days="train")})
            tags = {"cell": cell, "layers": layers, "length": length, "start": 0}
            settings.append(_setting("temporal", temporal, config, config.seed, tags))
    last = original("gru", 7).model_copy(update={"window": WindowConfig(length=7, per_region="last")})
    settings += [_setting("one-window", last, config, seed, {}) for seed in seeds]
    settings += [_setting("china", original("gru", 7), config, seed, {}) for seed in seeds]
    for label, changes in TRIALS:
        trial = adapt(original("gru", 7), config, config.seed)
        groups = {
            group: value.model_copy(update={name: n for name, n in changes.items() if name in type(value).model_fields})
            for group, value in (("train", trial.train), ("model", trial.model))
        }
        trial = trial.model_copy(update=groups)
        settings.append(Setting(f"trial-{label.replace(' ', '-')}", trial, tags={"kind": "trial", "setting": label}))
    return settings


def adapt(base: TrendConfig, config: StudyConfig, seed: int) -> TrendConfig:
    """A recipe with the study's epochs and source, and one of its seeds."""
    train = base.train.model_copy(update={"epochs": config.epochs, "jobs": 1})
    return base.model_copy(update={"train": train, "seed": seed, "source": config.source})


def _setting(kind: str, base: TrendConfig, config: StudyConfig, seed: int, tags: dict[str, Any]) -> Setting:
    name = "-".join(str(part) for part in (kind, *tags.values(), f"seed{seed}"))
    return Setting(name, adapt(base, config, seed), kind == "china", tags | {"kind": kind})
