"""When a training has diverged, and what to change then."""

from typing import TYPE_CHECKING

from twofold.engine.errors import DivergedError

if TYPE_CHECKING:  # what reads scores needs no torch
    from torch import nn


def ran_away(loss: float, ignorant: float) -> bool:
    """Whether a training has diverged though its loss is still finite.

    Args:
        loss: mean training loss of the epoch whose weights are kept.
        ignorant: the same loss of a forecast that knows nothing: a coin, "no change", an untrained network.

    Returns:
        Whether it is above that by more than that loss itself, so above twice of it where losses are positive. What has
        learned nothing costs as much as knowing nothing, and the means of an epoch differ from that by less by chance;
        to cost twice as much takes forecasts that are far off and sure of themselves. A density's loss may be below 0.

    Example:
        >>> ran_away(1.3, 0.69), ran_away(1.4, 0.69), ran_away(-40.0, -50.0), ran_away(1.0, -50.0)
        (False, True, False, True)
    """
    return loss > ignorant + abs(ignorant)


def check_weights(network: "nn.Module", epoch: int) -> None:
    """Raises DivergedError when a weight or a running mean of a network is no longer finite after an epoch."""
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise DivergedError(f"{name} is no longer finite after epoch {epoch}")


def lower(option: str, used: float, usual: float) -> str:
    """The advice to lower a learning rate, by a factor of ten at least.

    Args:
        option: its name on the command line.
        used: its value.
        usual: its default.
    """
    return f"{option} is {used:g}, give {min(usual, used / 10):g}"
