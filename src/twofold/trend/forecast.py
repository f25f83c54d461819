"""A saved model as a forecaster: each region's probability of rising on the date after the last.

The model is `model.safetensors` (networks, with everything else as JSON in its metadata) and, for scikit-learn
members, `model.skops`, read with an explicit list of types. Neither can run code when it is loaded.
"""

import json
import warnings
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from safetensors.torch import save

from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Increments, Kind, Negatives, Panel, counted
from twofold.counts.places import iso2
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import write_bytes
from twofold.engine.recurrent import Cell
from twofold.engine.run import require_done
from twofold.engine.tensors import loaded, read_tensors
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
    """Probabilities for the date after the last.

    Attributes:
        table: `region`, `iso2` (null for ships), `probability`, `in_c`, `origin`, `target_date`, `last_value`.
        notes: warnings as sentences.
    """

    table: pl.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Forecaster:
    """The final members of a run, fitted on all its dates.

    Attributes:
        config: of the run.
        ensemble: the members.
        calibration: of their pool.
        selected: names of the regions in C.
        last: last training date.
        tested_days: length of the run's test period; its scores hold for as many days after `last`.
        step_days: days between two dates.
        kind: whether the run's data were running totals or new cases.
    """

    config: TrendConfig
    ensemble: Ensemble
    calibration: Calibration
    selected: tuple[str, ...]
    last: np.datetime64
    tested_days: int
    step_days: int
    kind: Kind

    @property
    def source(self) -> SourceConfig:
        """How newer data is read: as the run's own kind, whatever `auto` would find, and up to its last date."""
        return self.config.source.model_copy(update={"kind": self.kind, "drop_last": 0})

    @classmethod
    def of(
        cls, panel: Panel, prepared: Prepared, final: Ensemble, calibration: Calibration, config: TrendConfig
    ) -> "Forecaster":
        """The forecaster of a fitted run."""
        names = np.array(panel.regions)[prepared.screen.selected]
        tested = prepared.windows.origin[prepared.split.test]
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
            frame: a file, or counts of the run's kind in long form with the columns that its `source` settings name.

        Returns:
            As `Forecast.table`. Warns (`UserWarning`) with its `notes`.

        Raises:
            InputError: when the data is invalid or does not fit the model.
        """
        forecast = self.forecast(load_panel(frame, self.source))
        for note in forecast.notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        return forecast.table

    def forecast(self, panel: Panel, negatives: Negatives | None = None) -> Forecast:
        """As `predict`, for a panel, with the warnings as sentences.

        Args:
            panel: newer counts.
            negatives: treatment of their downward corrections; None: the run's.
        """
        self.check_step(panel)
        increments, window = panel.increments(negatives or self.config.source.negatives), self.config.window
        if increments.counts.shape[1] < window.length:
            raise InputError(
                f"a window has {window.length} increments, this data {increments.counts.shape[1]}: give more dates"
            )
        date = panel.dates[-1]
        table = pl.DataFrame(
            {
                "region": panel.regions,
                "iso2": pl.Series([iso2(name) for name in panel.regions], dtype=pl.String),
                "probability": self._probabilities(increments, panel.regions),
                "in_c": np.isin(np.array(panel.regions), np.array(self.selected)),
                "origin": np.full(len(panel.regions), date),
                "target_date": np.full(len(panel.regions), date + np.timedelta64(self.step_days * window.horizon, "D")),
                "last_value": increments.counts[:, -1],
            }
        )
        return Forecast(table, self.notes(panel))

    def check_step(self, panel: Panel) -> None:
        """Raises an InputError when the panel's step is not the run's, such as daily data for a weekly model."""
        if panel.step_days != self.step_days:
            raise InputError(
                f"the model was trained on dates {self.step_days} days apart, this data has steps of {panel.step_days}"
            )

    def notes(self, panel: Panel) -> tuple[str, ...]:
        """Warnings against using the model on this data, as sentences."""

        def some(names: list[str]) -> str:
            return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")

        def steps(days: int) -> str:
            return counted(days // self.step_days, "day" if self.step_days == 1 else "week")

        notes = []
        ahead = int((panel.dates[-1] - self.last).astype(int))
        if ahead < 0:
            notes.append(
                f"The data ends on {panel.dates[-1]}, {steps(-ahead)} before the last date the model was "
                f"trained on ({self.last}): the training data contain the outcome, so these are no forecasts."
            )
        if ahead > self.tested_days:
            notes.append(
                f"The data ends on {panel.dates[-1]}, {steps(ahead)} after the last date the model was "
                f"trained on ({self.last}). Its scores come from {steps(self.tested_days)} of testing and do "
                "not hold for later dates: train again on the new data."
            )
        missing = sorted(set(self.selected) - set(panel.regions))
        if missing:
            regions = counted(len(missing), "region")
            notes.append(f"The model was trained on {regions} that this data lacks: {some(missing)}.")
        outside = sorted(set(panel.regions) - set(self.selected))
        if outside:
            notes.append(
                f"No score covers {counted(len(outside), 'region')} outside the set C that the model was trained "
                f"and tested on: {some(outside)}."
            )
        return tuple(notes)

    def save(self, folder: Path) -> None:
        """Writes the model's files into a run folder."""
        networks, estimators = self.ensemble.networks, self.ensemble.estimators
        about = {
            "config": self.config.model_dump(mode="json"),
            "features": asdict(self.ensemble.features),
            "networks": {
                name: {"epochs": net.epochs, "known": self.ensemble.features.context} for name, net in networks.items()
            },
            "rates": {name: asdict(model) for name, model in estimators.items() if isinstance(model, Rates)},
            "partners": list(estimators),
            "calibration": self.calibration.to_dict(),
            "selected": self.selected,
            "last": str(self.last),
            "bears_days": self.tested_days,
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
            texts, tensors = read_tensors(path)
            about = json.loads(texts[KEY])
            needed = set(about["partners"]) - set(about["rates"])
            found = cls._build(about, tensors, read_trees(folder / TREES) if needed else {})
            found._try()
            return found
        except RunFolderError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RunFolderError(f"{path}: can't be read as a model of a trend run ({error})") from error

    def _try(self) -> None:
        """Forecasts from a made-up table, so that parts that don't fit together show before they are used.

        Raises:
            ValueError: when that gives no probabilities.
            Exception: of many types, from inside of networks and classifiers.
        """
        regions = self.ensemble.features.context
        counts = np.tile(np.arange(self.config.window.length + 2), (len(regions), 1))
        dates = self.last + self.step_days * np.arange(counts.shape[1])
        values = counts.cumsum(axis=1) if self.kind == "cumulative" else counts
        found = self._probabilities(Panel(regions, dates, values, self.kind).increments("keep"), regions)
        if not np.all((found >= 0) & (found <= 1)):
            raise ValueError("it gives no probabilities")

    def _probabilities(self, increments: Increments, regions: tuple[str, ...]) -> Float[np.ndarray, " regions"]:
        """Each region's probability of rising after the last date."""
        region = np.arange(len(regions))
        origin = np.full(len(region), increments.counts.shape[1] - 1)
        inputs = apply_features(self.ensemble.features, increments, region, origin, self.config.window)
        return apply_calibration(self.calibration, pool(self.ensemble.predict(inputs, regions, region)))

    @classmethod
    def _build(cls, about: dict[str, Any], tensors: dict[str, torch.Tensor], trees: dict[str, Any]) -> "Forecaster":
        config = TrendConfig.model_validate(about["config"])
        features = FeatureFit(**{key: tuple(value) for key, value in about["features"].items()})
        largest = float(np.finfo(np.float32).max)
        if not all(abs(value) <= largest for value in (*features.mean, *features.deviation)):
            raise ValueError("means or deviations of inputs that are no numbers")
        networks: dict[str, Trained] = {}
        for name, entry in about["networks"].items():
            weights = {key.removeprefix(f"{name}."): w for key, w in tensors.items() if key.startswith(f"{name}.")}
            # The sizes that the config does not give are those of the weights.
            width = weights["layers.0.weight_ih_l0"].shape[1] - config.model.embedding
            cell = cast(Cell, name.partition("-")[0])
            make = partial(Recurrent, width, 0, len(entry["known"]), cell, config.model)
            module = loaded(make, weights)
            networks[name] = Trained(module, entry["epochs"])
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
