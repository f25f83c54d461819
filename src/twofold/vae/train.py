"""Images in, a trained network out: the only file of the study that knows the engine's loop."""

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
from twofold.vae.config import TrainConfig, VaeConfig
from twofold.vae.images.load import Images, Split
from twofold.vae.model import Vae, as_input
from twofold.vae.objective import beta_now, kl_units, loss_terms, reparameterise

AT_ONCE = 256
"""Images that pass through a network at once where nothing is learned from them."""
SAVING_SHARE = 0.03
"""Share of the time that may go into checkpoints."""
SECONDS_BETWEEN_SAVES = 5.0

Journal = Callable[[Record], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        vae: holds the averaged weights of the best epoch, in evaluation mode.
        history: one record an epoch.
        best_epoch: the epoch of those weights.
        images_seen: images that training passed through the network, repeats counted.
        stopped_early: patience ended it before its budget did.
    """

    vae: Vae
    history: list[Record]
    best_epoch: int
    images_seen: int
    stopped_early: bool


def train(
    images: Images,
    split: Split,
    config: VaeConfig,
    device: torch.device,
    *,
    checkpoints: Path,
    journal: Journal,
    progress: Progress,
) -> Trained:
    """Trains a network until its budget or its patience ends.

    A training that was cut is gone on with from the last checkpoint; Ctrl-C makes one between two steps.

    Args:
        images: all images.
        split: which of them to learn from, and which stop the training.
        config: network, objective, schedule, seed.
        device: where to train.
        checkpoints: folder of the state file.
        journal: called with every epoch's record, those of an earlier process first.
        progress: called after every step with (steps done, steps in all).

    Raises:
        NonFiniteLossError: when the loss is no longer finite.
        KeyboardInterrupt: passed on once the state is saved.
    """
    state = _fresh(config, device)
    path = checkpoints / "state.safetensors"
    load_state(state, path)
    for record in state.history:
        journal(record)
    plan, batches = _plan(split.train, config)
    loss = make_loss(images, config, device)

    def monitor(module: nn.Module) -> Record:
        assert isinstance(module, Vae)
        seen = {"images": _seen(state.step, len(split.train), config.train)}
        return seen | watch(module, images, split.validation, config, plan.progress(state.epoch + 1, state.step))

    with _interruptible() as interrupted:
        saves = _Saves()

        def pause(state: TrainState) -> bool:
            progress(state.step, plan.steps or 0)
            return interrupted.is_set() or saves.due()

        while not state.finished(plan):
            for record in fit(state, plan, batches, loss, monitor, pause=pause):
                journal(record)
            with saves.timed():
                save_state(state, path)
            if interrupted.is_set():
                raise KeyboardInterrupt
    best_epoch = state.use_best()
    assert isinstance(state.measured, Vae)
    seen = _seen(state.step, len(split.train), config.train)
    return Trained(state.measured.eval(), state.history, best_epoch, seen, state.epoch < plan.epochs)


def _fresh(config: VaeConfig, device: torch.device) -> TrainState:
    vae = Vae.seeded(config, seed_for(config.seed, "weights")).to(device)
    matrices = [weight for weight in vae.parameters() if weight.ndim > 1]
    others = [weight for weight in vae.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    settings = config.train
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    return TrainState(vae, optimiser, copy.deepcopy(vae) if settings.ema else None)


def _plan(rows: Int64[np.ndarray, " train"], config: VaeConfig) -> tuple[Plan, Callable[[int], Iterable[Tensor]]]:
    """The budget in epochs and steps, and each epoch's batches; a budget in images ends within an epoch."""
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
    """Batches in an epoch; a last image alone joins the batch before it, since BatchNorm can't learn from one."""
    return max(1, math.ceil((images - 1) / batch_size))


def _seen(steps: int, images: int, settings: TrainConfig) -> int:
    whole, rest = divmod(steps, steps_an_epoch(images, settings.batch_size))
    return whole * images + rest * settings.batch_size


def make_loss(images: Images, config: VaeConfig, device: torch.device) -> Loss:
    """Distortion + beta x rate of a batch, with both beside it."""

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(module, Vae)
        x = as_input(images.pixels[step.rows.numpy()], device)
        mu, logvar = module.encode(x)
        output = module.decode(reparameterise(mu, logvar, step.generator))
        beta = beta_now(config.objective, step.progress)
        terms = loss_terms(output, x, mu, logvar, module.likelihood, beta=beta, free_nats=config.objective.free_nats)
        return terms.loss, {"rate": terms.rate.detach(), "distortion": terms.distortion.detach()}

    return loss


def watch(
    vae: Vae, images: Images, rows: Int64[np.ndarray, " validation"], config: VaeConfig, progress: float
) -> Record:
    """The loss on validation images, one draw of z each, the same draws after every epoch."""
    generator = torch_generator(config.seed, "validation")
    device = next(vae.parameters()).device
    distortion, units = 0.0, 0.0
    for start in range(0, len(rows), AT_ONCE):
        x = as_input(images.pixels[rows[start : start + AT_ONCE]], device)
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


class _Saves:
    """Tells when it is time for another checkpoint: rarely where one is slow to write."""

    def __init__(self) -> None:
        self._last, self._cost = time.monotonic(), 0.0

    def due(self) -> bool:
        return time.monotonic() - self._last > max(SECONDS_BETWEEN_SAVES, self._cost / SAVING_SHARE)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - began


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """The first Ctrl-C waits for the end of a step, when the state is whole and can be saved; a second one doesn't."""
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
