"""The recurrent networks: torch's own with the same weights, region vectors, and dropout from the generator alone."""

import numpy as np
import pytest
import torch
from torch import nn

from trend.small import NAMES, increments_of
from twofold.engine.recurrent import CELLS, dropout
from twofold.trend import model
from twofold.trend.config import FeatureConfig, ModelConfig, WindowConfig
from twofold.trend.features import Inputs, apply_features, fit_features
from twofold.trend.model import Recurrent, predict_network, region_codes
from twofold.trend.windows import slide

LENGTH = 5


def inputs_of(regions: int = 3) -> Inputs:
    window = WindowConfig(length=LENGTH)
    increments = increments_of(np.random.default_rng(0).poisson(5, (regions, 20)))
    windows = slide(increments, np.ones(regions, dtype=bool), window)
    config = FeatureConfig(inputs=("log1p", "change", "history"))
    fit = fit_features(increments, windows, np.arange(len(windows)), config, window)
    return apply_features(fit, increments, windows.region, windows.origin, window)


def network(cell="gru", channels=2, statics=0, regions=0, **config) -> Recurrent:
    return Recurrent(channels, statics, regions, cell, ModelConfig(**({"hidden": 4, "dropout": 0.0} | config)))


def batch(rows=6, channels=2, statics=0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    sequence = torch.randn(rows, LENGTH, channels, generator=generator)
    return sequence, torch.randn(rows, statics, generator=generator), torch.zeros(rows, dtype=torch.int64)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_it_equals_torchs_network_with_the_same_weights(cell, layers):
    ours = network(cell, layers=layers)
    theirs = getattr(torch.nn, cell.upper())(2, 4, num_layers=layers, batch_first=True)
    theirs.load_state_dict(
        {
            name.replace("_l0", f"_l{index}"): weight
            for index, layer in enumerate(ours.layers)
            for name, weight in layer.state_dict().items()
        }
    )
    sequence, static, region = batch()
    expected = ours.head(theirs(sequence)[0][:, -1]).squeeze(1)
    assert torch.allclose(ours(sequence, static, region), expected, atol=1e-6)


@pytest.mark.parametrize(("statics", "embedding"), [(0, 0), (3, 0), (0, 2), (3, 2)])
@pytest.mark.parametrize("cell", CELLS)
def test_one_log_odds_a_window(cell, statics, embedding):
    net = network(cell, statics=statics, regions=3, embedding=embedding)
    assert net(*batch(statics=statics)).shape == (6,)
    assert net(*batch(rows=1, statics=statics)).shape == (1,)


def test_static_inputs_are_repeated_at_every_date():
    net = network(statics=3)
    sequence, static, region = batch(statics=3)
    plain = network(channels=5)
    plain.load_state_dict(net.state_dict())
    repeated = torch.cat([sequence, static[:, None].expand(-1, LENGTH, -1)], dim=2)
    assert torch.equal(net(sequence, static, region), plain(repeated, static[:, :0], region))


def test_a_regions_vector_is_repeated_at_every_date():
    net = network(regions=3, embedding=2)
    sequence, static, _ = batch()
    region = torch.tensor([0, 1, 2, 3, 3, 0])
    plain = network(channels=4)
    plain.load_state_dict({name: w for name, w in net.state_dict().items() if not name.startswith("embedding")})
    vectors = net.embedding.weight[region][:, None].expand(-1, LENGTH, -1)
    assert torch.equal(net(sequence, static, region), plain(torch.cat([sequence, vectors], dim=2), static, region))


def test_an_unknown_region_has_the_zero_vector_also_after_training():
    net = network(regions=2, embedding=2)
    sequence, static, _ = batch()
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        net(sequence, static, torch.tensor([0, 0, 1, 1, 2, 2])).sum().backward()
        optimiser.step()
    assert net.embedding.weight[0].tolist() == [0.0, 0.0]
    assert (net.embedding.weight[1:] != 0).all()


def test_region_codes_go_by_name():
    inputs = inputs_of(3)
    codes = region_codes(inputs, NAMES[:3], known=(NAMES[2], "elsewhere", NAMES[0]))
    assert codes.tolist() == [{0: 3, 1: 0, 2: 1}[row] for row in inputs.region.tolist()]


def test_dropout_draws_from_the_generator_alone():
    net = network(layers=2, hidden=16, dropout=0.5).train()
    state = torch.get_rng_state()
    first, again, other = (net(*batch(), torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_scales_what_it_keeps():
    net = network(dropout=0.25).train()
    net.layers = nn.ModuleList()  # the head alone, on inputs of 1
    net.head = nn.Linear(1000, 1, bias=False)
    nn.init.ones_(net.head.weight)
    out = net(torch.ones(1, 1, 1000), torch.zeros(1, 0), torch.zeros(1, dtype=torch.int64))
    assert out.item() == 1000.0
    kept = dropout(torch.ones(20000), 0.25, True, torch.Generator().manual_seed(0))
    assert sorted({round(value, 4) for value in kept.tolist()}) == [0.0, 1.3333]
    assert (kept == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)


def test_no_dropout_in_prediction():
    net = network(dropout=0.5).eval()
    assert torch.equal(net(*batch(), torch.Generator().manual_seed(3)), net(*batch()))


def test_first_weights_depend_on_the_seed_alone():
    inputs, config = inputs_of(), ModelConfig(hidden=4, embedding=2)
    state = torch.get_rng_state()
    first = Recurrent.seeded(inputs, 3, "gru", config=config, seed=1)
    torch.manual_seed(99)
    again = Recurrent.seeded(inputs, 3, "gru", config=config, seed=1)
    other = Recurrent.seeded(inputs, 3, "gru", config=config, seed=2)
    torch.set_rng_state(state)
    weights = [torch.cat([weight.flatten() for weight in net.state_dict().values()]) for net in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    Recurrent.seeded(inputs, 3, "gru", config=config, seed=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_predictions_are_probabilities_of_explicit_windows(monkeypatch):
    monkeypatch.setattr(model, "ROWS_AT_ONCE", 4)
    inputs = inputs_of()
    net = network(channels=2, statics=4, regions=3, embedding=2, dropout=0.5).train()
    codes, rows = region_codes(inputs, NAMES[:3], NAMES[:3]), np.arange(0, len(inputs), 4)
    found = predict_network(net, inputs, codes, rows)
    for i, probability in zip(rows, found, strict=True):
        r, t = inputs.region[i], inputs.origin[i]
        window = torch.from_numpy(inputs.sequence[r, t - LENGTH + 1 : t + 1])[None]
        logit = net(window, torch.from_numpy(inputs.static[r, t])[None], codes[[i]]).item()
        assert probability == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_no_window_no_prediction():
    inputs = inputs_of()
    codes = torch.zeros(len(inputs), dtype=torch.int64)
    assert predict_network(network(statics=4), inputs, codes, np.arange(0)).shape == (0,)
