"""Networks: the mixture's distribution by hand, inputs scaled and cut off, weights by the seed alone."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import logistic

from hub.season_small import CONFIG, RULES, asked, head, one_thread  # noqa: F401
from twofold.hub.config import NetworkConfig
from twofold.hub.examples import Asked
from twofold.hub.growth import NAMES
from twofold.hub.heads.network import GROWTH_UNIT, READ, MixtureNetwork, Networks, Scaling, fit_scaling, open_network
from twofold.hub.heads.pmf import certain_below_zero, growth_needed

SMALL = NetworkConfig(hidden=3, components=3, dropout=0.5)
CELLS = ("rnn", "lstm", "gru")


def network(cell="gru", seed: int = 0, config: NetworkConfig = SMALL, horizons: int = 2) -> MixtureNetwork:
    return MixtureNetwork.seeded(len(READ), horizons, cell, config=config, seed=seed)


def test_the_mixture_by_hand() -> None:
    module, rng = network().eval(), np.random.default_rng(0)
    bias = rng.normal(0, 1, (2, 3, 3)).astype(np.float32)
    bias[0, 2] = [-9.0, 0.5, 9.0]  # scales are kept within bounds
    with torch.no_grad():
        module.head.weight.zero_()
        module.head.bias.copy_(torch.from_numpy(bias.ravel()))
    needed = rng.normal(0, 0.5, (5, 2, 4)).astype(np.float32)
    found = module(torch.zeros(5, 3, len(READ)), torch.from_numpy(needed)).detach().numpy()
    for horizon in range(2):
        share, place, scale = bias[horizon].astype(float)
        centre = (place + np.array([-1, 0, 1])) * GROWTH_UNIT
        width = np.exp(np.clip(scale, -4, 3)) * GROWTH_UNIT / 2
        beyond = [logistic.sf(needed[:, horizon], *at) for at in zip(centre, width, strict=True)]
        np.testing.assert_allclose(found[:, horizon], np.tensordot(softmax(share), beyond, axes=1), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_every_week_is_read_in_order(cell) -> None:
    module = network(cell).eval()
    sequence = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (1, 4, len(READ))).astype(np.float32))
    needed = torch.zeros(1, 2, 1)
    found = module(sequence, needed)
    for week in range(4):
        other = sequence.clone()
        other[:, week] += 1
        assert (module(other, needed) != found).any()
    assert (module(sequence.flip(1), needed) != found).any()


def test_dropout_draws_from_the_given_generator_and_only_in_training() -> None:
    module = network().train()
    sequence, needed = torch.ones(8, 4, len(READ)), torch.zeros(8, 2, 1)
    one, again, other = (module(sequence, needed, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    module.eval()
    assert torch.equal(module(sequence, needed), module(sequence, needed, torch.Generator().manual_seed(1)))


def test_first_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, other = network(seed=1).state_dict(), network(seed=2).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    again = network(seed=1).state_dict()
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_scaling_by_hand() -> None:
    inputs = np.zeros((4, 2, len(NAMES)))
    inputs[:, -1, 0] = [1, 3, 1, 3]
    inputs[:, -1, 1] = [5, 5, 5, 5]
    inputs[:, -1, 2] = np.nan
    inputs[:, -1, 3] = [np.nan, np.nan, 0, 8]
    scaling = fit_scaling(inputs)
    assert scaling.mean[:4].tolist() == [2, 5, 0, 4]
    assert scaling.deviation[:4].tolist() == [1, np.inf, np.inf, 4]
    asked = np.zeros((1, 2, len(NAMES)))
    asked[0, 0, :4], asked[0, 1, :4] = [99, 99, 99, 99], [2.5, np.nan, 1, np.nan]
    found = scaling.apply(asked)[0, :, :4].tolist()
    assert found == [[4, 0, 0, 4], [0.5, 0, 0, 0]]  # far out: cut off; never varying, never known, not known: the mean


@pytest.mark.parametrize("cell", CELLS)
def test_the_calendar_is_not_read_and_everything_else_is(cell) -> None:
    own, question, cuts = head(cell), asked(), asked().cuts(RULES)
    before = own.exceed(question, cuts)
    ignored = []
    for index, name in enumerate(NAMES):
        inputs = question.inputs.copy()
        inputs[:, :, index] = np.where(inputs[:, :, index] > inputs[:, :, index].mean(), -9.0, 9.0)
        if (own.exceed(Asked(inputs, question.base, question.population), cuts) == before).all():
            ignored.append(name)
    assert ignored == ["season_week"]


def test_the_answer_is_the_mean_of_the_networks() -> None:
    modules = tuple(network(seed=seed, horizons=4).train() for seed in (1, 2))
    scaling = fit_scaling(asked().inputs)
    cuts = asked().cuts(RULES)
    parts = [Networks("gru", scaling, (module,)).exceed(asked(), cuts) for module in modules]
    both = Networks("gru", scaling, modules).exceed(asked(), cuts)
    assert not np.array_equal(*parts)
    assert both == pytest.approx(np.mean(parts, axis=0))
    assert both.dtype == np.float64
    needed = torch.from_numpy(growth_needed(asked().base, cuts)).float()
    alone = modules[0].eval()(scaling.apply(asked().inputs), needed).detach().double().numpy()
    np.testing.assert_array_equal(parts[0], certain_below_zero(asked().base, cuts, alone))


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_is_opened_as_it_was(cell) -> None:
    own = head(cell)
    assert isinstance(own, Networks)
    (module,) = own.modules
    opened = open_network(module.state_dict(), cell, 4, CONFIG.network)
    cuts = asked().cuts(RULES)
    again = Networks(cell, Scaling(own.scaling.mean, own.scaling.deviation), (opened,))
    assert again.exceed(asked(), cuts).tobytes() == own.exceed(asked(), cuts).tobytes()
    with pytest.raises(RuntimeError, match=r"size mismatch|Missing key"):
        open_network(module.state_dict(), cell, 4, SMALL)
