"""Training: it learns what there is to learn, by its seed alone, from what is known and has weight."""

import numpy as np
import pytest
import torch

from hub.season_small import RULES, one_thread  # noqa: F401
from twofold.hub.config import NetworkConfig
from twofold.hub.examples import Asked, Examples
from twofold.hub.growth import NAMES
from twofold.hub.heads.network import Networks, fit_networks

N = 400
CONFIG = NetworkConfig(hidden=8, components=2, dropout=0.1, epochs=12, batch_size=32, learning_rate=1e-2, seeds=1)
QUICK = CONFIG.model_copy(update={"epochs": 1})


def lesson(seed: int = 0) -> Examples:
    """Counts double where the first input is positive and halve where it is negative; nothing else means anything."""
    inputs = np.random.default_rng(seed).normal(0, 1, (N, 3, len(NAMES)))
    base = np.full(N, 100.0)
    change = np.where(inputs[:, -1, :1] > 0, 100.0, -50.0) * np.ones(4)
    return Examples(Asked(inputs, base, np.full(N, 1e6)), change, np.ones(N), np.full(N, 20.0))


def trained(examples: Examples, config: NetworkConfig = QUICK, seed: int = 0, cell="gru") -> Networks:
    return fit_networks(examples, RULES, cell, config, seed)


def weights(networks: Networks) -> list[bytes]:
    return [value.numpy().tobytes() for module in networks.modules for value in module.state_dict().values()]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_rule_is_learned_and_holds_for_new_examples(cell) -> None:
    fresh = lesson(1)
    rises = trained(lesson(), CONFIG, cell=cell).exceed(fresh.asked, np.zeros((N, 4, 1)))[:, 0, 0]
    assert ((rises > 0.5) == (fresh.change[:, 0] > 0)).mean() > 0.9


def test_the_seed_decides_and_global_state_does_not() -> None:
    torch.manual_seed(1)
    one = weights(trained(lesson()))
    torch.manual_seed(2)
    assert weights(trained(lesson())) == one
    assert weights(trained(lesson(), seed=1)) != one


def test_networks_follow_each_other_in_seed() -> None:
    both = trained(lesson(), QUICK.model_copy(update={"seeds": 2}), seed=3)
    assert weights(both) == weights(trained(lesson(), seed=3)) + weights(trained(lesson(), seed=4))


def test_what_is_not_known_and_what_has_no_weight_teaches_nothing() -> None:
    known = lesson()
    odd = (np.arange(N) % 2 == 1)[:, None]
    weightless = np.where(odd[:, 0], 0.0, 1.0)

    def fitted(filler: float, weight: np.ndarray) -> list[bytes]:
        change = np.where(odd, filler, known.change)
        return weights(trained(Examples(known.asked, change, weight, known.week)))

    assert fitted(1e4, weightless) == fitted(-90.0, weightless) == fitted(np.nan, weightless)
    assert fitted(np.nan, known.weight) == fitted(1e4, weightless)
    assert fitted(1e4, known.weight) != fitted(-90.0, known.weight)


def test_weights_are_graded() -> None:
    known = lesson()
    halves = [np.where(np.arange(N) % 2 == 1, weight, 1.0) for weight in (0.25, 0.5, 1.0)]
    found = [weights(trained(Examples(known.asked, known.change, weight, known.week))) for weight in halves]
    assert found[0] != found[1] != found[2]
