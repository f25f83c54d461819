import itertools

import constriction
import numpy as np
import pytest
import torch
from torch import Tensor

from twofold.vae import likelihood, multiscale
from twofold.vae.multiscale import FLOOR, Multiscale, log_mass
from vae.small import discs, generator


def shaken(channels: int, scale: float = 0.3) -> Multiscale:
    """All of its weights random, so that nothing cancels."""
    torch.manual_seed(0)
    module = Multiscale(channels, width=5, depth=1).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(scale * torch.randn(weight.shape))
        for _, step in module._steps():
            step.scale.bias -= 2.0  # pyright: ignore[reportOptionalOperand]
    return module


def images_of(number: int, channels: int, size: int | tuple[int, int] = 16, seed: int = 0) -> Tensor:
    return torch.from_numpy(discs(number, size, channels, seed)).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5), (7, 2), (1, 9)])
def test_the_masses_of_all_images_sum_to_one(monkeypatch: pytest.MonkeyPatch, height: int, width: int) -> None:
    """Every image of 2 levels, through all five steps; and draws cost what the sum of p log p says."""
    for module in (likelihood, multiscale):
        monkeypatch.setattr(module, "STEPS", 1)
    model, total, entropy = shaken(1).double(), 0.0, 0.0
    m = torch.rand(1, 1, height, width, generator=generator(), dtype=torch.float64)
    levels = torch.tensor(list(itertools.product([0.0, 1.0], repeat=height * width)), dtype=torch.float64)
    with torch.no_grad():
        for x in levels.view(-1, 1, height, width).split(8192):
            cost = model.nll(m.expand(len(x), -1, -1, -1), x)
            total, entropy = total + float(cost.neg().exp().sum()), entropy + float((cost.neg().exp() * cost).sum())
        drawn = model.draw(m.expand(4000, -1, -1, -1), generator(1), 1.0)
        costs = model.nll(m.expand(4000, -1, -1, -1), drawn)
    assert total == pytest.approx(1.0, abs=1e-9)
    assert drawn.shape == (4000, 1, height, width) and set(drawn.unique().tolist()) == {0.0, 1.0}
    assert float(costs.mean()) == pytest.approx(entropy, abs=4.5 * float(costs.std()) / 4000**0.5)


def test_what_fills_an_image_up_is_the_picture_and_decides_on_nothing() -> None:
    """A start is the same whatever the filler among its targets; all of it is known without the image."""
    x = images_of(20, 3, (9, 14))
    m = images_of(20, 3, (9, 14), seed=1)
    whole, filled, real = multiscale._filled_up(m, x)
    assert real is not None and whole.shape == filled.shape == (20, 3, 12, 16)
    assert torch.equal(filled[..., :9, :14], x) and torch.equal(whole[..., :9, :14], m)
    assert torch.equal(filled[..., ~real], whole[..., ~real])
    assert torch.equal(whole[..., 9:, :14], m[..., 8:, :].expand(-1, -1, 3, -1))
    for at, step in Multiscale(3, width=4, depth=0)._steps():
        context, target, kept = (
            multiscale._context(at, whole, filled), multiscale._target(at, filled), multiscale._real(at, real)
        )  # fmt: skip
        assert kept is not None and bool(kept.all()) == (at == 0)  # a block begins within the image
        fitted = []
        for garbage in (0.0, 9.0):
            step.start(context, target.where(kept, garbage), kept)
            fitted.append([weight.clone() for weight in step.closed_form()])
            costs = step.nll(context, target.where(kept, garbage), kept)
            fitted[-1].append(costs.detach())
        assert all(torch.equal(one, other) for one, other in zip(*fitted, strict=True))


