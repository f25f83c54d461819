"""Training of the autoencoder with the engine's loop: batches, loss, validation, checkpoints, Ctrl-C."""

import contextlib
import copy
import itertools
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from twofold.engine.checkpoint import load_state, save_state
from twofold.engine.device import computes_bf16
from twofold.engine.files import text, usable, write_json
from twofold.engine.loop import Loss, Plan, Record, Step, TrainState, fit
from twofold.engine.ranks import ALONE, Ranks
from twofold.engine.seed import torch_generator
from twofold.vae.config import VaeConfig, with_epochs
from twofold.vae.images.load import Images, Split
from twofold.vae.model import Vae, as_input
from twofold.vae.multiscale import Multiscale
from twofold.vae.objective import (
    beta_now,
    correlation_penalty,
    kl_units,
    loss_terms,
    reparameterise,
    validation_penalty,
)
from twofold.vae.score import evaluate
from twofold.vae.start import Choice, Started, begin

Precision = Literal["fp32", "bf16"]
PAYS_FROM = 2**21
"""Pixels of a batch times channels of its convolutions from which lower precision is taken where a device computes it.

Half of what the default has at 64 x 64, whose steps it makes 1.4 times as fast; steps of milliseconds gain nothing.
"""
AT_ONCE, AT_ONCE_SIDE = 256, 64
"""Images at once wherever no gradient is needed, and the side of the largest square of which so many fit."""
SAVING_SHARE = 0.03
"""Largest share of the time spent on writing checkpoints."""
SECONDS_BETWEEN_SAVES = 5.0
CLOSED_FORM_SHARE = 0.02
"""Share of the learning rate for what starts in closed form: at the full one its first steps lose what it has."""

OnEpoch = Callable[[Record], None]
OnStep = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


@dataclass(frozen=True)
class Trained:
    """A network with the averaged weights of its best epoch, in evaluation mode, and the history of its training.

    Attributes:
        config: the run's, with the length of z; that of probabilistic PCA where the training fell back to it.
        history: one record per epoch.
        best_epoch: 0 where a start in closed form was better than every epoch.
        stopped_early: whether patience ended the training before its budget did.
        choice: what a closed-form start was chosen to be.
        start: the validation of such a start.
        precision: of the convolutions.
        fell_back: whether probabilistic PCA was better on validation images and took the network's place.
    """

    vae: Vae
    config: VaeConfig
    history: list[Record]
    best_epoch: int
    stopped_early: bool
    choice: Choice | None
    start: Record | None
    fell_back: bool
    precision: Precision

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
    ranks: Ranks = ALONE,
) -> Trained:
    """Trains a network until its budget or its patience ends.

    An interrupted training resumes from its last checkpoint; Ctrl-C writes one between two steps. With a larger budget
    one that has ended goes on from its last step: learning rate and warm-up of beta follow the new budget from there.

    Args:
        split: its training images fit the weights, its validation images stop the training.
        checkpoints: folder of the state file.
        on_epoch: called with every epoch's record, those of an earlier process first.
        on_step: called after every step.
        ranks: the processes that train together, with the same arguments; all read `checkpoints`, the first writes.

    Raises:
        DivergedError: when the loss or a weight is no longer finite.
        KeyboardInterrupt: passed on once the state is saved.
    """
    config = with_epochs(config, len(split.train))
    began = ranks.in_turn(lambda: begin(images, split, config, device, checkpoints))
    return train_from(
        began, images, split, device, checkpoints=checkpoints, on_epoch=on_epoch, on_step=on_step, ranks=ranks
    )


