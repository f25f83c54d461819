"""Networks: the mixture by hand, inputs scaled and cut off; what they learn, by the seed alone."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import logistic

from hub.season_small import CHANGE, head, queries
from twofold.engine.recurrent import seeded_weights
from twofold.hub.config import NetworkConfig
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.network import GROWTH_UNIT, READ, MixtureNetwork, Networks, fit_networks, fit_scaling
from twofold.hub.heads.pmf import certain_below_zero, growth_needed

SMALL = NetworkConfig(hidden=3, components=3, dropout=0.5)
CELLS = ("rnn", "lstm", "gru")


def network(cell="gru", seed: int = 0, config: NetworkConfig = SMALL, horizons: int = 2) -> MixtureNetwork:
    with seeded_weights(seed):
        return MixtureNetwork(horizons, cell, config)


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
    scaling = fit_scaling(inputs, tuple(range(len(NAMES))))
    assert scaling.mean[:4].tolist() == [2, 5, 0, 4]
    assert scaling.deviation[:4].tolist() == [1, np.inf, np.inf, 4]
    queries = np.zeros((1, 2, len(NAMES)))
    queries[0, 0, :4], queries[0, 1, :4] = [99, 99, 99, 99], [2.5, np.nan, 1, np.nan]
    found = scaling.apply(queries)[0, :, :4].tolist()
    assert found == [[4, 0, 0, 4], [0.5, 0, 0, 0]]  # far out: cut off; never varying, never known, not known: the mean


@pytest.mark.parametrize("cell", CELLS)
def test_the_calendar_is_not_read_and_everything_else_is(cell) -> None:
    own, question, cuts = head(cell), queries(), queries().cuts(CHANGE)
    before = own.exceed(question, cuts)
    ignored = []
    for index, name in enumerate(NAMES):
        inputs = question.inputs.copy()
        inputs[:, :, index] = np.where(inputs[:, :, index] > inputs[:, :, index].mean(), -9.0, 9.0)
        if (own.exceed(Queries(inputs, question.base, question.population), cuts) == before).all():
            ignored.append(name)
    assert ignored == ["season_week"]


def test_the_answer_is_the_mean_of_the_networks() -> None:
    modules = tuple(network(seed=seed, horizons=4).train() for seed in (1, 2))
    scaling = fit_scaling(queries().inputs, READ)
    cuts = queries().cuts(CHANGE)
    parts = [Networks("gru", scaling, (module,)).exceed(queries(), cuts) for module in modules]
    both = Networks("gru", scaling, modules).exceed(queries(), cuts)
    assert not np.array_equal(*parts)
    assert both == pytest.approx(np.mean(parts, axis=0))
    assert both.dtype == np.float64
    needed = torch.from_numpy(growth_needed(queries().base, cuts)).float()
    alone = modules[0].eval()(scaling.apply(queries().inputs), needed).detach().double().numpy()
    np.testing.assert_array_equal(parts[0], certain_below_zero(queries().base, cuts, alone))


N = 400
LONG = NetworkConfig(hidden=8, components=2, dropout=0.1, epochs=12, batch_size=32, learning_rate=1e-2, seeds=1)
QUICK = LONG.model_copy(update={"epochs": 1})


def made_up(seed: int = 0) -> Examples:
    """Counts double where the first input is positive and halve where it is negative; nothing else means anything."""
    inputs = np.random.default_rng(seed).normal(0, 1, (N, 3, len(NAMES)))
    base = np.full(N, 100.0)
    change = np.where(inputs[:, -1, :1] > 0, 100.0, -50.0) * np.ones(4)
    return Examples(Queries(inputs, base, np.full(N, 1e6)), change, np.ones(N), np.full(N, 20.0), np.zeros(N, np.int64))


def trained(examples: Examples, config: NetworkConfig = QUICK, seed: int = 0, cell="gru") -> Networks:
    return fit_networks(examples, CHANGE, cell, config, seed)


def weights(networks: Networks) -> list[bytes]:
    return [value.numpy().tobytes() for module in networks.modules for value in module.state_dict().values()]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_rule_is_learned_and_holds_for_new_examples(cell) -> None:
    fresh = made_up(1)
    rises = trained(made_up(), LONG, cell=cell).exceed(fresh.queries, np.zeros((N, 4, 1)))[:, 0, 0]
    assert ((rises > 0.5) == (fresh.change[:, 0] > 0)).mean() > 0.9


def test_the_seed_decides_and_global_state_does_not() -> None:
    torch.manual_seed(1)
    one = weights(trained(made_up()))
    torch.manual_seed(2)
    assert weights(trained(made_up())) == one
    assert weights(trained(made_up(), seed=1)) != one


def test_networks_follow_each_other_in_seed() -> None:
    both = trained(made_up(), QUICK.model_copy(update={"seeds": 2}), seed=3)
    assert weights(both) == weights(trained(made_up(), seed=3)) + weights(trained(made_up(), seed=4))


def test_what_is_not_known_and_what_has_no_weight_teaches_nothing() -> None:
    known = made_up()
    odd = (np.arange(N) % 2 == 1)[:, None]
    weightless = np.where(odd[:, 0], 0.0, 1.0)

    def fitted(filler: float, weight: np.ndarray) -> list[bytes]:
        change = np.where(odd, filler, known.change)
        return weights(trained(Examples(known.queries, change, weight, known.week, known.season)))

    assert fitted(1e4, weightless) == fitted(-90.0, weightless) == fitted(np.nan, weightless)
    assert fitted(np.nan, known.weight) == fitted(1e4, weightless)
    assert fitted(1e4, known.weight) != fitted(-90.0, known.weight)


def test_weights_are_graded() -> None:
    known = made_up()
    halves = [np.where(np.arange(N) % 2 == 1, weight, 1.0) for weight in (0.25, 0.5, 1.0)]
    found = [
        weights(trained(Examples(known.queries, known.change, weight, known.week, known.season))) for weight in halves
    ]
    assert found[0] != found[1] != found[2]
