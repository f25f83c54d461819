"""A saved run as a forecaster: each region's probability of rising on the date after the last.

The model is `model.safetensors` (networks, with everything else as JSON in its metadata) and, where partners are
scikit-learn models, `model.skops`, read with an explicit list of types. Neither can run code when it is loaded.
"""

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Kind, Panel, counted
from twofold.counts.places import iso2
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import write_bytes
from twofold.engine.recurrent import Cell
from twofold.engine.run import require_done
from twofold.engine.trees import read_trees, save_trees
from twofold.trend.baselines import Baseline, Estimator, Rates
from twofold.trend.calibrate import Calibration, apply_calibration
from twofold.trend.config import TrendConfig
from twofold.trend.features import FeatureFit, apply_features
from twofold.trend.fit import Ensemble, pool
from twofold.trend.model import Recurrent
from twofold.trend.train import Trained
from twofold.trend.windows import Prepared

NETWORKS, TREES, KEY = "model.safetensors", "model.skops", "model"


@dataclass(frozen=True)
class Forecast:
    """Probabilities for the date after the last, and what to know before using them.

    Attributes:
        table: `region`, `iso2` (null for ships), `probability`, `in_c`, `origin`, `target_date`, `last_value`.
        notes: warnings in plain sentences; empty when there is nothing to warn of.
    """

    table: pl.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Forecaster:
    """The final members of a run, refitted on all its dates.

    Attributes:
        config: of the run.
        ensemble: the members.
        calibration: of their pool.
        selected: names of the regions in C.
        last: last date that the members have seen.
        bears_days: days after `last` for which the run's own test speaks: the length of its test.
        step_days: days between two dates.
        kind: whether the run's data were running totals or new cases.
    """

    config: TrendConfig
    ensemble: Ensemble
    calibration: Calibration
    selected: tuple[str, ...]
    last: np.datetime64
    bears_days: int
    step_days: int
    kind: Kind

    @property
    def source(self) -> SourceConfig:
        """How newer data is read: as the run's own was, so that `auto` can't take another kind for it; to its end."""
        return self.config.source.model_copy(update={"kind": self.kind, "drop_last": 0})

    @classmethod
    def of(
        cls, panel: Panel, prepared: Prepared, final: Ensemble, calibration: Calibration, config: TrendConfig
    ) -> "Forecaster":
        """The forecaster of a run that was just fitted."""
        names = np.array(panel.regions)[prepared.in_c]
        tested = np.unique(prepared.windows.origin[prepared.split.test])
        return cls(
            config,
            final,
            calibration,
            tuple(names.tolist()),
            panel.dates[-1],
            int(tested.max() - tested.min() + 1) * panel.step_days,
            panel.step_days,
            panel.kind,
        )

    def predict(self, frame: "pl.DataFrame | str | Path") -> pl.DataFrame:
        """Probability that each region's count rises, for the date after the last.

        Args:
            frame: counts of the run's kind in long form, with the columns that its `source` settings name, or a file.

        Returns:
            As `Forecast.table`. Warns (`UserWarning`) when the data is older or newer than the model can bear.

        Raises:
            InputError: when the data breaks a rule, or does not fit the model.
        """
        forecast = self.forecast(load_panel(frame, self.source))
        for note in forecast.notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        return forecast.table

    def forecast(self, panel: Panel) -> Forecast:
        """As `predict`, for a panel, with the warnings as text."""
        self.check_step(panel)
        increments, asked = panel.increments(self.config.source.negatives), self.config.window
        if increments.counts.shape[1] < asked.length:
            raise InputError(
                f"a window holds {asked.length} increments, this data has {increments.counts.shape[1]}: give more dates"
            )
        region = np.arange(len(panel.regions))
        origin = np.full(len(region), increments.counts.shape[1] - 1)
        inputs = apply_features(self.ensemble.features, increments, region, origin, asked)
        pooled = pool(self.ensemble.predict(inputs, panel.regions, region))
        date = panel.dates[-1]
        table = pl.DataFrame(
            {
                "region": panel.regions,
                "iso2": pl.Series([iso2(name) for name in panel.regions], dtype=pl.String),
                "probability": apply_calibration(self.calibration, pooled),
                "in_c": np.isin(np.array(panel.regions), np.array(self.selected)),
                "origin": np.full(len(region), date),
                "target_date": np.full(len(region), date + np.timedelta64(self.step_days * asked.horizon, "D")),
                "last_value": increments.counts[:, -1],
            }
        )
        return Forecast(table, self.notes(panel))

    def check_step(self, panel: Panel) -> None:
        """Refuses daily data for a weekly model, and the reverse.

        Raises:
            InputError: when the panel's dates are not as far apart as those of the run.
        """
        if panel.step_days != self.step_days:
            raise InputError(
                f"the model was trained on dates {self.step_days} days apart, this data has steps of {panel.step_days}"
            )

    def notes(self, panel: Panel) -> tuple[str, ...]:
        """What speaks against using the model on this data, in plain sentences; empty when nothing does."""
        notes = []
        ahead = int((panel.dates[-1] - self.last).astype(int))
        if ahead < 0:
            notes.append(
                f"The data ends on {panel.dates[-1]}, {counted(-ahead, 'day')} before the last date the model was "
                f"trained on ({self.last}): it has seen what came next, so these probabilities are no forecast."
            )
        if ahead > self.bears_days:
            notes.append(
                f"The data ends on {panel.dates[-1]}, {counted(ahead, 'day')} after the last date the model was "
                f"trained on ({self.last}). Its scores come from {counted(self.bears_days, 'day')} of testing and say "
                "nothing about data this new: train again on the new data."
            )
        missing = sorted(set(self.selected) - set(panel.regions))
        if missing:
            lacking = counted(len(missing), "region")
            notes.append(f"The model was trained on {lacking} that this data lacks: {_some(missing)}.")
        outside = sorted(set(panel.regions) - set(self.selected))
        if outside:
            notes.append(
                f"No score speaks for {counted(len(outside), 'region')} outside the set C that the model was trained "
                f"and tested on: {_some(outside)}."
            )
        return tuple(notes)

    def save(self, folder: Path) -> None:
        """Writes the model's files into a run folder."""
        networks, estimators = self.ensemble.networks, self.ensemble.estimators
        rates = {name: asdict(model) for name, model in estimators.items() if isinstance(model, Rates)}
        about = {
            # How many networks trained at a time changes no result, so it must not change the file.
            "config": self.config.model_dump(mode="json"),
            "features": asdict(self.ensemble.features),
            "networks": {name: {"epochs": net.epochs, "known": net.known} for name, net in networks.items()},
            "rates": rates,
            "partners": list(estimators),
            "calibration": self.calibration.to_dict(),
            "selected": self.selected,
            "last": str(self.last),
            "bears_days": self.bears_days,
            "step_days": self.step_days,
            "kind": self.kind,
        }
        tensors = {
            f"{name}.{key}": value.contiguous()
            for name, net in networks.items()
            for key, value in net.module.state_dict().items()
        }
        fitted = {name: model.classifier for name, model in estimators.items() if isinstance(model, Estimator)}
        if fitted:
            save_trees(fitted, folder / TREES)
        write_bytes(folder / NETWORKS, save(tensors, {KEY: json.dumps(about, sort_keys=True)}))

    @classmethod
    def open(cls, folder: Path) -> "Forecaster":
        """Reads what `save` wrote into a run folder.

        Raises:
            RunFolderError: when there is no finished run, or a file of it can't be read as a model.
        """
        require_done(folder, "twofold trend run")
        path = folder / NETWORKS
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads(file.metadata()[KEY])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            needed = set(about["partners"]) - set(about["rates"])
            return cls._build(about, tensors, read_trees(folder / TREES) if needed else {})
        except RunFolderError:
            raise
        except (SafetensorError, OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RunFolderError(f"{path}: can't be read as a model of a trend run ({error})") from error

    @classmethod
    def _build(cls, about: dict[str, Any], tensors: dict[str, torch.Tensor], trees: dict[str, Any]) -> "Forecaster":
        config = TrendConfig.model_validate(about["config"])
        features = FeatureFit(**{key: tuple(value) for key, value in about["features"].items()})
        networks = {name: _build_network(name, entry, tensors, config) for name, entry in about["networks"].items()}
        rates = {name: Rates(tuple(r["edges"]), tuple(r["rates"]), r["zero"]) for name, r in about["rates"].items()}
        fitted = {name: Estimator(classifier) for name, classifier in trees.items()} | rates
        estimators: dict[str, Baseline] = {name: fitted[name] for name in about["partners"]}
        return cls(
            config,
            Ensemble(features, networks, estimators),
            Calibration.from_dict(about["calibration"]),
            tuple(about["selected"]),
            np.datetime64(about["last"]),
            about["bears_days"],
            about["step_days"],
            about["kind"],
        )


def _build_network(
    member: str, entry: dict[str, Any], tensors: dict[str, torch.Tensor], config: TrendConfig
) -> Trained:
    cell = cast(Cell, member.partition("-")[0])
    weights = {key.removeprefix(f"{member}."): value for key, value in tensors.items() if key.startswith(f"{member}.")}
    known = tuple(entry["known"])
    # The sizes that the config does not name are read off the weights.
    width = weights["layers.0.weight_ih_l0"].shape[1] - config.model.embedding
    module = Recurrent(width, 0, len(known), cell, config.model)
    module.load_state_dict(weights)
    return Trained(module, entry["epochs"], known)


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
