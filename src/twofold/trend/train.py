"""Training of an ensemble's recurrent networks in threads, with checkpoints."""

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from twofold.counts.panel import Increments
from twofold.engine.checkpoint import load_state, save_state
from twofold.engine.diagnosis import lower, ran_away
from twofold.engine.errors import DivergedError
from twofold.engine.loop import Loss, Plan, Record, Step, TrainState, fit, shuffled
from twofold.engine.recurrent import CELLS, Cell
from twofold.engine.seed import seed_for
from twofold.trend.config import TrainConfig, TrendConfig
from twofold.trend.features import FeatureFit, Inputs, apply_features, first_alike, fit_features
from twofold.trend.model import ROWS_AT_ONCE, Recurrent, region_codes
from twofold.trend.windows import Windows

SECONDS_BETWEEN_SAVES = 1.0
OnEpoch = Callable[[Record], None]


@dataclass(frozen=True)
class Stage:
    """A training set and all that is fitted on it.

    Attributes:
        name: `select` (stopped by the validation set), `evaluate` (all known before the test) or `final` (all).
        increments: of all regions.
        windows: all windows.
        rows: training windows.
        config: the run.
        monitored: further windows to measure after every epoch, by name; those of `validation` stop the training.
        epochs: of the networks for which an earlier stage chose them; the others' are the config's.
    """

    name: str
    increments: Increments
    windows: Windows
    rows: Int64[np.ndarray, " rows"]
    config: TrendConfig
    monitored: dict[str, np.ndarray] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)

    @cached_property
    def features(self) -> FeatureFit:
        """Fitted on `rows`."""
        return fit_features(self.increments, self.windows, self.rows, self.config.features, self.config.window)

    @cached_property
    def inputs(self) -> Inputs:
        """The models' inputs for all windows."""
        windows = self.windows
        return apply_features(self.features, self.increments, windows.region, windows.origin, self.config.window)

    @property
    def networks(self) -> dict[str, Cell]:
        """Cell of each network to train, by its name in the ensemble, such as `gru-0`."""
        config = self.config
        cells: list[Cell] = [config.model.cell, *(cell for cell in CELLS if cell in config.ensemble.partners)]
        return {f"{cell}-{index}": cell for cell in dict.fromkeys(cells) for index in range(config.ensemble.seeds)}


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        module: with the weights of the best epoch where a validation set chose one, else of the last.
        epochs: epochs that those weights were trained for.
    """

    module: Recurrent
    epochs: int


def train_networks(stages: Sequence[Stage], checkpoints: Path, on_epoch: OnEpoch) -> list[dict[str, Trained]]:
    """Trains the networks of all stages of a run, some in parallel; the result does not depend on how many.

    Args:
        stages: of one run.
        checkpoints: folder of one state file per network; training continues from those that are there.
        on_epoch: called with every epoch's record, from several threads.

    Returns:
        For each stage its networks by name.

    Raises:
        DivergedError: names the network that diverged.
        KeyboardInterrupt: once every thread has stopped at the end of an epoch and saved.
    """
    # Built here, since initial weights draw from global random state; trained in threads, which draw from none.
    states = [{name: _initial_state(stage, name, cell) for name, cell in stage.networks.items()} for stage in stages]
    stop = threading.Event()
    jobs = stages[0].config.train.jobs or os.cpu_count() or 1
    with ThreadPoolExecutor(jobs, initializer=torch.set_num_threads, initargs=(1,)) as pool, _one_thread():
        trained = [
            {
                name: pool.submit(_train, stage, name, state, checkpoints=checkpoints, on_epoch=on_epoch, stop=stop)
                for name, state in each.items()
            }
            for stage, each in zip(stages, states, strict=True)
        ]
        futures = [future for each in trained for future in each.values()]
        done: set[Future[Trained]] = set()
        try:
            # In short waits, since polars' handler of Ctrl-C does not end an endless one; until all end or one fails.
            while len(done) < len(futures) and not any(future.exception() for future in done):
                done = wait(futures, timeout=0.1, return_when=FIRST_EXCEPTION).done
        finally:
            stop.set()
            for future in futures:
                future.cancel()
        return [{name: future.result() for name, future in each.items()} for each in trained]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Small recurrent networks are up to 15 times slower on two threads of a busy machine than on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _seed(stage: Stage, name: str) -> int:
    """The same in every stage, so that a refit changes the data and nothing else."""
    return seed_for(stage.config.seed, f"member {name}")


def _initial_state(stage: Stage, name: str, cell: Cell) -> TrainState:
    settings, regions = stage.config.train, len(stage.features.context)
    module = Recurrent.seeded(stage.inputs, regions, cell, config=stage.config.model, seed=_seed(stage, name))
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    return TrainState(module, optimiser)


def _train(
    stage: Stage, name: str, state: TrainState, *, checkpoints: Path, on_epoch: OnEpoch, stop: threading.Event
) -> Trained:
    settings = stage.config.train
    plan = Plan(
        stage.epochs.get(name, settings.epochs),
        settings.learning_rate,
        settings.schedule,
        settings.clip_norm,
        settings.patience,
        _seed(stage, name),
    )
    path = checkpoints / f"{stage.name}-{name}.safetensors"
    load_state(state, path)
    tag = {"stage": stage.name, "member": name}
    for record in state.history:
        on_epoch(tag | record)
    codes = region_codes(stage.inputs, stage.increments.regions, stage.features.context)
    up = torch.from_numpy(stage.windows.up).float()
    batches = shuffled(torch.from_numpy(stage.rows), settings.batch_size, plan.seed)
    loss = make_loss(stage, codes)
    saved = time.monotonic()
    try:
        for record in fit(state, plan, batches, loss, lambda module: _measure(module, stage, up, codes)):
            on_epoch(tag | record)
            if stop.is_set() or time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                save_state(state, path)
                saved = time.monotonic()
            if stop.is_set():
                break
        save_state(state, path)
        kept, coin = state.use_best(), ignorant_loss(stage)
        if state.finished(plan) and ran_away(lost := state.history[kept - 1]["train_loss"], coin):
            raise DivergedError(f"the training loss of epoch {kept}, which is kept, is {lost:.4g}, a coin's {coin:.4g}")
    except DivergedError as error:
        advice = lower("--train.learning-rate", settings.learning_rate, TrainConfig().learning_rate)
        raise DivergedError(error.how, f"{name}, stage {stage.name}", advice) from error
    assert isinstance(state.module, Recurrent)
    return Trained(state.module, kept)


def ignorant_loss(stage: Stage) -> float:
    """Mean training loss of probability one half for every window."""
    weight = class_weight(stage)
    share = float(stage.windows.up[stage.rows].mean())
    return math.log(2.0) * (1.0 if weight is None else share * weight + 1.0 - share)


def class_weight(stage: Stage) -> float | None:
    """Weight of a window that goes up, which makes both classes weigh the same; None: they weigh as they are."""
    share = float(stage.windows.up[stage.rows].mean())
    return (1 - share) / share if stage.config.model.class_weight and 0 < share < 1 else None


def make_loss(stage: Stage, codes: Tensor) -> Loss:
    """Binary cross-entropy on the log odds, and the accuracy; `codes` are the windows' regions.

    Windows of a batch with equal inputs pass through the network once: nearly half of all windows of an early epidemic
    are all zero. Not so with dropout or a region embedding.
    """
    config, inputs, up = stage.config.model, stage.inputs, torch.from_numpy(stage.windows.up).float()
    weight = class_weight(stage)
    measure = nn.BCEWithLogitsLoss(pos_weight=None if weight is None else torch.tensor(weight))
    alone = config.dropout > 0 or config.embedding > 0
    twin = torch.arange(len(up)) if alone else torch.from_numpy(first_alike(inputs))

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        alike, place = torch.unique(twin[step.rows], return_inverse=True)
        logit, label = module(*inputs.batch(alike), codes[alike], step.generator)[place], up[step.rows]
        return measure(logit, label), {"accuracy": ((logit.detach() > 0) == (label > 0)).float().mean()}

    return loss


def _measure(module: nn.Module, stage: Stage, up: Tensor, codes: Tensor) -> Record:
    record: Record = {}
    for name, rows in stage.monitored.items():
        chunks = torch.from_numpy(rows).split(ROWS_AT_ONCE)
        logit = torch.cat([module(*stage.inputs.batch(chunk), codes[chunk]) for chunk in chunks]).double()
        label = up[rows].double()
        record[f"{name}_loss"] = float(nn.functional.binary_cross_entropy_with_logits(logit, label))
        record[f"{name}_accuracy"] = float(((logit > 0) == (label > 0)).double().mean())
    return record
