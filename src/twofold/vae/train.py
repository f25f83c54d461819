"""Training of the autoencoder with the engine's loop: batches, loss, validation, checkpoints, Ctrl-C."""

import contextlib
import copy
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from twofold.engine.checkpoint import load_state, save_state
from twofold.engine.loop import Loss, Plan, Record, Step, TrainState, fit
from twofold.engine.seed import seed_for, torch_generator
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images, Split
from twofold.vae.model import Vae, as_input
from twofold.vae.objective import beta_now, kl_units, loss_terms, reparameterise

AT_ONCE = 256
"""Batch size wherever no gradient is needed."""
SAVING_SHARE = 0.03
"""Largest share of the time spent on writing checkpoints."""
SECONDS_BETWEEN_SAVES = 5.0

OnEpoch = Callable[[Record], None]
OnStep = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


@dataclass(frozen=True)
class Trained:
    """A network with the averaged weights of its best epoch, in evaluation mode, and the history of its training."""

    vae: Vae
    history: list[Record]
    """One record per epoch."""
    best_epoch: int
    stopped_early: bool
    """Whether patience ended the training before its budget did."""

    @property
    def images_seen(self) -> int:
        """Training images seen, repeats counted."""
        return self.history[-1]["images"]


def train(
    images: Images,
    split: Split,
    config: VaeConfig,
    device: torch.device,
    *,
    checkpoints: Path,
    on_epoch: OnEpoch,
    on_step: OnStep,
) -> Trained:
    """Trains a network until its budget or its patience ends.

    An interrupted training resumes from its last checkpoint; Ctrl-C writes one between two steps.

    Args:
        split: its training images fit the weights, its validation images stop the training.
        checkpoints: folder of the state file.
        on_epoch: called with every epoch's record, those of an earlier process first.
        on_step: called after every step.

    Raises:
        NonFiniteLossError: when the loss is no longer finite.
        KeyboardInterrupt: passed on once the state is saved.
    """
    vae, settings = Vae.seeded(config, seed_for(config.seed, "weights")).to(device), config.train
    groups = [
        {"params": [weight for weight in vae.parameters() if weight.ndim > 1]},
        {"params": [weight for weight in vae.parameters() if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    state = TrainState(vae, optimiser, copy.deepcopy(vae) if settings.ema else None)
    path = checkpoints / "state.safetensors"
    load_state(state, path)
    for record in state.history:
        on_epoch(record)
    plan, batches = _plan(split.train, config)
    loss = make_loss(images, config, device)

    def monitor(module: nn.Module) -> Record:
        assert isinstance(module, Vae)
        whole, rest = divmod(state.step, steps_an_epoch(len(split.train), settings.batch_size))
        seen = {"images": whole * len(split.train) + rest * settings.batch_size}
        return seen | validate(module, images, split.validation, config, plan.progress(state.epoch + 1, state.step))

    with _interruptible() as interrupted:
        saved, cost = time.monotonic(), 0.0

        def pause(state: TrainState) -> bool:
            on_step(state.step, plan.steps or 0)
            # The slower a checkpoint is to write, the fewer are written.
            return interrupted.is_set() or time.monotonic() - saved > max(SECONDS_BETWEEN_SAVES, cost / SAVING_SHARE)

        while not state.finished(plan):
            for record in fit(state, plan, batches, loss, monitor, pause=pause):
                on_epoch(record)
            began = time.monotonic()
            save_state(state, path)
            saved = time.monotonic()
            cost = saved - began
            if interrupted.is_set():
                raise KeyboardInterrupt
    best_epoch = state.use_best()
    assert isinstance(state.measured, Vae)
    return Trained(state.measured.eval(), state.history, best_epoch, state.epoch < plan.epochs)


def _plan(rows: Int64[np.ndarray, " train"], config: VaeConfig) -> tuple[Plan, Callable[[int], Iterable[Tensor]]]:
    """The budget in epochs and steps, and each epoch's batches; a budget in images may end within an epoch."""
    settings = config.train
    in_an_epoch = steps_an_epoch(len(rows), settings.batch_size)
    steps = settings.epochs * in_an_epoch
    if settings.images:
        steps = math.ceil(settings.images / settings.batch_size)
    plan = Plan(
        epochs=math.ceil(steps / in_an_epoch),
        learning_rate=settings.learning_rate,
        schedule=settings.schedule,
        clip_norm=settings.clip_norm,
        patience=settings.patience,
        seed=config.seed,
        steps=steps,
        averaging=settings.ema,
    )
    indices = torch.from_numpy(rows)

    def batches(epoch: int) -> Iterable[Tensor]:
        order = indices[torch.randperm(len(indices), generator=torch_generator(config.seed, "shuffle", epoch))]
        ends = itertools.pairwise([*range(0, in_an_epoch * settings.batch_size, settings.batch_size), len(order)])
        left = steps - (epoch - 1) * in_an_epoch
        return (order[start:end] for start, end in itertools.islice(ends, left))

    return plan, batches


def steps_an_epoch(images: int, batch_size: int) -> int:
    """Batches per epoch; a single last image joins the batch before it, since BatchNorm needs two."""
    return max(1, math.ceil((images - 1) / batch_size))


def make_loss(images: Images, config: VaeConfig, device: torch.device) -> Loss:
    """A function that computes distortion + beta x rate of a batch, and both terms."""

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(module, Vae)
        x = as_input(images.pixels[step.rows.numpy()], device)
        mu, logvar = module.encode(x)
        output = module.decode(reparameterise(mu, logvar, step.generator))
        beta = beta_now(config.objective, step.progress)
        free_nats = config.objective.free_nats
        return loss_terms(output, x, mu, logvar, module.likelihood, beta=beta, free_nats=free_nats)

    return loss


def batches_of(
    images: Images, rows: Int64[np.ndarray, " rows"], device: torch.device, at_once: int
) -> Iterator[Tensor]:
    """Rows of the images as the network's input, `at_once` at a time."""
    for start in range(0, len(rows), at_once):
        yield as_input(images.pixels[rows[start : start + at_once]], device)


def validate(
    vae: Vae, images: Images, rows: Int64[np.ndarray, " validation"], config: VaeConfig, progress: float
) -> Record:
    """The loss on validation images with one sample of z each, drawn with the same noise after every epoch."""
    generator = torch_generator(config.seed, "validation")
    distortion, units = 0.0, 0.0
    for x in batches_of(images, rows, next(vae.parameters()).device, AT_ONCE):
        mu, logvar = vae.encode(x)
        output = vae.decode(reparameterise(mu, logvar, generator))
        distortion += float(vae.likelihood.nll(output, x).double().sum()) / len(rows)
        units = units + kl_units(mu, logvar).double().sum(dim=0) / len(rows)
    assert isinstance(units, Tensor)
    objective = config.objective
    return {
        "validation_loss": distortion + objective.beta * float(units.clamp(min=objective.free_nats).sum()),
        "validation_rate": float(units.sum()),
        "validation_distortion": distortion,
        "beta_now": beta_now(objective, progress),
        "sigma": vae.likelihood.sigma,
    }


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """The first Ctrl-C waits for the end of a step, when the state can be saved; a second one doesn't."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
