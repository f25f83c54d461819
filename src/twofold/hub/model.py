"""The saved model of a hub: heads and pool, fitted once and used for the forecasts of the following weeks.

Networks, climatology, the autoregression and the renewal model are stored in a safetensors file, whose one metadata key
holds everything else as JSON; trees and logistic regression in a skops file, trees of quantiles as text. Loading any
can run no code.
"""

import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import polars as pl
import torch
from safetensors.torch import save

from twofold.engine import sound
from twofold.engine.boosters import read_boosters, save_boosters
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import read_bytes, write_bytes
from twofold.engine.recurrent import Cell
from twofold.engine.tensors import loaded, read_tensors
from twofold.engine.trees import read_trees, save_trees
from twofold.engine.work import Work
from twofold.hub.config import POOL, HeadName, HubConfig
from twofold.hub.distribution import LEVELS
from twofold.hub.examples import Examples, build_examples
from twofold.hub.heads import Forecasts, fit_head, forecast
from twofold.hub.heads.autoregression import Autoregression
from twofold.hub.heads.climatology import Climatology
from twofold.hub.heads.logistic import Logistic
from twofold.hub.heads.network import READ, MixtureNetwork, Networks, Scaling
from twofold.hub.heads.pmf import Head
from twofold.hub.heads.quantile_network import READ as QUANTILE_READ
from twofold.hub.heads.quantile_network import QuantileNetwork, QuantileNetworks
from twofold.hub.heads.quantile_trees import FITTED, QuantileTrees
from twofold.hub.heads.renewal import Renewal
from twofold.hub.heads.trees import Trees
from twofold.hub.pool import apply_weights, equal_weights
from twofold.hub.quantiles import pool_distributions
from twofold.hub.rules import Rules
from twofold.hub.season import Known, Replay

if TYPE_CHECKING:
    from lightgbm import Booster

TENSORS, CLASSIFIERS, BOOSTERS, KEY = "model.safetensors", "classifiers.skops", "boosters.json", "model"
Module = TypeVar("Module", MixtureNetwork, QuantileNetwork)
_TRUSTED = ("numpy.dtype",)  # the imputer of the logistic regression holds the type of its input
_ARRAYS: dict[str, type[Climatology | Autoregression | Renewal]] = {
    "climatology": Climatology,
    "ar6": Autoregression,
    "renewal": Renewal,
}
_SCIKIT: dict[str, type[Trees | Logistic]] = {"trees": Trees, "logistic": Logistic}


