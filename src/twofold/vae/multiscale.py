"""A likelihood whose pixels depend on each other: groups of pixels in a fixed order, each given those before it.

    log p(x|z) = sum over groups g of log p(x_g | x_<g, m(z)),

where m(z) is the decoded picture. The groups are, in order, the top left pixels of the 2 x 2 blocks of the half-size
grid, the diagonal ones and the other two; then the last two steps again on the whole grid. Within a group all pixels
are independent given what came before, so that a step is one pass over the image, and sampling takes as many passes as
there are steps. Colours are conditional too: green, then red given green, then blue given both.

Each pixel has a discretised logistic distribution. Its mean is a linear prediction from the known neighbourhood, fitted
by least squares, and its log scale a regression on local activity; a small network, whose last layer starts at zero,
corrects both. So the start is in closed form, and training starts from it.

Images whose height or width is no multiple of 4 are filled up on the right and below: the picture by its own border,
the image by the picture, so that who decodes knows the filler, too. It is context, and costs nothing.

Source:
    Salimans, Karpathy, Chen & Kingma (2017), PixelCNN++, ICLR (discretised logistics, colours given each other);
    Reed et al. (2017), Parallel multiscale autoregressive density estimation, ICML (groups of pixels at once).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from twofold.vae.likelihood import STEPS, Likelihood, Nats, Pixels, level_of, logistic_log_mass, logistic_noise

BLOCK = 4
"""Height and width of the blocks that the groups divide, in pixels."""
WINDOW = 5
"""Height and width of the neighbourhood that predicts a pixel linearly."""
FLOOR, CEILING = -8.7, 2.3
"""Bounds of the log scale of a value in [0, 1]: at the floor the nearest level has a mass of .99998."""
ABSOLUTE = 0.002
"""Added to absolute values in [0, 1] before their logs, half a level: log 0 is undefined."""
UNIFORM = 1e-4
"""Share of a uniform distribution over the levels in each mass: no pixel costs more than 21.3 bits."""
FITTED_ON = 300
"""Training images that the closed-form start is fitted on, at most."""
_RIDGE = 1e-6  # of the least squares, relative to the number of pixels
_AT_ONCE = 25  # images unfolded at once
_PLACES_AN_IMAGE = 256  # that a start is fitted to
_CONSTANT_ON = 20_000  # values that a log scale's constant is chosen on
_ORDER = {1: [0], 3: [1, 0, 2]}  # green, red, blue: each order is its own inverse

Maps = Float[Tensor, "batch maps height width"]
Target = Float[Tensor, "batch channels groups height width"]
"""The pixels of a step's groups."""
Channel = Float[Tensor, "batch groups height width"]
"""One channel of them."""
Real = Bool[Tensor, "groups height width"]
"""Which pixels of a step's groups lie within the image, not in what it was filled up with."""


@dataclass(frozen=True)
class Parameters:
    """Of a step's distributions, each a list over the channels in their order, or over pairs of channels.

    Attributes:
        centre: of each channel, before what earlier channels add.
        log_scale: of each channel, likewise.
        follow: of each pair (earlier, channel): what the earlier one's error adds to the centre, per unit.
        spread: what the log of the earlier one's absolute residual adds to the log scale.
    """

    centre: list[Channel]
    log_scale: list[Channel]
    follow: dict[tuple[int, int], Channel]
    spread: dict[tuple[int, int], Channel]

    def given(self, channel: int, errors: list[Channel], residuals: list[Channel]) -> tuple[Channel, Channel]:
        """Centre and log scale of a channel given the errors and residuals of those before it."""
        centre, log_scale = self.centre[channel], self.log_scale[channel]
        for earlier in range(channel):
            centre = centre + self.follow[earlier, channel] * errors[earlier]
            log_scale = log_scale + self.spread[earlier, channel] * _log_size(residuals[earlier])
        return centre, log_scale.clamp(FLOOR, CEILING)