def train_from(
    began: Started,
    images: Images,
    split: Split,
    device: torch.device,
    *,
    checkpoints: Path,
    on_epoch: OnEpoch,
    on_step: OnStep,
    ranks: Ranks = ALONE,
) -> Trained:
    """As `train`, for a network that has been started."""
    vae, config, settings = began.vae, began.config, began.config.train
    optimiser = torch.optim.AdamW(
        _groups(vae), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    state = TrainState(vae, optimiser, copy.deepcopy(vae) if settings.ema else None)
    path = checkpoints / "state.safetensors"
    start = None
    if began.choice:  # a start in closed form may be better than all that training makes of it
        start = ranks.tell(validate(vae.eval(), images, split.validation, config, 0.0))
        state.best, state.best_loss = copy.deepcopy(vae.state_dict()), start["validation_loss"]
    load_state(state, path)
    ranks.agree(True)  # before one of them replaces the file
    for record in state.history:
        on_epoch(record)
    plan, in_an_epoch, batches = _plan(split.train, began)
    precision: Precision = ranks.in_turn(lambda: pick_precision(config, device, checkpoints))
    loss = ranks.together(vae, make_loss(images, began, split.train, device, precision))

    def monitor(module: nn.Module) -> Record:
        assert isinstance(module, Vae)
        whole, rest = divmod(state.step, in_an_epoch)
        seen = {"images": min(whole * len(split.train) + rest * settings.batch_size, (whole + 1) * len(split.train))}
        return seen | validate(module, images, split.validation, config, plan.progress(state.epoch + 1, state.step))

    with _interruptible(patient=ranks.world > 1) as interrupted:
        saved, cost = time.monotonic(), 0.0

        def pause(state: TrainState) -> bool:
            on_step(state.step, plan.steps or 0)
            # The slower a checkpoint is to write, the fewer are written. The last one is that of the last step, before
            # its epoch ends: a larger budget goes on there, also within an epoch, as if it had been given at first.
            due = time.monotonic() - saved > max(SECONDS_BETWEEN_SAVES, cost / SAVING_SHARE)
            return due or interrupted.is_set() or state.step == plan.steps

        while not state.finished(plan):
            for record in fit(state, plan, batches, loss, monitor, pause=pause, ranks=ranks):
                on_epoch(record)
            before = time.monotonic()
            if ranks.first and (state.unfinished or state.step != plan.steps):
                save_state(state, path)
            saved = time.monotonic()
            cost = saved - before
            if ranks.agree(interrupted.is_set()):
                raise KeyboardInterrupt
    best_epoch = state.use_best()
    vae = state.measured
    assert isinstance(vae, Vae)
    fell_back = False
    if began.linear and config.objective.beta == 1.0:
        kept = state.history[best_epoch - 1] if best_epoch else start
        assert kept is not None
        other, other_config = began.linear
        fell_back = (
            linear_nats(other, images, split.validation, config)
            < kept["validation_rate"] + kept["validation_distortion"]
        )
        if fell_back:
            vae, config = other, other_config
    stopped_early = state.epoch < plan.epochs
    return Trained(
        vae.eval(), config, state.history, best_epoch, stopped_early, began.choice, start, fell_back, precision
    )


def _groups(vae: Vae) -> list[dict[str, Any]]:
    """The learned weights: those of layers, which decay, the others, and those that start in closed form."""
    likelihood = vae.likelihood
    closed = likelihood.closed_form() if isinstance(likelihood, Multiscale) else []
    special = {id(weight) for weight in closed}
    learned = [weight for weight in vae.parameters() if weight.requires_grad and id(weight) not in special]
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in learned if weight.ndim > 1]},
        {"params": [weight for weight in learned if weight.ndim <= 1], "weight_decay": 0.0},
        {"params": closed, "weight_decay": 0.0, "share": CLOSED_FORM_SHARE},
    ]
    return [group for group in groups if group["params"]]


def _plan(rows: Int64[np.ndarray, " train"], began: Started) -> tuple[Plan, int, Callable[[int], Iterable[Tensor]]]:
    """The budget in epochs and steps, the steps of an epoch, and each epoch's batches.

    A budget in images may end within an epoch. A batch holds images of one fold only.
    """
    config = began.config
    settings, indices, folds = config.train, torch.from_numpy(rows), torch.from_numpy(began.fold_of)
    sizes = torch.bincount(folds).tolist()
    in_an_epoch = sum(steps_an_epoch(size, settings.batch_size) for size in sizes)
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
        warmup_steps=settings.warmup_steps,
    )

    def batches(epoch: int) -> Iterable[Tensor]:
        generator = torch_generator(config.seed, "shuffle", epoch)
        order = torch.randperm(len(indices), generator=generator)
        found: list[Tensor] = []
        for fold, size in enumerate(sizes):
            part = indices[order[folds[order] == fold]]
            ends = [
                *range(0, steps_an_epoch(size, settings.batch_size) * settings.batch_size, settings.batch_size),
                size,
            ]
            found += [part[start:end] for start, end in itertools.pairwise(ends)]
        if len(sizes) > 1:
            found = [found[at] for at in torch.randperm(len(found), generator=generator).tolist()]
        return found[: steps - (epoch - 1) * in_an_epoch]

    return plan, in_an_epoch, batches


def steps_an_epoch(images: int, batch_size: int) -> int:
    """Batches per epoch; a single last image joins the batch before it, since BatchNorm needs two."""
    return max(1, math.ceil((images - 1) / batch_size))


