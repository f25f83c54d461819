"""Windows in, trained networks out: the only file of the study that knows the engine's loop."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn

from twofold.engine.checkpoint import load_state, save_state
from twofold.engine.loop import Loss, Plan, Record, Step, TrainState, fit, shuffled
from twofold.engine.recurrent import Cell
from twofold.engine.seed import seed_for
from twofold.trend.config import ModelConfig, TrendConfig
from twofold.trend.features import Inputs
from twofold.trend.model import ROWS_AT_ONCE, Recurrent, region_codes

SECONDS_BETWEEN_SAVES = 1.0
Journal = Callable[[Record], None]


@dataclass(frozen=True)
class Task:
    """One network to train.

    Attributes:
        stage: `select` (stopped by the validation slice), `evaluate` (all known before the test) or `final` (all).
        cell: recurrent cell.
        index: which of the cell's seeds.
        epochs: passes over the windows, at most.
        inputs: all windows.
        up: their labels.
        names: regions of the data, in the order of its rows.
        train: windows to learn from.
        watched: further windows to measure after every epoch, by name; those of `validation` stop the training.
    """

    stage: str
    cell: Cell
    index: int
    epochs: int
    inputs: Inputs
    up: Bool[np.ndarray, " windows"]
    names: tuple[str, ...]
    train: Int64[np.ndarray, " train"]
    watched: dict[str, np.ndarray]

    @property
    def member(self) -> str:
        """Name within the ensemble, such as `gru-0`."""
        return f"{self.cell}-{self.index}"

    @property
    def known(self) -> tuple[str, ...]:
        """Regions with windows to learn from."""
        return tuple(self.names[row] for row in np.unique(self.inputs.region[self.train]))

    def seed(self, seed: int) -> int:
        """A member draws the same in every stage, so that refitting changes the data and nothing else."""
        return seed_for(seed, f"member {self.member}")


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        module: holds the weights of the best epoch where a validation slice chose one, else of the last.
        epochs: epochs that those weights have seen.
        known: regions that have a learned vector.
    """

    module: Recurrent
    epochs: int
    known: tuple[str, ...]


def train_networks(tasks: list[Task], config: TrendConfig, checkpoints: Path, journal: Journal) -> list[Trained]:
    """Trains several networks, some at the same time; the result does not depend on how many.

    Args:
        tasks: what to train.
        config: sizes, schedule, seed.
        checkpoints: folder of one state file a task; what it holds is gone on with.
        journal: called with every epoch's record, from several threads.

    Raises:
        NonFiniteLossError: when a loss is no longer finite.
        KeyboardInterrupt: passed on once every thread has stopped at the end of an epoch and saved.
    """
    # Built here, since first weights draw from global random state; trained in threads, which draw from none.
    prepared = [_prepare(task, config) for task in tasks]
    stop = threading.Event()
    jobs = config.train.jobs or os.cpu_count() or 1
    with ThreadPoolExecutor(jobs, initializer=torch.set_num_threads, initargs=(1,)) as pool, _one_thread():
        futures = [
            pool.submit(_train, task, state, config, checkpoints=checkpoints, journal=journal, stop=stop)
            for task, state in zip(tasks, prepared, strict=True)
        ]
        done: set[Future[Trained]] = set()
        try:
            # By turns, as polars' handler of Ctrl-C lets no endless wait end; to the end of all or the first error.
            while len(done) < len(futures) and not any(future.exception() for future in done):
                done = wait(futures, timeout=0.1, return_when=FIRST_EXCEPTION).done
        finally:
            stop.set()
            for future in futures:
                future.cancel()
        return [future.result() for future in futures]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Small recurrent nets run up to 15 times slower on two threads of a busy machine than on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _prepare(task: Task, config: TrendConfig) -> TrainState:
    seed = task.seed(config.seed)
    module = Recurrent.seeded(task.inputs, len(task.known), task.cell, config=config.model, seed=seed)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=config.train.learning_rate, weight_decay=config.train.weight_decay, fused=True
    )
    return TrainState(module, optimiser)


def _train(
    task: Task, state: TrainState, config: TrendConfig, *, checkpoints: Path, journal: Journal, stop: threading.Event
) -> Trained:
    settings = config.train
    plan = Plan(
        task.epochs,
        settings.learning_rate,
        settings.schedule,
        settings.clip_norm,
        settings.patience,
        task.seed(config.seed),
    )
    path = checkpoints / f"{task.stage}-{task.member}.safetensors"
    load_state(state, path)
    tag = {"stage": task.stage, "member": task.member}
    for record in state.history:
        journal(tag | record)
    codes = region_codes(task.inputs, task.names, task.known)
    up = torch.from_numpy(task.up).float()
    loss = make_loss(task, up, codes, config.model)
    batches = shuffled(torch.from_numpy(task.train), settings.batch_size, plan.seed)
    saved = time.monotonic()
    for record in fit(state, plan, batches, loss, lambda module: _watch(module, task, up, codes)):
        journal(tag | record)
        if stop.is_set() or time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
            save_state(state, path)
            saved = time.monotonic()
        if stop.is_set():
            break
    save_state(state, path)
    assert isinstance(state.module, Recurrent)
    return Trained(state.module, state.use_best(), task.known)


def make_loss(task: Task, up: Tensor, codes: Tensor, config: ModelConfig) -> Loss:
    """Binary cross-entropy on the log odds, with the accuracy beside it.

    Windows of a batch that hold the same inputs pass through the network once: near half of all windows of an early
    epidemic hold nothing but zeros. Under dropout, or where a region has a vector of its own, each passes by itself.
    """
    share = float(task.up[task.train].mean())
    weight = torch.tensor((1 - share) / share) if config.class_weight and 0 < share < 1 else None
    measure = nn.BCEWithLogitsLoss(pos_weight=weight)
    twin = torch.arange(len(task.up))
    if config.dropout == 0 and config.embedding == 0:
        # For each window the first one with the same inputs.
        _, first, place = np.unique(task.inputs.table(), axis=0, return_index=True, return_inverse=True)
        twin = torch.from_numpy(first[place.ravel()])

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        alike, place = torch.unique(twin[step.rows], return_inverse=True)
        logit, label = module(*task.inputs.batch(alike), codes[alike], step.generator)[place], up[step.rows]
        return measure(logit, label), {"accuracy": ((logit.detach() > 0) == (label > 0)).float().mean()}

    return loss


def _watch(module: nn.Module, task: Task, up: Tensor, codes: Tensor) -> Record:
    record: Record = {}
    for name, rows in task.watched.items():
        chunks = torch.from_numpy(rows).split(ROWS_AT_ONCE)
        logit = torch.cat([module(*task.inputs.batch(chunk), codes[chunk]) for chunk in chunks]).double()
        label = up[rows].double()
        record[f"{name}_loss"] = float(nn.functional.binary_cross_entropy_with_logits(logit, label))
        record[f"{name}_accuracy"] = float(((logit > 0) == (label > 0)).double().mean())
    return record