class Step(nn.Module):
    """One step: the distribution of `groups` groups of pixels given `known` maps of pixels and picture.

    Args:
        known: images in the context, each of `channels` maps: pixels of earlier groups and of the picture.
        groups: groups of pixels that this step gives.
        channels: 1 or 3.
        width, depth: channels and blocks of the network that corrects the closed form.
    """

    def __init__(self, known: int, groups: int, channels: int, width: int, depth: int) -> None:
        super().__init__()
        self.groups, self.channels = groups, channels
        self.pairs = [(earlier, later) for later in range(channels) for earlier in range(later)]
        maps, activities = known * channels, 3 * known + (known - 1) + 3
        self.linear = nn.Conv2d(maps, groups * channels, WINDOW, padding=WINDOW // 2, padding_mode="replicate")
        self.scale = nn.Conv2d(activities, groups * channels, 1)
        self.follow = nn.Parameter(torch.zeros(groups, len(self.pairs)))
        self.spread = nn.Parameter(torch.zeros(groups, len(self.pairs)))
        self.first = nn.Conv2d(maps + activities, width, 3, padding=1)
        self.blocks = nn.ModuleList(_block(width) for _ in range(depth))
        self.last = nn.Conv2d(width, groups * 2 * (channels + len(self.pairs)), 1)
        for module in (self.linear, self.scale, self.last):
            nn.init.zeros_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)

    def closed_form(self) -> list[nn.Parameter]:
        """The parameters that `start` fits."""
        return [*self.linear.parameters(), *self.scale.parameters(), self.follow, self.spread]

    def forward(self, context: Maps) -> Parameters:
        """The distributions of the step's pixels; maps and values in [0, 1]."""
        # Without gradient to the picture: the way through the activity costs a tenth of a step and moves m(z) little.
        activity = _activity(context.detach(), self.channels)
        features = self.first(torch.cat([2 * context - 1, 0.3 * activity], dim=1))
        for block in self.blocks:
            features = features + block(features)
        corrections = self.last(torch.relu(features)).float().unflatten(1, (-1, self.groups))
        centre, log_scale, follow, spread = corrections.split([self.channels] * 2 + [len(self.pairs)] * 2, dim=1)
        shape = self.channels, self.groups
        with torch.autocast(context.device.type, enabled=False):  # the closed form loses in lower precision
            base = self.scale(activity).unflatten(1, shape)
            predicted = self.linear(context).unflatten(1, shape)
        # In units of the scale: a correction is as large where pixels are certain as where they are not.
        moved = predicted + 2 * base.detach().clamp(FLOOR, CEILING).exp() * centre
        follow, spread = 0.3 * follow, 0.1 * spread
        per_group = self.groups, 1, 1
        return Parameters(
            list(moved.unbind(1)),
            list((base + log_scale).unbind(1)),
            {pair: follow[:, at] + self.follow[:, at].view(per_group) for at, pair in enumerate(self.pairs)},
            {pair: spread[:, at] + self.spread[:, at].view(per_group) for at, pair in enumerate(self.pairs)},
        )

    def nll(self, context: Maps, target: Target, real: Real | None = None) -> Nats:
        """Negative log mass of each image's pixels of this step, in nats; by default all are real."""
        parameters = self(context)
        errors, residuals, centres, log_scales = [], [], [], []
        for channel, value in enumerate(target.unbind(1)):
            centre, log_scale = parameters.given(channel, errors, residuals)
            errors.append(value - parameters.centre[channel])
            residuals.append(value - centre)
            centres.append(centre)
            log_scales.append(log_scale)
        masses = log_mass(target, torch.stack(centres, 1), torch.stack(log_scales, 1))
        return -(masses if real is None else masses.where(real, 0.0)).flatten(1).sum(1)

    def draw(self, context: Maps, generator: torch.Generator, temperature: float) -> Target:
        """Pixels drawn given the context, whole levels in [0, 1]; the noise is multiplied by the temperature."""
        parameters = self(context)
        errors, residuals, drawn = [], [], []
        for channel in range(self.channels):
            centre, log_scale = parameters.given(channel, errors, residuals)
            noise = temperature * log_scale.exp() * logistic_noise(centre, generator)
            value = level_of(centre + noise) / STEPS
            errors.append(value - parameters.centre[channel])
            residuals.append(value - centre)
            drawn.append(value)
        return torch.stack(drawn, 1)

    @torch.no_grad()
    def start(self, context: Maps, target: Target, real: Real | None = None) -> None:
        """Fits means by least squares, then log scales by regression of the log absolute residuals on the activity.

        A constant is added to each channel's log scale that minimises its cost on these images, over a grid.
        """
        places = _some_places(target, real)
        weights = _solve(_windows(context, places), _rows(target.flatten(1, 2), places), _RIDGE).to(context.dtype)
        self.linear.weight.copy_(weights[1:].T.unflatten(1, self.linear.weight.shape[1:]))
        _bias(self.linear).copy_(weights[0])
        error = target - self.linear(context).unflatten(1, (self.channels, self.groups))
        rows = _rows(_activity(context, self.channels), places)
        # Pixels in flat surroundings have small errors; without weights, those at edges alone would decide.
        weight = torch.exp(-rows[:, :3].mean(1, keepdim=True))
        rows = torch.cat([torch.ones_like(rows[:, :1]), rows], 1)
        for group in range(self.groups):
            errors = [_rows(error[:, channel, [group]], places) for channel in range(self.channels)]
            sizes: list[Tensor] = []
            for channel in range(self.channels):
                residual = errors[channel]
                before = [at for at, (_, later) in enumerate(self.pairs) if later == channel]
                if before:
                    known = torch.cat(errors[:channel], 1)
                    follow = _solve(known * weight, residual * weight, 1e-12)
                    self.follow[group, before] = follow[:, 0].to(self.follow)
                    residual = residual - known @ follow
                predictors, size = torch.cat([rows, *sizes], 1), _log_size(residual)
                found = _solve(predictors, size, _RIDGE)
                at, value = channel * self.groups + group, _rows(target[:, channel, [group]], places)
                added = _constant(value, value - residual, predictors @ found)
                weights = found[:, 0].to(self.spread)
                _bias(self.scale)[at] = weights[0] + added
                self.scale.weight[at] = weights[1 : rows.shape[1]].view(-1, 1, 1)
                self.spread[group, before] = weights[rows.shape[1] :]
                sizes.append(size)