@dataclass(frozen=True)
class HubModel:
    """Fitted heads and the pool's weights.

    Attributes:
        config: of the fit.
        rules: of the season that it was fitted for.
        fitted_for: reference date of the fit: nothing published after its deadline was seen.
        heads: by name.
        weights: of the pool.
    """

    config: HubConfig
    rules: Rules
    fitted_for: date
    heads: dict[str, Head]
    weights: dict[str, float]

    def forecast(self, known: Known, rules: Rules, model: str) -> Forecasts:
        """Forecasts of the pool or of one head from what is known for a reference date.

        Distributions are None where one of the heads gives none.

        Raises:
            InputError: when there is no such head, the season has other cuts, or the model was fitted on later data.
        """
        if known.reference_date < self.fitted_for:
            raise InputError(
                f"the model was fitted on what was known for {self.fitted_for}; a forecast for {known.reference_date} "
                "made with it would have seen what came next. Give a later reference date, or fit a model for then"
            )
        if _needs(rules) != _needs(self.rules):
            raise InputError(
                f"the model was fitted for the horizons and thresholds of season {self.rules.season}, those of "
                f"{rules.season} are others; fit it again with `twofold hub fit`"
            )
        _check_name(model, self.heads)
        names = self.config.pooled if model == POOL else (model,)  # one order, since floating-point sums depend on it
        weights = {name: self.weights[name] for name in names} if model == POOL else {model: 1.0}
        found = {name: forecast(self.heads[name], known, rules, self.config) for name in names}
        named = [own.categories.with_columns(model=pl.lit(name)) for name, own in found.items()]
        spread = [
            own.distributions.with_columns(model=pl.lit(name))
            for name, own in found.items()
            if own.distributions is not None
        ]
        pooled = (
            pool_distributions(pl.concat(spread), [(known.reference_date, weights)])
            if len(spread) == len(found)
            else None
        )
        return Forecasts(apply_weights(pl.concat(named), weights), pooled)

    def save(self, folder: Path) -> None:
        """Writes the model's files."""
        folder.mkdir(parents=True, exist_ok=True)
        sound.begin(folder, adopt=False)
        tensors: dict[str, torch.Tensor] = {}
        classifiers: dict[str, Any] = {}
        boosters: dict[str, Booster] = {}
        sizes: dict[str, int] = {}
        for name, head in self.heads.items():
            if isinstance(head, Networks | QuantileNetworks):
                tensors |= {f"{name}.mean": torch.from_numpy(head.scaling.mean)}
                tensors |= {f"{name}.deviation": torch.from_numpy(head.scaling.deviation)}
                for index, module in enumerate(head.modules):
                    tensors |= {f"{name}.{index}.{key}": value for key, value in module.state_dict().items()}
            elif isinstance(head, Climatology | Autoregression | Renewal):
                tensors |= {f"{name}.{key}": torch.from_numpy(value) for key, value in vars(head).items()}
            elif isinstance(head, QuantileTrees):
                boosters |= {
                    f"{name}.{bag}.{level}": part
                    for bag, parts in enumerate(head.bags)
                    for level, part in enumerate(parts)
                }
                sizes[name] = len(head.bags)
            elif isinstance(head, Trees | Logistic):
                classifiers |= {f"{name}.{index}": part for index, part in enumerate(head.classifiers)}
                sizes[name] = len(head.classifiers)
        about = {
            "config": self.config.model_dump(mode="json"),
            "rules": self.rules.model_dump(mode="json"),
            "fitted_for": str(self.fitted_for),
            "heads": list(self.heads),
            "sizes": sizes,
            "weights": self.weights,
        }
        if classifiers:
            save_trees(classifiers, folder / CLASSIFIERS)
            about["classifiers"] = _digest(folder / CLASSIFIERS)
        if boosters:
            about["boosters"] = save_boosters(boosters, folder / BOOSTERS)
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_bytes(folder / TENSORS, save(whole, {KEY: json.dumps(about, sort_keys=True)}))
        sound.begin(folder)

    @classmethod
    def open(cls, folder: Path, wanted: str | None = None) -> "HubModel":
        """Reads what `save` wrote: all heads, or those needed for the forecasts of one head or of `POOL`.

        Raises:
            InputError: when there is no such head.
            RunFolderError: when the folder holds no model, or a file of it can't be read as one.
        """
        path = folder / TENSORS
        try:
            texts, tensors = read_tensors(path)
            about = json.loads(texts[KEY])
            config = HubConfig.model_validate(about["config"])
            rules = Rules.model_validate(about["rules"])
            if set(about["weights"]) != set(config.pooled):
                raise ValueError(f"weights of {list(about['weights'])} for a pool of {list(config.pooled)}")
            weights = {name: float(weight) for name, weight in about["weights"].items()}
            if not all(0.0 <= weight < math.inf for weight in weights.values()) or not sum(weights.values()):
                raise ValueError(f"weights of a pool {weights}")
            if lacking := set(config.pooled) - set(about["heads"]):
                raise ValueError(f"it lacks {', '.join(sorted(lacking))}, which its pool is of")
            if wanted is not None:
                _check_name(wanted, about["heads"])
            names = about["heads"] if wanted is None else config.pooled if wanted == POOL else (wanted,)
            classifiers = {}
            if _SCIKIT.keys() & set(names):
                if _digest(folder / CLASSIFIERS) != about["classifiers"]:
                    raise ValueError(f"{CLASSIFIERS} was not saved with it; fit the model again")
                classifiers = read_trees(folder / CLASSIFIERS, _TRUSTED)
            boosters = {}
            if "quantile_trees" in names:
                boosters = read_boosters(folder / BOOSTERS, about["boosters"])
            heads: dict[str, Head] = {}
            for name in names:
                if name in _SCIKIT or name == "quantile_trees":
                    own = {**classifiers, **boosters}
                    heads[name] = _trees(name, own, about["sizes"][name], len(rules.horizons), config)
                else:
                    part = f"{name}."
                    mine = {key.removeprefix(part): value for key, value in tensors.items() if key.startswith(part)}
                    heads[name] = _from_tensors(name, mine, len(rules.horizons), config)
            return cls(config, rules, date.fromisoformat(about["fitted_for"]), heads, weights)
        except (RunFolderError, InputError):
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RunFolderError(f"{path}: can't be read as a hub's model ({error})") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _check_name(model: str, heads: Iterable[str]) -> None:
    if model not in (POOL, *heads):
        raise InputError(f"--head must be one of {', '.join((POOL, *heads))}, got {model!r}")