def pick_precision(config: VaeConfig, device: torch.device, checkpoints: Path) -> Precision:
    """The precision that the config names or, by `auto`, the one that suits device and size of a batch.

    By what the device can do, never by the clock, so that equal runs are equal. The choice is kept for a resumed run,
    which may go on elsewhere.
    """
    settings, path = config.train, checkpoints / "precision.json"
    if settings.precision != "auto":
        return settings.precision
    if not usable(path):
        work = settings.batch_size * config.image.height * config.image.width * _channels(config)
        checkpoints.mkdir(parents=True, exist_ok=True)
        write_json(path, {"precision": "bf16" if work >= PAYS_FROM and computes_bf16(device) else "fp32"})
    return json.loads(text(checkpoints, path.name))["precision"]


def _channels(config: VaeConfig) -> int:
    """Channels of the convolutions; 0 where there are none, and for the original study's, which stay in float32."""
    if config.likelihood.name == "multiscale":
        return config.likelihood.width
    return config.model.width if config.model.network == "plain" else 0


def make_loss(
    images: Images, began: Started, rows: Int64[np.ndarray, " train"], device: torch.device, precision: Precision
) -> Loss:
    """A function that computes the loss of a batch, and its terms."""
    config, fold_by_row = began.config, dict(zip(rows.tolist(), began.fold_of.tolist(), strict=True))

    def loss(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(module, Vae)
        x = as_input(images.pixels[step.rows.numpy()], device)
        encoder, decoder = module.encoder, module.decoder
        if began.folds:
            encoder, decoder = began.folds[fold_by_row[int(step.rows[0])]]
        objective, beta = config.objective, beta_now(config.objective, step.progress)
        weight = beta if objective.name == "elbo" else 1.0
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            mu, logvar = module.posterior(encoder(x))
            mu, logvar = mu.float(), logvar.float()
            z = reparameterise(mu, logvar, step.generator)
            loss, terms = loss_terms(
                decoder(z), x, mu, logvar, module.likelihood, beta=weight, free_nats=objective.free_nats
            )
            more, further = correlation_penalty(objective, z, mu, logvar, beta=beta, images=len(rows))
            return loss + more, terms | further

    return loss


def at_once(height: int, width: int) -> int:
    """Images at once wherever no gradient is needed: fewer of large ones, for the memory of their feature maps."""
    return max(1, min(AT_ONCE, AT_ONCE * AT_ONCE_SIDE**2 // (height * width)))


def batches_of(images: Images, rows: Int64[np.ndarray, " rows"], device: torch.device, number: int) -> Iterator[Tensor]:
    """Rows of the images as the network's input, `number` at a time."""
    for start in range(0, len(rows), number):
        yield as_input(images.pixels[rows[start : start + number]], device)


@torch.no_grad()
def validate(
    vae: Vae, images: Images, rows: Int64[np.ndarray, " validation"], config: VaeConfig, progress: float
) -> Record:
    """The loss on validation images with one sample of z each, drawn with the same noise after every epoch."""
    generator = torch_generator(config.seed, "validation")
    distortion, units, codes = 0.0, 0.0, []
    for x in batches_of(images, rows, next(vae.parameters()).device, at_once(*images.pixels.shape[1:3])):
        mu, logvar = vae.encode(x)
        z = reparameterise(mu, logvar, generator)
        if config.objective.name != "elbo":
            codes.append((z, mu, logvar))
        output = vae.decode(z)
        distortion += float(vae.likelihood.nll(output, x).double().sum()) / len(rows)
        units = units + kl_units(mu, logvar).double().sum(dim=0) / len(rows)
    assert isinstance(units, Tensor)
    objective = config.objective
    penalty = validation_penalty(objective, codes, config.train.batch_size)
    weighed = objective.rate_weight * float(units.clamp(min=objective.free_nats).sum())
    return {
        "validation_loss": distortion + weighed + penalty,
        "validation_rate": float(units.sum()),
        "validation_distortion": distortion,
        "beta_now": beta_now(objective, progress),
        "sigma": vae.likelihood.sigma,
    }


@torch.no_grad()
def linear_nats(vae: Vae, images: Images, rows: Int64[np.ndarray, " validation"], config: VaeConfig) -> float:
    """Mean negative ELBO of the images' levels in nats, with one sample of z each."""
    generator = torch_generator(config.seed, "validation")
    batches = batches_of(images, rows, next(vae.parameters()).device, at_once(*images.pixels.shape[1:3]))
    bits = evaluate(vae, batches, 1, generator).bits
    assert bits is not None
    return float(bits.mean()) * images.pixels[0].size * math.log(2.0)


@contextlib.contextmanager
def _interruptible(*, patient: bool) -> Iterator[threading.Event]:
    """The first Ctrl-C waits for the end of a step, when the state can be saved; a second one doesn't.

    Patient ones do, too: `torchrun` passes on the Ctrl-C that its processes have got from the terminal.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(*_: object) -> None:
        if not patient:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