class Multiscale(Likelihood):
    """The steps in order; the decoder's output is the picture m(z), and all masses are of 8-bit levels.

    Args:
        channels: 1 or 3.
        width, depth: channels and blocks of each step's network.
    """

    name = "multiscale"

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__()
        self.channels = channels
        shapes = ((2, 1), (3, 1), (5, 2), (3, 1), (5, 2))
        self.steps = nn.ModuleList(Step(known, groups, channels, width, depth) for known, groups in shapes)

    def nll(self, output: Pixels, x: Pixels) -> Nats:
        """Negative log mass of each image's levels, in nats."""
        return self.by_step(output, x).sum(dim=1)

    def bin_nll(self, output: Pixels, x: Pixels) -> Nats:
        """The same as `nll`."""
        return self.nll(output, x)

    def by_step(self, output: Pixels, x: Pixels) -> Float[Tensor, "batch steps"]:
        """Negative log mass of each step's pixels, in nats."""
        m, x, real = _filled_up(self._ordered(output), self._ordered(x))
        costs = [step.nll(_context(at, m, x), _target(at, x), _real(at, real)) for at, step in self._steps()]
        return torch.stack(costs, dim=1)

    def draw(self, output: Pixels, generator: torch.Generator, temperature: float) -> Pixels:
        """An image of each picture, whole levels in [0, 1]; one pass a step."""
        m, x, real = _filled_up(self._ordered(output), torch.zeros_like(output))
        for at, step in self._steps():
            drawn = step.draw(_context(at, m, x), generator, temperature)
            for place, pixels in zip(_PLACES[at], drawn.unbind(2), strict=True):
                x[place] = pixels if real is None else pixels.where(real[place], x[place])
        return self._ordered(x[..., : output.shape[-2], : output.shape[-1]])

    @property
    def sigma(self) -> None:
        """None: every pixel has a scale of its own."""
        return None

    @torch.no_grad()
    def start(self, output: Pixels, x: Pixels) -> None:
        """Fits every step in closed form to pictures and their images."""
        m, x, real = _filled_up(self._ordered(output), self._ordered(x))
        for at, step in self._steps():
            step.start(_context(at, m, x), _target(at, x), _real(at, real))

    def closed_form(self) -> list[nn.Parameter]:
        """The parameters that `start` fits."""
        return [parameter for _, step in self._steps() for parameter in step.closed_form()]

    def _ordered(self, images: Pixels) -> Pixels:
        return images[:, _ORDER[self.channels]]

    def _steps(self) -> list[tuple[int, Step]]:
        return [(at, step) for at, step in enumerate(self.steps) if isinstance(step, Step)]


_EVEN, _ODD, _FIRST, _THIRD = slice(0, None, 2), slice(1, None, 2), slice(0, None, 4), slice(2, None, 4)
_PLACES = (
    [(..., _FIRST, _FIRST)],
    [(..., _THIRD, _THIRD)],
    [(..., _FIRST, _THIRD), (..., _THIRD, _FIRST)],
    [(..., _ODD, _ODD)],
    [(..., _EVEN, _ODD), (..., _ODD, _EVEN)],
)
"""Where each step's groups of pixels lie in the image."""


def _filled_up(m: Pixels, x: Pixels) -> tuple[Maps, Maps, Bool[Tensor, "whole_h whole_w"] | None]:
    """Picture and image at whole blocks, and which of their pixels are real; None where all are."""
    height, width = x.shape[-2:]
    below, right = -height % BLOCK, -width % BLOCK
    if not (below or right):
        return m, x, None
    m = functional.pad(m, (0, right, 0, below), mode="replicate")
    filled = m.clone()
    filled[..., :height, :width] = x
    real = torch.zeros(m.shape[-2:], dtype=torch.bool, device=m.device)
    real[:height, :width] = True
    return m, filled, real


def _target(at: int, x: Pixels) -> Target:
    return torch.stack([x[place] for place in _PLACES[at]], dim=2)