def _needs(rules: Rules) -> tuple[object, ...]:
    """Rules that a fit depends on."""
    change = rules.rate_change
    parts = () if change is None else (change.categories, change.stable_below, change.large_above)
    counted = () if change is None else (change.stable_count, change.rate_per)
    return rules.horizons, rules.counts, parts, counted


def _trees(
    name: str, parts: dict[str, Any], size: int, horizons: int, config: HubConfig
) -> Trees | Logistic | QuantileTrees:
    """A head of trees or of logistic regression, from its parts."""
    if name != "quantile_trees":
        return _SCIKIT[name](tuple(parts[f"{name}.{part}"] for part in range(size)))
    bags = (tuple(parts[f"{name}.{bag}.{level}"] for level in range(len(FITTED))) for bag in range(size))
    return QuantileTrees(horizons, config.quantile_trees.sees_calendar, tuple(bags))


def _from_tensors(name: str, tensors: dict[str, torch.Tensor], horizons: int, config: HubConfig) -> Head:
    """A head of arrays or of networks, from its tensors."""
    if name in _ARRAYS:
        head = _ARRAYS[name](**{key: value.numpy() for key, value in tensors.items()})
        _check_shapes(name, head, {"horizons": horizons, "levels": len(LEVELS), "terms": config.growth.weeks + 1})
        return head
    if name == "quantile_rnn":
        make = functools.partial(QuantileNetwork, horizons, config.quantile_network)
        return QuantileNetworks(*_trained(tensors, make, QUANTILE_READ))
    cell = cast(Cell, name)
    return Networks(cell, *_trained(tensors, functools.partial(MixtureNetwork, horizons, cell, config.network), READ))


def _check_shapes(name: str, head: Climatology | Autoregression | Renewal, sizes: dict[str, int]) -> None:
    """Raises a ValueError where an array is not what the head declares: its type, its axes, and their sizes."""
    for each in fields(head):
        value, declared = getattr(head, each.name), cast(Any, each.type)
        axes = declared.dim_str.split()
        fits = value.ndim == len(axes) and value.dtype.name in declared.dtypes
        if not fits or any(sizes.setdefault(*axis) != axis[1] for axis in zip(axes, value.shape, strict=True)):
            raise ValueError(f"{name}.{each.name} is {value.dtype} of shape {value.shape}")


def _trained(
    tensors: dict[str, torch.Tensor], make: Callable[[], Module], read: tuple[int, ...]
) -> tuple[Scaling, tuple[Module, ...]]:
    """The scaling and the networks of a head, from its tensors."""
    weights: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, _, parameter = key.partition(".")
        if parameter:
            weights.setdefault(index, {})[parameter] = value
    modules = tuple(loaded(make, weights[index]) for index in sorted(weights, key=int))
    for name in ("mean", "deviation"):
        if tensors[name].shape != (len(read),):
            raise ValueError(f"{name} of {len(read)} inputs is of shape {tuple(tensors[name].shape)}")
    return Scaling(tensors["mean"].numpy(), tensors["deviation"].numpy(), read), modules


def fit_model(
    replay: Replay,
    reference_date: date,
    config: HubConfig,
    weights: dict[str, float] | None,
    *,
    work: Work,
    progress: Callable[[int, int], None],
) -> HubModel:
    """All heads fitted on what was known for one reference date; without weights the pool's are equal.

    `progress` is called with (heads done, heads in all).
    """
    known = replay.known(reference_date)
    examples = build_examples(known.counts, replay.history, known.population, replay.rules, config, others=known.others)
    heads: dict[str, Head] = {}

    def take(name: str, head: Head) -> None:
        heads[name] = head
        progress(len(heads), len(config.heads))

    progress(0, len(config.heads))
    tasks: dict[str, HeadName] = {name: name for name in reversed(config.heads)}
    work.carry_out(_fit, tasks, (examples, replay.rules, config), take)
    ordered = {name: heads[name] for name in config.heads}
    return HubModel(
        config, replay.rules, reference_date, ordered, equal_weights(config) if weights is None else weights
    )


def _fit(given: tuple[Examples, Rules, HubConfig], name: HeadName) -> Head:
    return fit_head(name, *given)
