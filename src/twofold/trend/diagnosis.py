"""What became of a run's networks: hardly trained, collapsed, over-fitted or fine, by their curves and probabilities.

Each is a rule with a stated threshold, which returns a value; the page and the terminal have the words.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

State = Literal["hardly trained", "collapsed", "over-fitted", "fine"]
STEEP = 0.01
"""Nats a window: a loss that falls by more in the last tenth of the epochs has not come to its end. Recipes were told
apart by less (docs/log.md)."""
ALIKE = 0.01
"""Standard deviation below which the probabilities of all windows are one. Its square bounds the resolution of the
Brier score (Murphy 1973): 1e-4, where a coin costs .25."""
RISE = 0.02
"""Nats a window: by more than that, and by more than the curve's own noise, a held-out loss has risen."""


@dataclass(frozen=True)
class Course:
    """The training of one network.

    Attributes:
        train: mean training loss of each epoch, nats a window.
        held_out: after each epoch the loss on windows that it did not learn from; empty where there are none.
        kept: epoch whose weights are kept, counted from 1.
        ignorant: training loss of the best constant probability.
        deviation: standard deviation of its cell's probabilities of the test windows.
    """

    train: Sequence[float]
    held_out: Sequence[float]
    kept: int
    ignorant: float
    deviation: float


def still_falling(course: Course) -> bool:
    """Whether the last epoch is kept and the loss fell by more than `STEEP` in the last tenth of the epochs."""
    losses = course.held_out or course.train
    if course.kept < len(losses) or len(losses) < 2:
        return False
    return losses[-1 - max(1, len(losses) // 10)] - losses[-1] > STEEP


def risen(course: Course) -> bool:
    """Whether the held-out loss rose above its lowest while the training loss went on falling.

    By more than `RISE`, and by more than two standard deviations of its changes since then from epoch to epoch: a noisy
    curve is above its lowest most of the time.
    """
    losses = course.held_out[: course.kept]
    if len(losses) < 2:
        return False
    lowest = int(np.argmin(losses))
    noise = 2.0 * float(np.std(np.diff(losses[lowest:]))) if lowest < len(losses) - 1 else 0.0
    falls = course.train[course.kept - 1] < course.train[lowest]
    return falls and losses[-1] - losses[lowest] > max(RISE, noise)


def state(course: Course) -> State:
    """What became of a training.

    Returns:
        The first of these that holds. `hardly trained`: the loss still fell steeply at the end; `collapsed`: all
        windows get the same probability; `hardly trained`, too: on the windows that it learned from it is no better
        than the best constant; `over-fitted`: what is kept was trained until the held-out loss had risen; `fine`.
    """
    if still_falling(course):
        return "hardly trained"
    if course.deviation < ALIKE:
        return "collapsed"
    if course.train[course.kept - 1] >= course.ignorant:
        return "hardly trained"
    return "over-fitted" if risen(course) else "fine"


def states(
    metrics: Iterable[Mapping[str, Any]], predictions: pl.DataFrame, class_weight: bool
) -> dict[State, list[str]]:
    """What became of a run's networks, by state.

    Args:
        metrics: the lines of metrics.jsonl.
        predictions: predictions.parquet.
        class_weight: whether the two classes weighed equally in the loss.

    Returns:
        Names of networks, such as `gru-0`, by the states that there are. They are judged by the stage that validation
        ended, where there is one, else by the one that was tested.
    """
    lines = list(metrics)
    first = "select" if any(line["stage"] == "select" for line in lines) else "evaluate"
    learned = predictions.filter(pl.col("split") == "train")
    test = predictions.filter(pl.col("split") == "test")
    ignorant = constant_loss(float(learned["label"].cast(pl.Float64).to_numpy().mean()), class_weight)
    found: dict[State, list[str]] = {}
    judged = [line for line in lines if line["stage"] == first]
    for name in sorted({line["member"] for line in judged}):
        own = [line for line in judged if line["member"] == name]
        stopped = "validation_loss" in own[0]
        held_out = [line["validation_loss" if stopped else "test_loss"] for line in own]
        course = Course(
            train=[line["train_loss"] for line in own],
            held_out=held_out,
            kept=int(np.argmin(held_out)) + 1 if stopped else len(own),
            ignorant=ignorant,
            deviation=float(test[f"p_{name.partition('-')[0]}"].to_numpy().std()),
        )
        found.setdefault(state(course), []).append(name)
    return found


def constant_loss(share: float, class_weight: bool) -> float:
    """Training loss of the best constant probability, nats: the entropy, or a weighted coin's.

    Args:
        share: of the training windows that went up.
        class_weight: whether the two classes weigh equally.

    Example:
        >>> round(constant_loss(0.5, False), 4), constant_loss(0.0, False), round(constant_loss(0.25, True), 4)
        (0.6931, 0.0, 1.0397)
    """
    if share in (0.0, 1.0):
        return 0.0
    if class_weight:
        return 2.0 * (1.0 - share) * math.log(2.0)
    return -share * math.log(share) - (1.0 - share) * math.log(1.0 - share)