def _real(at: int, real: Bool[Tensor, "whole_h whole_w"] | None) -> Real | None:
    return None if real is None else torch.stack([real[place] for place in _PLACES[at]])


def _context(at: int, m: Pixels, x: Pixels) -> Maps:
    """What step `at` knows: pixels of earlier groups, then the picture's; of the image only those are read."""
    if at == 0:
        return torch.cat([m[_PLACES[0][0]], functional.avg_pool2d(m, 4)], 1)
    first, diagonal, rest = ([_PLACES[0][0]], _PLACES[1], _PLACES[2])
    if at > 2:
        first, diagonal, rest = [(..., _EVEN, _EVEN)], _PLACES[3], _PLACES[4]
    known, asked = (first, first + diagonal) if at in (1, 3) else (first + diagonal, first + rest)
    return torch.cat([*(x[place] for place in known), *(m[place] for place in asked)], 1)


def log_mass(
    x: Float[Tensor, "*some"], centre: Float[Tensor, "*some"], log_scale: Float[Tensor, "*some"]
) -> Float[Tensor, "*some"]:
    """Log of the mass of each value's level: of a discretised logistic, with a small share of a uniform one."""
    logistic = logistic_log_mass(level_of(x), centre, torch.exp(-log_scale))
    least = logistic.new_tensor(math.log(UNIFORM / (STEPS + 1)))
    return torch.logaddexp(logistic + math.log1p(-UNIFORM), least)


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1))


def _activity(context: Maps, channels: int) -> Float[Tensor, "batch activities height width"]:
    """Logs of how much the known pixels vary around each place, means over channels.

    For each image of the context the deviation from its 3 x 3 mean and the differences of its horizontal and of its
    vertical neighbours; for each but the first its difference from the first; and 5 x 5 means of the first one's three.
    """
    padded = functional.pad(context, (1, 1, 1, 1), mode="replicate")
    deviation = (context - functional.avg_pool2d(padded, 3, 1)).abs()
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]).abs()
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]).abs()
    images = context.unflatten(1, (-1, channels))
    apart = (images[:, 1:] - images[:, :1]).abs().mean(2)
    each = torch.stack([values.unflatten(1, (-1, channels)).mean(2) for values in (deviation, across, down)], 2)
    wide = functional.avg_pool2d(functional.pad(each[:, 0], (2, 2, 2, 2), mode="replicate"), 5, 1)
    return torch.log(torch.cat([each.flatten(1, 2), apart, wide], 1) + ABSOLUTE)


def _log_size(residual: Tensor) -> Tensor:
    return torch.log(residual.abs() + ABSOLUTE)


def _some_places(target: Target, real: Real | None) -> Int64[Tensor, " places"]:
    """Places of each image that a start is fitted to, the same ones in all; real in every group."""
    known = torch.ones_like(target[0, 0, 0], dtype=torch.bool) if real is None else real.all(0)
    some = known.flatten().nonzero()[:, 0]
    return some[torch.randperm(len(some), generator=torch.Generator().manual_seed(0))[:_PLACES_AN_IMAGE]]


def _rows(maps: Maps, places: Int64[Tensor, " places"]) -> Float[Tensor, "rows maps"]:
    """One row per place of every image, in float64: neighbours are so alike that float32 fits noise."""
    return maps.flatten(2)[:, :, places].transpose(1, 2).flatten(0, 1).double()


def _windows(context: Maps, places: Int64[Tensor, " places"]) -> Float[Tensor, "rows one_and_window"]:
    """A one and the window around each place."""
    padded = functional.pad(context, (WINDOW // 2,) * 4, mode="replicate")
    parts = [functional.unfold(some, WINDOW)[:, :, places] for some in padded.split(_AT_ONCE)]
    rows = torch.cat(parts).transpose(1, 2).flatten(0, 1).double()
    return torch.cat([torch.ones_like(rows[:, :1]), rows], 1)


def _bias(module: nn.Conv2d) -> Tensor:
    assert module.bias is not None
    return module.bias


def _solve(predictors: Tensor, target: Tensor, ridge: float) -> Tensor:
    """Least squares with a ridge relative to the number of rows."""
    squares = predictors.T @ predictors
    return torch.linalg.solve(
        squares + ridge * len(predictors) * torch.eye(len(squares)).to(squares), predictors.T @ target
    )


def _constant(value: Tensor, centre: Tensor, log_scale: Tensor) -> float:
    """What, added to the log scales, costs least on (some of) the values."""
    some = torch.linspace(0, len(value) - 1, min(len(value), _CONSTANT_ON)).long()
    value, centre, log_scale = value[some], centre[some], log_scale[some]

    def cost(added: float) -> float:
        return -float(log_mass(value, centre, (log_scale + added).clamp(FLOOR, CEILING)).mean())

    return min((step / 20 for step in range(-60, 25, 3)), key=cost)
