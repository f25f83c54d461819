"""Images of any height and width: shapes, losses, gradients and files, with and without what the strides need more."""

import math
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from twofold.vae.config import VaeConfig
from twofold.vae.model import Crop, Vae, as_input, open_vae, save_vae
from twofold.vae.objective import loss_terms, reparameterise
from twofold.vae.score import evaluate
from vae.small import discs, generator, tiny

CPU = torch.device("cpu")
KINDS = [("linear", name) for name in ("multiscale", "gaussian", "gaussian_fixed", "logistic")]
KINDS += [
    (net, name) for net in ("plain", "original") for name in ("gaussian", "gaussian_fixed", "logistic", "bernoulli")
]
SIDES = st.integers(8, 40)
kinds = pytest.mark.parametrize(("network", "likelihood"), KINDS)


def config_of(network: str, likelihood: str, height: int, width: int, channels: int) -> VaeConfig:
    return tiny(
        image={"size": (height, width), "channels": channels},
        model={"network": network},
        likelihood={"name": likelihood, "width": 4},
    )


def vae_of(config: VaeConfig) -> Vae:
    """With weights that are not 0, as those of a start in closed form are before it."""
    vae = Vae.seeded(config, 0)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in vae.parameters():
            weight.add_(0.05 * torch.randn(weight.shape))
    return vae


@kinds
@settings(max_examples=8)
@given(height=SIDES, width=SIDES, channels=st.sampled_from([1, 3]))
def test_any_size_has_its_shapes_a_finite_loss_and_gradients_and_comes_back(
    network: str, likelihood: str, height: int, width: int, channels: int
) -> None:
    config = config_of(network, likelihood, height, width, channels)
    vae, x = vae_of(config), as_input(discs(3, (height, width), channels), CPU)
    mu, logvar = vae.encode(x)
    assert mu.shape == logvar.shape == (3, 3)
    output = vae.decode(reparameterise(mu, logvar, generator()))
    assert output.shape == x.shape
    loss, terms = loss_terms(output, x, mu, logvar, vae.likelihood, beta=1.0, free_nats=0.0)
    assert torch.isfinite(loss) and all(torch.isfinite(term).all() for term in terms.values())
    loss.backward()
    learned = [weight for weight in vae.parameters() if weight.requires_grad]
    assert all(weight.grad is None or torch.isfinite(weight.grad).all() for weight in learned)
    assert any(weight.grad is not None and weight.grad.any() for weight in learned)
    vae.eval()
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        folder = Path(name)
        save_vae(vae, config, folder)
        (folder / "DONE").write_bytes(b"")
        again, known = open_vae(folder, CPU)
        assert known.to_json() == config.to_json()
        drawn = [each.likelihood.draw(each.decode(each.encode(x)[0]), generator(), 1.0) for each in (vae, again)]
    assert drawn[0].shape == x.shape
    assert torch.equal(*drawn)


@pytest.mark.parametrize("network", ["plain", "original"])
@settings(max_examples=10)
@given(height=SIDES, width=SIDES)
def test_what_is_cut_off_has_no_gradient(network: str, height: int, width: int) -> None:
    vae = vae_of(config_of(network, "gaussian", height, width, 1))
    assert isinstance(vae.decoder, nn.Sequential) and isinstance(vae.encoder, nn.Sequential)
    step = {"plain": 8, "original": 4}[network]
    filled = bool(height % step or width % step)
    assert isinstance(vae.decoder[-1], Crop) == isinstance(vae.encoder[0], nn.ReplicationPad2d) == filled
    if not filled:
        return
    x = as_input(discs(2, (height, width), 1), CPU)
    whole = vae.decoder[:-1](vae.encode(x)[0])
    assert whole.shape[2:] == (-(-height // step) * step, -(-width // step) * step)
    whole.retain_grad()
    vae.likelihood.nll(vae.decoder[-1](whole), x).sum().backward()
    assert whole.grad is not None
    within = torch.zeros_like(whole, dtype=torch.bool)
    within[:, :, :height, :width] = True
    assert (whole.grad[within] != 0).all() and not whole.grad[~within].any()


@kinds
def test_bits_and_errors_are_means_over_the_images_own_values(network: str, likelihood: str) -> None:
    vae, x = vae_of(config_of(network, likelihood, 9, 14, 3)).eval(), as_input(discs(4, (9, 14)), CPU)
    found = evaluate(vae, [x], 1, generator())
    with torch.no_grad():
        mu, logvar = vae.encode(x)
        output = vae.decode(reparameterise(mu, logvar, generator()))
        shown = vae.likelihood.mean(output)
        assert found.mse == pytest.approx((shown - x).square().sum((1, 2, 3)).numpy() / (9 * 14 * 3), rel=1e-4)
        if found.bits is None:
            assert likelihood == "bernoulli"
        else:
            nats = vae.likelihood.bin_nll(output, x).double().numpy() + found.rate
            assert found.bits == pytest.approx(nats / (9 * 14 * 3) / math.log(2), rel=1e-5)