@pytest.mark.parametrize("centre", [-0.3, 0.0, 0.0021, 0.5, 0.998, 1.4])
@pytest.mark.parametrize("log_scale", [FLOOR, -6.0, -3.0, 0.0, 2.0])
def test_the_masses_of_a_pixel_sum_to_one(centre: float, log_scale: float) -> None:
    x = torch.arange(256, dtype=torch.float64) / 255
    masses = log_mass(x, torch.full_like(x, centre), torch.full_like(x, log_scale)).exp()
    assert float(masses.sum()) == pytest.approx(1.0, abs=1e-9)
    assert float(masses.min()) >= 1e-4 / 256 * 0.999
    single = x.float()
    masses = log_mass(single, torch.full_like(single, centre), torch.full_like(single, log_scale)).exp()
    assert float(masses.double().sum()) == pytest.approx(1.0, abs=2e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pixel_depends_on_earlier_groups_and_colours_only(channels: int) -> None:
    """Whatever changes in a later group leaves the cost of earlier ones as it is; in its own group, but one pixel's."""
    model, x = shaken(channels), images_of(1, channels)
    m = images_of(1, channels, seed=1)
    with torch.no_grad():
        before = model.by_step(m, x)[0]
        for at in range(5):
            for place in multiscale._PLACES[at]:
                other = x.clone()
                other[place] = 1 - other[place]
                after = model.by_step(m, other)[0]
                assert torch.equal(after[:at], before[:at])
                assert (after[at:] != before[at:]).all()


def test_colours_follow_each_other_as_green_red_blue() -> None:
    """Given the other pixels, the masses of one pixel's blue sum to 1, of its red with all blues to 1, ..."""
    model, x = shaken(3).double(), images_of(1, 3).double()
    m = images_of(1, 3, seed=1).double()
    spot = (0, slice(None), 5, 7)  # of the last step: no other pixel depends on it
    with torch.no_grad():
        whole = model.by_step(m, x)[0, 4]

        def costs(channel: int) -> Tensor:
            several = x.repeat(256, 1, 1, 1)
            several[:, channel, 5, 7] = torch.arange(256, dtype=torch.float64) / 255
            return model.by_step(m.expand(256, -1, -1, -1), several)[:, 4]

        assert x[spot].shape == (3,)
        blue = costs(2)
        level = round(float(x[0, 2, 5, 7]) * 255)
        rest = whole - (blue[level] - blue.neg().logsumexp(0).neg())  # all but this pixel's blue
        assert float(torch.exp(-(blue - rest)).sum()) == pytest.approx(1.0)
        # Red and green change what the blue after them costs, so that their sums are no longer 1 at a fixed blue.
        assert float(torch.exp(-(costs(0) - rest)).sum()) != pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_draws_have_the_masses_that_the_likelihood_gives_them(channels: int) -> None:
    """The mean cost of draws is their entropy: that of draws of draws is no other."""
    model, m = shaken(channels, 0.05), images_of(1, channels).expand(400, -1, -1, -1)
    with torch.no_grad():
        drawn = model.draw(m, generator(1), 1.0)
        costs = model.nll(m, drawn)
        # The expected cost of the step's own distribution, from its masses, for the first group's first colour.
        ordered = model._ordered(m[:1])
        parameters = model.steps[0](multiscale._context(0, ordered, torch.zeros_like(ordered)))
        centre, log_scale = parameters.given(0, [], [])
        levels = torch.arange(256.0) / 255
        shape = (256, *centre.shape[1:])
        masses = log_mass(levels.view(-1, 1, 1, 1).expand(shape), centre.expand(shape), log_scale.expand(shape)).exp()
    found = model._ordered(drawn)[:, 0][(slice(None), slice(0, None, 4), slice(0, None, 4))]
    expected = (masses * levels.view(-1, 1, 1, 1)).sum(0)[0]
    deviation = ((masses * (levels.view(-1, 1, 1, 1) - expected) ** 2).sum(0)[0] / len(found)).sqrt()
    assert ((found.mean(0) - expected).abs() / deviation).max() < 4.5
    assert torch.equal(drawn, (drawn * 255).round() / 255)
    assert torch.isfinite(costs).all()


def test_without_temperature_a_draw_is_the_same_whatever_the_noise() -> None:
    model, m = shaken(3, 0.05), images_of(4, 3)
    with torch.no_grad():
        first, second = (model.draw(m, generator(seed), 0.0) for seed in (1, 2))
        warm = model.draw(m, generator(1), 1.0)
    assert torch.equal(first, second)
    assert not torch.equal(first, warm)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_start_predicts_what_is_linear_in_the_picture(channels: int) -> None:
    """An image that is its picture but for half a level costs next to nothing from the start."""
    x = images_of(60, channels)
    model = Multiscale(channels, width=4, depth=0)
    with torch.no_grad():
        m = x + 0.0005 * torch.randn(x.shape, generator=generator())
        before = model.nll(m, x).mean()
        model.start(m, x)
        after = model.nll(m, x).mean()
    bits = float(after) / x[0].numel() / np.log(2)
    assert bits < 0.1 < float(before) / x[0].numel() / np.log(2)


def test_the_start_can_only_gain_by_its_network() -> None:
    """The last layers are zero, so that a wide and a narrow network start as the same distribution."""
    x, costs = images_of(30, 3), []
    m = (x + 0.1).clamp(0, 1)
    for width, depth in ((4, 0), (16, 2)):
        model = Multiscale(3, width, depth)
        model.start(m, x)
        with torch.no_grad():
            costs.append(model.nll(m, x))
    torch.testing.assert_close(*costs)


def masses_of(model: Multiscale, m: Tensor, x: Tensor, *, at: int, group: int, channel: int) -> Tensor:
    """The masses [places, 256] of one group's pixels of a channel given those that come before them in x."""
    context = multiscale._context(at, model._ordered(m), model._ordered(x))
    parameters = model.steps[at](context)
    target = multiscale._target(at, model._ordered(x))
    errors = [target[:, c] - parameters.centre[c] for c in range(channel)]
    residuals: list[Tensor] = []
    for c in range(channel):
        residuals.append(target[:, c] - parameters.given(c, errors, residuals)[0])
    centre, log_scale = (each[0, group].flatten() for each in parameters.given(channel, errors, residuals))
    levels = (torch.arange(256, dtype=m.dtype) / 255).expand(len(centre), -1)
    return log_mass(levels, centre[:, None].expand_as(levels), log_scale[:, None].expand_as(levels)).exp()


def coded(model: Multiscale, m: Tensor, shape: torch.Size, coder: object, known: Tensor | None) -> Tensor:
    """Encodes an image or, without one, decodes it: pixel by pixel in the model's order, by its own masses."""
    m, x, real = multiscale._filled_up(m, torch.zeros(shape, dtype=m.dtype))
    known = None if known is None else multiscale._filled_up(m[..., : shape[-2], : shape[-1]], known)[1]
    real = torch.ones(x.shape[-2:], dtype=torch.bool) if real is None else real
    order = multiscale._ORDER[model.channels]
    for at, places in enumerate(multiscale._PLACES):
        for group, place in enumerate(places):
            for channel in range(model.channels):
                masses = masses_of(model, m, x, at=at, group=group, channel=channel).numpy().astype(np.float64)
                family = constriction.stream.model.Categorical(perfect=False)
                spot = x[:, order[channel]][place]
                masses, within = masses[real[place].flatten().numpy()], real[place].expand_as(spot)
                if known is None:
                    symbols = np.array([coder.decode(family, row[None])[0] for row in masses])  # pyright: ignore
                else:
                    symbols = np.rint(known[:, order[channel]][place][within].numpy() * 255).astype(np.int32)
                    coder.encode(symbols, family, masses)  # pyright: ignore[reportAttributeAccessIssue]
                spot[within] = torch.from_numpy(symbols).to(m) / 255
    return x[..., : shape[-2], : shape[-1]]


@pytest.mark.parametrize("size", [16, (15, 17)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_arithmetic_coder_stores_images_at_the_cost_that_the_likelihood_names(
    channels: int, size: int | tuple[int, int]
) -> None:
    x = images_of(40, channels, size).double()
    m = (x + 0.05 * torch.randn(x.shape, generator=generator(), dtype=torch.float64)).clamp(0, 1)
    model = Multiscale(channels, width=4, depth=1).double()
    model.start(m, x)
    encoder, bits = constriction.stream.queue.RangeEncoder(), 0.0
    with torch.no_grad():
        for picture, some in zip(m[:5].split(1), x[:5].split(1), strict=True):
            bits += float(model.nll(picture, some)) / np.log(2)
            coded(model, picture, some.shape, encoder, some)
        compressed = encoder.get_compressed()
        decoder = constriction.stream.queue.RangeDecoder(compressed)
        for picture, some in zip(m[:5].split(1), x[:5].split(1), strict=True):
            assert torch.equal(coded(model, picture, some.shape, decoder, None), (some * 255).round() / 255)
    assert bits > 3200  # so that the last word, of 32 bits, is less than a hundredth
    assert 32 * len(compressed) == pytest.approx(bits, rel=0.01)
